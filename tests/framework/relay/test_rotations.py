"""A file that was renamed is found by its checkpoint, or not at all where that is uncertain."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from framework.events import EventFile, Position
from framework.relay import (
    Checkpoint,
    ConnectionIdentity,
    adopt_checkpoint,
    checkpoint_path,
    predecessors,
    recorded,
)
from framework.relay.checkpoint import save
from framework.relay.rotations import is_rotated_name

SERVES = ConnectionIdentity(label="shop")


def checkpoint(events: Path, lines: int) -> Path:
    """Save the checkpoint of a file of which so many lines were read."""
    content = events.read_bytes()
    offset = sum(map(len, content.splitlines(keepends=True)[:lines]))
    with EventFile(events) as source:
        before = Checkpoint(
            serves=SERVES, file=source.identity, read=Position(offset, lines), dead_letters=7
        )
    path = checkpoint_path(events, SERVES)
    save(path, before)
    return path


def replaced(path: Path, events: Path) -> list[str]:
    with EventFile(events) as source:
        return [one.name for one in predecessors(path, SERVES, source)]


def write(path: Path, content: str, age: int) -> Path:
    packed = gzip.compress(content.encode()) if path.suffix == ".gz" else content.encode()
    path.write_bytes(packed)
    os.utime(path, (1_700_000_000 - age, 1_700_000_000 - age))
    return path


@pytest.mark.parametrize(
    ("name", "original"),
    [
        ("events.log.1", "events.log"),
        ("events.log.12.gz", "events.log"),
        ("events.log-20260309", "events.log"),
        ("events.log.2026-03-09", "events.log"),
        ("events-2026-03-09T10:00:00Z.log", "events.log"),
        ("events.1.log.gz", "events.log"),
        ("events.1", "events"),
        ("day-1-2.log", "day-1.log"),
    ],
)
def test_names_of_rotated_files(name: str, original: str) -> None:
    assert is_rotated_name(name, original)
    assert not is_rotated_name(original, name)


@pytest.mark.parametrize(
    ("name", "original"),
    [
        ("events.log", "events.log"),
        ("events.log.bak", "events.log"),
        ("events-old.log", "events.log"),
        ("day-2.log", "day-1.log"),
        ("events2.log", "events.log"),
        ("1.log", ".log"),
    ],
)
def test_names_of_other_files(name: str, original: str) -> None:
    assert not is_rotated_name(name, original)


def test_what_a_file_has_replaced_is_found_oldest_first(tmp_path: Path) -> None:
    events = write(tmp_path / "events.log", "1\n2\n3\n", 50)
    path = checkpoint(events, 2)
    assert replaced(path, events) == []
    events.rename(tmp_path / "events.log.3")
    write(tmp_path / "events.log.4.gz", "0\n", 60)
    write(tmp_path / "events.log.2.gz", "4\n", 40)
    write(tmp_path / "events.log.1", "5\n", 30)
    write(tmp_path / "events.log.1.gz", "5", 1)  # which is being written
    write(tmp_path / "events.log.old", "6\n", 20)
    write(events, "7\n", 10)
    assert replaced(path, events) == ["events.log.3", "events.log.2.gz", "events.log.1"]


@pytest.mark.parametrize("what", ["gone", "shorter", "two", "as old", "other", "packed"])
def test_nothing_is_found_where_it_is_uncertain(tmp_path: Path, what: str) -> None:
    events = write(tmp_path / "events.log", "1\n2\n3\n", 50)
    path = checkpoint(events, 2)
    rotated = events.rename(tmp_path / "events.log.1")
    write(events, "7\n", 10)
    assert replaced(path, events) == ["events.log.1"]
    if what == "gone":
        rotated.unlink()
    elif what == "shorter":
        write(rotated, "1\n", 50)
    elif what == "two":
        write(tmp_path / "events.log.2", "1\n2\n3\n", 70)
    elif what == "as old":
        write(tmp_path / "events.log.2", "0\n", 50)
    elif what == "other":
        write(rotated, "0\n2\n3\n", 50)
    else:
        write(tmp_path / "events.log.1.gz", "1\n2\n3\n", 50)
        rotated.unlink()
    assert replaced(path, events) == []


def test_a_renamed_file_takes_its_checkpoint_along(tmp_path: Path) -> None:
    events = write(tmp_path / "events.log", "1\n2\n3\n", 50)
    path = checkpoint(events, 2)
    dated = tmp_path / "events-20260309.log"
    own = checkpoint_path(dated, SERVES)
    write(dated, "1\n2\n3\n", 50)
    adopt_checkpoint(own, SERVES, dated)
    assert not own.exists(), "a copy has no part in the original's checkpoint"
    events.unlink()
    adopt_checkpoint(own, SERVES, dated)
    found = recorded(own, SERVES)
    assert found is not None
    assert (found.read.lines, isinstance(found.dead_letters, int)) == (2, False)
    assert not path.exists()
