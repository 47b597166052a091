"""The README tells the truth: its Python runs, its files exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "docs/troubleshooting.md", "docs/glossary.md")]


def python_blocks(page: Path) -> list[str]:
    """The code of the page, one text per fenced block, each at its own line for tracebacks."""
    text = page.read_text("utf-8")
    return [
        "\n" * text[: found.start(1)].count("\n") + found[1]
        for found in re.finditer(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if python_blocks(page)], ids=lambda page: page.name)
def test_code_of_the_page_runs_from_top_to_bottom(
    page: Path, photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The blocks continue each other, as a reader would type them, on a small folder called `photos`."""
    monkeypatch.chdir(tmp_path)
    use_small_and_untrained_networks(monkeypatch)
    names: dict[str, object] = {"__name__": "readme"}
    for code in python_blocks(page):
        exec(compile(code, str(page), "exec"), names)


def use_small_and_untrained_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights may not be there, and a page's photos are large: everything else runs as it is written."""
    import vivace.vision.all as facade

    whole = facade.vision_learner

    def small(dls: object, arch: object, **options: object) -> object:
        return whole(dls, "resnet18", **{**options, "pretrained": False})

    monkeypatch.setattr(facade, "vision_learner", small)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_inside_the_repository_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)|src=\"([^\"]+)\"", page.read_text("utf-8"))
    local = [a or b for a, b in targets if not (a or b).startswith(("http://", "https://"))]
    assert [target for target in local if not (page.parent / target).exists()] == []


def test_first_screen_shows_the_two_commands_and_a_picture() -> None:
    first_screen = "\n".join((ROOT / "README.md").read_text("utf-8").splitlines()[:60])
    assert "make demo" in first_screen
    assert "make test" in first_screen
    assert "docs/images/" in first_screen


def test_commands_of_the_readme_exist() -> None:
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    text = "".join(block for language, block in blocks if language == "")
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^make ([a-z]+)", text, re.MULTILINE))
    assert {"demo", "test"} <= targets
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []
    commands = set(re.findall(r"^vivace ([a-z]+)", text, re.MULTILINE))
    assert "train" in commands
    for command in commands:
        subprocess.run([sys.executable, "-m", "vivace", command, "--help"], capture_output=True, check=True)
