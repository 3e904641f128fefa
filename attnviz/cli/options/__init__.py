"""The groups of options that commands share: a module for each panel of a help text."""
