"""`DataBlock.summary`: one sample and one batch, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from vivace.core.errors import DataError, ItemError, ShapeError, VivaceError
from vivace.core.randomness import seeded_globals, use_keys

from .blocks import listed
from .collate import collate
from .making import named_error, step_name
from .sources import describe_item, item_at
from .transform import Pipeline, Transform

if TYPE_CHECKING:
    from .block import DataBlock
    from .datasets import Datasets

__all__ = ["summarize"]

_KEY = 0x5033A77  # what random transforms draw from here: training draws are left as they are
MAX_CHARACTERS_OF_VALUE = 200
MAX_CHARACTERS_OF_STEP = 160


def summarize(block: DataBlock, source: Any, bs: int = 4) -> None:
    """Print each step from `source` to a batch; see `DataBlock.summary`."""
    print("Setting up the data")
    try:
        dsets = block.datasets(source, verbose=True)
    except VivaceError as error:
        print(f"\nThis failed: {error}")
        raise
    train = dsets.train
    name = describe_item(train.items, 0)
    with seeded_globals(_KEY):
        print(f"\nBuilding one sample\n  {name}")
        sample = _make_sample(dsets, train.items, name)
        item_tfms = Pipeline([_fresh(t) for t in block.item_tfms], split_idx=0)
        print(f"\nItem transforms: {_steps(item_tfms)}")
        with use_keys(_KEY):
            _walk(item_tfms, sample, name)
        _make_batch(block, train, item_tfms, min(bs, len(train)))


def _make_sample(dsets: Datasets, items: Any, name: str) -> tuple[Any, ...]:
    parts = []
    for number, tl in enumerate(dsets.tls):
        role = "input" if number < dsets.n_inp else "target"
        print(f"  Part {number + 1} ({role}): {_steps(tl.tfms)}")
        value = item_at(items, 0)
        print(f"    starting from {_brief(value)}")
        for transform in tl.tfms.fs:
            value = _step(transform, value, name, of_item=True)
        parts.append(value)
    print(f"  The sample: {_brief(tuple(parts))}")
    return tuple(parts)


def _make_batch(block: DataBlock, train: Datasets, item_tfms: Pipeline, n: int) -> None:
    print(f"\nBuilding a batch of {n}")
    samples = []
    for i in range(n):
        with use_keys(_KEY + i):
            samples.append(_silently(item_tfms, train[i], describe_item(train.items, i)))
    before_batch = Pipeline(listed(block.dls_kwargs.get("before_batch")), split_idx=0)
    try:
        prepared: Any = _walk(before_batch, samples, f"The {n} samples") if len(before_batch) else samples
        batch = collate(prepared)
    except (ShapeError, DataError) as error:
        print("  These samples do not make a batch:")
        for i, sample in enumerate(samples):
            print(f"    {describe_item(train.items, i)}: {_brief(sample)}")
        print(f"  {error}")
        raise
    print(f"  The samples, stacked: {_brief(batch)}")
    batch_tfms = Pipeline([_fresh(t) for t in block.batch_tfms], split_idx=0)
    print(f"\nBatch transforms: {_steps(batch_tfms)}")
    with use_keys(np.arange(n, dtype=np.uint64) + np.uint64(_KEY)), torch.no_grad():
        for transform in batch_tfms.fs:
            transform.setup(batch)
            batch = _step(transform, batch, f"The batch of the first {n} items")
    print(f"\nThe batch: {_brief(batch)}")


def _fresh(transform: Transform) -> Transform:
    from .block import fresh

    return fresh(transform)  # type: ignore[no-any-return]


def _steps(pipeline: Pipeline) -> str:
    return " -> ".join(step_name(transform) for transform in pipeline.fs) or "none"


def _step_text(transform: Transform) -> str:
    """A transform with its settings, in a line of bounded length."""
    text = step_name(transform) if hasattr(transform, "enc") else " ".join(repr(transform).split())
    return text if len(text) <= MAX_CHARACTERS_OF_STEP else text[:MAX_CHARACTERS_OF_STEP] + "…"


def _walk(pipeline: Pipeline, value: Any, name: str) -> Any:
    for transform in pipeline.fs:
        value = _step(transform, value, name)
    return value


def _silently(pipeline: Pipeline, value: Any, name: str) -> Any:
    for transform in pipeline.fs:
        try:
            value = transform(value, split_idx=0)
        except Exception as error:
            print(f"  {step_name(transform)} FAILED on {name}")
            raise named_error(name, step_name(transform), error) from error
    return value


def _step(transform: Transform, value: Any, name: str, *, of_item: bool = False) -> Any:
    try:
        out = (transform.on_item if of_item else transform)(value, split_idx=0)
    except Exception as error:
        print(f"    {_step_text(transform)} FAILED on {_brief(value)}\n    {type(error).__name__}: {error}")
        raise error if isinstance(error, ItemError) else named_error(name, step_name(transform), error) from error
    print(f"    {_step_text(transform)} gives {_brief(out)}")
    return out


def _brief(value: Any) -> str:
    """What a value is, in a line: type and shape of tensors, parts of tuples and lists."""
    if isinstance(value, tuple):
        return f"({', '.join(_brief(v) for v in value)})"
    if isinstance(value, Tensor):
        if value.numel() == 1:
            return f"{type(value).__name__} {value.item():.6g}"
        return f"{type(value).__name__} of size {'x'.join(map(str, value.shape))}"
    if hasattr(value, "iloc"):
        return f"the row {dict(value)!r:.{MAX_CHARACTERS_OF_VALUE}}"
    if isinstance(value, list) and value and isinstance(value[0], (tuple, Tensor)):
        return _brief_list(value)
    return f"{value!r:.{MAX_CHARACTERS_OF_VALUE}}"


def _brief_list(values: Sequence[Any]) -> str:
    return f"[{_brief(values[0])}, … {len(values)} in all]" if len(values) > 1 else f"[{_brief(values[0])}]"
