"""A run delivers a file to its end, through stops and resumes, and accounts for every line."""

from __future__ import annotations

import gzip
import itertools
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, TextIO, TypeAlias

import httpx
import pytest

from destinations.criteo_audiences.sandbox import CriteoSandbox
from framework import Connection
from framework.errors import ConfigurationError, StorageError
from framework.events import EventFile
from framework.relay import Checkpoint, Kind, Progress, run_file
from framework.relay import checkpoint as kept
from framework.relay import file_run as running
from framework.sandbox import Fault, FrozenClock, SandboxTransport
from tests.deliveries import (
    ADD,
    REMOVE,
    counted,
    each_once,
    event,
    members_of,
    opened,
    rows_of,
    run,
    write,
)

PEOPLE = [f"user{number}@example.com" for number in range(6)]
AMENDING = "`PATCH api.criteo.com/2026-07/marketing-solutions/audience-segments/70001/contact-list`"
NOT_MATCHED = ("skipped", "NOT_MATCHED")
Connect: TypeAlias = Callable[..., Connection]


class Wire(httpx.BaseTransport):
    """Sends requests to the sandbox and records the identifiers of every amendment."""

    def __init__(self, criteo: CriteoSandbox) -> None:
        self._transport = SandboxTransport(criteo)
        self.amended: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._transport.handle_request(request)
        if request.url.path.endswith("/contact-list") and response.is_success:
            text = request.content.decode()
            self.amended += [person for person in PEOPLE if person in text]
        return response


@pytest.fixture
def criteo() -> CriteoSandbox:
    return CriteoSandbox(clock=FrozenClock())


@pytest.fixture
def wire(criteo: CriteoSandbox) -> Wire:
    return Wire(criteo)


@pytest.fixture
def connected(criteo: CriteoSandbox, wire: Wire) -> Iterator[Connect]:
    """Open connections to the sandbox, each as in a new process."""
    connections = []

    def connect(**options: Any) -> Connection:
        connections.append(opened(criteo, wire, **options))
        return connections[-1]

    yield connect
    for connection in connections:
        connection.close()


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return tmp_path / "checkpoint"


@pytest.fixture
def outcomes(tmp_path: Path) -> Path:
    return tmp_path / "outcomes.ndjson"


@pytest.fixture
def events(tmp_path: Path) -> Path:
    return write(tmp_path / "events.ndjson", map(event, PEOPLE))


@pytest.fixture
def _saving_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "SAVE_SHARE", 1.0)
    monkeypatch.setattr(running, "SAVE_EVERY", 0.0)


def after(number: int) -> Callable[[], bool]:
    """Ask a run to stop after *number* steps."""
    steps = itertools.count(1)
    return lambda: next(steps) >= number


def piped(events: Path) -> TextIO:
    """Return a pipe that holds the events; they fit into its buffer."""
    reading, writing = os.pipe()
    os.write(writing, events.read_bytes())
    os.close(writing)
    return os.fdopen(reading, encoding="utf-8")


def read(checkpoint: Path, events: Path, connection: Connection) -> Checkpoint:
    with EventFile(events) as source:
        found = kept.load(checkpoint, kept.ConnectionIdentity.of(connection), source)
    assert found is not None
    return found


def test_every_event_has_one_outcome_for_each_subscription(
    connected: Connect, tmp_path: Path, outcomes: Path
) -> None:
    lines = [
        event("Ada@example.com"),
        event("ada@example.com", enters=False),
        b"oops",
        b"",
        {"type": "page"},
    ]
    events = write(tmp_path / "events", lines)
    summary = run(connected(), events, outcomes=outcomes)
    assert in_order(rows_of(outcomes)) == in_order(
        [
            {
                "line": 3,
                "messageId": None,
                "subscription": None,
                "outcome": "rejected",
                "message": "The line is not valid JSON: Expecting value (column 1).",
                "offset": len(events.read_bytes().partition(b"oops")[0]),
            },
            row(1, "spring-Ada@example.com", REMOVE, unmatched("Exited")),
            row(2, "spring-ada@example.com", ADD, unmatched("Entered")),
            row(5, None, ADD, unmatched("Entered")),
            row(5, None, REMOVE, unmatched("Exited")),
            row(
                2,
                "spring-ada@example.com",
                REMOVE,
                {
                    "outcome": "skipped",
                    "code": "NO_AUDIENCE",
                    "message": (
                        'The audience "spring" does not exist at Criteo, '
                        "so the user is not removed."
                    ),
                },
            ),
            row(
                1,
                "spring-Ada@example.com",
                ADD,
                {
                    "outcome": "skipped",
                    "code": "SUPERSEDED",
                    "message": "A later event about the same identifier was sent instead.",
                },
            ),
        ]
    )
    assert summary.outcomes == {"skipped": 6}
    assert (summary.lines, summary.rejected, summary.finished) == (5, 1, True)


