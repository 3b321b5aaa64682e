"""The SQLite database of a store of events: its file, its schema, and connections to it."""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from framework.errors import ConfigurationError, StorageError, StoreFullError
from framework.storage import ACCESS, reason_of, storage, sync_folder

APPLICATION_ID: Final = 0x41444556
"""Marks the database as ours (`ADEV`)."""

_HEAD: Final = b"SQLite format 3\0"

_FULL: Final = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE)
"""What SQLite reports on a full disk: the second one where no index of the log can be made."""

_BUSY: Final = 30.0
"""Seconds that a process waits for another one's transaction."""

_FARTHEST: Final = 3600.0
"""Seconds that a rate's state may lie in the future after a restart of the machine."""

_FIRST: Final = """
create table facts(name text primary key, value) without rowid;
create table streams(
  id integer primary key, name text not null unique,
  next integer not null default 1, lines integer not null default 0,
  kept integer not null default 0);
create table chunks(
  stream integer not null, seq integer not null, lines integer not null, n integer not null,
  body blob not null, primary key(stream, seq));
create table cursors(
  connection text primary key, stream integer not null, epoch integer not null,
  committed integer not null, checkpoint blob not null);
create index cursors_by_stream on cursors(stream, committed);
create table rates(account text primary key, booked real not null, held real not null)
  without rowid;
create table seen_0(digest blob primary key) without rowid;
create table seen_1(digest blob primary key) without rowid;
create table dead_letters(
  id integer primary key autoincrement, connection text not null, line integer not null,
  subscription text not null, event blob not null, code text not null, outcome text not null,
  tries integer not null, first real not null, message_id text not null, at real not null,
  replay integer not null default 0, unique(connection, line, subscription));
create index dead_letters_by_time on dead_letters(at);
create index dead_letters_to_replay on dead_letters(connection, id) where replay;
create table state(kind text, key text, value blob not null, primary key(kind, key))
  without rowid;
"""

_LEDGER: Final = """
create table audiences(
  id integer primary key, account text not null, lane text not null, scope text not null,
  naming text not null, name text not null, connection text not null, used integer not null,
  shared integer not null, ambiguous integer not null, version integer not null,
  unique(account, lane, scope, naming, name));
create table members(
  audience integer not null, person blob not null, state integer not null, since integer not null,
  primary key(audience, person)) without rowid;
create index members_pending on members(audience) where state in (0, 2);
create table doubts(
  id integer primary key autoincrement, connection text not null, account text not null,
  lane text not null, scope text not null, naming text not null, name text not null,
  person blob not null, identifier text not null);
create index doubts_by_connection on doubts(connection, id);
"""

MIGRATIONS: Final = (_FIRST, _LEDGER)
"""SQL from each version of the schema to the next; version 0 is an empty file."""


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection whose commits are durable; usable by one thread at a time."""
    database = sqlite3.connect(path, timeout=_BUSY, isolation_level=None, check_same_thread=False)
    database.execute("pragma synchronous=full")
    return database


@contextmanager
def failures(path: Path, act: str) -> Iterator[None]:
    """Turn errors of SQLite and the system into StoreFullError or StorageError."""
    try:
        yield
    except sqlite3.Error as error:
        code: int = getattr(error, "sqlite_errorcode", 0)
        if code in _FULL:
            raise StoreFullError(
                f"The store `{path}` cannot be {act}: its disk is full. Free some space."
            ) from error
        denied = code & 0xFF == sqlite3.SQLITE_READONLY
        more = f" {ACCESS} SQLite keeps its log in the folder of the store." if denied else ""
        raise StorageError(f"The store `{path}` cannot be {act}: {error}.{more}") from error
    except OSError as error:
        raise StorageError(f"The store `{path}` cannot be {act}: {reason_of(error)}") from error


class InPlace:
    """Knows the files of an open database, to notice that they were removed or replaced."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = {path: _identity(path)}

    def check(self) -> None:
        """Raise StorageError for a file that was replaced, OSError for one that was removed."""
        for path, known in self._known.items():
            if _identity(path) != known:
                raise StorageError(
                    f"The store `{self._path}` cannot be written: `{path.name}` was replaced by "
                    "another file. Start the relay again to use that one."
                )

    def learn(self) -> None:
        """Remember the log of changes, which exists once something was written."""
        log = self._path.with_name(f"{self._path.name}-wal")
        if log not in self._known:
            with suppress(OSError):  # file systems without shared memory have none
                self._known[log] = _identity(log)


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def open_database(path: Path) -> sqlite3.Connection:
    """Open the database at *path*, created if absent, in the newest version of the schema.

    Raises ConfigurationError for a file that others can read, of another kind, or of a newer
    version; StorageError if it cannot be opened.
    """
    with storage("The store", path, "opened"):
        _make_private(path)
        with path.open("rb") as file:
            head = file.read(len(_HEAD))
    if head and head != _HEAD:  # SQLite takes short files for empty ones
        raise _other_kind(path)
    with failures(path, "opened"):
        database = connect(path)
        try:
            _prepare(path, database)
        except BaseException:
            database.close()
            raise
    return database


