"""Small layers that reshape, combine or carry others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from .module import Module

__all__ = [
    "Cat",
    "Debugger",
    "Flatten",
    "Identity",
    "Lambda",
    "LinBnDrop",
    "MergeLayer",
    "NoneReduce",
    "OriginLayer",
    "PartialLambda",
    "ProdLayer",
    "ResizeBatch",
    "SequentialEx",
    "TimeDistributed",
    "View",
    "sequential",
]


class Identity(Module):
    """Return the input unchanged."""

    def forward(self, x: Any) -> Any:
        """Return `x`."""
        return x


class Lambda(Module):
    """Make a layer of any function."""

    def __init__(self, func: Callable[..., Any]) -> None:
        self.func = func

    def forward(self, *x: Any) -> Any:
        """Return `func(*x)`."""
        return self.func(*x)

    def extra_repr(self) -> str:
        """Return what `print` shows between the brackets."""
        return getattr(self.func, "__name__", repr(self.func))


class PartialLambda(Lambda):
    """Make a layer of a function with some of its keywords fixed."""

    def __init__(self, func: Callable[..., Any], **kwargs: Any) -> None:
        super().__init__(partial(func, **kwargs))


class Flatten(Module):
    """Flatten all dimensions but the first; with `full` all of them, to a vector."""

    def __init__(self, full: bool = False) -> None:
        self.full = full

    def forward(self, x: Tensor) -> Tensor:
        """Return `(batch, features)`, or `(elements,)` with `full`."""
        return x.reshape(-1) if self.full else x.flatten(1)

    def extra_repr(self) -> str:
        """Return what `print` shows between the brackets."""
        return f"full={self.full}"


class View(Module):
    """Reshape to `size`, batch dimension included."""

    def __init__(self, *size: int) -> None:
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        """Return `x.reshape(size)`."""
        return x.reshape(self.size)

    def extra_repr(self) -> str:
        """Return what `print` shows between the brackets."""
        return f"size={self.size}"


class ResizeBatch(Module):
    """Reshape each item to `size`, keeping the batch dimension."""

    def __init__(self, *size: int) -> None:
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` as `(batch, *size)`."""
        return x.reshape(x.shape[0], *self.size)

    def extra_repr(self) -> str:
        """Return what `print` shows between the brackets."""
        return f"size={self.size}"


class Debugger(Module):
    """Stop in the debugger when data passes."""

    def forward(self, x: Any) -> Any:
        """Open the debugger, then return `x`."""
        breakpoint()
        return x


class LinBnDrop(nn.Sequential):
    """Batch norm, dropout and a linear layer; with `lin_first` the linear layer (and `act`) comes first.

    Takes `(batch, n_in)` and gives `(batch, n_out)`. With `bn` the linear layer has no bias: the norm's
    shift does that work.

    Args:
        n_in: features in.
        n_out: features out.
        bn: whether to normalise.
        p: dropout probability; 0 leaves the layer out.
        act: activation after the linear layer.
        lin_first: linear, activation, norm, dropout instead of norm, dropout, linear, activation.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        bn: bool = True,
        p: float = 0.0,
        act: nn.Module | None = None,
        lin_first: bool = False,
    ) -> None:
        before: list[nn.Module] = []
        if bn:
            norm = nn.BatchNorm1d(n_out if lin_first else n_in)
            nn.init.constant_(norm.bias, 1e-3)
            before.append(norm)
        if p != 0:
            before.append(nn.Dropout(p))
        linear: list[nn.Module] = [nn.Linear(n_in, n_out, bias=not bn)]
        if act is not None:
            linear.append(act)
        super().__init__(*(linear + before if lin_first else before + linear))


class OriginLayer(Module):
    """A layer that, inside a `SequentialEx`, also gets the input of the whole chain. Subclass it for your own."""

    def forward(self, x: Tensor, original: Tensor) -> Tensor:
        """Return something of `x` and of `original`, the chain's input."""
        raise NotImplementedError(f"{type(self).__name__} must define `forward(x, original)`.")


class ProdLayer(OriginLayer):
    """Inside a `SequentialEx`: multiply by the input of the whole chain."""

    def forward(self, x: Tensor, original: Tensor) -> Tensor:
        """Return `x * original`."""
        return x * original


