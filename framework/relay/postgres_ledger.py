"""The ledger of memberships in a PostgreSQL store.

A state is `2 * wanted + confirmed`. `version` of an audience is another random number once what was
confirmed counts no longer: states that were confirmed before are then saved as not confirmed.
Whoever saves states locks the audience against those that clear it or begin to share it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from framework.delivery import Audience, Known, Member, MemberChange
from framework.relay.ledger_store import AudienceStatus, Doubt
from framework.relay.member_digests import MemberDigests
from framework.relay.postgres_dead_letters import packed, unpacked
from framework.relay.postgres_sessions import Address, Session, Sessions
from framework.relay.postgres_state import PostgresState

Value = TypeVar("Value")

_RANDOM: Final = "floor(random() * 9007199254740991)::bigint"

_WHERE: Final = (
    "account = %(account)s and lane = %(lane)s and scope = %(scope)b and naming = %(naming)s "
    "and name = %(name)b"
)

_FIND: Final = (
    f"select id, case when shared or ambiguous then null else version end from audiences "  # noqa: S608 - no values
    f"where {_WHERE} and used and (shared or connection = %(connection)s)"
)

_LOOK_UP: Final = (
    "select case when a.shared or a.ambiguous then null else a.version end, "  # noqa: S608 - no values
    "m.person, m.state, m.since from audiences a left join members m "
    "on m.audience = a.id and m.person = any(%(people)b::bytea[]) "
    f"where {_WHERE} and used and (shared or connection = %(connection)s)"
)

_SAVE: Final = (
    "insert into members(audience, person, state, since) "
    "select %s, one.* from unnest(%b::bytea[], %s::smallint[], %s::bigint[]) as one "
    "on conflict(audience, person) do update set state = excluded.state, since = excluded.since"
)

_UNCONFIRM: Final = "update members set state = state - 1 where state in (1, 3) and audience = %s"

_STATUS: Final = "a.id, a.connection, a.account, a.lane, a.scope, a.naming, a.name"


class FencedSession(Protocol):
    """The session of the process that works for a connection."""

    @property
    def connection(self) -> str:
        """The name of the connection."""

    def write(self, work: Callable[[Session], Value]) -> Value:
        """Return the result of *work* in a transaction; raises OwnershipLostError if it is lost."""


class PostgresLedger:
    """The memberships of all connections of a store."""

    def __init__(self, sessions: Sessions, state: PostgresState) -> None:
        self.sessions = sessions
        self.digests = MemberDigests(state).digests

    def audiences(self, connection: str | None = None) -> list[AudienceStatus]:
        """Return all audiences, or those that one connection changes, by connection and name."""
        query = (
            f"select {_STATUS}, coalesce(m.members, 0), "  # noqa: S608 - names of columns
            "coalesce(case when a.shared or a.ambiguous then m.number else m.pending end, 0), "
            "a.shared, a.ambiguous from audiences a left join (select audience, count(*) as number,"
            " count(*) filter (where state >= 2) as members, "
            "count(*) filter (where state in (0, 2)) as pending from members "
            "where %(name)s::text is null or audience in "
            "(select id from audiences where connection = %(name)s) group by audience) m "
            "on m.audience = a.id where %(name)s::text is null or a.connection = %(name)s "
            'order by a.connection collate "C", a.name, a.id'
        ).encode()
        rows = self._read(query, {"name": connection})
        return [_status(row) for row in rows]

    def members(
        self, audience: int, *, pending: bool = False, after: bytes = b"", most: int = 10_000
    ) -> list[tuple[bytes, Member]]:
        """Return at most *most* people with a digest above *after*, by digest."""
        query = (
            b"select m.person, m.state, m.since, not (a.shared or a.ambiguous) from members m "
            b"join audiences a on a.id = m.audience where m.audience = %s and m.person > %b and "
            b"(not %s or a.shared or a.ambiguous or m.state in (0, 2)) order by m.person limit %s"
        )
        rows = self._read(query, (audience, after, pending, most))
        return [
            (person, _member(state, since, trusted=trusted))
            for person, state, since, trusted in rows
        ]

    def person(self, people: Sequence[bytes]) -> list[tuple[AudienceStatus, bytes, Member]]:
        """Return the states of people in all audiences; the statuses have no counts (0)."""
        query = (
            f"select {_STATUS}, 0, 0, a.shared, a.ambiguous, m.person, m.state, m.since "  # noqa: S608 - names of columns
            "from audiences a join members m on m.audience = a.id "
            "and m.person = any(%b::bytea[]) "
            'order by a.connection collate "C", a.name, a.id, m.person'
        ).encode()
        found = []
        for *status, person, state, since in self._read(query, ([*people],)):
            one = _status(status)
            member = _member(state, since, trusted=not (one.shared or one.ambiguous))
            found.append((one, person, member))
        return found

    def clear(self, audience: int) -> int:
        """Record that nobody's state is confirmed; return the number of people changed."""
        return self._write(lambda session: _clear_group(session, self.sessions.address, audience))

    def erase(self, people: Sequence[bytes]) -> int:
        """Delete everything about people; return the number of states deleted."""
        return self._write(lambda session: erase_people(session, people))

    def drop(self, connection: str) -> int:
        """Delete the audiences of a connection, and its doubts; return the number of people."""
        return self._write(lambda session: drop_audiences(session, connection)[1])

    def doubts(self, connection: str) -> int:
        """Return the number of doubts about people in audiences of a connection."""
        query = b"select count(*) from doubts where connection = %s"
        return int(self._read(query, (connection,))[0][0])

    def doubt(self, connection: str, doubts: Sequence[Doubt]) -> None:
        """Record that calls about people may arrive late; their state is not confirmed any more."""
        add = (
            b"insert into doubts"
            b"(connection, account, lane, scope, naming, name, person, identifier) values("
            b"%(connection)s, %(account)s, %(lane)s, %(scope)b, %(naming)s, %(name)b, %(person)b, "
            b"%(identifier)b)"
        )
        rows = [
            {
                **_key(one.account, one.audience, connection),
                "person": one.person,
                "identifier": packed(one.identifier),
            }
            for one in doubts
        ]
        unconfirm = (
            "update members set state = state - 1 where state in (1, 3) and person = %(person)b "  # noqa: S608 - no values
            f"and audience = (select id from audiences where {_WHERE})"
        ).encode()

        def write(session: Session) -> None:
            cursor = session.cursor()
            cursor.executemany(add, rows)
            cursor.executemany(unconfirm, rows)

        if rows:
            self._write(write)

    def _read(self, query: bytes, values: Any) -> list[tuple[Any, ...]]:
        return self.sessions.run(
            "read", lambda one: one.cursor(binary=True).execute(query, values).fetchall()
        )

    def _write(self, work: Callable[[Session], Value]) -> Value:
        def write(session: Session) -> Value:
            with session.transaction():
                return work(session)

        return self.sessions.run("written", write)


