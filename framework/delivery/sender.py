"""A delivery going on: events in, settlements out; whatever waits for its call is in between."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final, Protocol

from framework.delivery.batching import Batch, Batcher, RowGroup
from framework.delivery.columns import build_all
from framework.delivery.compiled import CompiledSubscription
from framework.delivery.completion import SUPERSEDED, Completed, Completion
from framework.delivery.dispatch import Dispatcher, InlineDispatcher, ThreadedDispatcher
from framework.delivery.exchanges import Exchange
from framework.delivery.performing import BatchInput, HookRunner, different
from framework.delivery.prepare import Intake, Prepared, Wanted
from framework.delivery.report import ReportItem, Sent
from framework.paths import Event
from framework.results import Failed, Result

MAX_WAITING: Final = 200_000
"""Payloads that may wait for their batch; beyond, the fullest batch is sent early."""

LOT: Final = 8_192
"""Rows that are identified and batched together where events come in bulk."""

LINGER: Final = 0.1
"""Seconds for which rows wait for others to be batched with."""


class Delivering(Protocol):
    """What a stream needs of a connection."""

    @property
    def performer(self) -> HookRunner:
        """What calls the destination."""

    @property
    def routes(self) -> tuple[CompiledSubscription, ...]:
        """The enabled subscriptions."""


class Sender:
    """A delivery going on: payloads wait here until their batch is full, due or flushed.

    With *traced*, what every stage produced is kept in `items` and `sent`.
    A result for which *halts* is true stops the sending: its parcel and all that wait stay
    unsettled, so that nothing overtakes it. With *threads*, calls are made beside the caller's
    thread as long as not *stopping*, and what comes in bulk is batched in larger lots.
    What comes in bulk is added to `intake` first, then `absorb` goes on with it; see `Intake` about
    *named*.
    What takes events in yields what is settled, call by call; between two yields `unsettled` is
    exact, so a delivery may be left there.
    """

    def __init__(  # noqa: PLR0913 - each is an option of its own
        self,
        connection: Delivering,
        *,
        traced: bool = False,
        halts: Callable[[Result], bool] = lambda _: False,
        threads: int = 0,
        stopping: Callable[[], bool] = lambda: False,
        named: bool = True,
        max_waiting: int = MAX_WAITING,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._performer = connection.performer
        self._routes = connection.routes
        self._recorder = connection.performer.client.recorder
        self._traced = traced
        self._halts = halts
        self._max_waiting = max_waiting
        self._now = now
        self.intake = Intake(connection.performer, connection.routes, traced=traced, named=named)
        self._marks = self.intake.marks
        self._batcher = Batcher(now)
        self._courier: Dispatcher = (
            ThreadedDispatcher(self._carry, halts, threads, stopping)
            if threads
            else InlineDispatcher(self._carry)
        )
        most = max((route.batching.max_size for route in connection.routes), default=1)
        self._lot = min(LOT, most) if threads else 1
        self._drained = now()
        self._closed: deque[Batch] = deque()
        self._held: list[int] = []
        self.halted: Failed | None = None
        self.items: dict[tuple[int, int], ReportItem] = self.intake.items
        self.sent: list[Sent] = []

    def take(
        self, events: Iterable[tuple[int, Event]], wanted: Wanted | None = None
    ) -> Iterator[list[Completed]]:
        """Take in events with their positions, in order; yield what is settled by each call.

        What needs no call is settled first, when all of *events* have been taken in.
        *wanted* leaves out positions and routes that were settled before.
        """
        return map(_one_by_one, self.accept(events, wanted))

    def due(self) -> Iterator[list[Completed]]:
        """Send the batches that have waited for their age; yield what each call settled.

        For sources that may pause: a file is better read to its end.
        """
        return map(_one_by_one, self.send_due())

    def flush(self) -> Iterator[list[Completed]]:
        """Send everything that waits; yield what each call settled."""
        return map(_one_by_one, self.finish())

    def accept(
        self, events: Iterable[tuple[int, Event]], wanted: Wanted | None = None
    ) -> Iterator[list[Completion]]:
        """Do what `take` does; yield settlements."""
        settled = list(self.intake.add_one_by_one(events, wanted))
        self._drain(settled)
        yield settled
        yield from self._send(wait=False)

    def absorb(self, settled: list[Completion]) -> Iterator[list[Completion]]:
        """Go on with what was added to the intake, which settled so much by itself.

        Yields that, and what is settled by whichever call.
        """
        if self.intake.size >= self._lot or self._now() - self._drained > LINGER:
            self._drain(settled)
        yield settled
        yield from self._send(wait=False)

    def join(self, prepared: Prepared) -> Iterator[list[Completion]]:
        """Go on with what was prepared by another intake; yield what `absorb` does."""
        self.intake.keep(prepared)
        self._batch(prepared.lots)
        yield [*prepared.settled]
        yield from self._send(wait=False)

    def send_due(self) -> Iterator[list[Completion]]:
        """Do what `due` does; yield settlements."""
        self._closed.extend(self._batcher.due())
        return self._send(wait=False)

    def finish(self) -> Iterator[list[Completion]]:
        """Send everything that waits; yield what each call settled."""
        settled: list[Completion] = []
        self._drain(settled)
        if settled:
            yield settled
        self._closed.extend(self._batcher.flush())
        yield from self._send(wait=True)

    def leave(self) -> Iterator[list[Completion]]:
        """Send nothing more; yield what calls settle that are under way."""
        for carried in self._courier.recall():
            yield list(self._settle(*carried))

    def unsettled(self) -> dict[int, list[range]]:
        """Give by route the positions of everything taken in that has no result yet, ascending."""
        batches = (batch.all() for batch in chain(self._closed, self._courier.taken()))
        waiting = chain(self._batcher.marks(), self.intake.waiting())
        return self._marks.spans(chain([self._held], batches, waiting))

    def _drain(self, settled: list[Completion]) -> None:
        """Bring the rows that have come together to their batches."""
        self._drained = self._now()
        self._batch(self.intake.drain(settled))

    def _batch(self, lots: Iterable[RowGroup]) -> None:
        self._closed.extend(self._batcher.add(lots))
        while self._batcher.waiting > self._max_waiting:
            self._closed.extend(self._batcher.largest())

    def _send(self, *, wait: bool) -> Iterator[list[Completion]]:
        if not self.halted:
            for carried in self._courier.send(self._closed, wait=wait):
                yield list(self._settle(*carried))
                if self.halted:
                    break
        if self.halted:
            yield from self.leave()
            while self._closed:
                self._held += self._closed.popleft().all()

    def _carry(self, batch: Batch) -> Sequence[Result]:
        route, parcels = self._parcels(batch)
        if not self._traced:
            return self._performer.perform(route, parcels)
        with self._recorder.recording() as exchanges:
            results = self._performer.perform(route, parcels)
        self._record(parcels.key, batch, exchanges)
        return results

    def _parcels(self, batch: Batch) -> tuple[CompiledSubscription, BatchInput]:
        route = self._routes[batch.marks[0] % self._marks.routes]
        objects, events = self.intake.objects, self.intake.events
        return route, BatchInput(
            size=len(batch.marks),
            key=dict(zip(route.batching.keys, batch.key, strict=True)),
            identifiers=batch.identifiers or [None] * len(batch.marks),
            payloads=build_all(
                route.action, [objects[mark] for mark in batch.marks] if objects else ()
            ),
            events=[events[mark] for mark in batch.marks] if events else (),
        )

    def _record(self, key: Mapping[str, Any], batch: Batch, exchanges: Sequence[Exchange]) -> None:
        self.sent.append(Sent(batch.action, key, len(batch.marks), batch.reason, exchanges))
        for place in self._marks.split(batch.all()):
            self.items[place].batch = len(self.sent) - 1

    def _settle(self, batch: Batch, results: Sequence[Result] | None) -> Iterator[Completion]:
        """Yield what is settled; what halts is held, with everything behind it."""
        if results is None:
            self._held += batch.all()
            return
        if not batch.behind and len(different(results)) == 1 and not self._stops(results[0]):
            yield from self._marks.settle(batch.marks, results[0])
            self.intake.forget(batch.marks)
            return
        for mark, result in zip(batch.marks, results, strict=True):
            behind = batch.behind.get(mark)
            if self._stops(result):
                self._held += [mark, *(behind.all() if behind else ())]
                continue
            yield from self._marks.settle([mark, *(behind.shared if behind else ())], result)
            if behind and behind.superseded:
                yield from self._marks.settle(behind.superseded, SUPERSEDED)
            self.intake.forget([mark, *(behind.all() if behind else ())])

    def _stops(self, result: Result) -> bool:
        """Tell whether *result* stops the sending, and stop it."""
        if isinstance(result, Failed) and self._halts(result):
            self.halted = result
            return True
        return False


def _one_by_one(settlements: Iterable[Completion]) -> list[Completed]:
    return [settled for settlement in settlements for settled in settlement.each()]
