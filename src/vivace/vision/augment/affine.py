"""The engine of augmentation: images, masks, points and boxes move together, and pixels are interpolated once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from vivace.core.errors import ArgumentError, ShapeError, suggest
from vivace.core.randomness import Draws
from vivace.core.types import TensorBBox, TensorImage, TensorImageBase, TensorMask, TensorPoint, plain_tensor
from vivace.data.transform import RandTransform

from .chance import Draw
from .colour import ColourStep, adjust_colour
from .geometry import Size, correct_aspect, identity_matrices, move_boxes, move_points, symmetry_codes
from .graph import MovedInGraph
from .lighting import ColourTransform, FusedLighting
from .resample import resample, resample_with

__all__ = ["AffineCoordTfm", "Augmentation", "FusedGeometry", "SizeLike", "as_size"]

_MODES = ("bilinear", "bicubic", "nearest")
_PAD_MODES = ("reflection", "border", "zeros")
MatrixFunction = Callable[[Any], Tensor]
CoordFunction = Callable[..., Tensor]
SizeLike = int | tuple[int, int] | None


def _choice(name: str, value: Any, known: tuple[str, ...]) -> str:
    text = str(getattr(value, "value", value)).lower()
    if text not in known:
        raise ArgumentError(f"{name}={value!r} is none of {', '.join(known)}.{suggest(text, known)}")
    return text


def as_size(size: SizeLike | Sequence[int]) -> Size | None:
    """Return (height, width) of an int (a square), a pair, or None.

    Raises:
        ArgumentError: it is no such thing, or not positive.
    """
    if size is None:
        return None
    pair = (size, size) if isinstance(size, int) else tuple(int(s) for s in size)
    if len(pair) != 2 or min(pair) < 1:
        raise ArgumentError(f"`size` must be a positive int or (height, width), got {size!r}.")
    return pair[0], pair[1]


def _functions(given: Any) -> list[Any]:
    return [] if given is None else [given] if callable(given) else list(given)


@dataclass(frozen=True)
class _Movement:
    """What was drawn for a batch."""

    matrices: Tensor
    size_out: Size | None
    has_coord_fs: bool


class AffineCoordTfm(RandTransform):
    """Move the images of a batch, and the masks, points and boxes that come with them.

    The base of all geometric transforms. Neighbours in a list are fused, so that pixels are interpolated once. On the
    validation set nothing is done, except that pictures are brought to `size`.

    Args:
        aff_fs: functions of the images `(n, c, h, w)` that return matrices `(n, 3, 3)`: positions (-1..1) in the new
            picture to those in the old one.
        coord_fs: functions of coordinates `(n, height, width, 2)`, applied after the matrices. With points in the
            batch they are called with `invert=True` as well.
        size: height and width of the result, the whole picture brought to it; an int is a square. None: unchanged.
        mode: how images are interpolated: "bilinear", "bicubic" or "nearest".
        pad_mode: what lies outside of a picture: "reflection", "border" or "zeros".
        mode_mask: how masks are interpolated.
        align_corners: whether turning and zooming refer to the centres of the corner pixels, not the outer edges.

    Raises:
        ArgumentError: a mode or the size is not one of those.
    """

    order = 30
    split_idx: int | None = None
    batched = True
    applies_to = (TensorImageBase, TensorPoint)
    fits_any_padding = False  # True for those that never look outside of a picture

    def __init__(
        self,
        aff_fs: MatrixFunction | Sequence[MatrixFunction] | None = None,
        coord_fs: CoordFunction | Sequence[CoordFunction] | None = None,
        size: SizeLike = None,
        mode: str = "bilinear",
        pad_mode: str = "reflection",
        mode_mask: str = "nearest",
        align_corners: bool | None = None,
    ) -> None:
        super().__init__()
        self.aff_fs, self.coord_fs = _functions(aff_fs), _functions(coord_fs)
        self.size = as_size(size)
        self.mode, self.mode_mask = _choice("mode", mode, _MODES), _choice("mode_mask", mode_mask, _MODES)
        self.pad_mode = _choice("pad_mode", pad_mode, _PAD_MODES)
        self.align_corners = bool(align_corners)
        self.drawn: Draw = None
        if self.aff_fs or self.coord_fs:
            self.uses_global_random = True
        if self.size is None:
            self.split_idx = 0  # the validation set is left alone

    @property
    def parts(self) -> list[AffineCoordTfm]:
        """The transforms that this one is made of: itself, or those that were fused."""
        return [self]

    def matrices(self, images: Tensor, draws: Draws, size: Size) -> Tensor | None:
        """Return the maps `(n, 3, 3)` drawn for images whose height and width is `size` at this step (None: none)."""
        out = None
        for function in self.aff_fs:
            matrix = correct_aspect(function(images).detach().cpu().double(), size)
            out = matrix if out is None else out @ matrix
        return out

    def valid_matrices(self, n: int, size: Size) -> Tensor | None:
        """Return the maps for the validation set, where nothing is random."""
        return None

    def draw(self, sample: tuple[Any, ...], draws: Draws, split_idx: int | None) -> _Movement | None:
        images = _reference(sample)
        size_in: Size = (images.shape[-2], images.shape[-1])
        size, matrices = size_in, identity_matrices(len(images))
        for part in self.parts:
            step = part.valid_matrices(len(images), size) if split_idx == 1 else part.matrices(images, draws, size)
            if step is not None:
                matrices = matrices @ step
            size = part.size or size
        has_coord_fs = bool(self.coord_fs) and split_idx != 1
        if not has_coord_fs and bool((symmetry_codes(matrices, size_in, size) == 0).all()):
            return None
        return _Movement(matrices / matrices[:, 2:, 2:], self.size, has_coord_fs)

    def apply(self, x: Tensor, params: _Movement) -> Tensor:
        plain = plain_tensor(x)
        if isinstance(x, TensorPoint):
            return self._move_positions(plain, params, is_boxes=isinstance(x, TensorBBox))
        is_mask = isinstance(x, TensorMask)
        pixels = plain[:, None] if plain.ndim == 3 else plain
        mode = self.mode_mask if is_mask else self.mode
        out = self._resample(pixels, params, mode)
        return out[:, 0] if plain.ndim == 3 else out

    def _resample(self, pixels: Tensor, params: _Movement, mode: str) -> Tensor:
        if params.has_coord_fs:
            return resample_with(
                pixels,
                params.matrices,
                self.coord_fs,
                params.size_out,
                mode=mode,
                pad_mode=self.pad_mode,
                align_corners=self.align_corners,
            )
        return resample(
            pixels,
            params.matrices,
            params.size_out,
            mode=mode,
            pad_mode=self.pad_mode,
            align_corners=self.align_corners,
        )

    def _move_positions(self, positions: Tensor, params: _Movement, *, is_boxes: bool) -> Tensor:
        move, last = (move_boxes, 4) if is_boxes else (move_points, 2)
        flat = positions.reshape(len(positions), -1, last)
        if params.has_coord_fs:
            for function in reversed(self.coord_fs):
                flat = function(flat.view(len(flat), -1, 1, 2), invert=True).reshape(flat.shape)
        return move(flat, params.matrices).view(positions.shape)

    def fuse(self, other: Any) -> RandTransform | None:
        """Return one transform that does what this and then `other` do; None where that cannot be."""
        if isinstance(other, ColourTransform) and not other.looks_at_images:
            return Augmentation([self, other])
        if not isinstance(other, AffineCoordTfm) or self.coord_fs or other.coord_fs:
            return None
        if (self.mode, self.mode_mask) != (other.mode, other.mode_mask):
            return None
        padded = [t for t in (self, other) if not t.fits_any_padding]
        if len({(t.pad_mode, t.align_corners) for t in padded}) > 1:
            return None
        return FusedGeometry([*self.parts, *other.parts])

    def as_module(self) -> nn.Module | None:
        return MovedInGraph(self._move_in_validation, self.mode, self.pad_mode, self.align_corners)

    def _move_in_validation(self, size: Size) -> tuple[Size, Tensor] | None:
        """Height and width of the result, and the map, for a picture of `size`."""
        movement = self.draw((TensorImage(torch.empty(1, 0, *size)),), Draws(0), split_idx=1)  # nothing is drawn
        return None if movement is None else (movement.size_out or size, movement.matrices)

    def config(self) -> dict[str, Any]:
        config = super().config()
        return config | {"draw": self.drawn} if "draw" in config else config


def _reference(sample: tuple[Any, ...]) -> Tensor:
    """The images (or masks) of a batch whose size counts; an empty stand-in when it holds points alone."""
    for x in sample:
        if isinstance(x, TensorImageBase):
            if x.ndim != (3 if isinstance(x, TensorMask) else 4) and x.ndim != 4:
                raise ShapeError(
                    f"Batch transforms take images (n, channels, height, width), got {tuple(x.shape)}. "
                    "Give them as `batch_tfms`, or add the first dimension: `x[None]`."
                )
            return plain_tensor(x)
    points = next(x for x in sample if isinstance(x, TensorPoint))
    return points.new_empty((len(points), 0, 1, 1))


class FusedGeometry(AffineCoordTfm):
    """Several geometric transforms as one: each draws for itself, then pixels are interpolated once.

    Args:
        parts: the transforms, in the order in which they act (or their settings: what `config` returns).
    """

    def __init__(self, parts: Sequence[AffineCoordTfm | Mapping[str, Any]]) -> None:
        made = [p if isinstance(p, AffineCoordTfm) else _from_settings(p) for p in parts]
        if not made:
            raise ArgumentError("FusedGeometry needs at least one transform.")
        leading = next((t for t in made if not t.fits_any_padding), made[0])
        sizes = [t.size for t in made if t.size is not None]
        super().__init__(
            size=sizes[-1] if sizes else None,
            mode=leading.mode,
            pad_mode=leading.pad_mode,
            mode_mask=leading.mode_mask,
            align_corners=leading.align_corners,
        )
        self._parts = made
        self.uses_global_random = any(t.uses_global_random for t in made)

    @property
    def parts(self) -> list[AffineCoordTfm]:
        return self._parts

    def config(self) -> dict[str, Any]:
        return {"parts": [{"name": type(t).__name__, **t.config()} for t in self._parts]}

    def __repr__(self) -> str:
        return f"FusedGeometry({', '.join(map(repr, self._parts))})"


class Augmentation(RandTransform):
    """Geometry and then colour as one transform: the images that were moved are coloured where they lie.

    Args:
        parts: one geometric transform and one of light and colour (or the settings of all: what `config` returns).
    """

    order = AffineCoordTfm.order
    batched = True
    applies_to = AffineCoordTfm.applies_to

    def __init__(self, parts: Sequence[RandTransform | Mapping[str, Any]]) -> None:
        super().__init__()
        geometry, lighting = parts
        self.geometry = geometry if isinstance(geometry, AffineCoordTfm) else FusedGeometry(_settings(geometry))
        self.lighting = lighting if isinstance(lighting, ColourTransform) else FusedLighting(_settings(lighting))
        self.split_idx = self.geometry.split_idx
        self.uses_global_random = self.geometry.uses_global_random or self.lighting.uses_global_random

    def draw(
        self, sample: tuple[Any, ...], draws: Draws, split_idx: int | None
    ) -> tuple[_Movement | None, list[ColourStep] | None] | None:
        movement = self.geometry.draw(sample, draws, split_idx)
        has_images = any(isinstance(x, TensorImage) for x in sample)
        steps = self.lighting.draw(sample, draws, split_idx) if has_images and split_idx != 1 else None
        return None if movement is None and steps is None else (movement, steps)

    def apply(self, x: Tensor, params: tuple[_Movement | None, list[ColourStep] | None]) -> Tensor:
        movement, steps = params
        out = plain_tensor(x) if movement is None else self.geometry.apply(x, movement)
        if steps is None or not isinstance(x, TensorImage):
            return out
        return adjust_colour(out, steps, in_place=movement is not None)

    def fuse(self, other: Any) -> Augmentation | None:
        """Return one transform that does what this and then `other`, one of light and colour, do."""
        if not isinstance(other, ColourTransform) or other.looks_at_images:
            return None
        lighting = self.lighting.fuse(other)
        return None if lighting is None else Augmentation([self.geometry, lighting])

    def as_module(self) -> nn.Module | None:
        return self.geometry.as_module()

    def config(self) -> dict[str, Any]:
        geometry, lighting = FusedGeometry(self.geometry.parts), FusedLighting(self.lighting.parts)
        return {"parts": [geometry.config(), lighting.config()]}

    def __repr__(self) -> str:
        return f"Augmentation({self.geometry!r}, {self.lighting!r})"


def _settings(config: Any) -> Sequence[Mapping[str, Any]]:
    """The parts in what `FusedGeometry.config` or `FusedLighting.config` returned."""
    if not isinstance(config, Mapping) or "parts" not in config:
        raise ArgumentError(f"Augmentation needs a geometric transform and one of colour, got {config!r:.80}.")
    parts: Sequence[Mapping[str, Any]] = config["parts"]
    return parts


def _from_settings(settings: Mapping[str, Any]) -> AffineCoordTfm:
    """Undo `FusedGeometry.config` for one of its parts."""
    known = {cls.__name__: cls for cls in _family(AffineCoordTfm) if cls.__module__.startswith("vivace.")}
    name = str(settings.get("name"))
    if name not in known:
        raise ArgumentError(f"{name!r} is no geometric transform of vivace.{suggest(name, known)}")
    return known[name](**{k: v for k, v in settings.items() if k != "name"})


def _family(cls: type[AffineCoordTfm]) -> list[type[AffineCoordTfm]]:
    return [cls, *(member for child in cls.__subclasses__() for member in _family(child))]
