"""A followed file yields lines as they are written, and ends when another one takes its place."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from framework.errors import ConfigurationError, StorageError
from framework.events import Chunk, FollowedFile, Position


@pytest.fixture
def events(tmp_path: Path) -> Path:
    path = tmp_path / "events"
    path.write_bytes(b"")
    return path


@pytest.fixture
def follow(events: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[bytes]]:
    """Follow the file, with one of the steps at each look that finds nothing; return the lines."""

    def followed(*steps: Callable[[], object], start: Position | None = None) -> list[bytes]:
        stop: list[bool] = []
        left: Iterator[Callable[[], object]] = iter([*steps, lambda: stop.append(True)])
        monkeypatch.setattr("framework.events.following.time.sleep", lambda _: next(left)())
        with FollowedFile(events) as source:
            source.heed(lambda: bool(stop))
            chunks: Iterator[Chunk] = source.chunks(start or Position())
            found = [line for chunk in chunks for line in chunk.lines]
            assert source.rotated is not bool(stop)
            return found

    return followed


def append(path: Path, content: bytes) -> Callable[[], object]:
    def act() -> None:
        with path.open("ab") as file:
            file.write(content)

    return act


def test_lines_are_yielded_as_they_are_written(events: Path, follow: Callable[..., object]) -> None:
    steps = [append(events, b"1\n2"), append(events, b"2\n"), append(events, b"3\n4")]
    assert follow(*steps) == [b"1\n", b"22\n", b"3\n"]


def test_reading_goes_on_where_it_stopped(events: Path, follow: Callable[..., object]) -> None:
    events.write_bytes(b"1\n2\n")
    assert follow(append(events, b"3\n"), start=Position(2, 1)) == [b"2\n", b"3\n"]
    events.write_bytes(b"1111\n")
    with pytest.raises(StorageError, match="has no line end at byte 2"):
        follow(start=Position(2, 1))


def test_a_file_that_was_moved_is_finished_first(
    events: Path, follow: Callable[..., object]
) -> None:
    """Its writer goes on for a moment, also after the next file is there."""
    moved = events.with_name("events.1")
    events.write_bytes(b"1\n")
    steps = [
        lambda: events.rename(moved),
        append(moved, b"2\n"),
        append(events, b"new\n"),
        append(moved, b"3\nlast"),
    ]
    assert follow(*steps) == [b"1\n", b"2\n", b"3\n", b"last"]


def test_a_file_that_was_cut_ends(events: Path, follow: Callable[..., object]) -> None:
    events.write_bytes(b"1\n2\n")
    assert follow(lambda: os.truncate(events, 0), append(events, b"3\n")) == [b"1\n", b"2\n"]


def test_a_file_that_was_empty_is_known_by_what_was_written(events: Path) -> None:
    with FollowedFile(events) as source:
        append(events, b"1\n")()
        stop: list[bool] = []
        source.heed(lambda: bool(stop))
        next(iter(source.chunks()))
        assert source.identity is not None
        assert (source.identity.size, source.identity.head) == (2, 2)
        assert source.is_same(source.identity)
        events.write_bytes(b"2\n")
        assert not source.is_same(source.identity)


@pytest.mark.parametrize("content", [gzip.compress(b"{}\n"), b'[{"type": "track"},\n{}]'])
def test_other_files_cannot_be_followed(events: Path, content: bytes) -> None:
    events.write_bytes(content)
    with pytest.raises(ConfigurationError) as refused:
        FollowedFile(events)
    assert str(refused.value) == (
        f"`{events}` cannot be followed: it is not a plain file of lines. Leave out --follow."
    )
