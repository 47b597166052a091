"""Make the pictures of pages: the cleaner in JupyterLab, `vivace clean` and `vivace serve`.

python docs/make_page_pictures.py PHOTOS    PHOTOS holds photos of cats (Upper_1.jpg) and dogs (lower_1.jpg) by name
Needs chromium, playwright and the weights of tf_efficientnet_lite0 in $VIVACE_HOME/weights.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vivace.vision.all import *

IMAGES = Path(__file__).parent / "images"
NOTEBOOK = ["cleaner = ImageClassifierCleaner(learn, max_n=10)\ncleaner"]
SET_UP = """
from vivace.vision.all import *
dls = ImageDataLoaders.from_folder(Path("pets"), valid_pct=0.4, seed=1, item_tfms=Resize(224, "squish"), num_workers=2)
learn = load_learner("pets.viv"); learn.dls = dls
"""


def make_pets(photos: Path, folder: Path) -> Path:
    """Train a model on some photos, and lay others out as `pets/cat`, `pets/dog` with a few in the wrong folder."""
    files = get_image_files(photos).sorted()
    set_seed(42)
    dls = ImageDataLoaders.from_name_func(
        photos, files[::3], lambda f: "cat" if f[0].isupper() else "dog", item_tfms=Resize(224, "squish")
    )
    learn = vision_learner(dls, "tf_efficientnet_lite0", metrics=error_rate)
    learn.fit_one_cycle(1, 5e-3)
    learn.export(folder / "pets.viv")
    for number, file in enumerate(files[1::12]):
        right = "cat" if file.name[0].isupper() else "dog"
        wrong = {"cat": "dog", "dog": "cat"}[right]
        target = folder / "pets" / (wrong if number % 17 == 3 else right)
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    return folder


@contextmanager
def started(command: list[str], address: str, folder: Path) -> Iterator[str]:
    """Run a server; give the address that it prints."""
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            command, stdout=log, stderr=log, cwd=folder, env={**os.environ, "PYTHONUNBUFFERED": "1"}
        )
    try:
        for _ in range(600):
            found = re.search(address, (folder / "log").read_text())
            if found:
                break
            time.sleep(0.1)
        yield found[0]
    finally:
        server.terminate()


def picture_of_page(page: Any, folder: Path) -> None:
    command = [sys.executable, "-m", "vivace", "clean", "pets.viv", "pets", "--no-browser", "--page-size", "10"]
    with started(command, r"http://127.0.0.1:\S+", folder) as address:
        page.goto(address)
        cards = page.locator(".vv-card")
        cards.nth(2).wait_for()
        cards.nth(0).locator("select").select_option("dog")
        cards.nth(1).locator("select").select_option("dog")
        page.locator(".vv-card.vv-change").nth(1).wait_for()
        cards.nth(4).get_by_role("button", name="Delete").click()
        page.get_by_text("1 to delete, 2 to move").wait_for()
        page.wait_for_load_state("networkidle")
        page.screenshot(path=IMAGES / "clean_page.png")


def picture_of_serve(page: Any, folder: Path) -> None:
    command = [sys.executable, "-m", "vivace", "serve", "pets.viv", "--port", "0"]
    with started(command, r"http://127.0.0.1:\d+/", folder) as address:
        page.goto(address)
        photos = [
            next((folder / "pets" / kind).glob(f"{start}*.jpg")) for kind, start in (("cat", "Cat"), ("dog", "dog"))
        ]
        page.locator("#file").set_input_files(photos)
        page.locator(".bars").nth(1).wait_for()
        page.wait_for_timeout(500)
        page.screenshot(path=IMAGES / "serve.png", clip={"x": 0, "y": 0, "width": 1200, "height": 680})


def picture_of_notebook(page: Any, folder: Path) -> None:
    texts = [SET_UP.strip(), *NOTEBOOK]
    cells = [
        {"cell_type": "code", "id": f"c{i}", "source": text, "metadata": {}, "outputs": [], "execution_count": None}
        for i, text in enumerate(texts)
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    (folder / "clean.ipynb").write_text(
        json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5})
    )
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--IdentityProvider.token=t"]
    with started([*command, "--LabApp.news_url=None"], r"http://127.0.0.1:\d+/", folder) as address:
        for _ in range(100):
            try:
                urllib.request.urlopen(f"{address}api?token=t").close()
                break
            except OSError:
                time.sleep(0.1)
        page.goto(f"{address}lab/tree/clean.ipynb?token=t&reset")
        page.locator(".jp-CodeCell").nth(1).wait_for()
        page.wait_for_timeout(6000)
        page.keyboard.press("Control+B")  # away with the side bar
        page.locator(".jp-CodeCell").nth(0).locator(".jp-InputArea-editor").click()
        page.keyboard.press("Shift+Enter")
        page.keyboard.press("Shift+Enter")
        cards = page.locator(".vv-card")
        cards.nth(2).wait_for(timeout=180_000)
        cards.nth(0).locator("select").select_option("dog")
        page.locator(".vv-card.vv-change").wait_for()
        cards.nth(3).get_by_role("button", name="Delete").click()
        page.get_by_text("1 to delete, 1 to move").wait_for()
        news = page.get_by_role("button", name="No", exact=True)  # Jupyter asks this once
        if news.count():
            news.click()
        page.wait_for_timeout(1000)
        page.screenshot(path=IMAGES / "cleaner.png")


if __name__ == "__main__":
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = make_pets(Path(sys.argv[1]), Path(name))
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for draw in (picture_of_page, picture_of_serve, picture_of_notebook):
            draw(browser.new_page(viewport={"width": 1200, "height": 860}), folder)
