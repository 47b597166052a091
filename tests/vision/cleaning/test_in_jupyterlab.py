"""The cleaner where people use it: in JupyterLab, in a browser, with a kernel of its own."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("anywidget")
pytest.importorskip("jupyterlab")

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TOKEN = "a-token-of-this-test"
SET_UP = """
import warnings; warnings.simplefilter("ignore")
from vivace.vision.all import *
dls = ImageDataLoaders.from_folder(
    Path("photos"), valid_pct=0.4, seed=1, item_tfms=Resize(16), bs=8, num_workers=0, device="cpu"
)
model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 3))
learn = Learner(dls, model)
cleaner = ImageClassifierCleaner(learn, max_n=4)
cleaner
"""
ASK = """
print("deleted:", [cleaner.fns[i].name for i in cleaner.delete()])
print("changed:", [(cleaner.fns[i].name, c) for i, c in cleaner.change()])
print("all:", sorted((m.file.name, m.choice) for m in cleaner.marked()))
"""


def cell(source: str, number: int) -> dict[str, object]:
    return {
        "cell_type": "code",
        "id": f"cell-{number}",
        "source": source.strip(),
        "metadata": {},
        "outputs": [],
        "execution_count": None,
    }


@pytest.fixture
def lab(photo_folder: Path, tmp_path: Path) -> Iterator[str]:
    """The address of a JupyterLab whose folder holds a notebook and the photos."""
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = {"cells": [cell(SET_UP, 0), cell(ASK, 1)], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "clean.ipynb").write_text(json.dumps(notebook))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"]
    command += [f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={tmp_path}", "--ServerApp.port_retries=0"]
    command += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", "--LabApp.news_url=None"]
    own = {f"JUPYTER_{name}_DIR": str(tmp_path / "jupyter" / name) for name in ("CONFIG", "RUNTIME")}
    with (tmp_path / "lab.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **own})
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{address}/api?token={TOKEN}", timeout=5).close()
                break
            except OSError:
                assert server.poll() is None, (tmp_path / "lab.log").read_text()
                time.sleep(0.25)
        yield f"{address}/lab/tree/clean.ipynb?token={TOKEN}&reset"
    finally:
        server.terminate()
        server.wait(20)
        shutil.rmtree(tmp_path / "jupyter", ignore_errors=True)


def run_cell(page, number: int) -> None:
    """Press Control+Enter in a cell until JupyterLab takes notice; it may still be connecting to the kernel."""
    one = page.locator(".jp-Notebook .jp-CodeCell").nth(number)
    prompt = one.locator(".jp-InputPrompt")
    for _ in range(20):
        one.locator(".jp-InputArea-editor").click()
        page.keyboard.press("Control+Enter")
        for _ in range(20):
            if prompt.text_content() != "[ ]:":
                return
            page.wait_for_timeout(100)
    raise AssertionError("JupyterLab did not run the cell.")


def test_marks_survive_and_indices_are_right(page, lab):
    page.set_default_timeout(60_000)
    page.goto(lab)
    page.locator(".jp-Notebook .jp-CodeCell").nth(1).wait_for()
    page.locator(".jp-Notebook-ExecutionIndicator[data-status='idle']").wait_for(state="attached")
    run_cell(page, 0)
    cards = page.locator(".vv-cleaner .vv-card")
    cards.nth(3).wait_for()
    names = cards.locator("figcaption").all_text_contents()
    assert len(names) == 4 and all(name.startswith("blue") for name in names)

    cards.nth(1).get_by_role("button", name="Delete").click()
    page.get_by_text("1 to delete, 0 to move").wait_for()
    cards.nth(2).locator("select").select_option("red")
    page.get_by_text("1 to delete, 1 to move").wait_for()

    page.get_by_label("Category").select_option("green")
    cards.locator("figcaption", has_text="green").first.wait_for()
    page.get_by_label("Data set").select_option("Valid")
    page.get_by_text("2 of them not in this list").wait_for()
    cards.nth(0).get_by_role("button", name="Delete").click()
    page.get_by_text("2 to delete, 1 to move").wait_for()

    page.get_by_label("Data set").select_option("Train")
    page.get_by_label("Category").select_option("blue")
    page.locator(".vv-card.vv-delete figcaption", has_text=names[1]).wait_for()
    assert cards.locator("figcaption").all_text_contents() == names
    assert page.locator(".vv-card.vv-delete figcaption").all_text_contents() == [names[1]]
    assert page.locator(".vv-card.vv-change figcaption").all_text_contents() == [names[2]]

    run_cell(page, 1)
    output = page.locator(".jp-Notebook .jp-CodeCell").nth(1).locator(".jp-OutputArea-output")
    output.wait_for()
    said = output.text_content()
    assert f"deleted: ['{names[1]}']" in said and f"changed: [('{names[2]}', 'red')]" in said
    assert said.count("<Delete>") == 2 and said.count("'red'") == 2

    page.get_by_role("button", name="Undo", exact=True).click()  # the latest: the one among the green ones
    page.get_by_text("1 to delete, 1 to move").wait_for()
    cards.locator("figcaption", has_text="green").first.wait_for()
