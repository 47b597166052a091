"""`DataBlock.summary`: every step of one sample and one batch, or the step that failed and on which item."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from vivace.core.errors import ArgumentTypeError, ItemError, ShapeError
from vivace.core.image import PILImage
from vivace.core.types import TensorImage
from vivace.data.block import CategoryBlock, DataBlock, TransformBlock
from vivace.data.items import get_image_files
from vivace.data.labels import parent_label
from vivace.data.splits import EndSplitter, RandomSplitter
from vivace.data.transform import Transform
from vivace.data.transforms import IntToFloatTensor, Normalize


class Square(Transform):
    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def encodes(self, x: PILImage) -> PILImage:
        return PILImage.create(x.resize((self.side, self.side)))


class Explode(Transform):
    order = 20

    def encodes(self, x: TensorImage) -> TensorImage:
        raise RuntimeError("boom")


def photos(**changes: object) -> DataBlock:
    settings: dict[str, object] = {
        "blocks": (TransformBlock(type_tfms=PILImage.create, batch_tfms=IntToFloatTensor), CategoryBlock),
        "get_items": get_image_files,
        "get_y": parent_label,
        "splitter": RandomSplitter(seed=1),
    }
    return DataBlock(**{**settings, **changes})  # type: ignore[arg-type]


def test_each_step_and_its_result_are_printed(photo_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos(item_tfms=Square(16), batch_tfms=Normalize()).summary(photo_folder, bs=4)
    out = capsys.readouterr().out
    steps = [
        "Found 36 items",
        "2 datasets of sizes 29,7",
        "Item 0 (",
        ".jpg)",
        "Part 1 (input): PILImage.create",
        "PILImage.create gives PILImage mode=RGB",
        "Part 2 (target): parent_label -> Categorize",
        "parent_label gives '",
        "gives TensorCategory",
        "Item transforms: Square -> ToTensor",
        "Square(side=16) gives (PILImage mode=RGB size=16x16",
        "gives (TensorImage of size 3x16x16",
        "Building a batch of 4",
        "(TensorImage of size 4x3x16x16, TensorCategory of size 4)",
        "Batch transforms: IntToFloatTensor -> Normalize",
        "Normalize(",
        "The batch: (TensorImage of size 4x3x16x16, TensorCategory of size 4)",
    ]
    positions = [out.find(step) for step in steps]
    assert -1 not in positions, steps[positions.index(-1)]
    assert positions == sorted(positions)


def test_pictures_of_differing_sizes_are_listed_with_advice(
    photo_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ShapeError, match=r"item_tfms=Resize\(224\)"):
        photos().summary(photo_folder, bs=8)
    out = capsys.readouterr().out
    assert out.count("TensorImage of size 3x") >= 8 and "These samples do not make a batch" in out
    assert "Resize(224)" in out and out.count(".jpg") >= 8


def test_a_failing_label_function_is_named_before_anything_is_built(capsys: pytest.CaptureFixture[str]) -> None:
    def label(word: str) -> str:
        raise LookupError(f"no label for {word}")

    block = DataBlock((TransformBlock, CategoryBlock), get_y=label, splitter=EndSplitter())
    with pytest.raises(ItemError, match=r"Item 0 \(a\) failed in label: LookupError: no label for a"):
        block.summary(list("abcde"))
    assert "This failed: Item 0 (a) failed in label" in capsys.readouterr().out


def test_a_failing_item_transform_is_named(photo_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def crop(picture: PILImage) -> PILImage:
        raise ValueError("too small")

    with pytest.raises(ItemError, match=r"Item 0 \(.*\.jpg\) failed in crop: ValueError: too small"):
        photos(item_tfms=crop).summary(photo_folder)
    out = capsys.readouterr().out
    assert "crop FAILED on (PILImage mode=RGB" in out and "ValueError: too small" in out


def test_a_failing_batch_transform_is_named(photo_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    block = photos(item_tfms=Square(8), batch_tfms=Explode())
    with pytest.raises(ItemError, match="The batch of the first 4 items failed in Explode: RuntimeError: boom"):
        block.summary(photo_folder)
    out = capsys.readouterr().out
    assert "Explode(" in out and "FAILED on (TensorImage of size 4x3x8x8" in out


def test_looking_changes_neither_randomness_nor_the_block(
    photo_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    normalize = Normalize()
    block = photos(item_tfms=Square(8), batch_tfms=normalize)
    before = torch.get_rng_state()
    block.summary(photo_folder)
    assert torch.equal(before, torch.get_rng_state()) and normalize.mean is None


def test_a_batch_can_be_drawn(photo_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import matplotlib.pyplot as plt

    photos(item_tfms=Square(8)).summary(photo_folder, bs=4, show_batch=True, num_workers=0)
    assert sum(len(ax.images) for ax in plt.gcf().axes) == 4


def test_a_wrong_keyword_is_an_error(photo_folder: Path) -> None:
    with pytest.raises(ArgumentTypeError, match="Did you mean 'num_workers'"):
        photos().summary(photo_folder, num_worker=1)
