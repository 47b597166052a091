"""Small functions that scripts and all layers share: making tensors and lists, defaults, names, endless iterators."""

from __future__ import annotations

import functools
import itertools
import os
import re
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any, NoReturn, cast

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor, nn

from .collection import L
from .deferred import Self
from .errors import ArgumentError, ArgumentTypeError, ShapeError

__all__ = [
    "Inf",
    "Self",
    "array",
    "camel2snake",
    "chunked",
    "class2attr",
    "defaults",
    "even_mults",
    "first",
    "flatten_check",
    "ifnone",
    "in_colab",
    "in_ipython",
    "in_jupyter",
    "in_notebook",
    "is_iter",
    "is_listy",
    "last",
    "listify",
    "merge",
    "nested_attr",
    "noop",
    "noops",
    "num_cpus",
    "num_distrib",
    "one_hot",
    "one_hot_decode",
    "params",
    "range_of",
    "rank_distrib",
    "setify",
    "snake2camel",
    "stop",
    "store_attr",
    "tensor",
    "uniqueify",
    "using_attr",
]

# numpy's unsigned types that most torch operations lack, and the next type that holds all their values.
_WIDER = {np.dtype(np.uint16): np.int32, np.dtype(np.uint32): np.int64, np.dtype(np.uint64): np.int64}


def num_cpus() -> int:
    """Return how many CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


# Settings that users may change: how many workers, the learning rate of `Learner`, which device (see `default_device`).
defaults = SimpleNamespace(cpus=min(16, num_cpus()), lr=1e-3, use_cuda=None)


# ---------------------------------------------------------------------- tensors and arrays
def tensor(
    x: Any,
    *rest: Any,
    dtype: torch.dtype | None = None,
    device: str | torch.device | None = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Make a tensor of a number, list, array, picture, pandas column or table, or of several of these.

    A tensor comes back as it is, a writable array shares its memory with the result. Unless `dtype` is given, float64
    becomes float32, and uint16 and uint32, which few operations know, become int32 and int64.

    Args:
        x: The values, or the first of them when `rest` is given: `tensor(1, 2)` is `tensor([1, 2])`.
        rest: Further values.
        dtype: Type of the numbers.
        device: Where it shall be; the CPU by default.
        requires_grad: Whether autograd shall follow it.
        pin_memory: Put it in page-locked memory, from which copies to a GPU need not wait.

    Raises:
        ArgumentTypeError: The values are not numbers.
    """
    values = (x, *rest) if rest else x
    made = values if isinstance(values, Tensor) else _tensor_of(values, keep_double=dtype is not None)
    if dtype is not None or device is not None:
        made = made.to(device=device, dtype=dtype)
    if pin_memory:
        made = made.pin_memory()
    return made.requires_grad_() if requires_grad else made


def _tensor_of(values: Any, keep_double: bool) -> Tensor:
    if isinstance(values, list | tuple) and len(values) and isinstance(values[0], Tensor):
        return torch.stack([tensor(o) for o in values])
    numbers = np.asarray(values if hasattr(values, "__array__") or not is_iter(values) else list(values))
    if numbers.dtype.kind not in "biufc":
        raise ArgumentTypeError(
            f"A tensor holds numbers of one shape; got {type(values).__name__} with values of type {numbers.dtype}."
        )
    if numbers.dtype in _WIDER:
        numbers = numbers.astype(_WIDER[numbers.dtype])
    elif numbers.dtype == np.float64 and not keep_double:
        numbers = numbers.astype(np.float32)
    if not numbers.size and not hasattr(values, "__array__"):
        return torch.empty(numbers.shape)
    # torch knows neither read-only arrays nor negative strides.
    is_shareable = numbers.flags.writeable and all(stride >= 0 for stride in numbers.strides)
    return torch.from_numpy(numbers if is_shareable else numbers.copy())


def array(x: Any, dtype: npt.DTypeLike | None = None, *, copy: bool = True, ndmin: int = 0) -> npt.NDArray[Any]:
    """Make an array of a list, picture or tensor: `np.array`, which also takes tensors from any device."""
    values = x.detach().cpu().numpy() if isinstance(x, Tensor) else np.asarray(x) if isinstance(x, Image.Image) else x
    if copy:
        return np.array(values, dtype=dtype, ndmin=ndmin)
    made: npt.NDArray[Any] = np.asarray(values, dtype=dtype)
    return made.reshape((1,) * (ndmin - made.ndim) + made.shape)


def one_hot(x: Any, c: int) -> Tensor:
    """Return a uint8 tensor `(c,)` with ones at the index `x`, or at all indices in `x`.

    Raises:
        ArgumentError: An index is not in `0..c-1`.
    """
    indices = [int(i) for i in listify(x)]
    if any(not 0 <= i < c for i in indices):
        raise ArgumentError(f"With {c} classes an index is in 0..{c - 1}, got {indices}.")
    encoded = torch.zeros(c, dtype=torch.uint8)
    encoded[indices] = 1
    return encoded


