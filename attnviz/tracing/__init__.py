"""How attention comes about, step by step, computed by the reference mechanisms."""
