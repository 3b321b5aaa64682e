"""A checkpoint survives, and is refused for another file or connection."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from framework.delivery import RowIds
from framework.errors import ConfigurationError, StorageError
from framework.events import EventFile, Position, StreamHead
from framework.relay import checkpoint as kept
from framework.relay.checkpoint import Checkpoint, ConnectionIdentity

WAY_OUT = (
    "Name another one with --checkpoint, or deliver the whole file again with --restart."
)  # fmt: skip


LABEL = "criteo 0123456789ab"
SPRING = ConnectionIdentity(label=LABEL, name="Spring sale", settings="5e771")


@pytest.fixture
def events(tmp_path: Path) -> Path:
    path = tmp_path / "events.ndjson"
    path.write_bytes(b'{"a":1}\n{"a":2}\n')
    return path


def made(events: Path, serves: ConnectionIdentity = SPRING) -> Checkpoint:
    with EventFile(events) as file:
        return Checkpoint(
            serves=serves,
            unsettled={0: "2"},
            file=file.identity,
            position=Position(8, 1),
            read=Position(16, 2),
            counts=(("Add", "failed", "GONE", "It is gone.", 3),),
            calls={"GET /x": 2},
            rejected=1,
            outcomes=77,
        )


def load(path: Path, events: Path | str, serves: ConnectionIdentity = SPRING) -> Checkpoint | None:
    with EventFile(events) as file:
        return kept.load(path, serves, file)


def test_what_is_saved_is_loaded(events: Path) -> None:
    path = kept.default_path(events, SPRING)
    assert path == events.with_name("events.ndjson.spring-sale-d39bb429.checkpoint")
    kept.save(path, made(events))
    kept.save(path, made(events))
    assert load(path, events) == made(events)
    assert sorted(file.name for file in events.parent.iterdir()) == [events.name, path.name]


@given(st.sets(st.tuples(st.integers(1, 90), st.integers(0, 4))))
def test_what_is_open_is_kept_exactly(unsettled: set[tuple[int, int]]) -> None:
    spans = RowIds(5).spans([[line * 5 + route for line, route in unsettled]])
    packed = kept.pack(spans)
    checkpoint = Checkpoint(serves=SPRING, file=None, read=Position(900, 90), unsettled=packed)
    assert sorted(checkpoint.pending()) == sorted(unsettled)
    assert msgspec.json.decode(msgspec.json.encode(checkpoint), type=Checkpoint) == checkpoint


OTHERS = [
    (replace(SPRING, label="acme 0123456789ab"), "the destination `acme`"),
    (replace(SPRING, name="Autumn sale"), "the connection `Autumn sale`"),
    (replace(SPRING, settings="07he4"), "other settings"),
    (replace(SPRING, sent_to="the sandbox"), "the sandbox"),
    (replace(SPRING, label="criteo ba9876543210"), "other subscriptions"),
]


@pytest.mark.parametrize(("other", "_why"), OTHERS[:-1])
def test_connections_that_send_elsewhere_have_checkpoints_of_their_own(
    events: Path, other: ConnectionIdentity, _why: str
) -> None:
    """Another advertiser or a test server is not served by what was sent to the first."""
    path = kept.default_path(events, SPRING)
    assert path is not None
    assert kept.default_path(events, other) != path


def test_changed_subscriptions_do_not_begin_a_checkpoint_of_their_own(events: Path) -> None:
    """They are refused by the one that there is, so that nobody is served twice unseen."""
    assert kept.default_path(events, OTHERS[-1][0]) == kept.default_path(events, SPRING)


@pytest.mark.parametrize(
    ("name", "readable"),
    [
        ("", "criteo"),
        ("Été / été", "t-t"),
        ("x" * 99, "x" * 40),
        ("../../etc", "etc"),
        ("*", "criteo"),
    ],
)
def test_the_name_of_a_checkpoint_is_readable_and_safe(
    events: Path, name: str, readable: str
) -> None:
    path = kept.default_path(events, replace(SPRING, name=name))
    assert path is not None
    assert path.parent == events.parent
    assert path.name.rpartition("-")[0] == f"events.ndjson.{readable}"


def test_checkpoints_for_other_settings_are_found(events: Path) -> None:
    path, other = (
        kept.default_path(events, one) for one in (SPRING, replace(SPRING, settings="07he4"))
    )
    assert path is not None
    assert other is not None
    assert kept.others(path) == []
    kept.save(path, made(events))
    kept.save(other, made(events))
    assert (kept.others(path), kept.others(other)) == ([other], [path])


def test_a_stream_has_no_place_for_a_checkpoint() -> None:
    assert kept.default_path("-", SPRING) is None
    assert kept.default_path("/dev/stdin", SPRING) is None


def test_no_checkpoint_is_nothing_to_load_or_remove(events: Path, tmp_path: Path) -> None:
    path = tmp_path / "none"
    assert load(path, events) is None
    kept.discard(path)
    kept.save(path, made(events))
    kept.discard(path)
    assert load(path, events) is None


@pytest.mark.parametrize(("other", "why"), OTHERS)
def test_a_checkpoint_for_another_connection_is_refused(
    events: Path, tmp_path: Path, other: ConnectionIdentity, why: str
) -> None:
    path = tmp_path / "c"
    kept.save(path, made(events, other))
    with pytest.raises(ConfigurationError) as caught:
        load(path, events)
    assert str(caught.value) == f"The checkpoint `{path}` belongs to a run for {why}. {WAY_OUT}"


@contextmanager
def streamed(content: bytes) -> Iterator[EventFile]:
    """Open a pipe that holds *content*."""
    reading, writing = os.pipe()
    os.write(writing, content)
    os.close(writing)
    try:
        with EventFile(f"/dev/fd/{reading}") as stream:
            yield stream
    finally:
        os.close(reading)


LONG = b'{"a":1}\n' * 1000


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (b"{}\n", b"{}\n", True),
        (b"{}\n", b"{}\n{}\n", True),
        (b"{}\n", b"[]\n", False),
        (b"{}\n{}\n", b"{}\n", False),
        (LONG, LONG + b"{}", True),
        (LONG, b"x" + LONG[1:], False),
        (LONG, LONG[:4095] + b"x" + LONG[4096:], False),
    ],
)
def test_a_stream_is_known_by_its_first_bytes(
    tmp_path: Path,
    first: bytes,
    second: bytes,
    same: bool,  # noqa: FBT001 - the case
) -> None:
    """What is read to recognize the stream is still delivered."""
    path = tmp_path / "c"
    with streamed(first) as stream:
        list(stream.chunks())
        kept.save(path, Checkpoint(serves=SPRING, file=None, head=stream.head))
    with streamed(second) as stream:
        again = stream.name
        if same:
            assert kept.load(path, SPRING, stream) is not None
            assert b"".join(line for one in stream.chunks() for line in one.lines) == second
            return
        with pytest.raises(ConfigurationError) as caught:
            kept.load(path, SPRING, stream)
    assert str(caught.value) == (
        f"The checkpoint `{path}` belongs to another stream: `{again}` begins otherwise. {WAY_OUT}"
    )


def test_a_checkpoint_of_a_stream_does_not_serve_a_file(events: Path, tmp_path: Path) -> None:
    path = tmp_path / "c"
    content = events.read_bytes()
    kept.save(path, Checkpoint(serves=SPRING, file=None, head=StreamHead.of(content)))
    with pytest.raises(ConfigurationError, match="only one of both is a stream"):
        load(path, events)
    kept.save(path, made(events))
    refused = pytest.raises(ConfigurationError, match="only one of both is a stream")
    with refused, streamed(content) as stream:
        kept.load(path, SPRING, stream)


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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no worker processes")
def test_a_lock_ends_with_its_run_and_not_with_the_worker_processes(tmp_path: Path) -> None:
    """Those of a killed run may live on for a moment."""
    path = tmp_path / "c"
    (told, tell), (asked, ask) = os.pipe(), os.pipe()
    run = os.fork()
    if not run:
        with kept.locked(path):
            if not os.fork():
                os.write(tell, b".")
                os.read(asked, 1)
                os._exit(0)
            os.kill(os.getpid(), signal.SIGKILL)
    try:
        os.waitpid(run, 0)
        assert os.read(told, 1) == b"."  # the worker process is under way
        with kept.locked(path):
            pass
    finally:
        os.write(ask, b".")
        for descriptor in (told, tell, asked, ask):
            os.close(descriptor)


def test_a_checkpoint_is_removed_durably(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash of the machine must not bring it back beside a new outcome file."""
    synced: list[Path] = []
    monkeypatch.setattr(kept, "sync_folder", synced.append)
    path = tmp_path / "c"
    kept.discard(path)
    path.touch()
    kept.discard(path)
    assert (synced, path.exists()) == ([tmp_path], False)


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
        (b'{"version":2,"checksum":"\xff"}', "is damaged (its text is not UTF-8)"),
        (b'{"version":1}', "is damaged (it names no connection)"),
        (
            b'{"version":1,"connection":"criteo 0123456789ab","file":null,"unsettled":{"0":"x"}}',
            "is damaged (invalid literal for int() with base 10: '')",
        ),
        (
            (
                b'{"version":1,"connection":"criteo 0123456789ab","file":null,'
                b'"unsettled":{"0":"1x999"}}'
            ),
            "is damaged (a line after the last line read)",
        ),
        (
            b'{"version":1,"connection":"criteo ffffffffffff","file":null}',
            (
                "belongs to a run for `criteo ffffffffffff`, but this run is for "
                "`criteo 0123456789ab`"
            ),
        ),
        (
            b'{"version":1,"checksum":"","file":null}',
            "has format 1, but this program reads format 2",
        ),
        (b'{"version":2}', "is damaged (Object missing required field `serves`)"),
        (
            b'{"version":2,"serves":{"label":"criteo 0123456789ab"},"file":null}',
            "is damaged (its checksum does not match)",
        ),
        (b'{"version":3}', "has format 3, but this program reads format 2"),
        (
            (
                b'{"version":1,"connection":"criteo 0123456789ab","file":null,'
                b'"counts":[["s","lost","","",1]]}'
            ),
            "is damaged (Invalid enum value 'lost' - at `$.counts[0][1]`)",
        ),
        (b"{}", "has format null, but this program reads format 2"),
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
        kept.save(path, made(events, OTHERS[0][0]))
    assert str(caught.value) == (
        f"The checkpoint `{path}` cannot be written: No space left on device. "
        "Free some space, then run the command again."
    )
    assert load(path, events) == made(events)


