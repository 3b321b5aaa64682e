"""A file of events delivered from beginning to end, so that a killed run goes on where it was.

The file is its own log: the checkpoint says how far it was read, and which events before that
place have no outcome yet. Calls that were confirmed are not repeated; what is repeated is
repeated in the order of the file.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from framework.delivery import Completion, Connection
from framework.relay.checkpoint import Checkpoint, load, pack, save
from framework.relay.checkpoint_writer import CheckpointWriter
from framework.relay.decoding import Rejected, decode
from framework.relay.files import Chunk, EventFile, Position
from framework.relay.ingest import Ingested, IngestedSpan, ingest
from framework.relay.outcomes import OutcomeFile
from framework.relay.summary import Progress, Stop, Summary, Tally, by_outcome
from framework.results import Failed, Result

if TYPE_CHECKING:
    from framework.relay.processes import Preparing

SAVE_SHARE = 0.1
"""The share of the time in which checkpoints may be written; within it, one follows every call."""

SAVE_EVERY = 1.0
"""Seconds between two checkpoints while no calls are made, at the least."""

SHOW_EVERY = 0.1
"""Seconds between two reports of progress."""

_PLUGIN_FAULTS = frozenset({"INTERNAL_ERROR", "RESULT_COUNT"})


def run_file(  # noqa: PLR0913 - each is an option of its own
    connection: Connection,
    source: EventFile,
    *,
    checkpoint: Path | None = None,
    outcomes: Path | None = None,
    limit: int | None = None,
    threads: int = 0,
    processes: int = 1,
    on_progress: Callable[[Progress], None] = lambda _: None,
    stopping: Callable[[], bool] = lambda: False,
) -> Summary:
    """Deliver the events of *source* and give the summary of it.

    With *checkpoint*, goes on from it and keeps it; with *outcomes*, writes a line there for each
    event and subscription. Reads at most *limit* lines in this run.
    With *threads*, calls are made by as many threads while the next events are read, and in order
    where their batch keys agree. With several *processes*, as many others decode, map and identify
    the events of a plain file that no run has read yet, unless there is a limit; what is sent, and
    in which order, stays the same.
    Stops early when *stopping* says so, when the partner is not available, or when it refuses
    access: then everything unsettled is left for the next run.
    Raises StorageError and ConfigurationError.
    """
    label = connection.label
    before = load(checkpoint, label, source) if checkpoint else None
    before = before or Checkpoint(connection=label, file=source.identity)
    if source.identity is None or before.file != source.identity:
        before = before.unfinished()
    with ExitStack() as files:
        log = None
        if outcomes and not before.finished:
            log = files.enter_context(OutcomeFile(outcomes, before.outcomes))
        beside = threads if source.identity else 0  # a source that may pause waits for its calls
        run = _Run(connection, source, before, log, beside, processes, stopping)
        run.path, run.on_progress = checkpoint, on_progress
        return run.summary() if before.finished else run.go(limit, stopping)


class _Run:
    """A run going on: a stream of payloads, and what is known of every event read so far."""

    def __init__(  # noqa: PLR0913, PLR0917 - each is an option of `run_file`
        self,
        connection: Connection,
        source: EventFile,
        before: Checkpoint,
        log: OutcomeFile | None,
        threads: int,
        processes: int,
        stopping: Callable[[], bool],
    ) -> None:
        self.path: Path | None = None
        self.on_progress: Callable[[Progress], None] = lambda _: None
        self._connection = connection
        self._source = source
        self._before = before
        self._log = log
        self._named = log is not None
        self._processes = processes
        self._stream = connection.stream(
            halts=_halts, threads=threads, stopping=stopping, named=self._named
        )
        self._names = [route.name for route in connection.routes]
        self._tally = Tally(before.counts, before.calls, before.rejected)
        self._open = frozenset(before.open())
        self._read = before.read
        self._starts = [before.position]
        self._message_ids: dict[int, object] = {}
        self._started = self._saved = self._shown = time.monotonic()
        self._saving = CheckpointWriter()
        self._calls_saved = self._settled_now = 0
        self._stop: Stop = ""
        self._complete = before.finished
        self._at_end = False

    def go(self, limit: int | None, stopping: Callable[[], bool]) -> Summary:
        """Deliver up to the end, the limit or a stop."""
        with self._saving:
            self._deliver(limit, stopping)
            for settled in self._stream.leave():
                self._settle(settled)
            self._save(self._unsettled())
        self._show()
        return self.summary()

    def _deliver(self, limit: int | None, stopping: Callable[[], bool]) -> None:
        for settled in self._settled(limit):
            self._settle(settled)
            self._keep_up()
            if halted := self._stream.halted:
                self._stop = "refused" if halted.status == 401 else "unavailable"
                return
            if stopping():
                self._stop = "interrupted"
                return
        self._complete = not self._stop

    def _settled(self, limit: int | None) -> Iterator[list[Completion]]:
        """Yield what each chunk and each call settles; the delivery may be left after any."""
        done = self._before.read
        with self._parts(limit) as parts:
            for chunk in self._chunks(limit, done.offset if parts else None):
                again = chunk.start.lines < done.lines
                yield from self._take_again(chunk) if again else self._take(chunk)
                if self._source.identity is None:
                    yield from self._stream.send_due()
            for part in parts or ():
                yield from self._join(part)
        self._at_end = True
        yield from self._stream.finish()

    def _parts(self, limit: int | None) -> AbstractContextManager[Preparing | None]:
        """Have other processes prepare what no run has read yet, if that is wanted and can be.

        A limit is one of lines, and which part has them is known only when it is read.
        """
        if self._processes < 2 or limit is not None or not self._source.divisible:
            return nullcontext()
        from framework.relay.processes import preparing  # noqa: PLC0415 - heavy, at first use

        start = self._before.read.offset
        connection, source = self._connection, self._source
        return preparing(connection, source, start, self._processes, named=self._named)

    def summary(self) -> Summary:
        """Sum up what was done, by this run and those that it went on from."""
        halted = self._stream.halted
        return Summary(
            counts=self._tally.counts,
            lines=self._read.lines,
            rejected=self._tally.rejected,
            calls=self._calls(),
            seconds=time.monotonic() - self._started,
            finished=self._complete,
            stopped=self._stop,
            message=halted.message if halted else "",
            resumed=self._before.read.lines,
            settled=self._settled_now,
        )

    def _chunks(self, limit: int | None, stop: int | None) -> Iterator[Chunk]:
        """Yield what is to be read, from the first unsettled event on."""
        last = None if limit is None else self._before.read.lines + limit
        for chunk in self._source.chunks(self._before.position, stop):
            if last is None or chunk.end.lines < last:
                yield chunk
                continue
            if chunk.start.lines < last:
                yield chunk.until(last)
            self._stop = "limit"
            return

    def _take(self, chunk: Chunk) -> Iterator[list[Completion]]:
        taken = ingest(chunk, self._stream.intake, self._source.max_line, named=self._named)
        self._note(chunk.end, taken)
        return self._stream.absorb(taken.settled)

    def _take_again(self, chunk: Chunk) -> Iterator[list[Completion]]:
        """Take in what an earlier run has read; of that, only what is not settled yet."""
        decoded = decode(chunk, self._source.max_line)
        self._note(chunk.end, Ingested([], decoded.lines, decoded.message_ids(), decoded.rejected))
        events = zip(decoded.lines, decoded.events, strict=True)
        return self._stream.accept(events, self._is_open)

    def _join(self, part: IngestedSpan) -> Iterator[list[Completion]]:
        """Take in what another process has prepared."""
        part = part.moved(self._starts[-1], self._stream.intake.marks)
        self._note(part.end, Ingested([], part.lines, part.message_ids, part.rejected))
        return self._stream.join(part.prepared)

    def _note(self, end: Position, taken: Ingested) -> None:
        """Know that the file was read up to *end*, and what was found there."""
        self._starts.append(end)
        if end.lines > self._read.lines:
            self._read = end
        self._name(taken.lines, taken.message_ids)
        self._reject(taken.rejected)

    def _name(self, lines: Iterable[int], message_ids: Iterable[object]) -> None:
        """Keep the names of events for their outcomes."""
        if self._log:
            self._message_ids.update(zip(lines, message_ids, strict=True))

    def _reject(self, rejected: Iterable[Rejected]) -> None:
        for one in rejected:
            if one.line > self._before.read.lines:
                self._tally.rejected += 1
                if self._log:
                    self._log.reject(one)

    def _is_open(self, line: int, route: int) -> bool:
        return line > self._before.read.lines or (line, route) in self._open

    def _settle(self, settled: list[Completion]) -> None:
        for one in settled:
            self._settled_now += len(one.positions)
            name = self._names[one.route]
            self._tally.add(name, one.result, len(one.positions))
            if self._log:
                lines = list(one.positions)
                self._log.add(lines, map(self._message_ids.get, lines), name, one.result)

    def _keep_up(self) -> None:
        now = time.monotonic()
        called = self._connection.number_of_calls != self._calls_saved
        rest = max(self._saving.took / SAVE_SHARE, 0.0 if called else SAVE_EVERY)
        if now - self._saved >= rest:
            unsettled = self._unsettled()
            if unsettled or not self._at_end:  # else what is saved in the end is the same
                self._saved = now
                self._save(unsettled)
        if now - self._shown >= SHOW_EVERY:
            self._show()

    def _show(self) -> None:
        self._shown = time.monotonic()
        counts = by_outcome(self._tally.counts)
        self.on_progress(
            Progress(
                lines=self._read.lines,
                bytes_done=self._consumed(),
                bytes_total=self._source.size,
                counts=counts,
                calls=self._calls().total(),
                resumed=self._before.read.lines,
            )
        )

    def _consumed(self) -> int:
        """Count the bytes that were read, on disk."""
        source = self._source
        return self._read.offset if source.divisible else source.consumed

    def _save(self, unsettled: Mapping[int, Sequence[range]]) -> None:
        """Have everything settled made durable: the outcomes first, then the checkpoint."""
        path, log = self.path, self._log
        if not path and not log:
            return
        firsts = (spans[0].start for spans in unsettled.values())
        first = min(firsts, default=self._read.lines + 1)
        self._starts = [
            start for start, end in zip(self._starts, self._starts[1:], strict=False)
            if end.lines >= first
        ] + self._starts[-1:]  # fmt: skip
        if log:
            lines = chain.from_iterable(chain.from_iterable(unsettled.values()))
            self._message_ids = {line: self._message_ids.get(line) for line in lines}
        length = log.flush() if log else None
        self._calls_saved = self._connection.number_of_calls
        checkpoint = self._checkpoint(unsettled, self._starts[0], length)

        def durably() -> None:
            if log:
                log.sync()
            if path:
                save(path, checkpoint)

        self._saving.start(durably)

    def _unsettled(self) -> dict[int, list[range]]:
        """Return by subscription the lines read, by whichever run, and not settled; ascending."""
        unsettled = self._stream.unsettled()
        here = self._starts[-1].lines
        if here < self._before.read.lines:
            for line, route in sorted(one for one in self._open if one[0] > here):
                unsettled.setdefault(route, []).append(range(line, line + 1))
        return unsettled

    def _checkpoint(
        self, unsettled: Mapping[int, Sequence[range]], position: Position, length: int | None
    ) -> Checkpoint:
        return Checkpoint(
            connection=self._connection.label,
            file=self._source.identity,
            position=position,
            read=self._read,
            unsettled=pack(unsettled),
            counts=tuple(self._tally.rows()),
            calls=dict(self._calls()),
            rejected=self._tally.rejected,
            outcomes=length,
            finished=self._complete,
        )

    def _calls(self) -> Counter[str]:
        return Counter(self._before.calls) + self._connection.calls


def _halts(result: Result) -> bool:
    """Return whether a result means that the next events would fare no better.

    A plugin's own fault does not: it may lie in one event, which no later run would get past.
    """
    if not isinstance(result, Failed) or result.code in _PLUGIN_FAULTS:
        return False
    return result.retryable or result.status == 401
