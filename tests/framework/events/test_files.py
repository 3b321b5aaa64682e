"""Event files: whole lines, their positions, and reading from any of them."""

from __future__ import annotations

import gzip
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.errors import StorageError
from framework.events.content import BLOCK
from framework.events.files import START, Chunk, EventFile, Position

LINES = st.lists(
    st.sampled_from([b"{}", b'{"a":1}', b"", b"\r", b"x" * 9, b"\xff", b"y" * 40]), max_size=12
)


def read(path: Path, max_line: int = 1_000_000, start: Position = START) -> list[Chunk]:
    with EventFile(path, max_line) as events:
        return list(events.chunks(start))


def lines_of(chunks: list[Chunk]) -> list[tuple[int, int, bytes | int]]:
    """Return number, offset, and content or length of every line."""
    return [line for chunk in chunks for line in _lines(chunk)]


def _lines(chunk: Chunk) -> Iterator[tuple[int, int, bytes | int]]:
    number, offset = chunk.start.lines + 1, chunk.start.offset
    if chunk.too_long:
        yield number, offset, chunk.too_long
        return
    for line in chunk.lines:
        yield number, offset, line.removesuffix(b"\n")
        number, offset = number + 1, offset + len(line)


def expected(content: bytes, max_line: int) -> list[tuple[int, int, bytes | int]]:
    found: list[tuple[int, int, bytes | int]] = []
    offset = 0
    for number, line in enumerate(content.removesuffix(b"\n").split(b"\n"), 1):
        found.append((number, offset, line if len(line) <= max_line else len(line)))
        offset += len(line) + 1
    return found if content else []


@settings(max_examples=60, deadline=None)
@given(
    lines=LINES, tail=st.sampled_from([b"", b"\n"]), max_line=st.integers(min_value=1, max_value=50)
)
def test_every_line_comes_once_with_its_number_and_offset(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], tail: bytes, max_line: int
) -> None:
    """Small limits make small blocks, so lines fall across them in every way."""
    content = b"\n".join(lines) + (tail if lines else b"")
    path = tmp_path_factory.mktemp("events") / "events.ndjson"
    path.write_bytes(content)
    chunks = read(path, max_line)
    assert lines_of(chunks) == expected(content, max_line)
    packed = path.with_suffix(".gz")
    packed.write_bytes(gzip.compress(content))
    assert lines_of(read(packed, max_line)) == lines_of(chunks)
    for chunk in chunks:
        later = [line for line in lines_of(chunks) if line[1] >= chunk.end.offset]
        assert lines_of(read(path, max_line, chunk.end)) == later
        assert lines_of(read(packed, max_line, chunk.end)) == later


