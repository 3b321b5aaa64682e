"""Appending lines to the streams of a PostgreSQL store, many submissions in one transaction."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from itertools import accumulate
from typing import Any, Final, NamedTuple

from psycopg import errors

from framework.errors import StorageError, StoreFullError
from framework.relay.appended_lines import cut, message_digest
from framework.relay.event_store import Appended
from framework.relay.postgres_sessions import Address, OutOfReachError, Session, Sessions

_LARGEST: Final = 1000
"""Maximum submissions in one transaction."""

_LARGEST_BYTES: Final = 8 * 1024 * 1024
"""Size in bytes from which further submissions wait for the next transaction."""

# The row of the stream is locked until the end of the transaction, so that the numbers of chunks
# have no gaps and become visible in order. Nothing is stored if an ID is known already, or if the
# stream does not exist.
_APPEND: Final = """
with repeated as (select from seen where digest = any(%(digests)b::bytea[]) limit 1),
s as (
  update streams set next = next + %(chunks)s, lines = lines + %(number)s,
    kept = kept + %(number)s, bytes = bytes + %(size)s
  where name = %(stream)s and not exists (select from repeated)
  returning id, next - %(chunks)s as first, lines - %(number)s as before),
noted as (
  insert into seen(digest, turn)
  select one.digest, (select value from facts where name = 'seen_turn')::smallint
  from s, unnest(%(digests)b::bytea[]) as one(digest))
insert into chunks(stream, seq, lines, n, body)
select s.id, s.first + one.number - 1, s.before + one.ahead, one.n, one.body
from s, unnest(%(ahead)s::bigint[], %(numbers)s::integer[], %(bodies)b::bytea[])
  with ordinality as one(ahead, n, body, number)
