"""Draw samples and results: each value shows itself, on the axes of its sample."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from vivace.core.show import get_grid, show_table
from vivace.core.types import MultiCategory, TensorImageBase, TensorMask

from .collate import batch_size_of, split_batch

__all__ = ["decode_batch", "show_batch", "show_results"]

WORDS_SHOWN = 150  # of a text in a table


def decode_batch(dl: Any, b: Any, max_n: int = 9, full: bool = True) -> list[Any]:
    """Return up to `max_n` samples of a batch, batch transforms undone and (if `full`) targets as names."""
    samples = dl.before_batch.decode(split_batch(dl.after_batch.decode(b), max_n))
    samples = [dl.after_item.decode(s) for s in samples]
    return [dl.decode_sample(s) for s in samples] if full else samples


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
    samples = [s if isinstance(s, tuple) else (s,) for s in samples]
    if not any(isinstance(part, TensorImageBase) for s in samples for part in s):
        names = _columns(samples[0]) if samples else []
        show_table([[_brief(part, trunc_at) for part in s] for s in samples], names)
        return None
    if ctxs is None:
        ctxs = get_grid(len(samples), nrows=nrows, ncols=ncols, figsize=figsize)
    for sample, ctx in zip(samples, ctxs, strict=False):
        for part in sample:
            _show_part(part, ctx, **kwargs)
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
    targets = decode_batch(dl, b, max_n)
    predicted = decode_batch(dl, (*b[:n_inp], *_as_targets(out, b[n_inp:])), max_n)
    if not show:
        return targets, predicted
    if any(isinstance(part, TensorImageBase) for part in targets[0][n_inp:]):  # a picture predicted: side by side
        axes = ctxs or get_grid(2 * max_n, ncols=2, nrows=max_n, figsize=figsize, double=False)
        for i, (target, prediction) in enumerate(zip(targets, predicted, strict=True)):
            for ax, sample, title in ((axes[2 * i], target, "Target"), (axes[2 * i + 1], prediction, "Prediction")):
                for part in sample:
                    if isinstance(part, TensorMask) or not isinstance(part, TensorImageBase) or part is sample[0]:
                        _show_part(part, ax, **kwargs)
                if i == 0:
                    ax.set_title(title)
        return None
    if not any(isinstance(part, TensorImageBase) for part in targets[0]):
        rows = [(*t, *p[n_inp:]) for t, p in zip(targets, predicted, strict=True)]
        show_table(
            [[_brief(part, trunc_at) for part in row] for row in rows],
            _columns(rows[0], len(rows[0]) - len(targets[0])),
        )
        return None
    axes = ctxs or get_grid(max_n, nrows=nrows, ncols=ncols, figsize=figsize)
    for ax, target, prediction in zip(axes, targets, predicted, strict=False):
        for part in target:
            _show_part(part, ax, **kwargs)
        for part in prediction[n_inp:]:
            _show_part(part, ax, **({"c": "b"} if _is_points(part) else {}), **kwargs)
    return None


def _as_targets(out: Any, targets: Any) -> tuple[Any, ...]:
    """Give predictions the types of the targets, so that they are decoded and drawn alike."""
    from vivace.core.types import retype

    outs = out if isinstance(out, tuple) else (out,)
    return tuple(retype(o.reshape(t.shape) if _same_size(o, t) else o, t) for o, t in zip(outs, targets, strict=False))


def _same_size(out: Any, target: Any) -> bool:
    return isinstance(out, Tensor) and isinstance(target, Tensor) and out.numel() == target.numel()


def _is_points(part: Any) -> bool:
    from vivace.core.types import TensorPoint

    return isinstance(part, TensorPoint)


def _show_part(part: Any, ctx: Any, **kwargs: Any) -> None:
    if hasattr(part, "show"):
        part.show(ctx=ctx, **kwargs)
    else:
        from vivace.core.show import show_title

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
