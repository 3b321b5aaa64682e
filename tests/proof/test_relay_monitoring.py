"""Logs and health of a relay as a process."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from framework.sandbox import Server
from tests.proof.conftest import Bench
from tests.proof.test_relay import command, counted, entered, finished, free, start
from tests.relaying import KEY, RelayProcess, until

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

PEOPLE = ("ada@example.com", "bob@example.com", "cy@example.com")


def health(relay: RelayProcess) -> httpx.Response:
    return httpx.get(relay.metrics_url.replace("/metrics", "/healthz"), trust_env=False)


def records(errors: str) -> list[dict[str, Any]]:
    """Return the log; every line has to be an object."""
    return [json.loads(line) for line in errors.splitlines()]


class Echoing:
    """A partner that fails with the addresses that it knows, in all parts of its response."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        self.calls += 1
        people = " ".join(PEOPLE)
        head = [("Content-Type", "application/json"), ("Deprecation", people), ("Sunset", people)]
        start_response(f"500 {PEOPLE[0]}", head)
        error = {"code": PEOPLE[0], "title": people, "detail": people, "traceId": people}
        return [json.dumps({"errors": [error], PEOPLE[1]: people}).encode()]


def test_a_json_log_has_one_object_a_line_without_addresses(bench: Bench) -> None:
    """Whatever clients and the partner send."""
    partner = Echoing()
    options = ("--log-format", "json", "--threads", "2", "--alert-dead-letters", "0")
    with Server(partner) as server, start(bench, server.url, *options) as relay:
        relay.post([entered(one) for one in PEOPLE])
        bodies = [
            {"batch": [{"type": PEOPLE[0], "event": PEOPLE[1]}, PEOPLE[0]]},
            {PEOPLE[0]: PEOPLE[1]},
            PEOPLE,
        ]
        for body in bodies:
            for key in (KEY, PEOPLE[2]):
                httpx.post(f"{relay.url}/v1/batch", json=body, auth=(key, ""), trust_env=False)
        httpx.post(f"{relay.url}/v1/{PEOPLE[0]}", headers={"Host": PEOPLE[1]}, trust_env=False)
        until(lambda: partner.calls > 3)
        code, _, errors = relay.terminate()
    assert code in {0, 130}, errors
    found = records(errors)
    for one in found:
        assert {"time", "level", "logger", "message"} <= set(one)
        assert one["time"].endswith("Z")
    for word in (*PEOPLE, "ada", "example.com", "sandbox-secret", KEY):
        assert word not in errors
    retries = [one for one in found if "Trying again" in one["message"]]
    assert {one.get("connection") for one in retries} == {"Criteo, spring"}
    counts = [one["counts"] for one in found if "since the start" in one["message"]]
    assert set(counts[-1]) >= {"deadLetters"}
    assert any(one.get("counts", {}).get("invalid") for one in found)


def test_a_json_log_counts_what_a_run_delivered(bench: Bench) -> None:
    with (
        Server(free()) as server,
        start(bench, server.url, "--log-format", "json") as relay,
    ):
        relay.post([entered("ada@example.com"), entered("no address")])
        until(lambda: counted(relay, "actions_dead_letters_written_total") == 1)
        until(lambda: counted(relay, "actions_results_total", outcome="delivered") == 1)
        _, _, errors = relay.terminate()
    (last,) = [one for one in records(errors) if "since the start" in one["message"]]
    assert last["counts"] == {"delivered": 1, "failed": 1, "skipped": 2, "deadLetters": 1}
    assert (last["level"], last["connection"]) == ("info", "Criteo, spring")


def test_problems_before_the_start_are_json_too(bench: Bench) -> None:
    line = command(bench, "--sandbox", "--log-format", "json", "--alert-lag", "soon")
    refused = finished(bench, line)
    assert refused.returncode == 2
    (one,) = records(refused.stderr)
    assert one["level"] == "error"
    assert one["message"].startswith("Error: --alert-lag: `soon` is not a duration.")

    (bench.folder / "events.db").write_text("no database\n")
    (bench.folder / "events.db").chmod(0o600)
    refused = finished(bench, command(bench, "--sandbox", "--log-format", "json"))
    assert refused.returncode == 2
    (one,) = records(refused.stderr)
    assert "is not a store of events" in one["message"]


@pytest.mark.parametrize("replaced", [True, False])
def test_health_fails_when_the_store_is_removed_or_replaced(
    bench: Bench, *, replaced: bool
) -> None:
    path = bench.folder / "events.db"
    with Server(free()) as server, start(bench, server.url) as relay:
        relay.post([entered("ada@example.com")])
        assert (health(relay).status_code, health(relay).json()) == (200, {"status": "ok"})
        content = path.read_bytes()
        path.unlink()
        if replaced:
            path.write_bytes(content)
        reason = (
            "`events.db` was replaced by another file. Start the relay again to use that one."
            if replaced
            else "No such file or directory."
        )
        until(lambda: health(relay).status_code == 503)
        assert health(relay).json() == {
            "status": "failed",
            "problems": [f"The store `{path}` cannot be written: {reason}"],
        }
        answer = httpx.post(
            f"{relay.url}/v1/batch", json={"batch": [entered("bob@example.com")]},
            auth=(KEY, ""), trust_env=False,
        )  # fmt: skip
        assert answer.status_code == 503
