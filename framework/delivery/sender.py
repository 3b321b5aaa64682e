"""A delivery in progress: events in, completions out; in between, rows wait for their batch."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Final, Protocol

from msgspec.structs import replace

from framework.delivery.batching import LINGER, Batcher
from framework.delivery.columns import build_all
from framework.delivery.compiled import CompiledSubscription
from framework.delivery.dispatch import Dispatcher, InlineDispatcher, ThreadedDispatcher
from framework.delivery.fusion import DELETION
from framework.delivery.performing import HookRunner
from framework.delivery.plugin_calls import BatchInput
from framework.delivery.prepare import Intake, Prepared, Wanted
from framework.delivery.report import SUPERSEDED, Completion, ReportItem, Sent, merged_into
from framework.delivery.row_groups import Batch, RowGroup, deletion_of
from framework.paths import Event
from framework.results import DELIVERED, Delivered, Failed, Result

MAX_WAITING: Final = 200_000
"""Rows that may wait for their batch; beyond that, the largest batch is sent early."""

GROUPED: Final = 8_192
"""Rows that are identified and batched together when events arrive in bulk."""

MAX_DELETIONS: Final = 1_000
"""Requests to delete users that are sent together."""

IDLE: Final = 0.25
"""Seconds after which a sender looks at the time again while nothing happens."""


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

    A *ready* sender does not wait for full batches: it sends the batch that is best sent whenever
    the rate limit lets a call go, a thread is free, and no earlier batch of its order is under way;
    see `Batcher.ready`. *ended* is called when a thread has finished a batch.

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
        ready: bool = False,
        ended: Callable[[], object] = lambda: None,
        max_waiting: int = MAX_WAITING,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._hook_runner = connection.hook_runner
        self._subscriptions = connection.subscriptions
        self._traced = traced
        self._halts = halts
        self._ready = ready
        self._max_waiting = max_waiting
        self._now = now
        self.intake = Intake(self._hook_runner, self._subscriptions, traced=traced, named=named)
        self._row_ids = self.intake.row_ids
        self._batcher = Batcher(now)
        self._dispatcher: Dispatcher = InlineDispatcher(
            self._perform, self._give_up, self._hook_runner.handover
        )
        self._grouped = 1
        if threads:
            self._dispatcher = ThreadedDispatcher(
                self._perform,
                self._give_up,
                halts=halts,
                threads=threads,
                stopping=stopping,
                ended=ended,
            )
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
        completions = [*prepared.completions]
        self._add_groups(prepared.groups, prepared.deletions, completions)
        yield completions
        yield from self._send(wait=False)

    def flush_due(self) -> Iterator[list[Completion]]:
        """Send the batches that are due, or those that are ready; yield completions."""
        completions: list[Completion] = []
        if self._ready:
            if self.intake.size and self._may_call():
                self._batch_rows(completions)
        else:
            self._closed.extend(self._batcher.due())
        self._complete_superseded(completions)
        if completions:
            yield completions
        yield from self._send(wait=False)

    def flush(self) -> Iterator[list[Completion]]:
        """Send everything that waits; yield completions."""
        completions: list[Completion] = []
        groups: Sequence[RowGroup] = ()
        if self.intake.deletions:
            self._batch_rows(completions)
        else:
            groups = self.intake.drain(completions)
        self._closed.extend(self._batcher.flush(groups))
        self._complete_superseded(completions)
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
        groups = self.intake.drain(completions)
        self._add_groups(groups, self.intake.take_deletions(), completions)

    def _add_groups(
        self,
        groups: Sequence[RowGroup],
        deletions: Sequence[int],
        completions: list[Completion],
    ) -> None:
        """Batch rows; whatever came before a deletion is sent before it, and not coalesced later.

        Extend *completions* by the rows that others supersede.
        """
        together: list[int] = []
        for deletion in deletions:
            before, groups = _split(groups, deletion)
            if before or self._batcher.waiting or len(together) == MAX_DELETIONS:
                if together:
                    self._closed.append(deletion_of(together))
                    together = []
                self._closed.extend(self._batcher.flush(before))
            together.append(deletion)
        if together:
            self._closed.append(deletion_of(together))
        self._closed.extend(self._batcher.add(groups))
        while self._batcher.waiting > self._max_waiting:
            self._closed.extend(self._batcher.largest())
        self._complete_superseded(completions)

    def _complete_superseded(self, completions: list[Completion]) -> None:
        superseded = self._batcher.superseded
        if superseded:
            completions += self._row_ids.completions([*superseded], SUPERSEDED)
            self.intake.forget(superseded)
            superseded.clear()

    def _may_call(self) -> bool:
        """Return whether a batch would be sent at once."""
        return self._dispatcher.is_free() and self._hook_runner.client.wait <= 0

    def next_wait(self) -> float:
        """Return the seconds after which `flush_due` may have something to do again."""
        if not self._batcher.waiting or not self._dispatcher.is_free():
            return IDLE
        return min(max(self._hook_runner.client.wait, LINGER / 4), IDLE)

    def _has_next(self) -> bool:
        """Return whether a batch may be sent now, which is then the first of those closed."""
        taken = self._dispatcher.in_flight()
        under_way = {batch.place for batch in taken}
        if any(batch.barrier for batch in taken):
            return False
        for at, batch in enumerate(self._closed):
            if batch.barrier and (at or taken):
                return False
            if batch.place not in under_way:
                del self._closed[at]
                self._closed.appendleft(batch)
                return True
            under_way.add(batch.place)
        cut = self._batcher.ready(lambda scope: scope not in under_way)
        self._closed.extendleft(reversed(cut))
        return bool(cut) and not (cut[0].barrier and taken)

    def _send_ready(self) -> Iterator[list[Completion]]:
        """Send what is ready as long as calls may go out."""
        while True:
            yield from self._sent(wait=False, most=0)
            if self.halted or not self._may_call() or not self._has_next():
                return
            yield from self._sent(wait=False, most=1)

    def _sent(self, *, wait: bool, most: int | None = None) -> Iterator[list[Completion]]:
        for batch, results in self._dispatcher.send(self._closed, wait=wait, most=most):
            yield self._complete(batch, results)
            if self.halted:
                return

    def _send(self, *, wait: bool) -> Iterator[list[Completion]]:
        if not self.halted:
            if self._ready and not wait:
                yield from self._send_ready()
            else:
                yield from self._sent(wait=wait)
        if self.halted:
            yield from self.close()
            while self._closed:
                self._held += self._closed.popleft().all_row_ids()

    def _perform(self, batch: Batch) -> Sequence[Result]:
        if not self._traced:
            return self._call(batch)
        for row_id in batch.all_row_ids():
            position, index = divmod(row_id, self._row_ids.subscriptions)
            self.items[position, DELETION if batch.deletion else index].batch = len(self.sent)
        key = {} if batch.deletion else self._key_of(batch)
        with self._hook_runner.client.recorder.recording() as exchanges:
            sent = Sent(batch.action, key, len(batch.row_ids), batch.reason, exchanges)
            self.sent.append(sent)
            results = self._call(batch)
        if previews := self._hook_runner.previews:
            self.sent[self.sent.index(sent)] = replace(sent, preview=previews[-1].shown)
        return results

    def _give_up(self, batch: Batch, progress: Sequence[Result]) -> Sequence[Result]:
        """Complete the results that a batch has so far, as a call exceeded its time limit."""
        size = len(batch.row_ids)
        action = None if batch.deletion else self._subscription_of(batch).action
        return self._hook_runner.give_up(action, progress, size)

    def _key_of(self, batch: Batch) -> dict[str, Any]:
        """Return the values of the batch keys by name."""
        keys = self._subscription_of(batch).batching.keys
        return dict(zip(keys, batch.key, strict=False))  # an audience may follow

    def _subscription_of(self, batch: Batch) -> CompiledSubscription:
        return self._subscriptions[batch.row_ids[0] % self._row_ids.subscriptions]

    def _call(self, batch: Batch) -> Sequence[Result]:
        """Send a batch; return a result for each of its rows."""
        runner, row_ids = self._hook_runner, batch.row_ids
        objects, events = self.intake.objects, self.intake.events
        if batch.deletion:
            return runner.delete_users([events[one] for one in row_ids])
        compiled = self._subscription_of(batch)
        payloads: Sequence[Any] = ()
        if runner.needs_payloads:
            payloads = build_all(compiled.action, [objects[one] for one in row_ids])
        if batch.merged:
            payloads = [
                self._merge(compiled, batch.merged.get(row_id, ()), payload)
                for row_id, payload in zip(row_ids, payloads, strict=True)
            ]
        batch_input = BatchInput(
            len(row_ids),
            self._key_of(batch),
            batch.identifiers or [None] * len(row_ids),
            payloads,
            [events[one] for one in row_ids] if runner.needs_events else (),
        )
        unmerged = {at: one for at, one in enumerate(payloads) if isinstance(one, Failed)}
        if not (batch.merged and unmerged):
            return runner.perform(compiled, batch_input)
        left = [at for at in range(len(row_ids)) if at not in unmerged]
        results = iter(runner.perform(compiled, batch_input.at(left)) if left else ())
        return [unmerged.get(at) or next(results) for at in range(len(row_ids))]

    def _merge(self, compiled: CompiledSubscription, earlier: Sequence[int], payload: Any) -> Any:
        if not earlier:
            return payload
        older = [self.intake.objects[row_id] for row_id in earlier]
        return self._hook_runner.merge(compiled, older, payload)

    def _complete(self, batch: Batch, results: Sequence[Result] | None) -> list[Completion]:
        """Return the completions of a batch; rows that halt are held, with those merged in them."""
        if results is None:
            self._held += batch.all_row_ids()
            return []
        first, row_ids = results[0], batch.row_ids
        alike = not batch.merged and results.count(first) == len(results)
        if alike and (first is DELIVERED or not self._stops(first)):
            self.intake.forget(row_ids)
            return self._completions(batch, row_ids, first)
        completions: list[Completion] = []
        for row_id, result in zip(row_ids, results, strict=True):
            earlier = batch.merged.get(row_id, ())
            if self._stops(result):
                self._held += [row_id, *earlier]
                continue
            completions += self._completions(batch, [row_id], result)
            if earlier:
                told = self._result_of_merged(row_id, result)
                completions += self._completions(batch, earlier, told)
            self.intake.forget([row_id, *earlier])
        return completions

    def _completions(
        self, batch: Batch, row_ids: Sequence[int], result: Result
    ) -> list[Completion]:
        if not batch.deletion:
            return self._row_ids.completions(row_ids, result)
        positions = [row_id // self._row_ids.subscriptions for row_id in row_ids]
        return [Completion(DELETION, positions, result)]

    def _result_of_merged(self, row_id: int, result: Result) -> Result:
        """Return the result of rows that were merged into one with *result*."""
        if not isinstance(result, Delivered):
            return result
        where = "the event at position" if self._traced else "line"
        return merged_into(f"{where} {row_id // self._row_ids.subscriptions}")

    def _stops(self, result: Result) -> bool:
        """Return whether *result* stops the sending, and stop it then."""
        if isinstance(result, Failed) and self._halts(result):
            self.halted = result
            return True
        return False


def _split(groups: Iterable[RowGroup], row_id: int) -> tuple[list[RowGroup], list[RowGroup]]:
    """Return the rows before *row_id*, and the others."""
    before: list[RowGroup] = []
    after: list[RowGroup] = []
    for group in groups:
        size = len(group.row_ids)
        place = bisect_left(group.row_ids, row_id)
        if place:
            before.append(group if place == size else group.part(0, place))
        if place < size:
            after.append(group.part(place, size) if place else group)
    return before, after
