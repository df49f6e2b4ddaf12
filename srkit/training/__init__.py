"""Train models on a folder of photos."""
