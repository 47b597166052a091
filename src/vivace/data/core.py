"""Loaders, data sets and their transforms under the name that scripts know."""

from __future__ import annotations

from vivace.data.datasets import (
    Datasets,
    TfmdLists,
    show_at,
)
from vivace.data.loader import (
    DataLoader,
    DataWarning,
    TfmdDL,
)
from vivace.data.loaders import (
    DataLoaders,
    test_set,
)
from vivace.data.transform import (
    DisplayedTransform,
    InplaceTransform,
    ItemTransform,
    Pipeline,
    RandTransform,
    Transform,
    as_transform,
    compose_tfms,
    encodes_for,
)

__all__ = [
    "DataLoader",
    "DataLoaders",
    "DataWarning",
    "Datasets",
    "DisplayedTransform",
    "InplaceTransform",
    "ItemTransform",
    "Pipeline",
    "RandTransform",
    "TfmdDL",
    "TfmdLists",
    "Transform",
    "as_transform",
    "compose_tfms",
    "encodes_for",
    "show_at",
    "test_set",
]
