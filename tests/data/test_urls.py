"""The addresses that courses and books use."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from vivace.core.errors import ArgumentError
from vivace.data.archive import name_without_suffixes
from vivace.data.urls import URLs

ARCHIVES = {
    name: url
    for name, url in vars(URLs).items()
    if not name.startswith("_") and isinstance(url, str) and not url.endswith(("/", "-"))
}


def test_the_sets_of_the_book_are_there() -> None:
    book = "PETS MNIST MNIST_SAMPLE IMAGENETTE IMAGENETTE_160 ADULT_SAMPLE ML_100k IMDB CAMVID_TINY PASCAL_2007 "
    book += "BIWI_HEAD_POSE HUMAN_NUMBERS WIKITEXT_TINY CIFAR"
    assert set(book.split()) <= set(ARCHIVES)
    assert URLs.PETS.endswith("/fast-ai-imageclas/oxford-iiit-pet.tgz")


@pytest.mark.parametrize("name", ARCHIVES)
def test_each_address_leads_to_an_archive_on_the_web(name: str) -> None:
    parts = urlsplit(ARCHIVES[name])
    assert parts.scheme == "https"
    assert parts.hostname
    assert parts.path.endswith((".tgz", ".zip"))


def test_no_two_sets_would_share_a_folder() -> None:
    folders = [name_without_suffixes(Path(url).name) for url in ARCHIVES.values()]
    assert len(folders) == len(set(folders))


def test_path_is_where_a_download_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIVACE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert URLs.path(URLs.PETS) == tmp_path / "home" / "archive" / "oxford-iiit-pet.tgz"
    assert URLs.path("https://x.org/w.pth?raw=1", c_key="model") == tmp_path / "home" / "models" / "w.pth"


def test_path_prefers_a_file_beside_the_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "oxford-iiit-pet.tgz").touch()
    assert URLs.path(URLs.PETS) == tmp_path / "data" / "oxford-iiit-pet.tgz"


def test_path_of_an_unknown_kind_says_what_is_known() -> None:
    with pytest.raises(ArgumentError, match="archive"):
        URLs.path(URLs.PETS, c_key="archives")  # type: ignore[arg-type]
