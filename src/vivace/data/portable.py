"""`PortableInputs`: data that no `DataBlock` describes (a table), and that an exported model can carry all the same."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Self

from .loaders import DataLoaders

__all__ = ["PortableInputs"]


class PortableInputs(ABC):
    """A data set whose settings can be written down, so that a loaded model prepares new items as training did.

    A bundle holds the class, by name, and what `config` returns: plain values, tensors and transforms. Loading makes an
    empty data set from it (`from_config`) and loaders over that (`empty_loaders`), whose `test_dl` prepares new items.
    """

    @abstractmethod
    def config(self) -> dict[str, Any]:
        """Return all that `from_config` needs. Names that a user chose belong in lists, not in keys."""

    @classmethod
    @abstractmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Return a data set without items. What `config` holds comes from a file: check it.

        Raises:
            KeyError, TypeError, ValueError: it is not what `config` returns.
        """

    @abstractmethod
    def empty_loaders(self, *, bs: int, after_item: Any = None, after_batch: Any = None) -> DataLoaders:
        """Return loaders, two of them, over this data set."""
