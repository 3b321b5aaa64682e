"""The ledger of memberships in an SQLite store.

A state is `2 * wanted + confirmed`. `version` of an audience is another random number once what was
confirmed counts no longer: states that were confirmed before are then saved as not confirmed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeAlias

from framework.delivery import Audience, Known, Member, MemberChange
from framework.relay.ledger_store import AudienceStatus, Doubt
from framework.relay.member_digests import MemberDigests
from framework.relay.sqlite_state import SQLiteState
from framework.relay.sqlite_writer import Reader, WriterThread

_QUERY: Final = 900
"""People that one query looks for."""

_WHERE: Final = "account = ? and lane = ? and scope = ? and naming = ? and name = ?"

_UNCONFIRM_ALL: Final = (
    "update members set state = state - 1 where state in (1, 3) and audience = ?"
)

_FORGET: Final = "update members set state = 2 where state = 3 and audience = ?"

_PART: Final = 20_000
"""Members of an audience that one transaction goes through when all of them are changed."""

_SAVE: Final = (
    "insert into members(audience, person, state, since) values(?, ?, ?, ?) "
    "on conflict do update set state = excluded.state, since = excluded.since"
)

_STATUS: Final = "a.id, a.connection, a.account, a.lane, a.scope, a.naming, a.name"


class AudienceRow(NamedTuple):
    """An audience in the database; *version* is None if nothing counts as confirmed."""

    id: int
    version: int | None


Fence: TypeAlias = Callable[[sqlite3.Connection], None]
"""Raises OwnershipLostError if another process works for the connection."""


class SQLiteLedger:
    """The memberships of all connections of a store."""

    def __init__(self, writer: WriterThread, reader: Reader, state: SQLiteState) -> None:
        self.writer = writer
        self.reader = reader
        self.digests = MemberDigests(state).digests

    def audiences(self, connection: str | None = None) -> list[AudienceStatus]:
        """Return all audiences, or those that one connection changes, by connection and name."""
        query = (
            f"select {_STATUS}, "  # noqa: S608 - names of columns
            "(select count(*) from members where audience = a.id and state >= 2), "
            "case when a.shared or a.ambiguous "
            "then (select count(*) from members where audience = a.id) "
            "else (select count(*) from members where audience = a.id and state in (0, 2)) end, "
            "a.shared, a.ambiguous from audiences a where ?1 is null or a.connection = ?1 "
            "order by a.connection, a.name, a.id"
        )
        with self.reader("read") as database:
            return [_status(row) for row in database.execute(query, (connection,))]

    def members(
        self, audience: int, *, pending: bool = False, after: bytes = b"", most: int = 10_000
    ) -> list[tuple[bytes, Member]]:
        """Return at most *most* people with a digest above *after*, by digest."""
        with self.reader("read") as database:
            trusted = _is_trusted(database, audience)
            pending_only = "and state in (0, 2)" if pending and trusted else ""
            rows = database.execute(
                f"select person, state, since from members where audience = ? {pending_only} "  # noqa: S608
                "and person > ? order by person limit ?",
                (audience, after, most),
            )
            return [
                (person, _member(state, since, trusted=trusted)) for person, state, since in rows
            ]

    def person(self, people: Sequence[bytes]) -> list[tuple[AudienceStatus, bytes, Member]]:
        """Return the states of people in all audiences; the statuses have no counts (0)."""
        found = []
        with self.reader("read") as database:
            for some, marks in _some(people):
                rows = database.execute(
                    f"select {_STATUS}, 0, 0, a.shared, a.ambiguous, m.person, m.state, m.since "  # noqa: S608
                    "from audiences a cross join members m on m.audience = a.id "
                    f"where m.person in ({marks}) order by a.connection, a.name, a.id",
                    some,
                )
                for *status, person, state, since in rows:
                    one = _status(status)
                    trusted = not (one.shared or one.ambiguous)
                    found.append((one, person, _member(state, since, trusted=trusted)))
        return found

    def clear(self, audience: int) -> int:
        """Record that nobody's state is confirmed; return the number of people changed."""
        with self.reader("read") as database:
            group = _group(database, audience)
        number = sum(self.unconfirm_in_parts(one, _UNCONFIRM_ALL) for one in group)
        return number + self.writer.run(lambda database: _clear_group(database, audience))

    def unconfirm_in_parts(self, audience: int, update: str) -> int:
        """Run *update* on the members of an audience, part by part; return the number of changes.

        So other writes, such as appends, need not wait for millions of rows.
        """
        number, after = 0, b""
        while True:
            last, found = self.writer.run(partial(_update_part, audience, update, after))
            number += found
            if last is None:
                return number
            after = last

    def erase(self, people: Sequence[bytes]) -> int:
        """Delete everything about people; return the number of states deleted."""
        return self.writer.run(lambda database: erase_people(database, people))

    def drop(self, connection: str) -> int:
        """Delete the audiences of a connection, and its doubts; return the number of people."""
        return self.writer.run(lambda database: drop_audiences(database, connection)[1])

    def doubts(self, connection: str) -> int:
        """Return the number of doubts about people in audiences of a connection."""
        query = "select count(*) from doubts where connection = ?"
        with self.reader("read") as database:
            (number,) = database.execute(query, (connection,)).fetchone()
        return int(number)

    def doubt(self, connection: str, doubts: Sequence[Doubt]) -> None:
        """Record that calls about people may arrive late; their state is not confirmed any more."""

        def write(database: sqlite3.Connection) -> None:
            for one in doubts:
                key = (one.account, *one.audience)
                database.execute(
                    "insert into doubts"
                    "(connection, account, lane, scope, naming, name, person, identifier) "
                    "values(?, ?, ?, ?, ?, ?, ?, ?)",
                    (connection, *key, one.person, one.identifier),
                )
                query = f"select id from audiences where {_WHERE}"  # noqa: S608
                if row := database.execute(query, key).fetchone():
                    _unconfirm(database, row[0], [one.person])

        self.writer.run(write)


