"""Schedules as pure functions of the position 0..1, and the rules that read a rate off an `lr_find` curve."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vivace.core.errors import ArgumentError

__all__ = [
    "SchedCos",
    "SchedExp",
    "SchedLin",
    "SchedNo",
    "SchedPoly",
    "annealer",
    "combine_scheds",
    "combined_cos",
    "minimum",
    "sched_cos",
    "sched_exp",
    "sched_lin",
    "sched_no",
    "sched_poly",
    "slide",
    "steep",
    "valley",
]

Schedule = Callable[[float], Any]


def sched_lin(start: float, end: float, pos: float) -> float:
    """Go from `start` to `end` on a line."""
    return start + pos * (end - start)


def sched_cos(start: float, end: float, pos: float) -> float:
    """Go from `start` to `end` along half a cosine."""
    return start + (1 + math.cos(math.pi * (1 - pos))) * (end - start) / 2


def sched_no(start: float, end: float, pos: float) -> float:
    """Stay at `start`."""
    return start


def sched_exp(start: float, end: float, pos: float) -> float:
    """Go from `start` to `end` by equal factors."""
    return float(start * (end / start) ** pos)


def sched_poly(start: float, end: float, power: float, pos: float) -> float:
    """Go from `start` to `end` by `pos ** power`."""
    return float(start + (end - start) * pos**power)


def _each(function: Callable[..., float], start: Any, end: Any, *rest: float) -> Any:
    """Apply to numbers, or pairwise to one value for each parameter group."""
    if isinstance(start, (list, tuple, np.ndarray)) or isinstance(end, (list, tuple, np.ndarray)):
        n = len(start) if isinstance(start, (list, tuple, np.ndarray)) else len(end)
        starts = list(start) if isinstance(start, (list, tuple, np.ndarray)) else [start] * n
        ends = list(end) if isinstance(end, (list, tuple, np.ndarray)) else [end] * n
        return [function(s, e, *rest) for s, e in zip(starts, ends, strict=True)]
    return function(start, end, *rest)


@dataclass(frozen=True)
class _Sched:
    """From `start` (at 0) to `end` (at 1); numbers, or one for each parameter group."""

    start: Any
    end: Any


class SchedLin(_Sched):
    """A line from `start` to `end`."""

    def __call__(self, pos: float) -> Any:
        return _each(sched_lin, self.start, self.end, pos)


class SchedCos(_Sched):
    """Half a cosine from `start` to `end`."""

    def __call__(self, pos: float) -> Any:
        return _each(sched_cos, self.start, self.end, pos)


class SchedNo(_Sched):
    """`start`, all the way."""

    def __call__(self, pos: float) -> Any:
        return _each(sched_no, self.start, self.end, pos)


class SchedExp(_Sched):
    """Equal factors from `start` to `end`."""

    def __call__(self, pos: float) -> Any:
        return _each(sched_exp, self.start, self.end, pos)


@dataclass(frozen=True)
class SchedPoly:
    """From `start` to `end` by the position to the given power."""

    start: Any
    end: Any
    power: float

    def __call__(self, pos: float) -> Any:
        return _each(sched_poly, self.start, self.end, self.power, pos)


@dataclass(frozen=True)
class _Combined:
    pcts: tuple[float, ...]
    scheds: tuple[Schedule, ...]

    def __call__(self, pos: float) -> Any:
        begin = 0.0
        for pct, sched in zip(self.pcts, self.scheds, strict=True):
            if pos < begin + pct - 1e-12:
                return sched((pos - begin) / pct)
            begin += pct
        return self.scheds[-1](1.0)


def annealer(function: Callable[..., Any]) -> Callable[..., Schedule]:
    """Make of `function(start, end, pos)` a function that takes (start, end) and returns a schedule."""

    @functools.wraps(function)
    def schedule_of(*args: Any, **kwargs: Any) -> Schedule:
        return functools.partial(function, *args, **kwargs)

    return schedule_of


def combine_scheds(pcts: Sequence[float], scheds: Sequence[Schedule]) -> Schedule:
    """Return the schedule that follows each of `scheds` for its fraction of the way.

    Args:
        pcts: the fractions; they sum to 1.
        scheds: one for each fraction.

    Raises:
        ArgumentError: the fractions do not sum to 1, or there are not as many as schedules.
    """
    if len(pcts) != len(scheds) or not math.isclose(sum(pcts), 1.0, abs_tol=1e-6) or min(pcts) < 0:
        raise ArgumentError(
            f"combine_scheds needs one fraction for each schedule, summing to 1; got {list(pcts)} for {len(scheds)}."
        )
    return _Combined(tuple(pcts), tuple(scheds))


def combined_cos(pct: float, start: Any, middle: Any, end: Any) -> Schedule:
    """Return a cosine from `start` to `middle` for the fraction `pct`, then one from `middle` to `end`."""
    return combine_scheds([pct, 1 - pct], [SchedCos(start, middle), SchedCos(middle, end)])


# ---------------------------------------------------------------------- reading an lr_find curve
Floats = npt.NDArray[np.floating[Any]]
Suggestion = tuple[float, tuple[float, float]]


def minimum(lrs: Floats, losses: Floats, num_it: int) -> Suggestion:
    """Suggest a tenth of the rate with the lowest loss."""
    i = int(np.argmin(losses))
    return float(lrs[i]) / 10, (float(lrs[i]), float(losses[i]))


def steep(lrs: Floats, losses: Floats, num_it: int) -> Suggestion:
    """Suggest the rate where the loss falls fastest (over the logarithm of the rate)."""
    i = int(np.argmin(np.diff(losses) / np.diff(np.log(lrs))))
    return float(lrs[i]), (float(lrs[i]), float(losses[i]))


def valley(lrs: Floats, losses: Floats, num_it: int) -> Suggestion:
    """Suggest a rate about two thirds down the longest falling stretch of the loss."""
    fell = np.asarray(losses)
    length = np.ones(len(fell), dtype=int)  # of the longest falling subsequence that ends at i
    for i in range(1, len(fell)):
        length[i] += np.max(length[:i], where=fell[:i] > fell[i], initial=0)
    end = int(np.argmax(length))
    # As if the losses of the subsequence stood side by side: where the curve is level, the subsequence goes far to the
    # left on noise alone, and a rate found from its true beginning would be too low.
    third = length[end] / 3
    i = max(end - int(length[end]), 0) + int(third) + int(third / 2)
    return float(lrs[i]), (float(lrs[i]), float(losses[i]))


def slide(
    lrs: Floats, losses: Floats, num_it: int, lr_diff: int = 15, thresh: float = 0.005, adjust_value: float = 1.0
) -> Suggestion:
    """Slide an interval from the right end to the left until the slope changes little inside it; suggest its left end.

    Args:
        lrs: rates.
        losses: losses.
        num_it: how many batches `lr_find` ran.
        lr_diff: the interval's width, in batches.
        thresh: how much the slope may change across the interval.
        adjust_value: what the suggestion is multiplied by.
    """
    slopes = np.gradient(losses)
    right = -1
    left = right - lr_diff
    rate = float(lrs[right])
    while left >= -len(losses) and abs(slopes[right] - slopes[left]) > thresh:
        rate = float(lrs[left])
        right, left = right - 1, left - 1
    suggestion = rate * adjust_value
    return suggestion, (suggestion, float(np.interp(np.log10(suggestion), np.log10(lrs), losses)))
