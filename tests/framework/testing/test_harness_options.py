"""What a harness replaces: sandbox, clock, store and retries; and its further methods."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, assert_type

import httpx
import pytest

from framework import (
    AudienceCall,
    Audiences,
    Cache,
    ConfigurationError,
    Delivered,
    Destination,
    Failed,
    OAuthRefreshToken,
    Rate,
    Settings,
)
from framework.delivery import Retry
from framework.relay import StateFile
from framework.sandbox import Fault, FrozenClock, Sandbox, SandboxRequest, SandboxResponse
from framework.testing import Harness
from tests.framework.delivery.bench import Key, Message, module, said

ORIGIN = "https://partner.test"


class Rooms(Sandbox):
    """Answers everything, and counts tokens."""

    origins = (ORIGIN,)

    def settings(self) -> dict[str, Any]:
        return {"key": "s3cret-key-0123"}

    def answer(self, request: SandboxRequest) -> SandboxResponse:
        if request.path == "/token":
            number = self.calls["POST /token"]
            return SandboxResponse(200, {"access_token": f"token-{number}", "expires_in": 900})
        return SandboxResponse(200, {"id": f"L{self.calls['POST /lists']}"})


def post(client: httpx.Client, payload: Message) -> None:
    client.post(f"{ORIGIN}/messages", json={"text": payload.text}, extensions={"idempotent": True})


def test_a_sandbox_is_a_class_or_an_object() -> None:
    rooms = Rooms()
    for given in (Rooms, rooms):
        with Harness(module(perform=post), sandbox=given) as harness:
            assert harness.run_action("send", said(), defaults=True).result == Delivered(200)
            assert harness.sandbox.calls == {"POST /messages": 1}
    assert rooms.calls == {"POST /messages": 1}


def test_a_sandbox_has_the_class_that_is_given() -> None:
    """For type checkers: its own attributes are known, and it is not None."""
    with Harness(module(perform=post), sandbox=Rooms()) as harness:
        assert_type(harness.sandbox, Rooms)
    with Harness(module(perform=post), sandbox=Rooms) as of_class:
        assert_type(of_class, Harness[Rooms])
    with Harness(module(perform=post), {"key": "k"}) as without:
        assert_type(without.sandbox, Sandbox | None)
        assert without.sandbox is None


def test_waits_take_no_time_on_a_frozen_clock() -> None:
    """Framework, client and sandbox have the same time."""
    clock = FrozenClock()
    start = clock.time()

    def destination() -> Destination:
        return Destination(slug="rooms", name="Rooms", rate=Rate(1, 3_600))

    def perform(client: httpx.Client, clock: Any) -> None:
        client.post(f"{ORIGIN}/messages")
        clock.sleep(50.0)

    hooks: dict[str, Any] = {"destination": destination, "perform": perform}
    with Harness(module(**hooks), sandbox=Rooms, clock=clock) as harness:
        harness.run_action("send", said(), defaults=True)
        assert harness.sandbox.clock is clock
    assert clock.time() - start == pytest.approx(50.0)


def test_requests_are_repeated_if_asked_to() -> None:
    for retry, calls in ((None, 1), (Retry(attempts=3, total=60.0), 2)):
        with Harness(
            module(perform=post), sandbox=Rooms, clock=FrozenClock(), retry=retry
        ) as harness:
            harness.sandbox.inject(Fault("html-gateway"))
            result = harness.run_action("send", said(), defaults=True).result
            assert isinstance(result, Failed) is (retry is None)
            assert len(harness.sandbox.requests) == calls


def create(call: AudienceCall[Key, Settings]) -> str:
    found: str = call.client.post(f"{ORIGIN}/lists").json()["id"]
    return found


def test_a_store_keeps_tokens_and_audiences(tmp_path: Path) -> None:
    def destination() -> Destination:
        return Destination(slug="rooms", name="Rooms", audience=Audiences(create=create))

    def auth(settings: Key) -> httpx.Auth:
        return OAuthRefreshToken(f"{ORIGIN}/token", "app", settings.key, "refresh-t0ken")

    hooks: dict[str, Any] = {"destination": destination, "auth": auth, "perform": post}
    rooms = Rooms()
    for _ in range(2):
        store = StateFile(tmp_path / "rooms.state.json")
        with Harness(module(**hooks), sandbox=rooms, store=store) as harness:
            harness.run_action("send", said(), defaults=True)
            assert harness.create_audience("spring") == "L0"
            assert harness.create_audience("spring") == "L0"
    assert (rooms.calls["POST /token"], rooms.calls["POST /lists"]) == (1, 1)


def test_calls_share_tokens_and_cache() -> None:
    """A refresh token that the partner replaces serves once; another harness starts anew."""

    def auth(settings: Key) -> httpx.Auth:
        return OAuthRefreshToken(f"{ORIGIN}/token", "app", settings.key, "refresh-t0ken")

    counts: list[int] = []

    def perform(client: httpx.Client, cache: Cache) -> None:
        counts.append(cache.get("calls", 0) + 1)
        cache.set("calls", counts[-1])
        client.post(f"{ORIGIN}/messages")

    hooks: dict[str, Any] = {"auth": auth, "perform": perform}
    for _ in range(2):
        with Harness(module(**hooks), sandbox=Rooms) as harness:
            sent = [harness.run_action("send", said(), defaults=True).requests for _ in range(3)]
            assert [len(requests) for requests in sent] == [2, 1, 1]
            assert harness.sandbox.calls["POST /token"] == 1
    assert counts == [1, 2, 3] * 2


def test_a_preview_is_shown_and_nothing_sent() -> None:
    def destination() -> Destination:
        return Destination(slug="rooms", name="Rooms", transport="other")

    def preview(payloads: Sequence[Message]) -> list[str]:
        return [one.text for one in payloads]

    def perform_batch(payloads: Sequence[Message]) -> None:
        raise AssertionError(payloads)

    hooks: dict[str, Any] = {"preview": preview, "perform_batch": perform_batch}
    with Harness(module(destination=destination, **hooks), {"key": "k"}) as harness:
        shown = harness.preview("send", [said("one"), said("two")], defaults=True)
    assert shown == [["one", "two"]]


def test_the_size_of_an_audience_is_asked_for() -> None:
    def audience_size(audience_name: str, naming: str) -> Mapping[str, Any]:
        return {"members": 7, "delay": f"{audience_name} by {naming}"}

    with Harness(module(perform=post, audience_size=audience_size), sandbox=Rooms) as harness:
        assert harness.audience_size("spring", "id") == {"members": 7, "delay": "spring by id"}


def test_an_unknown_field_of_a_mapping_is_refused() -> None:
    with (
        Harness(module(perform=post), sandbox=Rooms) as harness,
        pytest.raises(ConfigurationError, match="txet"),
    ):
        harness.run_action("send", said(), mapping={"txet": "x"})


def test_calls_are_made_at_one_time() -> None:
    """Two that wait for each other end; every item names the exchange of its own batch."""
    meeting = threading.Barrier(2, timeout=30)

    def meet(client: httpx.Client, payload: Message) -> None:
        meeting.wait()
        client.post(f"{ORIGIN}/messages", json={"text": payload.text})

    events = [said(f"text {number}", room=f"room {number}") for number in range(4)]
    with Harness(module(perform=meet), sandbox=Rooms, threads=2) as harness:
        ran = harness.run_batch("send", events, defaults=True)
    assert ran.results == (Delivered(200),) * 4
    assert len(ran.requests) == 4
    for number, item in enumerate(ran.report.items):
        assert item.batch is not None
        (exchange,) = ran.report.batches[item.batch].exchanges
        assert exchange.to_json()["request"]["body"] == f'{{"text":"text {number}"}}'


def test_an_exception_in_a_thread_is_raised() -> None:
    def fail() -> None:
        raise KeyError("room")

    with (
        Harness(module(perform=fail), sandbox=Rooms, threads=2) as harness,
        pytest.raises(KeyError),
    ):
        harness.run_batch("send", [said("a", room="a"), said("b", room="b")], defaults=True)


def test_calls_with_equal_batch_keys_are_made_one_after_the_other() -> None:
    """However many threads there are."""
    alone = threading.Lock()

    def perform(client: httpx.Client) -> None:
        assert alone.acquire(blocking=False)
        client.post(f"{ORIGIN}/messages")
        alone.release()

    with Harness(module(perform=perform), sandbox=Rooms, threads=4) as harness:
        ran = harness.run_batch("send", [said(str(one)) for one in range(20)], defaults=True)
    assert ran.results == (Delivered(200),) * 20
