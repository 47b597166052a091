"""Micro-batching: requests that come at about the same time go through the model together."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

from vivace.core.errors import VivaceError

__all__ = ["MicroBatcher", "QueueFullError"]

Item = TypeVar("Item")
Result = TypeVar("Result")


class QueueFullError(VivaceError, RuntimeError):
    """More is waiting than the queue holds."""


class MicroBatcher(Generic[Item, Result]):
    """One thread that owns the model and takes what is waiting, several at a time.

    Args:
        run: computes the results of several items.
        max_batch: how many go together at most.
        max_wait_seconds: how long the first of a batch waits for others; 0: not at all, what is there goes.
        max_queue: how many may wait.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Item]], Sequence[Result]],
        max_batch: int = 16,
        max_wait_seconds: float = 0.002,
        max_queue: int = 128,
    ) -> None:
        self.run, self.max_batch, self.max_wait_seconds = run, max_batch, max_wait_seconds
        self._queue: queue.Queue[tuple[Item, Future[Result]] | None] = queue.Queue(max_queue)
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="vivace-model", daemon=True)
        self._thread.start()

    @property
    def n_waiting(self) -> int:
        """How many items wait now, about."""
        return self._queue.qsize()

    def submit(self, item: Item) -> Future[Result]:
        """Put an item in the queue; who no longer wants the result cancels the future.

        Raises:
            QueueFullError: too many are waiting, or the batcher is closed.
        """
        future: Future[Result] = Future()
        if self._closed:
            raise QueueFullError("The server is shutting down.")
        try:
            self._queue.put_nowait((item, future))
        except queue.Full:
            raise QueueFullError(
                f"{self._queue.maxsize} pictures are waiting already: try again in a moment."
            ) from None
        return future

    def close(self) -> None:
        """Finish what is running; what still waits is cancelled."""
        self._closed = True
        while True:
            try:
                waiting = self._queue.get_nowait()
            except queue.Empty:
                break
            if waiting is not None:
                waiting[1].cancel()
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (first := self._queue.get()) is not None:
            batch = [first]
            until = time.monotonic() + self.max_wait_seconds
            while len(batch) < self.max_batch:
                try:
                    left = until - time.monotonic()
                    following = self._queue.get(timeout=left) if left > 0 else self._queue.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    self._queue.put(None)
                    break
                batch.append(following)
            self._run([(item, future) for item, future in batch if future.set_running_or_notify_cancel()])

    def _run(self, batch: list[tuple[Item, Future[Result]]]) -> None:
        if not batch:
            return
        try:
            results = self.run([item for item, _ in batch])
        except BaseException as error:
            for _, future in batch:
                future.set_exception(error)
            return
        for (_, future), result in zip(batch, results, strict=True):
            future.set_result(result)
