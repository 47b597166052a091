"""Drawing images, titles, grids of axes and tables. matplotlib is imported when something is drawn."""

from __future__ import annotations

import builtins
import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .basics import in_notebook
from .errors import ShapeError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "as_axes",
    "get_grid",
    "show_html",
    "show_image",
    "show_images",
    "show_table",
    "show_title",
    "show_titled_image",
    "subplots",
]

Size = tuple[float, float]
PIXELS_PER_INCH = 64
CHANNEL_COUNTS = (1, 3, 4)  # of these a last dimension is taken for the channels


def as_axes(ctx: Axes | None = None, *, figsize: Size | None = None) -> Axes:
    """Return `ctx`, or new axes in a figure of `figsize` (width, height in inches) when it is `None`."""
    if ctx is not None:
        return ctx
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=figsize)[1]


def show_image(
    im: Any,
    ax: Axes | None = None,
    figsize: Size | None = None,
    title: Any = None,
    ctx: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    """Draw an image without axis lines and return its axes.

    Args:
        im: A tensor or array `(channels, height, width)`, `(height, width, channels)` or `(height, width)`, or a Pillow
            image. Floats are in 0..1 (what lies outside is clipped in colour images), integers in 0..255. One channel
            is drawn in grey, two in red and green; of more than four the first three are drawn.
        ax: Where to draw; new axes by default.
        figsize: Width and height of a new figure in inches; chosen after the image by default.
        title: Text above the image.
        ctx: The same as `ax`, the name that `show` methods use.
        kwargs: Options of matplotlib's `imshow`, such as `cmap`, `alpha`, `vmin`.

    Raises:
        ShapeError: `im` has neither two nor three dimensions.
    """
    pixels = _pixels(im)
    if pixels.ndim == 2:
        kwargs.setdefault("cmap", "gray")
    ax = as_axes(ctx if ax is None else ax, figsize=figsize or _figure_size(pixels))
    ax.imshow(pixels, **kwargs)
    if title is not None:
        ax.set_title(str(title))
    ax.axis("off")
    return ax


def _pixels(im: Any) -> npt.NDArray[Any]:
    """Return `im` as matplotlib wants it: `(height, width)` or `(height, width, 3 or 4)`."""
    is_tensor = isinstance(im, Tensor)
    if is_tensor:
        im = im.detach().as_subclass(Tensor).cpu()
        im = im.float() if im.dtype in (torch.bfloat16, torch.float16) else im
    pixels = np.asarray(im)
    if pixels.ndim not in (2, 3):
        raise ShapeError(f"An image has 2 or 3 dimensions, got the shape {pixels.shape}; index a batch first.")
    if pixels.dtype == np.float16:
        pixels = pixels.astype(np.float32)
    if pixels.ndim == 2:
        return pixels
    if _has_channels_first(pixels.shape, is_tensor):
        pixels = pixels.transpose(1, 2, 0)
    if pixels.shape[-1] == 1:
        return pixels[..., 0]
    if pixels.shape[-1] == 2:
        pixels = np.concatenate([pixels, np.zeros_like(pixels[..., :1])], axis=-1)
    pixels = pixels if pixels.shape[-1] in CHANNEL_COUNTS else pixels[..., :3]
    if pixels.dtype == np.uint16:
        pixels = pixels / np.float32(65535)
    return pixels.clip(0, 1) if pixels.dtype.kind == "f" else pixels


def _has_channels_first(shape: tuple[int, ...], is_tensor: bool) -> bool:
    first, last = shape[0] in CHANNEL_COUNTS, shape[-1] in CHANNEL_COUNTS
    # Both or neither: torch's habit for tensors, numpy's and Pillow's for arrays.
    return is_tensor if first == last else first


def _figure_size(pixels: npt.NDArray[Any]) -> Size:
    """Return 1 to 5 inches a side, in the proportions of the image."""
    height, width = pixels.shape[:2]
    scale = min(1 / PIXELS_PER_INCH, 5 / max(height, width))
    return max(1.0, width * scale), max(1.0, height * scale)


def show_titled_image(
    o: tuple[Any, Any],
    ax: Axes | None = None,
    figsize: Size | None = None,
    ctx: Axes | None = None,
    **kwargs: Any,
) -> Axes:
    """Draw the image `o[0]` with the title `o[1]`: `show_image` for a pair."""
    return show_image(o[0], ax=ax, figsize=figsize, title=str(o[1]), ctx=ctx, **kwargs)


def show_images(
    ims: Iterable[Any],
    nrows: int = 1,
    ncols: int | None = None,
    titles: Sequence[Any] | None = None,
    *,
    figsize: Size | None = None,
    imsize: float = 3,
    suptitle: str | None = None,
    **kwargs: Any,
) -> None:
    """Draw several images side by side, in `nrows` rows.

    Args:
        ims: The images, each as `show_image` takes it.
        nrows: How many rows.
        ncols: How many columns; as many as it takes by default.
        titles: One for each image.
        figsize: Width and height of the figure in inches; `imsize` inches for each image by default.
        imsize: Width and height of one image in inches.
        suptitle: Title of the whole.
        kwargs: Options of matplotlib's `imshow`.
    """
    images = list(ims)
    columns = math.ceil(len(images) / nrows) if ncols is None else ncols
    axes = get_grid(len(images), nrows, columns, figsize=figsize, imsize=imsize, title=suptitle)
    for image, title, ax in zip(images, titles or [None] * len(images), axes, strict=False):
        show_image(image, ax=ax, title=title, **kwargs)


def subplots(
    nrows: int = 1,
    ncols: int = 1,
    figsize: Size | None = None,
    imsize: float = 3,
    suptitle: str | None = None,
    **kwargs: Any,
) -> tuple[Figure, npt.NDArray[Any]]:
    """Return a figure with `nrows` x `ncols` axes, and the axes as an array (of one element for one).

    Args:
        nrows: How many rows.
        ncols: How many columns.
        figsize: Width and height of the figure in inches; `imsize` inches for each of the axes by default.
        imsize: Width and height of one of the axes in inches.
        suptitle: Title of the whole figure.
        kwargs: Options of `matplotlib.pyplot.subplots`.
    """
    import matplotlib.pyplot as plt

    if figsize is None:
        figsize = (ncols * imsize, nrows * imsize + (0.6 if suptitle else 0))
    figure, axes = plt.subplots(nrows, ncols, figsize=figsize, **kwargs)
    if suptitle is not None:
        figure.suptitle(suptitle)
    return figure, np.asarray(axes) if nrows * ncols > 1 else np.array([axes]).reshape(-1)


def get_grid(
    n: int,
    nrows: int | None = None,
    ncols: int | None = None,
    figsize: Size | None = None,
    double: bool = False,
    title: str | None = None,
    return_fig: bool = False,
    flatten: bool = True,
    *,
    imsize: float = 3,
    **kwargs: Any,
) -> Any:
    """Return `n` axes on a grid, about as wide as high; places that are left over stay empty.

    Args:
        n: How many axes; with `double` how many pairs.
        nrows: How many rows.
        ncols: How many columns (of pairs, with `double`).
        figsize: Width and height of the figure in inches; `imsize` inches for each of the axes by default.
        double: Two axes side by side for each, as for input and prediction.
        title: Title of the whole figure.
        return_fig: Return `(figure, axes)`.
        flatten: Return a list of `n` axes; otherwise the array `(rows, columns)` of all.
        imsize: Width and height of one of the axes in inches.
        kwargs: Options of `matplotlib.pyplot.subplots`.
    """
    n = max(n, 1)
    if nrows is None:
        nrows = int(math.sqrt(n)) if ncols is None else math.ceil(n / ncols)
    if ncols is None:
        ncols = math.ceil(n / nrows)
    if double:
        n, ncols = 2 * n, 2 * ncols
    figure, axes = subplots(nrows, ncols, figsize=figsize, imsize=imsize, **kwargs)
    for unused in axes.flat[n:]:
        unused.set_axis_off()
    if title is not None:
        figure.suptitle(title, weight="bold", size=14)
    grid = list(axes.flat[:n]) if flatten else axes
    return (figure, grid) if return_fig else grid


def show_title(
    o: Any, ax: Any = None, ctx: Any = None, label: str | None = None, color: str = "black", **kwargs: Any
) -> Any:
    """Write `o` above the axes, on a new line if something stands there; without axes, print it.

    Args:
        o: What to write.
        ax: Axes, or a row of a table (a pandas Series), which gets `o` as a new cell.
        ctx: The same as `ax`, the name that `show` methods use.
        label: Name of the new cell.
        color: Of the title.
        kwargs: Further options of matplotlib's `set_title`.

    Returns:
        The axes, or the longer row.
    """
    target = ctx if ax is None else ax
    if target is None:
        print(str(o))
    elif hasattr(target, "set_title"):
        above = target.get_title()
        target.set_title(f"{above}\n{o}" if above else str(o), color=color, **kwargs)
    else:
        pandas = sys.modules["pandas"]  # imported, since the target is its Series
        name = label or "text"
        while name in target.index:
            name += "_"
        target = pandas.concat([target, pandas.Series({name: o})])
    return target


def show_table(rows: Sequence[Sequence[Any]] | Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Display rows as a table: HTML in a notebook, otherwise aligned text on standard output.

    Args:
        rows: Each with one value for each column, or a mapping from column to value.
        columns: The headings.
    """
    import pandas as pd

    table = pd.DataFrame(list(rows), columns=list(columns))
    with pd.option_context("display.max_colwidth", None, "display.max_rows", None):
        show_html(lambda: table.to_html(index=False), lambda: table.to_string(index=False))


def show_html(html: Callable[[], str], text: Callable[[], str]) -> None:
    """Display what `html` returns in a notebook, otherwise print what `text` returns; the other is not called."""
    display = getattr(builtins, "display", None)  # IPython puts it there
    if display is None and in_notebook():
        from IPython.display import display
    if display is None:
        print(text())
        return
    from IPython.display import HTML

    display(HTML(html()))
