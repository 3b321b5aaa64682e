"""Credentials are shown as agreed, and tokens renew themselves."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest

from framework.delivery.auth import (
    Credentials,
    OAuthClientCredentials,
    OAuthRefreshToken,
    api_key,
    basic,
    bearer,
)
from framework.delivery.client import Client
from framework.delivery.retries import Retry
from framework.delivery.throttle import Throttle
from framework.delivery.transports import DryRun
from framework.errors import (
    APIError,
    IntegrationError,
    InvalidAuthenticationError,
    RetryableError,
)
from tests.framework.delivery.clocks import FakeClock, Rate

TOKEN_URL = "https://api.test/oauth2/token"
SECRET = "s3cr+et/&"


class Partner(httpx.MockTransport):
    """Issues tokens and serves whoever brings the latest one.

    *refusals* are given instead of a token, in turn; *extra* is part of every token's answer.
    """

    def __init__(self, *refusals: httpx.Response | Exception, **extra: Any) -> None:
        super().__init__(self.answer)
        self.refusals = list(refusals)
        self.extra = {"expires_in": 900, **extra}
        self.asked: list[httpx.Request] = []
        self.served: list[str] = []
        self.valid: str | None = None
        self.before_token: Callable[[], object] = lambda: None

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth2/token":
            return self.token(request)
        token = request.headers["authorization"].removeprefix("Bearer ")
        self.served.append(token)
        return httpx.Response(200 if token == self.valid else 401)

    def token(self, request: httpx.Request) -> httpx.Response:
        self.before_token()
        self.asked.append(request)
        refusal = self.refusals.pop(0) if self.refusals else None
        if isinstance(refusal, Exception):
            raise refusal
        self.valid = f"token-{len(self.asked)}"
        answer = {"access_token": self.valid, "token_type": "Bearer", **self.extra}
        return refusal or httpx.Response(200, json=answer)


def credentials(clock: FakeClock | None = None, **options: Any) -> OAuthClientCredentials:
    return OAuthClientCredentials(TOKEN_URL, "app-1", SECRET, clock=clock or FakeClock(), **options)


def opened(partner: httpx.BaseTransport, auth: httpx.Auth, **options: Any) -> Client:
    return Client(transport=partner, auth=auth, **{"clock": FakeClock(), **options})


def form(request: httpx.Request) -> dict[str, str]:
    return dict(parse_qsl(request.content.decode(), strict_parsing=True))


@pytest.mark.parametrize(
    ("auth", "header", "value", "secret"),
    [
        (bearer("tok-12345"), "authorization", "Bearer tok-12345", "tok-12345"),
        (basic("ann", "p:w-1"), "authorization", "Basic YW5uOnA6dy0x", "p:w-1"),
        (basic("ann", "p:w-1"), "authorization", "Basic YW5uOnA6dy0x", "YW5uOnA6dy0x"),
        (api_key("key-12345"), "x-api-key", "key-12345", "key-12345"),
        (api_key("key-12345", header="X-Other"), "x-other", "key-12345", "key-12345"),
    ],
)
def test_fixed_credentials_are_sent_and_kept_secret(
    auth: Credentials, header: str, value: str, secret: str
) -> None:
    transport = DryRun()
    with opened(transport, auth) as client:
        client.get("https://api.test/v1")
        assert client.redactor.text(f"It is {secret}!") == "It is <redacted>!"
    assert transport.requests[0].headers[header] == value
    assert secret not in repr(auth)


def test_a_token_is_fetched_at_first_use_and_kept() -> None:
    partner = Partner()
    with opened(partner, credentials()) as client:
        assert partner.asked == []
        for _ in range(3):
            client.get("https://api.test/v1")
    assert partner.served == ["token-1"] * 3
    sent = partner.asked[0]
    assert (sent.method, str(sent.url)) == ("POST", TOKEN_URL)
    assert sent.headers["content-type"] == "application/x-www-form-urlencoded"
    assert sent.headers["accept"] == "application/json"
    assert sent.headers["user-agent"] == "action-destinations"
    assert "authorization" not in sent.headers
    assert sent.extensions["timeout"]["connect"] == 10
    assert b"client_secret=s3cr%2Bet%2F%26" in sent.content
    assert form(sent) == {
        "grant_type": "client_credentials",
        "client_id": "app-1",
        "client_secret": SECRET,
    }


def test_basic_style_and_scope() -> None:
    """Id and secret are form-encoded before they become basic credentials (RFC 6749, 2.3.1)."""
    partner = Partner()
    with opened(partner, credentials(style="basic", scope="a b")) as client:
        client.get("https://api.test/v1")
    pair = base64.b64encode(b"app-1:s3cr%2Bet%2F%26").decode()
    assert partner.asked[0].headers["authorization"] == f"Basic {pair}"
    assert form(partner.asked[0]) == {"grant_type": "client_credentials", "scope": "a b"}


@pytest.mark.parametrize(
    ("expires_in", "early", "used_until", "renewed_from"),
    [
        (900, 60, 839, 841),
        ("900", 60, 839, 841),
        (30, 60, 14, 16),
        (900, 0, 899, 901),
    ],
)
def test_a_token_is_renewed_before_it_expires(
    expires_in: object, early: float, used_until: float, renewed_from: float
) -> None:
    clock, partner = FakeClock(), Partner(expires_in=expires_in)
    with opened(partner, credentials(clock, early=early)) as client:
        client.get("https://api.test/v1")
        clock.reading = 1000 + used_until
        client.get("https://api.test/v1")
        clock.reading = 1000 + renewed_from
        client.get("https://api.test/v1")
    assert partner.served == ["token-1", "token-1", "token-2"]


@pytest.mark.parametrize("expires_in", [None, "soon"])
def test_a_token_without_an_end_is_used_until_it_is_refused(expires_in: object) -> None:
    clock, partner = FakeClock(), Partner(expires_in=expires_in)
    with opened(partner, credentials(clock)) as client:
        client.get("https://api.test/v1")
        clock.reading += 1e9
        client.get("https://api.test/v1")
    assert partner.served == ["token-1", "token-1"]


def test_a_refused_token_is_renewed_once() -> None:
    partner = Partner()
    with opened(partner, credentials()) as client:
        client.get("https://api.test/v1")
        partner.valid = "another"
        response = client.put("https://api.test/v1", json={"a": 1})
    assert response.status_code == 200
    assert response.request.content == b'{"a":1}'
    assert partner.served == ["token-1", "token-1", "token-2"]


def test_a_second_refusal_is_the_end() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.path)
        if request.url.path == "/oauth2/token":
            return httpx.Response(200, json={"access_token": "token-1"})
        return httpx.Response(401, json={"errors": [{"code": "authorization-unknown"}]})

    seen: list[str] = []
    with (
        opened(httpx.MockTransport(answer), credentials()) as client,
        pytest.raises(InvalidAuthenticationError) as caught,
    ):
        client.get("https://api.test/v1")
    assert str(caught.value) == (
        "`GET api.test/v1` answered 401 Unauthorized (authorization-unknown)."
    )
    assert seen == ["/oauth2/token", "/v1", "/oauth2/token", "/v1"]


@pytest.mark.parametrize(
    ("answer", "kind", "status", "code", "text"),
    [
        (
            httpx.Response(
                401, json={"error": "invalid_client", "error_description": f"Not {SECRET}"}
            ),
            InvalidAuthenticationError,
            401,
            "invalid_client",
            "answered 401 Unauthorized: Not <redacted> (invalid_client).",
        ),
        (
            httpx.Response(400, json={"error": "invalid_client"}),
            InvalidAuthenticationError,
            401,
            "invalid_client",
            "answered 400 Bad Request (invalid_client).",
        ),
        (
            httpx.Response(200, json={"error": "bad_code"}),
            InvalidAuthenticationError,
            401,
            "bad_code",
            "refused the credentials (bad_code).",
        ),
        (
            httpx.Response(200, json={"token": "x"}),
            RetryableError,
            401,
            "NO_ACCESS_TOKEN",
            "answered without an `access_token`.",
        ),
        (httpx.Response(404), APIError, 404, "NOT_FOUND", "answered 404 Not Found."),
        (
            httpx.Response(503),
            RetryableError,
            503,
            "SERVICE_UNAVAILABLE",
            "answered 503 Service Unavailable.",
        ),
        (
            httpx.Response(200, html="<h1>Sorry</h1>"),
            RetryableError,
            502,
            "HTML_INSTEAD_OF_JSON",
            "answered 200 OK with a web page instead of JSON.",
        ),
        (
            httpx.ReadTimeout(""),
            RetryableError,
            504,
            "READ_TIMEOUT",
            "did not answer in time.",
        ),
    ],
)
def test_a_token_that_cannot_be_had_says_why(
    answer: httpx.Response | Exception,
    kind: type[IntegrationError],
    status: int,
    code: str,
    text: str,
) -> None:
    partner = Partner(answer)
    with (
        opened(partner, credentials(), retry=Retry.never()) as client,
        pytest.raises(IntegrationError) as caught,
    ):
        client.get("https://api.test/v1")
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.code) == (status, code)
    assert caught.value.scope == "connection"
    assert str(caught.value) == f"`POST api.test/oauth2/token` {text}"
    assert partner.served == []


@pytest.mark.parametrize(
    "failed", [httpx.Response(503), httpx.Response(429), httpx.ReadTimeout("")]
)
def test_a_token_is_asked_for_again_even_for_a_request_with_effects(
    failed: httpx.Response | Exception,
) -> None:
    partner = Partner(failed)
    with opened(partner, credentials()) as client:
        client.post("https://api.test/v1")
    assert (len(partner.asked), partner.served) == (2, ["token-2"])


def test_token_requests_are_paced_recorded_and_redacted() -> None:
    clock = FakeClock()
    throttle = Throttle(Rate(1, 10), clock=clock)
    with (
        opened(Partner(), credentials(clock), clock=clock, throttle=throttle) as client,
        client.recorder.recording() as exchanges,
    ):
        client.get("https://api.test/v1")
        assert client.redactor.text(f"{SECRET}, token-1") == "<redacted>, <redacted>"
    assert clock.slept == pytest.approx([10.01])
    token, call = (exchange.to_json() for exchange in exchanges)
    assert token["request"]["body"] == (
        "grant_type=client_credentials&client_id=app-1&client_secret=<redacted>"
    )
    assert token["response"]["body"]["access_token"] == "<redacted>"
    assert call["request"]["headers"]["authorization"] == "<redacted>"


def test_one_flow_may_serve_several_clients() -> None:
    """The second client redacts the token that the first one fetched."""
    auth, partner = credentials(), Partner()
    with opened(partner, auth) as one:
        one.get("https://api.test/v1")
        with opened(partner, auth) as other:
            other.get("https://api.test/v1")
            assert other.redactor.text("token-1") == "<redacted>"
    assert len(partner.asked) == 1


class Gate:
    """Stands in for a flow's lock and tells when enough have come to it."""

    def __init__(self, awaited: int) -> None:
        self._lock = threading.Lock()
        self._come = threading.Semaphore(0)
        self._awaited = awaited

    def __enter__(self) -> None:
        self._come.release()
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def wait(self) -> None:
        """Return when all who are awaited are inside or before the lock."""
        assert all(self._come.acquire(timeout=10) for _ in range(self._awaited))


