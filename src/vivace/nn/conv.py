"""Convolution with its norm and activation; upsampling by pixel shuffle; a plain stack of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import nn
from torch.nn.utils import parametrizations

from vivace.core.errors import ArgumentError

from .init import InitFunction, icnr_init, init_linear
from .norm import BatchNorm, InstanceNorm, NormType
from .pooling import PoolFlatten

__all__ = ["ActivationClass", "ConvLayer", "PixelShuffle_ICNR", "SimpleCNN"]

ActivationClass = Callable[[], nn.Module]
"""Makes an activation: a class such as `nn.ReLU`, or a `partial` of one."""

_CONV: dict[tuple[int, bool], Callable[..., nn.Module]] = {
    (1, False): nn.Conv1d,
    (2, False): nn.Conv2d,
    (3, False): nn.Conv3d,
    (1, True): nn.ConvTranspose1d,
    (2, True): nn.ConvTranspose2d,
    (3, True): nn.ConvTranspose3d,
}
_BATCH = (NormType.Batch, NormType.BatchZero)
_INSTANCE = (NormType.Instance, NormType.InstanceZero)


def _half(ks: int | Sequence[int]) -> Any:
    """Return the padding that keeps the size for an odd kernel."""
    return (ks - 1) // 2 if isinstance(ks, int) else tuple((k - 1) // 2 for k in ks)


class ConvLayer(nn.Sequential):
    """A convolution, its norm and its activation.

    Args:
        ni: channels in.
        nf: channels out.
        ks: kernel size.
        stride: step of the kernel.
        padding: pixels added on each side; by default as many as keep the size at stride 1 with an odd
            `ks` (none for a transposed convolution).
        bias: by default there is one only when no batch or instance norm follows.
        ndim: 1, 2 or 3 spatial dimensions.
        norm_type: a `NormType`, or None.
        bn_1st: norm before the activation, or after it.
        act_cls: makes the activation; None for none.
        transpose: a transposed convolution.
        init: how the weight starts; see `init_linear`.
        xtra: one more layer at the end.
        bias_std: standard deviation of the initial bias.
        dilation: distance of the kernel's taps.
        groups: channel groups that do not see each other.
        padding_mode: `"zeros"`, `"reflect"`, `"replicate"` or `"circular"`.

    Raises:
        ArgumentError: `ndim` is not 1, 2 or 3.
    """

    def __init__(
        self,
        ni: int,
        nf: int,
        ks: int | Sequence[int] = 3,
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] | None = None,
        bias: bool | None = None,
        ndim: int = 2,
        norm_type: NormType | None = NormType.Batch,
        bn_1st: bool = True,
        act_cls: ActivationClass | None = nn.ReLU,
        transpose: bool = False,
        init: InitFunction | Literal["auto"] | None = "auto",
        xtra: nn.Module | None = None,
        bias_std: float = 0.01,
        *,
        dilation: int | tuple[int, ...] = 1,
        groups: int = 1,
        padding_mode: str = "zeros",
    ) -> None:
        if (ndim, transpose) not in _CONV:
            raise ArgumentError(f"`ndim` is the number of spatial dimensions, 1, 2 or 3; got {ndim!r}.")
        if padding is None:
            padding = 0 if transpose else _half(ks)
        has_norm_layer = norm_type in _BATCH or norm_type in _INSTANCE
        conv = _CONV[ndim, transpose](
            ni,
            nf,
            kernel_size=ks,
            stride=stride,
            padding=padding,
            bias=not has_norm_layer if bias is None else bias,
            dilation=dilation,
            groups=groups,
            padding_mode=padding_mode,
        )
        activation = act_cls() if act_cls is not None else None
        init_linear(conv, activation, init=init, bias_std=bias_std)
        if norm_type is NormType.Weight:
            conv = parametrizations.weight_norm(conv)
        elif norm_type is NormType.Spectral:
            conv = parametrizations.spectral_norm(conv)

        after: list[nn.Module] = [] if activation is None else [activation]
        if norm_type is not None and has_norm_layer:
            norm = (BatchNorm if norm_type in _BATCH else InstanceNorm)(nf, ndim=ndim, norm_type=norm_type)
            after.insert(0 if bn_1st else len(after), norm)
        if xtra is not None:
            after.append(xtra)
        super().__init__(conv, *after)


class PixelShuffle_ICNR(nn.Sequential):
    """Enlarge a map `scale` times by a convolution and a pixel shuffle that starts as nearest neighbour.

    `(batch, ni, height, width)` becomes `(batch, nf, scale * height, scale * width)`. The initial weights
    are ICNR (https://arxiv.org/abs/1707.02937); `blur` averages the last checkerboard away.

    Args:
        ni: channels in.
        nf: channels out; as many as `ni` by default.
        scale: how many times larger each side becomes.
        blur: add a 2x2 average after the shuffle.
        norm_type: norm of the convolution.
        act_cls: makes its activation.
    """

    def __init__(
        self,
        ni: int,
        nf: int | None = None,
        scale: int = 2,
        blur: bool = False,
        norm_type: NormType | None = NormType.Weight,
        act_cls: ActivationClass | None = nn.ReLU,
    ) -> None:
        nf = ni if nf is None else nf
        conv = ConvLayer(ni, nf * scale**2, ks=1, norm_type=norm_type, act_cls=act_cls, bias_std=0)
        layers: list[nn.Module] = [conv, nn.PixelShuffle(scale)]
        # Assigning to a parametrised weight sets its parts (magnitude and direction) accordingly.
        with torch.no_grad():
            weight: Any = conv[0].weight
            conv[0].weight = (
                icnr_init(weight.detach(), scale=scale)
                if norm_type in (NormType.Weight, NormType.Spectral)
                else nn.Parameter(icnr_init(weight.detach(), scale=scale))
            )
        if blur:
            layers += [nn.ReplicationPad2d((1, 0, 1, 0)), nn.AvgPool2d(2, stride=1)]
        super().__init__(*layers)


class SimpleCNN(nn.Sequential):
    """A stack of convolutions and a global average pool: gives `(batch, filters[-1])`.

    Args:
        filters: channels of the input, then of each layer.
        kernel_szs: kernel size of each layer; 3 by default.
        strides: stride of each layer; 2 by default.
        bn: batch norm in all but the last layer.
    """

    def __init__(
        self,
        filters: Sequence[int],
        kernel_szs: Sequence[int] | None = None,
        strides: Sequence[int] | None = None,
        bn: bool = True,
    ) -> None:
        n_layers = len(filters) - 1
        sizes = [3] * n_layers if kernel_szs is None else list(kernel_szs)
        steps = [2] * n_layers if strides is None else list(strides)
        if not len(sizes) == len(steps) == n_layers:
            raise ArgumentError(
                f"{len(filters)} `filters` make {n_layers} layers, so `kernel_szs` and `strides` need {n_layers} "
                f"values each; got {len(sizes)} and {len(steps)}."
            )
        layers = [
            ConvLayer(
                filters[i],
                filters[i + 1],
                sizes[i],
                stride=steps[i],
                norm_type=NormType.Batch if bn and i < n_layers - 1 else None,
            )
            for i in range(n_layers)
        ]
        super().__init__(*layers, PoolFlatten())
