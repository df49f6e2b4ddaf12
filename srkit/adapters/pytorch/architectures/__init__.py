"""Networks on torch: how each is told from its tensors, built and run."""