class _Row(NamedTuple):
    """An audience in the database; *version* is None if nothing counts as confirmed."""

    id: int
    version: int | None


class PostgresMemberships:
    """The memberships that a connection changes in one account at the partner."""

    def __init__(self, ledger: PostgresLedger, account: str, fenced: FencedSession) -> None:
        self.digests = ledger.digests
        self._sessions = ledger.sessions
        self._account = account
        self._fenced = fenced

    def look_up(self, audience: Audience, people: Sequence[bytes]) -> Known:
        """Return the saved states of people, and record that the connection changes them."""
        key = {**self._key(audience), "people": [*people]}
        if (known := self._sessions.run("read", lambda one: _look_up(one, key))) is None:
            self._fenced.write(lambda one: self._use(one, audience))
            known = self._sessions.run("read", lambda one: _look_up(one, key))
        return known or Known(None, {})  # dropped at this moment

    def unconfirm(self, audience: Audience, people: Sequence[bytes]) -> None:
        """Record durably that the state of those people is not confirmed any more."""
        query = f"{_UNCONFIRM} and person = any(%b::bytea[])".encode()
        self._fenced.write(
            lambda one: one.execute(query, (self._use(one, audience).id, sorted(people)))
        )

    def forget_members(self, audience: Audience | None = None) -> int:
        """Record durably that nobody is confirmed as a member; return the number of changes."""
        query = "update members set state = 2 where state = 3 and audience = any(%s)"

        def write(session: Session) -> int:
            chosen = [self._use(session, audience).id] if audience else self._audiences(session)
            return session.execute(query, (chosen,)).rowcount

        return self._fenced.write(write)

    def erase(self, people: Sequence[bytes]) -> int:
        """Delete the states of people in all audiences; return their number."""
        query = b"delete from members where audience = any(%s) and person = any(%b::bytea[])"

        def write(session: Session) -> int:
            return session.execute(query, (self._audiences(session), [*people])).rowcount

        return self._fenced.write(write)

    def _audiences(self, session: Session) -> list[int]:
        """Return the IDs of all audiences in the account that the connection may change."""
        query = "select id from audiences where account = %s and (shared or connection = %s)"
        rows = session.execute(query, (self._account, self._fenced.connection)).fetchall()
        return [number for (number,) in rows]

    def _use(self, session: Session, audience: Audience) -> _Row:
        return _use(session, self._sessions.address, self._key(audience))

    def _key(self, audience: Audience) -> dict[str, Any]:
        return _key(self._account, audience, self._fenced.connection)


