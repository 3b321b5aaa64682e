"""A delivery in progress: events in, completions out; in between, rows wait for their batch."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Final, Protocol

from framework.delivery.batching import Batch, Batcher
from framework.delivery.columns import build_all
from framework.delivery.compiled import CompiledSubscription
from framework.delivery.dispatch import Dispatcher, InlineDispatcher, ThreadedDispatcher
from framework.delivery.performing import BatchInput, HookRunner
from framework.delivery.prepare import Intake, Prepared, Wanted
from framework.delivery.report import SUPERSEDED, Completion, ReportItem, Sent
from framework.paths import Event
from framework.results import DELIVERED, Failed, Result

MAX_WAITING: Final = 200_000
"""Rows that may wait for their batch; beyond that, the largest batch is sent early."""

GROUPED: Final = 8_192
"""Rows that are identified and batched together when events arrive in bulk."""

LINGER: Final = 0.1
"""Seconds that rows wait for others to be grouped with."""


class Delivering(Protocol):
    """The parts of a connection that a sender uses."""

    @property
    def hook_runner(self) -> HookRunner:
        """Calls the destination."""

    @property
    def subscriptions(self) -> tuple[CompiledSubscription, ...]:
        """The enabled subscriptions."""


class Sender:
    """A delivery in progress: rows wait here until their batch is full, due or flushed.

    *traced* keeps the product of every stage in `items` and `sent`.
    A result for which *halts* is true stops the sending: its batch and everything that waits stay
    pending, so that nothing overtakes them. With *threads*, batches are sent by that many threads
    while the caller goes on, unless *stopping*, and rows are batched in larger groups.
    Events in bulk go to `intake` first, then to `add_from_intake`; see `Intake` about *named*.

    The methods that send yield the completions of each batch. Between two yields `pending` is
    exact, so a delivery may be abandoned there.
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
        self._hook_runner = connection.hook_runner
        self._subscriptions = connection.subscriptions
        self._traced = traced
        self._halts = halts
        self._max_waiting = max_waiting
        self._now = now
        self.intake = Intake(self._hook_runner, self._subscriptions, traced=traced, named=named)
        self._row_ids = self.intake.row_ids
        self._batcher = Batcher(now)
        self._dispatcher: Dispatcher = InlineDispatcher(self._perform)
        self._grouped = 1
        if threads:
            self._dispatcher = ThreadedDispatcher(self._perform, halts, threads, stopping)
            sizes = (compiled.batching.max_size for compiled in self._subscriptions)
            self._grouped = min(GROUPED, max(sizes, default=1))
        self._drained = now()
        self._closed: deque[Batch] = deque()
        self._held: list[int] = []
        self.halted: Failed | None = None
        self.items: dict[tuple[int, int], ReportItem] = self.intake.items
        self.sent: list[Sent] = []

    def add(
        self, events: Iterable[tuple[int, Event]], wanted: Wanted | None = None
    ) -> Iterator[list[Completion]]:
        """Add events with their positions, in order; yield completions, batch by batch.

        The first list holds the events that need no call. *wanted* leaves out positions and
        subscriptions that were completed before.
        """
        completions = self.intake.add_one_by_one(events, wanted)
        self._batch_rows(completions)
        yield completions
        yield from self._send(wait=False)

    def add_from_intake(self, completions: list[Completion]) -> Iterator[list[Completion]]:
        """Go on with what was added to `intake`, which yielded *completions*; yield like `add`."""
        if self.intake.size >= self._grouped or self._now() - self._drained > LINGER:
            self._batch_rows(completions)
        yield completions
        yield from self._send(wait=False)

    def add_prepared(self, prepared: Prepared) -> Iterator[list[Completion]]:
        """Go on with what another intake has prepared; yield like `add`."""
        self.intake.keep(prepared)
        self._close_batches(self._batcher.add(prepared.groups))
        yield [*prepared.completions]
        yield from self._send(wait=False)

    def flush_due(self) -> Iterator[list[Completion]]:
        """Send the batches that have reached their maximum age; yield completions."""
        self._closed.extend(self._batcher.due())
        return self._send(wait=False)

    def flush(self) -> Iterator[list[Completion]]:
        """Send everything that waits; yield completions."""
        completions: list[Completion] = []
        self._closed.extend(self._batcher.flush(self.intake.drain(completions)))
        if completions:
            yield completions
        yield from self._send(wait=True)

    def close(self) -> Iterator[list[Completion]]:
        """Send nothing more; yield the completions of calls that are under way."""
        for batch, results in self._dispatcher.stop():
            yield self._complete(batch, results)

    def pending(self) -> dict[int, list[range]]:
        """Return by subscription the positions of all added events without a result, ascending."""
        batches = chain(self._closed, self._dispatcher.in_flight())
        waiting = chain(self._batcher.row_ids(), self.intake.waiting())
        sent = (batch.all_row_ids() for batch in batches)
        return self._row_ids.spans(chain([self._held], sent, waiting))

    def _batch_rows(self, completions: list[Completion]) -> None:
        """Move the rows of the intake into batches; extend *completions* by those that fail."""
        self._drained = self._now()
        self._close_batches(self._batcher.add(self.intake.drain(completions)))

    def _close_batches(self, batches: Iterable[Batch]) -> None:
        self._closed.extend(batches)
        while self._batcher.waiting > self._max_waiting:
            self._closed.extend(self._batcher.largest())

    def _send(self, *, wait: bool) -> Iterator[list[Completion]]:
        if not self.halted:
            for batch, results in self._dispatcher.send(self._closed, wait=wait):
                yield self._complete(batch, results)
                if self.halted:
                    break
        if self.halted:
            yield from self.close()
            while self._closed:
                self._held += self._closed.popleft().all_row_ids()

    def _perform(self, batch: Batch) -> Sequence[Result]:
        row_ids, objects, events = batch.row_ids, self.intake.objects, self.intake.events
        compiled = self._subscriptions[row_ids[0] % self._row_ids.subscriptions]
        batch_input = BatchInput(
            len(row_ids),
            dict(zip(compiled.batching.keys, batch.key, strict=True)),
            batch.identifiers or [None] * len(row_ids),
            build_all(compiled.action, [objects[one] for one in row_ids]) if objects else (),
            [events[one] for one in row_ids] if events else (),
        )
        if not self._traced:
            return self._hook_runner.perform(compiled, batch_input)
        with self._hook_runner.client.recorder.recording() as exchanges:
            results = self._hook_runner.perform(compiled, batch_input)
        for row_id in batch.all_row_ids():
            place = divmod(row_id, self._row_ids.subscriptions)
            self.items[place].batch = len(self.sent)
        size = len(row_ids)
        self.sent.append(Sent(batch.action, batch_input.key, size, batch.reason, exchanges))
        return results

    def _complete(self, batch: Batch, results: Sequence[Result] | None) -> list[Completion]:
        """Return the completions of a batch; rows that halt are held, with those behind them."""
        if results is None:
            self._held += batch.all_row_ids()
            return []
        first, row_ids = results[0], batch.row_ids
        alike = not batch.coalesced and results.count(first) == len(results)
        if alike and (first is DELIVERED or not self._stops(first)):
            self.intake.forget(row_ids)
            return self._row_ids.completions(row_ids, first)
        completions: list[Completion] = []
        for row_id, result in zip(row_ids, results, strict=True):
            behind = batch.coalesced.get(row_id)
            together = [row_id, *(behind.all_row_ids() if behind else ())]
            if self._stops(result):
                self._held += together
                continue
            shared = [row_id, *(behind.shared if behind else ())]
            completions += self._row_ids.completions(shared, result)
            if behind and behind.superseded:
                completions += self._row_ids.completions(behind.superseded, SUPERSEDED)
            self.intake.forget(together)
        return completions

    def _stops(self, result: Result) -> bool:
        """Return whether *result* stops the sending, and stop it then."""
        if isinstance(result, Failed) and self._halts(result):
            self.halted = result
            return True
        return False
