"""What every sandbox does: respond, count, log, inject faults, show its state."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, ClassVar, cast

import httpx
import pytest

from framework.errors import APIError, DefinitionError, UnknownNameError
from framework.sandbox import (
    Fault,
    Sandbox,
    SandboxRequest,
    SandboxResponse,
    SandboxTransport,
    serve,
)
from framework.sandbox.partner import LOG_LENGTH
from tests.framework.sandbox.bell import Bell


@pytest.fixture
def bell() -> Bell:
    return Bell()


@pytest.fixture
def client(bell: Bell) -> Iterator[httpx.Client]:
    with httpx.Client(transport=SandboxTransport(bell), base_url="https://bell.example") as client:
        yield client


def test_a_request_arrives_as_it_was_sent(bell: Bell, client: httpx.Client) -> None:
    headers = {"Content-Type": "text/plain", "X-Tone": "c"}
    answer = client.post(
        "/ri%C3%B1g", params={"a": "1 2", "b": ""}, content=b"ding", headers=headers
    )
    assert (answer.status_code, answer.json()) == (404, {"error": "no bell"})
    (request,) = bell.seen
    assert (request.method, request.path, request.body) == ("POST", "/riñg", b"ding")
    assert request.query == {"a": "1 2", "b": ""}
    assert request.size == 4
    assert request.headers["content-type"] == "text/plain"
    assert request.headers["x-tone"] == "c"
    assert request.headers["host"] == "bell.example"


@pytest.mark.parametrize("headers", [{"X": "a\nb"}, {"X": " a"}, {"X y": "b"}, {"": "b"}])
def test_headers_that_http_does_not_allow_are_refused(
    bell: Bell, client: httpx.Client, headers: dict[str, str]
) -> None:
    """As the network refuses them."""
    with pytest.raises(httpx.LocalProtocolError) as caught:
        client.post("/ring", headers=headers)
    assert "a\nb" not in str(caught.value)
    assert bell.seen == []


def test_an_answer_leaves_as_json_with_its_headers(client: httpx.Client) -> None:
    answer = client.post("/ring")
    assert answer.json() == {"rings": 1}
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-bell"] == "1"


def test_a_body_over_the_limit_is_read_but_not_kept(bell: Bell, client: httpx.Client) -> None:
    client.post("/ring", content=b"x" * 200_000)
    client.post("/ring", content=b"x" * 10)
    assert [(one.size, one.body) for one in bell.seen] == [(200_000, b""), (10, b"x" * 10)]


def test_calls_are_counted_and_remembered_without_secrets(bell: Bell, client: httpx.Client) -> None:
    client.post("/ring", headers={"Authorization": "Bearer secret", "Cookie": "a=b"})
    bell.clock.move(5)
    client.get("/")
    assert bell.calls == {"ring": 1, "unknown": 1}
    first, second = bell.requests
    assert (first.at, first.route, first.method, first.path) == (1.8e9, "ring", "POST", "/ring")
    assert (first.status, first.fault, first.note) == (200, None, {"n": "<i>"})
    assert not {"authorization", "cookie"} & first.headers.keys()
    assert (second.at, second.status) == (1.8e9 + 5, 404)


def test_the_log_is_bounded(bell: Bell, client: httpx.Client) -> None:
    for _ in range(LOG_LENGTH + 1):
        client.get("/")
    assert len(bell.requests) == LOG_LENGTH
    assert bell.calls["unknown"] == LOG_LENGTH + 1


@pytest.mark.parametrize(("kind", "rings"), [("drop-before", 0), ("drop-after", 1)])
def test_a_dropped_connection_looks_like_one(
    bell: Bell, client: httpx.Client, kind: str, rings: int
) -> None:
    """The client cannot see whether the request took effect."""
    bell.inject(Fault(kind))
    with pytest.raises(httpx.RemoteProtocolError) as caught:
        client.post("/ring")
    assert str(caught.value) == "Server disconnected without sending a response."
    assert bell.rings == rings
    assert (bell.requests[-1].status, bell.requests[-1].fault) == (None, kind)


def test_a_slow_answer_moves_the_clock_and_comes(bell: Bell, client: httpx.Client) -> None:
    bell.inject(Fault("slow", seconds=4))
    assert client.post("/ring", timeout=5).json() == {"rings": 1}
    assert bell.clock.time() == 1.8e9 + 4


def test_an_answer_that_is_too_slow_times_out_after_the_effect(
    bell: Bell, client: httpx.Client
) -> None:
    bell.inject(Fault("slow", seconds=6))
    with pytest.raises(httpx.ReadTimeout):
        client.post("/ring", timeout=5)
    assert bell.rings == 1


@pytest.mark.parametrize(("kind", "status"), [("html", 200), ("html-gateway", 502)])
def test_html_comes_instead_of_json(
    bell: Bell, client: httpx.Client, kind: str, status: int
) -> None:
    bell.inject(Fault(kind))
    answer = client.post("/ring")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.text.startswith("<!doctype html>")
    assert bell.rings == 0


def test_a_sandbox_plays_its_own_faults(bell: Bell, client: httpx.Client) -> None:
    bell.inject(Fault("jammed", route="ring"))
    answer = client.post("/ring")
    assert answer.status_code == 503
    assert answer.json() == {"fault": "jammed", "route": "ring", "path": "/ring"}


def test_an_unknown_fault_is_refused(bell: Bell) -> None:
    with pytest.raises(UnknownNameError) as caught:
        bell.inject(Fault("jamed"))
    assert str(caught.value) == (
        'There is no fault "jamed". Did you mean `jammed`? '
        "Known faults: drop-after, drop-before, html, html-gateway, jammed, slow."
    )


def test_every_fault_is_described(bell: Bell) -> None:
    assert all(text.endswith(".") for text in bell.faults.values())


def test_a_reset_forgets_what_happened(bell: Bell, client: httpx.Client) -> None:
    bell.inject(Fault("jammed", call=9))
    client.post("/ring")
    bell.clock.move(7)
    bell.reset()
    assert (bell.rings, bell.requests, dict(bell.calls), bell.pending_faults()) == (0, (), {}, [])
    assert bell.clock.time() == 1.8e9 + 7


def test_the_state_holds_everything_in_the_detail_asked_for(
    bell: Bell, client: httpx.Client
) -> None:
    client.post("/ring")
    bell.inject(Fault("html"))
    assert bell.state("digests") == {
        "sandbox": "Bell <b>",
        "now": 1.8e9,
        "calls": {"ring": 1},
        "faults": [{"kind": "html", "route": "*", "call": 1, "times": 1, "seconds": 1.0}],
        "rings": 1,
        "detail": "digests",
    }
    with pytest.raises(UnknownNameError) as caught:
        bell.state("all")
    assert str(caught.value) == (
        'There is no detail "all". Known details: counts, digests, members.'
    )


def test_no_request_leaves_for_another_origin(client: httpx.Client) -> None:
    with pytest.raises(APIError) as caught:
        client.get("http://bell.example:8080/ring")
    assert str(caught.value) == (
        "The sandbox simulates https://bell.example, not http://bell.example:8080. "
        "Add it to `origins`."
    )
    assert (caught.value.code, caught.value.status) == ("SANDBOX_ORIGIN", 400)


def test_a_request_without_origin_is_named_as_that() -> None:
    with pytest.raises(APIError, match="has no origin, only the path `/ring`"):
        SandboxTransport(Bell()).handle_request(httpx.Request("GET", "/ring"))


@pytest.mark.parametrize(
    ("origin", "simulated"),
    [
        ("https://api.acme.test", True),
        ("https://one.tenants.acme.test", True),
        ("https://tenants.acme.test", False),
        ("https://a.b.tenants.acme.test", True),
        ("http://one.tenants.acme.test", False),
        ("https://one.tenants.acme.test:8443", False),
        ("https://one.tenants.acme.testing", False),
        ("http://[::1]:8080", True),
    ],
)
def test_origins_may_be_patterns(origin: str, simulated: bool) -> None:  # noqa: FBT001 - expected
    class Tenants(Sandbox):
        origins: ClassVar[tuple[str, ...]] = (
            "https://api.acme.test",
            "https://*.tenants.acme.test",
            "http://[::1]:8080",
        )

        def answer(self, request: SandboxRequest) -> SandboxResponse:
            raise AssertionError(request.path)

    assert Tenants().simulates(origin) is simulated


def test_a_sandbox_without_answer_says_what_to_write() -> None:
    class Empty(Sandbox):
        origins: ClassVar[tuple[str, ...]] = ("https://empty.example",)

    class Wrong(Empty):
        def answer(self, request: SandboxRequest) -> Any:
            del request
            return {"ok": True}

    with pytest.raises(DefinitionError) as caught:
        Empty()
    assert str(caught.value) == "The sandbox `Empty` needs the method `answer`, or `route`."
    with (
        httpx.Client(transport=SandboxTransport(Wrong())) as client,
        pytest.raises(DefinitionError) as caught,
    ):
        client.get("https://empty.example/a")
    text = "The sandbox `Wrong` must return a SandboxResponse for `GET /a`, got dict."
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("response", "problem"),
    [
        (SandboxResponse(99), "for `GET /a`, with a status from 200 to 599, got 99."),
        (SandboxResponse(cast("int", "200")), "with a status from 200 to 599, got '200'."),
        (SandboxResponse(200, {"a": object()}), "must be JSON, bytes or None: Object of type obj"),
    ],
)
def test_an_impossible_response_is_named(response: SandboxResponse, problem: str) -> None:
    with (
        httpx.Client(transport=SandboxTransport(answering(response))) as client,
        pytest.raises(DefinitionError) as caught,
    ):
        client.get("https://given.example/a")
    assert problem in str(caught.value)


@pytest.mark.parametrize("status", [299, 418, 499, 520])
def test_a_partner_may_use_any_status(status: int) -> None:
    sandbox = answering(SandboxResponse(status, {"ok": 1}))
    with httpx.Client(transport=SandboxTransport(sandbox)) as client:
        answer = client.get("https://given.example/a")
    assert (answer.status_code, answer.json()) == (status, {"ok": 1})
    with serve(sandbox) as server:
        assert httpx.get(f"{server.url}/a").status_code == status


def answering(response: SandboxResponse) -> Sandbox:
    """Return a sandbox that always answers so."""

    class Given(Sandbox):
        origins: ClassVar[tuple[str, ...]] = ("https://given.example",)

        def answer(self, request: SandboxRequest) -> SandboxResponse:
            del request
            return response

    return Given()


def test_calls_from_many_threads_all_count(bell: Bell) -> None:
    transport = SandboxTransport(bell)

    def ring() -> None:
        with httpx.Client(transport=transport, base_url="https://bell.example") as client:
            for _ in range(50):
                client.post("/ring")

    threads = [threading.Thread(target=ring) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (bell.rings, bell.calls["ring"], len(bell.requests)) == (200, 200, 200)


@pytest.mark.parametrize("headers", [{"retry-after": "30"}, [("retry-after", "30")]])
def test_headers_of_a_response_are_a_mapping_or_pairs(headers: Any) -> None:
    sandbox = answering(SandboxResponse(429, headers=headers))
    with httpx.Client(transport=SandboxTransport(sandbox)) as client:
        assert client.get("https://given.example/a").headers["retry-after"] == "30"