def in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sort outcomes by line and subscription; they are written in the order of completion."""
    return sorted(rows, key=lambda one: (one["line"], str(one["subscription"])))


def row(line: int, message_id: str | None, subscription: str, result: dict[str, Any]) -> Any:
    return {"line": line, "messageId": message_id, "subscription": subscription, **result}


def unmatched(name: Literal["Entered", "Exited"]) -> dict[str, Any]:
    trigger = f'type = "track" and event = "Audience {name}"'
    text = f"The trigger `{trigger}` does not match."
    return {"outcome": "skipped", "code": "NOT_MATCHED", "message": text}


def test_results_are_counted_by_their_kind(connected: Connect, tmp_path: Path) -> None:
    events = write(tmp_path / "events", [*map(event, PEOPLE), event("nobody"), event(None)])
    summary = run(connected(), events)
    short = {(kind.subscription, kind.outcome, kind.code): n for kind, n in summary.counts.items()}
    assert short == {
        (ADD, "delivered", ""): 6,
        (ADD, "failed", "MALFORMED_IDENTIFIER"): 1,
        (ADD, "failed", "NO_IDENTIFIER"): 1,
        (REMOVE, *NOT_MATCHED): 8,
    }
    assert summary.calls == {
        "POST api.criteo.com/oauth2/token": 1,
        "POST api.criteo.com/2026-07/marketing-solutions/audience-segments/search": 1,
        "POST api.criteo.com/2026-07/marketing-solutions/audience-segments/create": 1,
        "PATCH api.criteo.com/2026-07/marketing-solutions/audience-segments/{id}/contact-list": 1,
    }


@pytest.mark.parametrize("content", [b"", b"\n", b"\n\n  \n", b"\xef\xbb\xbf"])
def test_a_file_without_events_is_finished_without_a_call(
    connected: Connect, tmp_path: Path, checkpoint: Path, outcomes: Path, content: bytes
) -> None:
    events = tmp_path / "events"
    events.write_bytes(content)
    summary = run(connected(), events, checkpoint=checkpoint, outcomes=outcomes)
    assert (summary.finished, summary.counts, summary.calls) == (True, {}, {})
    assert outcomes.read_bytes() == b""
    assert read(checkpoint, events, connected()).finished


def test_a_gzip_file_is_read_like_a_plain_one(
    connected: Connect, criteo: CriteoSandbox, events: Path, tmp_path: Path, checkpoint: Path
) -> None:
    """A stopped run resumes inside it, too."""
    packed = tmp_path / "events.gz"
    packed.write_bytes(gzip.compress(events.read_bytes()))
    assert run(connected(), packed, checkpoint=checkpoint, limit=4).stopped == "limit"
    assert members_of(criteo) == {"spring": set(PEOPLE[:4])}
    assert run(connected(), packed, checkpoint=checkpoint).finished
    assert members_of(criteo) == {"spring": set(PEOPLE)}


def test_a_stream_is_read_once_and_needs_no_checkpoint(
    connected: Connect, criteo: CriteoSandbox, events: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with piped(events) as pipe:
        monkeypatch.setattr(sys, "stdin", pipe)
        summary = run(connected(), "-")
    assert (summary.finished, summary.lines) == (True, 6)
    assert members_of(criteo) == {"spring": set(PEOPLE)}


def test_a_stream_resumes_where_its_checkpoint_says(
    connected: Connect, wire: Wire, events: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same input must be sent again from its start; completed events are skipped."""
    for limit in (2, None):
        with piped(events) as pipe:
            monkeypatch.setattr(sys, "stdin", pipe)
            run(connected(batch_size=1), "-", checkpoint=checkpoint, limit=limit)
    assert wire.amended == PEOPLE


def test_what_was_confirmed_is_not_repeated(
    connected: Connect, wire: Wire, events: Path, checkpoint: Path, outcomes: Path
) -> None:
    """A run that is asked to stop does so between two requests; the next one does the rest."""
    options: dict[str, Any] = {"checkpoint": checkpoint, "outcomes": outcomes}
    first = run(connected(batch_size=1), events, stopping=after(4), **options)
    assert (first.stopped, first.finished, first.lines) == ("interrupted", False, 6)
    assert wire.amended == PEOPLE[:3]
    second = run(connected(batch_size=1), events, **options)
    assert wire.amended == PEOPLE
    assert (second.finished, second.resumed, second.lines) == (True, 6, 6)
    assert second.counts[Kind(ADD, "delivered")] == 6
    assert second.calls["POST api.criteo.com/oauth2/token"] == 2
    assert counted(outcomes) == each_once(range(1, 7))


