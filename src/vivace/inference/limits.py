"""How much a file from somebody else may make this machine build and compute while it is read."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_buffer_registration_hook,
    register_module_parameter_registration_hook,
)
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from vivace.core.errors import UnsafeFileError
from vivace.core.memory import available_memory

__all__ = ["check_pixels", "refuse_large_results", "weights_bound"]

# A network is built with the classifier that a new head replaces: that of VGG has 124 million numbers.
_SPARE_NUMBERS, _SPARE_TENSORS = 150_000_000, 2_000
_MAX_PIXELS = 1 << 27


@contextmanager
def weights_bound(weights: Mapping[str, Tensor]) -> Iterator[None]:
    """Let this thread build models with about as many parameters as the file has weights.

    Parameters are looked at before they are filled, so a layer of a trillion numbers costs nothing.

    Raises:
        UnsafeFileError: a model wants many more.
    """
    left = [2 * sum(w.numel() for w in weights.values()) + _SPARE_NUMBERS, 4 * len(weights) + _SPARE_TENSORS]
    thread = threading.get_ident()

    def look(_module: nn.Module, _name: str, tensor: Tensor | None) -> None:
        if threading.get_ident() != thread or tensor is None or torch.nn.parameter.is_lazy(tensor):
            return
        left[0] -= tensor.numel()
        left[1] -= 1
        if min(left) < 0:
            raise UnsafeFileError("The manifest describes a far larger model than the file has weights for.")

    handles = [register_module_parameter_registration_hook(look), register_module_buffer_registration_hook(look)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def check_pixels(size: Any) -> None:
    """Refuse a size of pictures, a number or (height, width), that no picture has.

    Raises:
        UnsafeFileError: it is far too large.
    """
    sides = [abs(s) for s in (size if isinstance(size, (list, tuple)) else [size]) if isinstance(s, (int, float))]
    area = sides[0] ** 2 if len(sides) == 1 else sides[0] * sides[1] if sides else 0
    if area > _MAX_PIXELS:
        raise UnsafeFileError(f"The manifest wants pictures of the size {size}, larger than any model takes.")


def refuse_large_results(model: nn.Module, inputs: tuple[Any, ...]) -> None:
    """Walk through a model without computing it, and refuse one of whose results does not fit into memory.

    What cannot be walked through like this (control flow that depends on values) is let pass.

    Raises:
        UnsafeFileError: a result would take more than the memory that is free.
    """
    named = chain(model.named_parameters(), model.named_buffers())
    shapes = {name: torch.empty_like(tensor, device="meta") for name, tensor in named}
    given = tree_map(lambda x: torch.empty_like(x, device="meta"), inputs)
    try:
        with torch.no_grad(), _Watch(available_memory()):
            torch.func.functional_call(model, shapes, given)
    except UnsafeFileError:
        raise
    except (RuntimeError, NotImplementedError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError):
        return  # computing it says what is wrong


class _Watch(TorchDispatchMode):
    def __init__(self, max_bytes: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.max_bytes = max_bytes

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = function(*args, **(kwargs or {}))
        for result in tree_leaves(out):
            if isinstance(result, Tensor) and result.untyped_storage().nbytes() > self.max_bytes:
                raise UnsafeFileError(
                    f"The model wants to compute {result.untyped_storage().nbytes():,} bytes at once ({function}), "
                    "more than this machine has; it did not."
                )
        return out
