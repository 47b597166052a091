"""Which method of a transform is for a value: the one whose annotation names its type."""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable
from typing import Any, Union

from torch import Tensor

from vivace.core.types import retype

__all__ = ["Handler", "SeveralMethods", "annotated_types", "class_handlers", "encodes_for"]


class Handler(typing.NamedTuple):
    function: Callable[..., Any]
    types: tuple[type, ...] | None  # None: every value
    keeps_type: bool  # no return annotation: the result is what the input was
    gives: type[Tensor] | None = None  # what the return annotation makes of a plain tensor

    def finish(self, out: Any, x: Any) -> Any:
        """Give what came back its semantic type: the one that is spelt out, or that of the input."""
        if self.gives is not None and type(out) is Tensor:
            return out.as_subclass(self.gives)
        return retype(out, x) if self.keeps_type else out


def annotated_types(
    function: Callable[..., Any], *, skip_self: bool
) -> tuple[tuple[type, ...] | None, bool, type[Tensor] | None]:
    """The types that the first parameter names, whether the result keeps the input's type, and what it is otherwise."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # builtins such as `len` have no signature
        return None, True, None
    parameters = parameters[1:] if skip_self else parameters
    if not parameters or parameters[0].annotation is inspect.Parameter.empty:
        annotation: Any = Any
    else:
        annotation = parameters[0].annotation
    keeps_type, gives = True, None
    if isinstance(annotation, str) or "return" in getattr(function, "__annotations__", {}):
        try:
            hints = typing.get_type_hints(_routine_of(function))
        except (NameError, TypeError):  # a name that exists only for type checkers, a callable without annotations
            hints = {}
        annotation = hints.get(parameters[0].name, Any) if isinstance(annotation, str) else annotation
        result = hints.get("return", Any)
        keeps_type = result is Any  # a result whose type is spelt out is left as it is, unless it is a plain tensor
        gives = result if isinstance(result, type) and issubclass(result, Tensor) and result is not Tensor else None
    return _as_types(annotation), keeps_type, gives


def _routine_of(function: Any) -> Any:
    while isinstance(function, functools.partial):
        function = function.func
    return function if inspect.isroutine(function) else type(function).__call__


def _as_types(annotation: Any) -> tuple[type, ...] | None:
    if annotation is Any or annotation is object or isinstance(annotation, typing.TypeVar):
        return None
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is Union:
        parts = [_as_types(a) for a in typing.get_args(annotation)]
        return None if any(p is None for p in parts) else tuple(t for p in parts if p is not None for t in p)
    origin = typing.get_origin(annotation)
    if isinstance(origin, type):
        return (origin,)
    return (annotation,) if isinstance(annotation, type) else None


def encodes_for(*of_types: type) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Mark a method of a `Transform` as one more `encodes`, for values of the given types.

    A class can hold any number of them next to its `encodes`; the first whose types match is used.
    """

    def mark(function: Callable[..., Any]) -> Callable[..., Any]:
        function.__dict__["_encodes_types"] = of_types
        return function

    return mark


class _Body(dict[str, Any]):
    """The body of a class; of several methods called `encodes` (or `decodes`) the earlier ones are kept, too."""

    def __init__(self) -> None:
        super().__init__(_earlier={"encodes": [], "decodes": []})

    def __setitem__(self, key: str, value: Any) -> None:
        if key in self["_earlier"] and callable(self.get(key)):
            self["_earlier"][key].append(self[key])
        super().__setitem__(key, value)


class SeveralMethods(type):
    @classmethod
    def __prepare__(cls, name: str, bases: tuple[type, ...], /, **kwargs: Any) -> _Body:
        return _Body()


def class_handlers(cls: type, name: str) -> list[Handler]:
    """The methods that a class encodes (or decodes) with: its own before inherited ones, and the most special first."""
    handlers: list[Handler] = []
    replaced: set[str] = set()
    for base in cls.__mro__:
        body = vars(base)
        own: list[Callable[..., Any]] = []
        for key, function in body.items():
            if key == name:
                own += [function, *reversed(body["_earlier"][name])] if "_earlier" in body else [function]
            elif name == "encodes" and hasattr(function, "_encodes_types") and key not in replaced:
                own.append(function)
        replaced |= body.keys()
        handlers += sorted((_handler(function) for function in own if callable(function)), key=_depth, reverse=True)
    return handlers


def _handler(method: Callable[..., Any]) -> Handler:
    types, keeps_type, gives = annotated_types(method, skip_self=True)
    return Handler(method, getattr(method, "_encodes_types", None) or types, keeps_type, gives)


def _depth(handler: Handler) -> int:
    """How special the types of a method are: how far below `object`."""
    return min((len(t.__mro__) for t in handler.types), default=0) if handler.types else 0
