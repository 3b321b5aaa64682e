"""Runs whose partner finishes jobs later stay open until they are finished, or another follows."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
import pytest

from framework import tester
from framework.plugins import Registry, open_plugin
from framework.tester import LocalServer, Rules, Setup, Workspace, host_names

PLUGIN = Path(__file__).parents[2] / "plugins" / "acme_bulk"
CONNECTION = {
    "destination": "acme-bulk",
    "settings": {"account": "a-1"},
    "subscriptions": [
        {
            "partnerAction": "upload",
            "subscribe": 'type = "track"',
            "mapping": {"email": {"@path": "$.userId"}, "value": 5},
        }
    ],
}
EVENTS = [{"type": "track", "userId": one} for one in ("ada@example.com", "nobody")]


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    monkeypatch.syspath_prepend(str(PLUGIN))
    for name in ("acme_bulk", "acme_bulk_sandbox"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import acme_bulk  # type: ignore[import-not-found] # noqa: PLC0415 - from the path above

    plugin = open_plugin(acme_bulk)
    workspace = Workspace(Setup(Registry(MappingProxyType({plugin.definition.slug: plugin}))))
    app = tester.tester_app(workspace, Rules(host_names("127.0.0.1"), "known"))
    headers = {"X-Actions-Token": "known"}
    with (
        LocalServer(app) as server,
        httpx.Client(base_url=server.url, headers=headers, timeout=20) as client,
    ):
        yield client


def outcomes(told: dict[str, Any]) -> list[str]:
    return [one["outcome"] for one in told["journeys"]]


def test_jobs_are_asked_for_until_they_are_finished(client: httpx.Client) -> None:
    body = {"connection": CONNECTION, "events": EVENTS}
    told = client.post("/api/run", json=body).json()
    assert outcomes(told) == ["accepted", "accepted"]
    asked = {"run": told["jobs"]["run"]}
    assert told["jobs"]["open"] == 1
    waiting = client.post("/api/jobs", json=asked).json()
    assert (outcomes(waiting), waiting["jobs"]) == (["accepted", "accepted"], told["jobs"])
    done = client.post("/api/jobs", json=asked).json()
    assert (outcomes(done), done["jobs"]) == (["delivered", "failed"], None)
    over = client.post("/api/jobs", json=asked)
    assert (over.status_code, over.json()["error"]["code"]) == (404, "UNKNOWN_RUN")


def test_another_run_takes_the_place_of_the_last(client: httpx.Client) -> None:
    body = {"connection": CONNECTION, "events": EVENTS}
    first, second = (client.post("/api/run", json=body).json()["jobs"]["run"] for _ in range(2))
    assert client.post("/api/jobs", json={"run": first}).status_code == 404
    assert client.post("/api/jobs", json={"run": second}).status_code == 200
