"""The README and the pages tell the truth: their Python runs and prints what stands there, their files exist."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from itertools import zip_longest
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
RUN = "README troubleshooting glossary vision_tasks text text_models tabular collab".split()


def python_blocks(page: Path) -> list[tuple[str, str]]:
    """The code of the page, one text per fenced block, each at its own line for tracebacks; and what it says it prints.

    What a block prints stands below it, in a block of the language `text`.
    """
    text = page.read_text("utf-8")
    fences = re.finditer(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```)?", text, re.MULTILINE | re.DOTALL)
    return [("\n" * text[: found.start(1)].count("\n") + found[1], found[2] or "") for found in fences]


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if page.stem in RUN], ids=lambda page: page.name)
def test_code_of_the_page_runs_from_top_to_bottom(
    page: Path,
    photo_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    make_bert: Callable[[list[str], Path], Path],
) -> None:
    """The blocks continue each other, as a reader would type them, on a small folder called `photos`."""
    monkeypatch.chdir(tmp_path)
    use_small_and_untrained_networks(monkeypatch)
    if "distilbert" in page.read_text("utf-8"):
        make_bert(["the film was good", "the plot was dull"] * 10, tmp_path / "distilbert-base-uncased")
    names: dict[str, object] = {"__name__": "readme"}
    for code, promised in python_blocks(page):
        capsys.readouterr()
        exec(compile(code, str(page), "exec"), names)
        printed = capsys.readouterr().out
        missing = [line for line in promised.splitlines() if not any(map(partial(says, line), printed.splitlines()))]
        assert missing == [], printed


def says(promised: str, printed: str) -> bool:
    """Whether two lines say the same; numbers with a fraction come out of training, a tenth off on other machines."""
    pairs = list(zip_longest(promised.split(), printed.split(), fillvalue=""))
    return all(one == other or is_close(one, other) for one, other in pairs)


def is_close(one: str, other: str) -> bool:
    are_numbers = all(re.fullmatch(r"-?\d+\.\d+", text) for text in (one, other))
    return are_numbers and float(one) == pytest.approx(float(other), rel=0.1)


def use_small_and_untrained_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights may not be there, and a page's networks are large: everything else runs as it is written."""
    import vivace.vision.all as facade

    for name in ("vision_learner", "unet_learner"):

        def small(dls: object, arch: object, whole: object = getattr(facade, name), **options: object) -> object:
            return whole(dls, "test_resnet", **{**options, "pretrained": False})

        monkeypatch.setattr(facade, name, small)


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
