"""Weights from another vocabulary: where they are, what they are called, and how they are fitted to new words."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vivace.core.errors import ArgumentError, DataError, DownloadError, UnsafeFileError
from vivace.data.download import untar_data
from vivace.data.urls import URLs
from vivace.training.checkpoint import read_state

from .rules import PAD
from .tokenizer import TextTransform

__all__ = [
    "clean_raw_keys",
    "download_pretrained",
    "encoder_weights",
    "find_file",
    "match_embeds",
    "pad_idx_of",
    "read_vocab",
    "read_weights",
    "text_vocab",
    "tokenizer_of",
]

WEIGHT_SUFFIXES, VOCAB_SUFFIXES = (".pth", ".safetensors"), (".pkl", ".json", ".txt")

_COPY = "encoder_dp.emb.weight"
_WORD_ROWS = ("encoder.weight", _COPY, "decoder.weight", "decoder.bias")
_DROPPED_WEIGHT = re.compile(r"weight_hh_l\d+(_reverse)?$")


# ---------------------------------------------------------------------- files
def download_pretrained(backwards: bool = False) -> tuple[Path, Path]:
    """Return the files of weights and words of a language model of English (Wikitext 103), fetched once.

    They lie in the folder `wt103-fwd` (`wt103-bwd`) of the models in `$VIVACE_HOME`.

    Args:
        backwards: of the model that reads from the end to the beginning.

    Raises:
        DownloadError: they cannot be had; the message says how to do without.
        DataError: the folder lacks one of the two.
    """
    url = URLs.WT103_BWD if backwards else URLs.WT103_FWD
    try:
        folder = untar_data(url, c_key="model")
    except DownloadError as error:
        raise DownloadError(
            f"No pretrained weights for AWD_LSTM. {error}\nOr give your own files, pretrained_fnames=[weights, words]; "
            "or start from nothing, pretrained=False."
        ) from error
    return _one_file(folder, WEIGHT_SUFFIXES), _one_file(folder, VOCAB_SUFFIXES)


def _one_file(folder: Path, suffixes: Sequence[str]) -> Path:
    found = [file for suffix in suffixes for file in sorted(folder.glob(f"*{suffix}"))]
    if not found:
        raise DataError(f"{folder} should hold a language model, but no file in it ends with {' or '.join(suffixes)}.")
    return found[0]


def find_file(name: str | Path, folder: Path, suffixes: Sequence[str]) -> Path:
    """Return the file `name`: a path, or a name in `folder` with or without one of the endings.

    Raises:
        DataError: there is none.
    """
    candidates = [*(folder / f"{name}{suffix}" for suffix in suffixes), folder / name, Path(name)]
    found = next((c for c in candidates if c.is_file()), None)
    if found is None:
        raise DataError(f"There is no file {name!r}: looked for {', '.join(str(c) for c in candidates)}.")
    return found


class _Words(list[Any]):
    """What a list of vivace or fastai becomes when it is read."""

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict) and isinstance(state.get("items"), list):
            self[:] = state["items"]


class _WordsUnpickler(pickle.Unpickler):
    """Reads lists of texts and nothing else: a pickle that asks for anything that could run is refused."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in {("vivace.core.collection", "L"), ("fastcore.foundation", "L")}:
            return _Words
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


def read_vocab(file: str | Path) -> list[str]:
    """Return the words of a vocabulary: a list in a `.json` or `.pkl` file, or a line each in a `.txt` file.

    Of a pickle only lists and texts are read; nothing in it is executed.

    Raises:
        DataError: there is no such file, or it holds something else.
        UnsafeFileError: the pickle asks for more.
    """
    path = Path(file)
    try:
        if path.suffix == ".pkl":
            with path.open("rb") as handle:
                words = _WordsUnpickler(handle).load()
        elif path.suffix == ".json":
            words = json.loads(path.read_text("utf-8"))
        else:
            words = path.read_text("utf-8").splitlines()
    except OSError as error:
        raise DataError(f"The vocabulary {path} cannot be read: {error}") from error
    except pickle.UnpicklingError as error:
        raise UnsafeFileError(
            f"{path} is no plain list of words ({error}), so it was not loaded; nothing in it was executed. "
            "Write the list as JSON where you trust the file."
        ) from None
    except (ValueError, EOFError, IndexError, KeyError) as error:
        raise DataError(f"{path} is damaged or no vocabulary: {error}") from error
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise DataError(f"{path} holds a {type(words).__name__}, where a list of words was expected.")
    return list(words)


