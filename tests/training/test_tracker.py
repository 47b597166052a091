"""Trackers: the best value, early stopping, saving the best model, lowering the rate."""

from __future__ import annotations

import csv
from typing import Any

import numpy as np
import pytest
import torch

from vivace.core.errors import ArgumentError
from vivace.training.callback import Callback
from vivace.training.callbacks.logging import CSVLogger
from vivace.training.callbacks.tracker import (
    EarlyStoppingCallback,
    ReduceLROnPlateau,
    SaveModelCallback,
    TrackerCallback,
)
from vivace.training.metrics import ValueMetric


def scripted(values: list[float], name: str = "score") -> ValueMetric:
    """A metric with these values, epoch by epoch."""
    left = iter(values)
    return ValueMetric(lambda: next(left), name)


class Rates(Callback):
    def __init__(self) -> None:
        self.seen: list[float] = []

    def before_epoch(self) -> None:
        self.seen.append(self.opt.hypers[-1]["lr"])


# ---------------------------------------------------------------------- TrackerCallback
@pytest.mark.parametrize(
    "name, settings, values, best, new",
    [
        ("score", {}, [1.0, 3.0, 2.0], 3.0, [True, True, False]),
        ("error_rate", {}, [0.5, 0.7, 0.2], 0.2, [True, False, True]),
        ("my_loss", {}, [2.0, 1.0, 1.0], 1.0, [True, True, False]),
        ("score", {"comp": np.less}, [3.0, 1.0, 2.0], 1.0, [True, True, False]),
        ("score", {"min_delta": 0.5}, [1.0, 1.4, 1.6], 1.6, [True, False, True]),
        ("my_loss", {"min_delta": 0.5}, [2.0, 1.6, 1.4], 1.4, [True, False, True]),
        ("score", {}, [float("nan"), 1.0, float("nan")], 1.0, [False, True, False]),
    ],
)
def test_the_best_value_is_kept(line_learner, name, settings, values, best, new):
    tracker, seen = TrackerCallback(name, **settings), []

    class Watch(Callback):
        order = 70

        def after_epoch(self):
            seen.append(tracker.new_best)

    line_learner(metrics=scripted(values, name)).fit(3, cbs=[tracker, Watch()])
    assert tracker.best == best and seen == new


def test_the_best_is_forgotten_by_a_new_fit_only_if_asked(line_learner):
    for reset, best in ((True, 1.0), (False, 5.0)):
        tracker = TrackerCallback("score", reset_on_fit=reset)
        learn = line_learner(metrics=scripted([5.0, 1.0]), cbs=tracker)
        learn.fit(1)
        learn.fit(1)
        assert tracker.best == best


def test_a_column_that_is_not_measured_is_refused_with_the_nearest(line_learner):
    learn = line_learner(metrics=scripted([1.0], "accuracy"))
    with pytest.raises(ArgumentError, match="monitors 'acuracy', which is not measured.*Did you mean 'accuracy'"):
        learn.fit(1, cbs=EarlyStoppingCallback("acuracy"))


def test_epochs_that_are_passed_over_count_for_nothing(line_learner):
    learn = line_learner(metrics=scripted([1.0, 2.0]))
    tracker = EarlyStoppingCallback("score", patience=3)
    learn.fit(5, start_epoch=3, cbs=tracker)
    assert tracker.best == 2.0 and len(learn.recorder.values) == 2


def test_an_epoch_without_validation_is_never_the_best(line_learner):
    learn = line_learner()
    learn.dls.loaders = learn.dls.loaders[:1]
    tracker = TrackerCallback()
    learn.fit(2, cbs=tracker)
    assert tracker.best == float("inf") and [row[1] for row in learn.recorder.values] == [None, None]


# ---------------------------------------------------------------------- EarlyStoppingCallback
def test_it_stops_after_patience_epochs_without_improvement_and_says_so(line_learner, capsys):
    learn = line_learner(metrics=scripted([1.0, 2.0, 1.5, 1.7, 9.0]))
    learn.fit(5, cbs=EarlyStoppingCallback("score", patience=2))
    assert [row[2] for row in learn.recorder.values] == [1.0, 2.0, 1.5, 1.7]
    assert "No improvement of score for 2 epochs: stopped after epoch 3." in capsys.readouterr().out


def test_it_counts_anew_in_the_next_fit(line_learner):
    learn = line_learner(metrics=scripted([3.0, 2.0, 3.0, 2.0]), cbs=EarlyStoppingCallback("score", patience=1))
    learn.fit(9)
    learn.fit(9)
    assert len(learn.recorder.values) == 2


# ---------------------------------------------------------------------- SaveModelCallback
class Weights(Callback):
    order = 100

    def __init__(self) -> None:
        self.seen: list[torch.Tensor] = []

    def after_epoch(self) -> None:
        self.seen.append(self.model.weight.detach().clone())


