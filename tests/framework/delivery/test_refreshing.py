"""The hook `refresh` replaces the request for a token; the rules about tokens stay."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from framework import (
    APIError,
    InvalidAuthenticationError,
    OAuthRefreshToken,
    RefreshedToken,
    RequestOptions,
    RetryableError,
    Stopped,
    basic,
)
from framework.clock import Clock
from framework.delivery import Connection, KeptTokens, Retry
from framework.errors import PluginError
from framework.relay import SQLiteStore
from framework.results import Delivered, Failed, Result
from framework.state_store import StateStore
from framework.testing import Harness
from tests.framework.delivery.bench import Key, Message, connected, module, plugin, said
from tests.framework.delivery.clocks import FakeClock

API: Final = "https://partner.test/messages"
SESSION: Final = "https://partner.test/session"
LIFETIME: Final = 900


class Sessions(httpx.BaseTransport):
    """A partner whose refresh tokens serve once, in a form of its own.

    *answers* are given to the next requests for a token, in turn.
    """

    def __init__(self, *answers: httpx.Response | httpx.TransportError) -> None:
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []
        self.served: list[str] = []
        self.number = 0
        self.valid = ""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        if request.url.path == "/session":
            return self.session(request)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        self.served.append(token)
        return httpx.Response(200 if token == self.valid else 401)

    def session(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, httpx.TransportError):
            raise answer
        if answer is not None:
            return answer
        if request.headers["x-refresh"] != f"refresh-{self.number}":
            return httpx.Response(400, json={"error": "used"})
        self.number += 1
        self.valid = f"access-{self.number}"
        return httpx.Response(
            200, json={"token": {"value": self.valid, "next": f"refresh-{self.number}"}}
        )


def auth(settings: Key, clock: Clock) -> httpx.Auth:
    return OAuthRefreshToken("", "", "", settings.key, clock=clock)


def refresh(client: httpx.Client, refresh_token: str) -> RefreshedToken:
    found = client.put(SESSION, headers={"X-Refresh": refresh_token}).json()["token"]
    return RefreshedToken(found["value"], found["next"], LIFETIME)


def perform(client: httpx.Client, payload: Message) -> httpx.Response:
    return client.post(API, json={"text": payload.text})


HOOKS: dict[str, Any] = {"auth": auth, "refresh": refresh, "perform": perform}


def opened(partner: Sessions, state: StateStore | None = None, **changed: Any) -> Connection:
    names = HOOKS.keys() | {"extend_request", "perform_batch"}
    hooks = {**HOOKS, **{name: changed.pop(name) for name in names & changed.keys()}}
    options = {"key": "refresh-0", "clock": FakeClock(), **changed}
    tokens = KeptTokens(state) if state else None
    return connected(plugin(**hooks), partner=partner, tokens=tokens, **options)


def results(connection: Connection, *texts: str) -> list[Result | None]:
    report = connection.deliver([said(text) for text in texts or ("hello",)])
    return [item.result for item in report.items]


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateStore]:
    with SQLiteStore(tmp_path / "events.db") as store:
        yield store.state


def test_a_token_comes_from_the_hook_and_is_kept() -> None:
    partner = Sessions()
    with opened(partner) as connection:
        assert results(connection, "one", "two") == [Delivered(200)] * 2
    assert partner.served == ["access-1"] * 2
    (asked,) = partner.asked
    assert (asked.method, str(asked.url)) == ("PUT", SESSION)
    assert "authorization" not in asked.headers


def test_the_hook_gets_what_it_asks_for() -> None:
    given: dict[str, Any] = {}

    def asking(
        settings: Key, clock: Any, stop: Any, confide: Callable[[str], None], refresh_token: str
    ) -> RefreshedToken:
        confide("session-4711")
        given.update(settings=settings, now=clock.time(), stop=stop.is_set(), old=refresh_token)
        return RefreshedToken("access-0")

    partner, clock = Sessions(), FakeClock()
    partner.valid = "access-0"
    with opened(partner, refresh=asking, clock=clock) as connection:
        assert results(connection) == [Delivered(200)]
        assert connection.redactor.text("session-4711") == "<redacted>"
    expected = {"settings": Key(key="refresh-0"), "now": clock.time(), "stop": False}
    assert given == {**expected, "old": "refresh-0"}


def test_a_new_refresh_token_serves_the_next_time() -> None:
    """Before the token expires, and after it was refused."""
    partner, clock = Sessions(), FakeClock()
    with opened(partner, clock=clock) as connection:
        results(connection)
        clock.reading += LIFETIME - 61
        results(connection)
        clock.reading += 2
        results(connection)
        partner.valid = "another"
        results(connection)
    assert partner.served == ["access-1", "access-1", "access-2", "access-2", "access-3"]
    refreshed = [asked.headers["x-refresh"] for asked in partner.asked]
    assert refreshed == ["refresh-0", "refresh-1", "refresh-2"]


def test_a_token_without_lifetime_serves_until_it_is_refused() -> None:
    def endless(client: httpx.Client, refresh_token: str) -> RefreshedToken:
        found = refresh(client, refresh_token)
        return RefreshedToken(found.access_token, found.refresh_token)

    partner, clock = Sessions(), FakeClock()
    with opened(partner, refresh=endless, clock=clock) as connection:
        results(connection)
        clock.reading += 1e9
        results(connection)
    assert partner.served == ["access-1"] * 2


def test_a_token_is_stored_before_it_is_used(state: StateStore) -> None:
    """At its first use, another process finds it, and after a restart its refresh token."""
    partner, other = Sessions(), Sessions()
    answer = partner.handle_request

    def handle_request(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/messages" and not other.served:
            other.valid = partner.valid
            with opened(other, state) as connection:
                results(connection)
        return answer(request)

    partner.handle_request = handle_request  # type: ignore[method-assign]
    with opened(partner, state) as connection:
        results(connection)
    assert (other.asked, other.served) == ([], ["access-1"])
    partner.valid = "another"
    with opened(partner, state) as connection:
        assert results(connection) == [Delivered(200)]
    assert [asked.headers["x-refresh"] for asked in partner.asked] == ["refresh-0", "refresh-1"]


def test_a_newly_configured_refresh_token_takes_precedence(state: StateStore) -> None:
    partner = Sessions()
    with opened(partner, state) as connection:
        results(connection)
    partner.number = 8
    with opened(partner, state, key="refresh-8") as connection:
        assert results(connection) == [Delivered(200)]
    assert partner.asked[1].headers["x-refresh"] == "refresh-8"


def test_one_token_is_requested_at_a_time(state: StateStore) -> None:
    """By the threads of a connection and by several connections, which all were refused."""
    partner, refused = Sessions(), threading.Barrier(4)
    connections = [opened(partner, state) for _ in range(2)]
    for connection in connections:
        results(connection)
    answer, partner.valid = partner.handle_request, "another"

    def handle_request(request: httpx.Request) -> httpx.Response:
        response = answer(request)
        if response.status_code == 401:
            refused.wait(10)
        return response

    partner.handle_request = handle_request  # type: ignore[method-assign]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(results, connections * 2))
    for connection in connections:
        connection.close()
    assert found == [[Delivered(200)]] * 4
    assert len(partner.asked) == 2


def test_a_token_is_renewed_once_for_a_request() -> None:
    partner = Sessions()
    issue = partner.session

    def session(request: httpx.Request) -> httpx.Response:
        response = issue(request)
        partner.valid = "another"
        return response

    partner.session = session  # type: ignore[method-assign]
    with opened(partner) as connection:
        (result,) = results(connection)
    assert isinstance(result, Failed)
    assert (result.status, result.scope) == (401, "connection")
    assert partner.served == ["access-1", "access-2"]


REFUSED: list[tuple[Any, int, str, bool]] = [
    (httpx.Response(400, json={"error": "used"}), 401, "used", False),
    (httpx.Response(403), 403, "", False),
    (httpx.Response(503), 503, "", True),
    (httpx.ReadTimeout("late"), 504, "", True),
    (httpx.ConnectError("refused"), 503, "", True),
]


@pytest.mark.parametrize(("answer", "status", "code", "retryable"), REFUSED)
def test_a_refused_exchange_concerns_the_connection(
    answer: Any, status: int, code: str, *, retryable: bool
) -> None:
    partner = Sessions(answer)
    with opened(partner) as connection:
        (failed,) = results(connection)
        assert isinstance(failed, Failed)
        assert (failed.scope, failed.retryable) == ("connection", retryable)
        assert failed.status == status, failed
        assert code in failed.code
        assert partner.served == []
        assert results(connection) == [Delivered(200)]


@pytest.mark.parametrize(
    ("answer", "calls"),
    [
        (httpx.Response(503), 1),  # the refresh token may be used up
        (httpx.ReadTimeout("late"), 1),
        (httpx.ConnectError("refused"), 2),
        (httpx.Response(429), 2),
    ],
)
def test_an_exchange_is_repeated_only_if_that_does_no_harm(answer: Any, calls: int) -> None:
    """The request that needs the token is repeated, which asks the hook again."""

    def posting(client: httpx.Client, refresh_token: str) -> RefreshedToken:
        found = client.post(SESSION, headers={"X-Refresh": refresh_token}).json()["token"]
        return RefreshedToken(found["value"], found["next"])

    partner = Sessions(answer)
    with opened(partner, refresh=posting, retry=Retry(attempts=3, first=0.0)) as connection:
        (result,) = results(connection)
    assert (len(partner.asked), isinstance(result, Delivered)) == (calls, calls == 2)


@pytest.mark.parametrize(
    ("returned", "code", "status", "text"),
    [
        (None, "RESULT_TYPE", 500, "must return a RefreshedToken, got nothing"),
        ("access-1", "RESULT_TYPE", 500, "must return a RefreshedToken, got str"),
        (RefreshedToken(""), "NO_ACCESS_TOKEN", 401, "without a usable `access_token`"),
        (RefreshedToken("to\nken"), "NO_ACCESS_TOKEN", 401, "without a usable `access_token`"),
        (RefreshedToken(None), "NO_ACCESS_TOKEN", 401, "without a usable"),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_result_fails(returned: Any, code: str, status: int, text: str) -> None:
    partner = Sessions()
    with opened(partner, refresh=lambda: returned) as connection:
        (failed,) = results(connection)
    assert isinstance(failed, Failed)
    assert (failed.code, failed.status, failed.scope) == (code, status, "connection")
    assert text in failed.message
    assert partner.served == []


@pytest.mark.parametrize(
    ("raised", "code", "status"),
    [
        (APIError("No.", "NO", 400), "NO", 401),
        (InvalidAuthenticationError("No.", "NO"), "NO", 401),
        (RetryableError("Later.", "LATER", 502), "LATER", 502),
        (KeyError("token"), "INTERNAL_ERROR", 500),
    ],
)
def test_what_the_hook_raises_becomes_the_result(raised: Exception, code: str, status: int) -> None:
    def failing() -> RefreshedToken:
        raise raised

    partner = Sessions()
    with opened(partner, refresh=failing) as connection:
        (failed,) = results(connection)
    assert isinstance(failed, Failed)
    assert (failed.code, failed.status) == (code, status)
    assert partner.served == []


def test_a_call_that_has_to_end_ends_no_other() -> None:
    """Others that waited for its exchange are told that there is no token; they are retried."""
    flow = OAuthRefreshToken("", "", "", "refresh-0", clock=FakeClock())

    def stopped(_: str) -> RefreshedToken:
        raise Stopped

    flow.exchange_by(stopped)
    with pytest.raises(Stopped):
        next(flow.auth_flow(httpx.Request("GET", API)))
    assert isinstance(flow._failure, RetryableError)
    assert flow._failure.code == "TOKEN_UNAVAILABLE"


def test_tokens_are_shown_nowhere() -> None:
    partner = Sessions()
    with opened(partner) as connection:
        report = connection.deliver([said()])
        assert [one.status for one in report.exchanges] == [200, 200]
        shown = repr([one.to_json() for one in report.exchanges])
        assert connection.redactor.text("access-1 refresh-1") == "<redacted> <redacted>"
    assert "access-1" not in shown
    assert "refresh-0" not in shown
    assert "refresh-1" not in shown
    assert repr(RefreshedToken("access-1", "refresh-1")) == "RefreshedToken(expires_in=None)"


def test_options_of_requests_do_not_apply() -> None:
    """Otherwise an exchange could ask for the token that it is to obtain."""
    partner = Sessions()
    options = RequestOptions(headers={"X-Room": "r"}, auth=basic("u", "p"))
    with opened(partner, extend_request=lambda: options) as connection:
        connection.hook_runner.client.get(API)
    assert "x-room" not in partner.asked[0].headers
    assert "authorization" not in partner.asked[0].headers


def test_other_credentials_have_nothing_to_exchange() -> None:
    """A destination may offer several ways to sign in."""

    def signing(settings: Key) -> httpx.Auth:
        return basic("u", settings.key)

    partner = Sessions()
    with opened(partner, auth=signing) as connection:
        results(connection)
    assert partner.asked == []
    assert partner.served[0].startswith("Basic ")


def test_the_hook_needs_credentials() -> None:
    with pytest.raises(PluginError, match="return an `OAuthRefreshToken` from the hook `auth`"):
        plugin(refresh=refresh, perform=perform)


def test_a_harness_calls_it(state: StateStore) -> None:
    """It keeps the token in its store, if it has one."""
    partner = Sessions()
    for _ in range(2):
        with Harness(
            module(**HOOKS), {"key": "refresh-0"}, transport=partner, store=state
        ) as harness:
            assert harness.run_action("send", said(), defaults=True).result == Delivered(200)
    assert len(partner.asked) == 1
