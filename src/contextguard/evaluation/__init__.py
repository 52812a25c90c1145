"""Judging methods on the world: accuracy, divergence from the full model, and token shares."""
