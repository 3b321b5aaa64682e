"""Stores that keep events from acceptance until every connection has settled them.

A *stream* holds what one source sent, as numbered chunks of lines. A *cursor* is the committed
position of one connection in its stream: every chunk up to it is settled. Chunks below the lowest
cursor of their stream are deleted. One process at a time works for a connection, as its *owner*.

Stores raise StorageError if they cannot be read or written, and StoreFullError, which is one, if
they have no room. All methods are safe under threads.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from itertools import chain
from typing import Any, NamedTuple, Protocol, Self

from msgspec import Struct

from framework.clock import Clock
from framework.delivery import MemberChange, RateStore
from framework.events import Chunk, Position
from framework.relay.ledger_store import Claim, Doubt, LedgerStore
from framework.state_store import StateStore


def process_name() -> str:
    """Return the host and the number of this process, as `host/pid`."""
    return f"{socket.gethostname()[:40]}/{os.getpid()}"


class Appended(NamedTuple):
    """The number of lines that were *stored*, and of those left out because they are *repeated*."""

    stored: int
    repeated: int


class DeadLetter(Struct, frozen=True, kw_only=True):
    """An event that one subscription could not deliver.

    *line* is its number in the stream and *event* its JSON text. *outcome* is the result as JSON,
    *code* its code. *first* is the time of the first failure and *at* that of the dead letter, in
    seconds since 1970. *replay* says whether a replay is requested.
    The store assigns *id*, and *at* if it is 0.
    """

    connection: str
    line: int
    subscription: str
    event: bytes
    code: str
    outcome: dict[str, Any]
    tries: int = 1
    first: float = 0.0
    message_id: str = ""
    at: float = 0.0
    id: int = 0
    replay: bool = False


def letter_to_json(letter: DeadLetter) -> dict[str, Any]:
    """Return a letter without its event, with its ID as hexadecimal text and readable times."""
    times = (letter.first, letter.at)
    first, at = (datetime.fromtimestamp(one, UTC).isoformat(timespec="seconds") for one in times)
    return {
        "id": f"{letter.id:012x}",
        "connection": letter.connection,
        "subscription": letter.subscription,
        "line": letter.line,
        "messageId": letter.message_id or None,
        "failedAt": at,
        "first": first,
        "tries": letter.tries,
        **letter.outcome,
    }


class DeadLetterFilter(Struct, frozen=True, kw_only=True):
    """Selects dead letters that agree in everything that is given; times are *at* of a letter.

    *since* is included, *until* is not.
    """

    connection: str | None = None
    subscription: str | None = None
    code: str | None = None
    message_id: str | None = None
    since: float | None = None
    until: float | None = None
    ids: Sequence[int] | None = None


def joined(chunks: Iterable[Chunk], most: int = 1000) -> Iterator[Chunk]:
    """Yield consecutive chunks as fewer ones, of at most *most* lines unless one alone has more.

    This keeps the cost of each chunk low, even if each event came in a request of its own.
    """
    held: list[Chunk] = []
    for chunk in chunks:
        if held and chunk.end.lines - held[0].start.lines > most:
            yield _one(held)
            held = []
        held.append(chunk)
    if held:
        yield _one(held)


def _one(chunks: list[Chunk]) -> Chunk:
    lines = list(chain.from_iterable(chunk.lines for chunk in chunks))
    return Chunk(lines, chunks[0].start, chunks[-1].end)


EVERY_LETTER = DeadLetterFilter()


class DeadLetters(Protocol):
    """The dead letters of all connections of a store."""

    def count(self, which: DeadLetterFilter = EVERY_LETTER) -> int:
        """Return the number of letters."""

    def list(
        self, which: DeadLetterFilter = EVERY_LETTER, *, after: int = 0, most: int = 100
    ) -> list[DeadLetter]:
        """Return at most *most* letters with an ID above *after*, by ID."""

    def replay(self, which: DeadLetterFilter = EVERY_LETTER) -> int:
        """Request a replay of letters from the owners of their connections; return their number."""

    def drop(self, which: DeadLetterFilter = EVERY_LETTER) -> int:
        """Delete letters; return their number."""


class Owner(Claim, Protocol):
    """The right to work for a connection that reads a stream.

    *position* is where it starts: everything before is settled. *checkpoint* is the content of the
    last save, empty for a new cursor. *epoch* is higher for every owner of the connection.
    """

    @property
    def stream(self) -> str:
        """The name of the stream that it reads."""

    @property
    def epoch(self) -> int:
        """The number of this ownership."""

    @property
    def position(self) -> Position:
        """The committed position when the ownership began."""

    @property
    def checkpoint(self) -> bytes:
        """The checkpoint when the ownership began."""

    def save(  # noqa: PLR0913, PLR0917 - what one transaction saves
        self,
        committed: int,
        checkpoint: bytes,
        dead_letters: Sequence[DeadLetter] = (),
        replayed: Sequence[int] = (),
        members: Sequence[MemberChange] = (),
        resolved: Sequence[int] = (),
    ) -> None:
        """Save progress in one transaction, durable when this returns.

        *committed* is the number of the last chunk of which every line is settled; a lower one
        than before counts as the one before. *dead_letters* are added, or replace those of the
        same line and subscription; those with the IDs *replayed* are removed. *members* are saved
        in the ledger, and the doubts with the IDs *resolved* are removed. Chunks that no connection
        needs any longer are deleted.
        Raises OwnershipLostError, and saves nothing, if another owner has taken over.
        """

    def replays(self, most: int = 1000) -> list[DeadLetter]:
        """Return dead letters of the connection for which a replay is requested, by ID."""

    def doubts(self, most: int = 1000) -> list[Doubt]:
        """Return the doubts about people in audiences of the connection, by ID."""


class Erased(NamedTuple):
    """The numbers of events, dead letters and states of people in audiences that were erased."""

    events: int
    dead_letters: int
    members: int


class CursorStatus(NamedTuple):
    """A connection's cursor: committed chunk, lines *waiting* after it, whether it is *owned*.

    *owner* is the process that works for the connection, see `process_name`; empty without one.
    """

    connection: str
    stream: str
    epoch: int
    committed: int
    waiting: int
    owned: bool
    owner: str = ""


class EventStore(Protocol):
    """Keeps events, cursors, rates, dead letters and state; a context manager that closes it."""

    def append(
        self, stream: str, lines: Sequence[bytes], ids: Sequence[str | None] = ()
    ) -> Appended:
        """Add lines to a stream, durable when this returns; a new stream is created.

        Lines hold no line feed. *ids* are the message IDs, aligned with *lines*, or empty: a line
        is left out if its ID was stored in the stream within the store's window.
        Raises StoreFullError if there is no room; nothing is stored then.
        """

    def submit(
        self, stream: str, lines: Sequence[bytes], ids: Sequence[str | None] = ()
    ) -> Future[Appended]:
        """Do the same as `append` in the background; lines submitted first are stored first."""

    def read(self, stream: str, after: int, most: int = 10_000) -> list[Chunk]:
        """Return the chunks after number *after*, at least one if there is any.

        Stops at the chunk that completes *most* lines. The offset of a `Position` is the number of
        the last chunk before it.
        """

    def wait(
        self,
        stream: str,
        after: int,
        seconds: float,
        until: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Wait until there is a chunk after number *after*; return whether there is.

        The wait ends early when *until* returns true, which is checked after `wake`.
        """

    def wake(self) -> None:
        """Make all waits of this process check their *until*."""

    def own(self, connection: str, stream: str, *, from_start: bool = False) -> Owner | None:
        """Become the owner of a connection that reads *stream*; None if it has another owner.

        A new cursor begins at the end of the stream, or *from_start*, at its oldest line.
        Raises ConfigurationError if the connection has a cursor in another stream.
        """

    def claim(self, connection: str) -> Claim | None:
        """Become the one that works for a connection without a stream, such as a run over a file.

        Excludes owners and other claims of the connection; None if there is one.
        """

    def workers(self, connections: Sequence[str]) -> int:
        """Take part in working for *connections*; return the number of processes that do.

        They are counted while they live, and only those that take part in the same connections.
        A store that does not divide connections returns 1.
        """

    def cursors(self) -> list[CursorStatus]:
        """Return all cursors, by name of the connection."""

    def drop(self, connection: str) -> bool:
        """Remove a connection's cursor, dead letters and memberships; return whether it was known.

        It is known if it has a cursor or memberships. What only this connection has not settled is
        deleted.
        """

    def erase(
        self,
        lines: Mapping[str, Collection[int]],
        letters: Sequence[int] = (),
        people: Sequence[bytes] = (),
    ) -> Erased:
        """Erase what is kept about somebody, in one transaction, durable when this returns.

        *lines* are numbers of lines by stream, which are empty afterwards, so that they hold no
        event any more; *letters* are IDs of dead letters, and *people* digests in the ledger,
        which are deleted. A process that has read a line before may still deliver it.
        """

    def rates(self, account: str) -> RateStore:
        """Return the state of the throttles for *account*, in readings of `clock`."""

    @property
    def clock(self) -> Clock:
        """The clock of rates, the same for all processes that use the store."""

    @property
    def dead_letters(self) -> DeadLetters:
        """The dead letters of all connections."""

    @property
    def ledger(self) -> LedgerStore:
        """The memberships of all connections."""

    @property
    def state(self) -> StateStore:
        """Tokens and other state."""

    def check(self, seconds: float = 5.0) -> None:
        """Raise StorageError if nothing can be written within *seconds*."""

    def close(self) -> None:
        """Complete what was submitted, release all connections, and close the store."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...
