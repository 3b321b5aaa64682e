"""Delivering a file of events so that an interrupted run resumes from its last checkpoint.

The checkpoint stores how far the file was read, and which events before that position have no
result yet. Confirmed requests are not repeated; others are repeated in the order of the file.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from framework.delivery import DELETIONS, Completion, Connection, JobSource, Patience
from framework.events import Chunk, EventFile, Position, ReadingStoppedError, Rejected, decode
from framework.relay.checkpoint import Checkpoint, ConnectionIdentity, load, pack, save
from framework.relay.checkpoint_writer import CheckpointWriter
from framework.relay.dead_letters import DeadLetterWriter, RawLines
from framework.relay.ingest import Ingested, IngestedSpan, first_with, ingest
from framework.relay.outcome_lines import OutcomeLines
from framework.relay.outcomes import OutcomeFile, Waiting
from framework.relay.selected_lines import Since, begin_at, too_short
from framework.relay.stream_reader import StreamReader
from framework.relay.summary import Progress, Stop, Summary, Tally, by_outcome
from framework.results import Failed, Result

if TYPE_CHECKING:
    from datetime import datetime

    from framework.relay.delivery_ledger import ClaimedLedger
    from framework.relay.processes import Preparing

SAVE_SHARE = 0.1
"""Maximum share of time for writing checkpoints; within it, each request is followed by one."""

SAVE_EVERY = 1.0
"""Minimum seconds between two checkpoints while no requests are sent."""

SHOW_EVERY = 0.1
"""Minimum seconds between two reports of progress."""

NO_RETRIES = Patience()
"""Temporary failures are left for the next run."""


def run_file(  # noqa: PLR0913 - each is an option of its own
    connection: Connection,
    source: EventFile,
    *,
    serves: ConnectionIdentity | None = None,
    checkpoint: Path | None = None,
    outcomes: Path | None = None,
    dead_letters: Path | None = None,
    limit: int | None = None,
    first_line: int | None = None,
    since: datetime | None = None,
    threads: int = 0,
    processes: int = 1,
    patience: Patience = NO_RETRIES,
    on_progress: Callable[[Progress], None] = lambda _: None,
    stopping: Callable[[], bool] = lambda: False,
    members: ClaimedLedger | None = None,
    jobs: JobSource | None = None,
    waits_for_jobs: bool = True,
) -> Summary:
    """Deliver the events of *source* and return a summary.

    With *checkpoint*, the run resumes from it and updates it, if it is for the same events and for
    *serves*, by default the connection without a name; with *outcomes*, it writes a line to
    that file for each event and subscription. The run reads at most *limit* lines.
    With *first_line* (from 1), new lines before it count as read, without results; with *since*,
    events whose timestamp is before it are skipped.
    With *dead_letters*, it adds the events that fail permanently to that file.
    *threads* is the number of threads that send requests while the next events are read; requests
    with equal batch keys stay in order. With two or more *processes*, that number of worker
    processes decodes and maps the unread events of a plain file, unless there is a limit; requests
    and their order stay the same.
    Temporary failures are held by lane and batch key while the rest continues, and are retried as
    *patience* says; by default by the next run. Memberships are looked up and saved in *members*.
    *jobs* that the partner finishes later are kept in their source, for the next run unless this
    one *waits_for_jobs*.
    The run stops early when *stopping* returns true, when the partner is unavailable or when it
    refuses the whole connection; events without a result are then left for the next run.
    Failures count as unreported, in summaries of later runs, too, until `mark_reported`.
    Raises StorageError for files that cannot be read or written, ConfigurationError for a
    checkpoint or outcome file that does not match.
    """
    serves = serves or ConnectionIdentity.of(connection)
    source.heed(stopping)
    try:
        before = load(checkpoint, serves, source) if checkpoint else None
    except ReadingStoppedError:
        return Summary({}, finished=False, stopped="interrupted")
    before = before or Checkpoint(serves=serves, file=source.identity)
    if first_line is not None:
        before = begin_at(first_line, before, source, checkpoint)
    grown = source.divisible and before.read.offset < (source.size or 0)
    if source.identity is None or before.file != source.identity or grown or source.follows:
        before = before.unfinished()
    with ExitStack() as files:
        log = None
        if outcomes and not before.finished:
            log = files.enter_context(OutcomeFile(outcomes, before.outcomes))
        threads = 0 if before.finished else threads
        run = _Run(connection, source, before, log, threads, processes, patience, stopping, members,
                   jobs, waits_for_jobs)  # fmt: skip
        run.path, run.on_progress = checkpoint, on_progress
        run.since = Since(since, len(connection.subscriptions)) if since else None
        if dead_letters and not before.finished:
            length = before.dead_letters if isinstance(before.dead_letters, int) else None
            name = serves.name or serves.label.split()[0]
            run.letters = files.enter_context(DeadLetterWriter(dead_letters, name, length))
            run.raw_lines = RawLines(source)
        return run.summary() if before.finished else run.go(limit)


class _Run:
    """A run in progress: its sender, and the state of every event read so far."""

    def __init__(  # noqa: PLR0913, PLR0917 - each is an option of `run_file`
        self,
        connection: Connection,
        source: EventFile,
        before: Checkpoint,
        log: OutcomeFile | None,
        threads: int,
        processes: int,
        patience: Patience,
        stopping: Callable[[], bool],
        members: ClaimedLedger | None,
        jobs: JobSource | None,
        waits_for_jobs: bool,  # noqa: FBT001 - an option of `run_file`
    ) -> None:
        self.path: Path | None = None
        self.on_progress: Callable[[Progress], None] = lambda _: None
        self.letters: DeadLetterWriter | None = None
        self.raw_lines: RawLines | None = None
        self.since: Since | None = None
        self._connection = connection
        self._source = source
        self._before = before
        self._log = OutcomeLines(log) if log else None
        self._named = log is not None
        self._stopping = stopping
        self._members = members
        self._processes = processes
        self._reader: StreamReader | None = None
        self._flows = source.arrives
        self._stream = connection.stream(
            patience=patience,
            failing=before.failing or {},
            threads=threads,
            stopping=stopping,
            named=self._named,
            ready=self._flows,
            ended=self._wake,
            ledger=members.ledger if members else None,
            jobs=jobs,
            waits_for_jobs=waits_for_jobs,
        )
        if before.finished and self._stream.jobs:
            self._stream.jobs.forget_expected()
        # The last name is that of DELETION, whose index is -1.
        self._names = [*(one.name for one in connection.subscriptions), DELETIONS]
        self._tally = Tally(before.counts, before.calls, before.rejected)
        self._counts_before = dict(self._tally.counts)
        self._reported = self._tally.failures - before.unreported_failures
        self._pending = frozenset(before.pending())
        self._read = before.read
        self._first = before.first_line if isinstance(before.first_line, int) else 1
        self._done = max(before.read.lines, self._first - 1)
        self._starts = [before.position]
        self._started = self._saved = self._shown = time.monotonic()
        self._writer = CheckpointWriter()
        self._calls_before = connection.calls
        self._requests_saved = connection.number_of_calls
        self._completed_now = 0
        self._stop: Stop = ""
        self._complete = before.finished
        self._at_end = False

    def go(self, limit: int | None) -> Summary:
        """Deliver up to the end of the file, the limit or a stop; return the summary."""
        with self._writer:
            try:
                self._deliver(limit)
                for settled in self._stream.close():
                    self._record(settled)
                unsettled = self._unsettled()
                if not self.path:
                    self._log_waiting(unsettled)
                self._save(unsettled)
            except BaseException:
                self._stream.drop()
                raise
        self._show()
        return self.summary()

    def _deliver(self, limit: int | None) -> None:
        for completions in self._completions(limit):
            self._record(completions)
            self._save_and_show()
            if self._stopping():
                self._stop = "interrupted"
                return
            if halted := self._stream.halted:
                self._stop = "unavailable" if halted.retryable else "refused"
                return
        if self._stream.holds and self._stream.holds.resting():
            self._stop = "unavailable"
        if not self._stop and self._unsettled():
            self._stop = "interrupted" if self._stopping() else "unavailable"
        self._complete = not self._stop

    def _completions(self, limit: int | None) -> Iterator[list[Completion]]:
        """Yield the completions of each chunk and each request; may be abandoned after any."""
        if self._flows:
            yield from self._read_stream(limit)
        else:
            yield from self._read_file(limit)
            if self._stop == "interrupted":
                return
        early = self._stop or self._stream.is_stuck or self._stopping()
        if not early and self._read.lines < self._first - 1:
            raise too_short(self._first, self._source, self._read.lines)
        self._at_end = True
        yield from self._stream.flush()

    def _read_file(self, limit: int | None) -> Iterator[list[Completion]]:
        done = self._before.read
        with self._spans(limit) as spans:
            for chunk in self._chunks(limit, done.offset if spans else None):
                yield from self._ingest_chunk(chunk)
                if self._stream.is_stuck:
                    return
            for part in spans or ():
                yield from self._ingest_span(part)
                if self._stream.is_stuck:
                    return
            if spans and spans.interrupted:
                self._stop = "interrupted"

    def _read_stream(self, limit: int | None) -> Iterator[list[Completion]]:
        """Read a stream, which may pause; send what is ready whether something arrives or not."""
        reader = self._reader = StreamReader(self._chunks(limit, None))
        self._source.heed(lambda: reader.closing)
        with reader:
            while not (reader.ended or self._stream.is_stuck):
                chunk = reader.next(self._stream.next_wait(), take=not self._stream.is_full)
                if chunk:
                    yield from self._ingest_chunk(chunk)
                yield from self._stream.flush_due()
                yield []  # nothing may have been sent, but a stop requested

    def _wake(self) -> None:
        if self._reader:
            self._reader.wake()

    def _spans(self, limit: int | None) -> AbstractContextManager[Preparing | None]:
        """Start worker processes for the unread part of the file, if requested and possible.

        Not with a limit: it counts lines, which are only known after a span is read.
        """
        if self._processes < 2 or limit is not None or not self._source.divisible:
            return nullcontext()
        from framework.relay.processes import preparing  # noqa: PLC0415 - heavy, at first use

        start = self._before.read.offset
        connection, source = self._connection, self._source
        named, stopping = self._named, self._stopping
        return preparing(
            connection, source, start, self._processes,
            named=named, stopping=stopping, since=self.since,
        )  # fmt: skip

    def summary(self) -> Summary:
        """Return the summary of this run and of those that it resumed."""
        halted = self._halted()
        unsettled = self._unsettled() if halted else {}
        lines = self._read.lines
        return Summary(
            counts=self._tally.counts,
            lines=lines,
            rejected=self._tally.rejected,
            rejections=tuple(self._tally.rejections),
            unpacked=dict(self._source.unpacked),
            unfinished=self._source.unfinished,
            calls=self._calls(),
            seconds=time.monotonic() - self._started,
            finished=self._complete,
            stopped=self._stop,
            message=halted.message if halted else "",
            unsettled=sum(len(one) for spans in unsettled.values() for one in spans),
            settled=min((spans[0].start - 1 for spans in unsettled.values()), default=lines),
            resumed=min(self._done, lines),
            completed=self._completed_now,
            earlier=self._counts_before,
            earlier_rejected=self._before.rejected,
            earlier_calls=self._before.calls,
            unreported=self._before.unreported_failures,
        )

    def _chunks(self, limit: int | None, stop: int | None) -> Iterator[Chunk]:
        """Yield the chunks to read, from the first event without a result."""
        last = None if limit is None else self._done + limit
        for chunk in self._source.chunks(self._before.position, stop):
            if last is None or chunk.end.lines < last:
                yield chunk
                continue
            if chunk.start.lines < last:
                yield chunk.until(last)
            self._stop = "limit"
            return

    def _ingest_chunk(self, chunk: Chunk) -> Iterator[list[Completion]]:
        if chunk.end.lines < self._first and chunk.start.lines >= self._before.read.lines:
            self._record_read(chunk.end, Ingested([], (), ()))
            return iter([[]])
        if self.raw_lines:
            self.raw_lines.keep(chunk)
        again = chunk.start.lines < self._done
        return self._ingest_again(chunk) if again else self._ingest(chunk)

    def _ingest(self, chunk: Chunk) -> Iterator[list[Completion]]:
        intake, max_line = self._stream.intake, self._source.max_line
        taken = ingest(chunk, intake, max_line, named=self._named, since=self.since)
        if self._log:
            self._log.store_lines(chunk)
        self._record_read(chunk.end, taken)
        return self._stream.add_from_intake(taken.completions)

    def _ingest_again(self, chunk: Chunk) -> Iterator[list[Completion]]:
        """Ingest a chunk that an earlier run has read; skip events that have a result."""
        decoded = decode(chunk, self._source.max_line)
        if self._log:
            self._log.store_lines(chunk)
        self._record_read(
            chunk.end, Ingested([], decoded.lines, decoded.message_ids(), decoded.rejected)
        )
        early: list[Completion] = []
        if self.since:
            decoded, early = self.since.split(decoded, self._done)
        events = zip(decoded.lines, decoded.events, strict=True)
        return first_with(early, self._stream.add(events, self._is_open))

    def _ingest_span(self, part: IngestedSpan) -> Iterator[list[Completion]]:
        """Ingest a span that a worker process has prepared."""
        part = part.moved(self._starts[-1], self._stream.intake.row_ids)
        self._record_read(part.end, Ingested([], part.lines, part.message_ids, part.rejected))
        return self._stream.add_prepared(part.prepared)

    def _record_read(self, end: Position, taken: Ingested) -> None:
        """Record that the file was read up to *end*, with its message IDs and invalid lines."""
        self._starts.append(end)
        if end.lines > self._read.lines:
            self._read = end
        if self._log:
            self._log.store_message_ids(taken.lines, taken.message_ids)
        self._reject(taken.rejected)

    def _reject(self, rejected: Iterable[Rejected]) -> None:
        for one in rejected:
            if one.number > self._done:
                self._tally.reject(one.line, one.reason)
                if self._log:
                    self._log.reject(one)

    def _is_open(self, line: int, subscription: int) -> bool:
        return line > self._done or (line, subscription) in self._pending

    def _record(self, completions: list[Completion]) -> None:
        for one in completions:
            self._completed_now += len(one.positions)
            name = self._names[one.subscription]
            self._tally.add(name, one.result, len(one.positions))
            self._log_result(one.positions, name, one.result)
            if isinstance(one.result, Failed) and self.letters and self.raw_lines:
                texts = self.raw_lines.texts(list(one.positions), self._starts)
                now = self._connection.hook_runner.client.clock.time()
                self.letters.add(name, one.result, texts, now=now, tried=one.tried)

    def _log_result(self, positions: Iterable[int], name: str, result: Result | Waiting) -> None:
        if self._log:
            self._log.add(positions, name, result)

    def _log_waiting(self, unsettled: Mapping[int, Sequence[range]]) -> None:
        """Write to the outcome file which events have no result, as no run resumes this one."""
        halted = self._halted()
        waiting = Waiting(halted.message if halted else "The run was interrupted.")
        for subscription, spans in unsettled.items():
            self._log_result(chain.from_iterable(spans), self._names[subscription], waiting)

    def _halted(self) -> Failed | None:
        holds = self._stream.holds
        jobs = self._stream.jobs
        return (
            self._stream.halted
            or (holds.resting() if holds else None)
            or (jobs.unfinished() if jobs and self._at_end else None)
        )

    def _save_and_show(self) -> None:
        now = time.monotonic()
        called = self._connection.number_of_calls != self._requests_saved
        rest = max(self._writer.took / SAVE_SHARE, 0.0 if called else SAVE_EVERY)
        if now - self._saved >= rest or (self._members and self._members.is_due):
            unsettled = self._unsettled()
            if unsettled or not self._at_end:  # otherwise the final save is the same
                self._saved = now
                self._save(unsettled)
        if now - self._shown >= SHOW_EVERY:
            self._show()

    def _show(self) -> None:
        self._shown = time.monotonic()
        counts, source, holds = by_outcome(self._tally.counts), self._source, self._stream.holds
        self.on_progress(
            Progress(
                lines=self._read.lines,
                bytes_done=self._read.offset if source.divisible else source.consumed,
                bytes_total=source.size,
                counts=counts,
                calls=self._calls().total(),
                resumed=min(self._done, self._read.lines),
                waiting=holds.waiting() if holds and holds.any else None,
            )
        )

    def _save(self, unsettled: Mapping[int, Sequence[range]]) -> None:
        """Save all results durably: first the outcomes, then the checkpoint."""
        path, log, members = self.path, self._log, self._members
        if not (path or log or members or self.letters):
            return
        firsts = (spans[0].start for spans in unsettled.values())
        first = min(firsts, default=self._read.lines + 1)
        self._starts = [
            start for start, end in zip(self._starts, self._starts[1:], strict=False)
            if end.lines >= first
        ] + self._starts[-1:]  # fmt: skip
        length = log.flush(unsettled) if log else None
        letters = self.letters
        if self.raw_lines:
            self.raw_lines.forget(first)
        self._requests_saved = self._connection.number_of_calls
        checkpoint = self._checkpoint(unsettled, self._starts[0], length)
        jobs = self._stream.jobs
        ended = jobs.ended() if jobs else ()

        def durably() -> None:
            if log:
                log.sync()
            if letters:
                letters.sync()
            if members:
                members.save()
            if path:
                save(path, checkpoint)
            if jobs:
                jobs.forget(ended)

        self._writer.start(durably)

    def _unsettled(self) -> dict[int, list[range]]:
        """Return the lines that were read and have no result, ascending, by subscription."""
        unsettled = self._stream.pending()
        here = self._starts[-1].lines
        if here < self._before.read.lines:
            for line, subscription in sorted(one for one in self._pending if one[0] > here):
                unsettled.setdefault(subscription, []).append(range(line, line + 1))
        return unsettled

    def _checkpoint(
        self, unsettled: Mapping[int, Sequence[range]], position: Position, length: int | None
    ) -> Checkpoint:
        holds = self._stream.holds
        return Checkpoint(
            serves=self._before.serves,
            file=self._source.identity,
            head=self._source.head,
            position=position,
            read=self._read,
            unsettled=pack(unsettled),
            counts=tuple(self._tally.rows()),
            calls=dict(self._calls()),
            rejected=self._tally.rejected,
            failing=(holds and holds.failing) or msgspec.UNSET,
            outcomes=length,
            dead_letters=self.letters.flush() if self.letters else msgspec.UNSET,
            first_line=self._before.first_line,
            unreported=self._tally.failures - self._reported or msgspec.UNSET,
            finished=self._complete,
        )

    def _calls(self) -> Counter[str]:
        return Counter(self._before.calls) + self._connection.calls - self._calls_before