"""


class StoreLimits(NamedTuple):
    """What a store named *store* keeps at most: bytes and number of events, None for any."""

    store: str
    max_bytes: int | None
    max_events: int | None

    @property
    def any(self) -> bool:
        """Whether there is a limit."""
        return self.max_bytes is not None or self.max_events is not None

    def check(self, size: int, number: int, more_size: int, more: int) -> None:
        """Raise StoreFullError if *more* events do not fit to the *number* that are kept."""
        if self.max_events is not None and number + more > self.max_events:
            raise StoreFullError(
                f"The store `{self.store}` is full: it holds {number:,} events of at most "
                f"{self.max_events:,}."
            )
        if self.max_bytes is not None and size + more_size > self.max_bytes:
            raise StoreFullError(
                f"The store `{self.store}` is full: it holds {size:,} bytes of events of at most "
                f"{self.max_bytes:,}."
            )


class _Submission(NamedTuple):
    stream: str
    lines: Sequence[bytes]
    digests: Sequence[bytes | None]
    future: Future[Any]


class _Call(NamedTuple):
    work: Callable[[Session], Any]
    future: Future[Any]


class AppenderThread:
    """Appends what is submitted, in a thread of its own; *on_commit* is called when it is durable.

    What is submitted while a transaction is committed joins the next one. Message IDs are
    remembered for *window* seconds of *now*, at most twice as long.
    """

    def __init__(
        self,
        address: Address,
        limits: StoreLimits,
        window: float,
        now: Callable[[], float],
        on_commit: Callable[[], None],
    ) -> None:
        self._shown = address.shown
        # The tables are used by their indexes, also before the server knows how large they are.
        self._sessions = Sessions(address, enable_seqscan="off")
        self._limits = limits
        self._window, self._now = window, now
        self._since: float | None = None  # of the table of IDs that is in turn, if known
        self._on_commit = on_commit
        self._waiting: deque[_Submission | _Call] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="store-appender", daemon=True)
        self._thread.start()

    def submit(
        self, stream: str, lines: Sequence[bytes], ids: Sequence[str | None]
    ) -> Future[Appended]:
        """Return the future result of an append; raises StorageError if the store is closed."""
        digests = [message_digest(stream, one) for one in ids] or [None] * len(lines)
        future: Future[Appended] = Future()
        self._add(_Submission(stream, lines, digests, future))
        return future

    def call(self, work: Callable[[Session], object]) -> Future[None]:
        """Return the future end of *work*, done when what was submitted before is durable."""
        future: Future[None] = Future()
        self._add(_Call(work, future))
        return future

    def close(self) -> None:
        """Complete what was submitted, and end the thread."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()
        self._sessions.close()

    def _add(self, one: _Submission | _Call) -> None:
        with self._wake:
            if self._closing:
                raise StorageError(f"The store `{self._shown}` is closed.")
            self._waiting.append(one)
            self._wake.notify()

    def _run(self) -> None:
        while some := self._take():
            streams: dict[str, list[_Submission]] = {}
            calls = []
            for one in some:
                if not one.future.set_running_or_notify_cancel():
                    continue
                if isinstance(one, _Call):
                    calls.append(one)
                else:
                    streams.setdefault(one.stream, []).append(one)
            for stream, group in streams.items():
                self._append(stream, group)
            for call in calls:
                self._finish([call.future], partial(self._called, call.work))

    def _take(self) -> list[_Submission | _Call]:
        """Return what is waiting, once there is something; nothing when the store is closed."""
        with self._wake:
            self._wake.wait_for(lambda: self._waiting or self._closing)
            some: list[_Submission | _Call] = []
            size = 0
            while self._waiting and len(some) < _LARGEST and size < _LARGEST_BYTES:
                one = self._waiting.popleft()
                some.append(one)
                size += sum(map(len, one.lines)) if isinstance(one, _Submission) else 0
            return some

    def _called(self, work: Callable[[Session], object]) -> Sequence[None]:
        self._sessions.run("written", work)
        return [None]

    def _append(self, stream: str, group: list[_Submission]) -> None:
        """Append submissions to a stream; one that fails alone does not harm the others."""
        futures = [one.future for one in group]
        alone = len(group) == 1
        if self._finish(futures, lambda: self._stored(stream, group), final=alone):
            self._on_commit()
            return
        for one in group:
            self._append(stream, [one])

    def _finish(
        self,
        futures: Sequence[Future[Any]],
        work: Callable[[], Sequence[object]],
        *,
        final: bool = True,
    ) -> bool:
        """Give futures the results of *work*, or its failure; return False if it may be split."""
        try:
            results = work()
        except BaseException as error:  # noqa: BLE001 - the thread must survive every error
            if not final and not isinstance(error, OutOfReachError):
                return False
            results = [error] * len(futures)
        for future, result in zip(futures, results, strict=True):
            if isinstance(result, BaseException):
                future.set_exception(result)
            else:
                future.set_result(result)
        return True

    def _stored(self, stream: str, group: list[_Submission]) -> Sequence[Appended | StoreFullError]:
        """Return a result for each submission, once all of them are durable."""
        digests = [digest for one in group for digest in one.digests if digest]
        if self._since is None or not 0 <= self._now() - self._since < self._window:
            self._sessions.run("written", self._turn)
        if not self._limits.any and len(digests) == len(set(digests)):
            lines = [line for one in group for line in one.lines]
            values = _values(stream, lines, digests)
            if self._sessions.run("written", lambda session: _store(session, values)):
                return [Appended(len(one.lines), 0) for one in group]
        return self._sessions.run("written", lambda one: self._store_some(one, stream, group))

    def _store_some(
        self, session: Session, stream: str, group: list[_Submission]
    ) -> Sequence[Appended | StoreFullError]:
        """Store what is not repeated and has room, in a transaction that locks the stream first."""
        with session.transaction():
            session.execute("lock table seen in row exclusive mode")  # first, as an append does
            query = "select from streams where name = %s for update"
            if not session.execute(query, (stream,)).rowcount:
                add = "insert into streams(name) values(%s) on conflict do nothing"
                session.execute(add, (stream,))
                session.execute(query, (stream,))
            known = _known(session, [digest for one in group for digest in one.digests if digest])
            staged: list[bytes] = []
            new: list[bytes] = []
            results: list[Appended | StoreFullError] = []
            held = session.execute("select sum(bytes), sum(kept) from streams").fetchone()
            assert held is not None
            size, number = map(int, held)
            for one in group:
                chosen, noted = _chosen(one, known)
                more = _size(chosen)
                try:
                    self._limits.check(size, number, more, len(chosen))
                except StoreFullError as error:
                    results.append(error)
                    continue
                size, number = size + more, number + len(chosen)
                staged += chosen
                new += noted
                known.update(noted)
                results.append(Appended(len(chosen), len(one.lines) - len(chosen)))
            if staged:
                _store(session, _values(stream, staged, new))
        return results

    def _turn(self, session: Session) -> None:
        """Empty the older table of IDs after a window, and use it for new ones."""
        with session.transaction():
            query = "select name, value from facts where name in ('seen_turn', 'seen_since')"
            rows = session.execute(f"{query} order by name for update".encode())
            facts: dict[str, float] = dict(rows.fetchall())
            now, since = self._now(), facts["seen_since"]
            if not 0 <= now - since < self._window:
                turn, since = 1 - int(facts["seen_turn"]), now
                session.execute(f"truncate seen_{turn}".encode())
                session.execute(
                    "update facts set value = case name when 'seen_turn' then %s else %s end "
                    "where name in ('seen_turn', 'seen_since')",
                    (float(turn), now),
                )
        self._since = since


def _store(session: Session, values: dict[str, object]) -> bool:
    """Append in one statement; return False, with nothing changed, if an ID is known already."""
    try:
        return session.execute(_APPEND, values).rowcount > 0
    except errors.UniqueViolation:  # another process appends the same at this moment
        return False


def _values(stream: str, lines: Sequence[bytes], digests: Sequence[bytes]) -> dict[str, object]:
    chunks = list(cut(lines))
    numbers = [len(one) for one in chunks]
    return {
        "stream": stream,
        "digests": digests,
        "chunks": len(chunks),
        "number": len(lines),
        "size": _size(lines),
        "ahead": [0, *accumulate(numbers)][: len(chunks)],
        "numbers": numbers,
        "bodies": [b"\n".join([*one, b""]) for one in chunks],
    }


def _known(session: Session, digests: Sequence[bytes]) -> set[bytes]:
    query = "select digest from seen where digest = any(%b::bytea[])"
    rows = session.cursor(binary=True).execute(query, (digests,)).fetchall() if digests else []
    return {row[0] for row in rows}


def _chosen(one: _Submission, known: set[bytes]) -> tuple[list[bytes], list[bytes]]:
    """Return the lines that are not repeated, and the digests of their IDs."""
    chosen, noted = [], dict[bytes, None]()
    for line, digest in zip(one.lines, one.digests, strict=True):
        if digest is None:
            chosen.append(line)
        elif digest not in known and digest not in noted:
            chosen.append(line)
            noted[digest] = None
    return chosen, [*noted]


def _size(lines: Sequence[bytes]) -> int:
    return sum(map(len, lines)) + len(lines)
