"""Pictures and their types under the name that scripts know."""

from __future__ import annotations

from vivace.core.array_image import ArrayImage
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
    TensorChannels,
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
    fastuple,
    plain_tensor,
    retype,
)
from vivace.data.transforms import (
    IntToFloatTensor,
    Normalize,
    ToTensor,
    broadcast_vec,
)
from vivace.vision.annotations import (
    get_annotations,
)
from vivace.vision.stats import (
    cifar_stats,
    imagenet_stats,
    mnist_stats,
)

__all__ = [
    "ArrayImage",
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
    "TensorChannels",
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
    "fastuple",
    "get_annotations",
    "image2tensor",
    "imagenet_stats",
    "load_image",
    "mnist_stats",
    "plain_tensor",
    "retype",
    "to_image",
]
