"""What all tests share: seeded, without a display, with a cache folder of their own, and two small image folders."""

from __future__ import annotations

import os
import random
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("MPLBACKEND", "Agg")
# Read when torch is imported. Several processes whose threads wait for each other on the same cores, and keep them
# busy while they wait, are ten times slower than one thread each.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import pytest
import torch
from hypothesis import settings
from PIL import Image

# The same examples in every run, and no deadline: the first call of a torch operation may be slow.
settings.register_profile("vivace", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("vivace")


@pytest.fixture(scope="session", autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing is read from or written to the person's own cache folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIVACE_HOME", str(tmp_path_factory.mktemp("vivace_home")))
        yield


@pytest.fixture(autouse=True)
def _clean_state() -> Iterator[None]:
    """Each test starts from the same random state and leaves no open figure."""
    random.seed(42)
    np.random.seed(42)
    torch.manual_seed(42)
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture(scope="session")
def _photo_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("photos") / "photos"
    rng = np.random.default_rng(0)
    for name, colour in {"red": (210, 50, 40), "green": (40, 180, 60), "blue": (50, 60, 220)}.items():
        (root / name).mkdir(parents=True)
        for number in range(12):
            height, width = 40 + 4 * (number % 3), 48 + 4 * (number % 4)
            pixels = np.array(colour) + rng.normal(0, 20, (height, width, 3))
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(root / name / f"{name}_{number:02d}.jpg")
    return root


@pytest.fixture
def photo_folder(_photo_source: Path, tmp_path: Path) -> Path:
    """A folder of its own: red/, green/, blue/ with 12 small jpg files each, of differing sizes."""
    return Path(shutil.copytree(_photo_source, tmp_path / "photos"))


@pytest.fixture(scope="session")
def _digits_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from sklearn.datasets import load_digits

    root = tmp_path_factory.mktemp("digits") / "digits"
    data = load_digits()
    for digit in range(10):
        pictures = data.images[data.target == digit][:60]
        for number, picture in enumerate(pictures):
            file = root / ("train" if number < 45 else "valid") / str(digit) / f"{number:03d}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.round(picture * (255 / 16)).astype(np.uint8)).save(file)
    return root


@pytest.fixture
def digits_folder(_digits_source: Path, tmp_path: Path) -> Path:
    """A folder of its own: train/<digit>/*.png (45 of each) and valid/<digit>/*.png (15), handwritten, 8 x 8 grey."""
    return Path(shutil.copytree(_digits_source, tmp_path / "digits"))


@pytest.fixture(scope="session")
def make_bert() -> Callable[[list[str], Path], Path]:
    """A function that writes a tiny untrained DistilBERT and a tokenizer of the texts, as `save_pretrained` does."""

    def make(texts: list[str], folder: Path) -> Path:
        tokenizers = pytest.importorskip("tokenizers")
        pytest.importorskip("transformers")
        from vivace.core.vision_shim import import_transformers

        transformers = import_transformers()
        made = tokenizers.BertWordPieceTokenizer(lowercase=True)
        made.train_from_iterator(texts, vocab_size=160, show_progress=False)
        special = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
        whole = transformers.PreTrainedTokenizerFast(tokenizer_object=made._tokenizer, model_max_length=48, **special)
        whole.save_pretrained(folder)
        size = {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64, "max_position_embeddings": 48}
        config = transformers.DistilBertConfig(vocab_size=made.get_vocab_size(), pad_token_id=0, **size)
        transformers.DistilBertForSequenceClassification(config).save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def _chromium() -> Iterator[Any]:
    """The browser, started once for all tests of a process."""
    sync_api = pytest.importorskip("playwright.sync_api")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no browser: `apt-get install chromium` enables these tests")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(_chromium: Any) -> Iterator[Any]:
    """An empty page of a headless browser; a script's error in it fails the test."""
    context = _chromium.new_context(viewport={"width": 1100, "height": 800})
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.set_default_timeout(20_000)
    yield page
    context.close()
    assert errors == []
