"""How much each image of a batch is changed: drawn at random, or as the user's `draw` says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from vivace.core.errors import ShapeError
from vivace.core.randomness import Draws, fresh_keys

__all__ = ["DeterministicDraw", "Draw", "draw_amounts", "mask_tensor", "new_draws"]

# A number for all images, one for each, or a function of the batch that returns either.
Draw = float | int | Sequence[float] | Tensor | Callable[[Any], Any] | None


def draw_amounts(
    images: Tensor,
    draws: Draws,
    default: Callable[[Draws], Tensor],
    *,
    p: float,
    neutral: float,
    draw: Draw = None,
    batch: bool = False,
) -> Tensor:
    """Return one float32 number for each image `(n,)`: an amount with probability `p`, else `neutral`.

    Args:
        images: the batch; its length counts, and a callable `draw` sees it.
        draws: the source of randomness, with one key for each image.
        default: how an amount is drawn when `draw` does not say.
        p: the probability that an image is changed.
        neutral: the amount that changes nothing.
        draw: the amount: a number, one for each image, or a function of the batch.
        batch: whether all images get the amount of the first.

    Raises:
        ShapeError: `draw` gives neither one number nor one for each image.
    """
    n = len(images)
    is_changed = draws.bernoulli(p)
    given = draw(images) if callable(draw) else draw
    amounts = default(draws) if given is None else torch.as_tensor(given).detach().cpu().float().flatten()
    if len(amounts) not in (1, n):
        raise ShapeError(f"`draw` must give one number, or one for each of the {n} images, but gave {len(amounts)}.")
    if batch:
        is_changed, amounts = is_changed[:1], amounts[:1]
    return torch.where(is_changed, amounts, torch.tensor(neutral)).expand(n)


def new_draws(images: Tensor) -> Draws:
    """Return draws for a batch outside of a loader; torch's global seed governs them."""
    return Draws(fresh_keys(len(images)))


def mask_tensor(x: Tensor, p: float = 0.5, neutral: float = 0.0, batch: bool = False) -> Tensor:
    """Return `x` `(n,)`, each number replaced by `neutral` with probability `1 - p` (with `batch`: all or none)."""
    if p >= 1.0:
        return x
    is_kept = new_draws(x).bernoulli(p).to(x.device)
    return torch.where(is_kept[:1] if batch else is_kept, x, torch.full_like(x, neutral))


class DeterministicDraw:
    """Gives all images of the first batch the first value, those of the next batch the next one, and so on, in turns.

    Args:
        vals: the values.
    """

    def __init__(self, vals: Sequence[float]) -> None:
        self.vals, self.count = list(vals), -1

    def __call__(self, x: Tensor) -> Tensor:
        self.count += 1
        return torch.full((len(x),), float(self.vals[self.count % len(self.vals)]))
