"""From a model's name to a model that is ready to run, and what it predicts."""
