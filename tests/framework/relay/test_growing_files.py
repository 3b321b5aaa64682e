"""A file that is still written to: its unfinished last line is left for the next run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.events import EventFile
from framework.relay import Summary, run_file
from tests.deliveries import rows_of
from tests.framework.delivery.bench import Message, Partner, connected, plugin, said

LINES = [json.dumps(said(str(number))).encode() + b"\n" for number in range(4)]


class Growing:
    """Runs over one file with one checkpoint."""

    def __init__(self, folder: Path) -> None:
        self.events, self.outcomes = folder / "events", folder / "outcomes"
        self.checkpoint = folder / "checkpoint"
        self.sent: list[str] = []

    def run(self, content: bytes, *, last_line: bool = False, **options: Any) -> Summary:
        self.events.write_bytes(content)

        def perform_batch(payloads: list[Message]) -> None:
            self.sent += [one.text for one in payloads]

        with (
            connected(plugin(perform_batch=perform_batch), partner=Partner()) as connection,
            EventFile(self.events, last_line=last_line) as source,
        ):
            return run_file(
                connection, source, checkpoint=self.checkpoint, outcomes=self.outcomes, **options
            )


@pytest.fixture
def growing(tmp_path: Path) -> Growing:
    return Growing(tmp_path)


WHOLE = b"".join(LINES)


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("end", range(1, len(WHOLE) + 1, 7))
def test_wherever_a_file_ends_for_now_each_line_is_delivered_once(
    growing: Growing, end: int, processes: int
) -> None:
    first = growing.run(WHOLE[:end], processes=processes)
    assert (first.finished, first.rejected) == (True, 0)
    whole = WHOLE[:end].count(b"}\n") + WHOLE[:end].endswith(b"}}")
    assert first.outcomes["delivered"] >= WHOLE[:end].count(b"\n")
    assert first.outcomes["delivered"] <= whole + 1
    second = growing.run(WHOLE, processes=processes)
    assert (second.finished, second.rejected, second.unfinished) == (True, 0, 0)
    assert sorted(growing.sent) == ["0", "1", "2", "3"]
    assert sorted(row["line"] for row in rows_of(growing.outcomes)) == [1, 2, 3, 4]


@given(cuts=st.lists(st.integers(0, len(WHOLE)), max_size=5))
def test_a_file_may_grow_in_any_steps(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
) -> None:
    growing = Growing(tmp_path_factory.mktemp("grows"))
    for cut in [*sorted(cuts), len(WHOLE)]:
        assert growing.run(WHOLE[:cut]).rejected == 0
    assert sorted(growing.sent) == ["0", "1", "2", "3"]


def test_a_half_line_is_named_and_read_on_request(growing: Growing) -> None:
    half = LINES[0] + LINES[1][:20]
    first = growing.run(half)
    assert (first.lines, first.unfinished, first.rejected) == (1, 20, 0)
    assert growing.run(half).unfinished == 20
    taken = growing.run(half, last_line=True)
    assert (taken.lines, taken.unfinished, taken.rejected) == (2, 0, 1)
    assert growing.sent == ["0"]


def test_a_whole_last_line_needs_no_end(growing: Growing) -> None:
    first = growing.run(WHOLE[:-1])
    assert (first.unfinished, len(growing.sent)) == (0, 4)
    extra = json.dumps(said("more")).encode()
    assert growing.run(WHOLE + extra + b"\r\n").finished
    assert growing.sent == ["0", "1", "2", "3", "more"]
    assert rows_of(growing.outcomes)[-1]["line"] == 5