def erase_people(session: Session, people: Sequence[bytes]) -> int:
    """Delete everything about people; return the number of states deleted."""
    members = (
        b"delete from members where audience in (select id from audiences) "
        b"and person = any(%b::bytea[])"
    )
    number = session.execute(members, ([*people],)).rowcount
    session.execute(b"delete from doubts where person = any(%b::bytea[])", ([*people],))
    return number


def save_members(
    session: Session,
    address: Address,
    account: str,
    connection: str,
    members: Iterable[MemberChange],
) -> None:
    """Save states of people in the audiences of an account."""
    for audience, changes in groupby(sorted(members, key=itemgetter(0)), itemgetter(0)):
        row = _use(session, address, _key(account, audience, connection), lock=" for share")
        states = {
            person: (2 * wanted + (confirmed and seen is not None and seen == row.version), since)
            for _, person, (wanted, confirmed, since), seen in changes
        }
        people = sorted(states)
        values = [*zip(*(states[one] for one in people), strict=True)]
        session.execute(_SAVE.encode(), (row.id, people, *map(list, values)))


def drop_audiences(session: Session, connection: str) -> tuple[bool, int]:
    """Delete the audiences and doubts of a connection.

    Return whether there were any, and the number of people.
    """
    doubts = session.execute("delete from doubts where connection = %s", (connection,)).rowcount
    query = "select id, shared from audiences where connection = %s order by id for update"
    found = session.execute(query, (connection,)).fetchall()
    number = 0
    for audience, shared in found:
        if shared:  # the other connection takes it over when it next changes it
            _clear_audience(session, audience)
            session.execute("update audiences set used = false where id = %s", (audience,))
        else:
            query = "delete from members where audience = %s"
            number += session.execute(query, (audience,)).rowcount
            session.execute("delete from audiences where id = %s", (audience,))
    return bool(found or doubts), number


def doubts_of(session: Session, connection: str, most: int) -> list[Doubt]:
    """Return the doubts about people in audiences of a connection, by ID."""
    rows = session.cursor(binary=True).execute(
        "select lane, scope, naming, name, person, identifier, account, id from doubts "
        "where connection = %s order by id limit %s",
        (connection, most),
    )
    return [
        Doubt(
            Audience(lane, unpacked(scope), naming, unpacked(name)),
            person,
            unpacked(identifier),
            account,
            number,
        )
        for lane, scope, naming, name, person, identifier, account, number in rows
    ]


def remove_doubts(session: Session, connection: str, resolved: Sequence[int]) -> None:
    """Delete the doubts of a connection with certain IDs."""
    if resolved:
        query = "delete from doubts where connection = %s and id = any(%s::bigint[])"
        session.execute(query, (connection, [*resolved]))


