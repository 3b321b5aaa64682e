"""The store of a relay on the page: connections, audiences, people and dead letters."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from framework.cli.app import actions
from framework.config import load_connection
from framework.plugins import Registry, load_plugins
from framework.relay import DeadLetter, EventStore, PostgresStore, SQLiteStore
from framework.tester import LocalServer
from tests.framework.tester.filled_store import ADA, fill, member

TOKEN = {"X-Actions-Token": "only-the-page-knows"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a connection and a store that a run has filled."""
    folder = tmp_path_factory.mktemp("store")
    fill(folder)
    return folder


@pytest.fixture(scope="module")
def asked(folder: Path) -> Iterator[httpx.Client]:
    from framework import tester  # noqa: PLC0415 - its names begin like tests

    with SQLiteStore(folder / "events.db") as store:
        file = load_connection(folder / "spring.connection.yaml")
        setup = tester.Setup(load_plugins(), file=file, store=store)
        rules = tester.Rules(tester.host_names("127.0.0.1"), "only-the-page-knows")
        app = tester.tester_app(tester.Workspace(setup), rules)
        with (
            LocalServer(app) as server,
            httpx.Client(base_url=server.url, headers=TOKEN, timeout=20) as client,
        ):
            yield client


def cli(folder: Path, *words: str) -> Any:
    store = f"sqlite:{folder / 'events.db'}"
    ran = CliRunner().invoke(actions, [*words, "--store", store, "--json"])
    assert ran.exit_code == 0, ran.output
    return json.loads(ran.stdout)


def test_connections_are_those_of_the_command(asked: httpx.Client, folder: Path) -> None:
    told = asked.get("/api/store").json()
    assert told["connections"] == cli(folder, "status")["connections"]
    (one,) = told["connections"]
    assert (one["connection"], one["waiting"], one["deadLetters"], one["owner"]) == (
        "relayed",
        1,
        1,
        None,
    )
    assert told["rate"]["calls"] > 0
    assert told["rate"]["wait"] >= 0


def test_audiences_and_people_are_those_of_the_commands(asked: httpx.Client, folder: Path) -> None:
    (shown,) = asked.get("/api/store").json()["audiences"]
    number = shown.pop("id")
    assert [shown] == cli(folder, "audience", "list")["audiences"]
    counts = asked.post("/api/store/audience", json={"id": number}).json()
    assert (counts["confirmedIn"], counts["confirmedOut"]) == (1, 1)
    assert asked.post("/api/store/audience", json={"id": number + 1}).status_code == 404

    connection = asked.get("/api/status").json()["connection"]["connection"]
    body = {"connection": connection, "person": f" {ADA.upper()} "}
    (found,) = asked.post("/api/store/who", json=body).json()["audiences"]
    assert (found["audience"], found["member"], found["confirmed"]) == ("spring_sale", True, True)
    stranger = {**body, "person": "grace@example.com"}
    assert asked.post("/api/store/who", json=stranger).json() == {"audiences": []}
    wrong = asked.post("/api/store/who", json={**body, "person": "not an identifier"})
    assert wrong.status_code == 409
    assert "not an identifier" not in wrong.text


def test_dead_letters_are_listed_shown_and_replayed(asked: httpx.Client) -> None:
    told = asked.post("/api/store/dead-letters", json={}).json()
    (letter,) = told["letters"]
    assert (told["total"], told["matching"], told["more"]) == (1, 1, False)
    assert (letter["code"], letter["message"], letter["replay"]) == ("NO_LIST", "Gone.", False)
    assert ADA not in json.dumps(told)
    none = asked.post("/api/store/dead-letters", json={"code": "OTHER"}).json()
    assert (none["letters"], none["matching"], none["total"]) == ([], 0, 1)

    whole = asked.get(f"/api/store/dead-letters/{letter['id']}").json()
    assert whole["event"] == member(ADA)
    for unknown in ("ffffffffffff", "zz", "-1"):
        assert asked.get(f"/api/store/dead-letters/{unknown}").status_code == 404

    asking = {"ids": [letter["id"]]}
    assert asked.post("/api/store/replay", json=asking).json() == {"requested": 1}
    (again,) = asked.post("/api/store/dead-letters", json={}).json()["letters"]
    assert again["replay"] is True