class MergeLayer(OriginLayer):
    """Inside a `SequentialEx`: add the input of the whole chain, or concatenate it when `dense`."""

    def __init__(self, dense: bool = False) -> None:
        self.dense = dense

    def forward(self, x: Tensor, original: Tensor) -> Tensor:
        """Return the sum, or `(batch, channels of both, ...)` when `dense`."""
        return torch.cat([x, original], dim=1) if self.dense else x + original

    def extra_repr(self) -> str:
        """Return what `print` shows between the brackets."""
        return f"dense={self.dense}"


class SequentialEx(Module):
    """Run layers in turn, with shortcuts from the input: each `OriginLayer` gets it as second argument."""

    def __init__(self, *layers: nn.Module) -> None:
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        """Return the output of the last layer."""
        out = x
        for layer in self.layers:
            out = layer(out, x) if isinstance(layer, OriginLayer) else layer(out)
        return out

    def __getitem__(self, index: int) -> nn.Module:
        return self.layers[index]

    def append(self, layer: nn.Module) -> None:
        """Add `layer` at the end."""
        self.layers.append(layer)

    def extend(self, layers: Iterable[nn.Module]) -> None:
        """Add `layers` at the end."""
        self.layers.extend(layers)

    def insert(self, index: int, layer: nn.Module) -> None:
        """Put `layer` before position `index`."""
        self.layers.insert(index, layer)


class Cat(nn.ModuleList):
    """Run all layers on the same input and concatenate what they give along `dim`."""

    def __init__(self, layers: Sequence[nn.Module], dim: int = 1) -> None:
        super().__init__(layers)
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        """Return the concatenated outputs."""
        return torch.cat([layer(x) for layer in self], dim=self.dim)


class TimeDistributed(Module):
    """Apply `module` to each step of a sequence.

    Args:
        module: takes `(batch, ...)`.
        low_mem: one step at a time instead of all steps as one large batch.
        tdim: the dimension that holds the steps.
    """

    def __init__(self, module: nn.Module, low_mem: bool = False, tdim: int = 1) -> None:
        self.module, self.low_mem, self.tdim = module, low_mem, tdim

    def forward(self, *tensors: Tensor, **options: Any) -> Any:
        """Return the outputs with the steps back in dimension `tdim`. `options` go to `module` as they are."""
        steps = tensors[0].shape[self.tdim]
        if self.low_mem or self.tdim != 1:
            rows = zip(*[t.unbind(self.tdim) for t in tensors], strict=True)
            outputs = [self.module(*row, **options) for row in rows]
            if isinstance(outputs[0], tuple):
                return tuple(torch.stack(part, dim=self.tdim) for part in zip(*outputs, strict=True))
            return torch.stack(outputs, dim=self.tdim)
        batch = tensors[0].shape[0]
        out = self.module(*[t.reshape(batch * steps, *t.shape[2:]) for t in tensors], **options)
        if isinstance(out, tuple):
            return tuple(part.reshape(batch, steps, *part.shape[1:]) for part in out)
        return out.reshape(batch, steps, *out.shape[1:])

    def extra_repr(self) -> str:
        """Return what `print` shows between the brackets."""
        return f"low_mem={self.low_mem}, tdim={self.tdim}"


def sequential(*args: nn.Module | Callable[..., Any]) -> nn.Sequential:
    """Return a `nn.Sequential` of the arguments; plain functions become `Lambda` layers."""
    return nn.Sequential(*[layer if isinstance(layer, nn.Module) else Lambda(layer) for layer in args])


class NoneReduce:
    """Context manager that gives `loss_func` with one loss per element instead of their mean.

    A loss object has its `reduction` switched for the time of the block; a function gets
    `reduction="none"` as an argument.
    """

    def __init__(self, loss_func: Any) -> None:
        self.loss_func, self._kept = loss_func, None

    def __enter__(self) -> Callable[..., Tensor]:
        if hasattr(self.loss_func, "reduction"):
            self._kept = self.loss_func.reduction
            self.loss_func.reduction = "none"
            unreduced: Callable[..., Tensor] = self.loss_func
            return unreduced
        return partial(self.loss_func, reduction="none")

    def __exit__(self, *details: object) -> None:
        if self._kept is not None:
            self.loss_func.reduction = self._kept
