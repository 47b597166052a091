"""Layers, initialisation, hooks and parameter groups: plain torch, no Learner needed."""
