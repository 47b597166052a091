"""Validation and prediction on the CPU: the model computes two batches side by side, each on a part of the cores.

Split among all cores, every operation waits for its slowest part, while other threads decode photos; whole batches wait
for nothing.
"""

from __future__ import annotations

import operator
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from vivace.core.own_cores import shared_threads
from vivace.data.loader import DataLoader

from .callback import Callback, listens
from .packed import packed_convolutions

if TYPE_CHECKING:
    from .learner import Learner

__all__ = ["evaluated_ahead"]

_SIDE_BY_SIDE = 2
# Where layers come from that keep nothing between two calls.
_KNOWN_LAYERS = ("torch.nn.", "timm.", "torchvision.", "vivace.nn.", "vivace.vision.")
_IN_BATCH = ("after_pred", "after_loss", "after_batch", "after_cancel_batch")


@contextmanager
def evaluated_ahead(learn: Learner, batches: Iterator[Any]) -> Iterator[Iterator[Any]]:
    """Yield the batches of a loop, and let `learn` evaluate them so where nobody could notice but by the time.

    That is: convolutions on the CPU in full precision; layers of known libraries, as they are; no callbacks but
    vivace's own inside the batches, none before them. `learn.runtime.evaluates_ahead = False` switches it off.

    How long a batch was waited for, with nothing to compute, is added to `learn.data_wait`, in seconds.
    """
    if learn.training or not _is_unnoticed(learn):
        yield _timed(learn, batches)
        return
    n_cores = torch.get_num_threads() // _SIDE_BY_SIDE
    with packed_convolutions(learn.model):
        if not n_cores:
            yield _timed(learn, batches)
            return
        ahead = _Ahead(learn, shared_threads(_SIDE_BY_SIDE, "vivace-evaluation", n_cores))
        before, learn._forward = learn._forward, ahead.output_of
        try:
            yield ahead.over(_timed(learn, batches, ahead.is_idle))
        finally:
            learn._forward = before
            ahead.stop()


def _timed(learn: Learner, batches: Iterator[Any], is_idle: Callable[[], bool] = lambda: True) -> Iterator[Any]:
    clock = time.perf_counter
    while True:
        started, is_waiting = clock(), is_idle()
        try:
            batch = next(batches)
        except StopIteration:
            return
        finally:
            learn.data_wait += clock() - started if is_waiting else 0.0
        yield batch


# ---------------------------------------------------------------------- where it can be done
def _is_unnoticed(learn: Learner) -> bool:
    return (
        learn.runtime.evaluates_ahead
        and learn.runtime.is_plain
        and learn._forward is learn.model
        and isinstance(learn.dl, DataLoader)
        and not _has_modes()
        and not any(listens(callback, "before_batch", False) for callback in learn._handlers.get("before_batch", ()))
        and all(_is_ours(callback, name) for name in _IN_BATCH for callback in learn._handlers.get(name, ()))
        and _has_known_layers(learn.model)
    )


def _has_modes() -> bool:
    """Whether this thread computes in a way that others would not: with gradients, autocast, modes of PyTorch."""
    return (
        torch.is_grad_enabled()
        or torch.is_autocast_enabled("cpu")
        or torch._C._len_torch_function_stack() > 0
        or torch._C._len_torch_dispatch_stack() > 0
        or bool(nn.modules.module._global_forward_hooks)
        or bool(nn.modules.module._global_forward_pre_hooks)
    )


def _is_ours(callback: Callback, event_name: str) -> bool:
    return type(callback).__module__.startswith("vivace.") and event_name not in callback.__dict__


def _has_known_layers(model: nn.Module) -> bool:
    """Whether all calls of the model are independent, as far as that can be known, and convolutions among them.

    For models without there is little to win.
    """
    layers = list(model.modules())
    return any(isinstance(layer, nn.Conv2d) for layer in layers) and all(map(_keeps_nothing, layers))


def _keeps_nothing(layer: nn.Module) -> bool:
    return (
        type(layer).__module__.startswith(_KNOWN_LAYERS)
        and not layer.training
        and not layer._forward_hooks
        and not layer._forward_pre_hooks
        and "forward" not in layer.__dict__
        and not hasattr(layer, "reset")  # as of layers that keep a state from one batch to the next
    )


# ---------------------------------------------------------------------- how it is done
class _Begun(NamedTuple):
    """A batch whose output is being computed; None: the loop computes it."""

    batch: tuple[Any, ...]
    inputs: tuple[Any, ...]
    output: Future[Any] | None


class _Ahead:
    """The batches of a loader, whose outputs are begun before the loop asks for them.

    Args:
        learn: whose model, and who says what of a batch is input.
        pool: where to compute.
    """

    def __init__(self, learn: Learner, pool: ThreadPoolExecutor) -> None:
        self.learn, self.pool, self.model = learn, pool, learn.model
        self.waiting: deque[_Begun] = deque()
        self.current: _Begun | None = None
        self.outputs: set[Future[Any]] = set()

    def over(self, batches: Iterator[Any]) -> Iterator[Any]:
        """The same batches, as tensors on the device, each with the next ones already begun."""
        n_inp = None
        for raw in batches:
            batch = self.learn.runtime.prepare_batch(raw)
            n_inp = self.learn._n_inp(batch) if n_inp is None else n_inp
            self.waiting.append(self._begin(batch, batch[:n_inp]))
            if len(self.waiting) > _SIDE_BY_SIDE:
                yield self._next()
        while self.waiting:
            yield self._next()

    def _begin(self, batch: tuple[Any, ...], inputs: tuple[Any, ...]) -> _Begun:
        if not all(type(part) is Tensor for part in inputs):
            return _Begun(batch, inputs, None)
        try:
            output = self.pool.submit(self._compute, inputs)
        except RuntimeError:  # Python is ending
            return _Begun(batch, inputs, None)
        self.outputs.add(output)
        output.add_done_callback(self.outputs.discard)
        return _Begun(batch, inputs, output)

    def _next(self) -> tuple[Any, ...]:
        self.current = self.waiting.popleft()
        return self.current.batch

    @torch.no_grad()
    def _compute(self, inputs: tuple[Any, ...]) -> Any:
        return self.model(*inputs)

    def output_of(self, *inputs: Any) -> Any:
        """The model's output: the one that was begun, if these are the inputs of the batch."""
        begun, self.current = self.current, None
        if begun is None or begun.output is None or len(begun.inputs) != len(inputs):
            return self.model(*inputs)
        return begun.output.result() if all(map(operator.is_, begun.inputs, inputs)) else self.model(*inputs)

    def is_idle(self) -> bool:
        """Whether no output is being computed."""
        return not self.outputs

    def stop(self) -> None:
        """End what is still being computed."""
        wait([output for output in list(self.outputs) if not output.cancel()])
