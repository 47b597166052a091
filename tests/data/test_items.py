"""Finding items: which files, in which order, and what a mistyped folder says."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from vivace.core.collection import L
from vivace.core.errors import DataError
from vivace.data.items import (
    AttrGetter,
    FileGetter,
    ImageGetter,
    ItemGetter,
    get_files,
    get_image_files,
    get_text_files,
    image_extensions,
)

FILES = ["a.csv", "b.CSV", "c.txt", "sub/d.csv", "sub/deep/g.txt", "other/e.jpg", ".f.csv", "sub/.hidden/h.csv"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in FILES:
        file = tmp_path / "root" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")
    return tmp_path / "root"


def names(files: L[Path], root: Path) -> list[str]:
    return [f.relative_to(root).as_posix() for f in files]


def test_files_are_found_at_any_depth_but_hidden_ones_are_not(folder: Path) -> None:
    found = get_files(folder)
    assert isinstance(found, L)
    assert names(found, folder) == ["a.csv", "b.CSV", "c.txt", "other/e.jpg", "sub/d.csv", "sub/deep/g.txt"]


def test_the_order_is_that_of_sorted_paths(folder: Path) -> None:
    (folder / "aa").mkdir()
    (folder / "aa" / "z.csv").write_text("x")
    assert list(get_files(folder)) == sorted(get_files(folder))


def test_extensions_are_matched_in_upper_and_lower_case(folder: Path) -> None:
    assert names(get_files(folder, extensions=".csv"), folder) == ["a.csv", "b.CSV", "sub/d.csv"]
    assert names(get_files(folder, extensions=[".CSV", ".txt"], recurse=False), folder) == ["a.csv", "b.CSV", "c.txt"]


def test_without_recursion_only_the_folder_itself_is_looked_at(folder: Path) -> None:
    assert names(get_files(folder, recurse=False), folder) == ["a.csv", "b.CSV", "c.txt"]


def test_folders_limit_the_search_at_the_top_alone(folder: Path) -> None:
    assert names(get_files(folder, folders="sub"), folder) == ["sub/d.csv", "sub/deep/g.txt"]
    assert names(get_files(folder, folders=["sub", "other"]), folder) == ["other/e.jpg", "sub/d.csv", "sub/deep/g.txt"]
    assert names(get_files(folder, folders=["other", "."]), folder) == ["a.csv", "b.CSV", "c.txt", "other/e.jpg"]
    assert names(get_files(folder, folders=["deep"]), folder) == []


def test_a_text_is_as_good_as_a_path(folder: Path) -> None:
    assert get_files(str(folder)) == get_files(folder)


def test_links_are_followed_unless_told_otherwise(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "l.csv").write_text("x")
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    assert "link/l.csv" in names(get_files(folder), folder)
    assert "link/l.csv" not in names(get_files(folder, followlinks=False), folder)


def test_a_link_back_to_its_own_parent_does_no_harm(folder: Path) -> None:
    (folder / "sub" / "loop").symlink_to(folder)
    assert names(get_files(folder, extensions=".csv"), folder) == ["a.csv", "b.CSV", "sub/d.csv"]


def test_images_and_texts_are_told_by_their_ending(folder: Path) -> None:
    assert names(get_image_files(folder), folder) == ["other/e.jpg"]
    assert names(get_text_files(folder), folder) == ["c.txt", "sub/deep/g.txt"]
    assert {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif"} <= image_extensions


def test_getters_look_below_a_subfolder(folder: Path) -> None:
    assert names(FileGetter("sub", extensions=".txt")(folder), folder) == ["sub/deep/g.txt"]
    assert names(ImageGetter("other")(folder), folder) == ["other/e.jpg"]
    assert names(ImageGetter(folders="sub")(folder), folder) == []


def test_a_missing_folder_is_an_error_that_names_what_is_there(folder: Path) -> None:
    with pytest.raises(DataError, match=r"subb does not exist\. In .*root there are other, sub\."):
        get_files(folder / "subb")


def test_a_file_in_place_of_a_folder_is_an_error(folder: Path) -> None:
    with pytest.raises(DataError, match=r"a\.csv is a file, not a folder"):
        get_image_files(folder / "a.csv")


def test_item_getter_takes_an_entry_of_the_whole_tuple() -> None:
    assert ItemGetter(1)(("a", ["b", "c"])) == ["b", "c"]
    assert ItemGetter("x")({"x": 3}) == 3
    assert repr(ItemGetter(1)) == "ItemGetter(i=1)"


def test_attr_getter_takes_an_attribute_or_the_default() -> None:
    class Point(NamedTuple):
        x: int
        y: tuple[int, int]

    assert AttrGetter("y")(Point(1, (2, 3))) == (2, 3)
    assert AttrGetter("z", default=7)(Point(1, (2, 3))) == 7