def test_a_checkpoint_names_what_has_no_result(
    connected: Connect, events: Path, checkpoint: Path
) -> None:
    connection = connected(batch_size=1)
    run(connection, events, stopping=after(3), checkpoint=checkpoint)
    found = read(checkpoint, events, connection)
    size = events.stat().st_size
    assert (found.position.offset, found.position.lines) == (0, 0)
    assert (found.read.offset, found.read.lines) == (size, 6)
    assert list(found.pending()) == [(3, 0), (4, 0), (5, 0), (6, 0)]
    assert {row[:3]: row[4] for row in found.counts} == {
        (ADD, "delivered", ""): 2,
        (REMOVE, *NOT_MATCHED): 6,
    }
    assert not found.finished


def test_the_position_of_a_checkpoint_is_the_chunk_of_the_first_event_without_result(
    connected: Connect, events: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = events.read_bytes().splitlines(keepends=True)
    monkeypatch.setattr("framework.events.files.BLOCK", len(lines[0]) * 2)
    connection = connected(batch_size=5)
    run(connection, events, stopping=after(4), checkpoint=checkpoint)
    found = read(checkpoint, events, connection)
    assert (found.position.offset, found.position.lines) == (len(b"".join(lines[:4])), 4)
    assert found.read.lines == 6
    assert list(found.pending()) == [(6, 0)]


@pytest.mark.usefixtures("_saving_always")
def test_a_resumed_run_that_stops_early_loses_nothing(
    connected: Connect,
    criteo: CriteoSandbox,
    events: Path,
    checkpoint: Path,
    outcomes: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Events without a result after the second run's stop still have none then."""
    monkeypatch.setattr("framework.events.files.BLOCK", len(events.read_bytes()) // 5)
    options: dict[str, Any] = {"checkpoint": checkpoint, "outcomes": outcomes}
    criteo.inject(Fault("unavailable", times=8))
    first = run(connected(), events, **options)
    assert (first.stopped, first.lines) == ("unavailable", 6)
    second = run(connected(), events, stopping=after(1), **options)
    assert (second.stopped, second.lines) == ("interrupted", 6)
    assert run(connected(), events, **options).stopped == "unavailable"
    assert run(connected(), events, **options).finished
    assert members_of(criteo) == {"spring": set(PEOPLE)}
    assert counted(outcomes) == each_once(range(1, 7))


@pytest.mark.parametrize(
    ("fault", "stopped", "message"),
    [
        (
            Fault("unavailable", "amend", times=8),
            "unavailable",
            "answered 503 Service Unavailable: an internal error occurred",
        ),
        (Fault("drop-before", "amend", times=8), "unavailable", "did not answer in proper HTTP."),
        (
            Fault("rate-limited", "amend", times=8, seconds=1_000.0),
            "unavailable",
            "answered 429 Too Many Requests: too many requests",
        ),
        (
            Fault("expired-token", "amend", times=2),
            "refused",
            "answered 401 Unauthorized: the token is expired",
        ),
    ],
    ids=["unavailable", "dropped", "limited", "refused"],
)
def test_a_partner_that_is_not_available_or_refuses_stops_the_run(
    connected: Connect,
    wire: Wire,
    criteo: CriteoSandbox,
    events: Path,
    checkpoint: Path,
    outcomes: Path,
    fault: Fault,
    stopped: str,
    message: str,
) -> None:
    """Nothing overtakes what failed: the next run sends it, and then what comes after it."""
    options: dict[str, Any] = {"checkpoint": checkpoint, "outcomes": outcomes}
    criteo.inject(fault)
    first = run(connected(batch_size=2), events, **options)
    assert (first.stopped, first.finished) == (stopped, False)
    assert first.message.startswith(f"{AMENDING} {message}")
    assert wire.amended == []
    assert first.outcomes == {"skipped": 6}
    criteo.reset()
    assert run(connected(batch_size=2), events, **options).finished
    assert wire.amended == PEOPLE
    assert counted(outcomes) == each_once(range(1, 7))


def test_refused_credentials_stop_the_run(
    connected: Connect, criteo: CriteoSandbox, events: Path, checkpoint: Path
) -> None:
    wrong = connected(settings={"client_secret": "not the secret"})
    first = run(wrong, events, checkpoint=checkpoint)
    assert (first.stopped, first.finished, members_of(criteo)) == ("refused", False, {})
    assert run(connected(), events, checkpoint=checkpoint).finished
    assert members_of(criteo) == {"spring": set(PEOPLE)}


def test_a_limit_counts_lines_of_this_run(
    connected: Connect, wire: Wire, events: Path, checkpoint: Path, outcomes: Path
) -> None:
    """What was read is delivered before the run stops; only reading reveals the end."""
    seen = []
    while True:
        summary = run(connected(), events, checkpoint=checkpoint, outcomes=outcomes, limit=2)
        seen.append((summary.lines, summary.stopped, len(wire.amended)))
        if summary.finished:
            break
    assert seen == [(2, "limit", 2), (4, "limit", 4), (6, "limit", 6), (6, "", 6)]
    assert wire.amended == PEOPLE
    assert counted(outcomes) == each_once(range(1, 7))


def test_a_finished_run_leaves_nothing_to_do(
    connected: Connect, criteo: CriteoSandbox, events: Path, checkpoint: Path, outcomes: Path
) -> None:
    first = run(connected(), events, checkpoint=checkpoint, outcomes=outcomes)
    written, calls = outcomes.read_bytes(), criteo.calls.total()
    again = run(connected(), events, checkpoint=checkpoint, outcomes=outcomes)
    assert (again.finished, again.counts, again.resumed) == (True, first.counts, 6)
    assert criteo.calls.total() == calls
    assert outcomes.read_bytes() == written


def test_a_file_that_has_grown_resumes_where_it_ended(
    connected: Connect, wire: Wire, events: Path, checkpoint: Path, outcomes: Path
) -> None:
    whole = events.read_bytes().splitlines(keepends=True)
    events.write_bytes(b"".join(whole[:4]))
    assert run(connected(), events, checkpoint=checkpoint, outcomes=outcomes).finished
    events.write_bytes(b"".join(whole))
    assert run(connected(), events, checkpoint=checkpoint, outcomes=outcomes).finished
    assert wire.amended == PEOPLE
    assert counted(outcomes) == each_once(range(1, 7))


def test_a_checkpoint_of_another_file_is_refused(
    connected: Connect, criteo: CriteoSandbox, events: Path, checkpoint: Path, outcomes: Path
) -> None:
    run(connected(), events, checkpoint=checkpoint, limit=2)
    calls = criteo.calls.total()
    write(events, map(event, reversed(PEOPLE)))
    with pytest.raises(ConfigurationError) as refused:
        run(connected(), events, checkpoint=checkpoint, outcomes=outcomes)
    assert str(refused.value) == (
        f"The checkpoint `{checkpoint}` does not match the events file `{events}`, which is "
        "another one or was changed. Name another one with --checkpoint, or deliver the whole "
        "file again with --restart."
    )
    assert criteo.calls.total() == calls
    assert not outcomes.exists()


def test_a_checkpoint_of_other_subscriptions_is_refused(
    connected: Connect, events: Path, checkpoint: Path
) -> None:
    run(connected(), events, checkpoint=checkpoint, limit=2)
    with pytest.raises(ConfigurationError, match="belongs to a run for other subscriptions"):
        run(connected(hash_emails=True), events, checkpoint=checkpoint)


def test_a_full_disk_under_the_outcomes_stops_the_run(
    connected: Connect, criteo: CriteoSandbox, events: Path, checkpoint: Path, outcomes: Path
) -> None:
    """What was not written is not completed: the next run delivers it again."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(StorageError) as stopped:
        run(connected(), events, checkpoint=checkpoint, outcomes=full)
    assert str(stopped.value) == (
        "The outcome file `/dev/full` cannot be written: No space left on device. "
        "Free some space, then run the command again."
    )
    assert not checkpoint.exists()
    assert run(connected(), events, checkpoint=checkpoint, outcomes=outcomes).finished
    assert members_of(criteo) == {"spring": set(PEOPLE)}
    assert counted(outcomes) == each_once(range(1, 7))


def test_a_checkpoint_that_cannot_be_written_stops_the_run(
    connected: Connect, events: Path, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "missing" / "checkpoint"
    with pytest.raises(StorageError) as stopped:
        run(connected(), events, checkpoint=checkpoint)
    assert str(stopped.value) == (
        f"The checkpoint `{checkpoint}` cannot be written: No such file or directory."
    )


def test_progress_is_reported_from_the_first_line_to_the_last(
    connected: Connect, events: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "SHOW_EVERY", 0.0)
    told: list[Progress] = []
    with EventFile(events) as source:
        run_file(connected(batch_size=3), source, on_progress=told.append)
    size = events.stat().st_size
    assert {(one.lines, one.bytes_done, one.bytes_total) for one in told} == {(6, size, size)}
    assert [one.counts.get("delivered", 0) for one in told] == [0, 3, 6, 6]
    assert told[-1].calls == 5
