"""Boxes from COCO's files, and as tensors."""

from __future__ import annotations

import json

import pytest
import torch

from vivace.core.errors import DataError
from vivace.core.types import TensorBBox, TensorPoint
from vivace.vision.annotations import get_annotations


def test_boxes_come_by_picture_with_their_labels(tmp_path) -> None:
    file = tmp_path / "train.json"
    content = {
        "images": [
            {"id": 7, "file_name": "a.jpg"},
            {"id": 8, "file_name": "none.jpg"},
            {"id": 9, "file_name": "b.jpg"},
        ],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
        "annotations": [
            {"image_id": 9, "category_id": 2, "bbox": [0, 0, 5, 5]},
            {"image_id": 7, "category_id": 1, "bbox": [1, 2, 3, 4]},
            {"image_id": 9, "category_id": 1, "bbox": [2, 2, 2, 2]},
        ],
    }
    file.write_text(json.dumps(content))
    images, boxes = get_annotations(file, prefix="train/")
    assert images == ["train/b.jpg", "train/a.jpg"]
    assert boxes == [([[0, 0, 5, 5], [2, 2, 4, 4]], ["dog", "cat"]), ([[1, 2, 4, 6]], ["cat"])]


def test_another_file_is_refused_by_name(tmp_path) -> None:
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(DataError, match=r"other.json does not hold annotations.*images"):
        get_annotations(tmp_path / "other.json")


def test_points_and_boxes_are_made_of_numbers() -> None:
    assert TensorPoint.create([[1, 2], [3, 4]]).shape == (2, 2) and TensorPoint.create([1, 2]).dtype == torch.float32
    box = TensorBBox.create([1, 2, 3, 4], img_size=(8, 9))
    assert type(box) is TensorBBox and box.shape == (1, 4) and box.img_size == (8, 9)
