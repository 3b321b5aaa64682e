"""Dispatchers perform batches: in the caller's thread, or in threads of their own.

Batches with equal keys are performed in order, and none is performed after a result that halts.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final, Protocol, TypeAlias

from framework.delivery.performing import distinct
from framework.delivery.row_groups import Batch
from framework.delivery.workers import Handover, Task, Worker
from framework.results import Failed, Result

Perform: TypeAlias = Callable[[Batch], Sequence[Result]]
"""Performs a batch and returns one result for each of its rows."""

GiveUp: TypeAlias = Callable[[Batch, Sequence[Result]], Sequence[Result]]
"""Completes the results that a batch has so far, as its call was given up."""

Dispatched: TypeAlias = tuple[Batch, Sequence[Result] | None]
"""A batch with the results of its rows; None where it was not performed."""

BATCHES_AHEAD: Final = 4
"""Batches for each thread that may be queued or under way."""


class Dispatcher(Protocol):
    """Performs batches."""

    def send(
        self, closed: deque[Batch], *, wait: bool, most: int | None = None
    ) -> Iterator[Dispatched]:
        """Take batches from *closed* and perform them; yield those that are finished.

        With *wait*, every batch is finished in the end; with *most*, so many are taken.
        """

    def stop(self) -> Iterator[Dispatched]:
        """Start nothing more; yield the batches that were taken."""

    def in_flight(self) -> Sequence[Batch]:
        """Return the batches that were taken and not yielded yet."""

    def is_free(self) -> bool:
        """Return whether a batch would be performed at once."""


class InlineDispatcher:
    """Performs one batch after the other while the caller waits."""

    def __init__(self, perform: Perform, give_up: GiveUp, handover: Handover) -> None:
        self._perform = perform
        self._handover = handover
        self._give_up = give_up

    def send(
        self, closed: deque[Batch], *, wait: bool, most: int | None = None
    ) -> Iterator[Dispatched]:
        """Perform each batch when the caller asks for it."""
        del wait
        number = len(closed) if most is None else most
        while closed and number:
            number -= 1
            batch = closed[0]
            results = self._handover.run(
                partial(self._perform, batch), partial(self._give_up, batch)
            )
            yield closed.popleft(), results

    def stop(self) -> Iterator[Dispatched]:
        """Yield nothing: no batch is in flight between two calls."""
        yield from ()

    def in_flight(self) -> Sequence[Batch]:
        """Return nothing, for the same reason."""
        return ()

    def is_free(self) -> bool:
        """Return True."""
        return True


class ThreadedDispatcher:
    """Performs batches in *threads* of its own while the caller prepares the next.

    *halts* decides after which failure no further batch is performed; while *stopping* returns
    true, none is performed at all; *ended* is called by a thread when one is finished. Finished
    batches of equal order are yielded in that order.
    """

    def __init__(  # noqa: PLR0913 - each is a decision of the caller's
        self,
        perform: Perform,
        give_up: GiveUp,
        *,
        halts: Callable[[Failed], bool],
        threads: int = 1,
        stopping: Callable[[], bool] = lambda: False,
        ended: Callable[[], object] = lambda: None,
    ) -> None:
        self._perform = perform
        self._give_up = give_up
        self._halts = halts
        self._stopping = stopping
        self._ended = ended
        self._stopped = threading.Event()
        self._threads = [Worker() for _ in range(threads)]
        self._taken: deque[tuple[Batch, Task[Sequence[Result] | None], Worker]] = deque()

    def send(
        self, closed: deque[Batch], *, wait: bool, most: int | None = None
    ) -> Iterator[Dispatched]:
        """Queue as many batches as the threads may have ahead, and yield those that are finished.

        Batches of equal order go to the same thread. A barrier waits for all earlier batches, and
        all later ones wait for it.
        """
        ahead = BATCHES_AHEAD * len(self._threads)
        left = sys.maxsize if most is None else most
        while (closed and left) or self._taken:
            while closed and left and len(self._taken) < ahead and not self._is_barred(closed[0]):
                batch = closed.popleft()
                left -= 1
                thread = self._thread_for(batch)
                perform = partial(self._perform_unless_stopped, batch)
                task = thread.submit(perform, partial(self._given_up, batch), self._ended)
                self._taken.append((batch, task, thread))
            if not (wait or (closed and left) or any(task.done() for _, task, _ in self._taken)):
                return
            yield self._next()

    def stop(self) -> Iterator[Dispatched]:
        """Start nothing more; yield the batches that were taken, and end the threads."""
        self._stopped.set()
        while self._taken:
            yield self._next()
        for thread in self._threads:
            thread.end()

    def in_flight(self) -> Sequence[Batch]:
        """Return the batches that were taken and not yielded yet."""
        return [batch for batch, _, _ in self._taken]

    def is_free(self) -> bool:
        """Return whether fewer batches were taken than there are threads."""
        return len(self._taken) < len(self._threads)

    def _thread_for(self, batch: Batch) -> Worker:
        """Return the thread that has batches of the same order, else the one with the fewest."""
        busy = [thread for _, _, thread in self._taken]
        for taken, _, thread in self._taken:
            if taken.place == batch.place:
                return thread
        return min(self._threads, key=busy.count)

    def _is_barred(self, batch: Batch) -> bool:
        return bool(self._taken) and (batch.barrier or self._taken[0][0].barrier)

    def _next(self) -> Dispatched:
        """Return the first batch that is finished; wait for the first of all if there is none."""
        done = (one for one in self._taken if one[1].done())
        taken = next(done, self._taken[0])
        results = taken[1].result()
        self._taken.remove(taken)
        return taken[0], results

    def _perform_unless_stopped(self, batch: Batch) -> Sequence[Result] | None:
        if self._stopped.is_set() or self._stopping():
            return None
        try:
            results = self._perform(batch)
        except BaseException:
            self._stopped.set()
            raise
        return self._noted(results)

    def _given_up(self, batch: Batch, progress: Sequence[Result]) -> Sequence[Result]:
        return self._noted(self._give_up(batch, progress))

    def _noted(self, results: Sequence[Result]) -> Sequence[Result]:
        """Stop after a result that halts."""
        if any(isinstance(one, Failed) and self._halts(one) for one in distinct(results)):
            self._stopped.set()
        return results
