"""Connections with the same credentials share a token, which outlives processes."""

from __future__ import annotations

import itertools
import json
import stat
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import pytest

from framework.delivery import KeptTokens, OAuthClientCredentials, OAuthRefreshToken, Retry
from framework.delivery.client import Client
from framework.delivery.kept_tokens import KeptToken
from framework.errors import IntegrationError, RetryableError, StorageError, StoreFullError
from framework.relay import SQLiteStore
from framework.sandbox import Server
from framework.state_store import StateStore
from tests.framework.delivery.clocks import STARTED, FakeClock
from tests.framework.delivery.test_auth import SECRET, TOKEN_URL, Partner, form

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

ROOT = Path(__file__).parents[3]
API = "https://api.test/v1"
MINUTES = 60.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.db"


@pytest.fixture
def state(path: Path) -> Iterator[StateStore]:
    with SQLiteStore(path) as store:
        yield store.state


class MovedClock(FakeClock):
    """A clock whose wall time is set *ahead* of the right one."""

    def __init__(self, reading: float = 1000.0, ahead: float = 0.0) -> None:
        super().__init__()
        self.reading = reading
        self.ahead = ahead

    def time(self) -> float:
        return super().time() + self.ahead


def app(
    clock: FakeClock | None = None, secret: str = SECRET, **more: Any
) -> OAuthClientCredentials:
    return OAuthClientCredentials(TOKEN_URL, "app-1", secret, clock=clock or FakeClock(), **more)


def user(number: int = 0, **more: Any) -> OAuthRefreshToken:
    fresh = f"refresh-{number}"
    return OAuthRefreshToken(TOKEN_URL, "app-1", SECRET, fresh, clock=FakeClock(), **more)


def opened(state: StateStore, partner: httpx.BaseTransport, auth: Any, sent_to: str = "") -> Client:
    """Return a client with kept tokens, as another process would open it."""
    auth.keep_in(KeptTokens(state, sent_to))
    return Client(transport=partner, auth=auth, retry=Retry.never(), clock=FakeClock())


def call(state: StateStore, partner: httpx.BaseTransport, auth: Any, sent_to: str = "") -> None:
    with opened(state, partner, auth, sent_to) as client:
        client.get(API)


def test_a_token_is_kept_over_restarts(path: Path) -> None:
    partner = Partner()
    for _ in range(3):
        with SQLiteStore(path) as store:
            call(store.state, partner, app())
            assert {stat.S_IMODE(one.stat().st_mode) for one in path.parent.glob("*.db*")} <= {
                0o600,
                0o700,
            }
    assert (len(partner.asked), partner.served) == (1, ["token-1"] * 3)


@pytest.mark.parametrize(
    ("other", "sent_to"),
    [
        (lambda: app(secret="changed-secret"), ""),
        (lambda: app(scope="all"), ""),
        (lambda: OAuthClientCredentials(TOKEN_URL, "app-2", SECRET, clock=FakeClock()), ""),
        (lambda: OAuthClientCredentials(f"{TOKEN_URL}?", "app-1", SECRET, clock=FakeClock()), ""),
        (user, ""),
        (app, "another partner"),
    ],
    ids=["secret", "scope", "client", "address", "grant", "sent to"],
)
def test_other_credentials_have_a_token_of_their_own(
    state: StateStore, other: Any, sent_to: str
) -> None:
    partner = Partner()
    call(state, partner, app())
    call(state, partner, other(), sent_to)
    assert partner.served == ["token-1", "token-2"]
    partner.valid = "token-1"
    call(state, partner, app())
    assert partner.served[2:] == ["token-1"]


def test_a_token_is_stored_before_it_is_used(state: StateStore) -> None:
    """At its first use, another process finds it in the store."""
    partner = Partner()
    other = Partner()

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1":
            other.valid = partner.valid
            call(state, other, app())
        return partner.answer(request)

    call(state, httpx.MockTransport(answer), app())
    assert (other.asked, other.served) == ([], ["token-1"])


