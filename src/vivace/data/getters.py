"""Getters: what is taken out of an item for each part of a sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vivace.core.basics import noop
from vivace.core.collection import L
from vivace.core.errors import ArgumentError, ArgumentTypeError, DataError

from .blocks import listed
from .transform import Transform

__all__ = ["Columns", "Entry", "Getter", "make_getters"]


class Getter(Transform):
    """A function that takes something out of an item. It sees the item as it is, and always runs.

    Args:
        function: the item to what the block's transforms begin with.
    """

    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__(enc=function)

    def __call__(self, x: Any, split_idx: int | None = None) -> Any:
        return self.enc(x)


def make_getters(getters: Any, get_x: Any, get_y: Any, n: int, n_inp: int) -> list[Callable[[Any], Any]]:
    """Return a function for each of `n` blocks: from `getters`, or from `get_x` and `get_y`; `noop` without one.

    Raises:
        ArgumentError: there are more or fewer functions than blocks.
        ArgumentTypeError: something that is no function.
    """
    made: list[Callable[[Any], Any]] = [noop] * n
    if getters is not None:
        given = list(getters) if isinstance(getters, (list, tuple)) else [getters]
        if len(given) != n:
            raise ArgumentError(f"`getters` holds {len(given)} functions for {n} blocks: one for each is needed.")
        made = [noop if g is None else _made(g) for g in given]
    for name, what, function, first, last in (
        ("get_x", "inputs", get_x, 0, n_inp),
        ("get_y", "targets", get_y, n_inp, n),
    ):
        if function is None:
            continue
        functions = [_made(g) for g in listed(function)]
        if len(functions) != last - first:
            raise ArgumentError(
                f"`{name}` holds {len(functions)} functions, and the blocks make {last - first} {what} "
                f"(n_inp={n_inp}): one for each is needed."
            )
        made[first:last] = functions
    return made


def _made(getter: Any) -> Callable[[Any], Any]:
    is_made_first = isinstance(getter, type) and any("__call__" in vars(c) for c in getter.__mro__)  # not `int`, `list`
    function: Any = getter() if is_made_first else getter
    if not callable(function):
        raise ArgumentTypeError(f"A getter must be a function of an item, got {getter!r:.60}.")
    return function  # type: ignore[no-any-return]


class Entry:
    """Take one entry of a tuple with one of each column."""

    def __init__(self, i: int) -> None:
        self.i = i

    def __call__(self, row: Any) -> Any:
        return row[self.i]

    def __repr__(self) -> str:
        return f"column {self.i + 1}"


class Columns:
    """Columns to items: tuples with one entry of each."""

    def __init__(self, get_columns: Callable[[Any], Any] | None) -> None:
        self.get_columns = get_columns

    def __call__(self, source: Any) -> L[Any]:
        columns = [list(c) for c in (source if self.get_columns is None else self.get_columns(source))]
        lengths = [len(c) for c in columns]
        if len(set(lengths)) > 1:
            raise DataError(f"The columns hold {', '.join(map(str, lengths))} entries: all need the same number.")
        return L(zip(*columns, strict=True), use_list=True)

    def __repr__(self) -> str:
        return "from_columns" if self.get_columns is None else repr(self.get_columns)
