"""Failures of the connection stop a run with everything open; failures of events do not."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.definition import Action, Settings, Subscription, field
from framework.delivery import OAuthClientCredentials, Retry, connect, dispatch
from framework.errors import APIError, ErrorDescription
from framework.events import EventFile
from framework.relay import Summary, run_file
from framework.results import Failed
from tests.framework.delivery.bench import Message, plugin
from tests.framework.delivery.clocks import FakeClock

HOST = "https://partner.test"
TOKEN = f"{HOST}/token"
Answer = Callable[[httpx.Request], httpx.Response]
POST = Action(slug="post", title="Post", trigger='type = "track"', payload=Message)


class Place(Settings):
    """Where to send, and with which secret."""

    url: str = field("URL")
    key: str = field("Key", secret=True)


def post(client: httpx.Client, settings: Place, payload: Message) -> httpx.Response:
    return client.post(f"{settings.url}{payload.room or ''}", json={"text": payload.text})


def signed(settings: Place) -> httpx.Auth:
    return OAuthClientCredentials(TOKEN, "app", settings.key)


@pytest.fixture
def events(tmp_path: Path) -> Path:
    return written(tmp_path)


def written(folder: Path, room: str = "") -> Path:
    path = folder / "events.ndjson"
    lines = [
        {"type": "track", "event": text, "properties": {"room": room} if room else {}}
        for text in ("one", "two", "three")
    ]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


def delivered(
    events: Path, answer: Answer, hooks: Mapping[str, Any] | None = None, **options: Any
) -> Summary:
    """Run over *events* with a checkpoint; *answer* responds to every request."""
    url = options.pop("url", f"{HOST}/v1/send")
    settings, stopping = {"url": url, "key": "s3cret"}, options.pop("stopping", lambda: False)
    threads = options.pop("threads", 0)
    opened = plugin(POST, **{"settings": lambda: Place, "perform": post, **(hooks or {})})
    options = {"retry": Retry(attempts=2), "clock": FakeClock(), **options}
    with (
        connect(
            opened,
            settings,
            [Subscription(action="post", name="Post")],
            transport=httpx.MockTransport(answer),
            **options,
        ) as connection,
        EventFile(events) as source,
    ):
        checkpoint = events.with_name("checkpoint")
        return run_file(
            connection, source, checkpoint=checkpoint, stopping=stopping, threads=threads
        )


def twice(events: Path, answer: Answer, hooks: Mapping[str, Any] | None = None) -> tuple[str, int]:
    """Run, then run again while all is well; return why the first stopped, and what it failed."""
    first = delivered(events, answer, hooks)
    second = delivered(events, well, hooks)
    assert second.finished
    assert second.outcomes["delivered"] == 3 - first.outcomes["failed"]
    return first.stopped, first.outcomes["failed"]


def well(request: httpx.Request) -> httpx.Response:
    if request.url.path == "/token":
        return httpx.Response(200, json={"access_token": "t0ken", "expires_in": 900})
    return httpx.Response(200)


REFUSED = {301, 302, 303, 307, 308, 401, 402, 403, 407}
OUTAGES = {408, 423, 429, 500, 502, 503, 504, 599}
OF_ADDRESS = {404, 405, 410, 501}
OTHERS = {400, 406, 409, 411, 413, 415, 422, 451, 499}


@pytest.mark.parametrize("status", sorted(REFUSED | OUTAGES | OF_ADDRESS | OTHERS))
@pytest.mark.parametrize("room", ["", "/7"])
@pytest.mark.parametrize("body", [{"text": ""}, {"html": "<h1>"}, {"json": {"code": "NO"}}])
def test_status_and_address_decide(
    tmp_path: Path, status: int, room: str, body: dict[str, Any]
) -> None:
    """The address of a setting is the same for all events; one with an ID may be gone alone."""
    stopped = "unavailable" if status in OUTAGES else ""
    if status in REFUSED or (status in OF_ADDRESS and not room):
        stopped = "refused"
    events = written(tmp_path, room)
    found = twice(events, lambda _: httpx.Response(status, **body))
    assert found == (stopped, 0 if stopped else 3)


@pytest.mark.parametrize(
    ("url", "target", "stopped"),
    [
        (HOST, "/", "refused"),
        (f"{HOST}/hooks/1?key=a", "", "refused"),
        (f"{HOST}/hooks/", "", "refused"),
        (f"{HOST}/hooks", "/people", ""),
    ],
)
def test_an_address_is_compared_without_its_query(
    tmp_path: Path, url: str, target: str, stopped: str
) -> None:
    events = written(tmp_path, target)
    assert delivered(events, lambda _: httpx.Response(410), url=url).stopped == stopped


@pytest.mark.parametrize("status", sorted(REFUSED | OUTAGES | OF_ADDRESS | OTHERS))
def test_every_failure_of_a_token_request_stops_the_run(events: Path, status: int) -> None:
    found = twice(events, token(httpx.Response(status)), {"auth": signed})
    assert found == ("unavailable" if status in OUTAGES else "refused", 0)


def token(answer: httpx.Response | Exception) -> Answer:
    def respond(request: httpx.Request) -> httpx.Response:
        if request.url.path != "/token":
            return httpx.Response(200)
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(
            answer.status_code, content=answer.content, headers=answer.headers.raw
        )

    return respond


@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError("no"),
        httpx.ReadTimeout("late"),
        httpx.RemoteProtocolError("odd"),
        httpx.ReadError("cut"),
    ],
)
def test_a_token_that_does_not_come_is_an_outage(events: Path, error: Exception) -> None:
    assert twice(events, token(error), {"auth": signed}) == ("unavailable", 0)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
ANSWERS = st.one_of(
    st.fixed_dictionaries(
        {},
        optional={
            "access_token": JSON | st.just("t0ken"),
            "expires_in": JSON | st.sampled_from([900, "900", -1, 0, 1e308, 10**400, "NaN"]),
            "error": JSON | st.sampled_from(["invalid_client", "temporarily_unavailable"]),
            "token_type": JSON,
            "refresh_token": JSON,
        },
    ).map(lambda found: json.dumps(found).encode()),
    JSON.map(lambda found: json.dumps(found).encode()),
    st.binary(max_size=60),
    st.sampled_from([b"[" * 100_000, b"<html>", b"", b"null", b'{"access_token": NaN}', b"\xff"]),
)


@given(ANSWERS, st.sampled_from([200, 200, 200, 201, 204, 400]))
def test_whatever_a_token_endpoint_answers_burns_no_event(
    tmp_path_factory: pytest.TempPathFactory, body: bytes, status: int
) -> None:
    """A token that can be used is used; every other answer stops the run."""
    usable = ""
    if status < 300:
        try:
            found = json.loads(body)
            usable = found["access_token"] if isinstance(found, dict) else ""
        except (ValueError, KeyError, RecursionError):
            usable = ""
    is_token = isinstance(usable, str) and usable.isascii() and usable.isprintable()
    expected = "" if is_token and usable and " " not in usable else "refused"
    busy = b"temporarily_unavailable" in body or (status < 300 and body.lstrip()[:1] == b"<")
    if busy and expected:
        expected = "unavailable"
    events = written(tmp_path_factory.mktemp("token"))
    response = httpx.Response(status, content=body)
    assert twice(events, token(response), {"auth": signed}) == (expected, 0)


def test_a_withdrawn_token_is_renewed_once_and_then_stops_the_run(events: Path) -> None:
    asked = []

    def respond(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return well(request) if request.url.path == "/token" else httpx.Response(401)

    assert twice(events, respond, {"auth": signed}) == ("refused", 0)
    assert asked == ["/token", "/v1/send", "/token", "/v1/send"]


@pytest.mark.parametrize(
    ("described", "stopped", "failed"),
    [
        (ErrorDescription("NO", "No.", "connection"), "refused", 0),
        (ErrorDescription(scope="connection"), "refused", 0),
        (ErrorDescription("NO", "No."), "", 3),
        (("NO", "No."), "", 3),
        (None, "", 3),
        (("NO", "No.", "everything"), "", 3),
        (7, "", 3),
    ],
)
def test_the_destination_says_what_its_errors_concern(
    events: Path, described: Any, stopped: str, failed: int
) -> None:
    hooks = {"describe_error": lambda: described}
    assert twice(events, lambda _: httpx.Response(422), hooks) == (stopped, failed)


def test_the_destination_can_say_that_a_refusal_concerns_an_event(events: Path) -> None:
    hooks = {"describe_error": lambda: ErrorDescription("OWNER", "Not yours.", "event")}
    assert twice(events, lambda _: httpx.Response(403), hooks) == ("", 3)


@pytest.mark.parametrize(
    ("error", "stopped", "failed"),
    [
        (APIError("No.", "NO", 403), "", 3),
        (APIError("No.", "NO", 403, scope="connection"), "refused", 0),
    ],
)
def test_an_error_can_be_raised_for_the_connection(
    events: Path, error: APIError, stopped: str, failed: int
) -> None:
    calls = []

    def perform() -> None:
        calls.append(1)
        if len(calls) <= 3 - 2 * bool(stopped):
            raise error

    assert twice(events, well, {"perform": perform}) == (stopped, failed)


@pytest.mark.parametrize("code", ["INTERNAL_ERROR", "RESULT_COUNT", "RESULT_TYPE"])
def test_a_code_of_the_partner_is_no_bug_of_the_plugin(events: Path, code: str) -> None:
    """A partner that calls its outage like our bug burns nothing."""
    answer = httpx.Response(500, json={"code": code})
    assert twice(events, lambda _: answer) == ("unavailable", 0)
    failed = Failed(500, code, "A bug.")
    assert delivered(written(events.parent), well, {"perform": lambda: failed}).stopped == ""


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(200, content=b"[" * 100_000, headers={"content-type": "application/json"}),
        httpx.Response(200, content=b"{", headers={"content-type": "application/json"}),
        httpx.Response(202, content=b"\xff\xfe", headers={"content-type": "text/x; charset=no"}),
        httpx.Response(200, content=b'{"n": NaN, "s": "\\ud800"}'),
        httpx.Response(299, content=b"9" * 10_000),
        httpx.Response(204),
    ],
)
def test_what_a_success_says_wrongly_changes_nothing(
    events: Path, response: httpx.Response
) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(response.status_code, content=response.content)

    assert delivered(events, answer).outcomes == {"delivered": 3}


class Stop:
    """A stop request after a number of requests, on a clock that runs only in waits."""

    def __init__(self, after: int) -> None:
        self.left = after
        self.clock = FakeClock()

    def answer(self, status: int, **headers: str) -> Answer:
        def respond(_: httpx.Request) -> httpx.Response:
            self.left -= 1
            return httpx.Response(status, headers=headers)

        return respond

    def __call__(self) -> bool:
        return self.left <= 0


@pytest.fixture
def stop() -> Stop:
    return Stop(2)


@pytest.mark.parametrize("headers", [{}, {"retry-after": "40"}])
@pytest.mark.parametrize("status", [429, 503])
def test_a_stop_request_ends_retries(
    events: Path, stop: Stop, status: int, headers: dict[str, str]
) -> None:
    """No further attempt starts, and no pause is sat out."""
    options = {"stopping": stop, "clock": stop.clock, "retry": Retry(attempts=9, total=900)}
    hooks = {"perform": lambda client: client.put(HOST, json={})}
    summary = delivered(events, stop.answer(status, **headers), hooks, **options)
    assert summary.stopped == "interrupted"
    assert stop.left == 0
    assert stop.clock.slept[-1:] <= [0.25]
    assert summary.outcomes == {}
    assert delivered(events, well).outcomes == {"delivered": 3}


def test_a_stop_request_ends_a_pause_at_once(events: Path) -> None:
    """On the system's clock, while nothing else happens."""
    asked = time.monotonic() + 0.3
    started = time.monotonic()
    summary = delivered(
        events,
        lambda _: httpx.Response(503, headers={"retry-after": "40"}),
        {"perform": lambda client: client.put(HOST, json={})},
        clock=None,
        stopping=lambda: time.monotonic() > asked,
    )
    assert summary.stopped == "interrupted"
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("threads", [0, 2])
def test_a_call_under_way_gets_some_seconds_after_a_stop_request(
    events: Path, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    """Then it is left alone, and its event stays open."""
    monkeypatch.setattr(dispatch, "UNDER_WAY", 0.5)
    entered, leave = threading.Event(), threading.Event()

    def perform() -> None:
        entered.set()
        leave.wait(30)

    started = time.monotonic()
    options = {"stopping": entered.is_set, "threads": threads}
    summary = delivered(events, well, {"perform": perform}, **options)
    assert (summary.stopped, summary.outcomes) == ("interrupted", {})
    assert 0.5 <= time.monotonic() - started < 5
    leave.set()
    assert delivered(events, well).outcomes == {"delivered": 3}
