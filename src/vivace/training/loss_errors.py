"""Turn what goes wrong at the loss into messages about shapes, classes and types."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from vivace.core.errors import LossError

__all__ = ["explain_backward_error", "explain_loss_error", "name_of"]


def name_of(loss_func: Callable[..., Any]) -> str:
    """Return what messages call a loss: a function's name, else its class."""
    while isinstance(loss_func, partial):
        loss_func = loss_func.func
    return str(getattr(loss_func, "__name__", type(loss_func).__name__))


def explain_loss_error(
    loss_func: Callable[..., Any], pred: Any, targets: tuple[Any, ...], error: Exception
) -> LossError:
    """Return a `LossError` that says what met in the loss, why that cannot work, and what to do."""
    met = f"predictions {_describe(pred)} and targets {', '.join(_describe(t) for t in targets)}"
    advice = _advice(pred, targets)
    reason = f"{advice} ({type(error).__name__}: {error})" if advice else f"{type(error).__name__}: {error}"
    return LossError(f"The loss {name_of(loss_func)} failed on {met}: {reason}")


def explain_backward_error(loss_func: Callable[..., Any], loss: Tensor) -> LossError:
    """Return a `LossError` that says why gradients cannot be computed from this loss."""
    name = name_of(loss_func)
    if loss.numel() != 1:
        return LossError(
            f"Training needs one number for each batch, but the loss {name} returned a tensor of shape "
            f"{tuple(loss.shape)}: reduce it, for example with `.mean()`."
        )
    return LossError(
        f"The loss {name} does not depend on any parameter that can be trained: all may be frozen (learn.unfreeze()), "
        "or the loss goes through `.detach()`, `.item()`, a comparison or `argmax`, which have no gradient."
    )


def _describe(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"{tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}"
    if isinstance(value, (tuple, list)):
        return f"{type(value).__name__} of [{', '.join(_describe(v) for v in value)}]"
    return type(value).__name__


def _advice(pred: Any, targets: tuple[Any, ...]) -> str | None:
    if isinstance(pred, (tuple, list)):
        return "the model returns several values, so the loss must accept them (or take the first in `after_pred`)."
    if len(targets) > 1:
        return f"there are {len(targets)} targets, so the loss must take 1 + {len(targets)} arguments."
    if not isinstance(pred, Tensor) or not isinstance(targets[0], Tensor):
        return None
    target = targets[0]
    if pred.ndim and target.ndim and len(pred) != len(target):
        return f"the model gave {len(pred)} predictions for {len(target)} targets."
    if pred.ndim == 4 and target.ndim >= 3 and pred.shape[-2:] != target.shape[-2:]:
        return (
            f"the model answers {_size(pred)} pixels, as many as its pictures have, and the targets have "
            f"{_size(target)}: make pictures and targets of one size, item_tfms=Resize(224)."
        )
    if target.dtype == torch.int64 and pred.is_floating_point() and pred.ndim == target.ndim + 1 > 1 and target.numel():
        return _advice_on_classes(pred, target)
    if target.is_floating_point() and pred.is_floating_point() and pred.shape != target.shape:
        return "predictions and targets of a regression must have one shape: reshape one of them."
    if pred.shape == target.shape and pred.dtype != target.dtype:
        return f"predictions are {pred.dtype} and targets {target.dtype}: convert the targets, or choose another loss."
    return None


def _size(maps: Tensor) -> str:
    return f"{maps.shape[-2]} × {maps.shape[-1]}"


def _advice_on_classes(pred: Tensor, target: Tensor) -> str | None:
    n_outputs, lowest, highest = pred.shape[1], int(target.min()), int(target.max())
    if lowest >= 0 and highest < n_outputs:
        return None
    odd = highest if highest >= n_outputs else lowest
    return (
        f"the model has {n_outputs} outputs, so classes go from 0 to {n_outputs - 1}, but the targets hold "
        f"class {odd}: give the model more outputs (n_out), or check the labels."
    )
