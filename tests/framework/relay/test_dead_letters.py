"""Dead letters: what failed permanently is kept once, with its event, through stops and resumes."""

from __future__ import annotations

import gzip
import io
import json
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from framework.delivery import Patience
from framework.errors import ConfigurationError
from framework.events import EventFile
from framework.relay import DeadLetter, DeadLetterFile, DeadLetterFilter, run_file
from framework.relay import file_run as running
from framework.results import DELIVERED, Failed
from tests.framework.delivery.bench import Message, Partner, connected, plugin, said
from tests.framework.relay.test_held_by_key import Bench, Rooms, fails

ALL = DeadLetterFilter()
SIX = [("a", "1"), ("b", "2"), ("a", "3"), ("b", "4"), ("a", "5"), ("b", "6")]


def refusing(payloads: Sequence[Message]) -> list[Any]:
    return [
        Failed(400, "NO_EVEN", f"{one.text} is even.", "partner") if int(one.text) % 2 == 0 else
        DELIVERED
        for one in payloads
    ]  # fmt: skip


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path, SIX)
    made.hooks = {"perform_batch": refusing}
    return made


def letters(path: Path, chosen: DeadLetterFilter = ALL) -> list[DeadLetter]:
    return DeadLetterFile(path).list(chosen)


def lines(path: Path) -> list[int]:
    return sorted(one.line for one in letters(path))


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("threads", [0, 2])
def test_what_fails_for_good_is_kept_with_its_event(
    bench: Bench, tmp_path: Path, threads: int, processes: int
) -> None:
    path = tmp_path / "dead"
    summary = bench.run(
        Rooms(), Patience(), dead_letters=path, threads=threads, processes=processes
    )
    assert summary.outcomes == {"delivered": 3, "failed": 3}
    found = {one.line: one for one in letters(path)}
    assert sorted(found) == [2, 4, 6]
    letter = found[4]
    assert json.loads(letter.event) == said("4", "b")
    assert (letter.connection, letter.subscription) == ("partner", "Send")
    assert (letter.code, letter.outcome["message"]) == ("NO_EVEN", "4 is even.")
    assert (letter.tries, letter.first, letter.at) == (1, 1_800_000_000.0, 1_800_000_000.0)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(bench.checkpoint.read_text())["dead_letters"] == path.stat().st_size


def test_no_file_is_made_without_a_failure(bench: Bench, tmp_path: Path) -> None:
    bench.hooks = {"perform_batch": lambda: None}
    assert bench.run(Rooms(), Patience(), dead_letters=tmp_path / "dead").finished
    assert not (tmp_path / "dead").exists()


def test_what_is_given_up_says_since_when_it_was_tried(tmp_path: Path) -> None:
    bench, path = Bench(tmp_path, SIX), tmp_path / "dead"
    patience = Patience(tries=2, total=60)
    bench.run(Rooms(fails("b")), patience, dead_letters=path)
    assert not path.exists()
    bench.clock.reading += 100
    bench.run(Rooms(fails("b")), patience, dead_letters=path)
    found = {one.line: (one.tries, one.first, one.at) for one in letters(path)}
    start = 1_800_000_000.0
    assert found == {
        2: (2, start, start + 100), 4: (2, start, start + 100), 6: (3, start, start + 100)
    }  # fmt: skip


def test_stops_and_resumes_write_each_letter_once(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written after the last checkpoint is written again in its place."""
    monkeypatch.setattr(running, "SAVE_SHARE", 1.0)
    monkeypatch.setattr(running, "SAVE_EVERY", 0.0)
    path = tmp_path / "dead"
    for _ in range(10):
        if bench.run(Rooms(), Patience(), dead_letters=path, limit=1).finished:
            break
        with path.open("ab") as file:
            file.write(b'{"half a li')
    assert lines(path) == [2, 4, 6]
    assert len(path.read_bytes().splitlines()) == 3


def test_a_crash_before_the_first_checkpoint_leaves_a_file_that_can_be_read(
    bench: Bench, tmp_path: Path
) -> None:
    path = tmp_path / "dead"
    bench.run(Rooms(), Patience(), dead_letters=path)
    bench.checkpoint.unlink()
    path.write_bytes(path.read_bytes()[:-40])
    bench.run(Rooms(), Patience(), dead_letters=path)
    assert lines(path) == [2, 4, 6]


def test_a_stream_and_a_packed_file_keep_their_lines(bench: Bench, tmp_path: Path) -> None:
    path, content = tmp_path / "dead", bench.events.read_bytes()
    bench.events = tmp_path / "events.gz"
    bench.events.write_bytes(gzip.compress(content))
    bench.run(Rooms(), Patience(), dead_letters=path)
    assert {one.line: json.loads(one.event) for one in letters(path)}[6] == said("6", "b")

    other = tmp_path / "other"
    with (
        connected(plugin(perform_batch=refusing), partner=Partner()) as connection,
        EventFile(io.BytesIO(content)) as source,
    ):
        run_file(connection, source, dead_letters=other)
    assert lines(other) == [2, 4, 6]


def test_letters_are_filtered(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "dead"
    bench.run(Rooms(), Patience(), dead_letters=path)
    first = letters(path)[0]
    at = first.at
    for chosen, number in (
        (DeadLetterFilter(ids=[first.id]), 1),
        (DeadLetterFilter(connection="partner"), 3),
        (DeadLetterFilter(connection="other"), 0),
        (DeadLetterFilter(subscription="Send"), 3),
        (DeadLetterFilter(subscription="Other"), 0),
        (DeadLetterFilter(code="NO_EVEN"), 3),
        (DeadLetterFilter(code="OTHER"), 0),
        (DeadLetterFilter(since=at, until=at + 1), 3),
        (DeadLetterFilter(since=at + 1), 0),
        (DeadLetterFilter(until=at), 0),
        (DeadLetterFilter(message_id="7"), 0),
    ):
        assert len(letters(path, chosen)) == number, chosen


def test_what_is_dropped_stays_dropped_while_the_run_goes_on(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "dead"
    bench.run(Rooms(), Patience(), dead_letters=path, limit=4)
    assert DeadLetterFile(path).drop() == 2
    assert lines(path) == []
    assert stat.S_IMODE(path.with_name("dead.dropped").stat().st_mode) == 0o600
    assert bench.run(Rooms(), Patience(), dead_letters=path).finished
    assert lines(path) == [6]


def test_a_device_is_not_read() -> None:
    """It may have no end."""
    with pytest.raises(ConfigurationError, match="`/dev/zero` is not a file of dead letters"):
        letters(Path("/dev/zero"))


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "dead"
    for text, why in (
        (b"{}", "it lacks what"),
        (b"[]", "it lacks what"),
        (b"x", "it is not valid JSON: Expecting value (column 1)."),
        (b'{"a": "\xe9"}', "it is not UTF-8 text (byte 8)."),
        (b'\xff\xfe{"a"', "it is not UTF-8 text (byte 1)."),
        (b"[" * 5_000, "it is nested"),
    ):
        path.write_bytes(text + b"\n")
        with pytest.raises(ConfigurationError) as refused:
            letters(path)
        assert f"dead:1`: the line is not a dead letter: {why}" in str(refused.value)
        assert "EVENTS.NAME-DIGEST.dead-letters.ndjson" in str(refused.value)
