"""Mixed precision as a callback's name; the work is `Runtime`'s."""

from __future__ import annotations

from typing import Any

import torch

from vivace.training.callback import Callback

__all__ = ["MixedPrecision"]


class MixedPrecision(Callback):
    """Run forward passes in float16 (with loss scaling) or bfloat16 while this callback is there.

    Args:
        dtype: `torch.float16` or `torch.bfloat16`.
        scaler_options: arguments of `torch.amp.GradScaler` (`init_scale`, `growth_interval`, …).
    """

    order = -20

    def __init__(self, dtype: torch.dtype = torch.float16, **scaler_options: Any) -> None:
        self.dtype, self.scaler_options = dtype, scaler_options

    def before_fit(self) -> None:
        if self.learn.runtime.amp_dtype is not self.dtype:
            self.learn.runtime.set_precision(self.dtype, **self.scaler_options)

    def before_validate(self) -> None:
        self.before_fit()
