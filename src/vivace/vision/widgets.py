"""What a notebook gets from `from vivace.vision.widgets import *`: the cleaner, and ipywidgets' own parts."""

from __future__ import annotations

from vivace.core.lazy import require

widgets = require("ipywidgets", "notebook", "vivace.vision.widgets")

from ipywidgets import (
    Box,
    Button,
    Dropdown,
    FileUpload,
    HBox,
    Label,
    Layout,
    Output,
    VBox,
)
from ipywidgets import (
    Image as ImageWidget,
)

from .cleaner import ImageClassifierCleaner, ImagesCleaner, carousel, widget

__all__ = [
    "Box",
    "Button",
    "Dropdown",
    "FileUpload",
    "HBox",
    "ImageClassifierCleaner",
    "ImageWidget",
    "ImagesCleaner",
    "Label",
    "Layout",
    "Output",
    "VBox",
    "carousel",
    "widget",
    "widgets",
]