def _use(session: Session, address: Address, key: dict[str, Any], lock: str = "") -> _Row:
    """Return an audience, created if absent, which a connection is about to change.

    It is shared if another connection changes it, and ambiguous if the account uses audiences of
    another naming in the same lane and scope.
    """
    query = f"{_FIND}{lock}".encode()
    if (row := session.execute(query, key).fetchone()) is not None:
        return _Row(*row)
    group = f"{key['account']}\0{key['lane']}\0{unpacked(key['scope'])}"
    session.execute("select pg_advisory_xact_lock(%s)", (address.key("audiences", group),))
    session.execute(
        "insert into audiences"
        "(account, lane, scope, naming, name, connection, used, shared, ambiguous, version) values("
        "%(account)s, %(lane)s, %(scope)b, %(naming)s, %(name)b, %(connection)s, false, false, "
        f"false, {_RANDOM}) on conflict do nothing".encode(),
        key,
    )
    session.execute(
        "update audiences set shared = used and (shared or connection <> %(connection)s), "  # noqa: S608 - no values
        "connection = case when used then connection else %(connection)s end, used = true, "
        f"version = {_RANDOM} where {_WHERE}".encode(),
        key,
    )
    session.execute(
        f"update audiences set ambiguous = true, version = {_RANDOM} "  # noqa: S608 - no values
        "where account = %(account)s and lane = %(lane)s and scope = %(scope)b and not ambiguous "
        "and (select count(distinct naming) from audiences where account = %(account)s "
        "and lane = %(lane)s and scope = %(scope)b and used) > 1".encode(),
        key,
    )
    row = session.execute(query, key).fetchone()
    assert row is not None
    return _Row(*row)


def _look_up(session: Session, key: dict[str, Any]) -> Known | None:
    """Return the saved states of people, None if the audience is not used by the connection."""
    rows = session.cursor(binary=True).execute(_LOOK_UP.encode(), key).fetchall()
    if not rows:
        return None
    version = rows[0][0]
    trusted = version is not None
    found = {
        person: _member(state, since, trusted=trusted)
        for _, person, state, since in rows
        if person is not None
    }
    return Known(version, found)


def _clear_audience(session: Session, audience: int) -> int:
    """Record that nobody's state in an audience is confirmed; return the number of changes."""
    query = f"update audiences set version = {_RANDOM} where id = %s".encode()  # noqa: S608 - no values
    session.execute(query, (audience,))
    return session.execute(_UNCONFIRM, (audience,)).rowcount


def _clear_group(session: Session, address: Address, audience: int) -> int:
    """Clear an audience and those that may be the same one; nobody counts as using them."""
    query = "select account, lane, scope from audiences where id = %s"
    row = session.cursor(binary=True).execute(query, (audience,)).fetchone()
    if row is None:
        return 0
    group = f"{row[0]}\0{row[1]}\0{unpacked(row[2])}"
    session.execute("select pg_advisory_xact_lock(%s)", (address.key("audiences", group),))
    found = session.execute(
        "select b.id from audiences a join audiences b on a.id = b.id or (a.ambiguous and "
        "a.account = b.account and a.lane = b.lane and a.scope = b.scope) where a.id = %s "
        "order by b.id",
        (audience,),
    ).fetchall()
    number = 0
    for (one,) in found:
        number += _clear_audience(session, one)
        unused = "update audiences set used = false, shared = false, ambiguous = false where id = "
        session.execute(f"{unused}%s".encode(), (one,))
    return number


def _key(account: str, audience: Audience, connection: str) -> dict[str, Any]:
    """Return the values that say which audience it is, and who changes it."""
    return {
        "account": account,
        "lane": audience.lane,
        "scope": packed(audience.scope),
        "naming": audience.naming,
        "name": packed(audience.name),
        "connection": connection,
    }


def _status(row: Sequence[Any]) -> AudienceStatus:
    number, connection, account, lane, scope, naming, name, *counts = row
    audience = Audience(lane, unpacked(scope), naming, unpacked(name))
    return AudienceStatus(number, connection, account, audience, *counts)


def _member(state: int, since: int, *, trusted: bool) -> Member:
    return Member(state >= 2, trusted and bool(state & 1), since)
