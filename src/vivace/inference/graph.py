"""A learner's way from a picture's bytes to probabilities as one module, for export as a graph.

Each transform says by itself what it is as a module (`Transform.as_module`); one that cannot is named in the error.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from vivace.core.basics import noop
from vivace.core.errors import ArgumentError
from vivace.core.image import PILBase
from vivace.training.learner import Learner

__all__ = ["PictureGraph", "picture_graph"]

_TWO_SIZES = (97, 131), (120, 64)


class PictureGraph(nn.Module):
    """Takes a picture `(height, width, channels)`, uint8, of any size; returns `(n_classes,)` probabilities or values.

    Args:
        steps: the transforms, as modules.
        model: the model.
        activation: the loss's, such as softmax.
    """

    def __init__(self, steps: list[nn.Module], model: nn.Module, activation: Any) -> None:
        super().__init__()
        self.steps, self.model, self.activation = nn.ModuleList(steps), model, activation

    def forward(self, image: Tensor) -> Tensor:
        """Compute the prediction of one picture."""
        x = image
        for step in self.steps:
            x = step(x)
        out: Tensor = self.activation(self.model(x[None]))[0]
        return out


def picture_graph(learn: Learner) -> tuple[PictureGraph, int]:
    """Return what a learner does to a picture in validation, on the CPU, and the picture's channels.

    Raises:
        ArgumentError: the model takes something else than one picture, or a transform cannot be a part of a graph.
    """
    dl = learn.dls.loaders[-1] if hasattr(learn.dls, "loaders") else learn.dls.valid
    parts = list(getattr(getattr(dl, "dataset", None), "tls", ()))
    n_inp = getattr(dl, "n_inp", 1)
    if not parts or n_inp != 1:
        raise ArgumentError("A graph takes one picture, and this model's input is not one picture.")
    steps: list[nn.Module] = []
    channels = 0
    for transform in [*parts[0].tfms.fs, *dl.after_item.fs, *dl.after_batch.fs]:
        owner = getattr(getattr(transform, "enc", None), "__self__", None)
        if isinstance(owner, type) and issubclass(owner, PILBase):
            channels = {"RGB": 3, "L": 1}.get(owner.open_mode or "", 0)
            continue
        if transform.split_idx == 0 or (not channels and not steps):  # augmentation; what finds the file
            continue
        module = transform.as_module()
        if module is None:
            raise ArgumentError(f"The transform {transform.name} cannot be a part of a graph: export without it.")
        steps.append(module)
    if not channels:
        raise ArgumentError("A graph takes a picture, and this model's input is none that vivace opens.")
    model = copy.deepcopy(learn.model).cpu().float().eval()
    activation = getattr(learn.loss_func, "activation", noop)
    for size in _TWO_SIZES:  # what works for one size alone says so, or is settled here
        x = torch.zeros(*size, channels, dtype=torch.uint8)
        for step in steps:
            x = step(x)
    return PictureGraph(steps, model, activation).eval(), channels
