"""XResNet: the residual network with the tricks of https://arxiv.org/abs/1812.01187, and its relatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from vivace.core.errors import ArgumentError

from .blocks import ResBlock, SEBlock, SEResNeXtBlock
from .conv import ActivationClass, ConvLayer
from .layers import Flatten
from .pooling import AdaptiveAvgPool, MaxPool

__all__ = [
    "XResNet",
    "xresnet101",
    "xresnet152",
    "xresnet18",
    "xresnet18_deep",
    "xresnet18_deeper",
    "xresnet34",
    "xresnet34_deep",
    "xresnet34_deeper",
    "xresnet50",
    "xresnet50_deep",
    "xresnet50_deeper",
    "xresnext101",
    "xresnext18",
    "xresnext34",
    "xresnext50",
    "xse_resnet101",
    "xse_resnet152",
    "xse_resnet18",
    "xse_resnet34",
    "xse_resnet50",
    "xse_resnext101",
    "xse_resnext18",
    "xse_resnext18_deep",
    "xse_resnext18_deeper",
    "xse_resnext34",
    "xse_resnext34_deep",
    "xse_resnext34_deeper",
    "xse_resnext50",
    "xse_resnext50_deep",
    "xse_resnext50_deeper",
    "xsenet154",
]


class XResNet(nn.Sequential):
    """Stem of three convolutions, stages of residual blocks, average pool, dropout and a linear layer.

    Takes `(batch, c_in, height, width)` and gives `(batch, n_out)`. The last four children are pool, flatten,
    dropout and linear layer.

    Args:
        block: makes a block, called as `block(expansion, ni, nf, stride=..., ...)`.
        expansion: how many times more channels leave a stage than its width says.
        layers: number of blocks of each stage.
        p: dropout before the last layer.
        c_in: channels of the images.
        n_out: number of outputs.
        stem_szs: channels of the stem's convolutions.
        widen: multiplies the width of each stage.
        sa: self-attention in the last block of the first stage.
        act_cls: makes the activations.
        ndim: spatial dimensions.
        ks: kernel size.
        stride: of the stem and between stages.
        block_options: more keywords for `block`, such as `reduction` or `groups`.
    """

    def __init__(
        self,
        block: Callable[..., nn.Module],
        expansion: int,
        layers: Sequence[int],
        p: float = 0.0,
        c_in: int = 3,
        n_out: int = 1000,
        stem_szs: Sequence[int] = (32, 32, 64),
        widen: float = 1.0,
        sa: bool = False,
        act_cls: ActivationClass = nn.ReLU,
        ndim: int = 2,
        ks: int = 3,
        stride: int = 2,
        **block_options: Any,
    ) -> None:
        if ks % 2 == 0:
            raise ArgumentError(f"`ks` must be odd, so that a convolution can keep the size; got {ks}.")
        stem_sizes = [c_in, *stem_szs]
        stem = [
            ConvLayer(
                stem_sizes[i], stem_sizes[i + 1], ks=ks, stride=stride if i == 0 else 1, act_cls=act_cls, ndim=ndim
            )
            for i in range(len(stem_sizes) - 1)
        ]
        widths = [int(size * widen) for size in [64, 128, 256, 512] + [256] * (len(layers) - 4)]
        widths = [stem_sizes[-1] // expansion, *widths]
        stages = []
        for i, n_blocks in enumerate(layers):
            first_stride = 1 if i == 0 else stride
            has_attention = sa and i == len(layers) - 4
            blocks = [
                block(
                    expansion,
                    widths[i] if j == 0 else widths[i + 1],
                    widths[i + 1],
                    stride=first_stride if j == 0 else 1,
                    sa=has_attention and j == n_blocks - 1,
                    act_cls=act_cls,
                    ndim=ndim,
                    ks=ks,
                    **block_options,
                )
                for j in range(n_blocks)
            ]
            stages.append(nn.Sequential(*blocks))
        super().__init__(
            *stem,
            MaxPool(ks=ks, stride=stride, padding=ks // 2, ndim=ndim),
            *stages,
            AdaptiveAvgPool(1, ndim=ndim),
            Flatten(),
            nn.Dropout(p),
            nn.Linear(widths[-1] * expansion, n_out),
        )
        for m in self.modules():
            if isinstance(m, nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear):
                nn.init.kaiming_normal_(m.weight)
                if m.bias is not None:
                    nn.init.zeros_(m.bias)

    def __getitem__(self, index: Any) -> Any:
        """Return the child at `index`; a slice gives a plain `nn.Sequential`."""
        if isinstance(index, slice):
            return nn.Sequential(*list(self.children())[index])
        return super().__getitem__(index)


_BASIC, _DEEP, _DEEPER = (2, 2, 2, 2), (2, 2, 2, 2, 1, 1), (2, 2, 1, 1, 1, 1, 1, 1)
_MEDIUM, _MEDIUM_DEEP, _MEDIUM_DEEPER = (3, 4, 6, 3), (3, 4, 6, 3, 1, 1), (3, 4, 6, 3, 1, 1, 1, 1)
_LARGE, _HUGE = (3, 4, 23, 3), (3, 8, 36, 3)


def _build(
    block: Callable[..., nn.Module], expansion: int, layers: Sequence[int], pretrained: bool, options: dict[str, Any]
) -> XResNet:
    if pretrained:
        raise ArgumentError(
            "There are no pretrained weights of this network. Pass `pretrained=False`, or choose another "
            "architecture such as resnet50."
        )
    return XResNet(block, expansion, layers, **options)


def xresnet18(pretrained: bool = False, **options: Any) -> XResNet:
    """Return an `XResNet` of 18 layers."""
    return _build(ResBlock, 1, _BASIC, pretrained, options)


def xresnet34(pretrained: bool = False, **options: Any) -> XResNet:
    """Return an `XResNet` of 34 layers."""
    return _build(ResBlock, 1, _MEDIUM, pretrained, options)


def xresnet50(pretrained: bool = False, **options: Any) -> XResNet:
    """Return an `XResNet` of 50 layers."""
    return _build(ResBlock, 4, _MEDIUM, pretrained, options)


def xresnet101(pretrained: bool = False, **options: Any) -> XResNet:
    """Return an `XResNet` of 101 layers."""
    return _build(ResBlock, 4, _LARGE, pretrained, options)


def xresnet152(pretrained: bool = False, **options: Any) -> XResNet:
    """Return an `XResNet` of 152 layers."""
    return _build(ResBlock, 4, _HUGE, pretrained, options)


def xresnet18_deep(pretrained: bool = False, **options: Any) -> XResNet:
    """Return an `XResNet` of 18 layers and two more stages, for large images."""
    return _build(ResBlock, 1, _DEEP, pretrained, options)


def xresnet34_deep(pretrained: bool = False, **options: Any) -> XResNet:
    """Return an `XResNet` of 34 layers and two more stages, for large images."""
    return _build(ResBlock, 1, _MEDIUM_DEEP, pretrained, options)


def xresnet50_deep(pretrained: bool = False, **options: Any) -> XResNet:
    """Return an `XResNet` of 50 layers and two more stages, for large images."""
    return _build(ResBlock, 4, _MEDIUM_DEEP, pretrained, options)


def xresnet18_deeper(pretrained: bool = False, **options: Any) -> XResNet:
    """Return an `XResNet` of 18 layers and four more stages, for very large images."""
    return _build(ResBlock, 1, _DEEPER, pretrained, options)


def xresnet34_deeper(pretrained: bool = False, **options: Any) -> XResNet:
    """Return an `XResNet` of 34 layers and four more stages, for very large images."""
    return _build(ResBlock, 1, _MEDIUM_DEEPER, pretrained, options)


def xresnet50_deeper(pretrained: bool = False, **options: Any) -> XResNet:
    """Return an `XResNet` of 50 layers and four more stages, for very large images."""
    return _build(ResBlock, 4, _MEDIUM_DEEPER, pretrained, options)


def xse_resnet18(n_out: int = 1000, pretrained: bool = False, **options: Any) -> XResNet:
    """Return an `XResNet` of 18 layers with squeeze-and-excitation."""
    return _build(SEBlock, 1, _BASIC, pretrained, {"n_out": n_out, **options})


def xse_resnet34(n_out: int = 1000, pretrained: bool = False, **options: Any) -> XResNet:
    """Return an `XResNet` of 34 layers with squeeze-and-excitation."""
    return _build(SEBlock, 1, _MEDIUM, pretrained, {"n_out": n_out, **options})


def xse_resnet50(n_out: int = 1000, pretrained: bool = False, **options: Any) -> XResNet:
    """Return an `XResNet` of 50 layers with squeeze-and-excitation."""
    return _build(SEBlock, 4, _MEDIUM, pretrained, {"n_out": n_out, **options})


def xse_resnet101(n_out: int = 1000, pretrained: bool = False, **options: Any) -> XResNet:
    """Return an `XResNet` of 101 layers with squeeze-and-excitation."""
    return _build(SEBlock, 4, _LARGE, pretrained, {"n_out": n_out, **options})


def xse_resnet152(n_out: int = 1000, pretrained: bool = False, **options: Any) -> XResNet:
    """Return an `XResNet` of 152 layers with squeeze-and-excitation."""
    return _build(SEBlock, 4, _HUGE, pretrained, {"n_out": n_out, **options})


def xsenet154(n_out: int = 1000, pretrained: bool = False, **options: Any) -> XResNet:
    """Return an `XResNet` of 154 layers with squeeze-and-excitation and 64 groups."""
    return _build(SEBlock, 4, _HUGE, pretrained, {"n_out": n_out, "groups": 64, **options})


def xresnext18(n_out: int = 1000, pretrained: bool = False, **options: Any) -> XResNet:
    """Return an `XResNet` of 18 layers with 32 groups."""
    return _build(SEResNeXtBlock, 1, _BASIC, pretrained, {"n_out": n_out, "reduction": 0, **options})


def xse_resnext18(n_out: int = 1000, pretrained: bool = False, **options: Any) -> XResNet:
    """Return an `XResNet` of 18 layers with 32 groups and squeeze-and-excitation."""
    return _build(SEResNeXtBlock, 1, _BASIC, pretrained, {"n_out": n_out, **options})


def xresnext34(n_out: int = 1000, pretrained: bool = False, **options: Any) -> XResNet:
    """Return an `XResNet` of 34 layers with 32 groups."""
    return _build(SEResNeXtBlock, 1, _MEDIUM, pretrained, {"n_out": n_out, "reduction": 0, **options})


def xse_resnext34(n_out: int = 1000, pretrained: bool = False, **options: Any) -> XResNet:
    """Return an `XResNet` of 34 layers with 32 groups and squeeze-and-excitation."""
    return _build(SEResNeXtBlock, 1, _MEDIUM, pretrained, {"n_out": n_out, **options})


def xresnext50(n_out: int = 1000, pretrained: bool = False, **options: Any) -> XResNet:
    """Return an `XResNet` of 50 layers with 32 groups."""
    return _build(SEResNeXtBlock, 4, _MEDIUM, pretrained, {"n_out": n_out, "reduction": 0, **options})


def xse_resnext50(n_out: int = 1000, pretrained: bool = False, **options: Any) -> XResNet:
    """Return an `XResNet` of 50 layers with 32 groups and squeeze-and-excitation."""
    return _build(SEResNeXtBlock, 4, _MEDIUM, pretrained, {"n_out": n_out, **options})


def xresnext101(n_out: int = 1000, pretrained: bool = False, **options: Any) -> XResNet:
    """Return an `XResNet` of 101 layers with 32 groups."""
    return _build(SEResNeXtBlock, 4, _LARGE, pretrained, {"n_out": n_out, "reduction": 0, **options})


def xse_resnext101(n_out: int = 1000, pretrained: bool = False, **options: Any) -> XResNet:
    """Return an `XResNet` of 101 layers with 32 groups and squeeze-and-excitation."""
    return _build(SEResNeXtBlock, 4, _LARGE, pretrained, {"n_out": n_out, **options})


def xse_resnext18_deep(n_out: int = 1000, pretrained: bool = False, **options: Any) -> XResNet:
    """Return an `XResNet` of 18 layers with 32 groups, squeeze-and-excitation and two more stages."""
    return _build(SEResNeXtBlock, 1, _DEEP, pretrained, {"n_out": n_out, **options})


def xse_resnext18_deeper(n_out: int = 1000, pretrained: bool = False, **options: Any) -> XResNet:
    """Return an `XResNet` of 18 layers with 32 groups, squeeze-and-excitation and four more stages."""
    return _build(SEResNeXtBlock, 1, _DEEPER, pretrained, {"n_out": n_out, **options})


def xse_resnext34_deep(n_out: int = 1000, pretrained: bool = False, **options: Any) -> XResNet:
    """Return an `XResNet` of 34 layers with 32 groups, squeeze-and-excitation and two more stages."""
    return _build(SEResNeXtBlock, 1, _MEDIUM_DEEP, pretrained, {"n_out": n_out, **options})


def xse_resnext34_deeper(n_out: int = 1000, pretrained: bool = False, **options: Any) -> XResNet:
    """Return an `XResNet` of 34 layers with 32 groups, squeeze-and-excitation and four more stages."""
    return _build(SEResNeXtBlock, 1, _MEDIUM_DEEPER, pretrained, {"n_out": n_out, **options})


def xse_resnext50_deep(n_out: int = 1000, pretrained: bool = False, **options: Any) -> XResNet:
    """Return an `XResNet` of 50 layers with 32 groups, squeeze-and-excitation and two more stages."""
    return _build(SEResNeXtBlock, 4, _MEDIUM_DEEP, pretrained, {"n_out": n_out, **options})


def xse_resnext50_deeper(n_out: int = 1000, pretrained: bool = False, **options: Any) -> XResNet:
    """Return an `XResNet` of 50 layers with 32 groups, squeeze-and-excitation and four more stages."""
    return _build(SEResNeXtBlock, 4, _MEDIUM_DEEPER, pretrained, {"n_out": n_out, **options})
