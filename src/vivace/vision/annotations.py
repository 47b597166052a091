"""Boxes from a file of annotations in COCO's format."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from vivace.core.errors import DataError

__all__ = ["get_annotations"]


def get_annotations(
    fname: str | os.PathLike[str], prefix: str | None = None
) -> tuple[list[str], list[tuple[list[list[float]], list[str]]]]:
    """Return the file names of the pictures that have boxes, and for each of them (its boxes, their labels).

    Boxes are (left, top, right, bottom) in pixels, as `BBoxBlock` takes them.

    Args:
        fname: the JSON file, with `images`, `annotations` and `categories`.
        prefix: what to put in front of each file name.

    Raises:
        DataError: the file is not JSON in that format.
    """
    file = Path(fname)
    try:
        content = json.loads(file.read_text("utf-8"))
        names = {image["id"]: (prefix or "") + image["file_name"] for image in content["images"]}
        labels = {category["id"]: category["name"] for category in content["categories"]}
        found: dict[Any, tuple[list[list[float]], list[str]]] = {}
        for annotation in content["annotations"]:
            left, top, width, height = annotation["bbox"]
            boxes, their_labels = found.setdefault(annotation["image_id"], ([], []))
            boxes.append([left, top, left + width, top + height])
            their_labels.append(labels[annotation["category_id"]])
        return [names[image_id] for image_id in found], list(found.values())
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{file} does not hold annotations in COCO's format: {type(error).__name__}: {error}"
        ) from error
