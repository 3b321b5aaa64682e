"""A checkpoint survives, and is refused for another file or connection."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.delivery import RowIds
from framework.errors import ConfigurationError, StorageError
from framework.events.files import EventFile, Position
from framework.relay import checkpoint as kept
from framework.relay.checkpoint import Checkpoint

WAY_OUT = (
    "Name another one with --checkpoint, or deliver the whole file again with --restart."
)  # fmt: skip


@pytest.fixture
def events(tmp_path: Path) -> Path:
    path = tmp_path / "events.ndjson"
    path.write_bytes(b'{"a":1}\n{"a":2}\n')
    return path


def made(events: Path, connection: str = "criteo: spring") -> Checkpoint:
    with EventFile(events) as file:
        return Checkpoint(
            connection=connection,
            unsettled={0: "2"},
            file=file.identity,
            position=Position(8, 1),
            read=Position(16, 2),
            counts=(("Add", "failed", "GONE", "It is gone.", 3),),
            calls={"GET /x": 2},
            rejected=1,
            outcomes=77,
        )


def load(path: Path, events: Path, connection: str = "criteo: spring") -> Checkpoint | None:
    with EventFile(events) as file:
        return kept.load(path, connection, file)


def test_what_is_saved_is_loaded(events: Path) -> None:
    path = kept.default_path(events)
    assert path == events.with_name("events.ndjson.checkpoint")
    kept.save(path, made(events))
    kept.save(path, made(events))
    assert load(path, events) == made(events)
    assert sorted(file.name for file in events.parent.iterdir()) == [events.name, path.name]


@given(st.sets(st.tuples(st.integers(1, 90), st.integers(0, 4))))
def test_what_is_open_is_kept_exactly(unsettled: set[tuple[int, int]]) -> None:
    spans = RowIds(5).spans([[line * 5 + route for line, route in unsettled]])
    packed = kept.pack(spans)
    checkpoint = Checkpoint(connection="c", file=None, read=Position(900, 90), unsettled=packed)
    assert sorted(checkpoint.pending()) == sorted(unsettled)
    assert msgspec.json.decode(msgspec.json.encode(checkpoint), type=Checkpoint) == checkpoint


def test_where_events_go_can_be_part_of_the_name(events: Path) -> None:
    """A delivery to a test server does not count as a delivery to the partner."""
    path = kept.default_path(events, "localhost-8010")
    assert path == events.with_name("events.ndjson.localhost-8010.checkpoint")


def test_a_stream_has_no_place_for_a_checkpoint() -> None:
    assert kept.default_path("-") is None
    assert kept.default_path("/dev/stdin") is None


def test_no_checkpoint_is_nothing_to_load_or_remove(events: Path, tmp_path: Path) -> None:
    path = tmp_path / "none"
    assert load(path, events) is None
    kept.discard(path)
    kept.save(path, made(events))
    kept.discard(path)
    assert load(path, events) is None


def test_a_checkpoint_for_another_connection_is_refused(events: Path, tmp_path: Path) -> None:
    path = tmp_path / "c"
    kept.save(path, made(events))
    with pytest.raises(ConfigurationError) as caught:
        load(path, events, "criteo: autumn")
    assert str(caught.value) == (
        f"The checkpoint `{path}` belongs to a run for `criteo: spring`, but this run is for "
        f"`criteo: autumn`. {WAY_OUT}"
    )


def test_a_checkpoint_for_another_file_is_refused(events: Path, tmp_path: Path) -> None:
    path = tmp_path / "c"
    kept.save(path, made(events))
    events.write_bytes(b'{"a":3}\n{"a":4}\n{"a":5}\n')
    with pytest.raises(ConfigurationError) as caught:
        load(path, events)
    assert str(caught.value) == (
        f"The checkpoint `{path}` does not match the events file `{events}`, which is another one "
        "or was changed. "
        f"{WAY_OUT}"
    )


def test_two_runs_cannot_share_a_checkpoint(tmp_path: Path) -> None:
    """The lock ends with the run, even if it is killed; a leftover file has no effect."""
    path = tmp_path / "c"
    with kept.locked(path):
        with pytest.raises(ConfigurationError) as caught, kept.locked(path):
            pass
        assert str(caught.value) == (
            f"Another run is using the checkpoint `{path}`. Wait until it ends, or name "
            "another checkpoint "
            "with --checkpoint."
        )
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "c.lock").touch()
    with kept.locked(path):
        pass
    with pytest.raises(StorageError) as failed, kept.locked(tmp_path / "no" / "c"):
        pass
    assert str(failed.value) == (
        f"The checkpoint `{tmp_path}/no/c` cannot be locked: No such file or directory."
    )


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is damaged (Input data was truncated)"),
        (b'{"version":1', "is damaged (Input data was truncated)"),
        (b"\x00\x00", "is damaged (JSON is malformed: invalid character (byte 0))"),
        (b"[]", "is damaged (Expected `object`, got `array`)"),
        (b'{"version":1}', "is damaged (Object missing required field `connection`)"),
        (
            b'{"version":1,"connection":"criteo: spring","file":null,"unsettled":{"0":"x"}}',
            "is damaged (invalid literal for int() with base 10: '')",
        ),
        (
            b'{"version":1,"connection":"criteo: spring","file":null,"unsettled":{"0":"1x999"}}',
            "is damaged (a line after the last line read)",
        ),
        (b'{"version":2}', "has format 2, but this program reads format 1"),
        (
            (
                b'{"version":1,"connection":"criteo: spring","file":null,'
                b'"counts":[["s","lost","","",1]]}'
            ),
            "is damaged (Invalid enum value 'lost' - at `$.counts[0][1]`)",
        ),
        (b"{}", "has format null, but this program reads format 1"),
    ],
)
def test_a_damaged_checkpoint_is_refused(
    events: Path, tmp_path: Path, content: bytes, why: str
) -> None:
    path = tmp_path / "c"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        load(path, events)
    assert str(caught.value) == f"The checkpoint `{path}` {why}. {WAY_OUT}"


def test_a_checkpoint_that_cannot_be_written_is_a_clear_error(events: Path, tmp_path: Path) -> None:
    path = tmp_path / "no" / "c"
    with pytest.raises(StorageError) as caught:
        kept.save(path, made(events))
    assert str(caught.value) == (
        f"The checkpoint `{path}` cannot be written: No such file or directory."
    )


def test_a_crash_while_saving_leaves_the_one_before(
    events: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "c"
    kept.save(path, made(events))

    def fails(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(StorageError) as caught:
        kept.save(path, made(events, "another"))
    assert str(caught.value) == (
        f"The checkpoint `{path}` cannot be written: No space left on device."
    )
    assert load(path, events) == made(events)
