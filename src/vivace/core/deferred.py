"""`Self`: a short way to write a small `lambda`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

__all__ = ["Self"]


class _Deferred:
    """Records what will be done to an object, then does it: see `Self`."""

    def __init__(self, steps: tuple[Callable[[Any], Any], ...] = (), attribute: str | None = None) -> None:
        self._steps, self._attribute = steps, attribute

    def __getattr__(self, name: str) -> _Deferred:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Deferred(self._done(), name)

    def __getitem__(self, index: Any) -> _Deferred:
        return _Deferred((*self._done(), lambda o: o[index]))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._attribute is not None:
            return _Deferred((*self._steps, functools.partial(_get_and_call, self._attribute, args, kwargs)))
        (value,) = args
        return functools.reduce(lambda o, step: step(o), self._steps, value)

    def _done(self) -> tuple[Callable[[Any], Any], ...]:
        if self._attribute is None:
            return self._steps
        name = self._attribute
        return (*self._steps, lambda o: getattr(o, name))


def _get_and_call(name: str, args: tuple[Any, ...], kwargs: dict[str, Any], o: Any) -> Any:
    value = getattr(o, name)
    return value(*args, **kwargs) if callable(value) else value


# A short way to write a small lambda: `Self.lower()` is `lambda o: o.lower()`, `Self[0].name()` is
# `lambda o: o[0].name`. It ends with a call, or with an index.
Self = _Deferred()
