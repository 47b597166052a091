"""Validation and prediction on the CPU: the model computes two batches side by side, each on a part of the cores.

Split among all cores, every operation waits for its slowest part, while other threads decode photos; whole batches wait
for nothing. What callbacks see, and in which order, stays the same.
"""

from __future__ import annotations

import operator
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from vivace.core.own_cores import threads_with_cores

from .callback import listens
from .packed import packed_convolutions

if TYPE_CHECKING:
    from .learner import Learner

__all__ = ["evaluated_ahead"]

_SIDE_BY_SIDE = 2
# Whose layers keep nothing from one call to the next.
_KNOWN = ("torch.nn.", "timm.", "torchvision.", "vivace.nn.", "vivace.vision.")

_lock = threading.Lock()
_pools: dict[tuple[int, int], ThreadPoolExecutor] = {}  # by process (threads do not survive a fork) and cores


@contextmanager
def evaluated_ahead(learn: Learner, batches: Iterator[Any]) -> Iterator[Iterator[Any]]:
    """Yield the batches, and let `learn` evaluate them so, where that changes nothing but the time.

    That is: convolutions on the CPU, layers of known libraries without hooks, no callback that may change the input.
    How long a batch was waited for, with nothing to compute, is added to `learn.data_wait`, in seconds.
    """
    if learn.training or torch.is_grad_enabled() or not _is_plain(learn):
        yield _timed(learn, batches)
        return
    n_cores = torch.get_num_threads() // _SIDE_BY_SIDE
    with packed_convolutions(learn.model):
        if not n_cores or not _runs_side_by_side(learn):
            yield _timed(learn, batches)
            return
        ahead = _Ahead(learn, _pool(n_cores))
        try:
            yield ahead.over(_timed(learn, batches, ahead.is_idle))
        finally:
            ahead.stop()


def _timed(learn: Learner, batches: Iterator[Any], is_idle: Callable[[], bool] = lambda: True) -> Iterator[Any]:
    clock = time.perf_counter
    while True:
        started, counts = clock(), is_idle()
        try:
            batch = next(batches)
        except StopIteration:
            return
        finally:
            learn.data_wait += (clock() - started) * counts
        yield batch


def _is_plain(learn: Learner) -> bool:
    """Whether the model runs as it is, on the CPU, and has convolutions: for others there is little to win."""
    return learn.runtime.is_plain and any(isinstance(m, nn.Conv2d) for m in learn.model.modules())


def _runs_side_by_side(learn: Learner) -> bool:
    return (
        not any(
            listens(callback, "before_batch", learn.training) for callback in learn._handlers.get("before_batch", ())
        )
        and learn._forward is learn.model
        and not nn.modules.module._global_forward_hooks
        and not nn.modules.module._global_forward_pre_hooks
        and all(map(_keeps_nothing, learn.model.modules()))
    )


def _keeps_nothing(module: nn.Module) -> bool:
    """Whether a call of the module depends on no other call, as far as that can be known."""
    return (
        type(module).__module__.startswith(_KNOWN)
        and not module.training
        and not module._forward_hooks
        and not module._forward_pre_hooks
        and not hasattr(module, "reset")  # as of layers that keep a state from one batch to the next
    )


def _pool(n_cores: int) -> ThreadPoolExecutor:
    with _lock:
        key = (os.getpid(), n_cores)
        if key not in _pools:
            _pools[key] = threads_with_cores(_SIDE_BY_SIDE, "vivace-evaluation", n_cores=n_cores)
        return _pools[key]


class _Ahead:
    """The batches of a loader, whose outputs are computed before the loop asks for them."""

    def __init__(self, learn: Learner, pool: ThreadPoolExecutor) -> None:
        self.learn, self.pool, self.model = learn, pool, learn.model
        self.waiting: deque[tuple[tuple[Any, ...], Future[Any]]] = deque()
        learn._forward = self.output_of

    def over(self, batches: Iterator[Any]) -> Iterator[Any]:
        """The same batches, as tensors on the device, each with the next ones already begun."""
        n_inp, begun = None, deque[Any]()
        for raw in batches:
            batch = self.learn.runtime.prepare_batch(raw)
            n_inp = self.learn._n_inp(batch) if n_inp is None else n_inp
            inputs = batch[:n_inp]
            self.waiting.append((inputs, self.pool.submit(self._compute, inputs)))
            begun.append(batch)
            if len(begun) > _SIDE_BY_SIDE:
                yield begun.popleft()
        yield from begun

    def is_idle(self) -> bool:
        """Whether no output is being computed."""
        return all(output.done() for _, output in self.waiting)

    @torch.no_grad()
    def _compute(self, inputs: tuple[Any, ...]) -> Any:
        return self.model(*inputs)

    def output_of(self, *inputs: Any) -> Any:
        """The model's output: the one that is being computed, if these are its inputs."""
        while self.waiting:
            expected, output = self.waiting.popleft()
            if len(expected) == len(inputs) and all(map(operator.is_, expected, inputs)):
                return output.result()
        return self.model(*inputs)

    def stop(self) -> None:
        """End what is still being computed, and let the Learner call its model again."""
        self.learn._forward = self.model
        wait([output for _, output in self.waiting if not output.cancel()])
