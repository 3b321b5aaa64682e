"""The official clients deliver through the intake as they are.

Those in Python are installed with the other tools; those for Node are installed once into
`build/clients`, and their tests are skipped where there is no Node, or no registry.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from rudderstack.analytics.client import Client as RudderClient
from segment.analytics.client import Client as SegmentClient

from framework.intake import IntakeOptions, IntakeServer, WriteKeys
from framework.relay import SQLiteStore
from tests.framework.intake.conftest import KEY, Stored
from tests.framework.intake.node_clients import node_clients

CLIENTS = Path(__file__).parent / "official_clients"
PYTHON = ["segment_python.py", "rudder_python.py"]
TRAITS = {"email": "ada@example.com"}
NODE = ["segment_node.cjs", "rudder_node.cjs", "customerio_node.cjs"]
ALL = PYTHON + NODE
WITHOUT_SENT_AT = ["customerio_node.cjs"]
PATIENT = [script for script in ALL if script != "customerio_node.cjs"]
"""Those that repeat a request for longer than a fraction of a second."""


@pytest.fixture(scope="session")
def node_folder() -> Path:
    """Return the folder with the clients for Node."""
    return node_clients()


@pytest.fixture
def send(request: pytest.FixtureRequest) -> Send:
    return Send(request)


class Send:
    """Runs the script of a client and returns what it prints."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._request = request

    def start(self, script: str, url: str, key: str, number: int) -> subprocess.Popen[str]:
        environment = {
            key: value for key, value in os.environ.items() if "proxy" not in key.lower()
        }
        command: list[str] = [sys.executable]
        if script.endswith(".cjs"):
            folder = self._request.getfixturevalue("node_folder")
            environment["NODE_PATH"] = str(folder / "node_modules")
            command = ["node"]
        command += [str(CLIENTS / script), url, key, str(number)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)

    def __call__(self, script: str, url: str, number: int, key: str = KEY) -> str:
        with self.start(script, url, key, number) as process:
            said, _ = process.communicate(timeout=100)
        assert process.returncode == 0
        return said


@pytest.mark.parametrize("script", ALL)
def test_events_arrive(send: Send, intake: IntakeServer, stored: Stored, script: str) -> None:
    assert send(script, intake.url, 250).startswith("0 failures")
    events = stored()
    assert intake.counts() == {("accepted", "web"): 255}
    tracked = [event["properties"]["number"] for event in events if event["type"] == "track"]
    assert sorted(tracked) == list(range(250))
    if script in PYTHON:  # those for Node send several batches at once
        assert tracked == list(range(250))
    assert {event["userId"] for event in events} == {"u1"}
    assert all(event["messageId"] for event in events)
    assert {bool(event.get("sentAt")) for event in events} == {script not in WITHOUT_SENT_AT}
    assert all(event["timestamp"][:2] == "20" for event in events)
    assert KEY not in json.dumps(events)
    first = {event["type"]: event for event in reversed(events)}
    assert set(first) == {"identify", "group", "alias", "page", "screen", "track"}
    assert traits(first["identify"])["email"] == "nora@example.com"
    assert (first["group"]["groupId"], first["alias"]["previousId"]) == ("g1", "before")
    assert first["page"]["name"] == "Start"
    assert first["page"]["properties"]["path"] == "/start"
    assert first["screen"]["properties"]["tab"] == 1
    assert first["track"]["properties"]["text"] == "\u2028ä"
    assert "anonymousId" not in first["track"]


def traits(event: dict[str, Any]) -> Any:
    """Return the traits of an identify event, which one client sends in the context only."""
    return event.get("traits") or event["context"]["traits"]


@pytest.mark.parametrize("script", ALL)
def test_an_unknown_write_key_ends_repetition(
    send: Send, intake: IntakeServer, stored: Stored, script: str
) -> None:
    start = time.monotonic()
    said = send(script, intake.url, 1, key="unknown")
    assert not said.startswith("0 failures")
    assert time.monotonic() - start < 60
    requests = intake.counts()["refused", "UNKNOWN_WRITE_KEY"]
    assert requests <= 6  # one for each batch, at most one event in each
    assert stored() == []


@pytest.fixture
def full(tmp_path: Path, keys: WriteKeys) -> Iterator[tuple[SQLiteStore, IntakeServer]]:
    options = IntakeOptions(retry_after=1)
    with (
        SQLiteStore(tmp_path / "full.db", max_events=200) as store,
        IntakeServer(store, keys, options=options) as intake,
    ):
        yield store, intake


@pytest.mark.parametrize("script", PATIENT)
def test_a_full_store_loses_nothing_if_it_has_room_again_soon(
    send: Send, full: tuple[SQLiteStore, IntakeServer], script: str
) -> None:
    store, intake = full
    owner = store.own("ads", "web")
    assert owner
    store.append("web", [b"{}"] * 200)

    def settle() -> None:
        while not intake.counts().get(("refused", "STORE_FULL")):
            time.sleep(0.02)
        owner.save(store.read("web", 0, 10**9)[-1].end.offset, b"")

    thread = threading.Thread(target=settle)
    thread.start()
    assert send(script, intake.url, 50).startswith("0 failures")
    thread.join()
    assert intake.counts()["accepted", "web"] == 55
    assert intake.counts()["refused", "STORE_FULL"] >= 1


@pytest.mark.parametrize("client_class", [SegmentClient, RudderClient])
def test_what_clients_for_python_change(
    client_class: Any, intake: IntakeServer, stored: Stored
) -> None:
    """What docs/intake.md says of them; the intake cannot tell such events from others."""
    client = client_class(KEY, host=intake.url, sync_mode=True)
    context: dict[str, Any] = {"app": {"version": "4.2"}}
    client.identify("ada", {"email": "ada@example.com"}, context=context)
    ahead = datetime.now() + timedelta(hours=5)  # noqa: DTZ005 - the client has to guess the zone
    client.track("bob", "Bought", {"id": uuid4(), "n": 1}, context=context, timestamp=ahead)
    identified, tracked = stored()
    assert identified.get("traits", identified["context"].get("traits")) == TRAITS
    assert tracked["properties"] == {"n": 1}
    assert datetime.fromisoformat(tracked["originalTimestamp"]) == (
        ahead.astimezone().replace(microsecond=ahead.microsecond // 1000 * 1000)
        if client_class is SegmentClient
        else ahead.astimezone()
    )
    leaked = tracked["context"].get("traits")
    assert leaked == (TRAITS if client_class is RudderClient else None)