def read_weights(file: str | Path, device: torch.device | str | int | None = None) -> dict[str, Tensor]:
    """Return the weights in a file that `save`, `save_encoder` or fastai wrote, under the names they have today.

    Raises:
        DataError: there is no such file, or it is damaged.
        UnsafeFileError: it holds more than tensors and plain values; nothing of it was executed.
    """
    state = read_state(Path(file), device)
    if isinstance(state.get("model"), Mapping):
        state = state["model"]
    return clean_raw_keys(state)


# ---------------------------------------------------------------------- names
def clean_raw_keys(wgts: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights without the copies of fastai's files: of dropped weights and of the embedding."""

    def raw_of(name: str) -> str:
        layer, _, weight = name.rpartition(".module.")
        return f"{layer}.{weight}_raw"

    copies = {k for k in wgts if k.endswith(_COPY) or (_DROPPED_WEIGHT.search(k) and raw_of(k) in wgts)}
    return {k: v for k, v in wgts.items() if k not in copies}


def encoder_weights(wgts: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the encoder's weights by its own names, out of those of a language model, a classifier or an encoder."""
    is_whole_model = any(name.startswith("0.") for name in wgts)
    names = [name for name in wgts if name.startswith("0.")] if is_whole_model else list(wgts)
    return {name.removeprefix("0.").removeprefix("module."): wgts[name] for name in names}


# ---------------------------------------------------------------------- words
def text_vocab(dls: Any) -> list[str]:
    """Return the words of `dls`, whose vocabulary is that of the texts or a list that begins with it.

    Raises:
        ArgumentError: there are none.
    """
    vocab: Any = getattr(dls, "vocab", None)
    if vocab and not isinstance(vocab[0], str):
        vocab = vocab[0]
    if not vocab or isinstance(vocab, str):
        raise ArgumentError(
            "This data has no vocabulary of words: make it with TextDataLoaders, or a DataBlock with a TextBlock."
        )
    return list(vocab)


def tokenizer_of(dls: Any) -> TextTransform | None:
    """Return the transform that splits the texts of `dls`, if there is one."""
    parts = getattr(getattr(dls, "train_ds", None), "tls", [])
    return next((t for part in parts for t in part.tfms if isinstance(t, TextTransform)), None)


def pad_idx_of(dls: Any) -> int:
    """Return the number of the padding: what the loaders pad with, else the place of `xxpad` among the words."""
    for transform in getattr(getattr(dls, "train", None), "before_batch", ()):
        if hasattr(transform, "pad_idx"):
            return int(transform.pad_idx)
    words = text_vocab(dls)
    return words.index(PAD) if PAD in words else 1


def match_embeds(old_wgts: dict[str, Tensor], old_vocab: Sequence[str], new_vocab: Sequence[str]) -> dict[str, Tensor]:
    """Return weights whose rows stand for the words of `new_vocab`; words that the old one lacks get the mean row.

    Args:
        old_wgts: of a language model (names begin with `0.` and `1.`) or an encoder.
        old_vocab: what its rows stand for.
        new_vocab: what they shall stand for.

    Raises:
        DataError: there are not as many rows as words in `old_vocab`.
    """
    row_of = {word: row for row, word in enumerate(old_vocab)}
    rows = torch.tensor([row_of.get(word, -1) for word in new_vocab])
    matched = dict(old_wgts)
    for name, value in old_wgts.items():
        if not name.endswith(_WORD_ROWS):
            continue
        if len(value) != len(old_vocab):
            raise DataError(
                f"{name} has {len(value)} rows for {len(old_vocab)} words: these files do not belong together."
            )
        new = value[rows.clamp(min=0).to(value.device)]
        new[(rows < 0).to(value.device)] = value.mean(0)
        matched[name] = new
    if "1.decoder.bias" in matched:  # tied to the embedding, and so perhaps not in the file
        matched.setdefault("1.decoder.weight", matched["0.encoder.weight"])
    return matched
