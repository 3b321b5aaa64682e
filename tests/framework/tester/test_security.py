"""What must not get in does not, and what must not be read is not shown."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from framework.tester import LocalServer

SECRET = "open-sesame-4711"
RUN = {"destination": "actions-bazaar"}
SCRIPT = "<script>alert('x')</script>"


def error_of(response: httpx.Response) -> str:
    code: str = response.json()["error"]["code"]
    return code


@pytest.mark.parametrize("host", ["evil.test", "127.0.0.1.evil.test", "[bad", "", "0.0.0.0:80"])
@pytest.mark.parametrize("path", ["/", "/api/status", "/page/icon.svg"])
def test_another_host_is_refused(client: httpx.Client, host: str, path: str) -> None:
    """A name of the web that points here opens nothing, not even the page."""
    response = client.get(path, headers={"Host": host})
    assert (response.status_code, error_of(response)) == (421, "WRONG_HOST")


@pytest.mark.parametrize(
    "origin", ["https://evil.test", "null", "http://127.0.0.1:1", "http://localhost.evil.test"]
)
def test_another_origin_is_refused(client: httpx.Client, origin: str) -> None:
    """Also with the token, and no answer tells the browser to share it."""
    for method, path in (("GET", "/api/status"), ("POST", "/api/run"), ("OPTIONS", "/api/run")):
        response = client.request(method, path, headers={"Origin": origin}, json=RUN)
        assert (response.status_code, error_of(response)) == (403, "WRONG_ORIGIN")
        assert "access-control-allow-origin" not in response.headers


def test_another_page_cannot_fetch_without_saying_so(client: httpx.Client) -> None:
    """Browsers tell where a request comes from even where they send no origin."""
    response = client.get("/api/status", headers={"Sec-Fetch-Site": "cross-site"})
    assert (response.status_code, error_of(response)) == (403, "WRONG_ORIGIN")


def test_our_own_page_is_let_in(client: httpx.Client) -> None:
    origin = str(client.base_url).rstrip("/")
    assert client.get("/api/status", headers={"Origin": origin}).status_code == 200


@pytest.mark.parametrize("token", ["", "wrong", "only-the-page-know", "only-the-page-knowsX", "é"])
def test_the_api_needs_the_token(client: httpx.Client, token: str) -> None:
    """Every route of it, whether it exists or not; in the header and in the address."""
    paths = ("/api/status", "/api/openapi.json", "/api/nothing", "/api/", "/api/changes")
    for path in paths:
        by_header = client.get(path, headers={b"X-Actions-Token": token.encode()})
        by_query = httpx.get(client.base_url.join(path), params={"token": token})
        for response in (by_header, by_query):
            assert (response.status_code, error_of(response)) == (401, "NO_TOKEN")


def test_the_token_may_be_in_the_address(client: httpx.Client) -> None:
    url = client.base_url.join("/api/status?token=only-the-page-knows")
    assert httpx.get(url).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/page/../app.py",
        "/page/..%2fapp.py",
        "/page/%2e%2e/%2e%2e/__init__.py",
        "/page/....//....//app.py",
        "/page//etc/passwd",
        "/page/%2fetc%2fpasswd",
        "/page/..\\app.py",
        "/page/%00",
        "/page/",
        "/page/" + "a" * 5_000,
        "/api/sandboxes/..%2f..%2fetc",
        "/api/destinations/%2e%2e",
    ],
)
def test_no_path_leads_out_of_the_page(client: httpx.Client, path: str) -> None:
    """Paths are sent as they are written, not as a client would tidy them up."""
    answer = raw(client, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                 "X-Actions-Token: only-the-page-knows\r\nConnection: close\r\n\r\n")  # fmt: skip
    assert answer.split(b" ")[1] in {b"404", b"400"}
    assert b"root:" not in answer
    assert b"import" not in answer


def raw(client: httpx.Client, request: str) -> bytes:
    address = ("127.0.0.1", client.base_url.port or 0)
    with socket.create_connection(address, timeout=10) as wire:
        wire.sendall(request.encode())
        answer = b""
        while piece := wire.recv(65_536):
            answer += piece
    return answer


def test_a_large_body_is_refused(client: httpx.Client) -> None:
    """50 MB are refused, announced or not, and the server goes on."""
    headers = {"Content-Type": "application/json"}
    size = 50 * 1024 * 1024
    announced = client.post("/api/run", content=b"x" * size, headers=headers)
    assert (announced.status_code, error_of(announced)) == (413, "TOO_LARGE")
    pieces = (b"x" * 65_536 for _ in range(size // 65_536))
    streamed = client.post("/api/run", content=pieces, headers=headers)
    assert (streamed.status_code, error_of(streamed)) == (413, "TOO_LARGE")
    assert client.get("/api/status").status_code == 200


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "MALFORMED"),
        (b"{", "MALFORMED"),
        (b"\xff", "MALFORMED"),
        (b"[" * 100_000, "MALFORMED"),
        (b'{"a":' * 150 + b"1" + b"}" * 150, "MALFORMED"),
        (b'{"move": 1e999}', "MALFORMED"),
        (b'{"move": NaN}', "MALFORMED"),
        (b'{"move": ' + b"9" * 5_000 + b"}", "MALFORMED"),
        (b"[]", "INVALID"),
        (b'{"move": "1"}', "INVALID"),
    ],
)
def test_a_body_that_is_not_json_is_refused(client: httpx.Client, body: bytes, code: str) -> None:
    headers = {"Content-Type": "application/json"}
    path = "/api/sandboxes/actions-bazaar/clock"
    response = client.post(path, content=body, headers=headers)
    assert (response.status_code, error_of(response)) == (400, code)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_forms_of_other_pages_cannot_be_bodies(client: httpx.Client, kind: str) -> None:
    """A body is JSON by its type: pages elsewhere cannot send that without asking first."""
    response = client.post("/api/run", content=b"{}", headers={"Content-Type": kind})
    assert (response.status_code, error_of(response)) == (415, "WRONG_TYPE")


def test_every_answer_is_secured(client: httpx.Client) -> None:
    """The page, its files, answers and refusals."""
    for path in ("/", "/page/icon.svg", "/api/status", "/nowhere"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers


def test_scripts_are_shown_as_text(
    client: httpx.Client, connection: dict[str, Any], serve: Callable[..., LocalServer]
) -> None:
    """In names, events, paths and errors: answers are JSON by type, and pages escape."""
    connection["subscriptions"][0]["name"] = SCRIPT
    event = {"event": "Ordered", "messageId": SCRIPT, "properties": {"thing": SCRIPT}}
    told = client.post("/api/run", json={"connection": connection, "events": [event]})
    assert told.headers["content-type"] == "application/json"
    assert told.json()["journeys"][0]["legs"][0]["subscription"] == SCRIPT
    missing = client.get(f"/{SCRIPT}")
    assert missing.headers["content-type"] == "application/json"
    server = serve(reference=True)
    page = httpx.get(f"{server.url}/%3Cscript%3Ealert(1)%3C/script%3E")
    assert page.headers["content-type"].startswith("text/html")
    assert "<script>" not in page.text
    assert "&lt;script&gt;" in page.text


@pytest.mark.parametrize("thing", ["lamp", "poison", "bug", SECRET])
@pytest.mark.parametrize("secret", [SECRET, "another-secret-0815"])
def test_secrets_are_nowhere(
    client: httpx.Client, connection: dict[str, Any], thing: str, secret: str
) -> None:
    """Not in addresses, headers, bodies, answers or errors, also where an event holds them."""
    connection["settings"]["client_secret"] = secret
    connection["settings"]["region"] = "eu"
    event = {
        "event": "Ordered",
        "userId": secret,
        secret: 1,
        "properties": {"thing": thing.replace(SECRET, secret)},
        "context": {"traits": {"email": "ada@example.com"}},
    }
    events = [event, {"event": secret}]
    bodies: list[tuple[str, dict[str, Any]]] = [
        ("run", {"connection": connection, "events": events}),
        ("dry-run", {"connection": connection, "events": events}),
        ("explain", {"connection": connection, "event": event}),
        ("authenticate", {"connection": connection}),
        ("export", {"connection": connection, "events": events}),
    ]
    for path, body in bodies:
        response = client.post(f"/api/{path}", json=body)
        assert response.status_code == 200, response.text
        assert secret not in response.text
        assert "fresh-token-0815" not in response.text


def test_invalid_settings_are_reported_without_secrets(
    client: httpx.Client, connection: dict[str, Any]
) -> None:
    """Nor do the texts of problems hold what was entered as one."""
    connection["settings"] = {"client_secret": [SECRET], "region": SECRET}
    for path in ("authenticate", "run"):
        body = {"connection": connection, "events": [{}]}
        response = client.post(f"/api/{path}", json=body)
        assert (response.status_code, error_of(response)) == (400, "INVALID_CONNECTION")
        assert "`client_id` is required" in response.text
    told = client.post("/api/validate", json={"connection": connection}).json()
    assert next(one["pointer"] for one in told["diagnostics"]) == "/settings/client_id"


def test_addresses_are_not_in_errors(client: httpx.Client, connection: dict[str, Any]) -> None:
    """What a partner repeats of a person is masked where it becomes a message."""
    event = {"event": "Ordered", "properties": {"thing": "lamp", "email": "ada@example.com"}}
    connection["subscriptions"][0]["mapping"] = {"pieces": "ada@example.com"}
    told = client.post("/api/run", json={"connection": connection, "events": [event]}).json()
    (leg,) = told["journeys"][0]["legs"]
    assert leg["result"]["outcome"] == "failed"
    assert "ada@example.com" not in json.dumps([leg["result"], leg["problems"]])


def test_nothing_is_written_but_the_examples(client: httpx.Client, examples: Path) -> None:
    """Names of examples are keys in one file and never paths."""
    for name in ("../evil", "/etc/x", "a/b", ".hidden", "", "a" * 81, "x\n"):
        response = client.post("/api/examples", json={"name": name, "events": [{}]})
        assert (response.status_code, error_of(response)) == (400, "INVALID")
    assert client.post("/api/examples", json={"name": "My own", "events": [{}]}).is_success
    assert [path.name for path in examples.parent.iterdir()] == ["examples.json"]