class SQLiteMemberships:
    """The memberships that *connection* changes in one account at the partner."""

    def __init__(self, ledger: SQLiteLedger, account: str, connection: str, fence: Fence) -> None:
        self.digests = ledger.digests
        self._ledger = ledger
        self._writer, self._reader = ledger.writer, ledger.reader
        self._account = account
        self._connection = connection
        self._fence = fence

    def look_up(self, audience: Audience, people: Sequence[bytes]) -> Known:
        """Return the saved states of people, and record that the connection changes them."""
        with self._reader("read") as database:
            row = find_audience(database, self._account, audience, self._connection)
            if row:
                return _look_up(database, row, people)
        row = self._writer.run(lambda database: self._use(database, audience))
        with self._reader("read") as database:
            return _look_up(database, row, people)

    def unconfirm(self, audience: Audience, people: Sequence[bytes]) -> None:
        """Record durably that the state of those people is not confirmed any more."""
        self._writer.run(
            lambda database: _unconfirm(database, self._use(database, audience).id, people)
        )

    def forget_members(self, audience: Audience | None = None) -> int:
        """Record durably that nobody is confirmed as a member; return the number of changes."""

        def write(database: sqlite3.Connection) -> int:
            self._fence(database)
            return sum(database.execute(_FORGET, (one,)).rowcount for one in chosen)

        chosen = self._writer.run(
            lambda database: (
                [self._use(database, audience).id] if audience else self._audiences(database)
            )
        )
        number = sum(self._ledger.unconfirm_in_parts(one, _FORGET) for one in chosen)
        return number + self._writer.run(write)

    def erase(self, people: Sequence[bytes]) -> int:
        """Delete the states of people in all audiences; return their number."""

        def write(database: sqlite3.Connection) -> int:
            self._fence(database)
            query = "delete from members where audience = ? and person = ?"
            rows = [(one, who) for one in self._audiences(database) for who in people]
            return database.executemany(query, rows).rowcount if rows else 0

        return self._writer.run(write)

    def _audiences(self, database: sqlite3.Connection) -> list[int]:
        """Return the IDs of all audiences in the account that the connection may change."""
        query = "select id from audiences where account = ? and (shared or connection = ?)"
        rows = database.execute(query, (self._account, self._connection))
        return [number for (number,) in rows]

    def _use(self, database: sqlite3.Connection, audience: Audience) -> AudienceRow:
        self._fence(database)
        return use_audience(database, self._account, audience, self._connection)


