"""Where and how a step runs: device, precision, compilation, several processes. The loop branches on none of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from vivace.core.device import to_device, to_float
from vivace.core.types import plain_tensor

from .callback import Cancel
from .optimizer import Optimizer

__all__ = ["Runtime"]

_NOTHING: AbstractContextManager[None] = nullcontext()
_PRECISIONS = {None: "fp32", torch.float16: "fp16", torch.bfloat16: "bf16"}


class Runtime:
    """The seam between the training loop and the machine.

    Args:
        device: where model and batches live.
        amp_dtype: run the forward pass in this dtype (`torch.float16`, `torch.bfloat16`); None: full precision.
        compile_model: run the model through `torch.compile`.
    """

    def __init__(self, device: torch.device, amp_dtype: torch.dtype | None = None, compile_model: bool = False) -> None:
        self.device, self.compile_model = torch.device(device), compile_model
        self._forward: Callable[..., Any] | None = None
        self._forward_of: tuple[Any, ...] = ()
        self.set_precision(amp_dtype)

    # ------------------------------------------------------------------ settings
    def set_precision(self, amp_dtype: torch.dtype | None, **scaler_options: Any) -> None:
        """Choose the dtype of the forward pass; only float16 needs loss scaling."""
        self.amp_dtype, self._scaler_options = amp_dtype, scaler_options
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=amp_dtype is torch.float16, **scaler_options)

    def set_device(self, device: torch.device | str) -> None:
        """Move to another device."""
        device = torch.device(device)
        if device != self.device:
            self.device = device
            self.set_precision(self.amp_dtype, **self._scaler_options)

    def describe(self) -> str:
        """Return one line: device, precision, compiled or not."""
        return f"{self.device}, {_PRECISIONS[self.amp_dtype]}" + (", compiled" if self.compile_model else "")

    # ------------------------------------------------------------------ the forward pass
    def prepare_batch(self, batch: Any) -> tuple[Any, ...]:
        """Return the batch as a tuple of plain tensors on the device."""
        parts = batch if isinstance(batch, (tuple, list)) else (batch,)
        return tuple([self._prepare(part) for part in parts])

    def _prepare(self, part: Any) -> Any:
        if type(part) is Tensor:  # nearly always; `to_device` walks through anything
            return part if part.device == self.device else part.to(self.device, non_blocking=True)
        return plain_tensor(to_device(part, self.device, non_blocking=True))

    def forward_of(self, model: nn.Module) -> Callable[..., Any]:
        """Return what the loop calls: the model, wrapped as needed. Users go on saving the plain `model`."""
        is_distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
        key = (model, self.compile_model, is_distributed)
        if self._forward is None or self._forward_of != key:
            wrapped: Callable[..., Any] = nn.parallel.DistributedDataParallel(model) if is_distributed else model
            self._forward, self._forward_of = torch.compile(wrapped) if self.compile_model else wrapped, key
        forward = self._forward
        # outputs in full precision: losses, metrics and numpy need not know of half floats
        return forward if self.amp_dtype is None else lambda *inputs: to_float(forward(*inputs))

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the context of the forward pass and the loss."""
        return _NOTHING if self.amp_dtype is None else torch.autocast(self.device.type, dtype=self.amp_dtype)

    # ------------------------------------------------------------------ the step
    def backward(self, loss: Tensor) -> None:
        """Compute gradients (of the scaled loss, in float16)."""
        if self.scaler.is_enabled():
            loss = self.scaler.scale(loss)
        loss.backward()

    def true_gradients(self, opt: Optimizer) -> AbstractContextManager[None]:
        """Return the context of the step, in which gradients have their true scale: callbacks may look, or clip."""
        has_gradients = self.scaler.is_enabled() and any(p.grad is not None for p in opt.all_parameters())
        return self._unscaled(opt) if has_gradients else _NOTHING

    @contextmanager
    def _unscaled(self, opt: Optimizer) -> Iterator[None]:
        self.scaler.unscale_(opt)  # type: ignore[arg-type]  # it asks for `param_groups` only
        self._is_unscaled, is_cancelled = True, False
        try:
            yield
        except Cancel:
            is_cancelled = True
            raise
        finally:
            self._is_unscaled = False
            self.scaler.update()
            if is_cancelled:  # these gradients may be kept, for those of the next batch to be added: both scaled
                gradients = [p.grad for p in opt.all_parameters() if p.grad is not None]
                torch._foreach_mul_(gradients, self.scaler.get_scale())

    _is_unscaled = False  # whether gradients of a scaled loss are at their true scale now

    def step(self, opt: Optimizer) -> None:
        """Update the weights; in float16 the step is left out when gradients overflowed."""
        if self._is_unscaled:
            self.scaler.step(opt)  # type: ignore[arg-type]  # it asks for `step`, and for the state that unscale left
        else:
            opt.step()
