"""A U-Net on any backbone: https://arxiv.org/abs/1505.04597 with pixel-shuffle upsampling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vivace.core.errors import ArgumentError
from vivace.nn.activations import SigmoidRange
from vivace.nn.attention import SelfAttention
from vivace.nn.blocks import ResBlock
from vivace.nn.conv import ActivationClass, ConvLayer, PixelShuffle_ICNR
from vivace.nn.hooks import evaluating
from vivace.nn.init import InitFunction, apply_init
from vivace.nn.inspection import in_channels, module_device
from vivace.nn.norm import BatchNorm, NormType

from .architectures import ArchitectureLike
from .body import Cut
from .encoders import as_encoder, create_encoder, needed_multiple, rounded_up

__all__ = ["DynamicUnet", "ResizeToOrig", "UnetBlock", "create_unet_model"]

_SMALLEST = 64  # a smaller trial image would hide the deepest steps


class ResizeToOrig(nn.Module):
    """Resize a map to the size of another."""

    def __init__(self, mode: str = "nearest") -> None:
        super().__init__()
        self.mode = mode

    def forward(self, x: Tensor, original: Tensor) -> Tensor:
        """Return `x` with the height and width of `original`."""
        return x if x.shape[-2:] == original.shape[-2:] else F.interpolate(x, original.shape[-2:], mode=self.mode)


class UnetBlock(nn.Module):
    """One step up: enlarge the deep map, put the encoder's map of that size beside it, convolve twice.

    Args:
        up_in_c: channels of the deep map.
        x_in_c: channels of the encoder's map.
        final_div: keep all channels; else half of them.
        blur: see `PixelShuffle_ICNR`.
        act_cls: makes the activations.
        self_attention: add `SelfAttention` at the end.
        init: fills the convolutions' weights; None for that of `ConvLayer`.
        norm_type: norm of the convolutions.
    """

    def __init__(
        self,
        up_in_c: int,
        x_in_c: int,
        final_div: bool = True,
        blur: bool = False,
        act_cls: ActivationClass = nn.ReLU,
        self_attention: bool = False,
        init: InitFunction | None = nn.init.kaiming_normal_,
        norm_type: NormType | None = None,
    ) -> None:
        super().__init__()
        self.shuf = PixelShuffle_ICNR(up_in_c, up_in_c // 2, blur=blur, act_cls=act_cls, norm_type=norm_type)
        self.resize = ResizeToOrig()
        self.bn = BatchNorm(x_in_c)
        self.act = act_cls()
        n_joined = up_in_c // 2 + x_in_c
        self.n_out = n_joined if final_div else n_joined // 2
        self.conv1 = ConvLayer(n_joined, self.n_out, act_cls=act_cls, norm_type=norm_type)
        self.conv2 = ConvLayer(
            self.n_out,
            self.n_out,
            act_cls=act_cls,
            norm_type=norm_type,
            xtra=SelfAttention(self.n_out) if self_attention else None,
        )
        if init is not None:
            apply_init(nn.Sequential(self.conv1, self.conv2), init)

    def forward(self, deep: Tensor, skip: Tensor) -> Tensor:
        """Return `(batch, n_out, height, width)` of the size of `skip`, whatever the size of `deep`."""
        up = self.resize(self.shuf(deep), skip)
        out: Tensor = self.conv2(self.conv1(self.act(torch.cat([up, self.bn(skip)], dim=1))))
        return out


class DynamicUnet(nn.Module):
    """A U-Net whose decoder is made to measure for `encoder`.

    Takes `(batch, channels, height, width)`, any size the encoder takes, and gives `(batch, n_out, height, width)`.

    Args:
        encoder: what `create_encoder` or `create_body` gives.
        n_out: channels of the output: the number of classes of a mask.
        img_size: height and width of the images, for a trial run that finds the maps' channels.
        blur: blur after each enlargement against checkerboards.
        blur_final: also after the last.
        self_attention: in the third block from the end.
        y_range: `(low, high)` that a sigmoid keeps the output between.
        last_cross: put the image itself beside the last map.
        bottle: half the channels inside the last block.
        act_cls: makes the activations.
        init: fills the decoder's convolutions.
        norm_type: norm of the decoder's convolutions.
    """

    def __init__(
        self,
        encoder: nn.Module,
        n_out: int,
        img_size: Sequence[int],
        blur: bool = False,
        blur_final: bool = True,
        self_attention: bool = False,
        y_range: Sequence[float] | None = None,
        last_cross: bool = True,
        bottle: bool = False,
        act_cls: ActivationClass = nn.ReLU,
        init: InitFunction | None = nn.init.kaiming_normal_,
        norm_type: NormType | None = None,
    ) -> None:
        super().__init__()
        n_in, size = in_channels(encoder), _trial_size(img_size)
        self.encoder = as_encoder(encoder, n_in, size)
        self.multiple = needed_multiple(self.encoder, n_in, size)
        size = rounded_up(size, self.multiple)
        with evaluating(self.encoder):
            maps = self.encoder(torch.zeros(1, n_in, *size, device=module_device(self.encoder)))
        channels = [each.shape[1] for each in maps]
        deep, skips = channels[-1], channels[-2::-1]

        self.middle = nn.Sequential(
            BatchNorm(deep),
            act_cls(),
            ConvLayer(deep, deep * 2, act_cls=act_cls, norm_type=norm_type),
            ConvLayer(deep * 2, deep, act_cls=act_cls, norm_type=norm_type),
        )
        self.blocks = nn.ModuleList()
        for i, skip in enumerate(skips):
            is_last = i == len(skips) - 1
            block = UnetBlock(
                deep,
                skip,
                final_div=not is_last,
                blur=blur and (blur_final or not is_last),
                act_cls=act_cls,
                self_attention=self_attention and i == max(len(skips) - 3, 0),
                init=init,
                norm_type=norm_type,
            )
            self.blocks.append(block)
            deep = block.n_out
        n_enlarged = max(round(size[0] / maps[0].shape[-2]), 1)
        self.enlarge, deep = _enlarge(deep, n_enlarged, act_cls, norm_type)
        self.resize = ResizeToOrig()
        self.last_cross = last_cross
        last: list[nn.Module] = []
        if last_cross:
            deep += n_in
            n_inside = deep // 2 if bottle else deep
            last.append(ResBlock(1, deep, deep, nh2=n_inside, act_cls=act_cls, norm_type=norm_type))
        last.append(ConvLayer(deep, n_out, ks=1, act_cls=None, norm_type=norm_type))
        self.last = nn.Sequential(*last)
        self.squash = nn.Identity() if y_range is None else SigmoidRange(*y_range)
        if init is not None:
            apply_init(nn.Sequential(self.middle, self.last), init)

    @property
    def layers(self) -> nn.ModuleList:
        """Its parts in order; the encoder is the first."""
        return nn.ModuleList(self.children())

    def __getitem__(self, index: int | slice) -> nn.Module:
        """Return a part by position, or several."""
        return self.layers[index]

    def forward(self, x: Tensor) -> Tensor:
        """Return one value per output and pixel, `(batch, n_out, height, width)`."""
        height, width = x.shape[-2:]
        whole = rounded_up((height, width), self.multiple)
        padded = x if whole == (height, width) else F.pad(x, (0, whole[1] - width, 0, whole[0] - height), "replicate")
        *skips, deep = self.encoder(padded)
        out = self.middle(deep)
        for block, skip in zip(self.blocks, reversed(skips), strict=True):
            out = block(out, skip)
        out = self.resize(self.enlarge(out), padded)[..., :height, :width]
        if self.last_cross:
            out = torch.cat([out, x], dim=1)
        answer: Tensor = self.squash(self.last(out))
        return answer


def _trial_size(img_size: Sequence[int]) -> tuple[int, int]:
    sides = tuple(img_size)
    if len(sides) != 2:
        raise ArgumentError(f"`img_size` is (height, width); got {img_size!r}.")
    scale = max(1, -(-_SMALLEST // min(sides)))
    return sides[0] * scale, sides[1] * scale


def _enlarge(
    channels: int, scale: int, act_cls: ActivationClass, norm_type: NormType | None
) -> tuple[nn.Sequential, int]:
    """Return layers that enlarge a map about `scale` times in steps of two, and the channels that come out."""
    steps: list[nn.Module] = []
    while scale > 1:
        n_next = channels if not steps else max(channels // 2, 16)  # from the second step on maps are large
        steps.append(PixelShuffle_ICNR(channels, n_next, act_cls=act_cls, norm_type=norm_type))
        channels, scale = n_next, scale // 2
    return nn.Sequential(*steps), channels


def create_unet_model(
    arch: ArchitectureLike,
    n_out: int,
    img_size: Sequence[int],
    pretrained: bool = True,
    weights: Any = None,
    cut: Cut = None,
    n_in: int = 3,
    *,
    blur: bool = False,
    blur_final: bool = True,
    self_attention: bool = False,
    y_range: Sequence[float] | None = None,
    last_cross: bool = True,
    bottle: bool = False,
    act_cls: ActivationClass = nn.ReLU,
    init: InitFunction | None = nn.init.kaiming_normal_,
    norm_type: NormType | str | None = None,
) -> DynamicUnet:
    """Return a `DynamicUnet` on the network of `arch`.

    Args:
        arch: see `create_vision_model`, as are `pretrained`, `weights`, `cut` and `n_in`.
        n_out: see `DynamicUnet`, as are all others; `norm_type` may be the name of a `NormType`.
    """
    encoder = create_encoder(arch, _trial_size(img_size), pretrained, weights=weights, cut=cut, n_in=n_in)
    return DynamicUnet(
        encoder,
        n_out,
        img_size,
        blur=blur,
        blur_final=blur_final,
        self_attention=self_attention,
        y_range=y_range,
        last_cross=last_cross,
        bottle=bottle,
        act_cls=act_cls,
        init=init,
        norm_type=NormType[norm_type] if isinstance(norm_type, str) else norm_type,
    )