def _make_private(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        sync_folder(path.parent)
    except FileExistsError:
        if not path.is_file():
            raise _other_kind(path) from None
        mode = stat.S_IMODE(path.stat().st_mode)
        if os.name == "posix" and mode & 0o077:
            raise ConfigurationError(
                f"The store `{path}` holds personal data and tokens, but others can use the file "
                f"(mode {mode:04o}). Make it private: chmod 600 {path}"
            ) from None


def _prepare(path: Path, database: sqlite3.Connection) -> None:
    _check_kind(path, database)
    database.execute("pragma journal_mode=wal")
    database.execute("pragma journal_size_limit=67108864")
    database.execute("begin immediate")
    try:
        _migrate(path, database)
        _adjust_rates(database)
        database.execute("commit")
    except BaseException:
        if database.in_transaction:
            database.execute("rollback")
        raise


def _check_kind(path: Path, database: sqlite3.Connection) -> None:
    (application,) = database.execute("pragma application_id").fetchone()
    (tables,) = database.execute("select count(*) from sqlite_master").fetchone()
    if application != APPLICATION_ID and (application or tables):
        raise _other_kind(path)


def _other_kind(path: Path) -> ConfigurationError:
    return ConfigurationError(
        f"`{path}` is not a store of events. Name a file that does not exist, or an existing store."
    )


def _migrate(path: Path, database: sqlite3.Connection) -> None:
    (version,) = database.execute("pragma user_version").fetchone()
    newest = len(MIGRATIONS)
    if version > newest:
        raise ConfigurationError(
            f"The store `{path}` has version {version} of its format, but this program knows "
            f"versions up to {newest}. Use the newer program that wrote it."
        )
    for script in MIGRATIONS[version:]:
        for statement in filter(str.strip, script.split(";")):
            database.execute(statement)
    if version < newest:
        database.execute(f"pragma application_id={APPLICATION_ID}")
        database.execute(f"pragma user_version={newest}")


def _adjust_rates(database: sqlite3.Connection) -> None:
    """Move the state of rates to the machine's current clock, which restarts at each boot."""
    now = time.monotonic()
    boot, ahead = _boot(), time.time() - now
    before = dict(database.execute("select name, value from facts where name in ('boot', 'ahead')"))
    if before and before["boot"] != boot:
        moved = "max(0, min({0} + :shift, :farthest))".format
        database.execute(
            f"update rates set booked = {moved('booked')}, held = {moved('held')}",  # noqa: S608
            {"shift": before["ahead"] - ahead, "farthest": now + _FARTHEST},
        )
    if before.get("boot") != boot:
        rows = [("boot", boot), ("ahead", ahead)]
        database.executemany("insert or replace into facts values(?, ?)", rows)


def _boot() -> str:
    """Return an identifier of the machine's current boot."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return f"{(time.time() - time.monotonic()) / 60:.0f}"