def one_hot_decode(x: Any, vocab: Any = None) -> L[Any]:
    """Return the positions of the ones in `x`, or with a `vocab` its words there."""
    return L(i if vocab is None else vocab[i] for i, is_set in enumerate(x) if is_set)


def flatten_check(inp: Tensor, targ: Tensor) -> tuple[Tensor, Tensor]:
    """Return both tensors flattened.

    Raises:
        ShapeError: They do not hold equally many numbers.
    """
    if inp.numel() != targ.numel():
        raise ShapeError(
            f"Predictions and targets must hold equally many numbers: got {inp.numel()} {tuple(inp.shape)} "
            f"and {targ.numel()} {tuple(targ.shape)}."
        )
    return inp.contiguous().view(-1), targ.contiguous().view(-1)


def even_mults(start: float, stop: float, n: int) -> list[float]:
    """Return `n` numbers from `start` to `stop`, each the same multiple of the one before; `stop` alone for one."""
    if n == 1:
        return [stop]
    return [start * (stop / start) ** (i / (n - 1)) for i in range(n)]


def params(m: nn.Module) -> list[nn.Parameter]:
    """Return all parameters of a model."""
    return list(m.parameters())


# ---------------------------------------------------------------------- collections
def is_iter(o: Any) -> bool:
    """Return whether `o` can be iterated (text can, 0-d arrays and tensors cannot)."""
    return isinstance(o, Iterable) and bool(getattr(o, "ndim", 1))


def is_listy(o: Any) -> bool:
    """Return whether `o` is a list, tuple, slice or generator."""
    return isinstance(o, list | tuple | slice | Generator)


def listify(o: Any = None, *rest: Any, use_list: bool | None = False, match: Any = None) -> list[Any]:
    """Return a plain list of what `L(o, *rest)` holds: `None` gives none, text one item."""
    return list(L(o, *rest, use_list=use_list, match=match))


def setify(o: Any) -> set[Any]:
    """Return `o` as a set: itself if it is one, else its items as `listify` sees them."""
    return o if isinstance(o, set) else set(listify(o))


def first(x: Iterable[Any], f: Callable[..., Any] | None = None, negate: bool = False, **kwargs: Any) -> Any:
    """Return the first item, or the first for which `f` holds (with `negate`: does not); `None` without any."""
    return next((o for o in x if f is None or bool(f(o, **kwargs)) != negate), None)


def last(x: Iterable[Any], f: Callable[..., Any] | None = None, negate: bool = False, **kwargs: Any) -> Any:
    """Return the last item, or the last for which `f` holds (with `negate`: does not); `None` without any."""
    return first(reversed(list(x)), f, negate, **kwargs)


def range_of(a: Any, b: int | None = None, step: int | None = None) -> list[int]:
    """Return the numbers of `range(a, b, step)` as a list; a collection in place of `a` counts its items."""
    return list(L.range(a, b, step))


def uniqueify(x: Iterable[Any], sort: bool = False, bidir: bool = False, start: Any = None) -> Any:
    """Return each different item of `x` once: `L(x).unique(...)`, as a plain list."""
    result = L(x).unique(sort=sort, bidir=bidir, start=start)
    return (list(result[0]), result[1]) if bidir else list(result)


