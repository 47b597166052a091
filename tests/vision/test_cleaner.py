"""The cleaner: worst first, marks that stay, indices that fit the files shown."""

from __future__ import annotations

import pytest
import torch
from torch import nn

pytest.importorskip("ipywidgets")

from vivace.training.learner import Learner
from vivace.vision.cleaner import ImageClassifierCleaner, ImagesCleaner
from vivace.vision.data import ImageDataLoaders
from vivace.vision.item_transforms import Resize


@pytest.fixture
def cleaner(photo_folder):
    dls = ImageDataLoaders.from_folder(
        photo_folder, valid_pct=0.4, seed=1, item_tfms=Resize(16), bs=8, num_workers=0, device="cpu"
    )
    torch.manual_seed(0)
    model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 3))
    return ImageClassifierCleaner(Learner(dls, model), max_n=5)


def menus(cleaner):
    return [box.children[1] for box in cleaner._strip.children]


def test_marks_give_indices_of_the_files_shown(cleaner):
    menus(cleaner)[0].value = "<Delete>"
    menus(cleaner)[2].value = "red"
    assert list(cleaner.delete()) == [0] and list(cleaner.change()) == [(2, "red")]
    assert {f.parent.name for f in cleaner.fns} == {"blue"} and len(cleaner.fns) == 5


def test_marks_survive_another_category_and_data_set(cleaner):
    marked = cleaner.fns[1]
    menus(cleaner)[1].value = "<Delete>"
    cleaner.categories.value = "green"
    assert list(cleaner.delete()) == [] and {f.parent.name for f in cleaner.fns} == {"green"}
    cleaner.data_set.value = "Valid"
    cleaner.data_set.value, cleaner.categories.value = "Train", "blue"
    assert [cleaner.fns[i] for i in cleaner.delete()] == [marked]
    assert menus(cleaner)[1].value == "<Delete>"


def test_nothing_on_disk_is_touched(cleaner):
    menus(cleaner)[0].value = "<Delete>"
    cleaner.delete(), cleaner.change()
    assert all(f.exists() for f in cleaner.fns)


def test_files_in_any_list_can_be_cleaned(photo_folder):
    files = sorted((photo_folder / "red").iterdir())[:3]
    plain = ImagesCleaner(["a", "b"], max_n=2)
    plain.set_fns(files)
    plain._strip.children[1].children[1].value = "b"
    assert list(plain.values()) == ["<Keep>", "b"] and list(plain.change()) == [(1, "b")]
