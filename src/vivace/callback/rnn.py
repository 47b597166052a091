"""Callbacks for recurrent networks under the name that scripts know."""

from __future__ import annotations

from vivace.training.callbacks.rnn import (
    ModelResetter,
    RNNCallback,
    RNNRegularizer,
    rnn_cbs,
)

__all__ = [
    "ModelResetter",
    "RNNCallback",
    "RNNRegularizer",
    "rnn_cbs",
]
