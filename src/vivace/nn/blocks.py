"""Residual blocks and the squeeze-and-excitation gate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from torch import Tensor, nn

from .activations import inplace_relu
from .attention import SimpleSelfAttention
from .conv import ActivationClass, ConvLayer
from .init import InitFunction
from .layers import ProdLayer, SequentialEx
from .module import Module
from .norm import NormType
from .pooling import AdaptiveAvgPool, AvgPool

__all__ = ["ResBlock", "SEBlock", "SEModule", "SEResNeXtBlock", "SeparableBlock"]

PoolFactory = Callable[..., nn.Module]


def SEModule(ch: int, reduction: int, act_cls: ActivationClass = nn.ReLU, *, ndim: int = 2) -> SequentialEx:
    """Return a gate that rescales each of `ch` channels by what it sees in all (https://arxiv.org/abs/1709.01507).

    Args:
        ch: channels of the map.
        reduction: how many times fewer channels the gate has inside, rounded up to a multiple of 8.
        act_cls: makes the activation inside.
        ndim: spatial dimensions.
    """
    n_inside = -(-(ch // reduction) // 8) * 8
    return SequentialEx(
        AdaptiveAvgPool(1, ndim=ndim),
        ConvLayer(ch, n_inside, ks=1, norm_type=None, act_cls=act_cls, ndim=ndim),
        ConvLayer(n_inside, ch, ks=1, norm_type=None, act_cls=nn.Sigmoid, ndim=ndim),
        ProdLayer(),
    )


class ResBlock(Module):
    """A residual block of the "bag of tricks" kind (https://arxiv.org/abs/1812.01187).

    Two convolutions (`expansion` 1) or a bottleneck of three, the last norm starting at zero, and a shortcut
    that averages instead of skipping pixels. `(batch, expansion * ni, height, width)` becomes
    `(batch, expansion * nf, height / stride, width / stride)`.

    Args:
        expansion: 1 for the basic block, 4 for the usual bottleneck.
        ni: channels in, before `expansion`.
        nf: channels out, before `expansion`.
        stride: of the block.
        groups: of the first convolution (basic), or of the middle one.
        reduction: adds an `SEModule` of that reduction; None or 0 for none.
        nh1: channels after the first of three convolutions; `nf` by default.
        nh2: channels inside; `nf` by default.
        dw: depthwise: as many groups as channels.
        g2: groups of the second convolution of a basic block.
        sa: add `SimpleSelfAttention`.
        sym: its `sym`.
        norm_type: norm of each convolution.
        act_cls: makes the activations.
        ndim: spatial dimensions.
        ks: kernel size.
        pool: makes the shortcut's pooling, called as `pool(stride, ndim=ndim, ceil_mode=True)`.
        pool_first: pool before the shortcut's 1x1 convolution, or after it.
        padding: see `ConvLayer`, as are all that follow.
    """

    def __init__(
        self,
        expansion: int,
        ni: int,
        nf: int,
        stride: int = 1,
        groups: int = 1,
        reduction: int | None = None,
        nh1: int | None = None,
        nh2: int | None = None,
        dw: bool = False,
        g2: int = 1,
        sa: bool = False,
        sym: bool = False,
        norm_type: NormType | None = NormType.Batch,
        act_cls: ActivationClass = nn.ReLU,
        ndim: int = 2,
        ks: int | Sequence[int] = 3,
        pool: PoolFactory = AvgPool,
        pool_first: bool = True,
        *,
        padding: int | None = None,
        bias: bool | None = None,
        bn_1st: bool = True,
        transpose: bool = False,
        init: InitFunction | Literal["auto"] | None = "auto",
        bias_std: float = 0.01,
        dilation: int | tuple[int, ...] = 1,
        padding_mode: str = "zeros",
    ) -> None:
        nh2 = nf if nh2 is None else nh2
        nh1 = nh2 if nh1 is None else nh1
        ni, nf = ni * expansion, nf * expansion
        silent = {NormType.Batch: NormType.BatchZero, NormType.Instance: NormType.InstanceZero}
        last_norm = silent.get(norm_type, norm_type) if norm_type is not None else None

        def conv(
            n_in: int,
            n_out: int,
            kernel: Any,
            *,
            norm: NormType | None,
            act: ActivationClass | None,
            stride: int = 1,
            groups: int = 1,
        ) -> ConvLayer:
            is_wide = kernel != 1  # a 1x1 kernel keeps its size without padding or dilation
            return ConvLayer(
                n_in,
                n_out,
                kernel,
                norm_type=norm,
                act_cls=act,
                ndim=ndim,
                padding=padding if is_wide else None,
                bias=bias,
                bn_1st=bn_1st,
                transpose=transpose,
                init=init,
                bias_std=bias_std,
                dilation=dilation if is_wide else 1,
                padding_mode=padding_mode,
                stride=stride,
                groups=groups,
            )

        if expansion == 1:
            path: list[nn.Module] = [
                conv(ni, nh2, ks, norm=norm_type, act=act_cls, stride=stride, groups=ni if dw else groups),
                conv(nh2, nf, ks, norm=last_norm, act=None, groups=g2),
            ]
        else:
            path = [
                conv(ni, nh1, 1, norm=norm_type, act=act_cls),
                conv(nh1, nh2, ks, norm=norm_type, act=act_cls, stride=stride, groups=nh1 if dw else groups),
                conv(nh2, nf, 1, norm=last_norm, act=None, groups=g2),
            ]
        if reduction:
            path.append(SEModule(nf, reduction=reduction, act_cls=act_cls, ndim=ndim))
        if sa:
            path.append(SimpleSelfAttention(nf, ks=1, sym=sym))
        self.convpath = nn.Sequential(*path)

        shortcut: list[nn.Module] = []
        if ni != nf:
            shortcut.append(conv(ni, nf, 1, norm=norm_type, act=None))
        if stride != 1:
            shortcut.insert(0 if pool_first else len(shortcut), pool(stride, ndim=ndim, ceil_mode=True))
        self.idpath = nn.Sequential(*shortcut)
        self.act = inplace_relu() if act_cls is nn.ReLU else act_cls()

    def forward(self, x: Tensor) -> Tensor:
        """Return the activation of path plus shortcut."""
        out: Tensor = self.act(self.convpath(x) + self.idpath(x))
        return out


def SEBlock(
    expansion: int, ni: int, nf: int, groups: int = 1, reduction: int = 16, stride: int = 1, **options: Any
) -> ResBlock:
    """Return a `ResBlock` with squeeze-and-excitation; `options` are those of `ResBlock`."""
    return ResBlock(
        expansion, ni, nf, stride=stride, groups=groups, reduction=reduction, nh1=nf * 2, nh2=nf * expansion, **options
    )


def SEResNeXtBlock(
    expansion: int,
    ni: int,
    nf: int,
    groups: int = 32,
    reduction: int = 16,
    stride: int = 1,
    base_width: int = 4,
    **options: Any,
) -> ResBlock:
    """Return a grouped `ResBlock` (https://arxiv.org/abs/1611.05431) with squeeze-and-excitation."""
    width = (nf * base_width // 64) * groups
    return ResBlock(expansion, ni, nf, stride=stride, groups=groups, reduction=reduction, nh2=width, **options)


def SeparableBlock(
    expansion: int, ni: int, nf: int, reduction: int = 16, stride: int = 1, base_width: int = 4, **options: Any
) -> ResBlock:
    """Return a depthwise `ResBlock` with squeeze-and-excitation."""
    return ResBlock(expansion, ni, nf, stride=stride, reduction=reduction, nh2=nf * 2, dw=True, **options)
