"""Preparing spans of a file in worker processes: decoding and mapping, without sending.

The parent process receives the spans in the order of the file, so that events about one user stay
in order; it alone sends requests, within one rate limit, and writes the checkpoint.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import connection as pipes
from multiprocessing import get_context, parent_process
from typing import Any, Final

from framework.delivery import Completion, Connection, Intake
from framework.errors import ConfigurationError, StorageError
from framework.events import EventFile, Position, Rejected
from framework.relay.ingest import IngestedSpan, ingest
from framework.relay.selected_lines import Since

SPAN_SIZE: Final = 4 * 1024 * 1024
"""Bytes of the file that are prepared at once."""

_AHEAD: Final = 2
"""Maximum number of spans per process that are prepared ahead."""


@dataclass(frozen=True, slots=True)
class MappingProcess:
    """Prepares spans in a worker process; *max_line* is in bytes, *named* requests message IDs.

    What is before *since* is not prepared.
    """

    intake: Intake
    name: str
    max_line: int
    named: bool
    since: Since | None = None

    def prepare(self, start: int, stop: int) -> IngestedSpan:
        """Prepare the lines between two offsets; raises StorageError if the file cannot be read."""
        completions: list[Completion] = []
        names: list[tuple[Sequence[int], list[object]]] = []
        rejected: list[Rejected] = []
        end = Position(start)
        with EventFile(self.name, self.max_line) as source:
            for chunk in source.chunks(end, stop):
                taken = ingest(
                    chunk, self.intake, self.max_line, named=self.named, since=self.since
                )
                completions += taken.completions
                rejected += taken.rejected
                names.append((taken.lines, list(taken.message_ids)) if self.named else ((), []))
                end = chunk.end
        return IngestedSpan(
            self.intake.prepared(completions),
            end,
            [line for lines, _ in names for line in lines],
            [one for _, message_ids in names for one in message_ids],
            rejected,
        )


class Preparing:
    """Worker processes that prepare the spans of a file.

    A signal to a whole group of processes ends them, too: once *stopping* returns true, that is
    no error, and `interrupted`.
    """

    def __init__(
        self,
        pool: ProcessPoolExecutor,
        spans: Iterator[tuple[int, int]],
        ahead: int,
        stopping: Callable[[], bool],
    ) -> None:
        self.interrupted = False
        self._stopping = stopping
        self._pool = pool
        self._spans = spans
        self._ahead = ahead
        self._pending: deque[Future[IngestedSpan]] = deque()
        self._submit()

    def __iter__(self) -> Iterator[IngestedSpan]:
        """Yield the spans in the order of the file, all of them unless interrupted.

        Raises StorageError if a process cannot read the file or was killed.
        """
        while self._pending:
            try:
                span = self._pending.popleft().result()
                self._submit()
            except BrokenProcessPool as error:
                if self._stopping():
                    self.interrupted = True
                    return
                raise StorageError(
                    "A worker process ended unexpectedly, possibly for lack of memory. "
                    "Run the same command again to resume, with fewer --processes."
                ) from error
            yield span

    def _submit(self) -> None:
        while len(self._pending) < self._ahead and (span := next(self._spans, None)):
            self._pending.append(self._pool.submit(_prepare, *span))


@contextmanager
def preparing(  # noqa: PLR0913 - each is an option of a run
    connection: Connection,
    source: EventFile,
    start: int,
    processes: int,
    *,
    named: bool,
    stopping: Callable[[], bool],
    since: Since | None = None,
) -> Iterator[Preparing]:
    """Prepare the spans of *source* from the offset *start* on, until the context ends.

    Raises ConfigurationError if the operating system has no fork.
    """
    if not hasattr(os, "fork"):
        raise ConfigurationError(
            "This operating system does not support worker processes. Use --processes 1."
        )
    intake = connection.intake(named=named)
    worker = MappingProcess(intake, source.name, source.max_line, named, since)
    pool = ProcessPoolExecutor(processes, get_context("fork"), _begin, (worker,))
    try:
        yield Preparing(pool, source.spans(start, SPAN_SIZE), _AHEAD * processes, stopping)
    finally:
        pool.shutdown(cancel_futures=True)


_here: dict[str, MappingProcess] = {}
"""The worker of this process, if it is a worker process."""


def _begin(worker: MappingProcess) -> None:
    """Initialize a worker process; only the parent handles interrupts."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _here["worker"] = worker


def _end_with_parent() -> None:
    parent: Any = parent_process()
    pipes.wait([parent.sentinel])
    os._exit(1)


def _prepare(start: int, stop: int) -> IngestedSpan:
    return _here["worker"].prepare(start, stop)
