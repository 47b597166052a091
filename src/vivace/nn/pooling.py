"""Pooling layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vivace.core.errors import ArgumentError

from .layers import Flatten
from .module import Module

__all__ = [
    "AdaptiveAvgPool",
    "AdaptiveConcatPool1d",
    "AdaptiveConcatPool2d",
    "AvgPool",
    "MaxPool",
    "PoolFlatten",
    "PoolType",
    "adaptive_pool",
]

_ADAPTIVE_AVG = {1: nn.AdaptiveAvgPool1d, 2: nn.AdaptiveAvgPool2d, 3: nn.AdaptiveAvgPool3d}
_MAX = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}
_AVG = {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d}


class PoolType:
    """Names of the ways to pool a whole map to one value per channel (`Cat`: average beside maximum)."""

    Avg = "Avg"
    Max = "Max"
    Cat = "Cat"


class AdaptiveConcatPool1d(Module):
    """Maximum and average over the length, side by side: twice the channels."""

    def __init__(self, size: int | None = None) -> None:
        self.size = size or 1
        self.ap = nn.AdaptiveAvgPool1d(self.size)
        self.mp = nn.AdaptiveMaxPool1d(self.size)

    def forward(self, x: Tensor) -> Tensor:
        """Return `(batch, 2 * channels, size)` for `x` of `(batch, channels, length)`."""
        return torch.cat([self.mp(x), self.ap(x)], dim=1)


class AdaptiveConcatPool2d(Module):
    """Maximum and average over height and width, side by side: twice the channels."""

    def __init__(self, size: int | None = None) -> None:
        self.size = size or 1
        self.ap = nn.AdaptiveAvgPool2d(self.size)
        self.mp = nn.AdaptiveMaxPool2d(self.size)

    def forward(self, x: Tensor) -> Tensor:
        """Return `(batch, 2 * channels, size, size)` for `x` of `(batch, channels, height, width)`."""
        return torch.cat([self.mp(x), self.ap(x)], dim=1)


def adaptive_pool(pool_type: str) -> type[nn.Module]:
    """Return the 2-d adaptive pooling class for a `PoolType`.

    Raises:
        ArgumentError: the name is none of `PoolType`'s.
    """
    classes: dict[str, type[nn.Module]] = {
        PoolType.Avg: nn.AdaptiveAvgPool2d,
        PoolType.Max: nn.AdaptiveMaxPool2d,
        PoolType.Cat: AdaptiveConcatPool2d,
    }
    if pool_type not in classes:
        raise ArgumentError(f"`pool_type` must be one of {', '.join(classes)}; got {pool_type!r}.")
    return classes[pool_type]


class PoolFlatten(nn.Sequential):
    """Pool each map to one value per channel and flatten: `(batch, channels)`, twice that with `"Cat"`."""

    def __init__(self, pool_type: str = PoolType.Avg) -> None:
        super().__init__(adaptive_pool(pool_type)(1), Flatten())


def _class_for(table: dict[int, type[nn.Module]], ndim: int) -> type[nn.Module]:
    if ndim not in table:
        raise ArgumentError(f"`ndim` is the number of spatial dimensions, 1, 2 or 3; got {ndim!r}.")
    return table[ndim]


def AdaptiveAvgPool(sz: int = 1, ndim: int = 2) -> nn.Module:
    """Return a layer that averages each map down to `sz` along each of `ndim` dimensions."""
    return _class_for(dict(_ADAPTIVE_AVG), ndim)(sz)


def MaxPool(
    ks: int = 2, stride: int | None = None, padding: int = 0, ndim: int = 2, ceil_mode: bool = False
) -> nn.Module:
    """Return a max pooling layer for `ndim` dimensions; `stride` defaults to `ks`."""
    return _class_for(dict(_MAX), ndim)(ks, stride=stride, padding=padding, ceil_mode=ceil_mode)


def AvgPool(
    ks: int = 2, stride: int | None = None, padding: int = 0, ndim: int = 2, ceil_mode: bool = False
) -> nn.Module:
    """Return an average pooling layer for `ndim` dimensions; `stride` defaults to `ks`."""
    return _class_for(dict(_AVG), ndim)(ks, stride=stride, padding=padding, ceil_mode=ceil_mode)
