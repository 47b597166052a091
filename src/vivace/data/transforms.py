"""The transforms that every image pipeline has: picture to tensor, bytes to floats, normalisation."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from vivace.core.errors import DataError
from vivace.core.image import PILBase
from vivace.core.types import TensorImage, TensorImageBase, TensorMask

from .transform import DisplayedTransform, Transform

__all__ = ["IntToFloatTensor", "Normalize", "ToTensor", "broadcast_vec"]


class _ChannelsFirst(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.permute(2, 0, 1)


class ToTensor(Transform):
    """Turn a picture into a uint8 tensor `(channels, height, width)`, a mask into `(height, width)`."""

    order = 5
    uses_global_random = False

    def encodes(self, x: PILBase) -> TensorImageBase:
        # pixels come as (height, width, channels); the permuted view keeps that layout, which collating copies fast
        pixels = torch.from_numpy(x.to_array())
        if pixels.ndim == 3:
            pixels = pixels.permute(2, 0, 1)
        elif not issubclass(x.tensor_type, TensorMask):
            pixels = pixels[None]
        return pixels.as_subclass(x.tensor_type)

    def as_module(self) -> nn.Module | None:
        return _ChannelsFirst()


class _ToFloat(nn.Module):
    def __init__(self, div: float) -> None:
        super().__init__()
        self.div = div

    def forward(self, x: Tensor) -> Tensor:
        return x.float() / self.div


class _Normalized(nn.Module):
    mean: Tensor
    std: Tensor

    def __init__(self, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean.detach().cpu().float())
        self.register_buffer("std", std.detach().cpu().float())

    def forward(self, x: Tensor) -> Tensor:
        return (x[None] - self.mean)[0] / self.std[0]


class IntToFloatTensor(DisplayedTransform):
    """Turn uint8 images into floats in 0..1, and masks into int64 class indices.

    Args:
        div: what the bytes of an image are divided by.
        div_mask: what the bytes of a mask are divided by (255 when it was saved as black and white).
    """

    order = 10
    uses_global_random = False

    def __init__(self, div: float = 255.0, div_mask: int = 1) -> None:
        super().__init__()
        self.div, self.div_mask = div, div_mask

    def encodes(self, x: TensorImage | TensorMask) -> Any:
        if isinstance(x, TensorMask):
            return x.div(self.div_mask, rounding_mode="floor").long() if self.div_mask != 1 else x.long()
        if x.is_floating_point():
            return x
        return _on_this_core(x, self.div) if x.device.type == "cpu" else x.float().div_(self.div)

    def decodes(self, x: TensorImage) -> Any:
        return x.clamp(0.0, 1.0)

    def as_module(self) -> nn.Module | None:
        return _ToFloat(self.div)


def _on_this_core(images: Tensor, div: float) -> Tensor:
    """The bytes as floats, divided. It is memory that takes the time, so one core is nearly as fast as all of them.

    Where loader threads decode meanwhile it is much faster: torch would wait for the helper that is the last to get a
    core, 3 to 20 ms for 16 photos instead of 1 ms.
    """
    rows = images.as_subclass(Tensor)
    is_last = rows.ndim == 4 and rows.is_contiguous(memory_format=torch.channels_last)
    floats = (rows.permute(0, 2, 3, 1) if is_last else rows).numpy().astype(np.float32)
    floats /= np.float32(div)
    made = torch.from_numpy(floats)
    return made.permute(0, 3, 1, 2) if is_last else made


def broadcast_vec(dim: int, ndim: int, *values: Any, cuda: bool = True) -> list[Tensor]:
    """Return each vector shaped so that it broadcasts along dimension `dim` of a tensor with `ndim` dimensions."""
    shape = [1] * ndim
    shape[dim] = -1
    return [torch.as_tensor(v, dtype=torch.float32).view(shape) for v in values]


class Normalize(DisplayedTransform):
    """Subtract the mean of each channel and divide by its standard deviation; `decodes` undoes it.

    Without `mean` and `std` they are taken from one training batch when the loaders are made.

    Args:
        mean: one number for each channel, shaped to broadcast over a batch (`from_stats` shapes it).
        std: likewise.
        axes: the dimensions that are averaged when the statistics come from data.
    """

    order = 99
    uses_global_random = False

    def __init__(
        self, mean: Tensor | None = None, std: Tensor | None = None, axes: tuple[int, ...] = (0, 2, 3)
    ) -> None:
        super().__init__()
        self.mean, self.std, self.axes = mean, std, axes

    @classmethod
    def from_stats(cls, mean: Any, std: Any, dim: int = 1, ndim: int = 4, cuda: bool = True) -> Self:
        """Make one from the channels' means and standard deviations, such as `*imagenet_stats`."""
        means, deviations = broadcast_vec(dim, ndim, mean, std)
        return cls(means, deviations)

    def setups(self, dl: Any) -> None:
        if self.mean is not None and self.std is not None:
            return
        batch = dl.one_batch() if hasattr(dl, "one_batch") else dl
        images = next(
            (b for b in (batch if isinstance(batch, (tuple, list)) else [batch]) if isinstance(b, Tensor)), None
        )
        if images is None or not images.is_floating_point():
            raise DataError(
                "Normalize() takes its statistics from a batch of float images, and found none; "
                "use Normalize.from_stats(mean, std)."
            )
        self.mean = images.mean(self.axes, keepdim=True).cpu().as_subclass(Tensor)
        self.std = images.std(self.axes, keepdim=True).cpu().as_subclass(Tensor) + 1e-7

    def _stats(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.mean is None or self.std is None:
            raise DataError(
                "Normalize has no statistics yet: give them (Normalize.from_stats) or make loaders with it first."
            )
        mean, std = self.mean, self.std
        if mean.device != x.device:
            mean, std = mean.to(x.device), std.to(x.device)
        return (mean, std) if x.ndim == mean.ndim else (mean[0], std[0])

    def encodes(self, x: TensorImage) -> Any:
        mean, std = self._stats(x)
        return (x - mean).div_(std)

    def decodes(self, x: TensorImage) -> Any:
        mean, std = self._stats(x)
        return x * std + mean

    def as_module(self) -> nn.Module | None:
        return None if self.mean is None or self.std is None else _Normalized(self.mean, self.std)