def use_audience(
    database: sqlite3.Connection, account: str, audience: Audience, connection: str
) -> AudienceRow:
    """Return an audience, created if absent, which *connection* is about to change.

    It is shared if another connection changes it, and ambiguous if the account uses audiences of
    another naming in the same lane and scope.
    """
    if (row := find_audience(database, account, audience, connection)) is not None:
        return row
    key = (account, *audience)
    database.execute(
        "insert into audiences"
        "(account, lane, scope, naming, name, connection, used, shared, ambiguous, version) "
        "values(?, ?, ?, ?, ?, ?, 0, 0, 0, random()) on conflict do nothing",
        (*key, connection),
    )
    database.execute(
        "update audiences set shared = used and (shared or connection <> ?), "  # noqa: S608
        "connection = case when used then connection else ? end, used = 1, version = random() "
        f"where {_WHERE}",
        (connection, connection, *key),
    )
    group = (account, audience.lane, audience.scope)
    database.execute(
        "update audiences set ambiguous = 1, version = random() "
        "where account = ?1 and lane = ?2 and scope = ?3 and not ambiguous and "
        "(select count(distinct naming) from audiences "
        "where account = ?1 and lane = ?2 and scope = ?3 and used) > 1",
        group,
    )
    found = find_audience(database, account, audience, connection)
    assert found is not None
    return found


def find_audience(
    database: sqlite3.Connection, account: str, audience: Audience, connection: str
) -> AudienceRow | None:
    """Return an audience, or None if it is not recorded that *connection* changes it."""
    row = database.execute(
        "select id, shared, ambiguous, version from audiences "  # noqa: S608
        f"where {_WHERE} and used and (shared or connection = ?)",
        (account, *audience, connection),
    ).fetchone()
    if row is None:
        return None
    number, shared, ambiguous, version = row
    return AudienceRow(number, None if shared or ambiguous else version)


def _look_up(database: sqlite3.Connection, row: AudienceRow, people: Sequence[bytes]) -> Known:
    """Return the saved states of people in an audience."""
    found: dict[bytes, Member] = {}
    trusted = row.version is not None
    for some, marks in _some(sorted(people)):
        query = (
            "select person, state, since from members "  # noqa: S608
            f"where audience = ? and person in ({marks})"
        )
        for person, state, since in database.execute(query, (row.id, *some)):
            found[person] = _member(state, since, trusted=trusted)
    return Known(row.version, found)


def _unconfirm(database: sqlite3.Connection, audience: int, people: Iterable[bytes]) -> None:
    """Record that the state of people in an audience, given by its ID, is not confirmed."""
    for some, marks in _some(sorted(people)):
        database.execute(f"{_UNCONFIRM_ALL} and person in ({marks})", (audience, *some))


def _clear_audience(database: sqlite3.Connection, audience: int) -> int:
    """Record that nobody's state in an audience is confirmed; return the number of changes."""
    database.execute("update audiences set version = random() where id = ?", (audience,))
    return database.execute(_UNCONFIRM_ALL, (audience,)).rowcount


def save_members(
    database: sqlite3.Connection, account: str, connection: str, members: Sequence[MemberChange]
) -> None:
    """Save states of people in the audiences of an account."""
    for audience, changes in groupby(members, itemgetter(0)):
        number, version = use_audience(database, account, audience, connection)
        rows = [
            (
                number,
                person,
                2 * wanted + (confirmed and seen is not None and seen == version),
                since,
            )
            for _, person, (wanted, confirmed, since), seen in changes
        ]
        database.executemany(_SAVE, sorted(rows, key=itemgetter(1)))


