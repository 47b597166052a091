"""Draw samples and results: each value shows itself, on the axes of its sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from vivace.core.show import get_grid, show_table, show_title
from vivace.core.types import (
    MultiCategory,
    TensorBBox,
    TensorImageBase,
    TensorMask,
    TensorPoint,
    fastuple,
    retype,
)

from .collate import batch_size_of, split_batch

__all__ = [
    "Panel",
    "decode_batch",
    "decode_results",
    "decode_table",
    "draw_panels",
    "is_drawn",
    "result_panels",
    "sample_panels",
    "show_batch",
    "show_frame",
    "show_results",
]

_OF_PREDICTION = {"c": "deepskyblue", "marker": "X"}  # points, to tell them from the targets on the same picture
_BOX_OF_PREDICTION = {"c": "deepskyblue"}


class Panel(NamedTuple):
    """What is drawn over each other on the same axes."""

    parts: list[tuple[Any, dict[str, Any]]]  # values, and options of their `show`
    title: str | None = None


WORDS_SHOWN = 150  # of a text in a table


def decode_batch(dl: Any, b: Any, max_n: int = 9, full: bool = True) -> list[Any]:
    """Return up to `max_n` samples of a batch, batch transforms undone and (if `full`) targets as names."""
    if full and (table := decode_table(dl, b, max_n)) is not None:
        return list(table.itertuples(index=False, name=None))
    samples = dl.before_batch.decode(split_batch(dl.after_batch.decode(b), max_n))
    samples = [dl.after_item.decode(s) for s in samples]
    return [dl.decode_sample(s) for s in samples] if full else samples


def decode_table(dl: Any, b: Any, max_n: int) -> Any:
    """Return up to `max_n` samples as a frame, when the data set is a table (it has `decode_table`); else None."""
    decode = getattr(dl.dataset, "decode_table", None)
    return None if decode is None else decode(tuple(part[:max_n] for part in dl.after_batch.decode(b)))


def show_frame(frame: Any) -> None:
    """Show a data frame as `show_table` does, numbers with six digits at most."""
    rows = ([f"{v:.6g}" if isinstance(v, float) else v for v in row] for row in frame.itertuples(index=False))
    show_table(list(rows), [str(name) for name in frame.columns])


# ---------------------------------------------------------------------- what stands on which axes
def is_drawn(part: Any) -> bool:
    """Whether a part of a sample is a picture, or a group of pictures that draws itself."""
    return isinstance(part, TensorImageBase) or (isinstance(part, fastuple) and hasattr(part, "show"))


def _is_picture(part: Any) -> bool:
    return is_drawn(part) and not isinstance(part, TensorMask)


def sample_panels(sample: Sequence[Any]) -> list[Panel]:
    """Return what to draw of a decoded sample: each picture on its own axes, all else on those of the first."""
    panels = [Panel([(part, {})]) for part in sample if _is_picture(part)] or [Panel([])]
    panels[0].parts.extend(_plain_parts([part for part in sample if not _is_picture(part)]))
    return panels


def _plain_parts(parts: Sequence[Any], **of_boxes: Any) -> list[tuple[Any, dict[str, Any]]]:
    """Parts with their options; the labels of boxes are written at them."""
    boxes = next((p for p in parts if isinstance(p, TensorBBox)), None)
    n_boxes = -1 if boxes is None else len(boxes)
    labels = next((p for p in parts if isinstance(p, MultiCategory) and len(p) == n_boxes), None)
    return [
        (part, {"labels": labels, **of_boxes} if part is boxes else {})
        for part in parts
        if labels is None or part is not labels
    ]


def result_panels(target: Sequence[Any], predicted: Sequence[Any], n_inp: int, *, with_input: bool) -> list[Panel]:
    """Return what to draw of a sample and its prediction, both decoded.

    Masks: the picture with the target over it, the picture with the prediction over it (before them, `with_input`, the
    picture alone). Pictures as targets: inputs, target, prediction. All else is drawn on the picture itself.
    """
    inputs, wanted, found = list(target[:n_inp]), list(target[n_inp:]), list(predicted[n_inp:])
    pictures = [part for part in inputs if _is_picture(part)]
    if any(isinstance(part, TensorMask) for part in wanted):
        first: list[tuple[Any, dict[str, Any]]] = [(part, {}) for part in pictures[:1]]
        both = [Panel([*first, *_plain_parts(wanted)], "Target"), Panel([*first, *_plain_parts(found)], "Prediction")]
        return [Panel(first, "Input"), *both] if with_input else both
    if any(_is_picture(part) for part in wanted):
        return [
            *(Panel([(part, {})], "Input") for part in pictures),
            Panel([(part, {}) for part in wanted], "Target"),
            Panel([(part, {}) for part in found], "Prediction"),
        ]
    panels = sample_panels(target)
    panels[0].parts.extend(
        (part, _OF_PREDICTION if isinstance(part, TensorPoint) and not isinstance(part, TensorBBox) else options)
        for part, options in _plain_parts(found, **_BOX_OF_PREDICTION)
    )
    return panels


def draw_panels(
    rows: Sequence[Sequence[Panel]],
    *,
    ctxs: Any = None,
    nrows: int | None = None,
    ncols: int | None = None,
    figsize: tuple[float, float] | None = None,
    title: str | None = None,
    **kwargs: Any,
) -> list[Any]:
    """Draw the panels of each sample side by side and return all axes.

    Args:
        rows: the panels of each sample, as many for each.
        ctxs: axes to draw on; with one for each sample all of its panels go on that.
        nrows: rows of samples.
        ncols: columns of samples.
        figsize: of the figure, in inches.
        title: above the figure.
        kwargs: options of each `show`.
    """
    width = max(len(panels) for panels in rows)
    if width > 1 and ctxs is not None and len(ctxs) < width * len(rows):
        rows, width = [[Panel([p for panel in panels for p in panel.parts])] for panels in rows], 1
    axes = ctxs or _grid(rows, width, nrows, ncols, figsize, title)
    for i, panels in enumerate(rows):
        for ax, panel in zip(axes[i * width : (i + 1) * width], panels, strict=False):
            if panel.title is not None:
                ax.set_title(panel.title)
            for part, options in panel.parts:
                _show_part(part, ax, **{**options, **kwargs})
    return list(axes)


def _grid(
    rows: Sequence[Sequence[Panel]],
    width: int,
    nrows: int | None,
    ncols: int | None,
    figsize: tuple[float, float] | None,
    title: str | None,
) -> Any:
    n = max(len(rows), 1)
    if width > 1:
        if nrows is None and ncols is None and any(panel.title for panel in rows[0]):
            ncols = 1  # under their headings
        nrows = (max(int(n**0.5), 1) if ncols is None else -(-n // ncols)) if nrows is None else nrows
        ncols = (-(-n // nrows) if ncols is None else ncols) * width
    return get_grid(n * width, nrows=nrows, ncols=ncols, figsize=figsize, title=title)


# ---------------------------------------------------------------------- drawing
def show_batch(
    dl: Any,
    b: Any = None,
    *,
    max_n: int = 9,
    ctxs: Any = None,
    show: bool = True,
    unique: bool = False,
    nrows: int | None = None,
    ncols: int | None = None,
    figsize: tuple[float, float] | None = None,
    **kwargs: Any,
) -> Any:
    """Draw up to `max_n` samples; see `DataLoader.show_batch`."""
    if b is None:
        b = dl.unique_batch(max_n) if unique else dl.one_batch()
    if (table := decode_table(dl, b, max_n)) is not None:
        return show_frame(table) if show else table
    decoded = decode_batch(dl, b, max_n)
    if not show:
        return decoded
    return show_samples(decoded, ctxs=ctxs, nrows=nrows, ncols=ncols, figsize=figsize, **kwargs)


def show_samples(
    samples: list[Any],
    *,
    ctxs: Any = None,
    nrows: int | None = None,
    ncols: int | None = None,
    figsize: tuple[float, float] | None = None,
    trunc_at: int | None = WORDS_SHOWN,
    **kwargs: Any,
) -> Any:
    """Draw each sample on axes of its own, or all of them as a table when none is a picture.

    In a table texts end after `trunc_at` words.
    """
    samples = [s if isinstance(s, tuple) and not isinstance(s, fastuple) else (s,) for s in samples]
    if not any(is_drawn(part) for s in samples for part in s):
        names = _columns(samples[0]) if samples else []
        show_table([[_brief(part, trunc_at) for part in s] for s in samples], names)
        return None
    rows = [sample_panels(sample) for sample in samples]
    draw_panels(rows, ctxs=ctxs, nrows=nrows, ncols=ncols, figsize=figsize, **kwargs)
    return None


def show_results(
    dl: Any,
    b: Any,
    out: Any,
    *,
    max_n: int = 9,
    ctxs: Any = None,
    show: bool = True,
    nrows: int | None = None,
    ncols: int | None = None,
    figsize: tuple[float, float] | None = None,
    trunc_at: int | None = WORDS_SHOWN,
    **kwargs: Any,
) -> Any:
    """Draw samples with their targets and predictions (titles: target, then prediction on the next line)."""
    n_inp = dl.n_inp
    max_n = min(max_n, batch_size_of(b))
    if (table := decode_table(dl, b, max_n)) is not None:
        answers = decode_table(dl, (*b[:n_inp], out), max_n)[list(dl.dataset.y_names)]
        table = table.join(answers.add_suffix("_pred"))
        return show_frame(table) if show else table
    targets, predicted = decode_results(dl, b, out, max_n)
    if not show:
        return targets, predicted
    if not any(is_drawn(part) for part in targets[0]):
        rows = [(*t, *p[n_inp:]) for t, p in zip(targets, predicted, strict=True)]
        show_table(
            [[_brief(part, trunc_at) for part in row] for row in rows],
            _columns(rows[0], len(rows[0]) - len(targets[0])),
        )
        return None
    panels = [result_panels(t, p, n_inp, with_input=False) for t, p in zip(targets, predicted, strict=True)]
    panels[1:] = [[panel._replace(title=None) for panel in row] for row in panels[1:]]
    draw_panels(panels, ctxs=ctxs, nrows=nrows, ncols=ncols, figsize=figsize, **kwargs)
    return None


def decode_results(dl: Any, b: Any, out: Any, max_n: int) -> tuple[list[Any], list[Any]]:
    """Return up to `max_n` decoded samples of a batch, and the same with decoded predictions as targets."""
    predicted = (*b[: dl.n_inp], *_as_targets(out, b[dl.n_inp :]))
    return decode_batch(dl, b, max_n), decode_batch(dl, predicted, max_n)


def _as_targets(out: Any, targets: Any) -> tuple[Any, ...]:
    """Give predictions the types of the targets, so that they are decoded and drawn alike."""
    outs = out if isinstance(out, tuple) else (out,)
    return tuple(retype(o.reshape(t.shape) if _same_size(o, t) else o, t) for o, t in zip(outs, targets, strict=False))


def _same_size(out: Any, target: Any) -> bool:
    return isinstance(out, Tensor) and isinstance(target, Tensor) and out.numel() == target.numel()


def _show_part(part: Any, ctx: Any, **kwargs: Any) -> None:
    if hasattr(part, "show"):
        part.show(ctx=ctx, **kwargs)
    else:
        show_title(_brief(part), ctx=ctx)


def _columns(row: tuple[Any, ...], n_predicted: int = 0) -> list[str]:
    """The headings of a table of such rows: what each part is, with a `_` for each time that it comes again."""
    names: list[str] = []
    for position, part in enumerate(row):
        unnamed = f"part {position + 1}" if position < len(row) - n_predicted else "prediction"
        name = getattr(type(part), "column", None) or unnamed
        while name in names:
            name += "_"
        names.append(name)
    return names


def _brief(part: Any, n_words: int | None = None) -> str:
    if isinstance(part, str) and n_words is not None:
        words = part.split(" ", n_words)
        return " ".join(words[:n_words])
    if isinstance(part, MultiCategory):
        return ";".join(map(str, part))
    if isinstance(part, Tensor):
        plain = part.detach().as_subclass(Tensor).cpu()
        if plain.ndim == 0:
            return f"{plain.item():.4g}" if plain.is_floating_point() else str(plain.item())
        if plain.numel() <= 6:
            return "[" + ", ".join(f"{v:.4g}" for v in plain.flatten().tolist()) + "]"
        shape = "×".join(map(str, plain.shape))
        return f"{shape} {str(plain.dtype).removeprefix('torch.')}, mean {plain.to(torch.float32).mean():.4g}"
    return str(part)
