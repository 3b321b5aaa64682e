"""Segment's API, as a conversation: what is asked and what is answered, in one table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from framework.config import load_connection
from framework.tester import LocalServer
from framework.tester.segment_api import ORIGINS

TABLE = json.loads(Path(__file__).with_name("reference_conversation.json").read_text())
SECRETS = ("open-sesame-4711", "not-the-secret", "fresh-token-0815")


@pytest.fixture(scope="module")
def talk(serve: Callable[..., LocalServer]) -> Iterator[httpx.Client]:
    """Return a client without a token."""
    with httpx.Client(base_url=serve(reference=True).url, timeout=20) as client:
        yield client


def ask(talk: httpx.Client, row: dict[str, Any]) -> httpx.Response:
    method, path = row["request"].split(" ")
    if "raw" in row:
        headers = {"Content-Type": "application/json"}
        return talk.request(method, path, content=row["raw"], headers=headers)
    return talk.request(method, path, json=row.get("body"))


@pytest.mark.parametrize("row", TABLE, ids=[f"{row['request']}: {row['title']}" for row in TABLE])
def test_the_conversation(talk: httpx.Client, row: dict[str, Any]) -> None:
    """Every route and body, in this order, over one server."""
    response, expect = ask(talk, row), dict(row["expect"])
    assert response.status_code == expect.pop("status"), response.text
    if "refresh" not in row["request"]:
        assert not any(secret in response.text for secret in SECRETS)
    at_least = expect.pop("atLeast", False)
    for kind, wanted in expect.items():
        found = SEEN[kind](response)
        if kind == "contains":
            found = {key: found.get(key) for key in wanted}
        if kind == "errorHas":
            assert wanted in found
        elif at_least:
            assert found[: len(wanted)] == wanted
        else:
            assert found == wanted


def exchanges(response: httpx.Response) -> list[dict[str, Any]]:
    return [
        {
            "request": f"{one['request']['method']} {one['request']['url']}",
            "statusCode": one["response"]["statusCode"],
        }
        for one in response.json()
    ]


def error(response: httpx.Response) -> dict[str, Any]:
    """Return the error entry, without what is the same in every one."""
    (entry,) = response.json()
    assert entry.pop("requestError") is True
    assert all(isinstance(line, str) for line in entry.pop("stack"))
    told: dict[str, Any] = entry
    return told


def page(response: httpx.Response) -> str:
    assert response.headers["content-type"].startswith("text/html")
    return response.text.partition("<pre>")[2].partition("</pre>")[0]


SEEN: dict[str, Callable[[httpx.Response], Any]] = {
    "body": lambda response: response.json(),
    "contains": lambda response: response.json(),
    "exchanges": exchanges,
    "sent": lambda response: json.loads(response.json()[-1]["request"]["body"]),
    "error": error,
    "errorHas": lambda response: error(response)["message"],
    "errorStatus": lambda response: error(response)["statusCode"],
    "fields": lambda response: sorted(error(response)["fields"]),
    "page": page,
}


def test_exchanges_are_redacted(talk: httpx.Client) -> None:
    """By header as in Segment, and also in bodies."""
    row = next(row for row in TABLE if row["title"] == "an action, with default mapping")
    token, order = ask(talk, row).json()
    form = "grant_type=client_credentials&client_id=trader&client_secret=<redacted>"
    assert token["request"]["body"] == form
    assert token["response"]["body"] == {"access_token": "<redacted>", "expires_in": 900}
    assert order["request"]["headers"]["authorization"] == "<redacted>"
    assert sorted(order["response"]) == ["body", "headers", "statusCode", "statusMessage"]


@pytest.mark.parametrize("origin", sorted(ORIGINS))
def test_segment_s_pages_may_read_the_responses(talk: httpx.Client, origin: str) -> None:
    """Before a request and with it, without a token."""
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    before = talk.options("/order", headers=asked)
    assert before.status_code == 204
    assert before.headers["access-control-allow-headers"] == "content-type"
    answer = talk.get("/manifest", headers={"Origin": origin})
    for response in (before, answer):
        assert response.headers["access-control-allow-origin"] == origin


@pytest.mark.parametrize("origin", ["https://evil.test", "null", "http://localhost:8001"])
def test_other_pages_are_refused(talk: httpx.Client, origin: str) -> None:
    """They may not even ask, whatever they would be able to read."""
    response = talk.post("/order", json={}, headers={"Origin": origin})
    assert response.status_code == 403
    assert "access-control-allow-origin" not in response.headers
    assert talk.get("/manifest", headers={"Host": "evil.test"}).status_code == 421


def test_our_own_api_keeps_its_token(talk: httpx.Client) -> None:
    """Also for the pages that Segment answers to."""
    assert talk.get("/api/status").status_code == 401
    response = talk.get("/api/status", headers={"Origin": "https://app.segment.com"})
    assert response.status_code == 403


def test_a_large_body_is_refused(talk: httpx.Client) -> None:
    content, headers = b"x" * (11 * 1024 * 1024), {"Content-Type": "application/json"}
    assert talk.post("/order", content=content, headers=headers).status_code == 413


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/authenticate", {"client_id": "trader"}),
        ("/authenticate", {"settings": {"client_id": "trader", "client_secret": ""}}),
        ("/refreshAccessToken", {"clientId": "trader"}),
        ("/order", {"settings": {"client_id": "trader"}, "payload": {"type": "track"}}),
        ("/delete", {"settings": {"client_id": "trader"}, "payload": {"userId": "u"}}),
        ("/createAudience", {"settings": {"client_id": "trader"}, "audienceName": "a"}),
        ("/getAudience", {"settings": {"client_id": "trader"}, "externalId": "1"}),
    ],
)
def test_kept_secrets_never_leave(
    serve: Callable[..., LocalServer], tmp_path: Path, path: str, body: dict[str, Any]
) -> None:
    """A caller without a token gets none of the connection file's secrets sent, in any route."""
    connection = tmp_path / "bazaar.connection.json"
    settings = {"client_id": "trader", "client_secret": "from-the-file"}
    connection.write_text(
        json.dumps({"destination": "actions-bazaar", "settings": settings, "subscriptions": []})
    )
    server = serve(reference=True, file=load_connection(connection), destination="actions-bazaar")
    with httpx.Client(base_url=server.url, timeout=20) as client:
        answer = client.post(path, json=body)
    assert "client_secret" in answer.text or answer.status_code == 404
    assert "is required" in answer.text or "Cannot POST" in answer.text
    assert "from-the-file" not in answer.text
    assert "fresh-token" not in answer.text
