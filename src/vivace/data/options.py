"""What may be said to loaders when they are made, and what happens to a keyword that nobody knows."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, ParamSpec, TypedDict, TypeVar

from vivace.core.errors import ArgumentTypeError, suggest

from .loader import DataLoader
from .loaders import DataLoaders

__all__ = ["LoaderOptions", "check_names", "known_options", "names_unknown_keywords"]

P = ParamSpec("P")
R = TypeVar("R")


class LoaderOptions(TypedDict, total=False):
    """Less common settings of loaders, which all functions that make loaders take; `DataLoader` says what they do."""

    num_workers: int | None
    drop_last: bool | None  # for training; None: when it shuffles
    val_shuffle: bool
    n: int | None  # how many training samples an epoch has
    on_error: Literal["raise", "skip"] | None
    pin_memory: bool | None
    before_batch: Any
    fetch: Literal["auto", "columns", "threads", "processes", "here"]
    prefetch: int
    timeout: float
    persistent_workers: bool
    dl_type: type[DataLoader] | None
    dl_kwargs: Sequence[dict[str, Any]] | None  # more settings, one dict for each loader


def check_names(function: str, given: Iterable[str], known: Iterable[str], advice: str = "") -> None:
    """Check keywords.

    Raises:
        ArgumentTypeError: one of `given` is not `known`; the message names it, the `function`, and the nearest name.
    """
    names = [name for name in known if name != "self"]
    for name in given:
        if name not in names:
            raise ArgumentTypeError(f"{function} has no argument {name!r}.{suggest(name, names)}{advice}")


def known_options(dl_type: type[DataLoader]) -> set[str]:
    """Return the names of all settings that loaders of this class take, its parents' included."""
    makers: list[Any] = [DataLoaders.from_dsets, *(c.__init__ for c in dl_type.__mro__ if issubclass(c, DataLoader))]
    named = {
        parameter.name
        for maker in makers
        for parameter in inspect.signature(maker).parameters.values()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    }
    return (named | set(LoaderOptions.__annotations__) | set(dl_type._hooks)) - {"self", "dataset", "indexed", "cls"}


def names_unknown_keywords(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function with an error for unknown keywords that names the nearest known one.

    A function with `**options: Unpack[LoaderOptions]` knows the settings of loaders, too.
    """
    parameters = inspect.signature(function).parameters.values()
    known = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        known += sorted(known_options(DataLoader) - {"after_item", "after_batch"})

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        check_names(function.__qualname__, kwargs, known)
        return function(*args, **kwargs)

    return checked