def together(auth: OAuthClientCredentials, partner: Partner, work: Callable[[], object]) -> None:
    """Do *work* in eight threads, all of which have come for a token before one is given."""
    gate = Gate(8)
    auth._lock = gate  # type: ignore[assignment]
    partner.before_token = gate.wait
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    partner.before_token = lambda: None


def test_concurrent_requests_share_one_token() -> None:
    """While one request fetches the token, seven others wait for the same."""
    auth, partner = credentials(), Partner()
    with opened(partner, auth) as client:
        together(auth, partner, lambda: client.get("https://api.test/v1"))
    assert (len(partner.asked), partner.served) == (1, ["token-1"] * 8)


def test_concurrent_refusals_share_one_renewal() -> None:
    """All eight are refused before the first of them renews; one renewal serves all."""
    auth, partner = credentials(), Partner()
    with opened(partner, auth) as client:
        client.get("https://api.test/v1")
        partner.valid = "another"
        together(auth, partner, lambda: client.get("https://api.test/v1"))
    assert len(partner.asked) == 2
    assert partner.served == ["token-1"] * 9 + ["token-2"] * 8


@pytest.mark.parametrize(
    ("failed", "kind", "texts"),
    [
        (
            httpx.Response(401, json={"error": "invalid_client"}),
            InvalidAuthenticationError,
            {"`POST api.test/oauth2/token` answered 401 Unauthorized (invalid_client)."},
        ),
        (
            httpx.ConnectError(""),
            RetryableError,
            {
                "`POST api.test/oauth2/token` could not be reached.",
                "`POST api.test/oauth2/token` got no answer, on behalf of several requests.",
            },
        ),
    ],
)
def test_those_who_wait_share_the_failure(
    failed: httpx.Response | Exception, kind: type[IntegrationError], texts: set[str]
) -> None:
    """One bad answer ends all requests that waited for it; later ones ask anew."""
    auth, partner = credentials(), Partner(failed)
    errors: list[IntegrationError] = []
    with opened(partner, auth, retry=Retry.never()) as client:

        def work() -> None:
            with pytest.raises(kind) as caught:
                client.get("https://api.test/v1")
            errors.append(caught.value)

        together(auth, partner, work)
        assert client.get("https://api.test/v1").status_code == 200
    assert {str(error) for error in errors} == texts
    assert len({id(error) for error in errors}) == 8
    assert len(partner.asked) == 2


