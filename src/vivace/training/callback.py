"""`Callback`: the events of training as methods, and `Cancel`, which leaves a phase early."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, get_args

from vivace.core.basics import camel2snake
from vivace.core.errors import ArgumentTypeError

if TYPE_CHECKING:
    from .learner import Learner

__all__ = [
    "Callback",
    "Cancel",
    "CancelBackwardException",
    "CancelBatchException",
    "CancelEpochException",
    "CancelFitException",
    "CancelStepException",
    "CancelTrainException",
    "CancelValidException",
    "EVENTS",
    "Phase",
    "event",
]

Phase = Literal["fit", "epoch", "train", "validate", "batch", "backward", "step"]


class Cancel(Exception):
    """Raise `Cancel("batch")` in a callback to leave that phase early; its `after_` events still run."""

    phase: Phase

    def __init__(self, phase: Phase | None = None) -> None:
        self.phase = phase if phase is not None else type(self).phase
        super().__init__(f"A callback cancelled the {self.phase!r} phase while it was not running.")


class CancelFitException(Cancel):
    """`Cancel("fit")`: stop training."""

    phase = "fit"


class CancelEpochException(Cancel):
    """`Cancel("epoch")`: go on with the next epoch."""

    phase = "epoch"


class CancelTrainException(Cancel):
    """`Cancel("train")`: go on with validation."""

    phase = "train"


class CancelValidException(Cancel):
    """`Cancel("validate")`: end this validation."""

    phase = "validate"


class CancelBatchException(Cancel):
    """`Cancel("batch")`: go on with the next batch; gradients are kept."""

    phase = "batch"


class CancelBackwardException(Cancel):
    """`Cancel("backward")`: do not compute gradients."""

    phase = "backward"


class CancelStepException(Cancel):
    """`Cancel("step")`: do not update the weights; gradients are dropped."""

    phase = "step"


class _FromLearner:
    """Read an attribute of the Learner; a callback may have an attribute of its own by that name instead."""

    def __init__(self, doc: str) -> None:
        self.__doc__ = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, callback: Any, owner: type | None = None) -> Any:
        if callback is None:
            return self
        if callback.learn is None:
            raise AttributeError(
                f"{type(callback).__name__} is not attached to a Learner yet, so it has no `{self.name}`."
            )
        return getattr(callback.learn, self.name)


class _LoopState(_FromLearner):
    """Read what the loop works on. Setting it on a callback changes nothing in training, so that warns."""

    def __get__(self, callback: Any, owner: type | None = None) -> Any:
        if callback is not None and self.name in callback.__dict__:
            return callback.__dict__[self.name]
        return super().__get__(callback, owner)

    def __set__(self, callback: Any, value: Any) -> None:
        warnings.warn(
            f"{type(callback).__name__} sets its own `{self.name}`, which hides the Learner's and does not change "
            f"training. To change it write `self.learn.{self.name} = …`, else choose another name.",
            stacklevel=2,
        )
        callback.__dict__[self.name] = value


class Callback:
    """Base of all callbacks: override the events you need, reach the loop through `self.learn`.

    Reading `self.loss`, `self.pred`, `self.xb` … gives the Learner's; to change one write `self.learn.pred = …`.

    Attributes:
        order: callbacks with a lower one run first.
        run: set it to False to switch a callback off until the fit ends.
        run_train: whether it hears of the batches of training.
        run_valid: whether it hears of the batches of validation.
        run_lr_find: whether it takes part in `lr_find`; False for what writes files or ends training.
        learn: the Learner; None before the callback is added to one.

    Args:
        events: functions of the callback, by event: `Callback(after_epoch=lambda cb: print(cb.loss))`.
    """

    order: int | float = 0
    run: bool = True
    run_train: bool = True
    run_valid: bool = True
    run_lr_find: bool = True
    learn: Learner = None  # type: ignore[assignment]

    dls: Any = _FromLearner("The `DataLoaders`.")
    model: Any = _FromLearner("The model.")
    opt: Any = _FromLearner("The optimizer.")
    loss_func: Any = _FromLearner("The loss function.")
    metrics: Any = _FromLearner("The metrics.")
    cbs: Any = _FromLearner("All callbacks.")
    path: Any = _FromLearner("Where the Learner writes.")
    model_dir: Any = _FromLearner("The folder for models, inside `path`.")
    logger: Any = _FromLearner("What is called with each row of the epoch table.")
    opt_func: Any = _FromLearner("What makes the optimizer.")
    lr: Any = _FromLearner("The Learner's default learning rate.")
    wd: Any = _FromLearner("The Learner's weight decay.")
    moms: Any = _FromLearner("The momenta of `fit_one_cycle`.")
    epoch: Any = _LoopState("The number of the epoch, from 0.")
    n_epoch: Any = _LoopState("How many epochs this fit has.")
    iter: Any = _LoopState("The number of the batch in its epoch, from 0.")
    n_iter: Any = _LoopState("How many batches this phase has.")
    train_iter: Any = _LoopState("How many training batches this fit has done.")
    pct_train: Any = _LoopState("Which fraction of this fit is done, 0..1.")
    training: Any = _LoopState("Whether this phase trains.")
    dl: Any = _FromLearner("The loader of this phase.")
    batch: Any = _LoopState("The batch as it came from the loader, on the device.")
    xb: Any = _LoopState("The inputs of the batch, a tuple.")
    yb: Any = _LoopState("The targets of the batch, a tuple.")
    x: Any = _LoopState("The input, or the tuple of inputs.")
    y: Any = _LoopState("The target, or the tuple of targets.")
    pred: Any = _LoopState("What the model returned.")
    loss: Any = _LoopState("The loss, a scalar on the device.")
    loss_grad: Any = _LoopState("What is differentiated: the loss, unless a callback changed it.")
    smooth_loss: Any = _LoopState("The running mean of the training loss.")
    recorder: Any = _FromLearner("The `Recorder`.")
    final_record: Any = _FromLearner("What the last epoch or validation measured.")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, value in vars(cls).items():
            if callable(value) and name not in EVENTS and not hasattr(Callback, name):
                _refuse_misspelt_event(cls, name)

    def __init__(self, **events: Callable[[Any], Any]) -> None:
        for event_name, function in events.items():
            if event_name not in EVENTS:
                _refuse_misspelt_event(type(self), event_name)
                raise ArgumentTypeError(f"{event_name!r} is not an event; these are: {', '.join(EVENTS)}.")
            setattr(self, event_name, partial(function, self))

    def __getattr__(self, name: str) -> Any:
        """What the callback does not have itself is the Learner's, also what other callbacks have put there."""
        learn = self.__dict__.get("learn")
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__} has no `{name}`.")
        if learn is None:
            raise AttributeError(f"{type(self).__name__} is not attached to a Learner yet, so it has no `{name}`.")
        try:
            return getattr(learn, name)
        except AttributeError:
            raise AttributeError(f"Neither {type(self).__name__} nor its Learner has `{name}`.") from None

    @property
    def name(self) -> str:
        """What the Learner calls this callback: `MyFancyCallback` is `learn.my_fancy`."""
        return camel2snake(type(self).__name__.removesuffix("Callback") or "Callback")

    def __repr__(self) -> str:
        return type(self).__name__

    def __call__(self, event_name: str) -> None:
        """Run one event by name, as the loop would."""
        if self.learn is not None and not listens(self, event_name, self.learn.training):
            return
        getattr(self, event_name)()

    # ------------------------------------------------------------------ not events
    def on_add(self) -> None:
        """Called when the callback has been added to a Learner."""

    def on_remove(self) -> None:
        """Called when the callback is taken off its Learner."""

    def close(self) -> None:
        """Called when a fit has ended in whatever way, also by an error. Put back what was borrowed."""

    # ------------------------------------------------------------------ the events, in the order of the loop
    def after_create(self) -> None:
        """The Learner has been made."""

    def before_fit(self) -> None:
        """Training begins; the optimizer exists."""

    def before_epoch(self) -> None:
        """An epoch begins."""

    def before_train(self) -> None:
        """The training part of an epoch begins."""

    def before_batch(self) -> None:
        """A batch is on the device; `xb` and `yb` may be replaced."""

    def after_pred(self) -> None:
        """The model has answered; `pred` may be replaced."""

    def after_loss(self) -> None:
        """The loss is known; `loss_grad` may be replaced."""

    def before_backward(self) -> None:
        """Training only: gradients are about to be computed."""

    def after_cancel_backward(self) -> None:
        """The backward pass was cancelled."""

    def after_backward(self) -> None:
        """Training only: gradients are there (in fp16 still scaled)."""

    def before_step(self) -> None:
        """Training only: gradients are true to scale; the weights are about to change."""

    def after_cancel_step(self) -> None:
        """The step was cancelled."""

    def after_step(self) -> None:
        """Training only: the weights have changed; gradients are still there."""

    def after_cancel_batch(self) -> None:
        """The batch was cancelled."""

    def after_batch(self) -> None:
        """A batch is done."""

    def after_cancel_train(self) -> None:
        """The training part of the epoch was cancelled."""

    def after_train(self) -> None:
        """The training part of the epoch is done."""

    def before_validate(self) -> None:
        """Validation begins."""

    def after_cancel_validate(self) -> None:
        """Validation was cancelled."""

    def after_validate(self) -> None:
        """Validation is done."""

    def after_cancel_epoch(self) -> None:
        """The epoch was cancelled."""

    def after_epoch(self) -> None:
        """An epoch is done."""

    def after_cancel_fit(self) -> None:
        """Training was cancelled."""

    def after_fit(self) -> None:
        """Training is done."""


