"""Mixed precision as a callback's name; the work is `Runtime`'s."""

from __future__ import annotations

from typing import Any

import torch

from vivace.core.errors import ArgumentError
from vivace.training.callback import Callback

__all__ = ["MixedPrecision"]

_DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16, torch.float16: torch.float16, torch.bfloat16: torch.bfloat16}


class MixedPrecision(Callback):
    """Run forward passes in float16 (with loss scaling) or bfloat16 as long as this callback is there.

    Args:
        amp_mode: "fp16", "bf16", or the dtype.
        scaler_options: arguments of `torch.amp.GradScaler` (`init_scale`, `growth_interval`, …).
    """

    order = -20

    def __init__(self, amp_mode: str | torch.dtype = "fp16", **scaler_options: Any) -> None:
        if amp_mode not in _DTYPES:
            raise ArgumentError(f'MixedPrecision needs "fp16" or "bf16", got {amp_mode!r}.')
        self.dtype, self.scaler_options = _DTYPES[amp_mode], scaler_options

    def on_add(self) -> None:
        self.learn.runtime.set_precision(self.dtype, **self.scaler_options)

    def on_remove(self) -> None:
        self.learn.runtime.set_precision(None)
