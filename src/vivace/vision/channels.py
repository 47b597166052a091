"""Images with more or fewer than three channels: the first convolution of a network made to fit."""

from __future__ import annotations

import torch
from torch import nn

from vivace.core.errors import ArgumentError

__all__ = ["adapt_input"]

_MAX_CHANNELS = 16  # more are not those of an image


def adapt_input(model: nn.Module, n_in: int, *, pretrained: bool) -> None:
    """Change the first convolution of `model` to take `n_in` channels.

    A trained network keeps what it knows of red, green and blue: for one channel the three kernels are added
    up (the same answer for a grey image), for two the first two are scaled by 1.5, further channels start at
    zero, so that the network starts as it was trained. An untrained one gets new weights.

    Raises:
        ArgumentError: no convolution takes the images, or it sees them rearranged (pixels moved into channels).
    """
    for conv in _first_convolutions(model):
        n_before = conv.in_channels
        if n_before == n_in:
            continue
        if n_before > _MAX_CHANNELS:
            raise ArgumentError(
                f"The first convolution of {type(model).__name__} takes {n_before} channels made of the image's: it "
                f"cannot be changed for images of {n_in} channels. Pass `n_in=3` and images in colour."
            )
        old = conv.weight.detach()
        conv.in_channels = n_in
        conv.weight = nn.Parameter(old.new_zeros(old.shape[0], n_in, *old.shape[2:]))
        if not pretrained:
            conv.reset_parameters()
            continue
        with torch.no_grad():
            if n_in == 1:
                conv.weight.copy_(old.sum(1, keepdim=True))
            else:
                n_kept = min(n_in, n_before)
                # fewer channels: louder, so that the sum stays what the next layer is used to
                conv.weight[:, :n_kept] = old[:, :n_kept] * (n_before / n_kept)


def _first_convolutions(model: nn.Module) -> list[nn.Conv2d]:
    names = (getattr(model, "pretrained_cfg", None) or {}).get("first_conv") or ()
    modules = dict(model.named_modules())
    found = [modules[name] for name in ([names] if isinstance(names, str) else names) if name in modules]
    convs = [m for m in found if isinstance(m, nn.Conv2d)]
    if not convs:
        convs = [m for m in model.modules() if isinstance(m, nn.Conv2d)][:1]
    if not convs:
        raise ArgumentError(f"{type(model).__name__} has no convolution that takes the images.")
    return convs
