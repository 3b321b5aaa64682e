"""What an author's own auth flow adds to a request, and what is confided, is shown nowhere."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from framework.results import Failed
from tests.framework.delivery.bench import SEND, URL, connected, plugin, said

ALONE = replace(SEND, batching=None)
VALUE = "vendor-9d1c9d1c9d1c9d1c"
Flow = Generator[httpx.Request, httpx.Response, None]


class Echo(httpx.BaseTransport):
    """Refuses every request with all that it carried; issues tokens at /token."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        if request.url.path == "/token":
            return httpx.Response(200, json={"access_token": VALUE, "note": "keep"})
        sent = f"{request.url} {request.headers.raw[::-1]} {request.content.decode()}"
        return httpx.Response(400, json={"error": sent, "error_description": sent})


class Signed(httpx.Auth):
    """Changes a request by a function."""

    def __init__(self, change: Callable[[httpx.Request], Any]) -> None:
        self._change = change

    def auth_flow(self, request: httpx.Request) -> Flow:
        """Change the request in place, or replace it."""
        yield self._change(request) or request


class Exchanged(httpx.Auth):
    """Obtains a token with a key, then sends it."""

    requires_response_body = True

    def auth_flow(self, request: httpx.Request) -> Flow:
        """Ask for a token first."""
        form = {"client_secret": "s3cret-of-exchange", "grant_type": "own"}
        answer = yield httpx.Request("POST", "https://partner.test/token", data=form)
        request.headers["X-Session"] = answer.json()["access_token"]
        request.headers["X-Form"] = "s3cret-of-exchange"
        yield request


def header(name: str, value: str) -> Signed:
    return Signed(lambda request: request.headers.update({name: value}))


def in_query(request: httpx.Request) -> httpx.Request:
    url = request.url.copy_add_param("sig", VALUE)
    return httpx.Request("POST", url, headers=request.headers, content=request.content)


AUTHS: dict[str, Any] = {
    "header": header("X-Key", VALUE),
    "bearer": header("Authorization", f"Bearer {VALUE}"),
    "scheme": header("Authorization", f'Vendor key="{VALUE}", date=today'),
    "signature": header("Authorization", f"AWS4-HMAC-SHA256 Credential=A/b, Signature={VALUE}"),
    "cookie": header("Cookie", f"first=1; session={VALUE}"),
    "query": Signed(in_query),
    "exchange": Exchanged(),
    "basic": httpx.BasicAuth("user", VALUE),
    "pair": ("user", VALUE),
    "function": lambda request: request.headers.update({"X-Key": VALUE}) or request,
}
PIECES = (VALUE, "s3cret-of-exchange", base64.b64encode(f"user:{VALUE}".encode()).decode())


@pytest.mark.parametrize("name", AUTHS)
@pytest.mark.parametrize("given", ["hook", "request"])
def test_what_an_auth_flow_adds_is_redacted(
    name: str, given: str, caplog: pytest.LogCaptureFixture
) -> None:
    """In results, exchanges and logs, though the partner repeats it."""
    caplog.set_level(logging.DEBUG)
    hooks: dict[str, Callable[..., Any]] = {}
    options: dict[str, Any] = {}
    if given == "hook" and isinstance(AUTHS[name], httpx.Auth):
        hooks["auth"] = lambda: AUTHS[name]
    else:
        options["auth"] = AUTHS[name]

    def perform(client: httpx.Client) -> httpx.Response:
        return client.post(URL, content=b"x", **options)

    with connected(plugin(ALONE, perform=perform, **hooks), partner=Echo()) as connection:
        report = connection.deliver([said("a")])
        shown = str(report.to_json())
    (result,) = report.results
    assert isinstance(result, Failed)
    assert result.status == 400
    assert [piece for piece in PIECES if piece in shown or piece in caplog.text] == []
    assert "<redacted>" in result.message
    assert "partner.test" in result.message  # what the framework sends itself is shown


def test_signatures_of_each_request_are_redacted() -> None:
    """A hundred different ones; a key that every request has is never forgotten."""
    count = iter(range(10_000_000, 20_000_000))

    def sign(request: httpx.Request) -> None:
        request.headers.update({"X-Sign": f"sig-{next(count)}", "X-Key": VALUE})

    def perform(client: httpx.Client) -> httpx.Response:
        return client.post(URL)

    opened = plugin(ALONE, perform=perform, auth=lambda: Signed(sign))
    with connected(opened, partner=Echo()) as connection:
        results = connection.deliver([said("a")] * 100).results
    assert len(results) == 100
    assert [one for one in results if "sig-1" in str(one) or VALUE in str(one)] == []


@pytest.mark.parametrize("where", ["auth", "perform", "perform_batch"])
def test_what_is_confided_is_redacted(where: str) -> None:
    def tell(confide: Callable[[str], None]) -> None:
        confide(VALUE)

    def send(client: httpx.Client) -> httpx.Response:
        return client.post(URL, json={"token": VALUE})

    def told(client: httpx.Client, confide: Callable[[str], None]) -> httpx.Response:
        confide(VALUE)
        return client.post(URL, json={"token": VALUE})

    hooks: dict[str, Callable[..., Any]] = {"perform": send, "auth": tell}
    if where != "auth":
        hooks = {where: told}
    with connected(plugin(**hooks), partner=Echo()) as connection:
        report = connection.deliver([said("a"), said("b")])
    assert VALUE not in str(report.to_json())
    assert "<redacted>" in str(report.results)


def test_only_texts_can_be_confided() -> None:
    def perform(confide: Callable[[Any], None]) -> None:
        confide(12345)

    with connected(plugin(ALONE, perform=perform)) as connection:
        (result,) = connection.deliver([said("a")]).results
    assert isinstance(result, Failed)
    assert result.code == "INTERNAL_ERROR"


def test_many_confided_texts_are_remembered() -> None:
    with connected(plugin(ALONE, perform=lambda: None)) as connection:
        for number in range(1_100):
            connection.redactor.confide(f"token-{number:05}")
        shown = connection.redactor.text("token-01099 token-00101 token-00050")
    assert shown == "<redacted> <redacted> token-00050"