class Full:
    """A state store whose disk is full for the next *times* writes."""

    def __init__(self, state: StateStore, times: int) -> None:
        self._state = state
        self.times = times

    def put(self, kind: str, key: str, value: Any) -> None:
        if self.times:
            self.times -= 1
            raise StoreFullError("its disk is full")
        self._state.put(kind, key, value)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._state, name)


def test_a_token_that_cannot_be_stored_is_not_used_and_not_lost(state: StateStore) -> None:
    """A refresh token may serve only once: its successor is stored when the disk has room."""
    partner = Partner(refresh_token="refresh-1")
    full: Any = Full(state, times=2)
    with opened(full, partner, user()) as client:
        for _ in range(2):
            with pytest.raises(StorageError):
                client.get(API)
        assert partner.served == []
        client.get(API)
    assert (len(partner.asked), partner.served) == (1, ["token-1"])
    partner.valid = "another"
    call(state, partner, user())
    assert form(partner.asked[1])["refresh_token"] == "refresh-1"


@pytest.mark.parametrize(
    ("elapsed", "ahead", "asked"),
    [
        (13 * MINUTES, 0.0, 1),
        (14 * MINUTES + 1, 0.0, 2),
        (16 * MINUTES, 0.0, 2),
        (1 * MINUTES, -10 * MINUTES, 2),  # it seems to expire later than any token can
        (13 * MINUTES, -10 * MINUTES, 1),
        (1 * MINUTES, 10 * MINUTES, 1),
        (6 * MINUTES, 10 * MINUTES, 2),
        (1 * MINUTES, -1e9, 2),
        (1 * MINUTES, 1e9, 2),
    ],
)
def test_a_kept_token_is_used_within_its_lifetime(
    state: StateStore, elapsed: float, ahead: float, asked: int
) -> None:
    """A token lives for 15 minutes; the clock may be set *ahead* or back before a restart."""
    partner = Partner()
    call(state, partner, app())
    call(state, partner, app(MovedClock(1000 + elapsed, ahead)))
    assert len(partner.asked) == asked
    call(state, partner, app(MovedClock(1000 + elapsed + 1, ahead)))
    assert len(partner.asked) == asked
    assert partner.served[-1] == f"token-{asked}"


def test_a_token_that_expired_behind_a_wrong_clock_is_renewed_by_its_refusal(
    state: StateStore,
) -> None:
    partner = Partner()
    call(state, partner, app())
    partner.valid = None
    call(state, partner, app(MovedClock(1000 + 16 * MINUTES, -10 * MINUTES)))
    assert partner.served == ["token-1", "token-1", "token-2"]


def test_a_loaded_token_is_renewed_before_it_expires(state: StateStore) -> None:
    """Also by a process whose clock of readings began later."""
    partner, clock = Partner(), MovedClock(reading=5.0, ahead=995 + 10 * MINUTES)
    call(state, partner, app())
    with opened(state, partner, app(clock)) as client:
        client.get(API)
        clock.reading += 4 * MINUTES - 1
        client.get(API)
        clock.reading += 2
        client.get(API)
    assert partner.served == ["token-1", "token-1", "token-1", "token-2"]


@pytest.mark.parametrize("expires_in", [None, "soon", "1e400"])
def test_a_token_without_an_end_is_kept_until_it_is_refused(
    state: StateStore, expires_in: object
) -> None:
    partner = Partner(expires_in=expires_in)
    call(state, partner, app())
    call(state, partner, app(MovedClock(ahead=1e9)))
    assert len(partner.asked) == 1
    partner.valid = None
    call(state, partner, app())
    call(state, partner, app())
    assert partner.served == ["token-1"] * 3 + ["token-2"] * 2


