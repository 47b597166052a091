"""The ways to train that a Learner offers: schedules, freezing, stages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from vivace.core.errors import ArgumentError
from vivace.nn.groups import norm_bias_params

from .callback import Callback, CancelEpochException
from .callbacks.schedule import ParamScheduler
from .losses import loss_for_kind
from .optimizer import Optimizer, as_optimizer
from .schedule import SchedCos, combine_scheds, combined_cos

if TYPE_CHECKING:
    from .learner import Learner

__all__ = [
    "SkipToEpoch",
    "default_loss",
    "fine_tune",
    "fit_flat_cos",
    "fit_one_cycle",
    "fit_sgdr",
    "freeze_to",
    "make_optimizer",
    "skip_to",
]


class SkipToEpoch(Callback):
    """Pass over the epochs before the given one."""

    order = 70

    def __init__(self, epoch: int) -> None:
        self._skip_to = epoch

    def before_epoch(self) -> None:
        if self.epoch < self._skip_to:
            raise CancelEpochException


def skip_to(start_epoch: int) -> Callback | None:
    """Return the callback that begins at `start_epoch`, or None when that is the first."""
    return SkipToEpoch(start_epoch) if start_epoch else None


def make_optimizer(learn: Learner) -> Optimizer:
    """Return a new optimizer over the parameter groups that the Learner's splitter makes."""
    opt = as_optimizer(learn.opt_func, learn.splitter(learn.model), lr=_last(learn.lr))
    if not learn.wd_bn_bias:
        opt.exclude_from_decay(norm_bias_params(learn.model, with_bias=True))
    if learn.train_bn:
        opt.keep_trainable(norm_bias_params(learn.model, with_bias=False))
    return opt


def _last(lr: Any) -> float:
    value = lr.stop if isinstance(lr, slice) else lr[-1] if isinstance(lr, Sequence) else lr
    return float(value)


def freeze_to(learn: Learner, n: int) -> None:
    """Train only the parameter groups from `n` on; the optimizer's momentum starts anew."""
    if learn.opt is None:
        learn.create_opt()
    assert learn.opt is not None
    learn.opt.freeze_to(n)
    learn.opt.clear_state()


def _begin(learn: Learner, lr: Any, reset_opt: bool) -> Any:
    """Make the optimizer if needed, let it spread `lr` over its groups, and return one rate for each group."""
    if learn.opt is None or reset_opt:
        learn.create_opt()
    assert learn.opt is not None
    learn.opt.set_hyper("lr", learn.lr if lr is None else lr)
    rates = [h["lr"] for h in learn.opt.hypers]
    return rates[0] if len(rates) == 1 else rates


def _scaled(rates: Any, factor: float) -> Any:
    return [r * factor for r in rates] if isinstance(rates, list) else rates * factor


def fit_one_cycle(
    learn: Learner,
    n_epoch: int,
    lr_max: Any = None,
    div: float = 25.0,
    div_final: float = 1e5,
    pct_start: float = 0.25,
    wd: float | None = None,
    moms: tuple[float, float, float] | None = None,
    cbs: Any = None,
    reset_opt: bool = False,
    start_epoch: int = 0,
) -> None:
    """See `Learner.fit_one_cycle`."""
    rates = _begin(learn, lr_max, reset_opt)
    scheds = {
        "lr": combined_cos(pct_start, _scaled(rates, 1 / div), rates, _scaled(rates, 1 / div_final)),
        "mom": combined_cos(pct_start, *(learn.moms if moms is None else moms)),
    }
    learn.fit(n_epoch, lr=rates, wd=wd, cbs=[ParamScheduler(scheds), *_listed(cbs)], start_epoch=start_epoch)


def fit_flat_cos(
    learn: Learner,
    n_epoch: int,
    lr: Any = None,
    div_final: float = 1e5,
    pct_start: float = 0.75,
    wd: float | None = None,
    cbs: Any = None,
    reset_opt: bool = False,
    start_epoch: int = 0,
) -> None:
    """See `Learner.fit_flat_cos`."""
    rates = _begin(learn, lr, reset_opt)
    scheds = {"lr": combined_cos(pct_start, rates, rates, _scaled(rates, 1 / div_final))}
    learn.fit(n_epoch, lr=rates, wd=wd, cbs=[ParamScheduler(scheds), *_listed(cbs)], start_epoch=start_epoch)


def fit_sgdr(
    learn: Learner,
    n_cycles: int,
    cycle_len: int,
    lr_max: Any = None,
    cycle_mult: int = 2,
    cbs: Any = None,
    reset_opt: bool = False,
    wd: float | None = None,
    start_epoch: int = 0,
) -> None:
    """See `Learner.fit_sgdr`."""
    rates = _begin(learn, lr_max, reset_opt)
    lengths = [cycle_len * cycle_mult**i for i in range(n_cycles)]
    n_epoch = sum(lengths)
    one = SchedCos(rates, _scaled(rates, 0.0))
    scheds = {"lr": combine_scheds([length / n_epoch for length in lengths], [one] * n_cycles)}
    learn.fit(n_epoch, lr=rates, wd=wd, cbs=[ParamScheduler(scheds), *_listed(cbs)], start_epoch=start_epoch)


def fine_tune(
    learn: Learner,
    epochs: int,
    base_lr: float = 2e-3,
    freeze_epochs: int = 1,
    lr_mult: float = 100,
    pct_start: float = 0.3,
    div: float = 5.0,
    **rest: Any,
) -> None:
    """See `Learner.fine_tune`."""
    learn.freeze()
    learn.fit_one_cycle(freeze_epochs, slice(base_lr), pct_start=0.99, **rest)
    base_lr /= 2
    learn.unfreeze()
    learn.fit_one_cycle(epochs, slice(base_lr / lr_mult, base_lr), pct_start=pct_start, div=div, **rest)


def _listed(cbs: Any) -> list[Any]:
    return [] if cbs is None else [cbs] if isinstance(cbs, (Callback, type)) else list(cbs)


def default_loss(dls: Any) -> Any:
    """Return the loss that the data brings, or the default of what its target is.

    Raises:
        ArgumentError: the target is of no known kind.
    """
    own = getattr(getattr(dls, "train_ds", None), "loss_func", None)
    kind = getattr(dls, "kind", None)
    if own is None and kind is None:
        raise ArgumentError(
            "The loss cannot be chosen from this data, because its targets have no known kind: "
            "give one, Learner(dls, model, loss_func=nn.functional.cross_entropy)."
        )
    return own if own is not None else loss_for_kind(str(kind))