def refreshing(**options: Any) -> OAuthRefreshToken:
    return OAuthRefreshToken(TOKEN_URL, "app-1", SECRET, "refresh-0", clock=FakeClock(), **options)


def test_a_refresh_token_is_exchanged_and_follows_its_rotation() -> None:
    rotated: list[str] = []
    partner = Partner(refresh_token="refresh-1")
    with opened(partner, refreshing(rotated=rotated.append, scope="all")) as client:
        client.get("https://api.test/v1")
        partner.valid = "another"
        client.get("https://api.test/v1")
        shown = client.redactor.text("refresh-0 refresh-1")
    assert [form(asked)["refresh_token"] for asked in partner.asked] == ["refresh-0", "refresh-1"]
    assert form(partner.asked[0]) == {
        "grant_type": "refresh_token",
        "refresh_token": "refresh-0",
        "scope": "all",
        "client_id": "app-1",
        "client_secret": SECRET,
    }
    assert rotated == ["refresh-1"]
    assert shown == "<redacted> <redacted>"


@pytest.mark.parametrize("answer", [None, ""])
def test_a_refresh_token_that_is_not_replaced_stays(answer: object) -> None:
    partner = Partner(refresh_token=answer)
    with opened(partner, refreshing()) as client:
        client.get("https://api.test/v1")
        partner.valid = "another"
        client.get("https://api.test/v1")
    assert [form(asked)["refresh_token"] for asked in partner.asked] == ["refresh-0"] * 2


def test_a_refresh_token_is_not_spent_twice_after_a_doubtful_answer() -> None:
    """Whether the endpoint has already replaced it cannot be known."""
    partner = Partner(httpx.ReadTimeout(""))
    with opened(partner, refreshing()) as client, pytest.raises(RetryableError):
        client.get("https://api.test/v1")
    assert len(partner.asked) == 1


def test_a_dry_run_needs_no_credentials() -> None:
    transport = DryRun()
    with opened(transport, credentials()) as client:
        client.get("https://api.test/v1")
    assert transport.requests[1].headers["authorization"] == "Bearer dry-run"
