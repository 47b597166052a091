"""Pictures and their types under the name that scripts know."""

from __future__ import annotations

from vivace.core.image import (
    PILBase,
    PILImage,
    PILImageBW,
    PILImageRGBA,
    PILMask,
    image2tensor,
    load_image,
    to_image,
)
from vivace.core.types import (
    Category,
    MultiCategory,
    TensorBase,
    TensorBBox,
    TensorCategory,
    TensorImage,
    TensorImageBase,
    TensorImageBW,
    TensorMask,
    TensorMultiCategory,
    TensorPoint,
    TitledFloat,
    TitledInt,
    TitledStr,
    TitledTuple,
    plain_tensor,
    retype,
)
from vivace.data.transforms import (
    IntToFloatTensor,
    Normalize,
    ToTensor,
    broadcast_vec,
)
from vivace.vision.stats import (
    cifar_stats,
    imagenet_stats,
    mnist_stats,
)

__all__ = [
    "Category",
    "IntToFloatTensor",
    "MultiCategory",
    "Normalize",
    "PILBase",
    "PILImage",
    "PILImageBW",
    "PILImageRGBA",
    "PILMask",
    "TensorBBox",
    "TensorBase",
    "TensorCategory",
    "TensorImage",
    "TensorImageBW",
    "TensorImageBase",
    "TensorMask",
    "TensorMultiCategory",
    "TensorPoint",
    "TitledFloat",
    "TitledInt",
    "TitledStr",
    "TitledTuple",
    "ToTensor",
    "broadcast_vec",
    "cifar_stats",
    "image2tensor",
    "imagenet_stats",
    "load_image",
    "mnist_stats",
    "plain_tensor",
    "retype",
    "to_image",
]
