"""Pictures and their types under the name that scripts know."""

from __future__ import annotations


from vivace.core.types import (
    Category,
    MultiCategory,
    TensorBBox,
    TensorBase,
    TensorCategory,
    TensorImage,
    TensorImageBW,
    TensorImageBase,
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


__all__ = [
    "Category",
    "IntToFloatTensor",
    "MultiCategory",
    "Normalize",
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
    "plain_tensor",
    "retype",
]
