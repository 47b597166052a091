"""Rules of the house that no tool checks by itself."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "vivace"
SOURCES = sorted(PACKAGE.rglob("*.py"))
TEXTS = [
    file
    for pattern in ("src/**/*.py", "tests/**/*.py", "examples/*.py", "docs/**/*.md", "docs/*.py", "*.md", "Makefile")
    for file in ROOT.glob(pattern)
]


def module_name(file: Path) -> str:
    """`src/vivace/core/types.py` -> `vivace.core.types`."""
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def listed_names(file: Path) -> list[str] | None:
    """The names in `__all__` as written, or None without one."""
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            return list(ast.literal_eval(node.value))
    return None


A_MACHINES_PATH = re.compile(r"""(?:^|[\s"'(`])(/(?:home|root|Users|work|mnt|opt)/\w[^\s"'`)]*)""", re.MULTILINE)


def relative(file: Path) -> str:
    """The name that a failing test shows."""
    return str(file.relative_to(ROOT))


LISTING = [file for file in SOURCES if listed_names(file) is not None]


FACADES = {PACKAGE / "basics.py", *PACKAGE.glob("*/all.py")}  # lists of names, however long


@pytest.mark.parametrize("file", [file for file in SOURCES if file not in FACADES], ids=relative)
def test_a_file_has_one_subject_and_less_than_600_lines(file: Path) -> None:
    assert len(file.read_text("utf-8").splitlines()) < 600, "split it: one subject a file"


@pytest.mark.parametrize("file", SOURCES, ids=relative)
def test_a_file_says_what_it_is(file: Path) -> None:
    assert ast.get_docstring(ast.parse(file.read_text("utf-8")))


@pytest.mark.parametrize("file", SOURCES, ids=relative)
def test_a_module_lists_its_public_names(file: Path) -> None:
    if file.name in ("__init__.py", "__main__.py"):
        return
    assert file in LISTING, "say what is public: __all__ = [...]"


@pytest.mark.parametrize("file", LISTING, ids=relative)
def test_public_names_are_sorted_without_repeats(file: Path) -> None:
    names = listed_names(file)
    assert names is not None
    assert names == sorted(set(names))


@pytest.mark.parametrize("file", LISTING, ids=relative)
def test_public_names_exist(file: Path) -> None:
    module = importlib.import_module(module_name(file))
    assert [name for name in listed_names(file) or [] if not hasattr(module, name)] == []


@pytest.mark.parametrize("file", TEXTS, ids=relative)
def test_no_text_holds_a_path_of_someones_machine(file: Path) -> None:
    found = re.findall(
        r"""(?:^|[\s"'(`])(/(?:home|root|Users|work|mnt|opt)/\w[^\s"'`)]*)""", file.read_text("utf-8"), re.M
    )
    assert found == []


def test_package_is_marked_as_typed() -> None:
    assert (PACKAGE / "py.typed").is_file()


def test_importing_vivace_loads_no_torch() -> None:
    code = "import sys, vivace, vivace.app.cli; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_constraints_pin_every_dependency() -> None:
    pinned = {
        re.split(r"==", line)[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {re.split(r"[<>=!~\[; ]", requirement)[0].lower().replace("_", "-") for requirement in wanted}
    assert names - pinned == {"vivace"}  # the extras, asked for by `dev`


def test_torch_has_no_upper_bound() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    torch_requirement = next(line for line in project["dependencies"] if line.startswith("torch>"))
    assert "<" not in torch_requirement
    assert "==" not in torch_requirement
