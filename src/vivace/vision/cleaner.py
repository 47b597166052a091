"""The cleaner for notebooks, under one name; its parts are in `vivace.vision.cleaning`."""

from __future__ import annotations

from .cleaning.marks import DELETE, KEEP, Mark, Marks
from .cleaning.menus import carousel, widget
from .cleaning.moves import Applied, apply_marks, last_applied, undo_applied
from .cleaning.notebook import ImageClassifierCleaner, ImagesCleaner

__all__ = [
    "Applied",
    "DELETE",
    "ImageClassifierCleaner",
    "ImagesCleaner",
    "KEEP",
    "Mark",
    "Marks",
    "apply_marks",
    "carousel",
    "last_applied",
    "undo_applied",
    "widget",
]
