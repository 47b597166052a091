"""Image networks by name, and the model of a body and a new head that `vision_learner` trains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from vivace.core.errors import ArgumentError
from vivace.core.vision_shim import make_torchvision_importable
from vivace.nn.groups import default_split
from vivace.nn.init import InitFunction
from vivace.nn.xresnet import (
    XResNet,
    xresnet18,
    xresnet18_deep,
    xresnet18_deeper,
    xresnet34,
    xresnet34_deep,
    xresnet34_deeper,
    xresnet50,
    xresnet50_deep,
    xresnet50_deeper,
    xresnet101,
    xresnet152,
)

from ..architectures import (
    Architecture,
    ArchitectureLike,
    InputConfig,
    architectures,
    build_model,
    input_config,
)
from ..body import Cut, TimmBody, body_of, create_body, cut_model, probe, probe_sizes
from ..heads import add_head, create_head

__all__ = [
    "Architecture",
    "InputConfig",
    "TimmBody",
    "XResNet",
    "add_head",
    "alexnet",
    "convnext_base",
    "convnext_large",
    "convnext_small",
    "convnext_tiny",
    "create_body",
    "create_cnn_model",
    "create_head",
    "create_timm_model",
    "create_vision_model",
    "cut_model",
    "default_split",
    "densenet121",
    "densenet161",
    "densenet169",
    "densenet201",
    "efficientnet_b0",
    "efficientnet_b1",
    "efficientnet_b2",
    "efficientnet_b3",
    "efficientnet_b4",
    "efficientnet_b5",
    "efficientnet_b6",
    "efficientnet_b7",
    "input_config",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "mobilenet_v3_small",
    "resnet101",
    "resnet152",
    "resnet18",
    "resnet34",
    "resnet50",
    "squeezenet1_0",
    "squeezenet1_1",
    "vgg11_bn",
    "vgg13_bn",
    "vgg16_bn",
    "vgg19_bn",
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
]

# People who work with models import timm and torchvision themselves; this costs milliseconds and imports neither.
make_torchvision_importable()

resnet18, resnet34, resnet50, resnet101, resnet152 = architectures(
    ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"]
)
densenet121, densenet161, densenet169, densenet201 = architectures(
    ["densenet121", "densenet161", "densenet169", "densenet201"]
)
vgg11_bn, vgg13_bn, vgg16_bn, vgg19_bn = architectures(["vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn"])
squeezenet1_0, squeezenet1_1, alexnet = architectures(["squeezenet1_0", "squeezenet1_1", "alexnet"])
mobilenet_v2, mobilenet_v3_small, mobilenet_v3_large = architectures(
    ["mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large"]
)
(
    efficientnet_b0,
    efficientnet_b1,
    efficientnet_b2,
    efficientnet_b3,
    efficientnet_b4,
    efficientnet_b5,
    efficientnet_b6,
    efficientnet_b7,
) = architectures([f"efficientnet_b{size}" for size in range(8)])
convnext_tiny, convnext_small, convnext_base, convnext_large = architectures(
    ["convnext_tiny", "convnext_small", "convnext_base", "convnext_large"]
)


def create_vision_model(
    arch: ArchitectureLike,
    n_out: int,
    pretrained: bool = True,
    weights: Any = None,
    cut: Cut = None,
    n_in: int = 3,
    init: InitFunction | None = nn.init.kaiming_normal_,
    custom_head: nn.Module | None = None,
    concat_pool: bool = True,
    pool: bool = True,
    lin_ftrs: Sequence[int] | None = None,
    ps: float | Sequence[float] = 0.5,
    first_bn: bool = True,
    bn_final: bool = False,
    lin_first: bool = False,
    y_range: Sequence[float] | None = None,
) -> nn.Sequential:
    """Return `nn.Sequential(body, head)`: `(batch, n_in, height, width)` in, `(batch, n_out)` out.

    Args:
        arch: an architecture such as `resnet18`, any name of timm, a function that makes a network, or a network.
        n_out: number of outputs.
        pretrained: with published weights.
        weights: which: a file, or a tag; see `Architecture`.
        cut: where the body ends; see `create_body`.
        n_in: channels of the images.
        init: fills the head's weights.
        custom_head: a head of your own, which takes what the body gives.
        concat_pool: see `create_head`, as are all that follow. A body that pools by itself (transformers)
            gets a head without pooling.

    Raises:
        ArgumentError: an unknown name, or a number of outputs or channels below 1.
        DownloadError: the weights cannot be had.
    """
    for name, number in (("n_out", n_out), ("n_in", n_in)):
        if number < 1:
            raise ArgumentError(f"`{name}` must be at least 1; got {number}.")
    network = build_model(arch, pretrained, weights=weights, n_in=n_in)
    sizes = probe_sizes(network)
    body = body_of(network, n_in, cut)
    n_features, is_map = 0, True
    if custom_head is None:
        _, features = probe(body, body, n_in, sizes)
        n_features, is_map = features.shape[1], features.dim() > 2
    return add_head(
        body,
        n_features,
        n_out,
        init=init,
        head=custom_head,
        concat_pool=concat_pool,
        pool=pool and is_map,
        lin_ftrs=lin_ftrs,
        ps=ps,
        first_bn=first_bn,
        bn_final=bn_final,
        lin_first=lin_first,
        y_range=y_range,
    )


create_cnn_model = create_vision_model


def create_timm_model(
    arch: str,
    n_out: int,
    cut: Cut = None,
    pretrained: bool = True,
    n_in: int = 3,
    init: InitFunction | None = nn.init.kaiming_normal_,
    custom_head: nn.Module | None = None,
    concat_pool: bool = True,
    pool: bool = True,
    lin_ftrs: Sequence[int] | None = None,
    ps: float | Sequence[float] = 0.5,
    first_bn: bool = True,
    bn_final: bool = False,
    lin_first: bool = False,
    y_range: Sequence[float] | None = None,
) -> tuple[nn.Sequential, InputConfig]:
    """Return `create_vision_model` for a name of timm, and what images the network was trained on."""
    model = create_vision_model(
        arch,
        n_out,
        pretrained,
        cut=cut,
        n_in=n_in,
        init=init,
        custom_head=custom_head,
        concat_pool=concat_pool,
        pool=pool,
        lin_ftrs=lin_ftrs,
        ps=ps,
        first_bn=first_bn,
        bn_final=bn_final,
        lin_first=lin_first,
        y_range=y_range,
    )
    return model, input_config(arch)
