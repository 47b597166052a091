"""vivace: train, understand, fix and ship deep-learning models in a few lines."""

__version__ = "0.1.0"
