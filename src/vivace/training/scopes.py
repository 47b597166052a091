"""Changes to a Learner that last for a `with` block, and are undone however it ends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .ahead import evaluated_ahead
from .callback import Callback

if TYPE_CHECKING:
    from .learner import Callbacks, Learner

__all__ = ["added_cbs", "batches_of", "removed_cbs", "replaced"]


def _listed(cbs: Callbacks) -> list[Callback | type[Callback]]:
    return [cbs] if isinstance(cbs, (Callback, type)) else list(cbs or ())


@contextmanager
def added_cbs(learn: Learner, cbs: Callbacks) -> Iterator[Learner]:
    """See `Learner.added_cbs`."""
    made = [cb() if isinstance(cb, type) else cb for cb in _listed(cbs)]
    learn.add_cbs(made)
    try:
        yield learn
    finally:
        learn.remove_cbs(made)


@contextmanager
def removed_cbs(learn: Learner, cbs: Callbacks) -> Iterator[Learner]:
    """See `Learner.removed_cbs`."""
    listed = _listed(cbs)
    gone = [c for c in learn.cbs if any(c is cb or (isinstance(cb, type) and isinstance(c, cb)) for cb in listed)]
    place = {id(cb): i for i, cb in enumerate(learn.cbs)}
    learn.remove_cbs(gone)
    try:
        yield learn
    finally:
        learn.add_cbs(gone)
        learn.cbs.sort(key=lambda cb: place.get(id(cb), len(place)))
        learn._sort_cbs()


@contextmanager
def replaced(learn: Learner, name: str, value: Any) -> Iterator[Learner]:
    """Give an attribute of the Learner another value."""
    before = getattr(learn, name)
    setattr(learn, name, value)
    try:
        yield learn
    finally:
        setattr(learn, name, before)


@contextmanager
def batches_of(learn: Learner) -> Iterator[Iterator[Any]]:
    """Yield the batches of the loader; how long each was waited for is added to `learn.data_wait`, in seconds.

    A loader that is left in the middle stops its workers now, not when the traceback is forgotten.
    """
    started = time.perf_counter()
    batches = iter(learn.dl)  # starts workers
    learn.data_wait += time.perf_counter() - started
    try:
        with evaluated_ahead(learn, batches) as evaluated:
            yield evaluated
    finally:
        close = getattr(batches, "close", None)
        if close is not None:
            close()
