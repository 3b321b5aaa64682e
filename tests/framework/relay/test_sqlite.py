"""The SQLite store: its file, its schema, and what happens when the disk is full."""

from __future__ import annotations

import sqlite3
import stat
import time
from contextlib import closing
from pathlib import Path

import pytest

from framework.delivery import ThrottleState
from framework.errors import ConfigurationError, FrameworkError, StorageError, StoreFullError
from framework.relay import DeadLetter, SQLiteStore, sqlite_schema


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.db"


def test_all_files_are_readable_by_their_owner_only(path: Path) -> None:
    with SQLiteStore(path) as store:
        store.append("web", [b"1"])
        assert store.own("ads", "web")
        files = sorted(path.parent.rglob("*"))
        assert [file.name.partition("-")[2] or file.suffix for file in files[:4]] == [
            ".db",
            "shm",
            "wal",
            ".locks",
        ]
        modes = {stat.S_IMODE(file.stat().st_mode) for file in files}
        assert modes == {0o600, 0o700}
        assert stat.S_IMODE((path.parent / "events.db.locks").stat().st_mode) == 0o700


def test_a_file_that_others_can_read_is_refused(path: Path) -> None:
    SQLiteStore(path).close()
    path.chmod(0o640)
    with pytest.raises(ConfigurationError, match=r"mode 0640\)\. Make it private: chmod 600"):
        SQLiteStore(path)


def test_commits_are_durable(path: Path) -> None:
    with SQLiteStore(path) as store, store._reader("read") as database:
        assert database.execute("pragma journal_mode").fetchone() == ("wal",)
        assert database.execute("pragma synchronous").fetchone() == (2,)


def test_a_newer_version_is_refused(path: Path) -> None:
    SQLiteStore(path).close()
    with closing(sqlite3.connect(path)) as database:
        database.execute("pragma user_version=99")
    with pytest.raises(ConfigurationError, match="has version 99 of its format"):
        SQLiteStore(path)


@pytest.mark.parametrize("content", [b"id,name\n1,nora\n" * 100, b"x"])
def test_another_file_is_refused_and_left_alone(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError, match="is not a store of events"):
        SQLiteStore(path)
    assert path.read_bytes() == content


def test_another_database_is_refused_and_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("create table people(name)")
    path.chmod(0o600)
    with pytest.raises(ConfigurationError, match="is not a store of events"):
        SQLiteStore(path)
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("select name from sqlite_master").fetchall() == [("people",)]


def test_a_file_that_was_removed_takes_no_events(path: Path) -> None:
    with SQLiteStore(path) as store:
        path.unlink()
        with pytest.raises(StorageError, match=r"cannot be written: No such file or directory\."):
            store.append("events", [b"{}"])


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is not a store of events"):
        SQLiteStore(tmp_path)


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"nowhere.*No such file or directory"):
        SQLiteStore(tmp_path / "nowhere" / "events.db")


