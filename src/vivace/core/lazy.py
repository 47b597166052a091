"""Packages that are imported on first use, and an error that says what to install when one is missing."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from .errors import MissingPackageError

__all__ = ["LazyModule", "require"]

# Names that pip knows packages by, where they differ from what is imported.
_PIP_NAMES = {"PIL": "pillow", "sklearn": "scikit-learn"}
# What introspection may ask of any object (`__wrapped__`, `__test__`, ...) must not import a heavy package.
_DUNDERS_WORTH_AN_IMPORT = frozenset({"__all__", "__file__", "__path__", "__version__"})


def require(name: str, extra: str | None = None, purpose: str | None = None) -> ModuleType:
    """Import and return the module `name`.

    Args:
        name: Dotted module name, such as `"sklearn.metrics"`.
        extra: The extra of vivace that installs it (`vivace[extra]`); without one the package itself is named.
        purpose: What needs it, for the message: a noun phrase such as `"the confusion matrix"`.

    Raises:
        MissingPackageError: The package is not installed.
    """
    package = name.partition(".")[0]
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != package:
            raise  # the package is there, and something that it imports is not
        wanted = f'"vivace[{extra}]"' if extra else _PIP_NAMES.get(package, package)
        reason = f"needed for {purpose}" if purpose else "needed here"
        raise MissingPackageError(
            f"The package `{package}` is {reason} but is not installed: pip install {wanted}", name=name
        ) from error


class LazyModule(ModuleType):
    """A stand-in for the module `name` that imports it when an attribute is first asked for.

    Facades hand out `pd` and `plt` this way, so that a star import does not pay for packages that a script may never
    use. Attributes are read from, set on and deleted from the real module.

    Args:
        name: Dotted module name.
        extra: The extra of vivace that installs it, for the error when it is missing.

    Raises:
        MissingPackageError: On first use, when the package is not installed.
    """

    def __init__(self, name: str, extra: str | None = None) -> None:
        super().__init__(name)
        self.__dict__["_extra"] = extra

    def _module(self) -> ModuleType:
        name: str = self.__dict__["__name__"]
        return sys.modules.get(name) or require(name, self.__dict__["_extra"])

    def __getattr__(self, attribute: str) -> Any:
        is_dunder = attribute.startswith("__") and attribute.endswith("__")
        if is_dunder and attribute not in _DUNDERS_WORTH_AN_IMPORT and self.__name__ not in sys.modules:
            raise AttributeError(f"module {self.__name__!r} (not imported yet) has no attribute {attribute!r}")
        return getattr(self._module(), attribute)

    def __setattr__(self, attribute: str, value: Any) -> None:
        setattr(self._module(), attribute, value)

    def __delattr__(self, attribute: str) -> None:
        delattr(self._module(), attribute)

    def __dir__(self) -> Iterable[str]:
        return dir(self._module())

    def __repr__(self) -> str:
        state = "imported" if self.__name__ in sys.modules else "imported on first use"
        return f"<lazy module {self.__name__!r}, {state}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return LazyModule, (self.__name__, self.__dict__["_extra"])
