"""Architectures by name: what `resnet18` and its like are, and how any of them is built with its weights."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from torch import nn

from vivace.core.errors import ArgumentError, suggest
from vivace.core.vision_shim import import_timm, import_torchvision
from vivace.nn import xresnet

from .channels import adapt_input
from .weights import (
    classifier_names,
    find_weights,
    fit_weights,
    is_weights_path,
    load_weights,
    no_weights,
    require_network,
)

__all__ = ["Architecture", "InputConfig", "input_config"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Architecture:
    """A network by name. Call it for an instance with its classifier; nothing is imported before.

    Example:
        >>> Architecture("resnet18")
        resnet18
    """

    name: str
    """As users write it; timm's own name unless `library_name` says otherwise."""
    library: Literal["timm", "torchvision"] = "timm"
    library_name: str = ""
    """Its name there; `name` by default."""

    @property
    def __name__(self) -> str:
        return self.name

    @property
    def full_name(self) -> str:
        """The name in its library."""
        return self.library_name or self.name

    def __repr__(self) -> str:
        return self.name

    def __call__(
        self,
        pretrained: bool = False,
        *,
        weights: Any = None,
        n_in: int = 3,
        n_out: int | None = None,
    ) -> nn.Module:
        """Return the network with its classifier.

        Args:
            pretrained: load published weights: from `$VIVACE_HOME/weights`, else downloaded.
            weights: a file (`.safetensors`, or `.pth` with tensors alone), a tag of timm (`"a1_in1k"`), or
                `"DEFAULT"`; any of them means `pretrained`.
            n_in: channels of the images.
            n_out: number of classes; as many as the published weights have by default.

        Raises:
            DownloadError: the weights cannot be had.
            ShapeError: the weights are those of another network.
        """
        is_pretrained = pretrained or weights is not None
        n_built = 3 if is_pretrained else n_in
        if self.library == "timm":
            model = _build_timm(self.full_name, is_pretrained, weights, n_built, n_out)
        else:
            model = _build_torchvision(self.full_name, is_pretrained, weights, n_out)
        if self.library == "torchvision" or n_built != n_in:
            adapt_input(model, n_in, pretrained=is_pretrained)
        return model


ArchitectureLike = str | Callable[..., Any]
"""What users pass as `arch`: an `Architecture`, a name, a function that makes a network, or a network."""


@dataclass(frozen=True)
class InputConfig:
    """What a network was trained on: its input should look the same."""

    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    input_size: tuple[int, int, int] = (3, 224, 224)
    """Channels, height, width."""
    interpolation: str = "bilinear"
    is_fixed_size: bool = False
    """Whether images of another size are refused."""


_TORCHVISION = {
    name: Architecture(name, "torchvision")
    for name in (
        "alexnet",
        "mobilenet_v2",
        "mobilenet_v3_large",
        "mobilenet_v3_small",
        "squeezenet1_0",
        "squeezenet1_1",
    )
}
# timm has these two without weights; the same networks with weights carry the prefix.
_RENAMED = {name: Architecture(name, library_name=f"tf_{name}") for name in ("efficientnet_b6", "efficientnet_b7")}
_XRESNETS: dict[str, Callable[..., nn.Module]] = {
    name: getattr(xresnet, name) for name in xresnet.__all__ if name != "XResNet"
}


def resolve(arch: ArchitectureLike) -> Any:
    """Return the architecture for a name; anything else is returned as it is.

    Raises:
        ArgumentError: neither vivace nor timm knows the name.
    """
    if not isinstance(arch, str):
        return arch
    known = {**_TORCHVISION, **_RENAMED, **_XRESNETS}
    if arch in known:
        return known[arch]
    timm = import_timm()
    if not timm.is_model(arch.partition(".")[0]):
        hint = suggest(arch, [*known, *timm.list_models()])
        raise ArgumentError(f"No architecture is called {arch!r}.{hint} `timm.list_models('resnet*')` lists names.")
    return Architecture(arch)


def architecture_name(arch: ArchitectureLike) -> str | None:
    """Return the name from which `resolve` gives `arch` again, or None for a user's own function or network."""
    if isinstance(arch, str):
        return arch
    if isinstance(arch, Architecture):
        return arch.name
    name = getattr(arch, "__name__", "")
    return name if _XRESNETS.get(name) is arch else None


def input_config(arch: ArchitectureLike) -> InputConfig:
    """Return what images `arch` expects; those of ImageNet for a network that does not say."""
    arch = resolve(arch)
    if not isinstance(arch, Architecture) or arch.library != "timm":
        return InputConfig()
    return _from_timm(import_timm().get_pretrained_cfg(arch.full_name))


def _from_timm(config: Any) -> InputConfig:
    if config is None:
        return InputConfig()
    return InputConfig(
        mean=tuple(config.mean),
        std=tuple(config.std),
        input_size=tuple(config.input_size),
        interpolation=config.interpolation,
        is_fixed_size=bool(config.fixed_input_size),
    )


