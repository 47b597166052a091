"""On a GPU, copying a batch and its transforms run beside the training step instead of between two of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from vivace.core.types import is_sample

__all__ = ["beside_training", "pinned", "tensors_of"]


def beside_training(finish: Callable[[Any], Any], device: torch.device | None) -> Callable[[Any], Any]:
    """Return `finish` (host batch to device batch) so that a GPU does its work in a stream of its own.

    The step before is still running when the next batch is asked for, since the host only queues work; a second stream
    lets both go on at once. What was queued before this call is waited for, as are finished batches by who asks for
    them. A batch transform therefore must not read GPU tensors that a training step changes.

    Args:
        finish: what to do with a batch.
        device: where batches go; anything but a GPU leaves `finish` as it is.
    """
    if device is None or device.type != "cuda":
        return finish
    side = torch.cuda.Stream(device)
    side.wait_stream(torch.cuda.current_stream(device))

    def finish_beside(fetched: Any) -> Any:
        with torch.cuda.stream(side):
            batch = finish(fetched)
        current = torch.cuda.current_stream(device)
        current.wait_stream(side)
        for tensor in tensors_of(batch):
            if tensor.is_cuda:  # its memory must not be used again before the step that reads it has ended
                tensor.record_stream(current)
        return batch

    return finish_beside


def tensors_of(batch: Any) -> Iterator[Tensor]:
    """The tensors in tuples, lists and dicts."""
    if isinstance(batch, Tensor):
        yield batch
    elif isinstance(batch, (tuple, list)):
        for part in batch:
            yield from tensors_of(part)
    elif isinstance(batch, dict):
        yield from tensors_of(tuple(batch.values()))


def pinned(batch: Any) -> Any:
    """Return the batch in page-locked memory, from where a GPU copies faster and without being waited for."""
    if isinstance(batch, Tensor):
        return batch if batch.is_pinned() else batch.pin_memory()
    if is_sample(batch):
        return type(batch)(pinned(b) for b in batch)
    if type(batch) is dict:
        return {key: pinned(value) for key, value in batch.items()}
    return [pinned(b) for b in batch] if type(batch) is list else batch
