"""Small Learners for the tests of training: a line to fit, and three classes of points."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import TensorDataset

from vivace.data.loaders import DataLoaders
from vivace.training.learner import Learner

MakeLearner = Callable[..., Learner]


@pytest.fixture
def line_learner(tmp_path: Path) -> MakeLearner:
    """Make a Learner that fits y = 2x + 3: 8 training batches of 8 and 2 validation batches, in order."""

    def make(
        model: nn.Module | None = None, *, n: int = 64, bs: int = 8, shuffle: bool = False, **settings: Any
    ) -> Learner:
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(n + 16, 1, generator=generator)
        y = 2 * x + 3 + 0.05 * torch.randn(n + 16, 1, generator=generator)
        train, valid = TensorDataset(x[:n], y[:n]), TensorDataset(x[n:], y[n:])
        dls = DataLoaders.from_dsets(train, valid, bs=bs, shuffle=shuffle, drop_last=False, device="cpu", path=tmp_path)
        torch.manual_seed(1)
        settings = {"loss_func": F.mse_loss, "opt_func": torch.optim.SGD, **settings}
        return Learner(dls, nn.Linear(1, 1) if model is None else model, **settings)

    return make


@pytest.fixture
def class_learner(tmp_path: Path) -> MakeLearner:
    """Make a Learner for 4 features and 3 classes: 6 training batches of 16 and 3 validation batches."""

    def make(model: nn.Module | None = None, **settings: Any) -> Learner:
        generator = torch.Generator().manual_seed(0)
        y = torch.arange(144) % 3
        x = 3 * torch.randn(3, 4, generator=generator)[y] + torch.randn(144, 4, generator=generator)
        train, valid = TensorDataset(x[:96], y[:96]), TensorDataset(x[96:], y[96:])
        dls = DataLoaders.from_dsets(train, valid, bs=16, device="cpu", path=tmp_path, seed=0)
        torch.manual_seed(1)
        model = (
            nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3)) if model is None else model
        )
        return Learner(dls, model, **{"loss_func": F.cross_entropy, **settings})

    return make


@pytest.fixture(autouse=True)
def _plain_output(monkeypatch: pytest.MonkeyPatch) -> None:
    """What training prints does not depend on where the tests run."""
    monkeypatch.setenv("VIVACE_PROGRESS", "log")
