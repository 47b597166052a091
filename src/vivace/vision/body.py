"""The body of a network: what is left without its classifier, for images of any number of channels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from vivace.core.errors import ArgumentError
from vivace.nn.hooks import evaluating
from vivace.nn.inspection import has_pool_type, module_device
from vivace.nn.module import Module

from .architectures import ArchitectureLike, build_model
from .channels import adapt_input

__all__ = ["TimmBody", "create_body", "cut_model"]

Cut = int | Callable[[nn.Module], nn.Module] | None
"""Where the body ends: so many children, a function of the network, or found by itself."""


class TimmBody(Module):
    """A timm network that is more than a chain of its children (transformers, several branches), as a body.

    Args:
        model: the network; its classifier is taken off.
        is_pooled: give timm's own pooled features, `(batch, features)`, instead of the map
            `(batch, channels, height, width)`: for networks of tokens.
    """

    def __init__(self, model: Any, is_pooled: bool = False) -> None:
        self.model, self.is_pooled = model, is_pooled
        if is_pooled:
            model.reset_classifier(0)
        else:
            model.reset_classifier(0, "")

    def forward(self, x: Tensor) -> Tensor:
        """Return the features of the images `x`, `(batch, channels, height, width)`."""
        features: Tensor = self.model(x) if self.is_pooled else self.model.forward_features(x)
        return features


def create_body(
    model: nn.Module | ArchitectureLike, n_in: int = 3, pretrained: bool = True, cut: Cut = None
) -> nn.Module:
    """Return a network without its pooling and classifier: images in, feature map out.

    Args:
        model: a network, or an architecture to build (with weights when `pretrained`).
        n_in: channels of the images; the first convolution is changed to fit.
        pretrained: whether a given network is trained, so that its first weights are kept where they can be.
        cut: number of children that make the body (negative counts from the end), or a function that takes
            the network and returns the body; by default all up to the last pooling.

    Returns:
        An `nn.Sequential` of the network's children where the network is such a chain (a ResNet's first
        convolution is then `body[0]`), a `TimmBody` for other timm networks.

    Raises:
        ArgumentError: there is no pooling to cut at and no `cut`.
    """
    if isinstance(model, nn.Module):
        adapt_input(model, n_in, pretrained=pretrained)
    else:
        model = build_model(model, pretrained, n_in=n_in)
    return body_of(model, n_in, cut)


def body_of(model: nn.Module, n_in: int = 3, cut: Cut = None) -> nn.Module:
    """Return `create_body` of a network that takes `n_in` channels already."""
    if cut is None and hasattr(model, "forward_features"):
        return _timm_body(model, n_in)
    return cut_model(model, _last_pool(model) if cut is None else cut)


def cut_model(model: nn.Module, cut: int | Callable[[nn.Module], nn.Module]) -> nn.Module:
    """Return the first `cut` children of `model` as a chain, or `cut(model)` for a function."""
    if isinstance(cut, int):
        return nn.Sequential(*list(model.children())[:cut])
    if callable(cut):
        return cut(model)
    raise ArgumentError(f"`cut` is a number of children or a function of the network; got {cut!r}.")


def _last_pool(model: nn.Module) -> int:
    children = dict(model.named_children())
    pools = [i for i, child in enumerate(children.values()) if has_pool_type(child)]
    if pools and pools[-1] > 0:
        return pools[-1]
    if next(iter(children), None) == "features":  # torchvision's word for a body, where pooling is a mere function
        return 1
    raise ArgumentError(
        f"{type(model).__name__} has no pooling that would show where its body ends: pass `cut`, the number of "
        "children to keep."
    )


def probe_sizes(model: nn.Module) -> tuple[int, ...]:
    """Return the image sizes to try a network on: its own when it takes no other, else small ones first."""
    config = getattr(model, "pretrained_cfg", None) or {}
    sizes = (64, 128, 256)
    own = config.get("input_size")
    return (*sizes, own[-1]) if own else sizes


def probe(run: Callable[[Tensor], Tensor], model: nn.Module, n_in: int, sizes: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Return a small image that `model` takes, and what `run` gives for it; nothing of the model changes.

    The image is the same each time: no random number is drawn.

    Args:
        run: the model, or one of its methods.
        model: is put into evaluation mode for the while.
        n_in: channels of the image.
        sizes: sides to try, in this order; the error of the last one is raised.
    """
    for size in sizes:
        image = torch.linspace(-2, 2, n_in * size * size, device=module_device(model)).view(1, n_in, size, size)
        with evaluating(model):
            try:
                return image, run(image)
            # Networks refuse an image that is too small, or not of their size, with either of these.
            except (RuntimeError, AssertionError, ValueError):
                if size == sizes[-1]:
                    raise
    raise AssertionError("unreachable: the last size returns or raises")


def _timm_body(model: Any, n_in: int) -> nn.Module:
    image, features = probe(model.forward_features, model, n_in, probe_sizes(model))
    # Tokens have three dimensions, and some transformers put the channels last.
    is_map = features.dim() == 4 and features.shape[1] == model.num_features
    chain = _chain(model, image, features) if is_map else None
    return chain or TimmBody(model, is_pooled=not is_map)


def _chain(model: nn.Module, image: Tensor, features: Tensor) -> nn.Sequential | None:
    """Return the longest run of first children that gives the map `features` before any pooling, or None."""
    children: list[nn.Module] = []
    n_equal, out = 0, image
    with evaluating(model):
        for child in model.children():
            if type(child).__name__.startswith(("SelectAdaptivePool", "AdaptiveAvgPool")):
                break
            children.append(child)
            try:
                out = child(out)
            # A child that takes something else than the output of the one before it: this is no chain.
            except (RuntimeError, TypeError, AttributeError, NotImplementedError, ValueError):
                break
            if not isinstance(out, Tensor):
                break
            if out.shape == features.shape and torch.allclose(out, features, rtol=1e-5, atol=1e-7):
                n_equal = len(children)
    return nn.Sequential(*children[:n_equal]) if n_equal else None