def chunked(
    it: Iterable[Any], chunk_sz: int | None = None, drop_last: bool = False, n_chunks: int | None = None
) -> Iterator[list[Any]]:
    """Yield lists of `chunk_sz` items, or `n_chunks` lists in all; `drop_last` leaves out a shorter one at the end.

    Raises:
        ArgumentError: Not exactly one of `chunk_sz` and `n_chunks` is given.
    """
    if (chunk_sz is None) == (n_chunks is None):
        raise ArgumentError(f"Give one of `chunk_sz` and `n_chunks`, got {chunk_sz} and {n_chunks}.")
    if chunk_sz is None:
        it = list(it)
        chunk_sz = max(1, -(-len(it) // cast(int, n_chunks)))
    return _chunks(iter(it), chunk_sz, drop_last)


def _chunks(items: Iterator[Any], size: int, drop_last: bool) -> Iterator[list[Any]]:
    while chunk := list(itertools.islice(items, size)):
        if len(chunk) == size or not drop_last:
            yield chunk


def merge(*ds: Mapping[Any, Any] | None) -> dict[Any, Any]:
    """Return one dict of all; later ones win, `None` counts as empty."""
    return {key: value for d in ds if d is not None for key, value in d.items()}


class _Infinite:
    """Endless iterators: `Inf.count` (0, 1, 2, ...), `Inf.zeros`, `Inf.ones`, `Inf.nones`; a fresh one each time."""

    @property
    def count(self) -> Iterator[int]:
        """0, 1, 2, ..."""
        return itertools.count()

    @property
    def zeros(self) -> Iterator[int]:
        """0, 0, ..."""
        return itertools.repeat(0)

    @property
    def ones(self) -> Iterator[int]:
        """1, 1, ..."""
        return itertools.repeat(1)

    @property
    def nones(self) -> Iterator[None]:
        """`None`, `None`, ..."""
        return itertools.repeat(None)


Inf = _Infinite()


# ---------------------------------------------------------------------- functions
def noop(x: Any = None, *args: Any, **kwargs: Any) -> Any:
    """Return `x`; the rest is ignored."""
    return x


def noops(self: Any, x: Any = None, *args: Any, **kwargs: Any) -> Any:
    """Return `x`: `noop` as a method."""
    return x


def ifnone(a: Any, b: Any) -> Any:
    """Return `a`, or `b` if `a` is `None`."""
    return b if a is None else a


def stop(e: BaseException | type[BaseException] = StopIteration) -> NoReturn:
    """Raise `e`: for use in an expression, such as a `lambda`."""
    raise e


def using_attr(f: Callable[[Any], Any], attr: str) -> Callable[[Any], Any]:
    """Return a function that calls `f` with an attribute of its argument: `using_attr(f, "name")(path)`. It pickles."""
    return functools.partial(_call_with_attr, f, attr)


def _call_with_attr(f: Callable[[Any], Any], attr: str, o: Any) -> Any:
    return f(getattr(o, attr))


def nested_attr(o: Any, attr: str, default: Any = None) -> Any:
    """Return `o.a.b` for `attr="a.b"`, or `default` where an attribute is missing."""
    for name in attr.split("."):
        if not hasattr(o, name):
            return default
        o = getattr(o, name)
    return o


def store_attr(
    names: str | Iterable[str] | None = None, self: Any = None, but: str | Iterable[str] = "", **attrs: Any
) -> None:
    """Set the arguments of the calling method as attributes of its `self`.

    Args:
        names: Which ones, as a list or separated by commas; all by default.
        self: The object; by default the first argument of the caller.
        but: Which ones to leave out.
        attrs: Further attributes, by name.

    Example:
        >>> class Point:
        ...     def __init__(self, x, y=0):
        ...         store_attr()
        >>> Point(3).x, Point(3).y
        (3, 0)
    """
    frame = sys._getframe(1)
    code = frame.f_code
    arguments = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    target = frame.f_locals[arguments[0]] if self is None else self
    is_self_argument = self is None or (arguments and frame.f_locals.get(arguments[0]) is self)
    chosen = arguments[1 if is_self_argument else 0 :] if names is None and not attrs else _names(names or ())
    left_out = set(_names(but))
    for name in chosen:
        if name not in left_out:
            setattr(target, name, frame.f_locals[name])
    for name, value in attrs.items():
        setattr(target, name, value)


def _names(names: str | Iterable[str]) -> list[str]:
    return [name.strip() for name in (names.split(",") if isinstance(names, str) else names) if name.strip()]


# ---------------------------------------------------------------------- names and surroundings
def camel2snake(name: str) -> str:
    """Return `"class_name"` for `"ClassName"`."""
    separated = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return separated.lower()


def snake2camel(s: str) -> str:
    """Return `"ClassName"` for `"class_name"`."""
    return "".join(part[:1].upper() + part[1:] for part in s.split("_"))


def class2attr(self: Any, cls_name: str) -> str:
    """Return the class name of `self` in snake case, without the ending `cls_name`."""
    return camel2snake(re.sub(rf"{re.escape(cls_name)}$", "", type(self).__name__) or cls_name.lower())


def in_ipython() -> bool:
    """Return whether this runs in IPython, in a terminal or a notebook."""
    return _shell() is not None


def in_jupyter() -> bool:
    """Return whether this runs in a Jupyter kernel (Lab, Notebook, VS Code, Colab)."""
    return getattr(_shell(), "kernel", None) is not None


def in_colab() -> bool:
    """Return whether this runs on Google Colab."""
    return in_ipython() and "google.colab" in sys.modules


def in_notebook() -> bool:
    """Return whether this runs in a notebook of any kind."""
    return in_jupyter() or in_colab()


def _shell() -> Any:
    # Without IPython imported there is no shell, and importing it to ask would be slow.
    ipython = sys.modules.get("IPython")
    return None if ipython is None else ipython.get_ipython()


def rank_distrib() -> int:
    """Return the rank of this process in a distributed run; 0 otherwise."""
    return int(os.environ.get("RANK", 0))


def num_distrib() -> int:
    """Return how many processes a distributed run has; 0 when it is not distributed."""
    return int(os.environ.get("WORLD_SIZE", 0))
