"""Marks: choices that are checked, can be undone, and survive a file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivace.core.errors import ArgumentError, DataError
from vivace.vision.cleaner import DELETE, KEEP, Marks

CLASSES = ("cat", "dog", 'a "b", c')
FILES = [Path(f"photos/{name}.jpg") for name in ("a", "b,c", 'quo"te', "new\nline", "ünï", "=1+1")]
changes = st.lists(st.tuples(st.sampled_from(FILES), st.sampled_from([KEEP, DELETE, *CLASSES])), max_size=20)


def marked(pairs: list[tuple[Path, str]]) -> Marks:
    marks = Marks(CLASSES)
    for file, choice in pairs:
        marks.put(file, choice)
    return marks


@given(changes)
def test_undoing_everything_leaves_no_mark(pairs):
    marks = marked(pairs)
    while marks.can_undo:
        marks.undo()
    assert list(marks) == []
    assert marks.undo() is None


@given(changes, st.sampled_from(FILES), st.sampled_from([KEEP, DELETE, *CLASSES]))
def test_undo_takes_exactly_the_latest_change_back(pairs, file, choice):
    marks = marked(pairs)
    before = {f: marks.of(f) for f in FILES}
    if before[file] != choice:
        marks.put(file, choice)
        assert marks.undo() == (file, before[file])
    assert {f: marks.of(f) for f in FILES} == before


@given(changes)
def test_marks_come_back_from_a_csv_file(tmp_path_factory, pairs):
    file = tmp_path_factory.mktemp("marks") / "marks.csv"
    marks = marked(pairs)
    marks.write_csv(file)
    read = Marks(CLASSES)
    assert read.read_csv(file, FILES) == []
    assert sorted(read) == sorted(marks)


def test_files_that_are_not_here_are_returned(tmp_path):
    marked([(FILES[0], DELETE), (FILES[1], "cat")]).write_csv(tmp_path / "m.csv")
    read = Marks(CLASSES)
    assert read.read_csv(tmp_path / "m.csv", FILES[1:]) == [str(FILES[0])]
    assert list(read) == [(FILES[1], "cat")]


def test_a_wrong_choice_is_refused_with_the_nearest_one():
    with pytest.raises(ArgumentError, match="Did you mean 'dog'"):
        Marks(CLASSES).put(FILES[0], "dgo")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("file,mark\na.jpg,bird\n", "Line 2 .* 'bird'"),
        ("file,label\na.jpg,cat\n", "no column 'mark'"),
        (b"\xff\xfe\x00", "no text"),
        (None, "no file"),
    ],
)
def test_a_bad_file_of_marks_changes_nothing(tmp_path, text, reason):
    file = tmp_path / "m.csv"
    if text is not None:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    marks = marked([(FILES[0], DELETE)])
    with pytest.raises(DataError, match=reason):
        marks.read_csv(file, [Path("a.jpg")])
    assert list(marks) == [(FILES[0], DELETE)]


def test_forgotten_files_are_neither_marked_nor_undone():
    marks = marked([(FILES[0], DELETE), (FILES[1], "cat")])
    marks.forget([FILES[1]])
    assert list(marks) == [(FILES[0], DELETE)]
    assert marks.undo() == (FILES[0], KEEP)
    assert not marks.can_undo
