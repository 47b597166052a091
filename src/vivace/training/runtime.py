"""Where and how a step runs: device, precision, compilation, several processes. The loop branches on none of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from vivace.core.device import to_device, to_float
from vivace.core.types import TensorBase, plain_tensor

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

    Attributes:
        channels_last: keep the weights of 2d convolutions in the memory layout that is fastest for them, in which
            the batches of pictures come, too.
        compile_options: the arguments of `torch.compile`; None: the model runs as it is.
        evaluates_ahead: on the CPU, where nothing but the time can change, let the model compute two batches of a
            validation at once. That takes the memory of two.
    """

    def __init__(self, device: torch.device, amp_dtype: torch.dtype | None = None) -> None:
        self.device, self.channels_last, self.evaluates_ahead = torch.device(device), True, True
        self.compile_options: dict[str, Any] | None = None
        self._forward: Callable[..., Any] | None = None
        self._forward_of: tuple[Any, ...] = ()
        self.set_precision(amp_dtype)
        _use_tf32(self.device)

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
            _use_tf32(device)
            self.set_precision(self.amp_dtype, **self._scaler_options)

    def compile(self, **options: Any) -> None:
        """Run models through `torch.compile` with these options from now on.

        The first batches then take long. Hooks on layers are not called by compiled code.
        """
        self.compile_options, self._forward = options, None

    def describe(self, model: nn.Module | None = None) -> str:
        """Return one line: device, precision, and what else is on for `model`."""
        words = [str(self.device), _PRECISIONS[self.amp_dtype]]
        if self.device.type == "cuda":
            words[0] = f"{self.device} ({torch.cuda.get_device_name(self.device)})"
            words += ["TF32"] if self.amp_dtype is None and torch.backends.cuda.matmul.allow_tf32 else []
        words += ["channels_last"] if self.channels_last and model is not None and _convolutions(model) else []
        return ", ".join([*words, *(["compiled"] if self.compile_options is not None else [])])

    @property
    def is_plain(self) -> bool:
        """Whether there is nothing to say about how this runs: on the CPU, in full precision, not compiled."""
        return self.device.type == "cpu" and self.amp_dtype is None and self.compile_options is None

    # ------------------------------------------------------------------ the forward pass
    def prepare_batch(self, batch: Any) -> tuple[Any, ...]:
        """Return the batch as a tuple of plain tensors on the device."""
        parts = batch if isinstance(batch, (tuple, list)) else (batch,)
        return tuple([self._prepare(part) for part in parts])

    def _prepare(self, part: Any) -> Any:
        if type(part) is Tensor:  # nearly always; `to_device` walks through anything
            return part if part.device == self.device else part.to(self.device, non_blocking=True)
        if isinstance(part, TensorBase) and part.device == self.device:
            return part.as_subclass(Tensor)
        return plain_tensor(to_device(part, self.device, non_blocking=True))

    def forward_of(self, model: nn.Module) -> Callable[..., Any]:
        """Return what the loop calls: the model, wrapped as needed. Users go on saving the plain `model`."""
        is_distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
        key = (model, self.channels_last, is_distributed)
        if self._forward is None or self._forward_of != key:
            if self.channels_last:
                for layer in _convolutions(model):
                    layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last)
            wrapped: Callable[..., Any] = nn.parallel.DistributedDataParallel(model) if is_distributed else model
            if self.compile_options is not None:
                wrapped = torch.compile(wrapped, **self.compile_options)
            self._forward, self._forward_of = wrapped, key
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


def _use_tf32(device: torch.device) -> None:
    """Let a GPU that has them use its fast 19-bit products in full precision; `VIVACE_TF32=0` keeps all 32 bits."""
    if device.type == "cuda" and os.environ.get("VIVACE_TF32") != "0":
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.allow_tf32 = True


def _convolutions(model: nn.Module) -> list[nn.Conv2d]:
    """The layers whose weights have a layout to choose (of 1x1 kernels it is the same)."""
    return [
        m for m in model.modules() if isinstance(m, nn.Conv2d) and m.weight.ndim == 4 and m.weight.shape[2:] != (1, 1)
    ]
