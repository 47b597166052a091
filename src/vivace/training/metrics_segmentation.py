"""Overlap of predicted and actual areas, summed over the whole set."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .metrics import Metric

__all__ = ["Dice", "DiceMulti", "JaccardCoeff", "JaccardCoeffMulti"]


class Dice(Metric):
    """Twice the intersection over the sum of both areas, of class 1 against 0; pixels such as 255 do not count.

    Args:
        axis: the dimension of the classes.
    """

    sum_states = ("inter", "union")

    def __init__(self, axis: int = 1) -> None:
        self.axis = axis
        self.reset()

    def reset(self) -> None:
        self.inter: Any = 0.0
        self.union: Any = 0.0

    def accumulate(self, learn: Any) -> None:
        pred, targ = _same_shape(learn.pred.argmax(dim=self.axis), learn.y)
        is_known = (targ >= 0) & (targ < learn.pred.shape[self.axis])
        self.inter = self.inter + (pred * targ * is_known).double().sum()
        self.union = self.union + ((pred + targ) * is_known).double().sum()

    @property
    def value(self) -> Any:
        return 2.0 * self.inter / self.union if isinstance(self.union, Tensor) and self.union > 0 else None


class JaccardCoeff(Dice):
    """Intersection over union of class 1 against 0."""

    @property
    def value(self) -> Any:
        return self.inter / (self.union - self.inter) if isinstance(self.union, Tensor) and self.union > 0 else None


class DiceMulti(Metric):
    """The mean of the Dice coefficients of all classes that occur; pixels of none (such as 255) do not count.

    Args:
        axis: the dimension of the classes.
    """

    sum_states = ("inter", "union")

    def __init__(self, axis: int = 1) -> None:
        self.axis = axis
        self.reset()

    def reset(self) -> None:
        self.inter: Any = 0.0
        self.union: Any = 0.0

    def accumulate(self, learn: Any) -> None:
        n_classes = learn.pred.shape[self.axis]
        pred, targ = _same_shape(learn.pred.argmax(dim=self.axis), learn.y)
        is_known = (targ >= 0) & (targ < n_classes)
        pred_hot, targ_hot = (
            F.one_hot(torch.where(is_known, t, n_classes).reshape(-1).long(), n_classes + 1)[:, :-1].double()
            for t in (pred, targ)
        )
        self.inter = self.inter + (pred_hot * targ_hot).sum(0)
        self.union = self.union + (pred_hot + targ_hot).sum(0)

    def _scores(self) -> Any:
        return 2.0 * self.inter / self.union

    @property
    def value(self) -> Any:
        if not isinstance(self.union, Tensor):
            return None
        return float(np.nanmean(torch.where(self.union > 0, self._scores(), torch.nan).cpu().numpy()))


class JaccardCoeffMulti(DiceMulti):
    """The mean of the intersections over unions of all classes that occur."""

    def _scores(self) -> Any:
        return self.inter / (self.union - self.inter)


def _same_shape(pred: Tensor, targ: Tensor) -> tuple[Tensor, Tensor]:
    return pred, targ.reshape(pred.shape) if targ.numel() == pred.numel() else targ
