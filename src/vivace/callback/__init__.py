"""Callbacks under the module names that scripts know; they live in `vivace.training.callbacks`."""
