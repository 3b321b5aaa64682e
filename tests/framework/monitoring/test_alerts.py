"""When alerts begin, repeat and end, over real relays, commands and servers."""

from __future__ import annotations

import json
import logging
import shlex
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from framework.errors import ConfigurationError
from framework.monitoring import AlertBounds, AlertCommand, AlertNotice, Alerts, AlertURL
from framework.monitoring.alerts import MINIMUM, REPEAT_AFTER, RejectedShare
from framework.relay import DeadLetterFilter, Relay, SQLiteStore
from framework.sandbox import Server
from tests.framework.monitoring.watched import (
    add_dead_letters,
    append,
    relaying,
    stopped_relay,
)
from tests.relaying import until

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

NOW = 1_800_000_000.0


class Kept:
    """Keeps the alerts that are told."""

    name = "list"

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.stopped = False

    def send(self, document: bytes) -> tuple[str, str]:
        self.told.append(json.loads(document))
        return "", ""

    def stop(self) -> None:
        self.stopped = True


class Receiver:
    """A server that keeps what is posted to it, and answers with its statuses in turn."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.received: list[tuple[str, Any]] = []
        self.hangs = threading.Event()
        self.hangs.set()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        self.received.append((environ["CONTENT_TYPE"], json.loads(body)))
        self.hangs.wait(30)
        status = self.statuses.pop(0) if self.statuses else 204
        start_response(f"{status} Answer", [("Content-Length", "0")])
        return []


class Times:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLiteStore]:
    with SQLiteStore(tmp_path / "events.db") as opened:
        yield opened


@pytest.fixture
def kept() -> Kept:
    return Kept()


def watching(
    store: SQLiteStore, relay: Relay, bounds: AlertBounds, *notices: AlertNotice, **options: Any
) -> Alerts:
    """Watch a relay without an intake."""
    return Alerts(store, relay, dict, bounds, notices, **options)


def states(kept: Kept) -> list[str]:
    return [one["state"] for one in kept.told]


def test_an_alert_begins_and_ends_once(store: SQLiteStore, kept: Kept) -> None:
    add_dead_letters(store, 3)
    with relaying(store) as relay:
        times = Times()
        alerts = watching(store, relay, AlertBounds(dead_letters=2), kept, now=times)
        for _ in range(3):
            alerts.check()
            times.now += 5
        assert kept.told == [
            {
                "connection": "ads", "alert": "deadLetters", "state": "firing", "value": 3.0,
                "bound": 2.0, "since": "2027-01-15T08:00:00Z",
            }
        ]  # fmt: skip
        store.dead_letters.drop()
        for _ in range(3):
            alerts.check()
        assert kept.told[1:] == [
            {
                "connection": "ads", "alert": "deadLetters", "state": "resolved", "value": 0.0,
                "bound": 2.0, "since": "2027-01-15T08:00:00Z",
            }
        ]  # fmt: skip


def test_a_value_near_its_bound_is_one_alert(store: SQLiteStore, kept: Kept) -> None:
    add_dead_letters(store, 11)
    first, *_ = store.dead_letters.list()
    with relaying(store) as relay:
        alerts = watching(store, relay, AlertBounds(dead_letters=10), kept)
        alerts.check()
        store.dead_letters.drop(DeadLetterFilter(ids=[first.id, first.id + 1]))
        alerts.check()  # 9 of 10: within the bound, and above four fifths of it
        assert states(kept) == ["firing"]
        store.dead_letters.drop(DeadLetterFilter(ids=[first.id + 2]))
        alerts.check()
        assert states(kept) == ["firing", "resolved"]


def test_an_alert_that_lasts_is_repeated_each_hour(store: SQLiteStore, kept: Kept) -> None:
    add_dead_letters(store, 1)
    with relaying(store) as relay:
        times = Times()
        alerts = watching(store, relay, AlertBounds(dead_letters=0), kept, now=times)
        for minute in range(0, 150, 10):
            times.now = NOW + minute * 60
            alerts.check()
    assert states(kept) == ["firing"] * 3
    assert {one["since"] for one in kept.told} == {"2027-01-15T08:00:00Z"}
    assert REPEAT_AFTER == 3600.0


def test_a_relay_that_is_started_again_tells_nothing_twice(tmp_path: Path, kept: Kept) -> None:
    """It also tells the end of an alert that ended while no relay ran."""
    bounds = AlertBounds(dead_letters=0)
    with SQLiteStore(tmp_path / "events.db") as store:
        add_dead_letters(store, 1)
        with relaying(store) as relay:
            watching(store, relay, bounds, kept).check()
    with SQLiteStore(tmp_path / "events.db") as store, relaying(store) as relay:
        watching(store, relay, bounds, kept).check()
    assert states(kept) == ["firing"]
    with SQLiteStore(tmp_path / "events.db") as store:
        store.dead_letters.drop()
        with relaying(store) as relay:
            watching(store, relay, bounds, kept).check()
    assert states(kept) == ["firing", "resolved"]


def test_an_alert_whose_bound_was_removed_is_forgotten(store: SQLiteStore, kept: Kept) -> None:
    add_dead_letters(store, 1)
    with relaying(store) as relay:
        for bounds in (AlertBounds(dead_letters=0), AlertBounds(lag=60), AlertBounds(lag=60)):
            watching(store, relay, bounds, kept).check()
        store.dead_letters.drop()
        watching(store, relay, AlertBounds(dead_letters=0), kept).check()
    assert states(kept) == ["firing"]


def test_lag_is_the_age_of_the_oldest_waiting_event(store: SQLiteStore, kept: Kept) -> None:
    append(store, "a", received="2026-03-09T12:00:00.000Z")
    relay = stopped_relay(store)
    alerts = watching(store, relay, AlertBounds(lag=900), kept)
    alerts.check()
    assert (kept.told[0]["alert"], kept.told[0]["state"]) == ("lag", "firing")
    assert kept.told[0]["value"] > 900
    relay.start()
    until(lambda: all(one.waiting == 0 for one in store.cursors()))
    alerts.check()
    assert states(kept) == ["firing", "resolved"]
    assert relay.stop(20)


def test_a_lag_that_is_not_known_is_no_alert(store: SQLiteStore, kept: Kept) -> None:
    append(store, "a")  # without `receivedAt`
    relay = stopped_relay(store)
    watching(store, relay, AlertBounds(lag=0.001), kept).check()
    relay.start()
    assert relay.stop(20)
    assert kept.told == []


def test_one_bad_event_of_two_is_no_alert_but_a_share_of_many_is(
    store: SQLiteStore, kept: Kept
) -> None:
    with relaying(store) as relay:
        alerts = watching(store, relay, AlertBounds(rejected=0.25), kept)
        append(store, "good", "bad")
        until(lambda: sum(relay.workers()[0].results.values()) == 2)
        alerts.check()
        assert kept.told == []
        append(store, *["good"] * 15, *["bad"] * 7)
        until(lambda: sum(relay.workers()[0].results.values()) == 24)
        alerts.check()
        assert kept.told[0] == {
            "connection": "ads", "alert": "rejected", "state": "firing", "value": 0.3333,
            "bound": 0.25, "since": kept.told[0]["since"],
        }  # fmt: skip
        append(store, *["good"] * 20)
        until(lambda: sum(relay.workers()[0].results.values()) == 44)
        alerts.check()  # 8 of 44 are less than a fifth
    assert states(kept) == ["firing", "resolved"]


def test_invalid_events_of_the_stream_count_as_rejected(store: SQLiteStore, kept: Kept) -> None:
    arrivals: dict[tuple[str, str], int] = {}
    with relaying(store) as relay:
        alerts = Alerts(store, relay, lambda: arrivals, AlertBounds(rejected=0.5), [kept])
        arrivals["invalid", "others"] = 100
        alerts.check()
        assert kept.told == []
        arrivals["invalid", "events"] = MINIMUM
        alerts.check()
    assert [one["value"] for one in kept.told] == [1.0]


def test_the_share_is_that_of_the_window() -> None:
    share = RejectedShare(60)
    share.add(0, 0, 0)
    share.add(10, 19, 19)
    assert share.value() is None  # too few, and not watched for long
    share.add(20, 20, 20)
    assert share.value() == 1.0
    share.add(70, 20, 60)
    assert share.value() == 1 / 41
    share.add(90, 20, 60)
    assert share.value() == 0.0
    share.add(200, 20, 61)
    assert share.value() == 0.0  # too few in a whole window


def test_a_command_is_told_once_and_sees_no_shell(store: SQLiteStore, tmp_path: Path) -> None:
    file = tmp_path / "told.ndjson"
    script = (
        "import pathlib, sys; file = pathlib.Path(sys.argv[1]); "
        "file.open('a').write(sys.stdin.read() + sys.argv[2] + '\\n')"
    )
    add_dead_letters(store, 1)
    command = AlertCommand([sys.executable, "-c", script, str(file), " $(id); `id`"])
    with relaying(store) as relay:
        alerts = watching(store, relay, AlertBounds(dead_letters=0), command)
        alerts.check()
        alerts.check()
        store.dead_letters.drop()
        alerts.check()
        alerts.check()
    lines = file.read_text().splitlines()
    assert all(line.endswith(" $(id); `id`") for line in lines)
    told = [json.loads(line.removesuffix(" $(id); `id`")) for line in lines]
    assert [one["state"] for one in told] == ["firing", "resolved"]
    assert all(
        set(one) == {"connection", "alert", "state", "value", "bound", "since"} for one in told
    )


def test_commands_that_fail_or_hang_are_logged_and_stop_nothing(
    store: SQLiteStore, tmp_path: Path, caplog: pytest.LogCaptureFixture, kept: Kept
) -> None:
    add_dead_letters(store, 1)
    mark = tmp_path / "late"
    grandchild = f"sleep 3; touch {shlex.quote(str(mark))}"
    notices: list[AlertNotice] = [
        AlertCommand(["false"]),
        AlertCommand(["/nowhere/at-all"]),
        AlertCommand(["sh", "-c", "echo Mail to ada@example.com failed; exit 3"]),
        AlertCommand(["sh", "-c", f"({grandchild}) & sleep 60"], seconds=0.3),
        AlertCommand(["yes"], seconds=0.3),
        kept,
    ]
    with relaying(store) as relay:
        begun = time.monotonic()
        with caplog.at_level(logging.INFO, "action_destinations"):
            watching(store, relay, AlertBounds(dead_letters=0), *notices).check()
        assert time.monotonic() - begun < 20
        append(store, "good")
        until(lambda: sum(relay.workers()[0].results.values()) == 1)
    assert states(kept) == ["firing"]
    told = caplog.messages
    assert told[0] == (
        "Alert `deadLetters` of connection `ads` is firing: the value is 1, the bound 0."
    )
    assert [one.strip() for one in told[1:5]] == [
        "The alert command failed. Its exit code is 1.",
        "The alert command failed. It cannot be started: No such file or directory.",
        "The alert command failed. Its exit code is 3. Mail to <address> failed",
        "The alert command failed. It took over 0.3 s.",
    ]
    assert told[5].startswith("The alert command failed. It took over 0.3 s. y")
    assert len(told[5]) < 5000
    assert not mark.exists()


def test_a_command_in_the_background_holds_up_nothing() -> None:
    """It keeps the output open, but the command itself has ended."""
    begun = time.monotonic()
    assert AlertCommand(["sh", "-c", "sleep 20 & echo done"]).send(b"{}") == ("", "done")
    assert time.monotonic() - begun < 10


def test_a_relay_that_stops_ends_its_command(store: SQLiteStore) -> None:
    add_dead_letters(store, 1)
    command = AlertCommand(["sleep", "60"])
    with relaying(store) as relay:
        with watching(store, relay, AlertBounds(dead_letters=0), command, every=0.01) as alerts:
            until(lambda: bool(alerts._firing))
            begun = time.monotonic()
        assert time.monotonic() - begun < 5
        assert not alerts._thread.is_alive()


def test_a_url_is_called_and_tried_twice(store: SQLiteStore) -> None:
    receiver = Receiver(503)
    add_dead_letters(store, 1)
    with Server(receiver) as server, relaying(store) as relay:
        notice = AlertURL(f"{server.url}/alerts")
        alerts = watching(store, relay, AlertBounds(dead_letters=0), notice)
        alerts.check()
        assert [one["state"] for _, one in receiver.received] == ["firing", "firing"]
        store.dead_letters.drop()
        alerts.check()
        alerts.check()
        notice.stop()
    assert receiver.received[2:] == [
        (
            "application/json",
            {
                "connection": "ads", "alert": "deadLetters", "state": "resolved", "value": 0.0,
                "bound": 0.0, "since": receiver.received[0][1]["since"],
            },
        )
    ]  # fmt: skip


def test_a_url_that_fails_is_named_without_its_secrets() -> None:
    receiver = Receiver(404, 500, 500)
    secret = "T0AB12CD34EF56"
    with Server(receiver) as server:
        notice = AlertURL(f"{server.url}/services/{secret}?key={secret}")
        assert notice.send(b"{}") == ("The response has status 404.", "")
        assert len(receiver.received) == 1
        assert notice.send(b"{}") == ("The response has status 500.", "")
        assert len(receiver.received) == 3
        receiver.hangs.clear()
        hanging = AlertURL(f"{server.url}/services/{secret}", seconds=0.2)
        begun = time.monotonic()
        failure, _ = hanging.send(b"{}")
        assert time.monotonic() - begun < 10
        assert "Timeout" in failure
        receiver.hangs.set()
    gone, _ = notice.send(b"{}")
    assert gone.startswith("ConnectError")
    assert secret not in gone + failure


@pytest.mark.parametrize("url", ["ftp://example.com", "example.com", "https://", "http://a:b", ""])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="must have http or https"):
        AlertURL(url)


def test_a_store_that_fails_is_logged_once_and_watched_again(
    tmp_path: Path, kept: Kept, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "events.db"
    with SQLiteStore(path) as store:
        add_dead_letters(store, 1)
        with relaying(store) as relay:
            counts = {"checks": 0}

            def arrivals() -> dict[tuple[str, str], int]:
                counts["checks"] += 1
                if 1 < counts["checks"] < 5:
                    raise OSError("its disk")
                return {}

            bounds = AlertBounds(dead_letters=0, rejected=0.5)
            with Alerts(store, relay, arrivals, bounds, [kept], every=0.01):
                until(lambda: states(kept) == ["firing"])
    assert caplog.messages[0] == "Alerts cannot be checked: OSError"
    assert [one for one in caplog.messages if "cannot be checked" in one] == caplog.messages[:1]
    assert kept.stopped


def test_alerts_are_those_of_the_process_that_works_for_a_connection(
    store: SQLiteStore, kept: Kept
) -> None:
    add_dead_letters(store, 3)
    bounds = AlertBounds(dead_letters=2)
    elsewhere = Kept()
    with SQLiteStore(store.path) as other:
        first, second = stopped_relay(store, waits=True), stopped_relay(other, waits=True)
        here, there = (
            watching(store, first, bounds, kept),
            watching(other, second, bounds, elsewhere),
        )
        owner = other.own("ads", "events")
        assert owner
        second._workers[0]._state = "delivering"
        for alerts in (here, there, here):
            alerts.check()
        assert (states(kept), states(elsewhere)) == ([], ["firing"])
        owner.release()
        first._workers[0]._state, second._workers[0]._state = "delivering", "waiting"
        assert store.own("ads", "events")
        store.dead_letters.drop()
        for alerts in (here, there, here):
            alerts.check()
        assert (states(kept), states(elsewhere)) == (["resolved"], ["firing"])
