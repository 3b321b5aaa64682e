"""One stretch of delivering a stream to a connection: from the saved progress to the next stop."""

from __future__ import annotations

import logging
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Final

from framework.delivery import (
    Completion,
    Connection,
    Failing,
    JobSource,
    Ledger,
    MemberChange,
    Patience,
    is_deletion,
)
from framework.events import Chunk, Position, decode
from framework.relay.event_store import DeadLetter, joined
from framework.relay.ingest import ingest
from framework.relay.replays import MAX_LINE, message_id_of, names_of, replay
from framework.relay.stream_checkpoint import StreamCheckpoint
from framework.results import Delivered, Failed

if TYPE_CHECKING:
    from framework.relay.event_store import EventStore, Owner
    from framework.relay.relay_counts import RelayCounts

SAVE_EVERY: Final = 1.0
"""Seconds between two saves."""

REPLAY_AFTER: Final = 60.0
"""Seconds until a replay is retried that was refused for the whole connection."""

MAX_OPEN: Final = 200_000
"""Maximum number of missing results; beyond it, the stream is not read further."""

MAX_UNSAVED: Final = 1_000
"""Number of failed events after which they are saved as dead letters."""

READ: Final = 2_000
"""Lines that are read at a time."""

_logger = logging.getLogger("action_destinations")