@pytest.fixture(params=["sqlite", "postgres"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EventStore]:
    """Open a store of each kind."""
    if request.param == "sqlite":
        store: EventStore = SQLiteStore(tmp_path / "full.db")
    else:
        pytest.importorskip("psycopg", reason="the extra `postgres` is not installed")
        store = PostgresStore(request.getfixturevalue("postgres_url"))
    with store:
        yield store


@pytest.fixture
def full(opened: EventStore, serve: Callable[..., LocalServer]) -> Iterator[httpx.Client]:
    """Return a client of a tester whose store has more dead letters than are listed."""
    opened.append("live", [b"{}"], [None])
    owner = opened.own("spring", "live", from_start=True)
    assert owner
    codes = {number: "NO_LIST" if number <= 103 else "GONE" for number in range(1, 106)}
    owner.save(0, b"", [_letter("spring", line, code) for line, code in codes.items()])
    server = serve(store=opened)
    with httpx.Client(base_url=f"{server.url}/api/store", headers=TOKEN, timeout=20) as client:
        yield client
    owner.release()


def _letter(connection: str, line: int, code: str) -> DeadLetter:
    return DeadLetter(
        connection=connection,
        line=line,
        subscription="Add",
        event=b"{}",
        code=code,
        outcome={"outcome": "failed", "code": code},
    )


def _letters(client: httpx.Client, **which: str) -> dict[str, Any]:
    found: dict[str, Any] = client.post("/dead-letters", json=which).json()
    return found


def test_chosen_dead_letters_are_dropped(full: httpx.Client) -> None:
    first, second, *_ = [one["id"] for one in _letters(full)["letters"]]
    assert full.post("/drop", json={"ids": [first, "ffffffff"]}).json() == {"dropped": 1}
    told = _letters(full)
    assert (told["total"], told["letters"][0]["id"]) == (104, second)


@pytest.mark.parametrize(("act", "done"), [("drop", "dropped"), ("replay", "requested")])
def test_all_matching_dead_letters_are_chosen_as_they_were_counted(
    full: httpx.Client, opened: EventStore, act: str, done: str
) -> None:
    """One that fails after they were counted is not among them."""
    told = _letters(full, code="NO_LIST")
    assert (len(told["letters"]), told["more"], told["matching"]) == (100, True, 103)
    matching = {"code": "NO_LIST", "until": told["at"], "number": 103}
    none = {"matching": {**matching, "until": 1.0, "number": 0}}
    assert full.post(f"/{act}", json=none).json() == {done: 0}
    other = full.post(f"/{act}", json={"matching": {**matching, "number": 102}})
    assert (other.status_code, other.json()["error"]["code"]) == (409, "CHANGED")
    owner = opened.own("later", "live", from_start=True)
    assert owner
    owner.save(0, b"", [_letter("later", 1, "NO_LIST")])
    owner.release()
    assert _letters(full, code="NO_LIST")["matching"] == 104
    assert full.post(f"/{act}", json={"matching": matching}).json() == {done: 103}
    assert _letters(full)["total"] == (3 if act == "drop" else 106)
    (late,) = _letters(full, connection="later")["letters"]
    assert late["replay"] is False


@pytest.mark.parametrize("body", [{}, {"ids": ["1"], "matching": {"until": 1, "number": 1}}])
def test_dead_letters_are_named_in_one_way(full: httpx.Client, body: dict[str, Any]) -> None:
    answer = full.post("/drop", json=body)
    assert (answer.status_code, _letters(full)["total"]) == (400, 105)


def test_without_a_store_there_are_no_pages(
    client: httpx.Client, serve: Callable[..., LocalServer], registry: Registry
) -> None:
    del serve, registry
    assert client.get("/api/status").json()["store"] is False
    answer = client.get("/api/store")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "NO_STORE")
