"""Choices, hooks of mappings and audiences, asked by the page as the commands ask them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from framework import tester
from framework.config import ConnectionFile, load_connection
from framework.plugins import Registry
from framework.relay import StateFile, state_path
from framework.sandbox import SandboxTransport
from framework.tester import LocalServer, Mode, Rules, Setup, Workspace, host_names
from framework.tester.workspace import Chosen

TOKEN = "only-the-page-knows"
BOX = "/api/sandboxes/actions-bazaar"
FILE = """\
destination: actions-bazaar
settings: {client_id: trader, client_secret: open-sesame-4711}
subscriptions:
  - {name: Orders, partnerAction: order}
"""


def post(client: httpx.Client, path: str, **body: Any) -> Any:
    response = client.post(f"/api/{path}", json=body)
    assert response.status_code == 200, response.text
    return response.json()


def refused(client: httpx.Client, path: str, **body: Any) -> tuple[int, str, str]:
    response = client.post(f"/api/{path}", json=body)
    error = response.json()["error"]
    return response.status_code, error["code"], error["message"]


@pytest.fixture(autouse=True)
def _fresh(client: httpx.Client) -> None:
    client.post(f"{BOX}/reset", json={})


def test_choices_are_searched_and_paged(client: httpx.Client, connection: dict[str, Any]) -> None:
    asked = {"connection": connection, "action": "order", "place": "stall"}
    told = post(client, "choices", **asked)
    assert [one["value"] for one in told["choices"]] == ["lamps", "carpets"]
    assert told["choices"][0]["label"] == "Lamps"
    assert told["nextPage"] == "stall-1"
    more = post(client, "choices", **asked, page=told["nextPage"], search="carp")
    assert ([one["value"] for one in more["choices"]], more["nextPage"]) == (
        ["carpets"],
        "stall-stall-1",
    )
    within = post(client, "choices", **{**asked, "place": "shelf"}, hook="onMappingSave")
    assert len(within["choices"]) == 2


def test_what_the_partner_refuses_is_the_error_of_choices(
    client: httpx.Client, connection: dict[str, Any]
) -> None:
    connection["settings"]["client_secret"] = "wrong-4712"
    told = post(client, "choices", connection=connection, action="order", place="stall")
    assert told["choices"] == []
    assert "wrong-4712" not in str(told)
    assert told["error"]["code"]


def test_choices_need_a_place_that_exists_and_a_partner(
    client: httpx.Client, connection: dict[str, Any]
) -> None:
    asked = {"connection": connection, "action": "order"}
    status, _, message = refused(client, "choices", **asked, place="stal")
    assert (status, "Did you mean" in message or "stall" in message) == (400, True)
    told = refused(client, "choices", **asked, place="stall", mode="dry")
    assert told[:2] == (409, "DRY_RUN")


def test_a_hook_returns_what_a_mapping_holds(
    client: httpx.Client, connection: dict[str, Any]
) -> None:
    asked = {"connection": connection, "index": 0, "kind": "onMappingSave"}
    told = post(client, "save-mapping", **asked, inputs={"name": "one"})
    assert told["saved"] == {"inputs": {"name": "one"}, "outputs": {"id": "shelf-one"}}
    assert (told["kept"], told["message"]) == (False, "The mapping was saved.")
    assert "/orders" in told["exchanges"][-1]["request"]["url"]
    assert refused(client, "save-mapping", **asked)[:2] == (400, "NAME_NEEDED")
    status, code, message = refused(client, "save-mapping", **asked, inputs={"nam": 1})
    assert (status, code) == (400, "INVALID")
    assert "nam" in message
    assert refused(client, "save-mapping", **{**asked, "index": 7})[0] == 404
    assert refused(client, "save-mapping", **{**asked, "kind": "onNothing"})[0] == 400


def test_an_audience_is_created_once_per_sandbox(
    client: httpx.Client, connection: dict[str, Any]
) -> None:
    asked = {"connection": connection, "key": "spring"}
    for _ in range(2):
        assert post(client, "audiences/create", **asked)["externalId"] == "audience-spring"
    calls = client.get(BOX).json()["calls"]
    assert calls["notes"] == 1
    found = post(client, "audiences/get", connection=connection, externalId="audience-7")
    assert found == {"externalId": "audience-7", "known": True}
    lost = refused(client, "audiences/get", connection=connection, externalId="x")
    assert lost[:2] == (400, "NOT_FOUND")
    assert post(client, "audiences/unlink", **asked)["known"] is True
    assert post(client, "audiences/unlink", **asked)["known"] is False


def test_definitions_hold_the_whole_contract(client: httpx.Client) -> None:
    told = client.get("/api/destinations/actions-bazaar").json()
    assert (told["deletesUsers"], told["audience"]) == (True, {"settings": [], "canGet": True})
    order = told["actions"][0]
    assert order["dynamic"] == ["stall"]
    assert [one["kind"] for one in order["hooks"]] == ["onMappingSave", "retlOnMappingSave"]
    assert [one["key"] for one in order["hooks"][0]["inputs"]] == ["name", "shelf"]
    assert [one["key"] for one in order["hooks"][0]["outputs"]] == ["id"]


class OwnPartner(Workspace):
    """A workspace whose live partner is a sandbox of its own."""

    def transport(self, chosen: Chosen, mode: Mode) -> httpx.BaseTransport:
        if mode == "live":
            return SandboxTransport(self.sandbox(chosen.slug))
        return super().transport(chosen, mode)


@pytest.fixture
def file(tmp_path: Path) -> ConnectionFile:
    path = tmp_path / "bazaar.connection.yaml"
    path.write_text(FILE, encoding="utf-8")
    return load_connection(path)


@pytest.fixture
def live(registry: Registry, file: ConnectionFile) -> Iterator[httpx.Client]:
    workspace = OwnPartner(Setup(registry, file=file, destination=file.destination))
    app = tester.tester_app(workspace, Rules(host_names("127.0.0.1"), TOKEN))
    with (
        LocalServer(app) as server,
        httpx.Client(base_url=server.url, headers={"X-Actions-Token": TOKEN}, timeout=20) as client,
    ):
        yield client


def test_live_answers_are_kept_beside_the_connection_file(
    live: httpx.Client, file: ConnectionFile, connection: dict[str, Any]
) -> None:
    """As `actions save-mapping` and `actions audience create` keep them, and shown from there."""
    asked = {"connection": connection, "index": 0, "kind": "onMappingSave", "mode": "live"}
    assert post(live, "save-mapping", **asked, inputs={"name": "two"})["kept"] is True
    state = StateFile(state_path(file.file))
    kept = {"inputs": {"name": "two"}, "outputs": {"id": "shelf-two"}}
    assert state.get("outputs", "Orders") == {"onMappingSave": kept}
    shown = live.get("/api/status").json()["connection"]["connection"]["subscriptions"][0]
    assert shown["mapping"]["onMappingSave"] == kept

    connection["subscriptions"][0]["name"] = "Not in the file"
    assert post(live, "save-mapping", **asked, inputs={"name": "x"})["kept"] is False

    post(live, "audiences/create", connection=connection, key="spring", mode="live")
    assert [state.get("audience", key) for key in state.keys("audience")] == ["audience-spring"]
