"""Small texts, small models and their Learners."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from vivace.core.randomness import set_seed
from vivace.text.data import TextDataLoaders
from vivace.text.learner import LMLearner, TextLearner, language_model_learner, text_classifier_learner
from vivace.text.models.awdlstm import AWD_LSTM, awd_lstm_clas_config, awd_lstm_lm_config

SMALL = {"emb_sz": 12, "n_hid": 16, "n_layers": 2}
GOOD, BAD = ["great", "lovely", "superb"], ["awful", "boring", "poor"]


@pytest.fixture(scope="session")
def lm_config() -> dict[str, Any]:
    """Settings of a small language model."""
    return {**awd_lstm_lm_config, **SMALL}


@pytest.fixture(scope="session")
def clas_config() -> dict[str, Any]:
    """Settings of a small classifier."""
    return {**awd_lstm_clas_config, **SMALL}


@pytest.fixture(scope="session")
def films() -> pd.DataFrame:
    """Short texts on films, good and bad ones by turns; the last quarter validates."""
    draw, rows = random.Random(0), []
    for i in range(48):
        words = GOOD if i % 2 else BAD
        text = f"This film was {draw.choice(words)} and {'really ' * draw.randint(1, 4)}{draw.choice(words)}."
        rows.append({"text": text, "label": "pos" if i % 2 else "neg", "is_valid": i >= 36, "stars": i % 2 * 4.0 + 1})
    return pd.DataFrame(rows)


@pytest.fixture
def make_lm(films: pd.DataFrame, lm_config: dict[str, Any], tmp_path: Path) -> Callable[..., LMLearner]:
    """Make a Learner of a small language model."""

    def make(**settings: Any) -> LMLearner:
        set_seed(1)
        dls = TextDataLoaders.from_df(
            films, path=tmp_path, text_col="text", is_lm=True, valid_col="is_valid", bs=4, seq_len=9, min_freq=1
        )
        return language_model_learner(dls, AWD_LSTM, **{"config": lm_config, "pretrained": False, **settings})

    return make


@pytest.fixture
def make_classifier(films: pd.DataFrame, clas_config: dict[str, Any], tmp_path: Path) -> Callable[..., TextLearner]:
    """Make a Learner of a small classifier."""

    def make(text_vocab: Any = None, **settings: Any) -> TextLearner:
        set_seed(1)
        dls = TextDataLoaders.from_df(
            films, path=tmp_path, text_col="text", label_col="label", valid_col="is_valid", bs=6, text_vocab=text_vocab,
            min_freq=1,
        )  # fmt: skip
        return text_classifier_learner(dls, AWD_LSTM, **{"config": clas_config, "pretrained": False, **settings})

    return make
