"""What every kind of data promises: a trained model goes into one file, and predicts the same wherever it is loaded."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from vivace.collab import CollabDataLoaders, collab_learner
from vivace.core.array_image import ArrayImage
from vivace.core.randomness import set_seed
from vivace.data.block import CategoryBlock, DataBlock, MultiCategoryBlock, RegressionBlock, TransformBlock
from vivace.data.items import ItemGetter
from vivace.data.splits import IndexSplitter
from vivace.data.transforms import IntToFloatTensor, Normalize
from vivace.tabular.data import TabularDataLoaders
from vivace.tabular.learner import tabular_learner
from vivace.tabular.procs import Categorify, FillMissing
from vivace.text.data import TextDataLoaders
from vivace.text.learner import language_model_learner, text_classifier_learner
from vivace.text.models.awdlstm import AWD_LSTM, awd_lstm_clas_config, awd_lstm_lm_config
from vivace.training.learner import Learner
from vivace.training.losses import MSELossFlat
from vivace.vision.augment import Resize
from vivace.vision.blocks import BBoxBlock, ImageBlock, MaskBlock, PointBlock
from vivace.vision.learner import unet_learner, vision_learner

HERE = Path(__file__).parent
HEIGHT, WIDTH = 18, 24
PROCS = [Categorify, FillMissing, Normalize]

# A trained Learner, and something new to predict, as JSON holds it.
Task = tuple[Any, Any]


# ---------------------------------------------------------------------- pictures
def pictures(folder: Path, blocks: Any, get_y: Callable[[int], Any], items: Any = None, **options: Any) -> Any:
    """Loaders of eight small pictures, `0.png` to `7.png`, or of other items; `get_y` takes the number."""
    files = [folder / f"{i}.png" for i in range(8)]
    for i, file in enumerate(files):
        pixels = np.random.default_rng(i).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(file)
    items = files if items is None else items
    number = {item: i for i, item in enumerate(items)}
    block = DataBlock(blocks, get_y=lambda item: get_y(number[item]), splitter=IndexSplitter([6, 7]), **options)
    return block.dataloaders(items, bs=4, path=folder)


def parity(i: int) -> str:
    return "odd" if i % 2 else "even"


def one_label(folder: Path) -> Task:
    dls = pictures(folder, (ImageBlock, CategoryBlock), parity, item_tfms=Resize(16))
    return vision_learner(dls, "test_resnet", pretrained=False), str(folder / "7.png")


def several_labels(folder: Path) -> Task:
    dls = pictures(folder, (ImageBlock, MultiCategoryBlock), lambda i: [["cat"], ["cat", "dog"], [], ["dog"]][i % 4])
    return vision_learner(dls, "test_resnet", pretrained=False), str(folder / "7.png")


def masks(folder: Path) -> Task:
    def mask_of(i: int) -> Any:
        return (np.asarray(Image.open(folder / f"{i}.png"))[..., 0] > 128).astype(np.uint8)

    dls = pictures(folder, (ImageBlock, MaskBlock(["no", "yes"])), mask_of)
    return unet_learner(dls, "test_efficientnet", pretrained=False), str(folder / "7.png")


def points(folder: Path) -> Task:
    dls = pictures(folder, (ImageBlock, PointBlock), lambda i: [(i + 1, 2), (3, i + 4)])
    return vision_learner(dls, "test_resnet", pretrained=False, y_range=(-1, 1)), str(folder / "7.png")


def boxes(folder: Path) -> Task:
    dls = pictures(folder, (ImageBlock, BBoxBlock), lambda i: [(1, 2, i + 5, i + 6)])
    loss = MSELossFlat()
    return vision_learner(dls, "test_resnet", pretrained=False, n_out=4, loss_func=loss), str(folder / "7.png")


def numbers(folder: Path) -> Task:
    dls = pictures(folder, (ImageBlock, RegressionBlock(n_out=2)), lambda i: (i, i + 1))
    return vision_learner(dls, "test_resnet", pretrained=False, y_range=(0, 10)), str(folder / "7.png")


def picture_to_picture(folder: Path) -> Task:
    blocks = (ImageBlock, ImageBlock)
    dls = pictures(folder, blocks, lambda i: folder / f"{7 - i}.png", batch_tfms=Normalize.from_stats([0.5], [0.25]))
    return unet_learner(dls, "test_efficientnet", pretrained=False), str(folder / "7.png")


def two_inputs(folder: Path) -> Task:
    from own_pair import Beside

    getters = {"get_x": [ItemGetter(0), ItemGetter(1)], "n_inp": 2}
    dls = pictures(folder, (ImageBlock, ImageBlock, CategoryBlock), parity, pairs_of_files(folder), **getters)
    return Learner(dls, Beside()), [str(folder / "7.png"), str(folder / "2.png")]


def pairs_of_files(folder: Path) -> list[tuple[Path, Path]]:
    return [(folder / f"{i}.png", folder / f"{7 - i}.png") for i in range(8)]


def pair_of_own_type(folder: Path) -> Task:
    from own_pair import Compare, Pair

    blocks = (TransformBlock(type_tfms=Pair.create, batch_tfms=IntToFloatTensor), CategoryBlock)
    dls = pictures(folder, blocks, parity, pairs_of_files(folder))
    return Learner(dls, Compare()), [str(folder / "7.png"), str(folder / "2.png")]


def five_channels(folder: Path) -> Task:
    files = [folder / f"{i}.npy" for i in range(8)]
    for i, file in enumerate(files):
        np.save(file, np.random.default_rng(i).integers(0, 65536, (HEIGHT, WIDTH, 5)).astype(np.uint16))
    blocks, tfms = (ImageBlock(ArrayImage), CategoryBlock), {"item_tfms": Resize(16), "batch_tfms": Normalize()}
    dls = pictures(folder, blocks, parity, files, **tfms)
    return vision_learner(dls, "test_resnet", pretrained=False), str(folder / "7.npy")


# ---------------------------------------------------------------------- tables and ratings
def people() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"work": rng.choice(["office", "field"], 60), "age": rng.integers(17, 80, 60).astype(float)})
    frame.loc[::9, "age"] = np.nan
    return frame.assign(pay=np.where(frame.work == "office", "high", "low"), rent=frame.age.fillna(40) / 10)


def table(folder: Path, target: str) -> Task:
    common = {"procs": PROCS, "cat_names": ["work"], "cont_names": ["age"], "bs": 16, "path": folder}
    dls = TabularDataLoaders.from_df(people(), y_names=target, **common)
    return tabular_learner(dls, [8]), {"work": "at sea", "age": None}


def ratings(folder: Path, use_nn: bool) -> Task:
    rows = [(f"user {i % 12}", f"film {i % 7}", float(i % 5 + 1)) for i in range(84)]
    dls = CollabDataLoaders.from_df(pd.DataFrame(rows, columns=["user", "film", "rating"]), bs=16, path=folder)
    return collab_learner(dls, n_factors=4, use_nn=use_nn, y_range=(0, 6)), {"user": "user 3", "film": "film 2"}


# ---------------------------------------------------------------------- texts
SIZE = {"emb_sz": 12, "n_hid": 16, "n_layers": 2}


def reviews() -> pd.DataFrame:
    text = [f"This film was {word} and really {word}." for word in ("great", "awful", "lovely", "boring")]
    return pd.DataFrame({"text": text * 6, "label": ["pos", "neg"] * 12, "is_valid": [False] * 16 + [True] * 8})


def language_model(folder: Path) -> Task:
    columns = {"text_col": "text", "valid_col": "is_valid"}
    dls = TextDataLoaders.from_df(reviews(), **columns, is_lm=True, path=folder, bs=4, seq_len=9)
    learn = language_model_learner(dls, AWD_LSTM, config={**awd_lstm_lm_config, **SIZE}, pretrained=False)
    return learn, "This film"


def classifier(folder: Path) -> Task:
    columns = {"text_col": "text", "label_col": "label", "valid_col": "is_valid"}
    dls = TextDataLoaders.from_df(reviews(), **columns, path=folder, bs=8)
    learn = text_classifier_learner(dls, AWD_LSTM, config={**awd_lstm_clas_config, **SIZE}, pretrained=False)
    return learn, "A lovely film, a GREAT one"


TASKS: dict[str, Callable[[Path], Task]] = {
    "one label": one_label,
    "several labels": several_labels,
    "masks": masks,
    "points": points,
    "boxes": boxes,
    "numbers": numbers,
    "picture to picture": picture_to_picture,
    "two inputs": two_inputs,
    "two inputs of an own type": pair_of_own_type,
    "five channels of 16 bits": five_channels,
    "classes of rows": lambda folder: table(folder, "pay"),
    "numbers of rows": lambda folder: table(folder, "rent"),
    "ratings by factors": lambda folder: ratings(folder, use_nn=False),
    "ratings by a network": lambda folder: ratings(folder, use_nn=True),
    "language model": language_model,
    "texts": classifier,
}


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_a_process_that_did_not_train_predicts_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_bert: Callable[..., Path]
) -> None:
    """One process for all: most of its time goes into imports."""
    monkeypatch.syspath_prepend(HERE)
    answer = runpy.run_path(str(HERE / "fresh_process.py"))["answer"]

    def hugging_face(folder: Path) -> Task:
        model = make_bert(list(reviews().text), folder / "bert")
        dls = TextDataLoaders.from_df(reviews(), valid_col="is_valid", path=folder, bs=8, tokenizer=model)
        return text_classifier_learner(dls, model), "A lovely film"

    items, wanted = {}, {}
    for name, make in {**TASKS, "texts by Hugging Face": hugging_face}.items():
        set_seed(3)
        (tmp_path / name).mkdir()
        learn, items[name] = make(tmp_path / name)
        with learn.no_bar(), learn.no_logging():
            learn.fit(1, 1e-3)
        learn.export(tmp_path / f"{name}.pkl")
        wanted[name] = answer(learn, items[name])
    (tmp_path / "items.json").write_text(json.dumps(items))
    done = subprocess.run(
        [sys.executable, "-W", "error", HERE / "fresh_process.py", tmp_path],
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert list(found) == list(wanted)
    assert {name: found[name] for name in found if not _is_same(found[name], wanted[name])} == {}


def _is_same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two answers agree; numbers may differ by rounding."""
    is_said = (one["type"], one["words"]) == (other["type"], other["words"])
    return is_said and all(np.allclose(a, b, atol=1e-4) for a, b in zip(one["numbers"], other["numbers"], strict=True))
