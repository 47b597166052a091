"""Questions about a model: its parameters, its layers, its input channels."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from vivace.core.basics import params
from vivace.core.device import trainable_params
from vivace.core.errors import ArgumentError

from .module import Module

__all__ = [
    "ParameterModule",
    "bn_bias_params",
    "children_and_parameters",
    "flatten_model",
    "has_children",
    "has_params",
    "has_pool_type",
    "in_channels",
    "module_device",
    "norm_bias_params",
    "norm_types",
    "one_param",
    "params",
    "requires_grad",
    "total_params",
    "trainable_params",
]

norm_types: tuple[type[nn.Module], ...] = (
    nn.modules.batchnorm._BatchNorm,  # includes SyncBatchNorm
    nn.modules.instancenorm._InstanceNorm,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.RMSNorm,
    nn.LocalResponseNorm,
)
"""The layers that normalise; their parameters are neither decayed nor frozen by default."""

_POOL_PREFIXES = (
    "AvgPool",
    "MaxPool",
    "AdaptiveAvgPool",
    "AdaptiveMaxPool",
    "AdaptiveConcatPool",
    "SelectAdaptivePool",
)


class ParameterModule(Module):
    """Hold one lone parameter `val`, so that code that walks over modules meets it."""

    def __init__(self, p: nn.Parameter) -> None:
        self.val = p

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` unchanged."""
        return x


def total_params(m: nn.Module) -> tuple[int, bool]:
    """Return the number of scalars in the parameters of `m`, and whether any of them is trained."""
    all_params = list(m.parameters())
    return sum(p.numel() for p in all_params), any(p.requires_grad for p in all_params)


def has_params(m: nn.Module) -> bool:
    """Return whether `m` has any parameter."""
    return next(m.parameters(), None) is not None


def one_param(m: nn.Module) -> nn.Parameter:
    """Return the first parameter of `m`: its device and dtype are usually those of the model.

    Raises:
        ArgumentError: `m` has no parameter.
    """
    first = next(m.parameters(), None)
    if first is None:
        raise ArgumentError(f"{type(m).__name__} has no parameter, so there is none to return.")
    return first


def module_device(m: nn.Module) -> torch.device:
    """Return the device of the first parameter or buffer of `m`; the CPU when it has none."""
    for tensor in (*m.parameters(), *m.buffers()):
        return tensor.device
    return torch.device("cpu")


def requires_grad(m: nn.Module) -> bool:
    """Return whether the first parameter of `m` is trained; False without parameters."""
    first = next(m.parameters(), None)
    return first is not None and first.requires_grad


def children(m: nn.Module) -> list[nn.Module]:
    """Return the direct children of `m`."""
    return list(m.children())


def has_children(m: nn.Module) -> bool:
    """Return whether `m` contains other modules."""
    return next(m.children(), None) is not None


def children_and_parameters(m: nn.Module) -> list[nn.Module]:
    """Return the children of `m`, and its own parameters each wrapped as a `ParameterModule`."""
    inside = {id(p) for child in m.children() for p in child.parameters()}
    own = [ParameterModule(p) for p in m.parameters() if id(p) not in inside]
    return [*m.children(), *own]


def flatten_model(m: nn.Module) -> list[nn.Module]:
    """Return the leaf modules of `m` in the order of their definition, lone parameters wrapped."""
    return list(_leaves(m))


def _leaves(m: nn.Module) -> Iterator[nn.Module]:
    if not has_children(m):
        yield m
        return
    for child in children_and_parameters(m):
        yield from _leaves(child)


def in_channels(m: nn.Module) -> int:
    """Return how many channels (or features) the first weighted layer of `m` takes.

    Raises:
        ArgumentError: no layer has a weight of two or more dimensions.
    """
    for layer in m.modules():
        for attribute in ("in_channels", "in_features"):
            size = getattr(layer, attribute, None)
            if isinstance(size, int) and isinstance(getattr(layer, "weight", None), Tensor):
                return size
    raise ArgumentError(
        f"{type(m).__name__} has no convolution or linear layer, so it has no number of input channels."
    )


def has_pool_type(m: nn.Module) -> bool:
    """Return whether `m` is, or contains, a pooling layer."""
    return any(type(layer).__name__.startswith(_POOL_PREFIXES) for layer in m.modules())


def norm_bias_params(m: nn.Module, with_bias: bool = True) -> list[nn.Parameter]:
    """Return the parameters of all normalising layers in `m`, and all biases when `with_bias`."""
    found: dict[int, nn.Parameter] = {}
    for layer in m.modules():
        if isinstance(layer, norm_types):
            found.update((id(p), p) for p in layer.parameters(recurse=False))
        bias = layer._parameters.get("bias")
        if with_bias and bias is not None:
            found[id(bias)] = bias
    return list(found.values())


def bn_bias_params(m: nn.Module, with_bias: bool = True) -> list[nn.Parameter]:
    """Return `norm_bias_params(m, with_bias)`: the older name."""
    return norm_bias_params(m, with_bias)
