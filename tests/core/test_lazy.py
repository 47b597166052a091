"""Modules that are imported on first use, and the message when one is missing."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import pytest

from vivace.core.errors import MissingPackageError
from vivace.core.lazy import LazyModule, require


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package that nobody has imported."""
    (tmp_path / "never_seen.py").write_text("class Thing: pass\nvalue = 3\n")
    (tmp_path / "half_there.py").write_text("import surely_not_installed\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    return "never_seen"


def test_nothing_is_imported_before_first_use(package: str) -> None:
    lazy = LazyModule(package)
    assert "on first use" in repr(lazy)
    assert not hasattr(lazy, "__wrapped__")
    assert package not in sys.modules
    assert lazy.value == 3
    assert package in sys.modules
    assert repr(lazy) == "<lazy module 'never_seen', imported>"


def test_it_behaves_as_the_module(package: str) -> None:
    lazy = LazyModule(package)
    assert isinstance(lazy.Thing(), lazy.Thing)
    assert "Thing" in dir(lazy)
    lazy.value = 4
    assert sys.modules[package].value == 4
    del lazy.value
    assert not hasattr(sys.modules[package], "value")


def test_it_pickles_by_name() -> None:
    lazy = pickle.loads(pickle.dumps(LazyModule("json", extra="notebook")))
    assert isinstance(lazy, LazyModule)
    assert lazy.dumps([1]) == "[1]"


def test_a_missing_package_names_the_extra() -> None:
    with pytest.raises(MissingPackageError, match=r'`surely_not_installed` is needed for maps .*"vivace\[text\]"'):
        require("surely_not_installed.sub", extra="text", purpose="maps")
    with pytest.raises(ImportError, match="pip install surely_not_installed"):
        require("surely_not_installed")
    with pytest.raises(MissingPackageError, match=r"vivace\[text\]"):
        _ = LazyModule("surely_not_installed", extra="text").anything


def test_a_missing_package_of_another_package_is_told_as_it_is(package: str) -> None:
    with pytest.raises(ModuleNotFoundError, match="surely_not_installed") as caught:
        require("half_there")
    assert not isinstance(caught.value, MissingPackageError)
