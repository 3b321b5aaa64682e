"""Dispatchers perform batches: in the caller's thread, or in threads of their own.

Batches with equal keys are performed in order, and none is performed after a result that halts.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextvars import copy_context
from functools import partial
from typing import Any, Final, Protocol, TypeAlias

from framework.clock import HEED
from framework.delivery.performing import distinct
from framework.delivery.row_groups import Batch
from framework.delivery.workers import Handover, Task, Worker, drop
from framework.results import Failed, Result

Perform: TypeAlias = Callable[[Batch], Sequence[Result]]
"""Performs a batch and returns one result for each of its rows."""

GiveUp: TypeAlias = Callable[[Batch, Sequence[Result]], Sequence[Result]]
"""Completes the results that a batch has so far, as its call was given up."""

Dispatched: TypeAlias = tuple[Batch, Sequence[Result] | None]
"""A batch with the results of its rows; None where it was not performed."""

UNDER_WAY: Final = 10.0
"""Seconds that calls under way get to end after a stop request."""

BATCHES_AHEAD: Final = 4
"""Batches for each thread that may be queued or under way."""


class BatchGate(Protocol):
    """What may be performed; `bars` and `note` are called by the threads that perform."""

    def admits(self, batch: Batch) -> bool:
        """Return whether *batch* may be taken now; otherwise it has to stay where it is."""

    def bars(self, batch: Batch) -> bool:
        """Return whether *batch*, which was taken, must not be performed now."""

    def note(self, batch: Batch, results: Sequence[Result]) -> None:
        """Record the results of a batch, before any later one is performed."""


class OpenGate:
    """A gate that lets everything pass."""

    def admits(self, batch: Batch) -> bool:
        """Return True."""
        del batch
        return True

    def bars(self, batch: Batch) -> bool:
        """Return False."""
        del batch
        return False

    def note(self, batch: Batch, results: Sequence[Result]) -> None:
        """Do nothing."""


class EndOfWait:
    """The end of waiting for calls under way, some seconds after a stop request."""

    def __init__(self, stopping: Callable[[], bool]) -> None:
        self._stopping = stopping
        self._deadline: float | None = None

    def wait_for(self, task: Task[Any]) -> bool:
        """Wait until *task* has ended; return False if it is to be abandoned."""
        while not task.wait(HEED):
            if self._deadline is None and self._stopping():
                self._deadline = time.monotonic() + UNDER_WAY
            if self._deadline is not None and time.monotonic() >= self._deadline:
                return False
        return True


class Dispatcher(Protocol):
    """Performs batches."""

    def send(
        self, closed: deque[Batch], *, wait: bool, most: int | None = None
    ) -> Iterator[Dispatched]:
        """Take batches from *closed* and perform them; yield those that are finished.

        With *wait*, every batch is finished in the end; with *most*, at most that number is taken.
        """

    def stop(self) -> Iterator[Dispatched]:
        """Start nothing more; yield the batches that were taken."""

    def drop(self) -> None:
        """Start nothing more, and ask the calls under way to stop; their results are unknown."""

    def in_flight(self) -> Sequence[Batch]:
        """Return the batches that were taken and not yielded yet."""

    def is_free(self) -> bool:
        """Return whether a batch would be performed at once."""


class InlineDispatcher:
    """Performs one batch after the other while the caller waits."""

    def __init__(
        self,
        perform: Perform,
        give_up: GiveUp,
        *,
        handover: Handover,
        gate: BatchGate,
        stopping: Callable[[], bool],
    ) -> None:
        self._perform = perform
        self._handover = handover
        self._give_up = give_up
        self._gate = gate
        self._end = EndOfWait(stopping)

    def send(
        self, closed: deque[Batch], *, wait: bool, most: int | None = None
    ) -> Iterator[Dispatched]:
        """Perform each batch when the caller asks for it."""
        del wait
        number = len(closed) if most is None else most
        while closed and number:
            number -= 1
            batch = closed[0]
            if not self._gate.admits(batch):
                return
            results: Sequence[Result] | None = None
            if not self._gate.bars(batch):
                perform, give_up = partial(self._perform, batch), partial(self._give_up, batch)
                results = self._handover.run(perform, give_up, self._end.wait_for)
            if results is not None:
                self._gate.note(batch, results)
            yield closed.popleft(), results

    def stop(self) -> Iterator[Dispatched]:
        """Yield nothing: no batch is in flight between two calls."""
        yield from ()

    def drop(self) -> None:
        """Do nothing, as the end of the wait for a call has dropped it."""

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
        gate: BatchGate,
        threads: int = 1,
        stopping: Callable[[], bool] = lambda: False,
        ended: Callable[[], object] = lambda: None,
    ) -> None:
        self._perform = perform
        self._give_up = give_up
        self._halts = halts
        self._gate = gate
        self._stopping = stopping
        self._end = EndOfWait(stopping)
        self._ended = ended
        self._stopped = threading.Event()
        self._dropped = False
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
                perform = partial(copy_context().run, self._perform_unless_stopped, batch)
                task = thread.submit(perform, partial(self._given_up, batch), self._ended)
                self._taken.append((batch, task, thread))
            done = any(task.done() for _, task, _ in self._taken)
            if not self._taken or not (wait or (closed and left) or done):
                return
            yield self._next()

    def stop(self) -> Iterator[Dispatched]:
        """Start nothing more; yield the batches that were taken, and end the threads."""
        self._stopped.set()
        while self._taken and not self._dropped:
            yield self._next()
        for thread in self._threads:
            thread.end()

    def drop(self) -> None:
        """Start nothing more, and ask the calls under way to stop; taken batches stay taken."""
        if self._dropped:
            return
        self._stopped.set()
        self._dropped = True
        for thread in self._threads:
            thread.end()
        drop([task for _, task, _ in self._taken])

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
        if not self._gate.admits(batch):
            return True
        return bool(self._taken) and (batch.barrier or self._taken[0][0].barrier)

    def _next(self) -> Dispatched:
        """Return the first batch that is finished; wait for the first of all if there is none."""
        taken = self._first_done() or self._taken[0]
        try:
            results = taken[1].result() if self._end.wait_for(taken[1]) else None
        except BaseException:
            self.drop()
            raise
        if results is None:
            taken[1].drop()  # it may have been abandoned
        self._taken.remove(taken)
        return taken[0], results

    def _first_done(self) -> tuple[Batch, Task[Sequence[Result] | None], Worker] | None:
        """Return what is finished, but for what may have ended after an earlier one of its order.

        The threads continue meanwhile, so a later batch may be seen as finished before this one.
        """
        under_way: set[Hashable] = set()
        for taken in self._taken:
            place = taken[0].place
            if place not in under_way and taken[1].done():
                return taken
            under_way.add(place)
        return None

    def _perform_unless_stopped(self, batch: Batch) -> Sequence[Result] | None:
        if self._stopped.is_set() or self._gate.bars(batch) or self._stopping():
            return None
        try:
            results = self._perform(batch)
        except BaseException:
            self._stopped.set()
            raise
        return self._noted(batch, results)

    def _given_up(self, batch: Batch, progress: Sequence[Result]) -> Sequence[Result]:
        return self._noted(batch, self._give_up(batch, progress))

    def _noted(self, batch: Batch, results: Sequence[Result]) -> Sequence[Result]:
        """Stop after a result that halts, and inform the gate."""
        self._gate.note(batch, results)
        if any(isinstance(one, Failed) and self._halts(one) for one in distinct(results)):
            self._stopped.set()
        return results