def previous(events: Path, label: str = LABEL) -> bytes:
    """Return a checkpoint as earlier versions wrote it."""
    old = msgspec.to_builtins(made(events))
    del old["serves"], old["head"]
    return msgspec.json.encode({"connection": label, **old, "version": 1})


def test_a_checkpoint_of_an_earlier_version_is_accepted_where_it_is_named(
    events: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "c"
    path.write_bytes(previous(events))
    assert load(path, events) == made(events)
    (told,) = caplog.messages
    assert told == (
        f"The checkpoint `{path}` is from an earlier version, which did not record the settings of "
        "its connection. It counts as one for this connection."
    )


@pytest.mark.parametrize("place", ["", "localhost-8010"])
def test_a_checkpoint_of_an_earlier_version_is_not_taken_by_its_name_alone(
    events: Path, place: str
) -> None:
    path = events.with_name(f"events.ndjson{place and f'.{place}'}.checkpoint")
    kept.refuse_previous(events, place, SPRING)
    path.write_bytes(previous(events, "criteo ffffffffffff"))
    kept.refuse_previous(events, place, SPRING)
    for content in (previous(events), previous(events)[:50]):
        path.write_bytes(content)
        with pytest.raises(ConfigurationError) as caught:
            kept.refuse_previous(events, place, SPRING)
        assert str(caught.value) == (
            f"The checkpoint `{path}` is from an earlier version, which did not record the "
            "settings of its connection. If it is for this connection, resume from it with "
            f"--checkpoint {path}; otherwise deliver the whole file with --restart."
        )


@given(st.data())
def test_no_changed_byte_changes_what_is_accepted(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever byte is replaced, removed or added, the checkpoint is refused or means the same."""
    folder = tmp_path_factory.mktemp("c")
    events, path = folder / "events.ndjson", folder / "c"
    events.write_bytes(b'{"a":1}\n{"a":2}\n')
    kept.save(path, made(events))
    content = path.read_bytes()
    at = data.draw(st.integers(0, len(content) - 1))
    new = data.draw(st.binary(max_size=1) | st.sampled_from([b"0", b"1", b'"', b" ", b","]))
    rest = content[at + data.draw(st.integers(0, 1)) :]
    path.write_bytes(content[:at] + new + rest)
    refusal = ""
    try:
        assert load(path, events) == made(events)
    except ConfigurationError as error:
        refusal = str(error)
    assert re.fullmatch(rf"(The checkpoint `{path}` .*{WAY_OUT})?", refusal, re.DOTALL)


IDENTITIES = st.builds(
    ConnectionIdentity,
    label=st.sampled_from(["criteo 0", "criteo 1", "acme 0"]),
    name=st.sampled_from(["Spring", "spring", "Autumn", ""]),
    settings=st.sampled_from(["a", "b"]),
    sent_to=st.sampled_from(["", "the sandbox", "a dry run"]),
)
CONTENTS = st.lists(st.sampled_from([b"{}\n", b'{"b":[]}\n', b'{"a":1}\n']), min_size=1, max_size=3)


@given(
    st.tuples(IDENTITIES, CONTENTS, st.booleans()), st.tuples(IDENTITIES, CONTENTS, st.booleans())
)
def test_progress_is_shared_only_by_the_same_connection_and_events(
    tmp_path_factory: pytest.TempPathFactory,
    one: tuple[ConnectionIdentity, list[bytes], bool],
    other: tuple[ConnectionIdentity, list[bytes], bool],
) -> None:
    """Under one name or the default ones, for files and streams, which may have grown."""
    folder = tmp_path_factory.mktemp("c")
    path, file = folder / "c", folder / "events"

    def opened(lines: list[bytes], *, streams: bool) -> AbstractContextManager[EventFile]:
        file.write_bytes(b"".join(lines))
        return streamed(b"".join(lines)) if streams else EventFile(file)

    with opened(one[1], streams=one[2]) as first:
        list(first.chunks())
        kept.save(path, Checkpoint(serves=one[0], file=first.identity, head=first.head))
    same = one[0] == other[0] and one[2] == other[2]
    grown = b"".join(other[1]).startswith(b"".join(one[1]))
    with opened(other[1], streams=other[2]) as second:
        try:
            found = kept.load(path, other[0], second)
        except ConfigurationError:
            found = None
    assert (found is not None) == (same and grown)
    paths = [kept.default_path(file, serves) for serves in (one[0], other[0])]
    parts = [(s.label[:4], s.name, s.settings, s.sent_to) for s in (one[0], other[0])]
    assert (paths[0] == paths[1]) == (parts[0] == parts[1])
