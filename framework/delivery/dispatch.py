"""Who carries batches to the partner: the caller's own thread, or threads beside it.

Batches that agree in their keys are carried in order, and nothing is carried after a result that
halts.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, TypeAlias

from framework.delivery.batching import Batch
from framework.delivery.performing import different
from framework.results import Failed, Result

Carry: TypeAlias = Callable[[Batch], Sequence[Result]]
"""Performs a batch."""

Dispatched: TypeAlias = tuple[Batch, Sequence[Result] | None]
"""A batch with the results of its rows; None where it was not carried."""

AHEAD = 4
"""Batches that may be taken by threads and not be done yet."""


class Dispatcher(Protocol):
    """Carries batches."""

    def send(self, closed: deque[Batch], *, wait: bool) -> Iterator[Dispatched]:
        """Carry *closed*, from which batches are taken; yield what is done.

        With *wait*, everything is done in the end.
        """

    def recall(self) -> Iterator[Dispatched]:
        """Carry nothing more; yield what was taken."""

    def taken(self) -> Sequence[Batch]:
        """Give the batches that were taken and not yielded yet."""


class InlineDispatcher:
    """Carries one batch after the other, in the caller's thread."""

    def __init__(self, carry: Carry) -> None:
        self._carry = carry

    def send(self, closed: deque[Batch], *, wait: bool) -> Iterator[Dispatched]:
        """Carry each batch when it is asked for."""
        del wait
        while closed:
            results = self._carry(closed[0])
            yield closed.popleft(), results

    def recall(self) -> Iterator[Dispatched]:
        """Yield nothing: between two calls nothing is taken."""
        yield from ()

    def taken(self) -> Sequence[Batch]:
        """Give nothing, for the same reason."""
        return ()


class ThreadedDispatcher:
    """Carries batches in *threads* of their own while the caller prepares the next.

    *halts* tells after which result nothing more may be carried, *stopping* that nothing more may
    be carried at all. What was carried is yielded in
    the order in which it was taken.
    """

    def __init__(
        self,
        carry: Carry,
        halts: Callable[[Failed], bool],
        threads: int = 1,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._carry = carry
        self._halts = halts
        self._stopping = stopping
        self._stopped = threading.Event()
        self._threads = [ThreadPoolExecutor(1, "courier") for _ in range(threads)]
        self._taken: deque[tuple[Batch, Future[Sequence[Result] | None]]] = deque()

    def send(self, closed: deque[Batch], *, wait: bool) -> Iterator[Dispatched]:
        """Hand batches to the threads as long as there is room, and yield what is done."""
        while closed or self._taken:
            while closed and len(self._taken) < AHEAD * len(self._threads):
                self._take(closed.popleft())
            if not (wait or closed or self._taken[0][1].done()):
                return
            yield self._next()

    def recall(self) -> Iterator[Dispatched]:
        """Carry nothing more; yield what was taken, and end the threads."""
        self._stopped.set()
        while self._taken:
            yield self._next()
        for thread in self._threads:
            thread.shutdown()

    def taken(self) -> Sequence[Batch]:
        """Give the batches that were taken and not yielded yet."""
        return [batch for batch, _ in self._taken]

    def _take(self, batch: Batch) -> None:
        thread = self._threads[hash(batch.key) % len(self._threads)]
        self._taken.append((batch, thread.submit(self._carry_or_not, batch)))

    def _next(self) -> Dispatched:
        batch, future = self._taken[0]
        results = future.result()
        self._taken.popleft()
        return batch, results

    def _carry_or_not(self, batch: Batch) -> Sequence[Result] | None:
        if self._stopped.is_set() or self._stopping():
            return None
        try:
            results = self._carry(batch)
        except BaseException:
            self._stopped.set()
            raise
        if any(isinstance(one, Failed) and self._halts(one) for one in different(results)):
            self._stopped.set()
        return results
