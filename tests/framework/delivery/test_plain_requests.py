"""What our client does in fewer steps comes to what httpx's client does."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from framework.delivery.auth import OAuthClientCredentials, bearer
from framework.delivery.client import Client

NAMES = ["Accept", "accept", "User-Agent", "X-A", "x-a", "Content-Type", "Host", "Content-Length"]
LATIN = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=8)
HEADERS = st.one_of(
    st.none(),
    st.dictionaries(st.sampled_from(NAMES), LATIN, max_size=4),
    st.lists(st.tuples(st.sampled_from(NAMES), LATIN), max_size=4),
)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "content": st.one_of(st.none(), st.binary(max_size=20), st.just("text")),
        "headers": HEADERS,
        "params": st.sampled_from([None, {"a": "b"}]),
        "timeout": st.sampled_from([None, 3.0, httpx.USE_CLIENT_DEFAULT]),
        "extensions": st.sampled_from([None, {"idempotent": True}, {"timeout": {"read": 1.0}}]),
    },
)
CLIENTS = st.sampled_from(
    [
        {},
        {"headers": {"X-A": "of the client", "Authorization": "x"}},
        {"base_url": "https://api.test/v1/"},
        {"params": {"of": "the client"}},
        {"cookies": {"a": "b"}},
        {"timeout": 7.0},
    ]
)
URLS = st.sampled_from(
    [
        "https://api.test/v1/x",
        "https://api.test:8443/a%20b?c=d#e",
        "http://user:word@api.test",
        "relative/path",
        httpx.URL("https://b.test/ü"),
    ]
)


def described(request: httpx.Request) -> tuple[object, ...]:
    """Give all that is to be equal of a request."""
    content = request.read()
    return request.method, request.url, request.headers.raw, content, request.extensions


@given(st.sampled_from(["GET", "post", "PATCH"]), URLS, OPTIONS, CLIENTS)
def test_requests_are_built_as_httpx_builds_them(
    method: str, url: httpx.URL | str, options: dict[str, Any], client_options: dict[str, Any]
) -> None:
    assume(url != "relative/path" or "cookies" not in client_options)
    with Client(transport=httpx.MockTransport(lambda _: httpx.Response(200)), **client_options) as (
        client
    ):
        plain = httpx.Client.build_request(client, method, url, **options)
        assert described(client.build_request(method, url, **options)) == described(plain)


def partner(request: httpx.Request) -> httpx.Response:
    """Give tokens, refuse the first, set cookies, redirect, or answer in small pieces."""
    answers = {
        "/token": lambda: httpx.Response(200, json={"access_token": "t", "expires_in": 900}),
        "/cookie": lambda: httpx.Response(200, headers={"Set-Cookie": "a=b"}, text="sweet"),
        "/pieces": lambda: httpx.Response(200, content=iter([b"a", b"b"])),
        "/charset": lambda: httpx.Response(
            200, content=b"\xe4", headers={"Content-Type": "text/plain; charset=latin-1"}
        ),
    }
    return answers.get(request.url.path, lambda: httpx.Response(204))()


@pytest.fixture
def client() -> Iterator[Client]:
    """Give a client with a token of its own."""
    auth = OAuthClientCredentials("https://api.test/token", "id", "s3cret-of-the-app")
    with Client(transport=httpx.MockTransport(partner), auth=auth) as made:
        yield made


@pytest.mark.parametrize("path", ["/x", "/cookie", "/pieces", "/charset"])
def test_answers_are_what_httpx_gives(
    client: Client, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    def ask(send: Callable[..., httpx.Response]) -> tuple[object, ...]:
        caplog.clear()
        client.cookies = httpx.Cookies()
        answer = send(client.build_request("PUT", f"https://api.test{path}", content=b"x"))
        assert answer.is_closed
        assert answer.next_request is None
        sent = answer.request.headers["Authorization"], answer.request.url
        logged = [one.getMessage() for one in caplog.records]
        return answer.status_code, answer.text, answer.history, sent, dict(client.cookies), logged

    with caplog.at_level(logging.INFO, logger="httpx"):
        ask(client.send)  # gets a token
        assert client.get("https://api.test/x").elapsed.total_seconds() >= 0
        assert ask(client.send) == ask(lambda request: httpx.Client.send(client, request))


def test_the_answers_before_the_last_are_its_history() -> None:
    """A token that was refused is replaced, and what refused it can be looked up."""
    tokens, refused = iter(["old", "new"]), []

    def refusing(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/token":
            return httpx.Response(200, json={"access_token": next(tokens)})
        if request.headers["Authorization"] == "Bearer old":
            refused.append(request)
            return httpx.Response(401)
        return httpx.Response(200)

    auth = OAuthClientCredentials("https://api.test/token", "id", "s3cret-of-the-app")
    with Client(transport=httpx.MockTransport(refusing), auth=auth) as client:
        answer = client.get("https://api.test/x")
    assert [one.status_code for one in answer.history] == [200, 401, 200]
    assert len(refused) == 1


def test_hooks_and_redirects_are_httpxs_own() -> None:
    seen: list[str] = []

    def moving(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/old":
            return httpx.Response(302, headers={"Location": "/new"})
        return httpx.Response(200)

    hooks = {"request": [lambda request: seen.append(request.url.path)]}
    with Client(
        transport=httpx.MockTransport(moving), event_hooks=hooks, auth=bearer("a-token")
    ) as client:
        answer = client.get("https://api.test/old", follow_redirects=True)
    assert seen == ["/old", "/new"]
    assert [one.status_code for one in answer.history] == [302]


def test_a_closed_client_sends_nothing() -> None:
    client = Client(transport=httpx.MockTransport(lambda _: httpx.Response(200)))
    client.close()
    with pytest.raises(RuntimeError):
        client.get("https://api.test/x")


def test_user_and_password_in_an_address_are_sent() -> None:
    with Client(transport=httpx.MockTransport(lambda _: httpx.Response(200))) as client:
        answer = client.put("https://user:word@api.test/x", content=b"x")
    assert answer.request.headers["Authorization"] == "Basic dXNlcjp3b3Jk"
