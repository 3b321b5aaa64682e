"""Parts of a file prepared in processes of their own: decoded, mapped and identified, not sent.

The parent takes the parts in the order of the file, so that whatever is about one user is batched
in that order; it alone makes calls, within one rate, and keeps the checkpoint.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import connection as pipes
from multiprocessing import get_context, parent_process
from typing import Any, Final

from framework.delivery import Completion, Connection, Intake
from framework.errors import ConfigurationError, StorageError
from framework.relay.decoding import Rejected
from framework.relay.files import EventFile, Position
from framework.relay.ingest import IngestedSpan, ingest

PART: Final = 4 * 1024 * 1024
"""Bytes of the file that are prepared at once."""

_AHEAD: Final = 2
"""Parts for each process that may be prepared and not be taken yet."""


@dataclass(frozen=True, slots=True)
class Worker:
    """What a process needs to prepare parts."""

    intake: Intake
    name: str
    max_line: int
    named: bool

    def prepare(self, start: int, stop: int) -> IngestedSpan:
        """Prepare the lines between two offsets."""
        settled: list[Completion] = []
        names: list[tuple[Sequence[int], list[object]]] = []
        rejected: list[Rejected] = []
        end = Position(start)
        with EventFile(self.name, self.max_line) as source:
            for chunk in source.chunks(end, stop):
                taken = ingest(chunk, self.intake, self.max_line, named=self.named)
                settled += taken.settled
                rejected += taken.rejected
                names.append((taken.lines, list(taken.message_ids)) if self.named else ((), []))
                end = chunk.end
        return IngestedSpan(
            self.intake.prepared(settled),
            end,
            [line for lines, _ in names for line in lines],
            [one for _, message_ids in names for one in message_ids],
            rejected,
        )


class Preparing:
    """Processes at work on the parts of a file, from *start* on."""

    def __init__(
        self, pool: ProcessPoolExecutor, parts: Iterator[tuple[int, int]], ahead: int
    ) -> None:
        self._pool = pool
        self._parts = parts
        self._ahead = ahead
        self._under_way: deque[Future[IngestedSpan]] = deque()
        self._submit()

    def __iter__(self) -> Iterator[IngestedSpan]:
        """Yield the parts in the order of the file.

        Raises StorageError where a process cannot read the file, or was ended from outside.
        """
        while self._under_way:
            try:
                part = self._under_way.popleft().result()
                self._submit()
            except BrokenProcessPool as error:
                raise StorageError(
                    "A process that prepares events has ended unexpectedly, for want of memory "
                    "perhaps. Run the same command again to go on, with fewer --processes."
                ) from error
            yield part

    def _submit(self) -> None:
        while len(self._under_way) < self._ahead and (part := next(self._parts, None)):
            self._under_way.append(self._pool.submit(_prepare, *part))


@contextmanager
def preparing(
    connection: Connection, source: EventFile, start: int, processes: int, *, named: bool
) -> Iterator[Preparing]:
    """Prepare the parts of *source* from the offset *start* on, while the context is open.

    Raises ConfigurationError where the system cannot copy a process.
    """
    if not hasattr(os, "fork"):
        raise ConfigurationError("This system cannot copy a process. Use --processes 1.")
    worker = Worker(connection.intake(named=named), source.name, source.max_line, named)
    pool = ProcessPoolExecutor(processes, get_context("fork"), _begin, (worker,))
    try:
        yield Preparing(pool, source.parts(start, PART), _AHEAD * processes)
    finally:
        pool.shutdown(cancel_futures=True)


_here: dict[str, Worker] = {}
"""The worker of this process, where it is one that prepares."""


def _begin(worker: Worker) -> None:
    """Begin to prepare, in a new process: whoever interrupts the run speaks to the parent."""
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
