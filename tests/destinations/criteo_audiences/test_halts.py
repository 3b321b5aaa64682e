"""A refusal of the connection stops a run and leaves every event open; others fail their events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from destinations.criteo_audiences.sandbox import CriteoSandbox
from framework.sandbox import FrozenClock, SandboxTransport
from tests.deliveries import event, members_of, opened, run, write

PEOPLE = {"ada@example.com", "bob@example.com", "eve@example.com"}
PLACES = {
    "token": "/oauth2/token",
    "search": "/audience-segments/search",
    "create": "/audience-segments/create",
    "amend": "/contact-list",
}
REDIRECTS = {301, 302, 303, 307, 308}
OUTAGES = {408, 423, 429, 500, 502, 503, 504, 529}
ACCESS = {401, 402, 403, 405, 406, 407, 410, 415, 501} | REDIRECTS
STATUSES = sorted({400, 404, 409, 413, 414, 422, 426, 451} | OUTAGES | ACCESS)


def problem(code: str, kind: str = "validation") -> str:
    return json.dumps({"errors": [{"traceId": "t1", "type": kind, "code": code, "title": "No."}]})


BODIES = {
    "empty": "",
    "page": "<html><title>Sorry</title></html>",
    "problem": problem("not-known-here"),
    "odd": '{"errors": "none", "data": [7]}',
    "OAuth": '{"error": "no_such_thing"}',
    "number": "12",
    "garbage": "\x00\xff{",
}


class Broken(httpx.BaseTransport):
    """The sandbox, of which one place answers every request with the same response."""

    def __init__(self, criteo: CriteoSandbox, place: str, status: int, body: str) -> None:
        self._transport = SandboxTransport(criteo)
        self._path, self._status, self._body = PLACES[place], status, body

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith(self._path):
            return httpx.Response(self._status, text=self._body)
        return self._transport.handle_request(request)


@pytest.fixture
def criteo() -> CriteoSandbox:
    return CriteoSandbox(clock=FrozenClock())


@pytest.fixture
def events(tmp_path: Path) -> Path:
    return write(tmp_path / "events.ndjson", map(event, sorted(PEOPLE)))


def runs(
    criteo: CriteoSandbox, events: Path, broken: httpx.BaseTransport, **mapping: Any
) -> tuple[str, int, int]:
    """Run twice, the second time with a partner that works.

    Return why the first run stopped, how many events it failed, and how many were delivered.
    """
    checkpoint = events.with_name("checkpoint")
    with opened(criteo, broken, **mapping) as connection:
        first = run(connection, events, checkpoint=checkpoint)
    with opened(criteo, **mapping) as connection:
        second = run(connection, events, checkpoint=checkpoint)
    assert second.finished
    delivered = second.outcomes["delivered"]
    assert len(PEOPLE & members_of(criteo).get("spring", set())) == delivered
    return first.stopped, first.outcomes["failed"], delivered


def expected(place: str, status: int) -> str:
    if status in OUTAGES:
        return "unavailable"
    if place in {"token", "search"} or status in ACCESS:
        return "refused"
    return "refused" if (place, status) == ("create", 404) else ""


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("place", PLACES)
def test_status_and_place_decide(
    criteo: CriteoSandbox, events: Path, place: str, status: int
) -> None:
    """Whatever the body: what concerns the connection never burns an event."""
    for number, body in enumerate(BODIES.values()):
        criteo.reset()
        copy = events.with_name(f"{number}")
        copy.mkdir()
        copied = write(copy / "events.ndjson", map(event, sorted(PEOPLE)))
        found = runs(criteo, copied, Broken(criteo, place, status, body))
        stopped = expected(place, status)
        assert found == (stopped, 0 if stopped else 3, 3 if stopped else 0), body


@pytest.mark.parametrize("place", ["create", "amend"])
@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("insufficient-advertiser-permissions", "authorization"),
        ("anything", "access-control"),
        ("anything", "authentication"),
    ],
)
@pytest.mark.parametrize("status", [200, 400, 403, 422])
def test_a_problem_of_access_concerns_the_connection(
    criteo: CriteoSandbox, events: Path, place: str, code: str, kind: str, status: int
) -> None:
    found = runs(criteo, events, Broken(criteo, place, status, problem(code, kind)))
    assert found == ("refused", 0, 3)


@pytest.mark.parametrize(("kind", "place"), [("quota", "create"), ("availability", "amend")])
def test_a_problem_that_passes_is_an_outage(
    criteo: CriteoSandbox, events: Path, kind: str, place: str
) -> None:
    found = runs(criteo, events, Broken(criteo, place, 200, problem("anything", kind)))
    assert found == ("unavailable", 0, 3)


@pytest.mark.parametrize("code", ["audience-invalid", "segment-not-found"])
@pytest.mark.parametrize("status", [200, 400, 403, 404])
def test_a_problem_with_a_list_concerns_its_events(
    criteo: CriteoSandbox, events: Path, code: str, status: int
) -> None:
    found = runs(criteo, events, Broken(criteo, "amend", status, problem(code)))
    assert found == ("", 3, 0)


def test_a_search_refused_with_a_success_concerns_the_connection(
    criteo: CriteoSandbox, events: Path
) -> None:
    assert runs(criteo, events, Broken(criteo, "search", 200, problem("anything"))) == (
        "refused",
        0,
        3,
    )


class Gone(httpx.BaseTransport):
    """A partner whose whole API answers with the same refusal, except for tokens."""

    def __init__(self, criteo: CriteoSandbox, status: int, body: str, after: int = 0) -> None:
        self._transport = SandboxTransport(criteo)
        self._answer = status, body
        self._left = after

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == PLACES["token"]:
            return self._transport.handle_request(request)
        self._left -= 1
        if self._left >= 0:
            return self._transport.handle_request(request)
        return httpx.Response(self._answer[0], text=self._answer[1])


@pytest.mark.parametrize(
    ("by_id", "after"), [*((False, number) for number in range(4)), (True, 0), (True, 1), (True, 2)]
)
@pytest.mark.parametrize("status", [403, 404, 405, 410, 501])
def test_an_api_that_is_gone_burns_nothing(
    criteo: CriteoSandbox,
    events: Path,
    status: int,
    after: int,
    by_id: bool,  # noqa: FBT001 - the case
) -> None:
    """Neither by name nor by ID, where a 404 alone might mean the list; from any call on."""
    with opened(criteo) as connection:
        run(connection, write(events.with_name("other"), [event("zoe@example.com")]))
    mapping = {"contact_list_id": "70001"} if by_id else {}
    gone = Gone(criteo, status, problem("not-found"), after)
    assert runs(criteo, events, gone, **mapping, batch_size=1) == ("refused", 0, 3)


def test_a_list_that_is_unknown_without_a_code_fails_its_events_only(
    criteo: CriteoSandbox, events: Path
) -> None:
    """A search shows that the API is there."""
    broken = Broken(criteo, "amend", 404, "")
    assert runs(criteo, events, broken, contact_list_id="70001") == ("", 3, 0)
    assert criteo.calls["search"] == 1
