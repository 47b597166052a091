"""What a notebook gets from `from vivace.vision.widgets import *`: the cleaner, and ipywidgets' own parts."""

from __future__ import annotations

from vivace.core.lazy import require

widgets = require("ipywidgets", "notebook", "vivace.vision.widgets")

from ipywidgets import (  # noqa: E402
    Box,
    Button,
    Dropdown,
    FileUpload,
    HBox,
    Image as ImageWidget,
    Label,
    Layout,
    Output,
    VBox,
)

from .cleaner import ImageClassifierCleaner, ImagesCleaner, carousel, widget  # noqa: E402

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
