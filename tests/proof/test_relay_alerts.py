"""Alerts of a relay as a process, with a real command and a real server."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framework.sandbox import Server
from tests.proof.conftest import Bench
from tests.proof.test_relay import (
    Hanging,
    actions,
    command,
    counted,
    entered,
    finished,
    free,
    start,
)
from tests.relaying import until

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

APPEND = "import sys; open(sys.argv[1], 'a').write(sys.stdin.read() + '\\n')"


class Receiver:
    """Keeps what is posted to it."""

    def __init__(self) -> None:
        self.received: list[Any] = []

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        self.received.append(json.loads(body))
        start_response("204 No Content", [])
        return []


def lines(file: Path) -> list[Any]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_dead_letters_call_a_url_once_and_again_when_they_are_gone(bench: Bench) -> None:
    receiver = Receiver()
    secret = "T0AB12CD34EF56"
    with Server(free()) as server, Server(receiver) as alerts:
        options = ("--alert-dead-letters", "0", "--alert-url", f"{alerts.url}/{secret}")
        with start(bench, server.url, *options) as relay:
            relay.post([entered("no address")])
            until(lambda: len(receiver.received) == 1)
            assert relay.terminate()[0] == 0
        with start(bench, server.url, *options) as again:
            store = f"sqlite:{bench.folder / 'events.db'}"
            actions(bench, "dead-letters", "drop", "--store", store, "--all")
            until(lambda: len(receiver.received) == 2)
            code, output, errors = again.terminate()
    assert code == 0
    assert [one["state"] for one in receiver.received] == ["firing", "resolved"]
    assert receiver.received[0] == {
        "connection": "Criteo, spring", "alert": "deadLetters", "state": "firing", "value": 1.0,
        "bound": 0.0, "since": receiver.received[1]["since"],
    }  # fmt: skip
    assert errors.splitlines()[0] == (
        "Alert `deadLetters` of connection `Criteo, spring` is resolved: the value is 0, the "
        "bound 0."
    )
    assert secret not in output + errors


def test_lag_runs_a_command_once_and_again_when_it_is_over(bench: Bench) -> None:
    partner = Hanging(free())
    file = bench.folder / "alerts.ndjson"
    tell = f"{sys.executable} -c \"{APPEND}\" '{file}'"
    with (
        Server(partner) as server,
        start(bench, server.url, "--alert-lag", "1s", "--alert-command", tell) as relay,
    ):
        relay.post([entered("ada@example.com")])
        until(lambda: len(lines(file)) == 1)
        partner.released.set()
        until(lambda: len(lines(file)) == 2)
        assert counted(relay, "actions_results_total", outcome="delivered") == 1
    told = lines(file)
    assert [(one["alert"], one["state"]) for one in told] == [
        ("lag", "firing"),
        ("lag", "resolved"),
    ]
    assert "ada" not in file.read_text()


def test_rejected_events_are_told_in_the_log_alone(bench: Bench) -> None:
    with Server(free()) as server, start(bench, server.url, "--alert-rejected", "10%") as relay:
        relay.post([entered("no address") for _ in range(25)])
        text = relay.next_error("Alert")
    assert text == (
        "Alert `rejected` of connection `Criteo, spring` is firing: the value is 1, the bound 0.1."
    )


def test_all_that_is_wrong_with_alerts_is_shown_at_once(bench: Bench) -> None:
    wrong = {
        "--alert-lag": "soon",
        "--alert-dead-letters": "some",
        "--alert-rejected": "100%",
        "--alert-command": "no-such-program --now",
        "--alert-url": "env:NO_SUCH_URL",
    }
    options = [word for pair in wrong.items() for word in pair]
    refused = finished(bench, command(bench, "--sandbox", *options, "--allow-host", "http://x"))
    assert refused.returncode == 2
    assert refused.stderr == (
        "Error: The host `http://x` must be a name without scheme and path, like "
        "events.example.com.\n"
        "Error: --alert-lag: `soon` is not a duration. Write seconds, or a unit: `90`, `15m`, "
        "`4h`, `2d`.\n"
        "Error: --alert-dead-letters: `some` must be a whole number, like 0.\n"
        "Error: --alert-rejected: `100%` must be a share below 1, like 0.05 or 5%.\n"
        "Error: --alert-command: There is no program `no-such-program`. Write its path, or put it "
        "on PATH and make it executable.\n"
        "Error: --alert-url: The environment variable `NO_SUCH_URL` holds no URL. Set it, or "
        "write the URL.\n"
    )
    assert not (bench.folder / "events.db").exists()


def test_what_is_told_of_no_bound_is_refused(bench: Bench) -> None:
    line = command(bench, "--sandbox", "--alert-command", "true", "--alert-url", "http://localhost")
    refused = finished(bench, line)
    assert refused.returncode == 2
    assert refused.stderr == (
        "Error: --alert-command needs a bound: --alert-lag, --alert-dead-letters or "
        "--alert-rejected.\n"
        "Error: --alert-url needs a bound: --alert-lag, --alert-dead-letters or "
        "--alert-rejected.\n"
    )
