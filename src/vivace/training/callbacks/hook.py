"""Look inside the model while it trains: hooks on its layers, statistics of their activations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vivace.core.collection import L
from vivace.nn.hooks import Hooks
from vivace.nn.inspection import flatten_model
from vivace.training.callback import Callback

__all__ = ["ActivationStats", "HookCallback"]


class HookCallback(Callback):
    """Register `hook` on the modules of the model while it trains. A subclass defines `hook(module, input, output)`.

    Args:
        modules: which ones (None: all without children that have parameters; the attribute then has those).
        every: only each `every`-th batch of an epoch (None: all).
        remove_end: take the hooks off when training ends.
        is_forward: hook the forward pass rather than the backward pass.
        detach: detach what the hook sees.
        cpu: move it to the CPU.
        include_paramless: also the modules without parameters, when `modules` is None.
    """

    run_valid = False
    run_lr_find = False

    def __init__(
        self,
        modules: Sequence[nn.Module] | None = None,
        every: int | None = None,
        remove_end: bool = True,
        is_forward: bool = True,
        detach: bool = True,
        cpu: bool = True,
        include_paramless: bool = False,
    ) -> None:
        self._given, self.modules, self.every, self.remove_end = modules, modules, every, remove_end
        self.is_forward, self.detach, self.cpu, self.include_paramless = is_forward, detach, cpu, include_paramless
        self.hooks: Any = None

    def hook(self, module: nn.Module, inputs: Any, output: Any) -> Any:
        """Return what to keep of a module's output."""
        raise NotImplementedError(f"{type(self).__name__} must define hook(self, module, input, output).")

    def before_fit(self) -> None:
        self._remove()
        if self._given is None:
            leaves = flatten_model(self.learn.model)
            self.modules = [m for m in leaves if self.include_paramless or list(m.parameters(recurse=False))]
        if self.every is None:
            self._register()

    def before_batch(self) -> None:
        if self.every is not None and self.learn.iter % self.every == 0:
            self._register()

    def after_batch(self) -> None:
        if self.every is not None and self.learn.iter % self.every == 0:
            self._remove()

    def after_fit(self) -> None:
        if self.remove_end:
            self._remove()

    def close(self) -> None:
        if self.remove_end:
            self._remove()

    def _register(self) -> None:
        assert self.modules is not None
        self.hooks = Hooks(self.modules, self.hook, self.is_forward, self.detach, self.cpu)

    def _remove(self) -> None:
        if self.hooks is not None:
            self.hooks.remove()


class ActivationStats(HookCallback):
    """Keep mean, standard deviation, the share of values near zero (and a histogram) of each layer, batch by batch.

    `stats` has a list for each batch, of a dict for each layer; its tensors stay on the device until they are shown.

    Args:
        with_hist: also keep a histogram, for `color_dim`.
        modules: which layers (None: all with parameters).
        every: only each `every`-th batch of an epoch.
        remove_end: take the hooks off when training ends.
        is_forward, detach, cpu, include_paramless: as for `HookCallback`.
    """

    order = -20

    def __init__(
        self,
        with_hist: bool = False,
        modules: Sequence[nn.Module] | None = None,
        every: int | None = None,
        remove_end: bool = True,
        is_forward: bool = True,
        detach: bool = True,
        cpu: bool = False,
        include_paramless: bool = False,
    ) -> None:
        super().__init__(modules, every, remove_end, is_forward, detach, cpu, include_paramless)
        self.with_hist = with_hist
        self.stats: L[Any] = L()

    def before_fit(self) -> None:
        self.stats = L()
        super().before_fit()

    def hook(self, module: nn.Module, inputs: Any, output: Any) -> dict[str, Any] | None:
        if not isinstance(output, Tensor):
            return None
        values = output.detach().float()
        out = {
            "mean": values.mean(),
            "std": values.std(correction=int(values.numel() > 1)),
            "near_zero": (values <= 0.05).float().mean(),
        }
        if self.with_hist:
            out["hist"] = values.histc(40, 0, 10)
        return out

    def after_batch(self) -> None:
        if self.every is None or self.learn.iter % self.every == 0:
            self.stats.append(list(self.hooks.stored))
        super().after_batch()

    def layer_stats(self, idx: int) -> L[Any]:
        """Return [means, standard deviations, shares near zero] of layer number `idx`, one value a batch."""
        rows = [batch[idx] for batch in self.stats]
        return L([[float(row[name]) for row in rows] for name in ("mean", "std", "near_zero")], use_list=True)

    def hist(self, idx: int) -> Tensor:
        """Return the histograms of layer number `idx`, `(40, n_batches)`, log scale."""
        return torch.stack([batch[idx]["hist"] for batch in self.stats]).t().cpu().log1p()

    def plot_layer_stats(self, idx: int) -> None:
        """Draw mean, standard deviation and share near zero of layer number `idx` by batch."""
        from vivace.core.show import subplots

        _, axes = subplots(1, 3, figsize=(12, 3))
        names = ("mean", "std", "% near zero")
        for values, ax, name in zip(self.layer_stats(idx), np.asarray(axes).flatten(), names, strict=True):
            ax.plot(values)
            ax.set_title(name)

    def color_dim(self, idx: int, figsize: tuple[float, float] = (10, 5), ax: Any = None) -> Any:
        """Draw the histograms of layer number `idx` by batch, as a picture (needs `with_hist=True`)."""
        import matplotlib.pyplot as plt

        if ax is None:
            ax = plt.subplots(figsize=figsize)[1]
        ax.imshow(self.hist(idx), origin="lower")
        ax.axis("off")
        return ax