EVENTS = ["after_create", "after_pred", "after_loss"]
EVENTS += [f"{when}_{phase}" for phase in get_args(Phase) for when in ("before", "after_cancel", "after")]
EVENTS.sort(key=lambda name: list(vars(Callback)).index(name))

# those that come with each batch; `run_train` and `run_valid` speak of these
_INNER = {e for e in EVENTS if e.endswith(("_batch", "_pred", "_loss", "_backward", "_step"))}


class event:
    """The names of all events, for completion: `event.after_batch`."""


for _name in EVENTS:
    setattr(event, _name, _name)


def listens(callback: Callback, event_name: str, training: bool) -> bool:
    """Whether a callback wants this event now."""
    if not callback.run:
        return False
    return event_name not in _INNER or (callback.run_train if training else callback.run_valid)


def overrides(callback: Callback, event_name: str) -> bool:
    """Whether a callback does anything at this event."""
    own = callback.__dict__.get(event_name)
    return own is not None or getattr(type(callback), event_name) is not getattr(Callback, event_name)


def _refuse_misspelt_event(cls: type, name: str) -> None:
    """Raise when a method looks like an event and is none."""
    is_event_like = name.startswith(("before_", "after_"))
    close = difflib.get_close_matches(name, EVENTS, n=1, cutoff=0.5 if is_event_like else 0.85)
    if is_event_like or close:
        hint = f" Did you mean {close[0]!r}?" if close else f" Events are {', '.join(EVENTS)}."
        raise TypeError(f"{cls.__name__}.{name} is not a training event.{hint}")
