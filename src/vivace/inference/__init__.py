"""Use a trained model without its training data: bundles, predictions."""
