"""Activation functions beyond torch's, and the names that users know for torch's own."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .module import Module

__all__ = [
    "Mish",
    "MishJit",
    "SigmoidRange",
    "Swish",
    "SwishJit",
    "inplace_relu",
    "mish",
    "sigmoid",
    "sigmoid_",
    "sigmoid_range",
    "swish",
    "vleaky_relu",
]

Mish = nn.Mish
"""`x * tanh(softplus(x))` (https://arxiv.org/abs/1908.08681); torch's own, fused."""

Swish = nn.SiLU
"""`x * sigmoid(x)` (https://arxiv.org/abs/1710.05941); torch calls it SiLU."""

# Torch's own kernels save memory in the backward pass by themselves: the names remain for old code.
MishJit = Mish
SwishJit = Swish

inplace_relu = partial(nn.ReLU, inplace=True)
"""Makes a `ReLU` that overwrites its input: saves memory in large networks."""


def mish(x: Tensor, inplace: bool = False) -> Tensor:
    """Return `x * tanh(softplus(x))`, same shape as `x`."""
    return F.mish(x, inplace=inplace)


def swish(x: Tensor, inplace: bool = False) -> Tensor:
    """Return `x * sigmoid(x)`, same shape as `x`."""
    return F.silu(x, inplace=inplace)


def sigmoid(input: Tensor, eps: float = 1e-7) -> Tensor:
    """Return the sigmoid kept inside `[eps, 1 - eps]`, so that its logarithm is finite."""
    return input.sigmoid().clamp(eps, 1 - eps)


def sigmoid_(input: Tensor, eps: float = 1e-7) -> Tensor:
    """Like `sigmoid`, in place."""
    return input.sigmoid_().clamp_(eps, 1 - eps)


def vleaky_relu(input: Tensor, inplace: bool = True) -> Tensor:
    """Return the leaky ReLU with a slope of 0.3 below zero."""
    return F.leaky_relu(input, negative_slope=0.3, inplace=inplace)


def sigmoid_range(x: Tensor, low: float, high: float) -> Tensor:
    """Return `x` squashed into `low..high`, same shape.

    Example:
        >>> sigmoid_range(torch.tensor([-99.0, 0.0, 99.0]), 0, 5).tolist()
        [0.0, 2.5, 5.0]
    """
    return torch.sigmoid(x) * (high - low) + low


class SigmoidRange(Module):
    """Squash the input into `low..high`: a last layer for targets of a known range."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    def forward(self, x: Tensor) -> Tensor:
        """Return `sigmoid_range(x, low, high)`."""
        return sigmoid_range(x, self.low, self.high)

    def extra_repr(self) -> str:
        """Return what `print` shows between the brackets."""
        return f"low={self.low}, high={self.high}"
