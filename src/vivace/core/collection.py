"""`L`: a list that can be indexed by many positions at once and that maps, filters and sorts itself."""

from __future__ import annotations

import functools
import itertools
import operator
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, SupportsIndex, TypeVar, cast, overload

import numpy as np

from .errors import ArgumentError, ShapeError

__all__ = ["L", "coll_repr", "is_indexer"]

T = TypeVar("T")
U = TypeVar("U")
MAX_ITEMS_IN_REPR = 10


def is_indexer(index: Any) -> bool:
    """Return whether `index` names one position: an int, or a number of numpy or torch without dimensions."""
    return isinstance(index, SupportsIndex) and getattr(index, "ndim", 0) == 0


def coll_repr(c: Sequence[Any], max_n: int = 20) -> str:
    """Return how many items a collection has, and the first `max_n`."""
    shown = ",".join(map(repr, itertools.islice(c, max_n)))
    return f"(#{len(c)}) [{shown}{'...' if len(c) > max_n else ''}]"


class L(list[T], Generic[T]):
    """A list with many-position indexing and chainable methods; a real `list`, so it pickles, compares and serialises.

    One argument that can be iterated is taken apart, anything else is one item; several arguments are the items:
    `L([1, 2])`, `L(1, 2)`, `L(range(1, 3))` and `L(np.array([1, 2]))` hold two items, `L("ab")` and `L(3)` one,
    `L(None)` none. Text, bytes, dicts and data frames are one item each. Methods give a new `L`.

    Args:
        items: The items, or the first of them when `rest` is given.
        rest: Further items.
        use_list: Take a single argument apart whatever it is: `L("ab", use_list=True)` holds two items.
        match: A collection whose length the new list gets, by repeating a single item.

    Raises:
        ShapeError: `match` is given and the items are neither one nor as many as it has.

    Example:
        >>> names = L("black", "grizzly", "teddy")
        >>> names
        (#3) ['black','grizzly','teddy']
        >>> names[0, 2].map(len)
        (#2) [5,5]
    """

    def __init__(self, items: Any = None, *rest: Any, use_list: bool | None = False, match: Any = None) -> None:
        if rest:
            super().__init__((items, *rest))
        elif use_list:
            super().__init__(items)
        else:
            super().__init__(_as_items(items))
        if match is not None and len(self) != len(match):
            if len(self) != 1:
                raise ShapeError(
                    f"`match` asks for {len(match)} items, got {len(self)}; give one item or {len(match)}."
                )
            self[:] = list(self) * len(match)

    @property
    def items(self) -> L[T]:
        """The list itself: the name fastai's users know for what a collection holds."""
        return self

    def _new(self, items: Iterable[Any]) -> L[Any]:
        return L(items, use_list=True)

    # ------------------------------------------------------------------ reading and writing positions
    @overload
    def __getitem__(self, index: SupportsIndex) -> T: ...
    @overload
    def __getitem__(self, index: slice | Iterable[Any]) -> L[T]: ...
    def __getitem__(self, index: Any) -> Any:
        """Return one item for an int; an `L` for a slice, a list of positions or a mask (lists, arrays, tensors)."""
        if type(index) is int:  # by far the most frequent, so asked for first
            return super().__getitem__(index)
        if isinstance(index, slice):
            return self._new(super().__getitem__(index))
        if is_indexer(index):
            return super().__getitem__(index)
        return self._new(super(L, self).__getitem__(i) for i in self._positions(index))

    def __setitem__(self, index: Any, value: Any) -> None:
        """Set one item, a slice, or several positions (to one value for all, or to as many values)."""
        if isinstance(index, slice) or is_indexer(index):
            super().__setitem__(index, value)
            return
        positions = self._positions(index)
        values = list(value) if _is_collection(value) else [value] * len(positions)
        if len(values) != len(positions):
            raise ShapeError(f"Cannot set {len(positions)} positions to {len(values)} values.")
        for i, v in zip(positions, values, strict=True):
            super().__setitem__(i, v)

    def _positions(self, index: Any) -> list[SupportsIndex]:
        chosen = index.tolist() if hasattr(index, "tolist") else list(index)
        if chosen and all(isinstance(i, bool | np.bool_) for i in chosen):
            if len(chosen) != len(self):
                raise ShapeError(f"A mask needs one truth value per item: expected {len(self)}, got {len(chosen)}.")
            return [i for i, keep in enumerate(chosen) if keep]
        return chosen

    # ------------------------------------------------------------------ printing, comparing, joining
    def __repr__(self) -> str:
        """Return the count and the first ten items."""
        return coll_repr(self, MAX_ITEMS_IN_REPR)

    __hash__ = None

    def __eq__(self, other: object) -> bool:
        """Compare item by item with any sequence or array (text excepted)."""
        if isinstance(other, str | bytes) or not (isinstance(other, Sequence) or hasattr(other, "__array__")):
            return False
        others = cast("Sequence[Any]", other)
        if getattr(others, "ndim", 1) == 0 or len(self) != len(others):
            return False
        return all(_same(a, b) for a, b in zip(self, others, strict=True))

    def __ne__(self, other: object) -> bool:
        """Return the opposite of `==`."""
        return not self == other

    def __add__(self, other: Any) -> L[Any]:
        """Return the items followed by those of `other`, which may also be one item; `None` adds nothing."""
        return self._new([*self, *_as_items(other)])

    def __radd__(self, other: Any) -> L[Any]:
        """Return the items of `other` followed by these."""
        return self._new([*_as_items(other), *self])

    def __iadd__(self, other: Any) -> L[T]:  # type: ignore[override]
        """Append the items of `other`, which may also be one item."""
        self.extend(_as_items(other))
        return self

    def __mul__(self, times: SupportsIndex) -> L[T]:
        """Return the items repeated."""
        return self._new(list(self) * times)

    __rmul__ = __mul__

    def __invert__(self) -> L[bool]:
        """Return `not item` for each item."""
        return self.map(operator.not_)

    def copy(self) -> L[T]:
        """Return a new list of the same items."""
        return self._new(self)

    # ------------------------------------------------------------------ applying functions
    def map(self, f: Any, *args: Any, **kwargs: Any) -> L[Any]:
        """Return `f(item, *args, **kwargs)` for each item; `f` may also be a format string or something to index."""
        return self._new(map(_as_function(f, *args, **kwargs), self))

    def map_dict(self, f: Any = None, *args: Any, **kwargs: Any) -> dict[T, Any]:
        """Return a dict from each item to `f(item)` (the item itself by default)."""
        function = _as_function(f, *args, **kwargs)
        return {item: function(item) for item in self}

    def map_filter(self, f: Any = None, keep: Any = None, *args: Any, **kwargs: Any) -> L[Any]:
        """Return those `f(item)` for which `keep` (truth by default) holds."""
        return self.map(f, *args, **kwargs).filter(keep)

    def map_first(self, f: Any = None, keep: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Return the first `f(item)` for which `keep` (truth by default) holds, or `None`."""
        function, accepts = _as_function(f, *args, **kwargs), _as_function(keep)
        return next((value for value in map(function, self) if accepts(value)), None)

    def map_zip(self, f: Any, *args: Any, cycled: bool = False, **kwargs: Any) -> L[Any]:
        """Return `f(*group)` for each group of `zip()`."""
        return self.zip(cycled=cycled).starmap(f, *args, **kwargs)

    def map_zipwith(self, f: Any, *rest: Iterable[Any], cycled: bool = False, **kwargs: Any) -> L[Any]:
        """Return `f(item, *others)`, the others taken from the same place in each of `rest`."""
        return self.zipwith(*rest, cycled=cycled).starmap(f, **kwargs)

    def starmap(self, f: Any, *args: Any, **kwargs: Any) -> L[Any]:
        """Return `f(*item, *args, **kwargs)` for each item."""
        return self._new(f(*cast("Iterable[Any]", item), *args, **kwargs) for item in self)

    def filter(self, f: Any = None, negate: bool = False, **kwargs: Any) -> L[T]:
        """Return the items for which `f` (truth by default) holds, or with `negate` does not."""
        accepts = _as_function(f, **kwargs)
        return self._new(item for item in self if bool(accepts(item)) != negate)

    def partition(self, f: Any = None, **kwargs: Any) -> tuple[L[T], L[T]]:
        """Return the items for which `f` holds, and the others."""
        return self.filter(f, **kwargs), self.filter(f, negate=True, **kwargs)

    def reduce(self, f: Callable[[Any, Any], Any], initial: Any = None) -> Any:
        """Return the items combined two by two from the left, starting with `initial` if there is one."""
        return functools.reduce(f, self) if initial is None else functools.reduce(f, self, initial)

    def sum(self) -> Any:
        """Return the items added up (numbers, lists, tensors); 0 without items."""
        return self.reduce(operator.add) if self else 0

    def product(self) -> Any:
        """Return the items multiplied; 1 without items."""
        return self.reduce(operator.mul) if self else 1

    # ------------------------------------------------------------------ looking into the items
    def itemgot(self, *idxs: Any) -> L[Any]:
        """Return `item[i]` for each item, for several indices `item[i][j]...`."""
        return self._new(functools.reduce(operator.getitem, idxs, cast("Any", item)) for item in self)

    def attrgot(self, k: str, default: Any = None) -> L[Any]:
        """Return the attribute `k` (of dicts: the value) of each item, `default` where there is none."""
        return self._new(o.get(k, default) if isinstance(o, dict) else getattr(o, k, default) for o in self)

    def setattrs(self, attr: str, val: Any) -> None:
        """Set the attribute `attr` of every item to `val`."""
        for item in self:
            setattr(item, attr, val)

    def argwhere(self, f: Any, negate: bool = False, **kwargs: Any) -> L[int]:
        """Return the positions of the items for which `f` holds, or with `negate` does not."""
        accepts = _as_function(f, **kwargs)
        return self._new(i for i, item in enumerate(self) if bool(accepts(item)) != negate)

    def argfirst(self, f: Any, negate: bool = False) -> int | None:
        """Return the first position where `f` holds (or with `negate` does not), or `None`."""
        accepts = _as_function(f)
        return next((i for i, item in enumerate(self) if bool(accepts(item)) != negate), None)

    def first(self, f: Any = None) -> T | None:
        """Return the first item for which `f` holds (any, by default), or `None`."""
        return next((item for item in self if f is None or f(item)), None)

    def last(self, f: Any = None) -> T | None:
        """Return the last item for which `f` holds (any, by default), or `None`."""
        return next((item for item in reversed(self) if f is None or f(item)), None)

    def sole(self) -> T:
        """Return the only item.

        Raises:
            ArgumentError: There are none or several.
        """
        if len(self) != 1:
            raise ArgumentError(f"Expected exactly one item, got {len(self)}.")
        return super().__getitem__(0)

    def val2idx(self) -> dict[T, int]:
        """Return a dict from each item to its (last) position."""
        return {item: i for i, item in enumerate(self)}

    # ------------------------------------------------------------------ order and grouping
    def sorted(self, key: Any = None, reverse: bool = False, cmp: Any = None) -> L[T]:
        """Return the items in order of `key`: a function, the name of an attribute, or the index of a part.

        `cmp(a, b)`, negative when `a` comes first, orders instead of a key.
        """
        order = functools.cmp_to_key(cmp) if cmp is not None else None if key is None else _as_key(key)
        return self._new(sorted(cast("L[Any]", self), key=order, reverse=reverse))

    def unique(self, sort: bool = False, bidir: bool = False, start: Any = None) -> Any:
        """Return each different item once, in order of appearance.

        Args:
            sort: In sorted order instead.
            bidir: Return `(items, dict from item to position)`.
            start: Items to put first (one or several).
        """
        different = list(dict.fromkeys(self))
        if sort:
            different.sort()
        result = self._new([*_as_items(start), *different])
        return (result, result.val2idx()) if bidir else result

    def groupby(self, key: Any, val: Any = None) -> dict[Any, L[Any]]:
        """Return a dict from each key to the items that have it; `val` picks what is kept of an item."""
        key_of, value_of = _as_key(key), _as_function(None) if val is None else _as_key(val)
        groups: dict[Any, L[Any]] = {}
        for item in self:
            groups.setdefault(key_of(item), L()).append(value_of(item))
        return groups

    def shuffle(self) -> L[T]:
        """Return the items in random order, drawn from Python's `random`."""
        return self._new(random.sample(self, len(self)))

    def enumerate(self) -> L[tuple[int, T]]:
        """Return `(position, item)` pairs."""
        return self._new(enumerate(self))

    def renumerate(self) -> L[tuple[T, int]]:
        """Return `(item, position)` pairs."""
        return self._new((item, i) for i, item in enumerate(self))

    def zip(self, cycled: bool = False) -> L[tuple[Any, ...]]:
        """Return the first parts of all items, the second parts, ...; the shortest item says how many.

        With `cycled` the first item says how many, and shorter ones start again.
        """
        groups = [cast("Iterable[Any]", item) for item in self]
        if cycled:
            groups = [*groups[:1], *map(itertools.cycle, groups[1:])]
        return self._new(zip(*groups, strict=False))

    def zipwith(self, *rest: Iterable[Any], cycled: bool = False) -> L[tuple[Any, ...]]:
        """Return each item with what stands in the same place in each of `rest`."""
        return self._new([self, *rest]).zip(cycled=cycled)

    def cycle(self) -> Iterator[T | None]:
        """Return an endless iterator over the items, over `None` when there are none."""
        return itertools.cycle(self if self else [None])

    def concat(self) -> L[Any]:
        """Return the items of all items in one list; what cannot be taken apart stays as it is."""
        return self._new(itertools.chain.from_iterable(map(_as_items, self)))

    @classmethod
    def range(cls, a: Any, b: int | None = None, step: int | None = None) -> L[int]:
        """Return the numbers of `range(a, b, step)`; a collection in place of `a` counts its items."""
        end = len(a) if hasattr(a, "__len__") else a
        return L(range(end) if b is None else range(end, b, 1 if step is None else step))

    @classmethod
    def split(cls, s: str, sep: str | None = None, maxsplit: int = -1) -> L[str]:
        """Return the parts of the text `s`, as `str.split` does."""
        return L(s.split(sep, maxsplit))

    # ------------------------------------------------------------------ tensors
    def tensor(self) -> Any:
        """Return one tensor made of all items."""
        from .basics import tensor

        return tensor(list(self))

    def tensored(self) -> L[Any]:
        """Return each item as a tensor."""
        from .basics import tensor

        return self.map(tensor)

    def stack(self, dim: int = 0) -> Any:
        """Return the items, as tensors, stacked along a new dimension."""
        import torch

        return torch.stack(list(self.tensored()), dim=dim)

    def cat(self, dim: int = 0) -> Any:
        """Return the items, as tensors, joined along an existing dimension."""
        import torch

        return torch.cat(list(self.tensored()), dim=dim)


def _is_collection(value: Any) -> bool:
    """Return whether `value` is taken apart: text, bytes, mappings, data frames and 0-d arrays are not."""
    if isinstance(value, str | bytes | Mapping) or not hasattr(value, "__iter__") or isinstance(value, type):
        return False
    if hasattr(value, "iloc") and hasattr(value, "columns"):
        return False
    return getattr(value, "ndim", 1) != 0


def _as_items(value: Any) -> Iterable[Any]:
    if value is None:
        return ()
    return cast("Iterable[Any]", value) if _is_collection(value) else (value,)


def _as_function(f: Any, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:
    """Return a function of one item: from a callable, a format string, something to index, or `None` (the item)."""
    if f is None:
        return lambda item: item
    if callable(f):
        return (lambda item: f(item, *args, **kwargs)) if args or kwargs else cast("Callable[[Any], Any]", f)
    if isinstance(f, str):
        return lambda item: f.format(item, *args, **kwargs)
    return cast("Callable[[Any], Any]", f.__getitem__)


def _as_key(key: Any) -> Callable[[Any], Any]:
    if isinstance(key, str):
        return operator.attrgetter(key)
    return operator.itemgetter(key) if isinstance(key, int) else cast("Callable[[Any], Any]", key)


def _same(a: Any, b: Any) -> bool:
    if a is b:
        return True
    if hasattr(a, "shape") and hasattr(b, "shape") and a.shape != b.shape:
        return False
    equal = a == b
    return equal if isinstance(equal, bool) else bool(np.all(np.asarray(equal)))