def erase_people(database: sqlite3.Connection, people: Sequence[bytes]) -> int:
    """Delete everything about people; return the number of states deleted."""
    number = 0
    for some, marks in _some(people):
        number += database.execute(
            "delete from members where audience in (select id from audiences) "  # noqa: S608
            f"and person in ({marks})",
            some,
        ).rowcount
        database.execute(f"delete from doubts where person in ({marks})", some)  # noqa: S608
    return number


def drop_audiences(database: sqlite3.Connection, connection: str) -> tuple[bool, int]:
    """Delete the audiences and doubts of a connection.

    Return whether there were any, and the number of people.
    """
    doubts = database.execute("delete from doubts where connection = ?", (connection,)).rowcount
    found = database.execute(
        "select id, shared from audiences where connection = ?", (connection,)
    ).fetchall()
    number = 0
    for audience, shared in found:
        if shared:  # the other connection takes it over when it next changes it
            _clear_audience(database, audience)
            database.execute("update audiences set used = 0 where id = ?", (audience,))
        else:
            query = "delete from members where audience = ?"
            number += database.execute(query, (audience,)).rowcount
            database.execute("delete from audiences where id = ?", (audience,))
    return bool(found or doubts), number


def doubts_of(database: sqlite3.Connection, connection: str, most: int) -> list[Doubt]:
    """Return the doubts about people in audiences of a connection, by ID."""
    rows = database.execute(
        "select lane, scope, naming, name, person, identifier, account, id from doubts "
        "where connection = ? order by id limit ?",
        (connection, most),
    )
    return [Doubt(Audience(*row[:4]), *row[4:]) for row in rows]


def remove_doubts(database: sqlite3.Connection, connection: str, resolved: Sequence[int]) -> None:
    """Delete the doubts of a connection with certain IDs."""
    rows = [(connection, one) for one in resolved]
    database.executemany("delete from doubts where connection = ? and id = ?", rows)


def _update_part(
    audience: int, update: str, after: bytes, database: sqlite3.Connection
) -> tuple[bytes | None, int]:
    """Update members with digests above *after*; return the last digest, None at the end."""
    (last,) = database.execute(
        "select max(person) from (select person from members where audience = ? and person > ? "
        "order by person limit ?)",
        (audience, after, _PART),
    ).fetchone()
    if last is None:
        return None, 0
    query = f"{update} and person > ? and person <= ?"
    return last, database.execute(query, (audience, after, last)).rowcount


def _group(database: sqlite3.Connection, audience: int) -> list[int]:
    """Return the IDs of an audience and of those that may be the same one."""
    rows = database.execute(
        "select b.id from audiences a join audiences b on a.id = b.id or (a.ambiguous and "
        "a.account = b.account and a.lane = b.lane and a.scope = b.scope) where a.id = ?",
        (audience,),
    )
    return [number for (number,) in rows]


def _clear_group(database: sqlite3.Connection, audience: int) -> int:
    """Clear an audience and those that may be the same one; nobody counts as using them."""
    number = 0
    for one in _group(database, audience):
        number += _clear_audience(database, one)
        unused = "update audiences set used = 0, shared = 0, ambiguous = 0 where id = ?"
        database.execute(unused, (one,))
    return number


def _status(row: Sequence[Any]) -> AudienceStatus:
    number, connection, account, *audience, members, pending, shared, ambiguous = row
    counts = (members, pending, bool(shared), bool(ambiguous))
    return AudienceStatus(number, connection, account, Audience(*audience), *counts)


def _member(state: int, since: int, *, trusted: bool) -> Member:
    return Member(state >= 2, trusted and bool(state & 1), since)


def _is_trusted(database: sqlite3.Connection, audience: int) -> bool:
    query = "select shared or ambiguous from audiences where id = ?"
    row = database.execute(query, (audience,)).fetchone()
    return row is not None and not row[0]


def _some(people: Sequence[bytes]) -> Iterator[tuple[Sequence[bytes], str]]:
    """Yield parts of *people* that one query takes, with as many question marks."""
    for start in range(0, len(people), _QUERY):
        some = people[start : start + _QUERY]
        yield some, ",".join("?" * len(some))
