"""`vision_learner` and `unet_learner`: a Learner on a pretrained network with a new head or decoder."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from vivace.core.basics import defaults
from vivace.core.errors import ArgumentError, ItemError
from vivace.core.types import TensorImage
from vivace.data.transforms import IntToFloatTensor, Normalize
from vivace.nn.conv import ActivationClass
from vivace.nn.groups import default_split
from vivace.nn.init import InitFunction
from vivace.nn.norm import NormType
from vivace.training.learner import Callbacks, Learner
from vivace.training.optimizers import Adam

from .architectures import ArchitectureLike, InputConfig, architecture_name, input_config
from .body import Cut
from .models import create_vision_model
from .points import AddMaskCodes
from .unet import create_unet_model

__all__ = ["cnn_learner", "get_c", "unet_learner", "vision_learner"]

_BUILDER = "vivace.vision.models.create_vision_model"
_UNET_BUILDER = "vivace.vision.unet.create_unet_model"
_ITEMS_TO_TRY = 10  # broken items may come first; the loader is told to skip or to name them, not we


def get_c(dls: Any) -> int | None:
    """Return how many outputs the targets of `dls` need, or None when the data does not say."""
    for place in (dls, getattr(dls, "train", None), getattr(dls, "train_ds", None)):
        number = getattr(place, "c", None)
        if number:
            return int(number)
    vocab = getattr(dls, "vocab", None)
    return len(vocab) if vocab is not None else None


def image_channels(dls: Any) -> int:
    """Return how many channels the images of `dls` have: those of the first item that opens, 3 if it does not say."""
    dataset = getattr(dls, "train_ds", None)
    if dataset is None:
        return 3
    for index in range(min(len(dataset), _ITEMS_TO_TRY)):
        try:
            sample = dataset[index]
        except (ItemError, OSError):
            continue
        image = sample
        while isinstance(image, list | tuple) and image:
            image = image[0]
        if hasattr(image, "getbands"):
            return len(image.getbands())
        if isinstance(image, Tensor) and image.dim() == 3:
            return int(image.shape[0])
        return 3
    return 3


def check_one_input(dls: Any) -> None:
    """Check that samples have one input.

    Raises:
        ArgumentError: they have several.
    """
    n_inp = getattr(getattr(dls, "train", None), "n_inp", 1)
    if n_inp > 1:
        raise ArgumentError(
            f"This model takes one picture, and the samples have {n_inp} inputs: give a model of yours that takes "
            f"{n_inp}, Learner(dls, model), or make one type of them (docs/vision_tasks.md)."
        )


def add_normalize(dls: Any, config: InputConfig, n_in: int = 3) -> None:
    """Make `dls` normalise as the network's training did, unless it normalises already.

    Grey images get the mean of the three colours; images with other numbers of channels are normalised by the
    statistics of one of their own batches.
    """
    after_batch = getattr(dls, "after_batch", None)
    if after_batch is None or any(isinstance(transform, Normalize) for transform in after_batch.fs):
        return
    mean, std = list(config.mean), list(config.std)
    if n_in == 1:
        mean, std = [sum(mean) / len(mean)], [sum(std) / len(std)]
    normalize = Normalize.from_stats(mean, std) if n_in == len(mean) else Normalize()
    normalize.setup(dls.train)
    dls.add_tfms([normalize], "after_batch")


def outputs_of(dls: Any, n_out: int | None) -> int:
    """Return `n_out`, or what the data says.

    Raises:
        ArgumentError: neither says anything.
    """
    found = get_c(dls) if n_out is None else n_out
    if not found:
        raise ArgumentError(
            "The number of outputs cannot be told from this data (`dls.c` is missing or 0): name the classes, such as "
            "MaskBlock(codes=[...]), or pass `n_out`."
        )
    return found


def _expect_masks(dls: Any, n_out: int, loss_func: Any) -> None:
    """Let masks with values that the loss does not take be refused, by name, when they are read."""
    if loss_func is not None and not hasattr(loss_func, "ignore_index"):
        n_out = 256  # a loss of the user's: what it takes is not known
    after_batch = getattr(getattr(dls, "after_batch", None), "fs", ())
    divisors = [transform.div_mask for transform in after_batch if isinstance(transform, IntToFloatTensor)]
    for part in getattr(getattr(dls, "train_ds", None), "tls", ()):
        for transform in part.tfms:
            if isinstance(transform, AddMaskCodes):
                transform.expect(n_out, getattr(loss_func, "ignore_index", None), *divisors[:1])


def model_builder(arch: ArchitectureLike, n_out: int, **options: Any) -> dict[str, Any] | None:
    """Return how an exported model is built again, for JSON; None when an argument is code of the user's.

    Args:
        arch: the architecture.
        n_out: number of outputs.
        options: the arguments of `create_vision_model` that shape the network.
    """
    name = architecture_name(arch)
    if name is None or callable(options.get("cut")) or options.pop("custom_head", None) is not None:
        return None
    plain = {key: list(value) if isinstance(value, Sequence) else value for key, value in options.items()}
    return {"builder": _BUILDER, "args": {"arch": name, "n_out": n_out, "pretrained": False, "init": None, **plain}}


def vision_learner(
    dls: Any,
    arch: ArchitectureLike,
    normalize: bool = True,
    n_out: int | None = None,
    pretrained: bool = True,
    weights: Any = None,
    loss_func: Callable[..., Any] | None = None,
    opt_func: Callable[..., Any] = Adam,
    lr: float | slice = defaults.lr,
    splitter: Callable[[nn.Module], Any] | None = None,
    cbs: Callbacks = None,
    metrics: Any = None,
    path: str | os.PathLike[str] | None = None,
    model_dir: str | os.PathLike[str] = "models",
    wd: float | None = None,
    wd_bn_bias: bool = False,
    train_bn: bool = True,
    moms: tuple[float, float, float] = (0.95, 0.85, 0.95),
    cut: Cut = None,
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
    n_in: int | None = None,
) -> Learner:
    """Return a Learner whose model is `arch` without its classifier, and a new head for the data's targets.

    The three parameter groups are the early body, the late body and the head. With `pretrained` weights the
    body starts frozen: `fine_tune` trains the head first, then all.

    Args:
        dls: the loaders.
        arch: an architecture such as `resnet34`, any name of timm as a string, or a function that makes a network.
        normalize: add the network's own normalisation when it is pretrained and `dls` has none.
        n_out: number of outputs; told by the data by default.
        pretrained: with published weights, looked for in `$VIVACE_HOME/weights` before any download.
        weights: which: a file, a tag of timm, or `"DEFAULT"`.
        loss_func: see `Learner`, as are all up to `moms`; `splitter` is `default_split` by default.
        cut: see `create_vision_model`, as are all that follow.
        n_in: channels of the images; told by the first image by default.

    Raises:
        ArgumentError: the architecture is unknown, or the number of outputs is, or samples have several inputs.
        DownloadError: the weights cannot be had; the message says where they were looked for.
    """
    check_one_input(dls)
    n_out = outputs_of(dls, n_out)
    n_in = image_channels(dls) if n_in is None else n_in
    model = create_vision_model(
        arch,
        n_out,
        pretrained,
        weights=weights,
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
    if normalize and (pretrained or weights is not None):
        add_normalize(dls, input_config(arch), n_in)
    learn = Learner(
        dls,
        model,
        loss_func=loss_func,
        opt_func=opt_func,
        lr=lr,
        splitter=default_split if splitter is None else splitter,
        cbs=cbs,
        metrics=metrics,
        path=path,
        model_dir=model_dir,
        wd=wd,
        wd_bn_bias=wd_bn_bias,
        train_bn=train_bn,
        moms=moms,
    )
    learn.builder = model_builder(
        arch,
        n_out,
        custom_head=custom_head,
        cut=cut,
        n_in=n_in,
        concat_pool=concat_pool,
        pool=pool,
        lin_ftrs=lin_ftrs,
        ps=ps,
        first_bn=first_bn,
        bn_final=bn_final,
        lin_first=lin_first,
        y_range=y_range,
    )
    if pretrained:
        learn.freeze()
    return learn


cnn_learner = vision_learner


def unet_learner(
    dls: Any,
    arch: ArchitectureLike,
    normalize: bool = True,
    n_out: int | None = None,
    pretrained: bool = True,
    weights: Any = None,
    loss_func: Callable[..., Any] | None = None,
    opt_func: Callable[..., Any] = Adam,
    lr: float | slice = defaults.lr,
    splitter: Callable[[nn.Module], Any] | None = None,
    cbs: Callbacks = None,
    metrics: Any = None,
    path: str | os.PathLike[str] | None = None,
    model_dir: str | os.PathLike[str] = "models",
    wd: float | None = None,
    wd_bn_bias: bool = False,
    train_bn: bool = True,
    moms: tuple[float, float, float] = (0.95, 0.85, 0.95),
    *,
    cut: Cut = None,
    n_in: int | None = None,
    blur: bool = False,
    blur_final: bool = True,
    self_attention: bool = False,
    y_range: Sequence[float] | None = None,
    last_cross: bool = True,
    bottle: bool = False,
    act_cls: ActivationClass = nn.ReLU,
    init: InitFunction | None = nn.init.kaiming_normal_,
    norm_type: NormType | str | None = None,
) -> Learner:
    """Return a Learner whose model is a U-Net on `arch`: for masks, or for images as targets.

    The three parameter groups are the early encoder, the late encoder and the decoder. With `pretrained`
    weights the encoder starts frozen.

    Args:
        dls: the loaders; one batch is read to learn the size of the images.
        n_out: channels of the output; by default the masks' codes are counted, or the channels of images as targets.
        arch: see `vision_learner`, as are all others up to `moms`.
        cut: see `create_unet_model`, as are all that follow.

    Raises:
        ArgumentError: the architecture has no maps to tap, the number of outputs is unknown, or samples have several
            inputs.
        DownloadError: the weights cannot be had.
    """
    check_one_input(dls)
    n_classes = get_c(dls) if n_out is None else n_out
    if n_classes:
        _expect_masks(dls, n_classes, loss_func)  # before masks are read: those of an earlier loss may be refused
    images, *targets = dls.one_batch()
    if n_out is None and targets and isinstance(targets[0], TensorImage) and targets[0].ndim == 4:
        n_out = targets[0].shape[1]
    n_out = outputs_of(dls, n_out)
    img_size = tuple(images.shape[-2:])
    n_in = int(images.shape[1]) if n_in is None else n_in
    norm_name = norm_type.name if isinstance(norm_type, NormType) else norm_type
    shape: dict[str, Any] = {
        "blur": blur,
        "blur_final": blur_final,
        "self_attention": self_attention,
        "y_range": y_range if y_range is None else list(y_range),
        "last_cross": last_cross,
        "bottle": bottle,
        "norm_type": norm_name,
    }
    model = create_unet_model(
        arch, n_out, img_size, pretrained, weights, cut, n_in, act_cls=act_cls, init=init, **shape
    )
    if normalize and (pretrained or weights is not None):
        add_normalize(dls, input_config(arch), n_in)
    learn = Learner(
        dls,
        model,
        loss_func=loss_func,
        opt_func=opt_func,
        lr=lr,
        splitter=default_split if splitter is None else splitter,
        cbs=cbs,
        metrics=metrics,
        path=path,
        model_dir=model_dir,
        wd=wd,
        wd_bn_bias=wd_bn_bias,
        train_bn=train_bn,
        moms=moms,
    )
    name = architecture_name(arch)
    if name is not None and not callable(cut) and act_cls is nn.ReLU:
        built = {"arch": name, "n_out": n_out, "img_size": list(img_size), "pretrained": False, "n_in": n_in}
        learn.builder = {
            "builder": _UNET_BUILDER,
            "args": {**built, "cut": cut, "init": None, **shape},
        }
    if pretrained:
        learn.freeze()
    return learn