DAMAGED: list[bytes | str | int] = [
    b"",
    b"\xff\x00{",
    b'{"access_token": "token-0", "ask',
    b"[" * 100_000,
    b"null",
    b"[]",
    b'"token-0"',
    b'{"access_token": 7, "asked": 1800000000.0, "life": 900.0}',
    b'{"access_token": "token-0"}',
    b'{"access_token": "token 0", "asked": 1800000000.0, "life": 900.0}',
    b'{"access_token": "to\\nken", "asked": 1800000000.0, "life": 900.0}',
    b'{"access_token": "", "asked": 1800000000.0, "life": 900.0}',
    b'{"access_token": "token-0", "asked": "now", "life": 900.0}',
    b'{"access_token": "token-0", "asked": 1800000000.0, "life": []}',
    b'{"access_token": "token-0", "asked": 1800000000.0, "refresh_token": 7}',
    b'{"access_token": "token-0", "asked": 1' + b"0" * 400 + b', "life": 900.0}',
    "{",
    7,
]


@pytest.mark.parametrize("value", DAMAGED)
def test_a_damaged_entry_counts_as_empty(path: Path, value: bytes | str | int) -> None:
    partner = Partner()
    with SQLiteStore(path) as store:
        call(store.state, partner, app())
        store._writer.run(
            lambda database: database.execute("update state set value = ?", (value,)) and None
        )
        call(store.state, partner, app())
        call(store.state, partner, app())
    assert partner.served == ["token-1", "token-2", "token-2"]


def test_what_is_read_from_the_store_is_redacted(state: StateStore) -> None:
    """Also a token that has expired, and a refresh token."""
    partner = Partner(refresh_token="refresh-1")
    call(state, partner, user())
    partner.refusals.append(httpx.Response(503, text="no token-1 for refresh-1"))
    late = OAuthRefreshToken(TOKEN_URL, "app-1", SECRET, "refresh-0", clock=MovedClock(9000))
    with opened(state, partner, late) as client:
        with pytest.raises(RetryableError):
            client.get(API)
        assert client.redactor.text("token-1 refresh-0 refresh-1") == " ".join(["<redacted>"] * 3)


def test_a_kept_token_is_shown_nowhere(path: Path) -> None:
    """Its key is a digest, and it hides its secrets when printed."""
    with SQLiteStore(path) as store:
        call(store.state, Partner(), user())
        with store._reader("read") as database:
            ((kind, key, value),) = database.execute("select kind, key, value from state")
    assert kind == "token"
    assert len(bytes.fromhex(key)) == 32
    found = msgspec.json.decode(value)
    assert found == {
        "access_token": "token-1", "asked": STARTED, "life": 900.0, "refresh_token": "refresh-0",
    }  # fmt: skip
    assert repr(KeptToken(**found)) == f"KeptToken(asked={STARTED}, life=900.0)"


def test_a_replaced_refresh_token_is_used_after_a_restart(state: StateStore) -> None:
    """Until another one is configured, which wins."""
    partner = Partner(refresh_token="refresh-1")
    call(state, partner, user())
    partner.valid, partner.extra["refresh_token"] = "another", None  # not replaced again
    call(state, partner, user())
    partner.valid = "yet another"
    call(state, partner, user())
    call(state, partner, user(9))
    refreshed = [form(asked)["refresh_token"] for asked in partner.asked]
    assert refreshed == ["refresh-0", "refresh-1", "refresh-1", "refresh-9"]


def test_a_configured_access_token_serves_until_it_was_renewed(state: StateStore) -> None:
    partner = Partner()
    partner.valid = "given-0"
    call(state, partner, user(access_token="given-0"))
    partner.valid = None
    call(state, partner, user(access_token="given-0"))
    call(state, partner, user(access_token="given-0"))
    assert partner.served == ["given-0", "given-0", "token-1", "token-1"]
    partner.valid = "given-1"
    call(state, partner, user(access_token="given-1"))
    assert partner.served[4:] == ["given-1"]


def test_a_configured_access_token_is_redacted(state: StateStore) -> None:
    with opened(state, Partner(), user(access_token="given-0")) as client:
        assert client.redactor.text("given-0") == "<redacted>"


class Tenant(OAuthClientCredentials):
    """Credentials of an author's own, whose tokens differ in what is not known here."""


def test_other_kinds_of_credentials_keep_their_tokens_to_themselves(state: StateStore) -> None:
    partner = Partner()
    for _ in range(2):
        call(state, partner, Tenant(TOKEN_URL, "app-1", SECRET, clock=FakeClock()))
    assert partner.served == ["token-1", "token-2"]


