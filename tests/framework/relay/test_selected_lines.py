"""A run may begin at a line, and leave out events before a time."""

from __future__ import annotations

import gzip
import io
import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from framework.definition import Subscription
from framework.errors import ConfigurationError
from framework.events import EventFile
from framework.relay import Kind, Summary, processes, read_moment, run_file
from framework.results import DELIVERED, Failed, Result
from tests.deliveries import rows_of
from tests.framework.delivery.bench import Message, Partner, connected, plugin, said

LINES = [json.dumps(said(str(number))).encode() + b"\n" for number in range(1, 10)]
WHOLE = b"".join(LINES)
NOON = datetime(2026, 3, 9, 12, tzinfo=UTC)
TWO = [Subscription(action="send", name="First"), Subscription(action="send", name="Second")]


class Runs:
    """Runs over one source and checkpoint; *down* texts fail temporarily, *bad* permanently."""

    def __init__(self, folder: Path) -> None:
        self.events, self.outcomes = folder / "events", folder / "outcomes"
        self.checkpoint = folder / "checkpoint"
        self.sent: list[str] = []
        self.down: set[str] = set()
        self.bad: set[str] = set()

    def run(
        self, content: bytes, *subscriptions: Subscription, stream: bool = False, **options: Any
    ) -> Summary:
        self.events.write_bytes(content)

        def perform_batch(payloads: Sequence[Message]) -> list[Result]:
            texts = [one.text for one in payloads]
            found: list[Result] = []
            for text in texts:
                if text in self.down | self.bad:
                    found.append(Failed(503 if text in self.down else 400, "NO", "No."))
                else:
                    found.append(DELIVERED)
                    self.sent.append(text)
            return found

        source: Any = io.BytesIO(content) if stream else self.events
        opened = plugin(perform_batch=perform_batch)
        with (
            connected(opened, *subscriptions, partner=Partner()) as connection,
            EventFile(source) as events,
        ):
            return run_file(
                connection, events,
                checkpoint=self.checkpoint, outcomes=self.outcomes, **options,
            )  # fmt: skip

    @property
    def lines(self) -> list[int]:
        """The lines that have an outcome, ascending."""
        return sorted(row["line"] for row in rows_of(self.outcomes))

    @property
    def saved(self) -> dict[str, Any]:
        saved: dict[str, Any] = json.loads(self.checkpoint.read_text())
        return saved


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runs:
    monkeypatch.setattr(processes, "SPAN_SIZE", 100)
    return Runs(tmp_path)


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (WHOLE, {}),
        (WHOLE, {"processes": 2}),
        (gzip.compress(WHOLE), {}),
        (WHOLE, {"stream": True}),
        (b"[" + b",".join(LINES) + b"]", {}),
        (WHOLE.decode().encode("utf-16"), {}),
    ],
    ids=["plain", "processes", "gzip", "stream", "document", "utf-16"],
)
@pytest.mark.parametrize("first", [1, 4, 9, 10])
def test_lines_before_the_first_are_neither_sent_nor_reported(
    runs: Runs, content: bytes, options: dict[str, Any], first: int
) -> None:
    summary = runs.run(content, first_line=first, **options)
    wanted = range(first, 10)
    assert runs.sent == [str(number) for number in wanted]
    assert (summary.finished, summary.lines, summary.resumed) == (True, 9, first - 1)
    assert runs.lines == [*wanted]
    assert summary.outcomes == Counter({"delivered": 10 - first} if first < 10 else {})
    assert (runs.saved["read"]["lines"], runs.saved["first_line"]) == (9, first)


def test_invalid_lines_before_the_first_are_not_counted(runs: Runs) -> None:
    content = b"{bad\n" + LINES[0] + b"{bad\n" + LINES[1]
    assert runs.run(content, first_line=2).rejected == 1
    assert runs.sent == ["1", "2"]


@pytest.mark.parametrize("form", ["plain", "gzip"])
def test_a_limit_counts_from_the_first_line(runs: Runs, form: str) -> None:
    content = gzip.compress(WHOLE) if form == "gzip" else WHOLE
    assert runs.run(content, first_line=4, limit=2).stopped == "limit"
    assert runs.sent == ["4", "5"]
    again = runs.run(content, first_line=4)
    assert (again.finished, again.resumed) == (True, 5)
    assert runs.sent == ["4", "5", "6", "7", "8", "9"]
    assert runs.lines == [4, 5, 6, 7, 8, 9]


def test_a_checkpoint_that_is_beyond_the_line_is_refused_with_a_way_out(runs: Runs) -> None:
    runs.run(WHOLE, limit=5)
    saved = runs.checkpoint.read_bytes()
    for first in (1, 5):
        with pytest.raises(ConfigurationError) as refused:
            runs.run(WHOLE, first_line=first)
        assert str(refused.value) == (
            f"The checkpoint `{runs.checkpoint}` has already read 5 lines, so --from-line {first} "
            "would deliver some of them again. Leave out --from-line to resume, or deliver from "
            f"line {first} on again by adding --restart."
        )
    assert (runs.checkpoint.read_bytes(), runs.sent) == (saved, ["1", "2", "3", "4", "5"])
    runs.run(WHOLE, first_line=6)
    assert runs.sent == [str(number) for number in range(1, 10)]


@pytest.mark.parametrize("form", ["plain", "gzip"])
def test_a_run_can_jump_ahead_and_still_delivers_what_was_open(runs: Runs, form: str) -> None:
    content = gzip.compress(WHOLE) if form == "gzip" else WHOLE
    runs.down = {"2"}
    first = runs.run(content, limit=3)
    assert (first.unsettled, runs.sent) == (1, ["1", "3"])
    runs.down = set()
    second = runs.run(content, first_line=7)
    assert runs.sent == ["1", "3", "2", "7", "8", "9"]
    assert runs.lines == [1, 2, 3, 7, 8, 9]
    assert (second.finished, second.outcomes["delivered"]) == (True, 6)


