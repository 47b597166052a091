"""Marks carried out on the disk: nothing is lost, everything can be brought back."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from vivace.core.errors import ArgumentError, DataError
from vivace.data.items import get_image_files
from vivace.vision.cleaner import DELETE, Mark, apply_marks, last_applied, undo_applied


def tree(folder: Path) -> dict[str, bytes]:
    """Content of each file below, without the journals."""
    files = [Path(root) / name for root, _, names in os.walk(folder) for name in names]
    return {str(f.relative_to(folder)): f.read_bytes() for f in files if f.suffix != ".json"}


def test_files_move_and_come_back(photo_folder):
    before = tree(photo_folder)
    gone, moved = photo_folder / "red" / "red_00.jpg", photo_folder / "red" / "red_01.jpg"
    applied = apply_marks([Mark(gone, DELETE), Mark(moved, "blue")], photo_folder)
    assert not gone.exists() and not moved.exists()
    assert (photo_folder / "blue" / "red_01.jpg").read_bytes() == before["red/red_01.jpg"]
    assert sorted(tree(photo_folder).values()) == sorted(before.values()), "no byte is lost"
    assert len(get_image_files(photo_folder)) == 35, "what was put away is not found any more"
    back, problems = undo_applied(applied.journal)
    assert (set(back), problems) == ({gone, moved}, [])
    assert tree(photo_folder) == before
    assert last_applied(photo_folder) is None


def test_a_taken_name_is_not_overwritten(photo_folder):
    twin = photo_folder / "blue" / "red_00.jpg"
    twin.write_bytes(b"somebody else")
    apply_marks([Mark(photo_folder / "red" / "red_00.jpg", "blue")], photo_folder)
    assert twin.read_bytes() == b"somebody else"
    assert (photo_folder / "blue" / "red_00-2.jpg").exists()


def test_two_files_of_one_name_both_arrive(photo_folder):
    for name in ("red", "green"):
        (photo_folder / name / "same.jpg").write_bytes(name.encode())
    apply_marks([Mark(photo_folder / n / "same.jpg", "blue") for n in ("red", "green")], photo_folder)
    arrived = {f.read_bytes() for f in (photo_folder / "blue").glob("same*.jpg")}
    assert arrived == {b"red", b"green"}


def test_the_split_folder_is_kept(tmp_path):
    file = tmp_path / "valid" / "cat" / "a.jpg"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"x")
    apply_marks([Mark(file, "dog")], tmp_path)
    assert (tmp_path / "valid" / "dog" / "a.jpg").exists()


def test_a_run_that_breaks_off_can_be_undone(photo_folder, monkeypatch):
    before = tree(photo_folder)
    marks = [Mark(photo_folder / "red" / f"red_{i:02d}.jpg", "blue") for i in range(4)]
    rename, calls = Path.rename, []

    def broken(self, target):
        if self.suffix == ".jpg":
            calls.append(self)
            if len(calls) == 3:
                raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", broken)
    with pytest.raises(DataError, match="No space left"):
        apply_marks(marks, photo_folder)
    monkeypatch.undo()
    back, problems = undo_applied(last_applied(photo_folder))
    assert (len(back), problems) == (2, [])
    assert tree(photo_folder) == before


def test_what_stands_in_the_way_is_named_and_stays(photo_folder):
    file = photo_folder / "red" / "red_00.jpg"
    applied = apply_marks([Mark(file, DELETE)], photo_folder)
    file.write_bytes(b"new")
    back, problems = undo_applied(applied.journal)
    assert back == [] and "is there again" in problems[0]
    assert file.read_bytes() == b"new"
    assert last_applied(photo_folder) == applied.journal


@pytest.mark.parametrize("name", ["..", "a/b", "", "."])
def test_a_class_that_is_no_folder_name_is_refused(photo_folder, name):
    before = tree(photo_folder)
    with pytest.raises(ArgumentError, match="name of a folder"):
        apply_marks([Mark(photo_folder / "red" / "red_00.jpg", name)], photo_folder)
    assert tree(photo_folder) == before


def test_files_outside_stay_where_they_are(photo_folder, tmp_path):
    outside = tmp_path / "other.jpg"
    outside.write_bytes(b"x")
    with pytest.raises(ArgumentError, match="not below"):
        apply_marks([Mark(outside, DELETE)], photo_folder)
    assert outside.exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"format": "vivace-moves", "moves": [["../../a", "b"]]}, "outside"),
        ({"format": "vivace-moves", "moves": [["a", "/etc/passwd"]]}, "outside"),
        ({"format": "vivace-moves", "moves": [["a"]]}, "does not hold"),
        ({"format": "other", "moves": []}, "does not hold"),
        ([], "does not hold"),
    ],
)
def test_a_forged_plan_moves_nothing(tmp_path, content, reason):
    journal = tmp_path / "photos" / ".vivace" / "removed-x.json"
    journal.parent.mkdir(parents=True)
    journal.write_text(json.dumps(content))
    with pytest.raises(DataError, match=reason):
        undo_applied(journal)
