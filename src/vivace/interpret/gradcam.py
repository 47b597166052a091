"""Grad-CAM: where in a picture a convolutional model looked for a class."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from vivace.core.errors import ArgumentError
from vivace.training.evaluation import shared_evaluation

__all__ = ["class_activation", "find_last_map"]


def find_last_map(model: nn.Module, inputs: tuple[Tensor, ...]) -> nn.Module:
    """Return the last module, in the order of the forward pass, whose output is maps larger than 1x1.

    Raises:
        ArgumentError: the model gives no such maps.
    """
    seen: list[nn.Module] = []

    def look(module: nn.Module, _: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.ndim == 4 and min(output.shape[-2:]) > 1:
            seen.append(module)

    handles = [m.register_forward_hook(look) for m in model.modules()]
    try:
        with shared_evaluation(model), torch.no_grad():
            model(*(x[:1] for x in inputs))
    finally:
        for handle in handles:
            handle.remove()
    if not seen:
        raise ArgumentError("This model gives no maps to draw: Grad-CAM needs a convolutional layer, or give `layer`.")
    return seen[-1]


def class_activation(
    model: nn.Module, inputs: tuple[Tensor, ...], layer: nn.Module, classes: Tensor
) -> npt.NDArray[np.float32]:
    """Return a heat map for each sample, `(batch, height, width)` of `layer`'s output, scaled to 0..1.

    Selvaraju et al., *Grad-CAM*, 2017 (arXiv:1610.02391).

    Args:
        model: a classifier.
        inputs: its inputs.
        layer: a module of it whose output is `(batch, channels, height, width)`.
        classes: `(batch,)` the class to explain for each sample.
    """
    kept: list[Tensor] = []
    handle = layer.register_forward_hook(lambda _module, _inputs, output: kept.append(output))
    try:
        with shared_evaluation(model), torch.enable_grad():
            scores = model(*(x.clone().requires_grad_() if x.is_floating_point() else x for x in inputs))
            chosen = scores.gather(1, classes.to(scores.device)[:, None]).sum()
            (gradients,) = torch.autograd.grad(chosen, kept[-1])
    finally:
        handle.remove()
    weights = gradients.mean((2, 3), keepdim=True)
    heat = (weights * kept[-1]).sum(1).relu().detach()
    highest = heat.amax((1, 2), keepdim=True).clamp_min(1e-12)
    return np.asarray((heat / highest).float().cpu().numpy())