def test_the_best_model_is_saved_and_loaded_when_training_ends(line_learner, capsys):
    learn, watch = line_learner(metrics=scripted([1.0, 5.0, 2.0])), Weights()
    learn.fit(3, 0.1, cbs=[SaveModelCallback("score", fname="best"), watch])
    assert torch.equal(learn.model.weight, watch.seen[1]) and not torch.equal(watch.seen[1], watch.seen[2])
    out = capsys.readouterr().out
    assert "Better model found at epoch 1 with score value: 5.0." in out and "at epoch 2" not in out
    state = torch.load(learn.path / "models" / "best.pth", weights_only=True)
    assert torch.equal(state["weight"], watch.seen[1])


def test_it_is_loaded_also_when_another_callback_ends_training(line_learner):
    learn, watch = line_learner(metrics=scripted([1.0, 5.0, 2.0, 1.0])), Weights()
    learn.fit(4, 0.1, cbs=[SaveModelCallback("score"), EarlyStoppingCallback("score", patience=1), watch])
    assert len(watch.seen) == 2 and torch.equal(learn.model.weight, watch.seen[1])


@pytest.mark.parametrize("every, files", [(True, ["m_0", "m_1", "m_2"]), (2, ["m_0", "m_2"])])
def test_every_epoch_is_saved(line_learner, every, files):
    learn, watch = line_learner(), Weights()
    learn.fit(3, 0.1, cbs=[SaveModelCallback(every_epoch=every, fname="m"), watch])
    assert sorted(f.stem for f in (learn.path / "models").iterdir()) == files
    assert torch.equal(learn.model.weight, watch.seen[2])  # nothing is loaded then


def test_at_end_saves_the_last_model(line_learner):
    learn = line_learner(metrics=scripted([5.0, 1.0]))
    callback = SaveModelCallback("score", at_end=True, fname="last", with_opt=True)
    learn.fit(2, 0.1, cbs=callback)
    state = torch.load(callback.last_saved_path, weights_only=True)
    assert torch.equal(state["model"]["weight"], learn.model.weight) and "opt" in state


def test_validation_and_predictions_save_nothing(line_learner):
    learn = line_learner(cbs=SaveModelCallback())
    learn.validate()
    learn.get_preds()
    assert not (learn.path / "models").exists()


# ---------------------------------------------------------------------- ReduceLROnPlateau
@pytest.mark.parametrize(
    "values, settings, expected",
    [
        ([5.0, 4.0, 4.0, 4.0, 4.0], {"patience": 2}, [1.0, 1.0, 1.0, 0.1, 0.1]),
        ([5.0] * 6, {"patience": 1, "factor": 4.0, "min_lr": 0.1}, [1.0, 1.0, 0.25, 0.1, 0.1, 0.1]),
        ([1.0, 2.0, 3.0], {}, [1.0, 1.0, 1.0]),
        ([5.0] * 3, {"min_lr": 2.0}, [1.0, 1.0, 1.0]),  # a floor does not lift
    ],
)
def test_the_rate_is_lowered_on_a_plateau(line_learner, values, settings, expected):
    rates = Rates()
    learn = line_learner(metrics=scripted(values), loss_func=lambda p, y: (p * 0).mean())
    learn.fit(len(values), 1.0, cbs=[ReduceLROnPlateau("score", **settings), rates])
    assert rates.seen == pytest.approx(expected)


def test_every_group_is_lowered_from_its_own_rate(line_learner, capsys):
    learn = line_learner(
        metrics=scripted([5.0, 5.0]), splitter=lambda m: [[m.weight], [m.bias]], loss_func=lambda p, y: (p * 0).mean()
    )
    learn.fit(2, [0.1, 0.4], cbs=ReduceLROnPlateau("score"))
    assert [h["lr"] for h in learn.opt.hypers] == pytest.approx([0.01, 0.04])
    assert "Epoch 1: lowered the learning rate to 0.04." in capsys.readouterr().out


# ---------------------------------------------------------------------- CSVLogger
def rows(path: Any) -> list[dict[str, str]]:
    with open(path) as file:
        return list(csv.DictReader(file))


def test_the_csv_file_has_the_table_after_each_epoch(line_learner, tmp_path):
    lengths = []

    class Watch(Callback):
        order = 70

        def after_epoch(self):
            lengths.append(len(rows(tmp_path / "h.csv")))

    learn = line_learner(metrics=scripted([0.5, 0.25, 1.0]))
    learn.fit(2, 0.01, cbs=[CSVLogger("h.csv"), Watch()])
    table = rows(tmp_path / "h.csv")
    assert lengths == [1, 2] and list(table[0]) == ["epoch", "train_loss", "valid_loss", "score", "time"]
    assert [float(row["valid_loss"]) for row in table] == [row[1] for row in learn.recorder.values]
    assert [row["score"] for row in table] == ["0.5", "0.25"]
    learn.fit(1, cbs=CSVLogger("h.csv", append=True))
    assert [row["epoch"] for row in rows(tmp_path / "h.csv")] == ["0", "1", "0"]
    assert len(logger_of(learn).read_log()) == 3


def logger_of(learn: Any) -> CSVLogger:
    logger = CSVLogger("h.csv")
    logger.learn = learn
    return logger
