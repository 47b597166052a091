"""Semantic types: what a value *is*, so that transforms know what to do and `show` knows how to draw it.

As tensors these are thin subclasses with torch-function dispatch switched off: arithmetic on them gives plain tensors
at plain speed. Only the few operations that return the same thing (a copy, a move, a slice) keep the type.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
import torch
from torch import Tensor

from .collection import L

__all__ = [
    "Category",
    "MultiCategory",
    "TensorBBox",
    "TensorBase",
    "TensorCategory",
    "TensorChannels",
    "TensorImage",
    "TensorImageBW",
    "TensorImageBase",
    "TensorMask",
    "TensorMultiCategory",
    "TensorPoint",
    "TitledFloat",
    "TitledInt",
    "TitledStr",
    "TitledTuple",
    "fastuple",
    "is_sample",
    "plain_tensor",
    "retype",
]

T = TypeVar("T")


class TensorBase(Tensor):
    """A tensor that knows what it stands for. Operations on it give plain tensors."""

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    def __new__(cls, x: Any, **kwargs: Any) -> Self:
        """Wrap a tensor, array or nested list without copying where possible; `kwargs` become attributes."""
        data = x if isinstance(x, Tensor) else torch.as_tensor(np.asarray(x) if not np.isscalar(x) else x)
        out = data.as_subclass(cls)
        for name, value in kwargs.items():
            setattr(out, name, value)
        return out

    def _same(self, other: Tensor) -> Self:
        out = other.as_subclass(type(self))
        if self.__dict__:
            out.__dict__.update(self.__dict__)
        return out

    def clone(self, *args: Any, **kwargs: Any) -> Self:
        return self._same(super().clone(*args, **kwargs))

    def detach(self) -> Self:
        return self._same(super().detach())

    def contiguous(self, *args: Any, **kwargs: Any) -> Self:
        return self._same(super().contiguous(*args, **kwargs))

    def to(self, *args: Any, **kwargs: Any) -> Self:
        return self._same(super().to(*args, **kwargs))

    def cpu(self, *args: Any, **kwargs: Any) -> Self:
        return self._same(super().cpu(*args, **kwargs))

    def cuda(self, *args: Any, **kwargs: Any) -> Self:
        return self._same(super().cuda(*args, **kwargs))

    def pin_memory(self, *args: Any, **kwargs: Any) -> Self:
        return self._same(super().pin_memory(*args, **kwargs))

    def __getitem__(self, index: Any) -> Self:
        return self._same(super().__getitem__(index))

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self._same(copy.deepcopy(self.as_subclass(Tensor), memo))

    def __iter__(self) -> Iterator[Self]:
        return (self[i] for i in range(len(self)))

    def show(self, ctx: Any = None, **kwargs: Any) -> Any:
        """Show the value as the title of `ctx` (matplotlib axes) and return the axes."""
        from .show import show_title

        return show_title(self.tolist(), ctx=ctx, **kwargs)


class TensorImageBase(TensorBase):
    """`(channels, height, width)` or a batch of them: uint8, or float in 0..1."""

    default_cmap: str | None = None

    def show(self, ctx: Any = None, **kwargs: Any) -> Any:
        """Draw the image on `ctx` (matplotlib axes, made when missing) and return the axes."""
        from .show import show_image

        if self.default_cmap is not None:
            kwargs.setdefault("cmap", self.default_cmap)
        return show_image(self, ctx=ctx, **kwargs)


class TensorImage(TensorImageBase):
    """A colour image, or one with any number of channels."""


class TensorImageBW(TensorImage):
    """An image with one channel."""

    default_cmap = "Greys_r"


class TensorChannels(TensorImage):
    """An image of channels that are no colours, float; it is drawn as what its first three hold."""

    def show(self, ctx: Any = None, **kwargs: Any) -> Any:
        """Draw the first three channels (one in grey) on `ctx`, each stretched from its 2nd to its 98th percentile."""
        from .show import show_image

        shown = self.as_subclass(Tensor).detach().float().cpu()[:3]
        flat = shown.flatten(1)
        step = max(flat.shape[1] // 10_000, 1)  # enough to see by
        low, high = torch.quantile(flat[:, ::step], torch.tensor([0.02, 0.98]), dim=1)[..., None, None]
        return show_image(((shown - low) / (high - low).clamp_min(1e-6)).clamp(0, 1), ctx=ctx, **kwargs)


class TensorMask(TensorImageBase):
    """`(height, width)` class indices, int64 (uint8 before batching). `codes` are the class names, if known."""

    codes: Any = None

    def show(self, ctx: Any = None, **kwargs: Any) -> Any:
        """Draw the mask half transparent on `ctx`; the same class has the same colour in every mask."""
        from .show import show_image

        options: dict[str, Any] = {"cmap": "tab20", "alpha": 0.5, "interpolation": "nearest"}
        if self.codes is not None:
            options |= {"vmin": 0, "vmax": max(len(self.codes), 2)}
        return show_image(self, ctx=ctx, **{**options, **kwargs})


class TensorPoint(TensorBase):
    """`(n_points, 2)` x, y positions: pixels before `PointScaler`, then -1..1 across the image."""

    _width: ClassVar[int] = 2  # numbers in a row

    @classmethod
    def create(cls, t: Any, img_size: tuple[int, int] | None = None) -> Self:
        """Return numbers, in pixels, as points (or boxes), one in a row.

        Args:
            t: one point or several (for boxes: left, top, right, bottom): a tensor, array or nested list.
            img_size: width and height of their picture; None: they are read off the picture that is beside them.
        """
        rows = torch.as_tensor(np.asarray(t), dtype=torch.float32).reshape(-1, cls._width)
        return cls(rows) if img_size is None else cls(rows, img_size=img_size)

    def show(self, ctx: Any = None, figsize: Any = None, **kwargs: Any) -> Any:
        """Mark the points on `ctx`, in the pixels of the image drawn there."""
        from .show import as_axes

        ax = as_axes(ctx, figsize=figsize)
        kwargs.pop("title", None)
        xy = self.reshape(-1, 2).float().cpu()
        style = {"s": 36, "marker": "o", "c": "r", "edgecolors": "white", "linewidths": 0.8}
        ax.scatter(xy[:, 0], xy[:, 1], **{**style, **kwargs})
        return ax


class TensorBBox(TensorPoint):
    """`(n_boxes, 4)` left, top, right, bottom: pixels, then -1..1 across the image."""

    _width = 4

    def show(self, ctx: Any = None, figsize: Any = None, **kwargs: Any) -> Any:
        """Outline the boxes on `ctx` in the colour `c`, with `labels` (one for each); empty ones are left out."""
        from matplotlib.patches import Rectangle

        from .show import as_axes

        ax = as_axes(ctx, figsize=figsize)
        colour, rows = kwargs.get("c", "white"), self.reshape(-1, 4).float().cpu().tolist()
        for (left, top, right, bottom), label in zip(rows, kwargs.get("labels") or [None] * len(rows), strict=False):
            if right > left and bottom > top:
                ax.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=colour, lw=2))
                if label is not None:
                    at: dict[str, Any] = {
                        "va": "bottom",
                        "color": "black",
                        "fontsize": 8,
                        "bbox": {"fc": colour, "lw": 0, "pad": 1},
                    }
                    ax.text(left, top, str(label), **at)
        return ax


class TensorCategory(TensorBase):
    """A class index (0-d int64), or a batch of them."""


class TensorMultiCategory(TensorCategory):
    """One-hot float `(n_classes,)`, or the indices of the labels before encoding."""


class _Titled:
    """Values that show themselves as the title of a picture."""

    def show(self, ctx: Any = None, **kwargs: Any) -> Any:
        from .show import show_title

        return show_title(str(self), ctx=ctx, **kwargs)


class TitledInt(_Titled, int):
    """An int that `show` writes above a picture."""


class TitledFloat(_Titled, float):
    """A float that `show` writes above a picture."""

    def show(self, ctx: Any = None, **kwargs: Any) -> Any:
        from .show import show_title

        return show_title(f"{float(self):.4g}", ctx=ctx, **kwargs)


class TitledStr(_Titled, str):
    """A str that `show` writes above a picture."""

    column = "text"  # its heading in a table


class TitledTuple(_Titled, tuple[Any, ...]):
    """A tuple that `show` writes above a picture."""

    def show(self, ctx: Any = None, **kwargs: Any) -> Any:
        from .show import show_title

        shown = ", ".join(f"{v:.4g}" if isinstance(v, float) else str(v) for v in self)
        return show_title(shown if len(self) == 1 else f"({shown})", ctx=ctx, **kwargs)


class Category(TitledStr):
    """The name of a class."""

    column = "category"


class MultiCategory(L[Any]):
    """The names of the classes of one item."""

    column = "categories"

    def show(self, ctx: Any = None, sep: str = ";", **kwargs: Any) -> Any:
        """Show the names, joined by `sep`, as the title of `ctx`."""
        from .show import show_title

        return show_title(sep.join(str(o) for o in self), ctx=ctx, **kwargs)


class fastuple(tuple[Any, ...]):
    """Several values that are one part of a sample, such as a pair of pictures: the base of such types of your own.

    Transforms act on each member (one random draw for all), collating gives such a tuple of batches, which the model
    gets as one argument, and a `show(self, ctx=None, **kwargs)` of the subclass draws it.

    Args:
        members: the values, one by one or as one iterable.
    """

    def __new__(cls, *members: Any) -> Self:
        is_one = len(members) == 1 and isinstance(members[0], Iterable) and not isinstance(members[0], (str, Tensor))
        return super().__new__(cls, members[0] if is_one else members)


def is_sample(x: Any) -> bool:
    """Whether transforms act on the members of `x`: a plain tuple, or a `fastuple`."""
    return type(x) is tuple or isinstance(x, fastuple)


def plain_tensor(x: T) -> T:
    """Return tensors (also inside tuples, lists and dicts) without their semantic type; nothing is copied."""
    if isinstance(x, TensorBase):
        return x.as_subclass(Tensor)  # type: ignore[return-value]
    if isinstance(x, tuple):
        return type(x)(plain_tensor(o) for o in x) if is_sample(x) else x
    if isinstance(x, list):
        return [plain_tensor(o) for o in x]  # type: ignore[return-value]
    if isinstance(x, dict):
        return {k: plain_tensor(v) for k, v in x.items()}  # type: ignore[return-value]
    return x


def retype(value: Any, like: Any) -> Any:
    """Give a plain tensor (or picture) back the semantic type that `like` has.

    A tensor becomes what `like` is when `like` is a semantic tensor; when `like` is a picture it becomes that
    picture's tensor type, and an array or a plain Pillow image becomes such a picture again.
    """
    if type(value) is type(like):
        return value
    if type(value) is Tensor:
        if isinstance(like, TensorBase):
            return like._same(value)
        tensor_type = getattr(type(like), "tensor_type", None)
        return value.as_subclass(tensor_type) if tensor_type is not None else value
    create = getattr(type(like), "from_pixels", None)
    return create(value) if create is not None else value
