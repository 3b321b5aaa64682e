"""The hook `extend_request`: what all requests of one call have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from math import inf
from typing import Any, cast

import httpx
import pytest

from framework import (
    Action,
    APIError,
    AudienceCall,
    Audiences,
    Batching,
    Choice,
    Choices,
    ChoicesCall,
    Destination,
    Failed,
    HookCall,
    MappingHook,
    Payload,
    Pending,
    PollCall,
    RequestOptions,
    Saved,
    Settings,
    basic,
    bearer,
    field,
)
from framework.delivery import DryRun, Retry
from framework.results import DELIVERED, Accepted, Result
from framework.sandbox import Sandbox, SandboxRequest, SandboxResponse
from framework.testing import Harness
from tests.framework.delivery.bench import (
    SECRET,
    SEND,
    URL,
    Key,
    Message,
    Partner,
    connected,
    module,
    plugin,
    said,
)
from tests.framework.delivery.clocks import FakeClock

ORIGIN = "https://partner.test"


def post(client: httpx.Client, payload: Message) -> None:
    client.get("/rooms", params={"page": "1"})
    client.post("/messages", json={"text": payload.text}, headers={"X-Trace": "own"})


def everything() -> RequestOptions:
    return RequestOptions(
        base_url=f"{ORIGIN}/v2/",
        headers={"X-Version": "7", "X-Trace": "common"},
        params={"tenant": "t", "page": 0},
        timeout=3.0,
        auth=bearer("other-t0ken"),
    )


def test_the_options_apply_to_every_request_of_a_call() -> None:
    partner = Partner()
    auth = lambda: basic("user", SECRET)  # noqa: E731 - a hook
    opened = plugin(perform=post, extend_request=everything, auth=auth)
    with connected(opened, partner=partner) as connection:
        report = connection.deliver([said()])
    assert report.results == [DELIVERED]
    first, second = partner.requests
    assert first.url == f"{ORIGIN}/v2/rooms?tenant=t&page=1"
    assert second.url == f"{ORIGIN}/v2/messages?tenant=t&page=0"
    assert [one.headers["X-Version"] for one in partner.requests] == ["7", "7"]
    assert [one.headers["X-Trace"] for one in partner.requests] == ["common", "own"]
    assert {one.headers["Authorization"] for one in partner.requests} == {"Bearer other-t0ken"}
    assert {one.headers["User-Agent"] for one in partner.requests} == {"action-destinations"}
    assert first.extensions["timeout"]["read"] == second.extensions["timeout"]["connect"] == 3.0
    assert "other-t0ken" not in str([one.to_json() for one in report.exchanges])


def fixed(options: Any) -> Callable[[], Any]:
    def extend_request() -> Any:
        return options

    return extend_request


def test_absolute_addresses_with_bytes_get_the_options_too() -> None:
    """This is the way of requests that needs least time, until there are parameters."""
    partner = Partner()

    def perform(client: httpx.Client) -> None:
        client.post(URL, content=b"{}")

    for options in (everything(), replace(everything(), params={})):
        with connected(
            plugin(perform=perform, extend_request=fixed(options)), partner=partner
        ) as it:
            it.deliver([said()])
    with_params, without = partner.requests
    assert with_params.url == f"{URL}?tenant=t&page=0"
    assert without.url == URL
    assert [one.headers["X-Version"] for one in partner.requests] == ["7", "7"]
    assert [one.extensions["timeout"]["read"] for one in partner.requests] == [3.0, 3.0]


def test_the_hook_is_called_once_per_call_and_sees_what_it_is_about() -> None:
    told: list[tuple[Any, ...]] = []

    def extend_request(
        settings: Key, action: Action, key: Mapping[str, Any]
    ) -> RequestOptions | None:
        told.append((settings.key, action.slug, key["room"]))
        return RequestOptions(headers={"X-Room": key["room"]}) if key["room"] else None

    def perform_batch(client: httpx.Client) -> None:
        client.post(URL)
        client.post(URL)

    partner = Partner()
    opened = plugin(perform_batch=perform_batch, extend_request=extend_request)
    with connected(opened, partner=partner) as connection:
        report = connection.deliver([said("1", "a"), said("2", "a"), said("3", "b"), said("4")])
    assert report.results == [DELIVERED] * 4
    assert told == [(SECRET, "send", "a"), (SECRET, "send", "b"), (SECRET, "send", None)]
    rooms = [one.headers.get("X-Room") for one in partner.requests]
    assert rooms == ["a", "a", "b", "b", None, None]


def test_calls_in_several_threads_keep_their_own_options() -> None:
    def extend_request(key: Mapping[str, Any]) -> RequestOptions:
        return RequestOptions(headers={"X-Room": key["room"]})

    def perform_batch(client: httpx.Client, key: Mapping[str, Any]) -> None:
        for _ in range(20):
            client.post(URL, content=key["room"].encode())

    partner = Partner()
    opened = plugin(perform_batch=perform_batch, extend_request=extend_request)
    with connected(opened, partner=partner) as connection:
        sender = connection.stream(threads=4)
        for _ in sender.add(enumerate(said("x", f"room {n}") for n in range(8))):
            pass
        for _ in sender.flush():
            pass
    assert len(partner.requests) == 160
    assert all(one.headers["X-Room"].encode() == one.content for one in partner.requests)


def header(value: Any, name: str = "X-Name") -> RequestOptions:
    return RequestOptions(headers={name: value})


def echo() -> Sandbox:
    return Echo()


NOT_HTTP = [
    (header("two\nlines"), "a header has a name or value that HTTP does not allow"),
    (header("x\r\nX-More: 1"), "a header has a name or value that HTTP does not allow"),
    (header("x", name="X Name"), "a header has a name or value that HTTP does not allow"),
    (header("Zoë"), "a header is not ASCII"),
    (RequestOptions(base_url="https://a\x00b"), "its address is not a valid URL"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "reason"), NOT_HTTP)
def test_what_http_does_not_allow_fails_the_call(options: RequestOptions, reason: str) -> None:
    partner = Partner()
    opened = plugin(perform=post, extend_request=fixed(options))
    with connected(opened, partner=partner) as connection:
        (result,) = connection.deliver([said()]).results
    assert isinstance(result, Failed)
    text = f"The options of its requests cannot be sent: {reason}."
    assert (result.status, result.code, result.message) == (400, "INVALID_REQUEST", text)
    assert partner.requests == []


class Echo(Sandbox):
    """Answers everything."""

    origins = (ORIGIN,)

    def answer(self, request: SandboxRequest) -> SandboxResponse:
        return SandboxResponse(200, {"path": request.path, "room": request.headers.get("x-room")})

    def settings(self) -> dict[str, Any]:
        return {"key": SECRET}


@pytest.mark.parametrize("value", ["two\nlines", "Zoë"])
@pytest.mark.parametrize("where", ["sandbox", "dry run"])
def test_a_request_of_its_own_is_refused_where_nothing_is_sent_too(value: str, where: str) -> None:
    def perform(client: httpx.Client) -> None:
        client.post(URL, headers={"X-Name": value})

    if where == "sandbox":
        with Harness(module(perform=perform, sandbox=echo)) as harness:
            result: Result | None = harness.run_action("send", said(), defaults=True).result
    else:
        with connected(plugin(perform=perform), partner=DryRun()) as connection:
            result = connection.deliver([said()]).items[0].result
    assert isinstance(result, Failed)
    assert (result.status, result.code, result.retryable) == (400, "INVALID_REQUEST", False)
    assert value not in result.message


OF_EACH = "which each request has of its own"
ABSOLUTE = "an absolute address as `base_url`, such as `https://api.example.com/v2/`"
UNFIT = [
    ({"base_url": ORIGIN}, "RequestOptions or None, got dict"),
    (header(7), "`headers` of texts, got int for `X-Name`"),
    (header("3", "Content-Length"), f"`headers` without `content-length`, {OF_EACH}"),
    (header("evil.test", " host"), f"`headers` without `host`, {OF_EACH}"),
    (header("chunked", "Transfer-Encoding"), f"`headers` without `transfer-encoding`, {OF_EACH}"),
    (header("close", "connection"), f"`headers` without `connection`, {OF_EACH}"),
    (RequestOptions(base_url=cast("str", 7)), "a text as `base_url`, got int"),
    (RequestOptions(base_url="nope"), f"{ABSOLUTE}, got one without `https://`"),
    (RequestOptions(base_url="/v2/"), f"{ABSOLUTE}, got one without `https://`"),
    (RequestOptions(base_url="partner.test:8080/v2"), f"{ABSOLUTE}, got one without `https://`"),
    (RequestOptions(base_url="ftp://partner.test"), f"{ABSOLUTE}, got one without `https://`"),
    (RequestOptions(base_url="https:///v2"), f"{ABSOLUTE}, got one without a host"),
    (RequestOptions(auth=cast("httpx.Auth", ("u", "p"))), "an httpx.Auth as `auth`, got tuple"),
    (RequestOptions(headers=cast("Any", None)), "an object as `headers`, got NoneType"),
    (RequestOptions(params=cast("Any", [1])), "an object as `params`, got list"),
    (
        RequestOptions(params={"day": cast("Any", date.min)}),
        "`params` of texts and numbers, got date for `day`",
    ),
    (RequestOptions(timeout=-1), "a positive number of seconds as `timeout`, got -1"),
    (RequestOptions(timeout=inf), "a positive number of seconds as `timeout`, got inf"),
    (
        RequestOptions(timeout=cast("float", "5")),
        "a positive number of seconds as `timeout`, got '5'",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("options", "wanted"), UNFIT)
def test_a_wrong_result_fails_the_call(options: Any, wanted: str) -> None:
    with connected(plugin(perform=post, extend_request=fixed(options))) as connection:
        (result,) = connection.deliver([said()]).results
    assert isinstance(result, Failed)
    assert (result.status, result.code) == (500, "RESULT_TYPE")
    assert result.message == f"Hook `extend_request` must return {wanted}."


def test_what_the_hook_raises_fails_the_call() -> None:
    def extend_request() -> RequestOptions:
        raise APIError(f"No tenant for {SECRET}.", "NO_TENANT", 422)

    with connected(plugin(perform=post, extend_request=extend_request)) as connection:
        (result,) = connection.deliver([said()]).results
    assert isinstance(result, Failed)
    assert (result.status, result.code, result.message) == (
        422,
        "NO_TENANT",
        "No tenant for <redacted>.",
    )


class Chosen(Settings):
    """Settings of audiences."""

    region: str | None = field("Region")


class Wish(Payload):
    """Inputs and outputs of a hook."""

    name: str = field("Name", required=True)


class Room(Payload):
    """One message."""

    text: str = field("Text", mapping={"@path": "$.event"})
    room: str | None = field("Room", dynamic=True)


def rooms(call: ChoicesCall[Key]) -> Choices:
    return Choices([Choice(one, one) for one in [call.client.get("/rooms").json()["path"]]])


def create_room(call: HookCall[Key, Wish]) -> Saved:
    return Saved(Wish(name=call.client.post("/rooms").json()["path"]))


def poll(call: PollCall[Key]) -> Pending | None:
    return None if call.client.get("/jobs/1").json()["path"] else Pending()


def create(call: AudienceCall[Key, Chosen]) -> str:
    found: str = call.client.post("/audiences").json()["path"]
    return found


def find(call: AudienceCall[Key, Chosen]) -> str:
    found: str = call.client.get(f"/audiences/{call.external_id}").json()["path"]
    return found


def test_every_function_that_gets_a_client_gets_the_options() -> None:
    """Each call has its own: they say which action and which audience it belongs to."""
    told: list[tuple[Any, Any]] = []

    def extend_request(
        action: Action | None, audience: AudienceCall[Key, Chosen] | None
    ) -> RequestOptions:
        told.append((action and action.slug, audience and audience.external_id))
        return RequestOptions(base_url=f"{ORIGIN}/v{len(told)}/")

    def perform(client: httpx.Client) -> Accepted:
        client.post("/messages")
        return Accepted("1")

    def call(client: httpx.Client) -> None:
        client.get("/me")

    send = Action(
        slug="send", title="Send", payload=Room, trigger='type = "track"',
        dynamic={"room": rooms}, poll=poll,
        hooks=[MappingHook(kind="onMappingSave", label="Room", inputs=Wish, outputs=Wish,
                           run=create_room)],
    )  # fmt: skip

    def destination() -> Destination:
        lists = Audiences(settings=Chosen, create=create, get=find)
        return Destination(slug="rooms", name="Rooms", audience=lists)

    hooks = {"check_authentication": call, "delete_users": call, "perform": perform}
    with Harness(
        module(
            send,
            destination=destination,
            extend_request=extend_request,
            sandbox=echo,
            **hooks,
        )
    ) as harness:
        harness.check_authentication()
        assert harness.choices("send", "room").choices[0].value == "/v2/rooms"
        saved = harness.save_mapping("send", {"name": "x"})
        assert saved.outputs == {"name": "/v3/rooms"}
        assert harness.create_audience("spring") == "/v4/audiences"
        assert harness.get_audience("L7") == "/v5/audiences/L7"
        harness.delete_user("ada")
        personas = {"context": {"personas": {"external_audience_id": "L8"}}}
        harness.run_action("send", said("x", **personas), defaults=True)
        assert harness.poll() == [DELIVERED]
        assert harness.sandbox is not None
        paths = [one.path for one in harness.sandbox.requests]
    assert told == [
        (None, None), ("send", None), ("send", None), (None, None), (None, "L7"), (None, None),
        ("send", "L8"), ("send", None),
    ]  # fmt: skip
    assert paths[0] == "/v1/me"
    assert paths[5:] == ["/v6/me", "/v7/messages", "/v8/jobs/1"]


def test_events_of_different_audiences_are_different_calls() -> None:
    """As for `perform_batch`, what the hook sees holds for every payload."""
    many = replace(SEND, batching=Batching(max_size=100))

    def destination() -> Destination:
        lists = Audiences(settings=Chosen, create=create)
        return Destination(slug="rooms", name="Rooms", audience=lists)

    def extend_request(audience: AudienceCall[Key, Chosen]) -> RequestOptions:
        return RequestOptions(headers={"X-Room": audience.external_id or ""})

    def perform_batch(client: httpx.Client, payloads: Any) -> None:
        client.post(URL, json=[one.text for one in payloads])

    def about(text: str, audience: str) -> dict[str, Any]:
        return said(text, context={"personas": {"external_audience_id": audience}})

    partner = Partner()
    opened = plugin(
        many, destination=destination, extend_request=extend_request, perform_batch=perform_batch
    )
    with connected(opened, partner=partner) as connection:
        report = connection.deliver([about("1", "L1"), about("2", "L2"), about("3", "L1")])
    assert report.results == [DELIVERED] * 3
    sent = [
        (one.headers["X-Room"], body)
        for one, body in zip(partner.requests, partner.sent, strict=True)
    ]
    assert sorted(sent) == [("L1", ["1", "3"]), ("L2", ["2"])]


def test_a_harness_refuses_what_the_hook_opens_by_itself() -> None:
    def extend_request() -> RequestOptions:
        httpx.get("https://elsewhere.test")
        return RequestOptions()

    with (
        Harness(module(perform=post, extend_request=extend_request, sandbox=echo)) as harness,
        pytest.raises(AssertionError, match="looked up"),
    ):
        harness.run_action("send", said(), defaults=True)


@pytest.mark.parametrize("idempotent", [True, False])
@pytest.mark.parametrize("extended", [True, False])
def test_a_post_of_an_idempotent_action_is_repeated(*, idempotent: bool, extended: bool) -> None:
    """A request that says itself whether it may be repeated is taken at its word."""

    def perform(client: httpx.Client) -> None:
        client.post(URL, content=b"first")
        client.post(URL, json={}, extensions={"idempotent": False})

    partner = Partner(httpx.Response(503), httpx.Response(200), httpx.Response(503))
    send = replace(SEND, idempotent=idempotent)
    hooks = {"extend_request": fixed(RequestOptions(headers={"X-Version": "7"}))}
    opened = plugin(send, perform=perform, **(hooks if extended else {}))
    again = Retry(attempts=2, total=60.0)
    with connected(opened, partner=partner, retry=again, clock=FakeClock()) as connection:
        (result,) = connection.deliver([said()]).results
    assert isinstance(result, Failed)
    assert (result.status, result.retryable) == (503, True)
    assert len(partner.requests) == (3 if idempotent else 1)
