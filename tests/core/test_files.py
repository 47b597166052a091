"""Atomic writes, vivace's folders, pickles, and the extension of `Path`."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vivace.core.collection import L
from vivace.core.errors import ArgumentError
from vivace.core.files import atomic_write, config_path, extend_path, load_pickle, path_ls, save_pickle, vivace_home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home of vivace, with no other setting around."""
    for key in ("DATA", "ARCHIVE", "MODEL", "WEIGHTS", "CACHE"):
        monkeypatch.delenv(f"VIVACE_{key}", raising=False)
    monkeypatch.setenv("VIVACE_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def extended_path() -> Iterator[Any]:
    """`Path` as the facades make it, without a base folder afterwards."""
    extend_path()
    path_class: Any = Path
    yield path_class
    path_class.BASE_PATH = None


def test_the_file_appears_only_when_all_is_written(tmp_path: Path) -> None:
    target = tmp_path / "new" / "file.bin"
    with atomic_write(target) as handle:
        handle.write(b"all")
        assert not target.exists()
        assert Path(handle.name).parent == target.parent
    assert target.read_bytes() == b"all"
    assert os.listdir(target.parent) == ["file.bin"]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    target.write_text("old")

    def fail() -> None:
        with atomic_write(target, "w") as handle:
            handle.write("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_a_library_can_write_by_name(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "file") as handle:
        Path(handle.name).write_bytes(b"by name")
    assert (tmp_path / "file").read_bytes() == b"by name"


def test_text_is_utf8_and_permissions_stay(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    target.write_text("old")
    target.chmod(0o640)
    with atomic_write(target, "w") as handle:
        handle.write("größer")
    assert target.read_bytes() == "größer".encode()
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with atomic_write(tmp_path / "link", "w") as handle:
        handle.write("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_appending_is_refused(tmp_path: Path) -> None:
    mode: Any = "ab"
    with pytest.raises(ArgumentError, match="'w' or 'wb'"), atomic_write(tmp_path / "file", mode):
        pass


def test_home_is_from_the_environment_or_the_user(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert vivace_home() == home
    monkeypatch.delenv("VIVACE_HOME")
    assert vivace_home() == Path.home() / ".vivace"


def test_folders_come_from_environment_then_config_then_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert config_path("data") == home / "data"
    assert config_path("model") == home / "models"
    (home / "config.toml").write_text('data = "/big/disk"\nweights = "w"\n')
    assert config_path("data") == Path("/big/disk")
    assert config_path("weights") == home / "w"
    monkeypatch.setenv("VIVACE_DATA", "~/elsewhere")
    assert config_path("data") == Path.home() / "elsewhere"


@pytest.mark.parametrize(
    "text, message",
    [("data = ", "not valid TOML"), ('dta = "x"', "Did you mean 'data'"), ("data = 3", "must be a folder in quotes")],
)
def test_a_wrong_config_says_what_is_wrong(home: Path, text: str, message: str) -> None:
    (home / "config.toml").write_text(text)
    with pytest.raises(ArgumentError, match=message):
        config_path("data")


def test_an_unknown_folder_is_refused(home: Path) -> None:
    key: Any = "wieghts"
    with pytest.raises(ArgumentError, match="Did you mean 'weights'"):
        config_path(key)


def test_pickles_come_back(tmp_path: Path) -> None:
    save_pickle(tmp_path / "a.pkl", {"x": L(1, 2)})
    assert load_pickle(str(tmp_path / "a.pkl")) == {"x": L(1, 2)}


def test_ls_lists_sorted_and_filtered(tmp_path: Path) -> None:
    for name in ("c.PNG", "a.txt", "d.csv", "e.jpg"):
        (tmp_path / name).touch()
    (tmp_path / "b").mkdir()

    def names(**options: Any) -> list[str]:
        return [path.name for path in path_ls(tmp_path, **options)]

    assert isinstance(path_ls(tmp_path), L)
    assert names() == ["a.txt", "b", "c.PNG", "d.csv", "e.jpg"]
    assert names(n_max=2) == ["a.txt", "b"]
    assert names(file_type="image") == ["c.PNG", "e.jpg"]
    assert names(file_type="image", n_max=1) == ["c.PNG"]
    assert names(file_exts=".csv") == ["d.csv"]
    assert names(file_exts=[".csv", ".TXT"]) == ["a.txt", "d.csv"]
    assert names(file_type="image", file_exts=".csv") == ["c.PNG", "d.csv", "e.jpg"]


def test_every_path_can_list_itself(extended_path: Any, tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    extend_path()
    assert extended_path(tmp_path).ls() == [tmp_path / "a"]
    assert type(tmp_path).ls is path_ls


def test_base_path_shortens_what_is_below_it(extended_path: Any, tmp_path: Path) -> None:
    plain = repr(tmp_path / "a.txt")
    assert plain == f"{type(tmp_path).__name__}({(tmp_path / 'a.txt').as_posix()!r})"
    extended_path.BASE_PATH = tmp_path
    assert repr(tmp_path / "b" / "a.txt") == "Path('b/a.txt')"
    assert repr(tmp_path.parent) == f"{type(tmp_path).__name__}({tmp_path.parent.as_posix()!r})"
    extended_path.BASE_PATH = None
    assert repr(tmp_path / "a.txt") == plain