class StreamSession:
    """Reads the stream of *owner* from its saved progress, and delivers it over *connection*.

    What is open between the committed position and the checkpoint's is read again.
    Memberships are looked up in the *ledger*, if there is one, and saved with the progress. Records
    of *jobs* that the partner finishes later are kept in their source.
    Temporary failures are held by lane and batch key, and retried as *patience* says. `run` ends
    when *stopping* returns true, or when the partner refuses the connection; `halted` is that
    failure.
    `delivered` is whether the partner accepted anything.
    After an exception nothing is saved: the next session begins where this one last saved.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of a worker
        self,
        store: EventStore,
        owner: Owner,
        committed: Position,
        before: StreamCheckpoint,
        connection: Connection,
        patience: Patience,
        counts: RelayCounts,
        stopping: Callable[[], bool],
        threads: int = 1,
        ledger: Ledger | None = None,
        jobs: JobSource | None = None,
    ) -> None:
        self.committed, self.checkpoint = committed, before
        self.halted: Failed | None = None
        self.delivered = False
        self._store, self._owner = store, owner
        self._before = before
        self._connection = connection
        self._counts = counts
        self._stopping = stopping
        self._ledger = ledger
        self._sender = connection.stream(
            patience=patience,
            failing=before.failing,
            threads=threads,
            stopping=stopping,
            named=False,
            ready=True,
            ended=self._wake,
            ledger=ledger,
            jobs=jobs,
        )
        self.names = names_of(connection)
        self._resumed = _by_index(before, self.names)
        self._ends = [committed]  # of the chunks that were read, after the committed position
        self._read = max(before.read, committed.lines)
        self._failed: list[tuple[int, int, Failed, Failing | None]] = []
        self._looked = self._counted = time.monotonic()
        self._next_replay = 0.0
        self._open = sum(map(len, self._resumed.values()))
        self._changed = self._woken = False

    def run(self) -> None:
        """Deliver until a stop or a halt, and save the results."""
        sender = self._sender
        while not (self._stopping() or sender.halted):
            self._woken = False
            arrived = self._read_more()
            for completions in sender.flush_due():
                self._record(completions)
            if len(self._failed) >= MAX_UNSAVED:
                self._save()
            if time.monotonic() - self._looked >= SAVE_EVERY:
                self._looked = time.monotonic()
                if self._changed:
                    self._save()
                self._replay()
            if not arrived:
                self._wait()
        for completions in sender.close():
            self._record(completions)
        self.halted = sender.halted
        self._save()

    @property
    def is_held(self) -> bool:
        """Whether the whole connection waits for the partner."""
        holds = self._sender.holds
        return bool(holds and holds.all_barred)

    @property
    def is_well(self) -> bool:
        """Whether the partner has accepted something, or nothing waits for it."""
        return self.delivered or not self._open

    def drop(self) -> None:
        """Start no more calls, and ask those under way to stop; their events stay open."""
        self._sender.drop()

    def _wait(self) -> None:
        """Wait until something arrives, a call has ended, or something may be sent."""
        end = self._ends[-1].offset if self._has_room() else 1 << 62
        seconds = self._sender.next_wait()
        self._store.wait(self._owner.stream, end, seconds, lambda: self._woken or self._stopping())

    def _wake(self) -> None:
        self._woken = True
        self._store.wake()

    # Reading

    def _read_more(self) -> bool:
        """Read and add what has arrived, if there is room; return whether something had."""
        if not self._has_room():
            return False
        chunks = self._store.read(self._owner.stream, self._ends[-1].offset, READ)
        again = [one for one in chunks if one.end.lines <= self._before.read]
        ends = deque(one.end for one in chunks)
        for chunk in chain(joined(again), joined(chunks[len(again) :])):
            while ends and ends[0].lines <= chunk.end.lines:
                self._ends.append(ends.popleft())
            for completions in self._add(chunk):
                self._record(completions)
            if self._sender.halted:
                break
        return bool(chunks)

    def _has_room(self) -> bool:
        if self._open >= MAX_OPEN and time.monotonic() - self._counted >= SAVE_EVERY / 4:
            self._counted = time.monotonic()
            self._open = _number(self._unsettled())
        return self._open < MAX_OPEN

    def _add(self, chunk: Chunk) -> Iterator[list[Completion]]:
        self._changed = True
        sender = self._sender
        if chunk.end.lines <= self._before.read:
            yield from self._add_again(chunk)
            return
        self._read = chunk.end.lines
        self._open += len(chunk.lines) * len(self._connection.subscriptions)
        taken = ingest(chunk, sender.intake, MAX_LINE, named=False)
        for one in taken.rejected:
            _logger.warning("Line %d of a stream is no event: %s", one.line, one.reason)
        yield from sender.add_from_intake(taken.completions)

    def _add_again(self, chunk: Chunk) -> Iterator[list[Completion]]:
        """Add those events of a chunk that have no result yet."""
        lines = range(chunk.start.lines + 1, chunk.end.lines + 1)
        if not any(_meets(lines, spans) for spans in self._resumed.values()):
            return
        decoded = decode(chunk, MAX_LINE)
        events = [*zip(decoded.lines, decoded.events, strict=True)]
        deletions = {line for line, one in events if is_deletion(one) and self._is_open(line, None)}
        yield from self._sender.add(
            events, lambda line, index: line in deletions or self._is_open(line, index)
        )

    def _is_open(self, line: int, index: int | None) -> bool:
        """Return whether a line has no result yet in a subscription, None for any."""
        found = self._resumed.values() if index is None else [self._resumed.get(index, [])]
        return any(_meets(range(line, line + 1), spans) for spans in found)

    # Results

    def _record(self, completions: list[Completion]) -> None:
        if not completions:
            return
        self._changed = True
        self._counts.add(self.names, completions)
        for one in completions:
            if isinstance(one.result, Failed):
                failed = (one.subscription, one.result, one.tried)
                self._failed += [(line, *failed) for line in one.positions]
            elif isinstance(one.result, Delivered):
                self.delivered = True

    def _save(self) -> None:
        """Save the progress with the dead letters that belong to it; may raise."""
        unsettled = self._unsettled()
        self._open = _number(unsettled)
        first = min((spans[0].start for spans in unsettled.values()), default=self._read + 1)
        behind = [end for end in self._ends if end.lines < first]
        committed = behind[-1] if behind else self.committed
        by_name: dict[str, list[range]] = {}
        for index, spans in unsettled.items():
            by_name.setdefault(self.names[index], []).extend(spans)
        holds = self._sender.holds
        failing = holds.failing if holds else {}
        checkpoint = StreamCheckpoint.of(self._before.serves, self._read, by_name, failing)
        letters = self._dead_letters()
        jobs = self._sender.jobs
        ended = jobs.ended() if jobs else ()
        self._save_with_members(committed, checkpoint, letters)
        if jobs:
            jobs.forget(ended)
        self._counts.add_dead_letters(len(letters))
        self._ends = [committed, *(end for end in self._ends if end.offset > committed.offset)]
        self.committed, self.checkpoint = committed, checkpoint
        self._failed.clear()
        self._changed = False

    def _save_with_members(
        self,
        committed: Position,
        checkpoint: StreamCheckpoint,
        letters: Sequence[DeadLetter],
        replayed: Sequence[int] = (),
    ) -> None:
        def write(members: Sequence[MemberChange]) -> None:
            self._owner.save(committed.offset, checkpoint.encode(), letters, replayed, members)

        if self._ledger:
            self._ledger.save(write)
        else:
            write(())

    def _replay(self) -> None:
        """Deliver dead letters for which a replay is requested, and save the results."""
        if time.monotonic() < self._next_replay:
            return
        letters = self._owner.replays()
        if not letters:
            return
        ledger = self._ledger.sending_all() if self._ledger else None
        replayed = replay(self._connection, letters, self._stopping, ledger)
        self._counts.add(self.names, replayed.completions)
        self._save_with_members(self.committed, self.checkpoint, replayed.failed, replayed.settled)
        if replayed.halted:
            self._next_replay = time.monotonic() + REPLAY_AFTER

    def _unsettled(self) -> dict[int, list[range]]:
        """Return the lines that were read and have no result, ascending, by subscription."""
        unsettled = self._sender.pending()
        here = self._ends[-1].lines
        for index, spans in self._resumed.items():
            left = [
                range(max(one.start, here + 1), one.stop) for one in spans if one.stop > here + 1
            ]
            if left:
                unsettled.setdefault(index, []).extend(left)
        return unsettled

    def _dead_letters(self) -> list[DeadLetter]:
        """Return the events that failed as dead letters; their text is read from the store."""
        now = time.time()
        letters: list[DeadLetter] = []
        chunk: Chunk | None = None
        for line, index, failed, tried in sorted(self._failed, key=lambda one: one[:2]):
            if chunk is None or line > chunk.end.lines:
                at = bisect_left(self._ends, line, key=lambda end: end.lines)
                (chunk, *_) = self._store.read(self._owner.stream, self._ends[at - 1].offset, 1)
            event = chunk.lines[line - chunk.start.lines - 1].rstrip(b"\n")
            letters.append(
                DeadLetter(
                    connection=self._owner.connection,
                    line=line,
                    subscription=self.names[index],
                    event=event,
                    code=failed.code,
                    outcome=failed.to_json(),
                    tries=tried.tries if tried else 1,
                    first=tried.first if tried else now,
                    message_id=message_id_of(event),
                )
            )
        return letters


def _by_index(before: StreamCheckpoint, names: Sequence[str]) -> dict[int, list[range]]:
    """Return the open lines by index of the subscription; removed subscriptions are left out."""
    found: dict[int, list[range]] = {}
    gone = 0
    for name, lines in before.lines():
        if name in names:
            found.setdefault(names.index(name), []).append(lines)
        else:
            gone += len(lines)
    if gone:
        _logger.warning(
            "%d results of connection `%s` are missing for subscriptions that it no longer has.",
            gone,
            before.serves.name,
        )
    return found


def _meets(lines: range, spans: Sequence[range]) -> bool:
    """Return whether ascending spans hold any of *lines*."""
    at = bisect_left(spans, lines.start, key=lambda one: one.stop - 1)
    return at < len(spans) and spans[at].start < lines.stop


def _number(unsettled: Mapping[int, Iterable[range]]) -> int:
    return sum(len(one) for spans in unsettled.values() for one in spans)
