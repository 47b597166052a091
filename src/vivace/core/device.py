"""The device to use, and moving or changing all tensors inside nested tuples, lists and dicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from .basics import defaults
from .errors import ArgumentError, DataError, ShapeError
from .types import retype

__all__ = [
    "apply",
    "default_device",
    "find_bs",
    "find_device",
    "item_find",
    "one_param",
    "to_concat",
    "to_cpu",
    "to_detach",
    "to_device",
    "to_float",
    "to_half",
    "to_np",
    "trainable_params",
]


def default_device(use: bool | Literal[-1] | str | torch.device | None = -1) -> torch.device:
    """Return the device that data and models go to, after changing the choice if `use` says so.

    Args:
        use: -1 leaves the choice as it is. `None` chooses the best there is: CUDA, then MPS, then the CPU (the state at
            the start). `True` insists on an accelerator, `False` chooses the CPU; a device or its name chooses that.

    Raises:
        ArgumentError: `use=True` and there is no accelerator.
    """
    if isinstance(use, bool) or use != -1:
        if use is True and _accelerator() is None:
            raise ArgumentError("An accelerator was asked for, but torch finds neither CUDA nor MPS on this machine.")
        defaults.use_cuda = torch.device(use) if isinstance(use, str) else use
    choice: bool | torch.device | None = defaults.use_cuda
    if isinstance(choice, torch.device):
        return choice
    return torch.device("cpu") if choice is False else _accelerator() or torch.device("cpu")


def _accelerator() -> torch.device | None:
    if torch.cuda.is_available():
        # The current one, so that each rank of a distributed run gets its own.
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("mps") if torch.backends.mps.is_available() else None


def apply(func: Callable[..., Any], x: Any, *args: Any, **kwargs: Any) -> Any:
    """Return `x` with `func(leaf, *args, **kwargs)` in place of each leaf of its tuples, lists and dicts.

    Containers keep their type (named tuples and subclasses included); the rest (tensors, arrays, text) are leaves.
    """
    if isinstance(x, torch.nn.utils.rnn.PackedSequence):
        return func(x, *args, **kwargs)
    if isinstance(x, tuple | list):
        changed = [apply(func, o, *args, **kwargs) for o in x]
        return type(x)(*changed) if hasattr(x, "_fields") else type(x)(changed)
    if isinstance(x, Mapping):
        pairs = {key: apply(func, value, *args, **kwargs) for key, value in x.items()}
        return pairs if type(x) is dict else type(x)(pairs)  # type: ignore[call-arg]
    return func(x, *args, **kwargs)


def to_device(b: Any, device: str | int | torch.device | None = None, non_blocking: bool = False) -> Any:
    """Return `b` with all tensors, and all else that has a method `to`, on `device` (by default the default one).

    With `non_blocking` copies from pinned memory do not wait for the device.
    """
    target = default_device() if device is None else torch.device(device)

    def move(leaf: Any) -> Any:
        if isinstance(leaf, Tensor):
            return leaf.to(target, non_blocking=non_blocking)
        return leaf.to(target) if callable(getattr(leaf, "to", None)) else leaf

    return apply(move, b)


def to_cpu(b: Any) -> Any:
    """Return `b` with all tensors on the CPU. Waits for the device."""
    return to_device(b, "cpu")


def to_np(x: Any) -> Any:
    """Return `x` with all tensors as numpy arrays (bfloat16 as float32). Waits for the device."""

    def as_array(leaf: Any) -> npt.NDArray[Any] | Any:
        if not isinstance(leaf, Tensor):
            return leaf
        plain = leaf.detach().as_subclass(Tensor).cpu().resolve_conj().resolve_neg()
        return np.asarray(plain.float() if plain.dtype == torch.bfloat16 else plain)

    return apply(as_array, x)


def to_detach(b: Any, cpu: bool = True, gather: bool = True) -> Any:
    """Return `b` with all tensors cut from the autograd graph.

    Args:
        b: Tensors in nested tuples, lists and dicts.
        cpu: Also move them to the CPU, which waits for the device.
        gather: In a distributed run, join the tensors of all ranks along the first dimension (numbers are left as
            they are). Every rank must then call this with equal shapes.
    """
    is_gathered = gather and torch.distributed.is_available() and torch.distributed.is_initialized()
    if type(b) is Tensor and not is_gathered:  # nearly always
        return b.detach().cpu() if cpu else b.detach()

    def detach(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        leaf = leaf.detach()
        if is_gathered and leaf.dim():
            leaf = _gather(leaf)
        return leaf.cpu() if cpu else leaf

    return apply(detach, b)


def _gather(x: Tensor) -> Tensor:
    plain = x.as_subclass(Tensor).contiguous()
    parts = [torch.empty_like(plain) for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather(parts, plain)
    joined: Tensor = retype(torch.cat(parts), like=x)
    return joined


def _to_dtype(b: Any, dtype: torch.dtype) -> Any:
    # `.to` keeps a semantic type where `.half()` would not.
    return apply(lambda leaf: leaf.to(dtype) if isinstance(leaf, Tensor) and leaf.is_floating_point() else leaf, b)


def to_half(b: Any) -> Any:
    """Return `b` with all floating-point tensors as float16."""
    return _to_dtype(b, torch.float16)


def to_float(b: Any) -> Any:
    """Return `b` with all floating-point tensors as float32."""
    return _to_dtype(b, torch.float32)


def to_concat(xs: Sequence[Any], dim: int = 0) -> Any:
    """Join equally nested batches along `dim`: tensors are concatenated, tuples, lists and dicts place by place.

    Tensors whose other dimensions differ cannot be joined: they come back as the list of their single items.

    Raises:
        ShapeError: There is nothing to join.
    """
    if not len(xs):
        raise ShapeError("There are no batches to join: `to_concat` needs at least one.")
    one = xs[0]
    if isinstance(one, tuple | list):
        parts = [to_concat([x[i] for x in xs], dim=dim) for i in range(len(one))]
        return type(one)(*parts) if hasattr(one, "_fields") else type(one)(parts)
    if isinstance(one, Mapping):
        return {key: to_concat([x[key] for x in xs], dim=dim) for key in one}
    if not isinstance(one, Tensor):
        return list(xs)
    if one.dim() == 0:
        return retype(torch.stack(list(xs)), like=one)
    along = dim % one.dim()
    others = {(x.dim(), x.shape[:along], x.shape[along + 1 :]) for x in xs}
    if len(others) == 1:
        return retype(torch.cat([x.as_subclass(Tensor) for x in xs], dim=dim), like=one)
    return [item for x in xs for item in x]


def item_find(x: Any, idx: int = 0) -> Any:
    """Return the first leaf at position `idx` of the nested tuples, lists and dicts `x`.

    Raises:
        DataError: There is none.
    """
    if isinstance(x, Mapping):
        x = list(x.values())
    if not isinstance(x, tuple | list):
        return x
    if not len(x):
        raise DataError("The batch is empty: expected at least one tensor in it.")
    return item_find(x[idx])


def find_bs(b: Any) -> int:
    """Return the batch size: the length of the first leaf of `b`."""
    leaf = item_find(b)
    return len(leaf)


def find_device(b: Any) -> torch.device:
    """Return the device of the first leaf of `b`."""
    device: torch.device = item_find(b).device
    return device


def one_param(m: nn.Module) -> nn.Parameter | None:
    """Return the first parameter of a model, to see its device and type; `None` without parameters."""
    return next(m.parameters(), None)


def trainable_params(m: nn.Module) -> list[nn.Parameter]:
    """Return the parameters of a model that are not frozen."""
    return [p for p in m.parameters() if p.requires_grad]
