"""Where and how a step runs: device, precision, compilation, several processes. The loop branches on none of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from vivace.core.device import to_device
from vivace.core.types import plain_tensor

from .optimizer import Optimizer

__all__ = ["Runtime"]


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

    def set_precision(self, amp_dtype: torch.dtype | None, **scaler_options: Any) -> None:
        """Choose the dtype of the forward pass. Only float16 needs loss scaling; otherwise the scaler passes through."""
        self.amp_dtype = amp_dtype
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=amp_dtype is torch.float16, **scaler_options)

    def set_device(self, device: torch.device | str) -> None:
        """Move to another device."""
        self.device = torch.device(device)
        self.set_precision(self.amp_dtype)

    def forward_of(self, model: nn.Module) -> Callable[..., Any]:
        """Return what the loop calls: the model, wrapped as needed. Users go on saving the plain `model`."""
        key = (model, self.compile_model, torch.distributed.is_available() and torch.distributed.is_initialized())
        if self._forward is None or self._forward_of != key:
            wrapped: Callable[..., Any] = nn.parallel.DistributedDataParallel(model) if key[2] else model
            self._forward, self._forward_of = torch.compile(wrapped) if self.compile_model else wrapped, key
        return self._forward

    def autocast(self) -> torch.autocast:
        """Return the context of the forward pass and the loss."""
        return torch.autocast(self.device.type, dtype=self.amp_dtype, enabled=self.amp_dtype is not None)

    def prepare_batch(self, batch: Any) -> tuple[Any, ...]:
        """Return the batch as a tuple of plain tensors on the device."""
        parts = tuple(batch) if isinstance(batch, (tuple, list)) else (batch,)
        return tuple(plain_tensor(to_device(p, self.device, non_blocking=True)) for p in parts)

    def backward(self, loss: Tensor) -> None:
        """Compute gradients (of the scaled loss, in float16)."""
        self.scaler.scale(loss).backward()

    def unscale(self, opt: Optimizer) -> None:
        """Bring gradients to their true scale, so that callbacks can look at them and clip them."""
        if self.scaler.is_enabled():
            self.scaler.unscale_(opt.torch_optimizer)

    def step(self, opt: Optimizer) -> None:
        """Update the weights; in float16 the step is left out when gradients overflowed."""
        if self.scaler.is_enabled():
            self.scaler.step(opt)  # type: ignore[arg-type]  # it asks for `step`, and for the state that unscale left
        else:
            opt.step()

    def after_step(self) -> None:
        """Adapt the loss scale after each batch that got as far as the step."""
        if self.scaler.is_enabled():
            self.scaler.update()

    def describe(self) -> str:
        """Return one line: device, precision, compiled or not."""
        precision = {None: "fp32", torch.float16: "fp16", torch.bfloat16: "bf16"}[self.amp_dtype]
        return f"{self.device}, {precision}" + (", compiled" if self.compile_model else "")
