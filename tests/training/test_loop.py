"""The loop: the order of events, what cancelling cuts short, and that nothing stays open."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from vivace.data.loader import DataLoader
from vivace.data.loaders import DataLoaders
from vivace.training.callback import (
    EVENTS,
    Callback,
    Cancel,
    CancelBackwardException,
    CancelBatchException,
    CancelEpochException,
    CancelFitException,
    CancelStepException,
    CancelTrainException,
    CancelValidException,
)
from vivace.training.callbacks.mixup import MixUp
from vivace.training.learner import Learner

TRAIN_BATCH = (
    "before_batch after_pred after_loss before_backward after_backward before_step after_step after_batch".split()
)
VALID_BATCH = "before_batch after_pred after_loss after_batch".split()


def spy(order: float = 0) -> Any:
    """A callback that writes down every event in `log`."""
    log: list[str] = []

    def note(name: str) -> Any:
        return lambda self: log.append(name)

    made = type("Spy", (Callback,), {name: note(name) for name in EVENTS} | {"order": order})()
    made.log = log
    return made


def do(event: str, action: Any, **attributes: Any) -> Callback:
    """A callback that calls `action(self)` at one event."""
    return type("Doing", (Callback,), {event: lambda self: action(self), **attributes})()


def raising(event: str, error: BaseException, when: Any = lambda learn: True) -> Callback:
    def action(self: Callback) -> None:
        if when(self.learn):
            raise error

    return do(event, action, order=90)


# ---------------------------------------------------------------------- order
def test_events_come_in_the_order_of_the_loop(line_learner):
    learn, watch = line_learner(n=16), spy()
    learn.fit(2, cbs=watch)
    epoch = [
        "before_epoch",
        "before_train",
        *TRAIN_BATCH * 2,
        "after_train",
        "before_validate",
        *VALID_BATCH * 2,
        "after_validate",
        "after_epoch",
    ]
    assert watch.log == ["before_fit", *epoch, *epoch, "after_fit"]


def test_after_create_comes_once_when_the_learner_is_made(line_learner):
    watch = spy()
    line_learner(cbs=watch)
    assert watch.log == ["after_create"]


def test_without_validation_data_only_training_events_come(line_learner):
    learn, watch = line_learner(n=16), spy()
    learn.dls.loaders = learn.dls.loaders[:1]
    learn.fit(1, cbs=watch)
    assert watch.log == [
        "before_fit",
        "before_epoch",
        "before_train",
        *TRAIN_BATCH * 2,
        "after_train",
        "after_epoch",
        "after_fit",
    ]


def test_batches_without_targets_end_after_the_prediction():
    x = torch.randn(8, 2)
    dls = DataLoaders(DataLoader(x, bs=4), DataLoader(x, bs=4), device="cpu")
    learn, watch = Learner(dls, nn.Linear(2, 1), loss_func=F.mse_loss), spy()
    learn.fit(1, cbs=watch)
    assert "before_backward" not in watch.log and watch.log.count("after_pred") == 4


def test_a_loader_without_length_trains(capsys):
    def numbers():
        for i in range(10):
            yield torch.tensor([float(i)]), torch.tensor([2.0 * i])

    class Stream:
        def __iter__(self):
            return numbers()

    dls = DataLoaders(DataLoader(Stream(), bs=4), DataLoader(Stream(), bs=4), device="cpu")
    learn = Learner(dls, nn.Linear(1, 1), loss_func=F.mse_loss, opt_func=torch.optim.SGD)
    learn.fit(2, 0.001)
    assert len(learn.recorder.losses) == 6 and learn.n_iter == 0
    assert "train_loss" in capsys.readouterr().out


def test_counters_follow_the_loop(line_learner):
    seen = []
    watch = do(
        "after_loss", lambda self: seen.append((self.epoch, self.iter, self.train_iter, self.pct_train, self.training))
    )
    line_learner(n=16).fit(2, cbs=watch)
    trained = [s[:4] for s in seen if s[4]]
    assert trained == [(0, 0, 0, 0.0), (0, 1, 1, 0.25), (1, 0, 2, 0.5), (1, 1, 3, 0.75)]
    assert [s[:2] for s in seen if not s[4]] == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_the_step_is_that_of_the_formula(line_learner):
    learn = line_learner(n=8)
    (x, y), w, b = next(iter(learn.dls.train)), learn.model.weight.item(), learn.model.bias.item()
    error = w * x + b - y
    learn.fit(1, 0.1)
    assert learn.model.weight.item() == pytest.approx(w - 0.1 * float((2 * error * x).mean()), rel=1e-5)
    assert learn.model.bias.item() == pytest.approx(b - 0.1 * float((2 * error).mean()), rel=1e-5)


# ---------------------------------------------------------------------- cancelling
CANCELS = [
    (CancelFitException, "fit", "after_loss"),
    (CancelEpochException, "epoch", "before_train"),
    (CancelTrainException, "train", "after_backward"),
    (CancelValidException, "validate", "before_validate"),
    (CancelBatchException, "batch", "before_step"),
    (CancelBackwardException, "backward", "before_backward"),
    (CancelStepException, "step", "before_step"),
]


@pytest.mark.parametrize("exception, phase, event", CANCELS)
def test_a_cancelled_phase_still_has_its_cancel_and_after_events(line_learner, exception, phase, event):
    learn, watch = line_learner(n=16), spy()
    learn.fit(1, cbs=[raising(event, exception(), lambda learn: learn.training or phase == "validate"), watch])
    at = watch.log.index(f"after_cancel_{phase}")
    assert watch.log[at + 1] == f"after_{phase}"
    assert watch.log[-1] == "after_fit"


@pytest.mark.parametrize("exception, phase, event", CANCELS)
def test_the_exceptions_are_names_for_cancel(line_learner, exception, phase, event):
    assert isinstance(exception(), Cancel) and exception().phase == phase


def test_a_cancelled_fit_runs_no_more_epochs_and_no_validation(line_learner):
    learn, watch = line_learner(n=16), spy()
    learn.fit(3, cbs=[raising("after_step", CancelFitException()), watch])
    assert (
        watch.log.count("before_epoch") == 1 and "before_validate" not in watch.log and "after_epoch" not in watch.log
    )


def test_a_cancelled_epoch_goes_on_with_the_next(line_learner):
    learn, watch = line_learner(n=16), spy()
    learn.fit(3, cbs=[raising("before_train", CancelEpochException(), lambda learn: learn.epoch == 1), watch])
    assert watch.log.count("after_epoch") == 3 and watch.log.count("after_train") == 2


def test_a_cancelled_training_goes_on_with_validation(line_learner):
    learn, watch = line_learner(n=16), spy()
    learn.fit(1, cbs=[raising("after_pred", CancelTrainException(), lambda learn: learn.training), watch])
    assert "after_step" not in watch.log and "after_validate" in watch.log


def test_a_cancelled_batch_keeps_the_gradients_for_the_next(line_learner):
    learn = line_learner(n=16, bs=8)
    kept = []
    keep = do("after_batch", lambda self: kept.append(self.model.weight.grad is not None) if self.training else None)
    first = raising("before_step", CancelBatchException(), lambda learn: learn.iter == 0)
    learn.fit(1, 0.1, cbs=[first, keep])
    assert kept == [True, False]


def test_a_cancelled_backward_or_step_leaves_the_weights(line_learner):
    for event, exception in (("before_backward", CancelBackwardException()), ("before_step", CancelStepException())):
        learn = line_learner()
        before = learn.model.weight.clone()
        learn.fit(1, 0.1, cbs=raising(event, exception))
        assert torch.equal(before, learn.model.weight)


def test_a_cancel_outside_its_phase_says_so(line_learner):
    with pytest.raises(Cancel, match="'batch' phase while it was not running"):
        line_learner().fit(1, cbs=raising("before_train", CancelBatchException()))


def test_a_cancelled_loader_is_closed_at_once(line_learner):
    learn = line_learner()
    learn.fit(1, cbs=raising("after_loss", CancelTrainException(), lambda learn: learn.training))
    assert learn.dls.train.epoch == 1  # counted when the loader's generator ends


# ---------------------------------------------------------------------- nothing stays open
@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("boom")], ids=["interrupt", "error"])
@pytest.mark.parametrize(
    "event", ["before_fit", "before_batch", "after_loss", "before_step", "before_validate", "after_epoch"]
)
def test_an_error_in_the_middle_leaves_the_learner_as_it_was(line_learner, event, error):
    learn = line_learner(nn.Sequential(nn.Linear(1, 1), nn.Dropout(0.0)))
    learn.model[1].eval()  # a mode of its own
    modes, cbs = [m.training for m in learn.model.modules()], list(learn.cbs)
    loss_func, logger, attributes = learn.loss_func, learn.logger, set(vars(learn))
    learn.create_opt()
    with pytest.raises(type(error)):
        learn.fit(2, cbs=[MixUp(), raising(event, error)])
    assert [m.training for m in learn.model.modules()] == modes
    assert list(learn.cbs) == cbs and all(cb.run for cb in cbs)
    assert learn.loss_func is loss_func and learn.logger is logger
    assert all(p.grad is None for p in learn.model.parameters())
    assert learn.xb == learn.yb == () and learn.pred is None and learn.loss_grad is None
    assert not {name for name in set(vars(learn)) - attributes if isinstance(getattr(learn, name), Callback)}
    assert torch.is_grad_enabled()


def test_after_an_error_the_same_learner_trains_as_if_nothing_had_been(line_learner):
    learn, fresh = line_learner(), line_learner()
    with pytest.raises(RuntimeError):
        learn.fit(1, 0.1, cbs=raising("before_step", RuntimeError("in the first batch"), lambda learn: learn.iter == 0))
    learn.fit(1, 0.1)
    fresh.fit(1, 0.1)
    assert torch.equal(learn.model.weight, fresh.model.weight)


def test_every_callback_is_closed_even_if_one_fails_to(line_learner):
    closed = []

    class First(Callback):
        def close(self):
            closed.append("first")
            raise RuntimeError("cannot close")

    class Second(Callback):
        def close(self):
            closed.append("second")

    learn = line_learner(cbs=[First(), Second()])
    with pytest.raises(RuntimeError, match="cannot close"):
        learn.fit(1)
    assert sorted(closed) == ["first", "second"] and learn.logger is print


def test_a_fit_leaves_the_model_in_evaluation_mode_when_it_validated(line_learner):
    learn = line_learner()
    learn.fit(1)
    assert not learn.model.training


def test_the_loop_state_survives_predictions_made_by_a_callback(line_learner):
    seen = []

    def predict(self: Callback) -> None:
        if self.training and self.iter == 0:
            self.learn.get_preds()
            self.learn.validate()
            seen.append((self.training, self.iter, len(self.xb), self.pred is not None, self.model.training))

    learn, plain = line_learner(metrics=F.l1_loss), line_learner(metrics=F.l1_loss)
    learn.fit(2, 0.1, cbs=do("after_loss", predict))
    plain.fit(2, 0.1)
    assert seen == [(True, 0, 1, True, True)] * 2
    assert [list(row) for row in learn.recorder.values] == [list(row) for row in plain.recorder.values]


def test_an_unknown_event_is_refused_by_name(line_learner):
    with pytest.raises(ValueError, match="'after_bach' is not a training event"):
        line_learner()("after_bach")
