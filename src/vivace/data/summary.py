"""`DataBlock.summary`: one sample and one batch, step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from vivace.core.errors import ShapeError

from .collate import collate
from .datasets import _item, describe_item
from .transform import Pipeline

if TYPE_CHECKING:
    from .block import DataBlock

__all__ = ["summary"]


def _brief(value: Any) -> str:
    if isinstance(value, tuple):
        return "(" + ", ".join(_brief(v) for v in value) + ")"
    if isinstance(value, Tensor):
        inside = f" value {value.item():.6g}" if value.numel() == 1 else f" of size {'x'.join(map(str, value.shape))}"
        return type(value).__name__ + inside
    return repr(value)


def summary(block: DataBlock, source: Any, bs: int = 4, show_batch: bool = False, **kwargs: Any) -> None:
    """See `DataBlock.summary`."""
    print(f"Setting up the data from {source if not hasattr(source, 'iloc') else 'a table'}")
    dsets = block.datasets(source, verbose=True)
    print("Transforms of each part:")
    for number, tl in enumerate(dsets.tls):
        role = "input" if number < dsets.n_inp else "target"
        print(f"  part {number + 1} ({role}): {tl.tfms}")

    items = dsets.train.items
    print(f"\nOne sample: {describe_item(items, 0)}")
    sample = tuple(_walk_part(tl, _item(items, 0)) for tl in dsets.tls)
    print(f"  the sample: {_brief(sample)}")
    item_tfms = Pipeline(block.item_tfms, split_idx=0)
    print(f"\nItem transforms ({item_tfms}):")
    _walk(item_tfms, sample)

    print(f"\nA batch of {bs}:")
    samples = []
    train = dsets.train
    for i in range(min(bs, len(train))):
        samples.append(item_tfms(train[i]))
    try:
        batch = collate(samples)
    except ShapeError as error:
        _explain_shapes(train.items, samples)
        print(f"  {error}")
        raise
    print(f"  collated: {_brief(batch)}")
    batch_tfms = Pipeline(block.batch_tfms, split_idx=0)
    print(f"\nBatch transforms ({batch_tfms}):")
    with torch.no_grad():
        for transform in batch_tfms.fs:
            if hasattr(transform, "setups"):
                transform.setup(batch)
        _walk(batch_tfms, batch)
    if show_batch:
        block.dataloaders(source, bs=bs, **kwargs).show_batch()


def _walk_part(tl: Any, value: Any) -> Any:
    print(f"  from {_brief(value) if not hasattr(value, 'iloc') else 'the row'}")
    for transform in tl.tfms.fs:
        value = _step(transform, value, None, on_item=True)
    return value


def _walk(pipeline: Pipeline, value: Any) -> Any:
    if not len(pipeline):
        print("  none")
    for transform in pipeline.fs:
        value = _step(transform, value, pipeline.split_idx)
    return value


def _step(transform: Any, value: Any, split_idx: int | None, *, on_item: bool = False) -> Any:
    try:
        out = (transform.on_item if on_item else transform)(value, split_idx=split_idx)
    except Exception as error:
        print(f"    {transform!r} FAILED on {_brief(value)}: {type(error).__name__}: {error}")
        raise
    print(f"    {transform!r} gives {_brief(out)}")
    return out


def _explain_shapes(items: Any, samples: list[Any]) -> None:
    print("  These samples do not fit into one batch, because their sizes differ:")
    for i, sample in enumerate(samples):
        print(f"    {describe_item(items, i)}: {_brief(sample)}")
