"""Networks that give their feature maps at every scale, for models that need more than the last one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vivace.core.errors import ArgumentError
from vivace.core.vision_shim import import_timm
from vivace.nn.hooks import evaluating
from vivace.nn.inspection import module_device

from .architectures import Architecture, ArchitectureLike, build_model, resolve
from .body import Cut, TimmBody, body_of
from .weights import find_weights, is_weights_path

__all__ = ["ChainEncoder", "MapsEncoder", "as_encoder", "create_encoder", "needed_multiple", "rounded_up"]

MULTIPLE = 32  # of the pixels that one place of the deepest map stands for, in all networks of five stages


class ChainEncoder(nn.Module):
    """A chain of layers, tapped before each step to a smaller map.

    Args:
        body: the chain; `nn.Sequential`s inside are opened where the map shrinks within them.
        n_in: channels of the images.
        size: height and width of the image for the trial run that finds the taps.
        n_last: channels of the last stage, where that is known: layers after it that only widen the map for a
            classifier (320 to 1280 channels in an EfficientNet) are left out.
    """

    def __init__(self, body: nn.Sequential, n_in: int, size: Sequence[int], n_last: int | None = None) -> None:
        super().__init__()
        image = torch.zeros(1, n_in, *size, device=module_device(body))
        units: list[nn.Module] = []
        shapes: list[torch.Size] = []
        with evaluating(body):
            _run(body, image, units, shapes)
        is_last = [shape[1] == n_last and shape[-2:] == shapes[-1][-2:] for shape in shapes]
        if any(is_last):
            n_kept = len(is_last) - is_last[::-1].index(True)
            units, shapes = units[:n_kept], shapes[:n_kept]
        self.layers = nn.Sequential(*units)
        shrinks = [i for i in range(len(shapes) - 1) if shapes[i + 1][-2:] != shapes[i][-2:]]
        self.taps = {*shrinks, len(shapes) - 1}

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return maps `(batch, channels, height, width)`, the largest first, the body's own output last."""
        maps = []
        for i, layer in enumerate(self.layers):
            x = layer(x)
            if i in self.taps:
                maps.append(x)
        return maps


def _run(layer: nn.Module, x: Tensor, units: list[nn.Module], shapes: list[torch.Size]) -> Tensor:
    """Run `layer`, or each child of a chain in which the map shrinks, and note what ran and what shape came out."""
    out: Tensor = layer(x)
    is_chain = type(layer).forward is nn.Sequential.forward
    if not is_chain or out.shape[-2:] == x.shape[-2:]:
        units.append(layer)
        shapes.append(out.shape)
        return out
    for child in layer.children():
        x = _run(child, x, units, shapes)
    return x


class MapsEncoder(nn.Module):
    """A timm network that gives several maps; of each size the last one is kept.

    Args:
        model: made with `features_only=True`, or with a method `forward_intermediates`.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self.has_intermediates = hasattr(model, "forward_intermediates")
        if self.has_intermediates:
            model.reset_classifier(0)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return maps `(batch, channels, height, width)`, the largest first."""
        if self.has_intermediates:
            maps = self.model.forward_intermediates(x, output_fmt="NCHW", intermediates_only=True)
        else:
            maps = self.model(x)
        by_size = {tuple(each.shape[-2:]): each for each in maps}
        return list(by_size.values())


def needed_multiple(encoder: nn.Module, n_in: int, size: Sequence[int]) -> int:
    """Return what height and width of an image must be multiples of: 1 for most, 32 for those that need even maps."""
    if isinstance(encoder, ChainEncoder):
        return 1
    odd = (size[0] + 11, size[1] + 5)
    with evaluating(encoder):
        try:
            encoder(torch.zeros(1, n_in, *odd, device=module_device(encoder)))
        # Networks refuse an image that does not divide with either of these.
        except (RuntimeError, AssertionError, ValueError):
            return MULTIPLE
    return 1


def rounded_up(size: Sequence[int], multiple: int) -> tuple[int, int]:
    """Return height and width as the next multiples."""
    return -(-size[0] // multiple) * multiple, -(-size[1] // multiple) * multiple


def as_encoder(body: nn.Module, n_in: int, size: Sequence[int], n_last: int | None = None) -> nn.Module:
    """Return `body` as a module that gives a list of maps; `n_last` as for `ChainEncoder`.

    Raises:
        ArgumentError: `body` is neither an encoder of this module nor a chain of layers.
    """
    if isinstance(body, ChainEncoder | MapsEncoder):
        return body
    if isinstance(body, nn.Sequential):
        return ChainEncoder(body, n_in, size, n_last)
    raise ArgumentError(
        f"A U-Net needs an encoder whose maps can be tapped: an `nn.Sequential` such as `create_body` gives, or "
        f"`create_encoder(arch)`; got {type(body).__name__}."
    )


def create_encoder(
    arch: ArchitectureLike,
    size: Sequence[int],
    pretrained: bool = True,
    *,
    weights: Any = None,
    cut: Cut = None,
    n_in: int = 3,
) -> nn.Module:
    """Return the network of `arch` as an encoder: images in, a list of maps out, the largest first.

    Args:
        arch: see `create_vision_model`, as are all arguments not named here.
        size: height and width of the images.

    Raises:
        ArgumentError: the network has no maps to give.
    """
    network = build_model(arch, pretrained, weights=weights, n_in=n_in)
    body = body_of(network, n_in, cut)
    if not isinstance(body, TimmBody):
        stages = getattr(network, "feature_info", None) or [{}]
        return as_encoder(body, n_in, size, stages[-1].get("num_chs"))
    if hasattr(network, "forward_intermediates"):
        is_fixed = bool((getattr(network, "pretrained_cfg", None) or {}).get("fixed_input_size"))
        if is_fixed and hasattr(network, "set_input_size"):
            set_input_size: Any = network.set_input_size
            set_input_size(img_size=rounded_up(size, MULTIPLE))
        return MapsEncoder(network)
    return MapsEncoder(_features_only(arch, pretrained, weights, n_in))


def _features_only(arch: ArchitectureLike, pretrained: bool, weights: Any, n_in: int) -> nn.Module:
    """Let timm make the encoder of a network with parallel branches."""
    resolved = resolve(arch)
    if not isinstance(resolved, Architecture):
        raise ArgumentError(f"{arch!r} has no feature maps of several sizes to give: choose another `arch`.")
    timm, name = import_timm(), resolved.full_name
    path = Path(weights) if is_weights_path(weights) else find_weights(name)
    overlay = {"file": str(path)} if path is not None else None
    try:
        model: nn.Module = timm.create_model(
            name,
            pretrained=pretrained or weights is not None,
            features_only=True,
            in_chans=n_in,
            pretrained_cfg_overlay=overlay,
        )
    except (RuntimeError, TypeError, AssertionError) as error:
        raise ArgumentError(f"{name} has no feature maps of several sizes to give: choose another `arch`.") from error
    return model
