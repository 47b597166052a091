"""The command line: what it makes, and the one line it says when it cannot."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from vivace import __version__
from vivace.app.cli import main
from vivace.app.demo import export_digits
from vivace.app.training.classify import check_folder
from vivace.app.training.settings import free_folder

SMALL = ["--arch", "resnet18", "--no-pretrained", "--size", "32", "--bs", "8", "--device", "cpu"]
PICTURES = ("batch.png", "results.png", "confusion.png", "losses.png")


def read_history(out: Path) -> list[list[str]]:
    """The rows of `history.csv`, the header first."""
    return list(csv.reader((out / "history.csv").read_text().splitlines()))


def size_and_mode(file: Path) -> tuple[tuple[int, int], str]:
    """Of a picture file."""
    with Image.open(file) as picture:
        return picture.size, picture.mode


def fails_with(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that must fail; return the one line that it says."""
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith("vivace: ")
    assert error.count("\n") == 1
    return error


def succeeds(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that must end well; return what it printed."""
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 0
    return capsys.readouterr().out


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert succeeds(["--version"], capsys) == f"vivace {__version__}\n"


def test_module_runs_as_a_program() -> None:
    done = subprocess.run([sys.executable, "-m", "vivace", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"vivace {__version__}\n"


def test_wrong_path_is_named_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"no folder {tmp_path / 'nowhere'}" in fails_with(["train", str(tmp_path / "nowhere")], capsys)


def test_wrong_path_ends_the_program_without_a_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "vivace", "train", str(tmp_path / "nowhere")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_a_file_instead_of_a_folder_is_refused(photo_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is a file" in fails_with(["train", str(photo_folder / "red" / "red_00.jpg")], capsys)


def test_a_folder_without_images_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    assert "holds no images" in fails_with(["train", str(tmp_path)], capsys)


def test_one_class_is_refused_by_name(photo_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(photo_folder / "red")
    shutil.rmtree(photo_folder / "green")
    assert "one class (blue)" in fails_with(["train", str(photo_folder)], capsys)


@pytest.mark.parametrize(
    "options, message",
    [
        (["--valid-pct", "1.5"], "valid-pct"),
        (["--epochs", "0"], "epochs must be 1 or more"),
        (["--lr", "-1"], "lr must be above 0"),
        (["--device", "abacus"], "device 'abacus' cannot be used"),
    ],
)
def test_an_impossible_setting_is_refused_before_training(
    photo_folder: Path, tmp_path: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert message in fails_with(["train", str(photo_folder), "--out", str(out), *options], capsys)
    assert not out.exists()


def test_results_of_another_run_are_not_replaced_unasked(
    photo_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "precious.txt").write_text("keep me")
    assert "--overwrite" in fails_with(["train", str(photo_folder), "--out", str(tmp_path / "out")], capsys)


def test_the_default_place_for_results_is_a_new_one(tmp_path: Path) -> None:
    assert free_folder(tmp_path / "cats") == tmp_path / "cats"
    (tmp_path / "cats").mkdir()
    (tmp_path / "cats-2").mkdir()
    assert free_folder(tmp_path / "cats") == tmp_path / "cats-3"


def test_check_folder_counts_the_classes_of_both_layouts(photo_folder: Path, digits_folder: Path) -> None:
    flat, split = check_folder(photo_folder), check_folder(digits_folder)
    assert (flat.counts, flat.has_splits) == ({"blue": 12, "green": 12, "red": 12}, False)
    assert split.has_splits
    assert split.counts == {str(digit): 60 for digit in range(10)}


@pytest.mark.slow
def test_train_saves_everything_and_names_what_it_left_out(
    photo_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photo_folder / "red" / "broken.jpg").write_bytes(b"not a picture")
    out = tmp_path / "out"
    printed = succeeds(["train", str(photo_folder), "--out", str(out), "--epochs", "2", *SMALL], capsys)
    assert "37 images of 3 classes" in printed
    assert re.search(r"accuracy [\d.]+% on [67] validation images", printed)
    assert str(photo_folder / "red" / "broken.jpg") in printed
    assert {file.name for file in out.iterdir()} == {*PICTURES, "history.csv", "export.pkl"}
    for name in PICTURES:
        assert min(size_and_mode(out / name)[0]) > 100
    rows = read_history(out)
    assert rows[0][:4] == ["epoch", "train_loss", "valid_loss", "accuracy"]
    assert [row[0] for row in rows[1:]] == ["0", "1"]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_history(
    photo_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def losses(name: str) -> list[list[str]]:
        succeeds(["train", str(photo_folder), "--out", str(tmp_path / name), "--epochs", "1", *SMALL], capsys)
        return [row[:4] for row in read_history(tmp_path / name)]

    assert losses("first") == losses("second")


@pytest.mark.slow
def test_a_folder_with_train_and_valid_keeps_its_split(
    digits_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = succeeds(["train", str(digits_folder), "--out", str(tmp_path / "out"), "--epochs", "1", *SMALL], capsys)
    assert "on 150 validation images" in printed


def test_digits_are_exported_whole_and_once() -> None:
    folder = export_digits()
    assert sorted(path.name for path in folder.iterdir()) == [str(digit) for digit in range(10)]
    assert len(list(folder.rglob("*.png"))) == 1797
    picture = folder / "0" / "0000.png"
    assert size_and_mode(picture) == ((8, 8), "L")
    written = picture.stat().st_mtime_ns
    assert export_digits() == folder
    assert picture.stat().st_mtime_ns == written
    assert [path.name for path in folder.parent.iterdir()] == ["digits"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_demo_learns_the_digits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed = succeeds(["demo", "--out", str(tmp_path / "demo")], capsys)
    found = re.search(r"accuracy ([\d.]+)% on 359 validation images", printed)
    assert found
    assert float(found[1]) >= 98
    assert re.search(r"reads 7/0007.png as 7 ", printed)
    assert {file.name for file in (tmp_path / "demo").iterdir()} == {*PICTURES, "history.csv", "export.pkl"}
