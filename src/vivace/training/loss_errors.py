"""Turn an exception inside a loss function into a message about shapes, classes and types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from vivace.core.errors import LossError

__all__ = ["explain_loss_error"]


def explain_loss_error(loss_func: Callable[..., Any], pred: Any, targets: tuple[Any, ...], error: Exception) -> LossError:
    """Return a `LossError` that says what met in the loss, why that cannot work, and what to do."""
    name = getattr(loss_func, "__name__", type(loss_func).__name__)
    met = f"The loss {name} failed on predictions {_describe(pred)} and targets {', '.join(_describe(t) for t in targets)}"
    return LossError(f"{met}: {_advice(pred, targets) or ''}{type(error).__name__}: {error}")


def _describe(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"{tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}"
    if isinstance(value, (tuple, list)):
        return f"{type(value).__name__} of [{', '.join(_describe(v) for v in value)}]"
    return type(value).__name__


def _advice(pred: Any, targets: tuple[Any, ...]) -> str | None:
    if isinstance(pred, (tuple, list)):
        return "the model returns several values, so the loss must accept them (or take the first in `after_pred`). "
    if not isinstance(pred, Tensor) or len(targets) != 1 or not isinstance(targets[0], Tensor):
        return None
    target = targets[0]
    if len(pred) != len(target):
        return f"the model gave {len(pred)} predictions for {len(target)} targets. "
    if target.dtype == torch.int64 and pred.ndim == target.ndim + 1 and pred.is_floating_point() and target.numel():
        n_outputs, highest, lowest = pred.shape[1], int(target.max()), int(target.min())
        if highest >= n_outputs or lowest < 0:
            return (
                f"the model has {n_outputs} outputs, but the targets hold class {highest if highest >= n_outputs else lowest}; "
                f"give the model {highest + 1} outputs (n_out) or check the vocabulary. "
            )
    if pred.shape != target.shape and pred.is_floating_point() and target.is_floating_point():
        return "predictions and targets of a regression must have one shape; reshape one of them. "
    if pred.shape == target.shape and pred.dtype != target.dtype:
        return f"predictions are {pred.dtype} and targets {target.dtype}; convert the targets (`y.float()`). "
    return None
