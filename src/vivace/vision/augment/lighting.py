"""Light and colour augmentation of batches: any number of neighbours in a list act in one pass."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from vivace.core.errors import ArgumentError, ShapeError, suggest
from vivace.core.randomness import Draws
from vivace.core.types import TensorImage, plain_tensor
from vivace.data.transform import RandTransform

from .chance import Draw, draw_amounts
from .colour import ColourStep, Function, HueShift, LogOddsChange, adjust_colour

__all__ = [
    "Brightness",
    "ColourTransform",
    "Contrast",
    "FusedLighting",
    "HSVTfm",
    "Hue",
    "LightingTfm",
    "Saturation",
    "SpaceTfm",
]


class ColourTransform(RandTransform):
    """What the transforms of light and colour share. They act on the training set, and on images alone."""

    order = 40
    split_idx: int | None = 0
    batched = True
    applies_to = (TensorImage,)

    def __init__(self) -> None:
        super().__init__()
        self.drawn: Draw = None

    @property
    def parts(self) -> list[ColourTransform]:
        """The transforms that this one is made of: itself, or those that were fused."""
        return [self]

    @property
    def looks_at_images(self) -> bool:
        """Whether what is done depends on the pixels, through functions of the user."""
        return any(callable(part.drawn) or part.uses_global_random for part in self.parts)

    def steps(self, images: Tensor, draws: Draws) -> list[ColourStep]:
        """Return what to do to each image."""
        raise NotImplementedError

    def draw(self, sample: tuple[Any, ...], draws: Draws, split_idx: int | None) -> list[ColourStep] | None:
        images = plain_tensor(next(x for x in sample if isinstance(x, TensorImage)))
        if images.ndim != 4:
            raise ShapeError(
                f"Batch transforms take images (n, channels, height, width), got {tuple(images.shape)}. "
                "Give them as `batch_tfms`, or add the first dimension: `x[None]`."
            )
        steps = [step for part in self.parts for step in part.steps(images, draws)]
        return [s for s in steps if bool(s.changes().any())] or None

    def apply(self, x: Tensor, params: list[ColourStep]) -> Tensor:
        return adjust_colour(plain_tensor(x), params)

    def fuse(self, other: Any) -> FusedLighting | None:
        """Return one transform that does what this and then `other` do; None when `other` is of another kind."""
        if not isinstance(other, ColourTransform) or self.order != other.order:
            return None
        return FusedLighting([*self.parts, *other.parts])

    def config(self) -> dict[str, Any]:
        config = super().config()
        return config | {"draw": self.drawn} if "draw" in config else config


class FusedLighting(ColourTransform):
    """Several transforms of light and colour as one: each draws for itself, then images are changed in one pass.

    Args:
        parts: the transforms, in the order in which they act (or their settings: what `config` returns).
    """

    def __init__(self, parts: Sequence[ColourTransform | Mapping[str, Any]]) -> None:
        super().__init__()
        self._parts = [p if isinstance(p, ColourTransform) else _from_settings(p) for p in parts]
        self.uses_global_random = any(t.uses_global_random for t in self._parts)

    @property
    def parts(self) -> list[ColourTransform]:
        return self._parts

    def config(self) -> dict[str, Any]:
        return {"parts": [{"name": type(t).__name__, **t.config()} for t in self._parts]}

    def __repr__(self) -> str:
        return f"FusedLighting({', '.join(map(repr, self._parts))})"


class _Lighting(ColourTransform):
    def __init__(self, max_lighting: float, p: float, draw: Draw, batch: bool) -> None:
        super().__init__()
        if not 0 <= max_lighting <= 1:
            raise ArgumentError(
                f"max_lighting must be in 0..1 (0.2 is usual), got {max_lighting:g}. "
                "`aug_transforms` multiplies it by `mult`."
            )
        self.max_lighting, self.p, self.drawn, self.batch = float(max_lighting), float(p), draw, batch

    def _factors(self, images: Tensor, draws: Draws) -> Tensor:
        """Factors between 1 - max_lighting and its inverse, as often below 1 as above."""
        # at 1 the range would be 0..infinity
        largest = -math.log(max(1 - self.max_lighting, 1e-2))
        return draw_amounts(
            images,
            draws,
            lambda d: d.uniform(-largest, largest).exp(),
            p=self.p,
            neutral=1.0,
            draw=self.drawn,
            batch=self.batch,
        )


class Brightness(_Lighting):
    """Make images lighter or darker with probability `p`.

    Args:
        max_lighting: how far at most, in 0..1; middle grey goes to between 0.5 * (1 - that) and 0.5 * (1 + that).
        p: the probability.
        draw: where middle grey goes, in 0..1: a number, one for each image, or a function of the batch.
        batch: one draw for the whole batch.
    """

    def __init__(self, max_lighting: float = 0.2, p: float = 0.75, draw: Draw = None, batch: bool = False) -> None:
        super().__init__(max_lighting, p, draw, batch)

    def steps(self, images: Tensor, draws: Draws) -> list[ColourStep]:
        low, high = 0.5 * (1 - self.max_lighting), 0.5 * (1 + self.max_lighting)
        levels = draw_amounts(
            images, draws, lambda d: d.uniform(low, high), p=self.p, neutral=0.5, draw=self.drawn, batch=self.batch
        )
        return [LogOddsChange.brightness(levels)]


class Contrast(_Lighting):
    """Raise or lower the contrast of images with probability `p`.

    Args:
        max_lighting: how far at most: factors are in 1 - that .. 1 / (1 - that).
        p: the probability.
        draw: the factor, 1 changes nothing: a number, one for each image, or a function of the batch.
        batch: one draw for the whole batch.
    """

    def __init__(self, max_lighting: float = 0.2, p: float = 0.75, draw: Draw = None, batch: bool = False) -> None:
        super().__init__(max_lighting, p, draw, batch)

    def steps(self, images: Tensor, draws: Draws) -> list[ColourStep]:
        return [LogOddsChange.contrast(self._factors(images, draws))]


class Saturation(_Lighting):
    """Make images more or less colourful with probability `p`.

    Args:
        max_lighting: how far at most: factors are in 1 - that .. 1 / (1 - that).
        p: the probability.
        draw: the factor, 0 is grey and 1 changes nothing: a number, one for each image, or a function of the batch.
        batch: one draw for the whole batch.
    """

    def __init__(self, max_lighting: float = 0.2, p: float = 0.75, draw: Draw = None, batch: bool = False) -> None:
        super().__init__(max_lighting, p, draw, batch)

    def steps(self, images: Tensor, draws: Draws) -> list[ColourStep]:
        return [LogOddsChange.saturation(self._factors(images, draws))]


class Hue(ColourTransform):
    """Turn the hue of images with probability `p`.

    Args:
        max_hue: how far at most, as a share of the circle, in 0..1.
        p: the probability.
        draw: how far, as a share of the circle: a number, one for each image, or a function of the batch.
        batch: one draw for the whole batch.
    """

    def __init__(self, max_hue: float = 0.1, p: float = 0.75, draw: Draw = None, batch: bool = False) -> None:
        super().__init__()
        if not 0 <= max_hue < 1:
            raise ArgumentError(f"max_hue is a share of the colour circle, at least 0 and below 1, got {max_hue:g}.")
        self.max_hue, self.p, self.drawn, self.batch = float(max_hue), float(p), draw, batch

    def steps(self, images: Tensor, draws: Draws) -> list[ColourStep]:
        largest = -math.log(1 - self.max_hue)
        turns = draw_amounts(
            images,
            draws,
            lambda d: d.uniform(-largest, largest).exp(),
            p=self.p,
            neutral=0.0,
            draw=self.drawn,
            batch=self.batch,
        )
        return [HueShift(turns)]


Functions = Callable[[Tensor], Tensor] | Sequence[Callable[[Tensor], Tensor]]


class LightingTfm(ColourTransform):
    """Apply your own functions to the log-odds of images, log(x / (1 - x)), where no change leaves the range 0..1.

    Args:
        fs: functions of log-odds `(n, c, h, w)`.
    """

    space = "logit"

    def __init__(self, fs: Functions) -> None:
        super().__init__()
        self.fs = [fs] if callable(fs) else list(fs)
        self.uses_global_random = True

    def steps(self, images: Tensor, draws: Draws) -> list[ColourStep]:
        return [Function(self.fs, self.space)]


class HSVTfm(LightingTfm):
    """Apply your own functions to hue, saturation and value of images.

    Args:
        fs: functions of HSV images `(n, 3, h, w)`.
    """

    space = "hsv"


class SpaceTfm(RandTransform):
    """Apply functions to images in another space.

    Args:
        fs: functions of images in that space.
        space_fn: `space_fn(images, function)` takes images there, applies the function and takes them back.
    """

    order = 40
    batched = True
    applies_to = (TensorImage,)

    def __init__(self, fs: Functions, space_fn: Callable[[Tensor, Callable[[Tensor], Tensor]], Tensor]) -> None:
        super().__init__()
        self.fs, self.space_fn = [fs] if callable(fs) else list(fs), space_fn
        self.uses_global_random = True

    def draw(self, sample: tuple[Any, ...], draws: Draws, split_idx: int | None) -> bool:
        return True

    def apply(self, x: Tensor, params: bool) -> Tensor:
        return self.space_fn(plain_tensor(x), self._all)

    def _all(self, x: Tensor) -> Tensor:
        for function in self.fs:
            x = function(x)
        return x


_NAMED: dict[str, type[ColourTransform]] = {c.__name__: c for c in (Brightness, Contrast, Saturation, Hue)}


def _from_settings(settings: Mapping[str, Any]) -> ColourTransform:
    """Undo `FusedLighting.config` for one of its parts."""
    name = str(settings.get("name"))
    if name not in _NAMED:
        raise ArgumentError(f"{name!r} is no colour transform of vivace.{suggest(name, _NAMED)}")
    return _NAMED[name](**{k: v for k, v in settings.items() if k != "name"})