# At once


def in_both(work: Any) -> None:
    """Do *work* for 0 and 1 in threads of their own; raises what they raise."""
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, range(2)))


def test_two_connections_request_one_token_at_once(state: StateStore) -> None:
    """Both have found the store empty before either requests a token."""
    partner, found, readings = Partner(), threading.Barrier(2), itertools.count()

    class Met(Full):
        def get(self, kind: str, key: str) -> Any:
            value = self._state.get(kind, key)
            if next(readings) < 2:
                found.wait(10)
            return value

    met: Any = Met(state, 0)
    in_both(lambda _: call(met, partner, app()))
    assert (len(partner.asked), partner.served) == (1, ["token-1"] * 2)


def test_a_token_that_both_were_refused_is_renewed_once(state: StateStore) -> None:
    partner, refused = Partner(), threading.Barrier(2)

    def answer(request: httpx.Request) -> httpx.Response:
        response = partner.answer(request)
        if response.status_code == 401:
            refused.wait(10)
        return response

    transport = httpx.MockTransport(answer)
    clients = [opened(state, transport, app()) for _ in range(2)]
    for client in clients:
        client.get(API)
    partner.valid = "another"
    in_both(lambda one: clients[one].get(API))
    assert len(partner.asked) == 2
    assert partner.served == ["token-1"] * 4 + ["token-2"] * 2


def test_a_token_refused_in_a_result_is_renewed_once(state: StateStore) -> None:
    """A partner may say 401 in a successful response; whoever calls forgets the token."""
    partner = Partner()
    auths = [app(), app()]
    clients = [opened(state, partner, auth) for auth in auths]
    for client in clients:
        client.get(API)
    for auth, client in zip(auths, clients, strict=True):
        assert auth.forget(auth.renewals)
        client.get(API)
    assert partner.served == ["token-1", "token-1", "token-2", "token-2"]


@pytest.mark.parametrize("failed", [httpx.Response(503), httpx.ConnectError("")])
def test_a_renewal_that_fails_lets_others_try(
    state: StateStore, failed: httpx.Response | Exception
) -> None:
    partner = Partner(failed)
    with opened(state, partner, app()) as client, pytest.raises(IntegrationError):
        client.get(API)
    call(state, partner, app())
    assert partner.served == ["token-2"]


class Slow:
    """A partner that gives a token when both processes are about to call."""

    def __init__(self) -> None:
        self.tokens = 0
        self.served: list[str] = []
        self._begun = threading.Semaphore(0)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body: dict[str, Any] = {}
        if environ["PATH_INFO"] == "/begin":
            self._begun.release()
        elif environ["PATH_INFO"] == "/token":
            environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            self.tokens += 1
            if self.tokens == 1:
                assert all(self._begun.acquire(timeout=30) for _ in range(2))
            body = {"access_token": f"token-{self.tokens}", "expires_in": 900}
        else:
            self.served.append(environ["HTTP_AUTHORIZATION"])
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(body).encode()]


PROCESS = """
import sys
import httpx
from framework.delivery import KeptTokens, OAuthClientCredentials
from framework.delivery.client import Client
from framework.relay import SQLiteStore

path, url = sys.argv[1:]
with SQLiteStore(path) as store:
    auth = OAuthClientCredentials(f"{url}/token", "app-1", "s3cret-0123")
    auth.keep_in(KeptTokens(store.state))
    with Client(auth=auth) as client:
        httpx.get(f"{url}/begin", trust_env=False)
        client.get(f"{url}/v1")
"""


def test_two_processes_request_one_token_at_once(path: Path) -> None:
    partner = Slow()
    with Server(partner) as server:
        line = [sys.executable, "-c", PROCESS, str(path), server.url]
        processes = [
            subprocess.Popen(line, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(2)
        ]
        ended = [(one.communicate(timeout=60)[1], one.returncode) for one in processes]
    assert ended == [("", 0)] * 2
    assert (partner.tokens, partner.served) == (1, ["Bearer token-1"] * 2)
