"""Erasing people from a PostgreSQL store."""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping, Sequence

from framework.relay.event_store import Erased
from framework.relay.postgres_ledger import erase_people
from framework.relay.postgres_sessions import Session

_CHUNKS = """
select c.stream, c.seq, c.lines, c.body from chunks c join streams s on s.id = c.stream
where s.name = %s and exists(
  select from unnest(%s::bigint[]) line where line > c.lines and line <= c.lines + c.n)
order by c.seq for update of c
"""


def erase(
    session: Session,
    lines: Mapping[str, Collection[int]],
    letters: Sequence[int],
    people: Sequence[bytes],
) -> Erased:
    """Empty lines of streams, and delete dead letters by ID and all states of people."""
    with session.transaction():
        events = sum(
            _empty(session, stream, numbers) for stream, numbers in lines.items() if numbers
        )
        query = "delete from dead_letters where id = any(%s)"
        deleted = session.execute(query, ([*letters],)).rowcount
        return Erased(events, deleted, erase_people(session, people))


def _empty(session: Session, stream: str, numbers: Collection[int]) -> int:
    """Empty lines of a stream, by number; return how many were there."""
    chunks = session.cursor(binary=True).execute(_CHUNKS, (stream, sorted(numbers))).fetchall()
    erased = 0
    for key, seq, before, body in chunks:
        rows = io.BytesIO(body).readlines()
        for number in numbers:
            if before < number <= before + len(rows):
                rows[number - before - 1] = b"\n"
                erased += 1
        left = b"".join(rows)
        session.execute(
            "update chunks set body = %b where stream = %s and seq = %s", (left, key, seq)
        )
        session.execute(
            "update streams set bytes = bytes - %s where id = %s", (len(body) - len(left), key)
        )
    return erased
