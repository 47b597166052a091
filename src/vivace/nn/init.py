"""Initial weights: per layer, per model, and for upsampling without a checkerboard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from .inspection import norm_types, requires_grad

__all__ = [
    "apply_init",
    "apply_leaf",
    "cond_init",
    "icnr_init",
    "init_default",
    "init_linear",
    "trunc_normal_",
]

InitFunction = Callable[[Tensor], Any]

_RECTIFIERS = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.SELU, nn.GELU, nn.SiLU, nn.Mish, nn.Hardswish)


def trunc_normal_(x: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """Fill `x` in place from a normal distribution cut off at two standard deviations; return it."""
    return nn.init.trunc_normal_(x, mean, std, mean - 2 * std, mean + 2 * std)


def init_default(m: nn.Module, func: InitFunction | None = nn.init.kaiming_normal_) -> nn.Module:
    """Fill the weight of `m` with `func` and its bias with zeros, where it has them; return `m`.

    Weights of fewer than two dimensions are left alone: most `func` need a fan-in.
    """
    weight, bias = getattr(m, "weight", None), getattr(m, "bias", None)
    with torch.no_grad():
        if func is not None:
            if isinstance(weight, Tensor) and weight.dim() > 1:
                func(weight)
            if isinstance(bias, Tensor):
                bias.zero_()
    return m


def init_linear(
    m: nn.Module,
    act_func: nn.Module | Callable[[Tensor], Tensor] | None = None,
    init: InitFunction | Literal["auto"] | None = "auto",
    bias_std: float = 0.01,
) -> None:
    """Initialise a linear or convolution layer for the activation that follows it.

    Args:
        m: the layer.
        act_func: the activation after it.
        init: a function on the weight; None leaves the weight as torch made it; `"auto"` takes Kaiming's
            (https://arxiv.org/abs/1502.01852) before rectifiers and torch's own otherwise.
        bias_std: standard deviation of the bias; 0 means a bias of zeros.
    """
    weight, bias = getattr(m, "weight", None), getattr(m, "bias", None)
    if isinstance(bias, Tensor):
        nn.init.normal_(bias, 0, bias_std) if bias_std else nn.init.zeros_(bias)
    if init == "auto":
        init = nn.init.kaiming_uniform_ if isinstance(act_func, _RECTIFIERS) else None
    if init is not None and isinstance(weight, Tensor):
        with torch.no_grad():
            init(weight)


def cond_init(m: nn.Module, func: InitFunction) -> None:
    """Apply `init_default` to `m` unless it normalises or is frozen."""
    if not isinstance(m, norm_types) and requires_grad(m):
        init_default(m, func)


def apply_leaf(m: nn.Module, f: Callable[[nn.Module], Any]) -> None:
    """Call `f` on every module inside `m`, children before parents, and on `m`."""
    for child in m.children():
        apply_leaf(child, f)
    f(m)


def apply_init(m: nn.Module, func: InitFunction = nn.init.kaiming_normal_) -> None:
    """Initialise all trainable, non-normalising layers of `m` with `func`, and their biases with zeros."""
    apply_leaf(m, lambda layer: cond_init(layer, func))


def icnr_init(x: Tensor, scale: int = 2, init: InitFunction = nn.init.kaiming_normal_) -> Tensor:
    """Return weights, shaped like `x`, with which a pixel shuffle starts as nearest-neighbour upsampling.

    Each group of `scale**2` output channels gets the same kernel, so that the enlarged picture has no
    checkerboard (https://arxiv.org/abs/1707.02937).

    Args:
        x: weight of the convolution before the shuffle, `(out_channels, in_channels, height, width)`.
        scale: how many times larger the shuffle makes each side.
        init: fills one kernel per group.
    """
    kernels = x.new_zeros(x.shape[0] // scale**2, *x.shape[1:])
    with torch.no_grad():
        init(kernels)
    return kernels.repeat_interleave(scale**2, dim=0)