@pytest.mark.parametrize(
    ("content", "stream", "first"),
    [(WHOLE, False, 11), (WHOLE + b'{"a"', False, 12), (gzip.compress(WHOLE), False, 11),
     (WHOLE, True, 40)],
)  # fmt: skip
def test_a_line_beyond_the_end_is_refused(
    runs: Runs, content: bytes, first: int, *, stream: bool
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        runs.run(content, stream=stream, first_line=first)
    assert str(refused.value).startswith(f"--from-line {first} is beyond the end of `")
    assert str(refused.value).endswith("`, which has 9 lines so far.")
    assert runs.sent == []


def at(text: str, timestamp: Any) -> dict[str, Any]:
    return said(text, timestamp=timestamp)


TIMED = [
    at("old", "2026-03-09T11:59:59.999Z"),
    at("now", "2026-03-09T12:00:00Z"),
    at("old elsewhere", "2026-03-09T13:59:00+02:00"),
    at("new elsewhere", "2026-03-09T09:00:00-04:00"),
    at("old without zone", "2026-03-09T11:00:00"),
    at("old day", "2026-03-09"),
    at("new day", "2026-03-10"),
    at("no date", "noon"),
    at("number", 0),
    at("null", None),
    said("none"),
    {"type": "page", "timestamp": "2026-03-01T00:00:00Z"},
    {"type": "delete", "userId": "u1", "timestamp": "2026-03-01T00:00:00Z"},
]
NEW = ["now", "new elsewhere", "new day", "no date", "number", "null", "none"]
OLD = [1, 3, 5, 6, 12]
CONTENT = b"".join(json.dumps(one).encode() + b"\n" for one in TIMED)


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (CONTENT, {}),
        (CONTENT, {"processes": 2}),
        (CONTENT, {"threads": 2}),
        (gzip.compress(CONTENT), {}),
        (CONTENT, {"stream": True}),
    ],
    ids=["plain", "processes", "threads", "gzip", "stream"],
)
def test_events_before_a_time_are_skipped_by_name(
    runs: Runs, content: bytes, options: dict[str, Any]
) -> None:
    summary = runs.run(content, *TWO, since=NOON, **options)
    assert sorted(runs.sent) == sorted(NEW * 2)
    reason = "The event's `timestamp` is before 2026-03-09T12:00:00Z."
    early = {kind: number for kind, number in summary.counts.items() if kind.outcome != "delivered"}
    assert early == {
        Kind("First", "skipped", "BEFORE_SINCE", reason): 5,
        Kind("Second", "skipped", "BEFORE_SINCE", reason): 5,
        Kind("(deletions)", "skipped", "BEFORE_SINCE", reason): 1,
    }
    assert (summary.finished, summary.rejected) == (True, 0)
    skipped = [row for row in rows_of(runs.outcomes) if row["outcome"] == "skipped"]
    for name in ("First", "Second"):
        assert sorted(row["line"] for row in skipped if row["subscription"] == name) == OLD
    assert [row["line"] for row in skipped if row["subscription"] == "(deletions)"] == [13]


def test_a_resumed_run_skips_new_lines_only(runs: Runs) -> None:
    """What an earlier run left open was wanted then, and is delivered."""
    runs.down = {"old", "now"}
    runs.run(CONTENT, limit=2)
    runs.down = set()
    summary = runs.run(CONTENT, since=NOON)
    assert runs.sent == ["old", *NEW]
    assert summary.finished
    assert Counter(runs.lines) == Counter(range(1, 14))


def test_a_time_with_a_zone_is_told_in_utc(runs: Runs) -> None:
    there = (NOON + timedelta(milliseconds=1)).astimezone()
    (kind,) = (kind for kind in runs.run(CONTENT, since=there).counts if kind.code
               and kind.subscription == "Send")  # fmt: skip
    assert kind.reason == "The event's `timestamp` is before 2026-03-09T12:00:00.001000Z."


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2026-03-09", datetime(2026, 3, 9, tzinfo=UTC)),
        (" 2026-03-09T12:00:00Z ", NOON),
        ("2026-03-09 13:00+01:00", NOON),
        ("2026-03-09T12:00:00.123456789Z", NOON.replace(microsecond=123456)),
        ("20260309T120000Z", NOON),
        ("March 9", None),
        ("", None),
        (1_773_057_600, None),
        (None, None),
        ("2026-02-30", None),
    ],
)
def test_times_are_read_as_iso_8601(value: object, moment: datetime | None) -> None:
    assert read_moment(value) == moment


def test_the_edges_of_time_are_compared(runs: Runs) -> None:
    first, last = at("first", "0001-01-01T00:00:00+14:00"), at("last", "9999-12-31T23:59:59-14:00")
    content = b"".join(json.dumps(one).encode() + b"\n" for one in (first, last))
    runs.run(content, since=datetime(1, 1, 1, tzinfo=UTC))
    assert runs.sent == ["last"]


def test_a_run_that_stops_at_its_first_step_loses_nothing(runs: Runs) -> None:
    """Also where a chunk that is read again has events before the time."""
    runs.down = {"old", "now"}
    runs.run(CONTENT, limit=2)
    runs.down = set()
    assert runs.run(CONTENT, since=NOON, stopping=lambda: True).stopped == "interrupted"
    assert runs.run(CONTENT, since=NOON).finished
    assert sorted(runs.sent) == sorted(["old", *NEW])
    assert Counter(runs.lines) == Counter(range(1, 14))
