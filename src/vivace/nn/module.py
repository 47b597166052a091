"""`Module`: a `torch.nn.Module` whose subclasses need not call `super().__init__()`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from torch import nn

__all__ = ["Module", "module"]


class Module(nn.Module):
    """A `torch.nn.Module` that is ready for parameters before `__init__` runs.

    Example:
        >>> class Double(Module):
        ...     def __init__(self, n: int) -> None:
        ...         self.layer = nn.Linear(n, 2 * n)
        ...
        ...     def forward(self, x):
        ...         return self.layer(x)
        >>> len(list(Double(3).parameters()))
        2
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        instance = super().__new__(cls)
        nn.Module.__init__(instance)
        return instance

    def __init__(self) -> None:
        """Do nothing: `__new__` has prepared the module, so a late `super().__init__()` forgets no parameter."""


def module(*flds: str, **defaults: Any) -> Callable[[Callable[..., Any]], type[Module]]:
    """Return a decorator that makes a `Module` class of a `forward` function.

    Args:
        flds: names of constructor arguments without a default; each becomes an attribute.
        defaults: constructor arguments with their defaults.

    Example:
        >>> @module("factor")
        ... def Scale(self, x):
        ...     return x * self.factor
        >>> Scale(3)(2)
        6
    """
    signature = inspect.Signature(
        [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in flds]
        + [
            inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=value)
            for name, value in defaults.items()
        ]
    )

    def decorate(forward: Callable[..., Any]) -> type[Module]:
        def __init__(self: Module, *args: Any, **kwargs: Any) -> None:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            for name, value in bound.arguments.items():
                setattr(self, name, value)

        def extra_repr(self: Module) -> str:
            return ", ".join(f"{name}={getattr(self, name)!r}" for name in signature.parameters)

        members = {
            "__init__": __init__,
            "forward": forward,
            "extra_repr": extra_repr,
            "__doc__": forward.__doc__,
            "__module__": forward.__module__,
            "__signature__": signature,
        }
        return type(forward.__name__, (Module,), members)

    return decorate
