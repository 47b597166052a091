"""Normalising layers by kind and number of dimensions."""

from __future__ import annotations

from enum import Enum

from torch import Tensor, nn

from vivace.core.errors import ArgumentError

__all__ = ["BatchNorm", "BatchNorm1dFlat", "InstanceNorm", "NormType"]


class NormType(Enum):
    """How a layer is normalised; the `Zero` kinds start with a scale of zero (the layer starts silent)."""

    Batch = 1
    BatchZero = 2
    Weight = 3
    Spectral = 4
    Instance = 5
    InstanceZero = 6


_BATCH = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
_INSTANCE = {1: nn.InstanceNorm1d, 2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}


def _check_ndim(ndim: int) -> None:
    if ndim not in (1, 2, 3):
        raise ArgumentError(f"`ndim` is the number of spatial dimensions, 1, 2 or 3; got {ndim!r}.")


def _start(norm: nn.Module, is_zero: bool) -> None:
    # A bias a little above zero keeps rectifiers that follow from starting dead.
    if isinstance(norm.bias, Tensor):
        nn.init.constant_(norm.bias, 1e-3)
    if isinstance(norm.weight, Tensor):
        nn.init.constant_(norm.weight, 0.0 if is_zero else 1.0)


def BatchNorm(
    nf: int,
    ndim: int = 2,
    norm_type: NormType = NormType.Batch,
    *,
    eps: float = 1e-5,
    momentum: float | None = 0.1,
    affine: bool = True,
    track_running_stats: bool = True,
) -> nn.Module:
    """Return a batch norm for `nf` channels and `ndim` spatial dimensions.

    Args:
        nf: number of channels.
        ndim: 1, 2 or 3.
        norm_type: `NormType.BatchZero` starts with a scale of zero.
        eps: added to the variance.
        momentum: share of the newest batch in the running statistics.
        affine: whether scale and shift are learned.
        track_running_stats: whether evaluation uses running statistics.
    """
    _check_ndim(ndim)
    norm = _BATCH[ndim](nf, eps, momentum, affine, track_running_stats)
    _start(norm, is_zero=norm_type is NormType.BatchZero)
    return norm


def InstanceNorm(
    nf: int,
    ndim: int = 2,
    norm_type: NormType = NormType.Instance,
    affine: bool = True,
    *,
    eps: float = 1e-5,
    momentum: float = 0.1,
    track_running_stats: bool = False,
) -> nn.Module:
    """Return an instance norm for `nf` channels and `ndim` spatial dimensions; arguments as in `BatchNorm`."""
    _check_ndim(ndim)
    norm = _INSTANCE[ndim](nf, eps, momentum, affine, track_running_stats)
    _start(norm, is_zero=norm_type is NormType.InstanceZero)
    return norm


class BatchNorm1dFlat(nn.BatchNorm1d):
    """Batch norm over the last dimension, all leading ones taken as the batch."""

    def forward(self, x: Tensor) -> Tensor:
        """Return `x`, `(..., num_features)`, normalised; same shape."""
        return super().forward(x.reshape(-1, x.shape[-1])).view(x.shape)
