"""What every callback of vivace must stand, found by itself: a new one is tested the day it is written."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import random
from contextlib import nullcontext
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import TensorDataset

import vivace.training.callbacks
from vivace.data.loaders import DataLoaders
from vivace.training import lr_find, predict, recipes
from vivace.training.callback import Callback
from vivace.training.learner import Learner
from vivace.training.schedule import SchedLin

pytestmark = pytest.mark.filterwarnings("error")

# Constructor arguments of those that need some, and the classes that are only bases of others.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "ParamScheduler": {"scheds": {"lr": SchedLin(0.1, 0.01)}},
    "SkipToEpoch": {"epoch": 1},
    "LRFinder": {"num_it": 6},
    "MixedPrecision": {"amp_mode": "bf16"},
    "GradientAccumulation": {"n_acc": 16},
}
BASES = {"HookCallback", "MixHandler"}


def all_callbacks() -> list[type[Callback]]:
    folder = vivace.training.callbacks
    modules = [importlib.import_module(f"{folder.__name__}.{m.name}") for m in pkgutil.iter_modules(folder.__path__)]
    found = {
        value
        for module in [*modules, lr_find, predict, recipes]
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Callback) and value is not Callback
    }
    return sorted((cls for cls in found if cls.__name__ not in BASES), key=lambda cls: cls.__name__)


def make(cls: type[Callback]) -> Callback:
    return cls(**ARGUMENTS.get(cls.__name__, {}))


@pytest.fixture
def learner(tmp_path):
    """A Learner for pictures of two classes, so that every callback has what it needs."""
    generator = torch.Generator().manual_seed(0)
    x, y = torch.rand(24, 1, 6, 6, generator=generator), torch.arange(24) % 2
    dls = DataLoaders.from_dsets(TensorDataset(x, y), TensorDataset(x[:8], y[:8]), bs=8, device="cpu", path=tmp_path)
    torch.manual_seed(1)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(32, 2))
    return Learner(dls, model, loss_func=F.cross_entropy, metrics=F.cross_entropy)


def traits(learn: Learner) -> dict[str, Any]:
    """What a callback that has gone must have left alone."""
    return {
        "cbs": [type(cb).__name__ for cb in learn.cbs],
        "attributes": sorted(name for name, value in vars(learn).items() if isinstance(value, Callback)),
        "loss": learn.loss_func,
        "logger": learn.logger,
        "hooks": [len(m._forward_hooks) + len(m._backward_hooks) for m in learn.model.modules()],
        "precision": learn.runtime.amp_dtype,
        "grad": torch.is_grad_enabled(),
        "trainable": [p.requires_grad for p in learn.model.parameters()],
        "names": sorted(learn.model.state_dict()),
        "bar": learn.create_mbar,
    }


class Boom(Callback):
    """An error in the middle of an epoch, behind all others."""

    order = 10_000

    def __init__(self, event: str) -> None:
        setattr(self, event, self._raise)

    def _raise(self) -> None:
        raise RuntimeError("boom")


@pytest.mark.parametrize("cls", all_callbacks(), ids=lambda cls: cls.__name__)
class TestEveryCallback:
    def test_is_documented_and_says_what_its_arguments_mean(self, cls):
        assert inspect.getdoc(cls) and inspect.getdoc(cls) != inspect.getdoc(Callback)
        own = [name for name in inspect.signature(cls).parameters if name not in ("args", "kwargs")]
        if cls.__module__.startswith("vivace.training.callbacks"):
            doc = "\n".join(inspect.getdoc(base) or "" for base in cls.__mro__ if issubclass(base, Callback))
            assert not [name for name in own if name not in doc], "undocumented arguments"

    def test_trains_twice_and_leaves_no_trace_when_it_is_removed(self, cls, learner):
        before, callback = traits(learner), make(cls)
        already = [cb for cb in learner.cbs if type(cb) is cls]  # Recorder and the like: the Learner's own
        learner.remove_cbs(already)
        learner.add_cb(callback)
        assert callback.learn is learner and getattr(learner, callback.name) is callback
        weights = [p.detach().clone() for p in learner.model.parameters()]
        learner.fit(2, 0.01)
        learner.fit(1, 0.01)
        # one epoch is all that SkipToEpoch(1) would pass over
        assert any(not torch.equal(a, b) for a, b in zip(weights, learner.model.parameters(), strict=True))
        learner.remove_cb(callback)
        learner.add_cbs(already)
        assert traits(learner) == before

    @pytest.mark.parametrize("event", ["before_fit", "after_loss", "before_step", "before_validate", "after_epoch"])
    def test_an_error_in_the_middle_is_passed_on_and_leaves_no_trace(self, cls, learner, event):
        before, callback = traits(learner), make(cls)
        already = [cb for cb in learner.cbs if type(cb) is cls]
        learner.remove_cbs(already)
        # only one that cancels the fit before this event comes gets by
        gets_by = cls is lr_find.LRFinder and event == "before_validate"
        with nullcontext() if gets_by else pytest.raises(RuntimeError, match="boom"):
            learner.fit(2, 0.01, cbs=[callback, Boom(event)])
        learner.add_cbs(already)
        assert traits(learner) == before

    def test_can_be_used_again_after_an_error(self, cls, learner):
        callback = make(cls)
        learner.remove_cbs([cb for cb in learner.cbs if type(cb) is cls])
        with pytest.raises(RuntimeError, match="boom"):
            learner.fit(1 + (cls.__name__ == "SkipToEpoch"), 0.01, cbs=[callback, Boom("after_step")])
        learner.fit(2, 0.01, cbs=callback)
        assert all(torch.isfinite(p).all() for p in learner.model.parameters())

    def test_does_not_disturb_predictions(self, cls, learner):
        plain, _ = learner.get_preds()
        learner.remove_cbs([cb for cb in learner.cbs if type(cb) is cls])
        learner.add_cb(make(cls))
        if cls is lr_find.LRFinder:
            pytest.skip("it cancels validation, which is its purpose")
        preds, _ = learner.get_preds()
        assert preds.dtype == torch.float32 and torch.allclose(preds, plain, atol=0.02)

    def test_takes_part_in_lr_find_or_stays_away_and_all_is_as_before(self, cls, learner, tmp_path):
        if cls is lr_find.LRFinder:
            pytest.skip("lr_find adds it")
        learner.remove_cbs([cb for cb in learner.cbs if type(cb) is cls])
        learner.add_cb(make(cls))
        before, weights = traits(learner), {k: v.clone() for k, v in learner.model.state_dict().items()}
        states = random.getstate()[1], np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
        files = sorted(tmp_path.rglob("*"))
        learner.lr_find(num_it=20, show_plot=False, stop_div=False, end_lr=0.1)
        assert traits(learner) == before and sorted(tmp_path.rglob("*")) == files
        assert all(torch.equal(v, weights[k]) for k, v in learner.model.state_dict().items())
        assert states == (random.getstate()[1], np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())
        assert not plt.get_fignums()


def test_the_collection_finds_the_callbacks():
    names = {cls.__name__ for cls in all_callbacks()}
    assert names >= {"Recorder", "EMA", "MixUp", "CutMix", "SaveModelCallback", "ActivationStats", "CSVLogger"}
    assert len(names) >= 20
