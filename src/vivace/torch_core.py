"""Tensors and what is done with them, under the name that scripts know."""

from __future__ import annotations

from vivace.core.array_image import (
    ArrayImage,
)
from vivace.core.basics import (
    flatten_check,
    num_distrib,
    one_hot,
    one_hot_decode,
    params,
    rank_distrib,
    tensor,
)
from vivace.core.device import (
    apply,
    default_device,
    find_bs,
    find_device,
    item_find,
    one_param,
    to_concat,
    to_cpu,
    to_detach,
    to_device,
    to_float,
    to_half,
    to_np,
    trainable_params,
)
from vivace.core.randomness import (
    no_random,
    set_seed,
)
from vivace.core.report import (
    master_bar,
    progress_bar,
)
from vivace.core.show import (
    show_image,
    show_images,
    show_title,
    show_titled_image,
    subplots,
)
from vivace.core.types import (
    TensorBase,
    TensorCategory,
    TensorImage,
    TensorImageBase,
    TensorImageBW,
    TensorMask,
    TensorMultiCategory,
    TitledFloat,
    TitledInt,
    TitledStr,
    TitledTuple,
)
from vivace.nn.groups import (
    norm_bias_params,
)
from vivace.nn.init import (
    apply_init,
    apply_leaf,
    cond_init,
    init_default,
)
from vivace.nn.inspection import (
    norm_types,
    requires_grad,
)
from vivace.nn.module import (
    Module,
)

__all__ = [
    "ArrayImage",
    "Module",
    "TensorBase",
    "TensorCategory",
    "TensorImage",
    "TensorImageBW",
    "TensorImageBase",
    "TensorMask",
    "TensorMultiCategory",
    "TitledFloat",
    "TitledInt",
    "TitledStr",
    "TitledTuple",
    "apply",
    "apply_init",
    "apply_leaf",
    "cond_init",
    "default_device",
    "find_bs",
    "find_device",
    "flatten_check",
    "init_default",
    "item_find",
    "master_bar",
    "no_random",
    "norm_bias_params",
    "norm_types",
    "num_distrib",
    "one_hot",
    "one_hot_decode",
    "one_param",
    "params",
    "progress_bar",
    "rank_distrib",
    "requires_grad",
    "set_seed",
    "show_image",
    "show_images",
    "show_title",
    "show_titled_image",
    "subplots",
    "tensor",
    "to_concat",
    "to_cpu",
    "to_detach",
    "to_device",
    "to_float",
    "to_half",
    "to_np",
    "trainable_params",
]
