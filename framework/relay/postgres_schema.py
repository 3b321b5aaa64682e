"""The tables of a PostgreSQL store, and their versions."""

from __future__ import annotations

from typing import Final

from psycopg import errors

from framework.errors import ConfigurationError, StorageError
from framework.relay.postgres_sessions import Address, Session

# Text that events, partners or plugins may have made is kept as bytes, since PostgreSQL's text
# holds no zero characters. Chunks are not compressed, as they are deleted within seconds.
_FIRST = """
create table facts(name text primary key, value double precision not null)
  with (fillfactor = 50);
create table streams(
  id bigint generated always as identity primary key, name text not null unique,
  next bigint not null default 1, lines bigint not null default 0,
  kept bigint not null default 0, bytes bigint not null default 0) with (fillfactor = 10);
create table chunks(
  stream bigint not null, seq bigint not null, lines bigint not null, n integer not null,
  body bytea not null, primary key(stream, seq))
  with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
alter table chunks alter body set storage external;
create table cursors(
  connection text primary key, stream bigint not null, epoch bigint not null,
  committed bigint not null, checkpoint bytea not null, owner text not null)
  with (fillfactor = 50);
create table rates(
  account bytea primary key, booked double precision not null, held double precision not null)
  with (fillfactor = 50);
create table seen(turn smallint not null, digest bytea not null, primary key(digest, turn))
  partition by list (turn);
create table seen_0 partition of seen for values in (0);
create table seen_1 partition of seen for values in (1);
create table dead_letters(
  id bigint generated always as identity primary key, connection text not null,
  line bigint not null, subscription bytea not null, event bytea not null, code bytea not null,
  outcome bytea not null, tries integer not null, first double precision not null,
  message_id bytea not null, at double precision not null, replay boolean not null default false,
  unique(connection, line, subscription));
create index dead_letters_by_time on dead_letters(at);
create index dead_letters_to_replay on dead_letters(connection, id) where replay;
create table state(
  kind text not null, key bytea not null, value bytea not null, primary key(kind, key));
create table audiences(
  id integer generated always as identity primary key, account text not null, lane text not null,
  scope bytea not null, naming text not null, name bytea not null, connection text not null,
  used boolean not null, shared boolean not null, ambiguous boolean not null,
  version bigint not null, unique(account, lane, scope, naming, name));
create table members(
  since bigint not null, audience integer not null, state smallint not null,
  person bytea not null, primary key(audience, person))
  with (autovacuum_vacuum_scale_factor = 0.02);
create table doubts(
  id bigint generated always as identity primary key, connection text not null,
  account text not null, lane text not null, scope bytea not null, naming text not null,
  name bytea not null, person bytea not null, identifier bytea not null);
create index doubts_by_connection on doubts(connection, id);
insert into facts(name, value) values('seen_turn', 1), ('seen_since', 0), ('checked', 0)
"""

MIGRATIONS: Final = (_FIRST,)
"""SQL from each version of the schema to the next; version 0 is no schema."""


def prepare(address: Address, session: Session, *, create: bool) -> None:
    """Create the schema of a store if it is absent and *create*, and bring it to its last version.

    Several processes may do so at once. Raises ConfigurationError for another program's schema and
    for a newer version, StorageError if the user may not create it.
    """
    with address.failures("opened"):
        version = _version(address, session)
        if version == len(MIGRATIONS):
            return
        if version == 0 and not create:
            raise ConfigurationError(
                f"There is no store at `{address.shown}`. `actions relay` creates one when it "
                "starts."
            )
        try:
            _migrate(address, session)
        except (errors.InsufficientPrivilege, errors.InvalidSchemaName) as error:
            raise StorageError(
                f"The store `{address.shown}` cannot be created or migrated: "
                f"{error.diag.message_primary}. Its user needs CREATE on the database, or has to "
                f"own the schema `{address.schema}` and its tables."
            ) from None


def _migrate(address: Address, session: Session) -> None:
    with session.transaction():
        session.execute("select pg_advisory_xact_lock(%s)", (address.key("schema", ""),))
        version = _version(address, session)
        if version == 0:
            _create(address, session)
        for script in MIGRATIONS[version:]:
            for statement in filter(str.strip, script.split(";")):
                session.execute(statement.encode())
        if version < len(MIGRATIONS):
            query = "insert into facts(name, value) values('version', %s) on conflict(name) "
            session.execute(
                query.encode() + b"do update set value = excluded.value", (len(MIGRATIONS),)
            )


def _version(address: Address, session: Session) -> int:
    """Return the version of the schema, 0 if it is absent or empty."""
    if not _exists(address, session):
        return 0
    try:
        with session.transaction():
            rows = session.execute("select value from facts where name = 'version'").fetchall()
    except (errors.UndefinedTable, errors.UndefinedColumn):
        rows = []
    if not rows:
        query = "select count(*) from pg_class where relnamespace = quote_ident(%s)::regnamespace"
        if _one(session, query, address.schema) != (0,):
            raise _of_another_program(address)
        return 0
    version = rows[0][0]
    if not isinstance(version, float):
        raise _of_another_program(address)
    if version > len(MIGRATIONS):
        raise ConfigurationError(
            f"The store `{address.shown}` has version {version:.0f} of its format, but this "
            f"program knows versions up to {len(MIGRATIONS)}. Use the newer program that wrote it."
        )
    return int(version)


def _of_another_program(address: Address) -> ConfigurationError:
    return ConfigurationError(
        f"The schema `{address.schema}` of the store `{address.shown}` belongs to another program. "
        "Name another database, or another schema at the end of the address: "
        "?options=-csearch_path%3DNAME"
    )


def _create(address: Address, session: Session) -> None:
    if not _exists(address, session):
        name = address.schema.replace('"', '""')
        session.execute(f'create schema "{name}"'.encode())


def _exists(address: Address, session: Session) -> bool:
    # The functions that look up a schema may not see one that another process has just created.
    query = "select count(*) from pg_namespace where nspname = %s"
    return _one(session, query, address.schema) == (1,)


def _one(session: Session, query: str, value: str) -> tuple[object, ...]:
    row = session.execute(query.encode(), (value,)).fetchone()
    assert row is not None
    return row
