"""Explain a trained Learner: confusion, top losses."""
