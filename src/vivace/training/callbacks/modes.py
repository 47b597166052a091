"""Layers that are in another mode than the rest of the model: frozen batch norms that keep their means, dropout that
stays on in validation."""

from __future__ import annotations

from torch import nn

from vivace.nn.inspection import flatten_model
from vivace.training.callback import Callback

__all__ = ["BnFreeze", "MCDropoutCallback", "bn_types", "set_bn_eval"]

bn_types: tuple[type[nn.Module], ...] = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
"""The layers that keep means and variances of what has passed."""


def set_bn_eval(m: nn.Module, use_eval: bool = True) -> None:
    """Put the batch norms of `m` whose parameters are frozen in evaluation mode, or back in training mode."""
    for layer in m.modules():
        if isinstance(layer, bn_types) and not any(p.requires_grad for p in layer.parameters()):
            layer.train(not use_eval)


class BnFreeze(Callback):
    """Let frozen batch norms keep their means and variances in training (needs `Learner(..., train_bn=False)`)."""

    def before_train(self) -> None:
        set_bn_eval(self.learn.model)


class MCDropoutCallback(Callback):
    """Leave dropout on in validation and prediction, to see how predictions vary (Gal & Ghahramani, arXiv:1506.02142).

    `torch.stack([learn.get_preds(cbs=[MCDropoutCallback()])[0] for _ in range(10)])` has them along dimension 0.
    """

    def before_validate(self) -> None:
        for layer in flatten_model(self.learn.model):
            if "dropout" in type(layer).__name__.lower():
                layer.train()
