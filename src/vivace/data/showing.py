"""Draw samples and results: each value shows itself, on the axes of its sample."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from vivace.core.show import get_grid, show_table
from vivace.core.types import TensorImageBase, TensorMask

from .collate import batch_size_of, split_batch

__all__ = ["decode_batch", "decode_table", "show_batch", "show_frame", "show_results"]


def decode_batch(dl: Any, b: Any, max_n: int = 9, full: bool = True) -> list[Any]:
    """Return up to `max_n` samples of a batch, batch transforms undone and (if `full`) targets as names."""
    if full and (table := decode_table(dl, b, max_n)) is not None:
        return list(table.itertuples(index=False, name=None))
    samples = split_batch(dl.after_batch.decode(b), max_n)
    samples = [dl.after_item.decode(s) for s in samples]
    decode = getattr(dl.dataset, "decode", None)
    return [decode(s) for s in samples] if full and decode is not None else samples


def decode_table(dl: Any, b: Any, max_n: int) -> Any:
    """Return up to `max_n` samples as a frame, when the data set is a table (it has `decode_table`); else None."""
    decode = getattr(dl.dataset, "decode_table", None)
    return None if decode is None else decode(tuple(part[:max_n] for part in dl.after_batch.decode(b)))


def show_frame(frame: Any) -> None:
    """Show a data frame as `show_table` does, numbers with six digits at most."""
    rows = ([f"{v:.6g}" if isinstance(v, float) else v for v in row] for row in frame.itertuples(index=False))
    show_table(list(rows), [str(name) for name in frame.columns])


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
    **kwargs: Any,
) -> Any:
    """Draw each sample on axes of its own, or all of them as a table when none is a picture."""
    samples = [s if isinstance(s, tuple) else (s,) for s in samples]
    if not any(isinstance(part, TensorImageBase) for s in samples for part in s):
        names = [f"part {i + 1}" for i in range(len(samples[0]))] if samples else []
        show_table([[_brief(part) for part in s] for s in samples], names)
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
    **kwargs: Any,
) -> Any:
    """Draw samples with their targets and predictions (titles: target, then prediction on the next line)."""
    n_inp = dl.n_inp
    max_n = min(max_n, batch_size_of(b))
    if (table := decode_table(dl, b, max_n)) is not None:
        answers = decode_table(dl, (*b[:n_inp], out), max_n)[list(dl.dataset.y_names)]
        table = table.join(answers.add_suffix("_pred"))
        return show_frame(table) if show else table
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
        names = [f"part {i + 1}" for i in range(len(targets[0]))] + ["prediction"] * len(predicted[0][n_inp:])
        show_table([[*map(_brief, t), *map(_brief, p[n_inp:])] for t, p in zip(targets, predicted, strict=True)], names)
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


def _brief(part: Any) -> str:
    if isinstance(part, Tensor):
        plain = part.detach().as_subclass(Tensor).cpu()
        if plain.ndim == 0:
            return f"{plain.item():.4g}" if plain.is_floating_point() else str(plain.item())
        if plain.numel() <= 6:
            return "[" + ", ".join(f"{v:.4g}" for v in plain.flatten().tolist()) + "]"
        shape = "×".join(map(str, plain.shape))
        return f"{shape} {str(plain.dtype).removeprefix('torch.')}, mean {plain.to(torch.float32).mean():.4g}"
    return str(part)
