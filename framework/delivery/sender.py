"""A delivery in progress: events in, completions out; in between, rows wait for their batch."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import (
    Callable,
    Hashable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from itertools import chain
from typing import Final

from msgspec.structs import replace

from framework.delivery.batch_performer import BatchPerformer, Delivering
from framework.delivery.batching import LINGER, Batcher
from framework.delivery.completing import Completer
from framework.delivery.dispatch import (
    BatchGate,
    Dispatcher,
    InlineDispatcher,
    OpenGate,
    ThreadedDispatcher,
)
from framework.delivery.holding import (
    Holds,
    PartlySent,
    Patience,
    hold_scope,
    without_superseded,
)
from framework.delivery.job_calls import take_jobs
from framework.delivery.jobs import Jobs, JobSource
from framework.delivery.ledger import Ledger
from framework.delivery.prepared_rows import Prepared, Wanted
from framework.delivery.report import (
    SUPERSEDED,
    UNCHANGED,
    Completion,
    Failing,
    ReportItem,
)
from framework.delivery.row_groups import Batch, RowGroup, deletion_of, split_groups
from framework.errors import RetryableError
from framework.paths import Event
from framework.results import DELIVERED, Failed, Result

MAX_WAITING: Final = 200_000
"""Rows that may wait for their batch; beyond that, the largest batch is sent early."""

GROUPED: Final = 8_192
"""Rows that are identified and batched together when events arrive in bulk."""

MAX_DELETIONS: Final = 1_000
"""Requests to delete users that are sent together."""

IDLE: Final = 0.25
"""Seconds after which a sender looks at the time again while nothing happens."""


class Sender:
    """A delivery in progress: rows wait here until their batch is full, due or flushed.

    A *ready* sender does not wait for full batches: it sends the batch that is best sent whenever
    the rate limit lets a call go, a thread is free, and no earlier batch of its order is under way;
    see `Batcher.ready` and its *linger*. *ended* is called when a thread has finished a batch.
    Rows that change nothing in the *ledger* are not sent. Records of *jobs* are kept in their
    source; if the sender *waits_for_jobs*, `flush` ends when the partner has finished them.

    *traced* keeps the product of every stage in `items` and `sent`.
    A result for which *halts* is true stops the sending: its batch and everything that waits stay
    pending, so that nothing overtakes them. With *threads*, batches are sent by that many threads
    while the caller continues, unless *stopping*, and rows are batched in larger groups.
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
        patience: Patience | None = None,
        failing: Mapping[str, Failing] | None = None,
        ended: Callable[[], object] = lambda: None,
        linger: float = LINGER,
        ledger: Ledger | None = None,
        jobs: JobSource | None = None,
        waits_for_jobs: bool = True,
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
        self.intake = connection.intake(traced=traced, named=named)
        self._row_ids = self.intake.row_ids
        self._completer = Completer(self.intake, traced=traced)
        self._clock = self._hook_runner.client.clock
        self.jobs: Jobs | None = None
        self._waits_for_jobs = waits_for_jobs
        if connection.keeps_jobs:
            jobs = jobs or JobSource.passing()
            self.jobs = Jobs(self._subscriptions, self._row_ids, self._clock, jobs)
        self._performer = performer = BatchPerformer(
            connection, self.intake, traced=traced, ledger=ledger, jobs=self.jobs
        )
        self._batcher = Batcher(now, linger=linger)
        self._stopping = stopping
        self.holds: Holds | None = None
        if patience:
            self.holds = Holds(patience, self._clock, failing)
            self._halts = halts = lambda result: hold_scope(result) == "halt"
        gate: BatchGate = self.holds or OpenGate()
        self._dispatcher: Dispatcher = InlineDispatcher(
            performer.perform,
            performer.give_up,
            handover=self._hook_runner.handover,
            gate=gate,
            stopping=stopping,
        )
        self._grouped = 1
        if threads:
            self._dispatcher = ThreadedDispatcher(
                performer.perform,
                performer.give_up,
                halts=halts,
                gate=gate,
                threads=threads,
                stopping=stopping,
                ended=ended,
            )
            sizes = (compiled.batching.max_size for compiled in self._subscriptions)
            self._grouped = min(GROUPED, max(sizes, default=1))
        self._drained = now()
        self._last_sent = (0, 0.0)
        self._closed: deque[Batch] = deque()
        self._held: list[int] = []
        self._ending = False
        self.halted: Failed | None = None
        self.items: dict[tuple[int, int], ReportItem] = self.intake.items
        self.sent = self._performer.sent

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
        if self.jobs:
            left, known = self.jobs.claim(groups)
            other, more = self.jobs.incomplete()
            groups = [*other, *left]
            self._closed.extend([*known, *more])
        self._closed.extend(self._batcher.flush(groups))
        self._complete_superseded(completions)
        if completions:
            yield completions
        yield from self._send(wait=True)
        while self._waits_for_jobs and self.jobs and self.jobs.any and not self.halted:
            yield from self._pause(self.jobs.next_due() or 0.0)
            if self._stopping():
                return
            yield from self._send(wait=True)

    def poll(self) -> Iterator[list[Completion]]:
        """Ask for every job that is not finished, once; yield completions."""
        if self.jobs:
            self._closed.extend(self.jobs.take_due(every=True))
            yield from self._sent(wait=True)

    def close(self) -> Iterator[list[Completion]]:
        """Send nothing more; yield the completions of calls that are under way."""
        self._ending = True
        for batch, results in self._dispatcher.stop():
            yield self._complete(batch, self._performer.announced(batch, results))

    def drop(self) -> None:
        """Send nothing more, and ask the calls under way to stop; their events stay pending.

        For deliveries that an exception ends, which nothing may overtake later.
        """
        self._dispatcher.drop()

    def pending(self) -> dict[int, list[range]]:
        """Return by subscription the positions of all added events without a result, ascending."""
        batches = chain(self._closed, self._dispatcher.in_flight())
        waiting = chain(self._batcher.row_ids(), self.intake.waiting())
        if self.holds:
            batches = chain(batches, self.holds.batches())
        sent = (batch.all_row_ids() for batch in batches)
        jobs = self.jobs.batches() if self.jobs else ()
        return self._row_ids.spans(chain([self._held], sent, waiting, jobs))

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
        if self.jobs and self.jobs.expects:
            groups, known = self.jobs.claim(groups)
            self._closed.extend(known)
        together: list[int] = []
        for deletion in deletions:
            before, groups = split_groups(groups, deletion)
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
        client = self._hook_runner.client
        return self._dispatcher.is_free() and client.wait <= 0 and not self._is_beginning()

    def _is_beginning(self) -> bool:
        """Return whether the batch that was sent last may have no place in the rate limit yet.

        Another one would be cut too early meanwhile, and wait in a thread instead of growing.
        """
        calls, until = self._last_sent
        client = self._hook_runner.client
        return (
            client.number_of_calls == calls
            and self._now() < until
            and client.is_paced
            and bool(self._dispatcher.in_flight())
        )

    def next_wait(self) -> float:
        """Return the seconds after which `flush_due` may have something to do again."""
        if self.jobs and (due := self.jobs.next_due()) is not None and due < IDLE:
            return max(due, LINGER / 4)
        if not self._batcher.waiting or not self._dispatcher.is_free():
            return IDLE
        return min(max(self._hook_runner.client.wait, LINGER / 4), IDLE)

    def _has_next(self) -> bool:
        """Return whether a batch may be sent now, which is then the first of those closed."""
        taken, holds = self._dispatcher.in_flight(), self.holds
        under_way = {batch.place for batch in taken} | (holds.barred() if holds else set())
        alone = not taken and (holds is None or holds.is_empty)
        if any(batch.barrier for batch in taken) or (holds and holds.all_barred):
            return False
        for at, batch in enumerate(self._closed):
            if batch.barrier and (at or not alone):
                return False
            if batch.place not in under_way:
                del self._closed[at]
                self._closed.appendleft(batch)
                return True
            under_way.add(batch.place)
        cut = self._batcher.ready(lambda scope: scope not in under_way)
        self._closed.extendleft(reversed(cut))
        return bool(cut) and (alone or not cut[0].barrier)

    def _send_ready(self) -> Iterator[list[Completion]]:
        """Send what is ready as long as calls may go out."""
        while True:
            yield from self._sent(wait=False, most=0)
            if superseded := self._release():
                yield superseded
            if self.halted or not self._may_call() or not self._has_next():
                return
            self._last_sent = (self._hook_runner.client.number_of_calls, self._now() + IDLE)
            yield from self._sent(wait=bool(self.holds and self.holds.probing), most=1)

    def _send_and_hold(self, holds: Holds, *, wait: bool) -> Iterator[list[Completion]]:
        """Send what is closed; wait for held rows to send everything, or if too many rows wait."""
        if not holds.any:  # as in nearly all cases
            yield from self._sent(wait=wait)
        while holds.any and not self.halted:
            if superseded := self._release():
                yield superseded
            before = len(self._closed)
            most = 0 if holds.all_barred else 1 if holds.probing else None
            yield from self._sent(wait=wait or most is not None, most=most)
            if self.halted:
                return
            if most == 1 and self._closed and len(self._closed) != before:
                continue
            due = holds.next_due()
            if due is None or not (wait or self.is_full):
                return
            yield from self._pause(due)
            if self._stopping():
                yield []
                return

    def _pause(self, seconds: float) -> Iterator[list[Completion]]:
        """Wait until something is due, for a moment at most, so that a stop request is noticed."""
        with contextlib.suppress(RetryableError):  # a stop was requested
            self._clock.sleep(min(max(seconds, 0.001), IDLE))
        yield []

    @property
    def is_full(self) -> bool:
        """Whether too many rows wait to read more."""
        waiting = self._batcher.waiting + (self.holds.rows() if self.holds else 0)
        return waiting + sum(len(one.row_ids) for one in self._closed) > self._max_waiting

    @property
    def is_stuck(self) -> bool:
        """Whether too many rows wait, and none of them is retried in this run."""
        holds = self.holds
        return bool(holds and holds.any and holds.next_due() is None and self.is_full)

    def _release(self) -> list[Completion]:
        """Release what is due; return the completions of rows that were superseded meanwhile."""
        completions: list[Completion] = []
        if self.holds and self.holds.any:
            self.holds.release(self._dispatcher.in_flight(), self._closed, self._without_superseded)
            self._complete_superseded(completions)
        return completions

    def _without_superseded(self, place: Hashable, batches: Sequence[Batch]) -> Sequence[Batch]:
        if not batches or batches[0].deletion:
            return batches
        batching = self._performer.subscription_of(batches[0]).batching
        if self.jobs or batching.coalesce not in {"last", "membership"}:
            return batches  # a batch that may have been submitted stays as it is
        canonical = batching.aliases.canonical if batching.aliases else list[str]
        later = canonical(self._batcher.identifiers(place))
        left, superseded = without_superseded(batches, later, canonical)
        self._batcher.superseded += superseded
        return left

    def _sent(self, *, wait: bool, most: int | None = None) -> Iterator[list[Completion]]:
        for batch, results in self._dispatcher.send(self._closed, wait=wait, most=most):
            yield self._complete(batch, self._performer.announced(batch, results))
            if self.halted:
                return

    def _send(self, *, wait: bool) -> Iterator[list[Completion]]:
        if self.jobs and self.jobs.any:
            self._closed.extend(self.jobs.take_due())
        if not self.halted:
            if self._ready and not wait:
                yield from self._send_ready()
            elif self.holds:
                yield from self._send_and_hold(self.holds, wait=wait)
            else:
                yield from self._sent(wait=wait)
        if self.halted:
            yield from self.close()
            while self._closed:
                self._held += self._closed.popleft().all_row_ids()

    def _complete(self, batch: Batch, results: Sequence[Result] | None) -> list[Completion]:
        """Return the completions of a batch; rows that halt are held, with those merged in them."""
        if results is None:
            if self.holds and not self._ending:
                self.holds.put_back(batch)
            else:
                self._held += batch.all_row_ids()
            return []
        if isinstance(results, PartlySent):
            return self._complete_partly(batch, results)
        if self.jobs:
            batch, results = take_jobs(self.jobs, batch, results, self.holds)
        return self._settle(batch, results) if results else []

    def _settle(self, batch: Batch, results: Sequence[Result]) -> list[Completion]:
        first, row_ids = results[0], batch.row_ids
        alike = not batch.merged and results.count(first) == len(results)
        if alike and (first is DELIVERED or not self._is_open(first)):
            if self.holds:
                if first is not DELIVERED and self.holds.halve(batch, results):
                    return []
                self.holds.answered(batch, accepted=not isinstance(first, Failed))
            return self._completer.all(batch, row_ids, first)
        kept = {
            row_id: result
            for row_id, result in zip(row_ids, results, strict=True)
            if isinstance(result, Failed) and self._is_open(result)
        }
        final = {} if kept and self._keep(batch, kept) else kept
        if self.holds and not kept:
            self.holds.answered(batch, accepted=True)
        completions = self._completer.each(batch, results, kept.keys() - final.keys())
        if final and self.holds:
            tried = self.holds.tried(batch)
            completions = [replace(one, tried=tried) for one in completions]
        return completions

    def _complete_partly(self, batch: Batch, results: PartlySent) -> list[Completion]:
        """Return the completions of a batch of which some rows changed nothing."""
        sent = results.part_of(batch)
        unchanged = sorted(set(batch.row_ids) - set(sent.row_ids))
        completions = self._completer.all(batch, unchanged, UNCHANGED)
        return completions + (self._complete(sent, results.sent) if sent.row_ids else [])

    def _is_open(self, result: Result) -> bool:
        """Return whether a row with *result* stays open, as it halts or is retried."""
        if self.holds:
            return bool(hold_scope(result))
        return isinstance(result, Failed) and self._halts(result)

    def _keep(self, batch: Batch, kept: Mapping[int, Failed]) -> bool:
        """Hold the rows of a batch that failed temporarily; return False if they are given up."""
        rest = batch if len(kept) == len(batch.row_ids) else batch.only(kept)
        failures = [*kept.values()]
        halts = next((one for one in reversed(failures) if self._halts(one)), None)
        if halts or not self.holds:
            self.halted = halts or failures[-1]
            self._held += rest.all_row_ids()
            return True
        failure = next((one for one in failures if one.concerns_connection), failures[0])
        if not self.holds.hold(rest, failure):
            return False
        self.halted = self.holds.gives_up_waiting()
        return True
