"""Seeded mutations of what attnviz is given: right exit codes, no traceback, no control code."""