def test_an_older_version_is_migrated(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with SQLiteStore(path) as store:
        store.append("web", [b"1"])
    more = (*sqlite_schema.MIGRATIONS, "alter table streams add note text; create table more(x)")
    monkeypatch.setattr(sqlite_schema, "MIGRATIONS", more)
    for _ in range(2):
        with SQLiteStore(path) as store, store._reader("read") as database:
            assert database.execute("pragma user_version").fetchone() == (len(more),)
            assert database.execute("select name, note from streams").fetchall() == [("web", None)]


def test_a_store_of_the_first_version_gets_a_ledger(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sqlite_schema, "MIGRATIONS", sqlite_schema.MIGRATIONS[:1])
        with SQLiteStore(path) as store:
            store.append("web", [b"1"])
    with SQLiteStore(path) as store:
        assert store.read("web", 0)[0].lines == [b"1\n"]
        assert store.ledger.audiences() == []


def test_a_migration_is_done_as_a_whole_or_not_at_all(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    SQLiteStore(path).close()
    broken = (*sqlite_schema.MIGRATIONS, "create table more(x); create table streams(x)")
    with monkeypatch.context() as patch:
        patch.setattr(sqlite_schema, "MIGRATIONS", broken)
        with pytest.raises(StorageError, match="table streams already exists"):
            SQLiteStore(path)
    with SQLiteStore(path) as store, store._reader("read") as database:
        version = database.execute("pragma user_version").fetchone()
        assert version == (len(sqlite_schema.MIGRATIONS),)
        found = database.execute("select 1 from sqlite_master where name = 'more'").fetchall()
        assert found == []


def test_a_full_disk_is_named_and_harms_nothing(path: Path) -> None:
    with SQLiteStore(path) as store:
        owner = store.own("ads", "web")
        assert owner
        store.append("web", [b"1"], ["a"])
        (pages,) = store._writer._database.execute("pragma page_count").fetchone()
        store._writer._database.execute(f"pragma max_page_count={pages + 5}")
        with pytest.raises(StoreFullError, match="cannot be written: its disk is full"):
            store.append("web", [b"x" * 100_000], ["b"])
        store.append("web", [b"2"], ["c"])
        store._writer._database.execute(f"pragma max_page_count={pages + 500}")
        assert store.append("web", [b"x" * 100_000, b"1"], ["b", "a"]) == (1, 1)
        assert [len(chunk.lines[0]) for chunk in store.read("web", 0)] == [2, 2, 100_001]
        owner.save(3, b"done")
        assert store.read("web", 0) == []


def test_a_full_disk_is_named_if_no_index_of_the_log_can_be_made(path: Path) -> None:
    """As happens when a store is opened on a disk that is full already."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMSIZE
    with (
        pytest.raises(StoreFullError, match="cannot be opened: its disk is full"),
        sqlite_schema.failures(path, "opened"),
    ):
        raise error


def test_a_large_append_on_a_full_disk_fails_alone(path: Path) -> None:
    with SQLiteStore(path) as store:
        store.append("web", [b"1"])
        (pages,) = store._writer._database.execute("pragma page_count").fetchone()
        store._writer._database.execute(f"pragma max_page_count={pages + 5}")
        futures = [store.submit("web", [b"x" * size]) for size in (1, 200_000, 1, 1, 200_000, 1)]
        failures = [type(one.exception()) for one in futures]
        fine = type(None)
        assert failures == [fine, StoreFullError, fine, fine, StoreFullError, fine]


def test_space_on_the_disk_is_kept_in_reserve(path: Path) -> None:
    with SQLiteStore(path, reserve=10**18) as store:
        owner = store.own("ads", "web")
        assert owner
        with pytest.raises(StoreFullError, match="1,000,000,000,000,000,000 are kept in reserve"):
            store.append("web", [b"1"])
        owner.save(0, b"checkpoint")


def test_rates_outlive_a_restart_of_the_machine(path: Path) -> None:
    """Clocks start anew at a boot: pauses that were requested before last as long as they did."""
    now = time.monotonic()
    with SQLiteStore(path) as store:
        rates = {"soon": 500.0, "past": -500.0, "far": 10**9}
        for name, ahead in rates.items():
            state = ThrottleState(now + 70_000 + ahead, now + 70_000 + ahead)
            assert store.rates(name).swap(ThrottleState(), state)
        # As if the machine had been started 70,000 seconds before it was.
        store._writer.run(
            lambda one: one.execute("update facts set value = value - 70000 where name = 'ahead'")
        )
        store._writer.run(
            lambda one: one.execute("update facts set value = 'before' where name = 'boot'")
        )
    with SQLiteStore(path) as store:
        assert store.rates("soon").read().held == pytest.approx(now + 500, abs=60)
        assert store.rates("past").read().booked < time.monotonic()
        assert store.rates("far").read().held == pytest.approx(now + 3600, abs=60)
        before = store.rates("soon").read()
    with SQLiteStore(path) as store:
        assert store.rates("soon").read() == before


def test_a_closed_store_refuses_what_is_appended(path: Path) -> None:
    store = SQLiteStore(path)
    store.close()
    with pytest.raises(StorageError, match="is closed"):
        store.append("web", [b"1"])


def test_a_mistake_in_one_write_harms_no_other(path: Path) -> None:
    with SQLiteStore(path) as store:

        def fail(database: sqlite3.Connection) -> None:
            database.execute("insert into state values('a', 'b', x'31')")
            raise ZeroDivisionError

        def refuse(database: sqlite3.Connection) -> None:
            database.execute("insert into state values('a', 'c', x'31')")
            raise FrameworkError("no")

        store.submit("web", [b"1"])
        failing, refusing = store._writer.submit(fail), store._writer.submit(refuse)
        store.append("web", [b"2"])
        assert isinstance(failing.exception(), ZeroDivisionError)
        assert isinstance(refusing.exception(), FrameworkError)
        assert [line for one in store.read("web", 0) for line in one.lines] == [b"1\n", b"2\n"]
        assert store.state.get("a", "b") is None
        assert store.state.get("a", "c") is None


def test_what_is_erased_is_overwritten_on_the_disk(path: Path) -> None:
    secrets = [f"secret-{number}".encode() * 50 for number in range(40)]
    with SQLiteStore(path) as store:
        owner = store.own("ads", "events", from_start=True)
        assert owner
        owner.save(
            0,
            b"",
            [
                DeadLetter(
                    connection="ads",
                    line=1,
                    subscription="x",
                    event=secrets[0],
                    code="",
                    outcome={},
                )
            ],
        )
        store.append("events", secrets)
        (letter,) = store.dead_letters.list()
        store.erase({"events": range(1, 41)}, [letter.id])
        kept = b"".join(one.read_bytes() for one in path.parent.glob("events.db*") if one.is_file())
    assert b"secret-" not in kept