def build_model(arch: ArchitectureLike, pretrained: bool, *, weights: Any = None, n_in: int = 3) -> nn.Module:
    """Return the whole network of `arch`, classifier included.

    Args:
        arch: a name, an `Architecture`, a function such as torchvision's (called with `pretrained=` or
            `weights=`, whichever it has), or a network, returned as it is.
        pretrained: with published weights.
        weights: see `Architecture`.
        n_in: channels of the images.

    Raises:
        ArgumentError: an unknown name, or something that makes no `nn.Module`.
    """
    arch = resolve(arch)
    if isinstance(arch, Architecture):
        return arch(pretrained, weights=weights, n_in=n_in)
    if isinstance(arch, nn.Module):
        model: Any = arch
    elif callable(arch):
        model = _call_factory(arch, pretrained, weights)
    else:
        model = arch
    if not isinstance(model, nn.Module):
        raise ArgumentError(
            "`arch` must be a name, an architecture or a function that returns an `nn.Module`; "
            f"got {type(model).__name__}."
        )
    if is_weights_path(weights):
        load_weights(model, weights)
    adapt_input(model, n_in, pretrained=pretrained or weights is not None)
    return model


def _call_factory(factory: Callable[..., Any], pretrained: bool, weights: Any) -> Any:
    """Call a user's function the way it wants to be told about weights."""
    parameters = inspect.signature(factory).parameters
    from_file = is_weights_path(weights)
    if "pretrained" in parameters:
        return factory(pretrained=pretrained and not from_file)
    if "weights" in parameters:
        published = weights if weights is not None else "DEFAULT"
        return factory(weights=published if (pretrained or weights is not None) and not from_file else None)
    return factory()


def _tagged(name: str, weights: Any) -> str:
    """Return the timm name for a choice of published weights."""
    torchvision_tags = {"IMAGENET1K_V1": "tv_in1k", "IMAGENET1K_V2": "tv2_in1k"}
    tag = getattr(weights, "name", weights)  # a member of torchvision's enums has a name
    if tag is None or tag == "DEFAULT":
        return name
    if not isinstance(tag, str):
        raise ArgumentError(f"`weights` is a file, a tag of timm or 'DEFAULT'; got {weights!r}.")
    return f"{name.partition('.')[0]}.{torchvision_tags.get(tag, tag)}"


def _build_timm(name: str, pretrained: bool, weights: Any, n_in: int, n_out: int | None) -> nn.Module:
    timm = import_timm()
    if pretrained and not is_weights_path(weights):
        tagged = _tagged(name, weights)
        known = timm.list_models(f"{name.partition('.')[0]}.*", pretrained=True)
        if "." in tagged and tagged not in known:
            tags = ", ".join(each.partition(".")[2] for each in known) or "none"
            raise ArgumentError(f"timm has no weights {tagged!r}; its tags for this network: {tags}.")
        name = tagged
    config = timm.get_pretrained_cfg(name)
    options: dict[str, Any] = {"in_chans": n_in} if n_out is None else {"in_chans": n_in, "num_classes": n_out}
    if not pretrained:
        return _create_timm(name, config, options)

    path = Path(weights) if is_weights_path(weights) else find_weights(name, getattr(config, "tag", "") or "")
    path = path or _in_hub_cache(config)
    if path is not None:
        model = _create_timm(name, config, options)
        load_weights(model, path)
        return model
    if config is None or not config.has_weights:
        raise no_weights(name, "timm knows of none for this network")
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    require_network(endpoint if config.hf_hub_id else config.url, name)
    try:
        return _create_timm(name, config, {**options, "pretrained": True})
    # Whatever the hub, its transport or its cache raise (their classes change with their versions) means one
    # thing here: there are no weights.
    except Exception as error:
        raise no_weights(name, f"the download failed ({type(error).__name__}: {error})") from error


def _create_timm(name: str, config: Any, options: dict[str, Any]) -> nn.Module:
    """Create a timm model, for images of any size where it can."""
    create: Callable[..., nn.Module] = import_timm().create_model
    if config is not None and config.fixed_input_size:
        try:
            return create(name, **options, dynamic_img_size=True)
        except TypeError as error:  # convolutional networks of fixed size do not know the option
            if "dynamic_img_size" not in str(error):
                raise
    return create(name, **options)


def _in_hub_cache(config: Any) -> Path | None:
    """Return the file that an earlier download left in the hub's cache."""
    if config is None or not config.hf_hub_id:
        return None
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(config.hf_hub_id, config.hf_hub_filename or "model.safetensors")
    return Path(found) if isinstance(found, str) else None


def _build_torchvision(name: str, pretrained: bool, weights: Any, n_out: int | None) -> nn.Module:
    models: Any = import_torchvision().models
    model: nn.Module = models.get_model(name, weights=None, **({} if n_out is None else {"num_classes": n_out}))
    if not pretrained:
        return model
    path = Path(weights) if is_weights_path(weights) else find_weights(name)
    if path is not None:
        load_weights(model, path)
        return model
    published = {each.name: each for each in models.get_model_weights(name)}
    tag = getattr(weights, "name", None) or weights or "DEFAULT"
    chosen = models.get_model_weights(name).DEFAULT if tag == "DEFAULT" else published.get(tag)
    if chosen is None:
        raise ArgumentError(f"torchvision has no weights {tag!r} for {name}; it has {', '.join(published)}.")
    require_network(chosen.url, name)
    try:
        state = chosen.get_state_dict(progress=True, check_hash=True)
    except OSError as error:
        raise no_weights(name, f"the download failed ({error})") from error
    fit_weights(model, state, source=chosen.url, classifier=classifier_names(model))
    return model


def architectures(names: Sequence[str]) -> list[Architecture]:
    """Return an `Architecture` for each name."""
    return [_TORCHVISION.get(name) or _RENAMED.get(name) or Architecture(name) for name in names]
