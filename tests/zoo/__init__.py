"""Tiny random models of every text architecture of transformers, with their own eager maps."""
