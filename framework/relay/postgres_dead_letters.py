"""The dead letters of a PostgreSQL store."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from framework.relay.event_store import EVERY_LETTER, DeadLetter, DeadLetterFilter
from framework.relay.postgres_sessions import Session, Sessions

_COLUMNS: Final = (
    "connection, line, subscription, event, code, outcome, tries, first, message_id, at, id, replay"
)

_ADD: Final = """
insert into dead_letters
(connection, line, subscription, event, code, outcome, tries, first, message_id, at)
values(%s, %s, %b, %b, %b, %b, %s, %s, %b, %s)
on conflict(connection, line, subscription) do update set code = excluded.code,
  outcome = excluded.outcome, tries = excluded.tries, first = excluded.first, at = excluded.at,
  replay = false
"""


class PostgresDeadLetters:
    """The dead letters of all connections of a store."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def count(self, which: DeadLetterFilter = EVERY_LETTER) -> int:
        """Return the number of letters."""
        where, values = _where(which)
        query = f"select count(*) from dead_letters where {where}".encode()  # noqa: S608
        rows = self._sessions.run("read", lambda one: one.execute(query, values).fetchall())
        return int(rows[0][0])

    def list(
        self, which: DeadLetterFilter = EVERY_LETTER, *, after: int = 0, most: int = 100
    ) -> list[DeadLetter]:
        """Return at most *most* letters with an ID above *after*, by ID."""
        where, values = _where(which)
        return self._sessions.run(
            "read", lambda one: _letters(one, f"{where} and id > %s", [*values, after, most])
        )

    def replay(self, which: DeadLetterFilter = EVERY_LETTER) -> int:
        """Request a replay of letters from the owners of their connections; return their number."""
        return self._change("update dead_letters set replay = true", which)

    def drop(self, which: DeadLetterFilter = EVERY_LETTER) -> int:
        """Delete letters; return their number."""
        return self._change("delete from dead_letters", which)

    def _change(self, act: str, which: DeadLetterFilter) -> int:
        where, values = _where(which)
        query = f"{act} where {where}".encode()
        return self._sessions.run("written", lambda one: one.execute(query, values).rowcount)


def add_letters(session: Session, connection: str, letters: Iterable[DeadLetter]) -> None:
    """Add letters, or replace those of the same line and subscription."""
    now = time.time()
    rows = [
        (
            connection,
            one.line,
            packed(one.subscription),
            one.event,
            packed(one.code),
            msgspec.json.encode(one.outcome),
            one.tries,
            one.first,
            packed(one.message_id),
            one.at or now,
        )
        for one in letters
    ]
    if rows:
        session.cursor().executemany(_ADD, rows)


def remove_letters(session: Session, connection: str, ids: Sequence[int]) -> None:
    """Remove the letters of a connection that have one of *ids*."""
    if ids:
        query = "delete from dead_letters where id = any(%s) and connection = %s"
        session.execute(query, ([*ids], connection))


def delete_letters(session: Session, connection: str) -> None:
    """Delete all letters of a connection."""
    session.execute("delete from dead_letters where connection = %s", (connection,))


def letters_to_replay(session: Session, connection: str, most: int) -> list[DeadLetter]:
    """Return at most *most* letters of a connection for which a replay is requested, by ID."""
    return _letters(session, "connection = %s and replay", [connection, most])


def packed(text: str) -> bytes:
    """Return text as it is kept, since it may hold what PostgreSQL's text cannot."""
    return text.encode("utf-8", "surrogatepass")


def unpacked(content: bytes) -> str:
    """Return the text that was kept by `packed`."""
    return content.decode("utf-8", "surrogatepass")


def _letters(session: Session, where: str, values: Sequence[Any]) -> list[DeadLetter]:
    query = f"select {_COLUMNS} from dead_letters where {where} order by id limit %s"  # noqa: S608
    return [_letter(row) for row in session.cursor(binary=True).execute(query.encode(), values)]


def _letter(row: Sequence[Any]) -> DeadLetter:
    values = dict(zip(_COLUMNS.split(", "), row, strict=True))
    texts = {name: unpacked(values[name]) for name in ("subscription", "code", "message_id")}
    outcome = msgspec.json.decode(values["outcome"])
    return DeadLetter(**{**values, **texts, "outcome": outcome})


def _where(which: DeadLetterFilter) -> tuple[str, list[Any]]:
    """Return a condition of SQL and its values."""
    texts = ("subscription", "code", "message_id")
    given: list[tuple[str, Any]] = [
        (f"{name} = %s", None if (text := getattr(which, name)) is None else packed(text))
        for name in texts
    ]
    given += [("connection = %s", which.connection)]
    given += [("at >= %s", which.since), ("at < %s", which.until)]
    if which.ids is not None:
        given.append(("id = any(%s::bigint[])", [*which.ids]))
    chosen = [(part, value) for part, value in given if value is not None]
    return " and ".join(["true", *(part for part, _ in chosen)]), [value for _, value in chosen]