def test_a_line_longer_than_the_limit_is_not_held(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_bytes(b"{}\n" + b"x" * (50 * 1024 * 1024) + b"\n{}\n")
    held = 0
    with EventFile(path) as events:
        for chunk in events.chunks():
            held = max(held, sum(map(len, chunk.lines)))
    assert held <= BLOCK
    assert [chunk.too_long for chunk in read(path) if chunk.too_long] == [50 * 1024 * 1024]
    assert lines_of(read(path))[-1] == (3, 50 * 1024 * 1024 + 4, b"{}")


def test_a_chunk_can_end_at_any_of_its_lines() -> None:
    lines = [b"{}\n", b"[]\r\n", b"\n", b"9"]
    chunk = Chunk(lines, Position(100, 7), Position(109, 11))
    assert [chunk.until(line) for line in (8, 9, 10)] == [
        Chunk(lines[:1], Position(100, 7), Position(103, 8)),
        Chunk(lines[:2], Position(100, 7), Position(107, 9)),
        Chunk(lines[:3], Position(100, 7), Position(108, 10)),
    ]
    assert chunk.until(11) is chunk


def test_progress_is_reported_in_bytes_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "events.gz"
    path.write_bytes(gzip.compress(b'{"a":1}\n' * 1000))
    with EventFile(path) as events:
        list(events.chunks())
        assert events.consumed == events.size == path.stat().st_size


def test_several_gzip_members_are_one_stream(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_bytes(gzip.compress(b"{}\n{") + gzip.compress(b"}\n"))
    assert lines_of(read(path)) == [(1, 0, b"{}"), (2, 3, b"{}")]


@pytest.mark.parametrize(
    ("content", "name"), [(b"{}\n{}\n", "plain"), (gzip.compress(b"{}\n{}\n"), "packed")]
)
def test_standard_input_is_read_like_a_file(
    monkeypatch: pytest.MonkeyPatch, content: bytes, name: str
) -> None:
    stream = io.TextIOWrapper(io.BufferedReader(io.BytesIO(content)))
    monkeypatch.setattr(sys, "stdin", stream)
    with EventFile("-") as events:
        assert events.name == "standard input"
        assert events.identity is None
        assert events.size is None
        chunks = list(events.chunks(Position(3, 1)))
    assert lines_of(chunks) == [(2, 3, b"{}")], name
    assert events.consumed == 6


def test_a_pipe_is_no_file_to_come_back_to() -> None:
    read_end, write_end = os.pipe()
    with open(write_end, "wb") as pipe:  # noqa: PTH123 - opens a descriptor
        pipe.write(b"{}\n")
    with EventFile(f"/dev/fd/{read_end}") as events:
        assert events.identity is None
        assert lines_of(list(events.chunks())) == [(1, 0, b"{}")]
    os.close(read_end)


def test_a_file_is_recognised_after_it_has_grown_or_moved(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_bytes(b'{"a":1}\n')
    with EventFile(path) as events:
        identity = events.identity
    assert identity is not None
    path.write_bytes(b'{"a":1}\n{"a":2}\n')
    with EventFile(path.rename(tmp_path / "moved.ndjson")) as events:
        assert events.is_same(identity)


@pytest.mark.parametrize("content", [b'{"a":2}\n', b'{"a":1}', b""])
def test_another_content_is_another_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "events.ndjson"
    path.write_bytes(b'{"a":1}\n')
    with EventFile(path) as events:
        identity = events.identity
    assert identity is not None
    path.write_bytes(content)
    with EventFile(path) as events:
        assert not events.is_same(identity)


@pytest.mark.parametrize(
    ("content", "offset"),
    [(b"{}\n{}\n", 1), (gzip.compress(b"{}\n{}\n"), 2), (gzip.compress(b"{}\n{}\n"), 99)],
)
def test_a_place_inside_a_line_or_behind_the_end_is_refused(
    tmp_path: Path, content: bytes, offset: int
) -> None:
    path = tmp_path / "events.ndjson"
    path.write_bytes(content)
    with pytest.raises(StorageError) as caught:
        read(path, start=Position(offset, 1))
    assert str(caught.value) == (
        f"The events file `{path}` has no line end at byte {offset}, where the last run stopped: "
        "it was changed since. Restore it, or deliver the whole file again with --restart."
    )


def test_damaged_gzip_gives_what_came_before_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "events.gz"
    path.write_bytes(gzip.compress(b"{}\n" * 100_000)[:-12])
    seen: list[Chunk] = []
    with pytest.raises(StorageError) as caught, EventFile(path) as events:
        seen.extend(events.chunks())
    assert seen
    assert str(caught.value) == (
        f"The events file `{path}` is damaged or incomplete gzip: Compressed file ended before "
        "the end-of-stream marker was reached. Create or download it again."
    )


@pytest.mark.parametrize(
    ("name", "reason"), [("none.ndjson", "No such file or directory"), (".", "Is a directory")]
)
def test_a_file_that_cannot_be_opened_is_a_clear_error(
    tmp_path: Path, name: str, reason: str
) -> None:
    path = tmp_path / name
    with pytest.raises(StorageError) as caught:
        EventFile(path)
    assert str(caught.value) == f"The events file `{path}` cannot be read: {reason}."
