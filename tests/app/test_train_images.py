"""`vivace train` on pictures: labels, several labels, numbers and masks, each from source to predictions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from vivace.app.training.choosing import guess_task
from vivace.app.training.settings import TrainSettings

SMALL = "--arch resnet10t --no-pretrained --size 32 --bs 4 --epochs 1 --device cpu".split()


@pytest.fixture(scope="session")
def _shapes_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("shapes")
    rng = np.random.default_rng(0)
    for name in ("images", "masks"):
        (root / name).mkdir()
    rows = []
    for number in range(20):
        pixels, mask, labels = rng.normal(60, 15, (40, 52, 3)), np.zeros((40, 52), np.uint8), []
        for value, (label, colour) in enumerate({"red": (220, 40, 40), "blue": (40, 40, 220)}.items(), start=1):
            if number % (value + 1):
                y, x = rng.integers(0, 20, 2)
                pixels[y : y + 16, x : x + 16], mask[y : y + 16, x : x + 16] = colour, 100 * value
                labels.append(label)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(root / "images" / f"{number:03d}.jpg")
        Image.fromarray(mask).save(root / "masks" / f"{number:03d}.png")
        shares = [(mask == value).mean() for value in (100, 200)]
        rows.append((f"{number:03d}", ";".join(labels), labels[0] if labels else "none", *shares))
    table = pd.DataFrame(rows, columns=["picture", "labels", "label", "red", "blue"])
    table[["picture", "labels"]].to_csv(root / "labels.csv", index=False)
    table[["picture", "label"]].to_csv(root / "label.csv", index=False)
    table[["picture", "red", "blue"]].to_csv(root / "areas.csv", index=False)
    return root


@pytest.fixture
def shapes(_shapes_source: Path, tmp_path: Path) -> Path:
    """A folder of its own: images/ and masks/ (values 0, 100, 200) of 20 files, and tables that name the images."""
    import shutil

    return Path(shutil.copytree(_shapes_source, tmp_path / "shapes"))


def guessed(source: Path, **settings) -> str:
    return guess_task(TrainSettings(source=source, out=source / "out", **settings))


def test_the_task_is_told_by_the_source(shapes: Path, photo_folder: Path) -> None:
    assert guessed(photo_folder) == "classify"
    assert guessed(shapes) == "segment"
    assert guessed(shapes / "label.csv") == "classify"
    assert guessed(shapes / "labels.csv") == "several-labels"
    assert guessed(shapes / "areas.csv") == "regress"
    assert guessed(shapes / "areas.csv", targets=("red",)) == "regress"


@pytest.mark.slow
def test_a_table_with_a_label_each_trains_a_classifier(shapes: Path, tmp_path: Path, vivace) -> None:
    out = tmp_path / "out"
    printed = vivace("train", shapes / "label.csv", "--out", out, *SMALL)
    assert "20 images of 3 classes (blue 6, none 4, red 10); task classify" in printed
    assert {p.name for p in out.iterdir()} == {
        "batch.png", "results.png", "confusion.png", "losses.png", "history.csv", "export.pkl",
    }  # fmt: skip


@pytest.mark.slow
def test_several_labels_are_learned_and_reported_one_by_one(shapes: Path, tmp_path: Path, vivace) -> None:
    out = tmp_path / "out"
    printed = vivace("train", shapes / "labels.csv", "--out", out, *SMALL)
    assert "20 images with 2 labels (blue 13, red 10); task several-labels" in printed
    assert "on 4 validation images" in printed
    report = pd.read_csv(out / "labels.csv")
    assert list(report.columns) == ["label", "images", "precision", "recall", "F1"] and len(report) == 2
    rows = vivace("predict", out, shapes / "images").splitlines()
    assert len(rows) == 20 and all(row.split("\t")[1] in ("", "blue", "red", "blue;red") for row in rows)


@pytest.mark.slow
def test_numbers_are_learned_in_their_own_unit(shapes: Path, tmp_path: Path, vivace) -> None:
    out = tmp_path / "out"
    printed = vivace("train", shapes / "areas.csv", "--out", out, *SMALL)
    assert "20 images with numbers (red, blue); task regress" in printed
    assert "mae 0." in printed and (out / "predicted.png").is_file()
    vivace("predict", out, shapes / "images", "-o", tmp_path / "p.csv")
    table = pd.read_csv(tmp_path / "p.csv")
    highest = pd.read_csv(shapes / "areas.csv")[["red", "blue"]].to_numpy().max()
    assert table[["value_0", "value_1"]].to_numpy().min() > -0.11 * highest
    assert table[["value_0", "value_1"]].to_numpy().max() < 1.11 * highest


@pytest.mark.slow
def test_masks_are_learned_and_predicted_as_large_as_their_images(
    shapes: Path, tmp_path: Path, vivace, refused
) -> None:
    out = tmp_path / "out"
    printed = vivace("train", shapes, "--out", out, *SMALL)
    assert "20 images with masks of 3 classes (0, 100, 200); task segment" in printed
    assert "dice 0." in printed and "pixel accuracy" in printed
    (shapes / "images" / "broken.jpg").write_bytes(b"no picture")
    printed = vivace("predict", out, shapes / "images", "-o", tmp_path / "masks")
    assert "20 masks of 3 classes" in printed and "broken.jpg" in printed
    masks = sorted((tmp_path / "masks").glob("*.png"))
    assert [m.name for m in masks] == [f"{n:03d}.png" for n in range(20)]
    for mask in masks:
        with Image.open(mask) as opened:
            assert opened.size == (52, 40) and np.asarray(opened).max() <= 2
    assert (tmp_path / "masks" / "codes.txt").read_text() == "0\n100\n200\n"
    assert "-o FOLDER" in refused("predict", out, shapes / "images")
    assert "is not empty" in refused("predict", out, shapes / "images", "-o", tmp_path / "masks")


def test_names_of_classes_come_from_codes_txt(shapes: Path) -> None:
    from vivace.app.training.segment import SegmentTask

    for file in (shapes / "masks").iterdir():
        with Image.open(file) as mask:
            numbers = np.asarray(mask) // 100
        Image.fromarray(numbers).save(file)
    (shapes / "codes.txt").write_text("ground\nred\nblue\nunused\n")
    task = SegmentTask(TrainSettings(source=shapes, out=shapes / "out"))
    assert "4 classes (ground, red, blue, unused)" in task.summary()


def train_error(refused, source: Path, *options: str) -> str:
    return refused("train", source, "--out", source.parent / "out", *SMALL, *options)


def test_an_image_without_a_mask_is_named(shapes: Path, refused) -> None:
    (shapes / "masks" / "007.png").unlink()
    assert "images have no mask" in (error := train_error(refused, shapes)) and "007.jpg" in error


def test_a_mask_without_an_image_is_named(shapes: Path, refused) -> None:
    (shapes / "images" / "007.jpg").unlink()
    assert "masks have no image" in (error := train_error(refused, shapes)) and "007.png" in error


def test_a_mask_in_colour_is_refused(shapes: Path, refused) -> None:
    (shapes / "images" / "003.jpg").replace(shapes / "masks" / "003.png")
    Image.new("RGB", (52, 40)).save(shapes / "images" / "003.jpg")
    assert "003.png is a picture in colour" in train_error(refused, shapes)


def test_a_value_beyond_codes_txt_is_named(shapes: Path, refused) -> None:
    (shapes / "codes.txt").write_text("ground\nred\n")
    assert "has the value 200" in train_error(refused, shapes)


def test_a_column_that_is_not_there_brings_the_nearest_name(shapes: Path, refused) -> None:
    error = train_error(refused, shapes / "labels.csv", "--task", "several-labels", "--target", "label")
    assert "no column 'label' (--target). Did you mean 'labels'?" in error
    error = train_error(refused, shapes / "areas.csv", "--task", "regress", "--input", "pictures")
    assert "no column 'pictures' (--input). Did you mean 'picture'?" in error


def test_images_that_a_table_names_and_are_not_there_are_counted(shapes: Path, refused) -> None:
    for number in (5, 6):
        (shapes / "images" / f"{number:03d}.jpg").unlink()
    error = train_error(refused, shapes / "labels.csv", "--task", "several-labels")
    assert "2 of the 20 images" in error and "005.jpg" in error


def test_a_table_that_names_no_images_says_so(shapes: Path, refused) -> None:
    (shapes / "names.csv").write_text("who,what\nada,red\n")
    error = train_error(refused, shapes / "names.csv", "--task", "classify")
    assert "no image 'ada'" in error and "--images FOLDER" in error


def test_a_cell_that_is_no_number_is_named_with_its_row(shapes: Path, refused) -> None:
    file = shapes / "areas.csv"
    lines = file.read_text().splitlines()
    lines[3] = "002,many,0.1"
    file.write_text("\n".join(lines))
    error = train_error(refused, file, "--task", "regress")
    assert "'red' must hold numbers, and row 3 has 'many'" in error


def test_an_option_that_means_nothing_to_a_task_is_refused(shapes: Path, photo_folder: Path, refused) -> None:
    assert "--target has no effect on --task segment" in train_error(refused, shapes, "--target", "x")
    assert "--delim has no effect on --task classify" in train_error(refused, photo_folder, "--delim", ";")


def test_an_unknown_task_brings_the_nearest_name(photo_folder: Path, refused) -> None:
    assert "Did you mean 'segment'?" in train_error(refused, photo_folder, "--task", "segmentation")


def test_a_table_that_is_damaged_or_missing_is_explained(tmp_path: Path, refused) -> None:
    (tmp_path / "empty.csv").write_text("")
    assert "cannot be read as a table" in train_error(refused, tmp_path / "empty.csv")
    assert "Did you mean 'empty.csv'?" in train_error(refused, tmp_path / "empt.csv")
    (tmp_path / "head.csv").write_text("image,label\n")
    assert "has no rows" in train_error(refused, tmp_path / "head.csv")
