"""Health: a store that cannot be written, and threads that have ended."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from framework.errors import StorageError
from framework.monitoring import RelayHealth
from framework.relay import SQLiteStore
from tests.framework.monitoring.watched import append, relaying, stopped_relay


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.db"


@pytest.fixture
def store(path: Path) -> Iterator[SQLiteStore]:
    with SQLiteStore(path) as opened:
        yield opened


def problems(store: SQLiteStore, *, intake: bool = True) -> list[str]:
    with relaying(store) as relay:
        return RelayHealth(store, relay, lambda: intake).problems()


def test_a_relay_that_works_has_no_problems(store: SQLiteStore) -> None:
    append(store, "a")
    assert problems(store) == []


def test_a_part_that_has_ended_is_a_problem(store: SQLiteStore) -> None:
    relay = stopped_relay(store)
    assert RelayHealth(store, relay, lambda: False).problems() == [
        "The thread of connection `ads` has ended.",
        "The intake does not run.",
    ]
    relay.start()
    assert relay.stop(20)


@pytest.mark.parametrize("name", ["events.db", "events.db-wal"])
@pytest.mark.parametrize("replaced", [True, False])
def test_a_store_whose_file_was_removed_or_replaced_takes_nothing(
    store: SQLiteStore, path: Path, name: str, *, replaced: bool
) -> None:
    """What were written now would be lost."""
    append(store, "a")
    file = path.with_name(name)
    copy = path.with_name("copy")
    shutil.copy(file, copy)
    relay = stopped_relay(store)
    file.unlink()
    if replaced:
        copy.rename(file)
        reason = f"`{name}` was replaced by another file. Start the relay again to use that one."
    else:
        reason = "No such file or directory."
    found = RelayHealth(store, relay, lambda: True).problems()
    assert found[0] == f"The store `{path}` cannot be written: {reason}"
    with pytest.raises(StorageError, match="cannot be written"):
        append(store, "b")
    relay.start()
    assert relay.stop(20)


def test_a_store_that_does_not_respond_is_a_problem(store: SQLiteStore, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("begin immediate")
    with pytest.raises(StorageError, match=r"nothing was written in 0\.2 seconds"):
        store.check(0.2)
    other.execute("rollback")
    other.close()
    store.check()


def test_a_disk_that_fails_is_a_problem(store: SQLiteStore) -> None:
    store._writer.run(lambda database: database.execute("pragma max_page_count=1") and None)
    big = b"x" * 200_000
    with pytest.raises(StorageError, match="its disk is full"):
        store._writer.run(
            lambda database: database.execute("insert into facts values('big', ?)", (big,)) and None
        )
    store.check()
