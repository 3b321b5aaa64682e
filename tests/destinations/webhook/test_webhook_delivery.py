"""What the webhook sends for events, and what becomes of refusals, through the harness."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pytest

from destinations import webhook
from destinations.webhook.receiver import WebhookReceiver
from framework import (
    APIError,
    ConfigurationError,
    Delivered,
    Failed,
    InvalidAuthenticationError,
    Skipped,
    Subscription,
    connect,
)
from framework.plugins import Plugin, open_plugin
from framework.samples import make_event
from framework.sandbox import Fault, SandboxTransport
from framework.testing import Harness, Ran

URL = "https://webhook.example/in"
SIGNED = {"url": URL, "sharedSecret": "sesame"}


@pytest.fixture
def harness() -> Iterator[Harness]:
    with Harness(webhook, SIGNED) as harness:
        yield harness


@pytest.fixture
def receiver(harness: Harness) -> WebhookReceiver:
    assert isinstance(harness.sandbox, WebhookReceiver)
    return harness.sandbox


@pytest.fixture
def plugin() -> Plugin:
    return open_plugin(webhook)


def bodies(ran: Ran) -> list[Any]:
    return [json.loads(request["body"]) for request in ran.requests]


def tracks(names: Sequence[str], **rest: Any) -> list[dict[str, Any]]:
    return [
        make_event(event=name, messageId=f"m{number}", userId=f"u{name}", **rest)
        for number, name in enumerate(names)
    ]


def test_an_event_is_sent_as_it_is(harness: Harness, receiver: WebhookReceiver) -> None:
    """By the defaults: the whole event, signed, in a request of its own."""
    (event,) = tracks("A")
    ran = harness.run_action("send", event, defaults=True)
    assert ran.results == (Delivered(204),)
    assert bodies(ran) == [event]
    (request,) = ran.requests
    assert (request["method"], request["url"]) == ("POST", URL)
    assert request["headers"]["content-type"] == "application/json"
    assert [one.signed for one in receiver.received] == [True]


@pytest.mark.parametrize("mapping", [{}, {"enable_batching": False}, {"batch_size": 1}])
def test_requests_about_different_users_are_under_way_at_one_time(
    plugin: Plugin, mapping: dict[str, Any]
) -> None:
    """And those about one user, or one device where there is none, come one after the other."""
    together = threading.Barrier(2, timeout=30)
    sent: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        together.wait()
        sent.append(json.loads(request.content)["event"])
        return httpx.Response(204)

    people: tuple[dict[str, Any], ...] = (
        {"userId": "u1", "anonymousId": "d1"},
        {"userId": None, "anonymousId": "d2"},
    )
    events = [
        make_event(event=f"{name}{number}", messageId=f"{name}{number}", **person)
        for name in "ABC"
        for number, person in enumerate(people)
    ]
    subscription = Subscription(action="send", trigger='type = "track"', mapping=mapping)
    transport = httpx.MockTransport(answer)
    with connect(plugin, SIGNED, [subscription], transport=transport) as connection:
        report = connection.deliver(events, threads=2)
    assert report.results == [Delivered(204)] * 6
    assert [one for one in sent if one.endswith("0")] == ["A0", "B0", "C0"]
    assert [one for one in sent if one.endswith("1")] == ["A1", "B1", "C1"]


def test_single_events_have_requests_of_their_own(harness: Harness) -> None:
    ran = harness.run_batch("send", tracks("ABC"), mapping={"data": {"n": {"@path": "$.event"}}},
                            defaults=True)  # fmt: skip
    assert bodies(ran) == [{"n": "A"}, {"n": "B"}, {"n": "C"}]


@pytest.mark.parametrize(
    ("mapping", "expected"),
    [
        ({}, [b'[{"n":"A"},{"n":"B"},{"n":"C"}]']),
        ({"batch_format": "ndjson"}, [b'{"n":"A"}\n{"n":"B"}\n{"n":"C"}\n']),
        ({"batch_size": 2}, [b'[{"n":"A"},{"n":"B"}]', b'[{"n":"C"}]']),
        ({"envelope": {"rows": "<payloads>"}}, [b'{"rows":[{"n":"A"},{"n":"B"},{"n":"C"}]}']),
        (
            {"envelope": {"kind": {"@path": "$.properties.kind"}, "rows": "<payloads>"}},
            [b'{"kind":"x","rows":[{"n":"A"},{"n":"C"}]}', b'{"kind":"y","rows":[{"n":"B"}]}'],
        ),
    ],
)
def test_batches(
    harness: Harness, receiver: WebhookReceiver, mapping: dict[str, Any], expected: list[bytes]
) -> None:
    """A batch holds events with the same envelope."""
    events = tracks("ABC")
    for event, kind in zip(events, "xyx", strict=True):
        event["properties"] = {"kind": kind}
    chosen = {"data": {"n": {"@path": "$.event"}}, "enable_batching": True, **mapping}
    ran = harness.run_batch("send", events, mapping=chosen, defaults=True)
    assert set(ran.results) == {Delivered(204)}
    assert [one.body for one in receiver.received] == expected
    assert all(one.signed for one in receiver.received)


def test_events_with_equal_ids_and_those_without_are_kept_apart(harness: Harness) -> None:
    """Equal ones are sent in order, one per batch; without an ID, the data decides."""
    chosen = {"data": {"n": {"@path": "$.event"}}, "enable_batching": True}
    twice = [{**event, "messageId": "same"} for event in tracks("AB")]
    assert bodies(harness.run_batch("send", twice, mapping=chosen, defaults=True)) == [
        [{"n": "A"}],
        [{"n": "B"}],
    ]
    without = {**chosen, "message_id": None}
    ran = harness.run_batch("send", twice, mapping=without, defaults=True)
    assert bodies(ran) == [[{"n": "A"}, {"n": "B"}]]


def audience(plugin: Plugin, receiver: WebhookReceiver, **mapping: Any) -> Any:
    shared = {
        "audience": {"@path": "$.properties.audience"},
        "data": {"id": {"@path": "$.userId"}},
        "enable_batching": True,
        **mapping,
    }
    subscriptions = [
        Subscription(action="addToAudience", mapping={**shared, "url": "add"}),
        Subscription(action="updateInAudience", mapping={**shared, "url": "update"}),
        Subscription(
            action="removeFromAudience", mapping={**shared, "url": "remove", "method": "DELETE"}
        ),
    ]
    return connect(plugin, receiver.settings(), subscriptions, transport=SandboxTransport(receiver))


def test_the_last_event_about_a_member_is_sent(plugin: Plugin) -> None:
    """Each action has an endpoint of its own; users are in order within an audience only."""
    receiver = WebhookReceiver()
    entered, exited = "Audience Entered", "Audience Exited"
    events = [
        make_event(event=name, userId=user, messageId=str(n), properties={"audience": which})
        for n, (name, user, which) in enumerate(
            [
                (entered, "ann", "vip"),
                (entered, "bob", "vip"),
                (exited, "ann", "vip"),
                (entered, "ann", "new"),
            ]
        )
    ]
    with audience(plugin, receiver) as connection:
        report = connection.deliver(events)
    kinds = [type(item.result) for item in report.items if item.matched]
    assert kinds == [Skipped, Delivered, Delivered, Delivered]
    sent = [(one.method, one.path, one.payloads) for one in receiver.received]
    assert sorted(sent, key=repr) == [
        ("DELETE", "/in/remove", [{"id": "ann"}]),
        ("POST", "/in/add", [{"id": "ann"}]),
        ("POST", "/in/add", [{"id": "bob"}]),
    ]


def test_updates_are_all_sent_in_order(plugin: Plugin) -> None:
    """They neither supersede nor are superseded."""
    receiver = WebhookReceiver()
    events = [
        make_event(event="Audience Entered", userId="ann", messageId="1"),
        make_event("identify", userId="ann", messageId="2"),
        make_event("identify", userId="ann", messageId="3"),
        make_event(event="Audience Exited", userId="ann", messageId="4"),
    ]
    with audience(plugin, receiver, audience="vip") as connection:
        connection.deliver(events)
    assert [one.path for one in receiver.received] == ["/in/update", "/in/update", "/in/remove"]


def test_a_member_without_identifier_is_not_sent(harness: Harness) -> None:
    event = make_event(event="Audience Entered", userId="  ")
    mapping = {"audience": "vip"}
    ran = harness.run_action("addToAudience", event, mapping=mapping, defaults=True)
    assert isinstance(ran.result, Failed)
    assert (ran.result.code, ran.requests) == ("NO_IDENTIFIER", [])


def test_an_event_without_audience_is_not_sent(harness: Harness) -> None:
    """Otherwise those of different lists would be taken for one."""
    event = make_event(event="Audience Entered", userId="ann")
    ran = harness.run_action("addToAudience", event, defaults=True)
    assert isinstance(ran.result, Failed)
    assert (ran.result.code, ran.requests) == ("PAYLOAD_VALIDATION_FAILED", [])


def test_two_lists_need_two_audiences(plugin: Plugin) -> None:
    """A user who enters both would be sent to one of them only."""
    receiver = WebhookReceiver()
    one = Subscription(action="addToAudience", mapping={"url": "a", "audience": "vip"})
    two = Subscription(action="addToAudience", mapping={"url": "b", "audience": "vip"})
    with pytest.raises(ConfigurationError) as caught:
        connect(plugin, receiver.settings(), [one, two])
    assert (
        "Another mapping of `addToAudience` has the same `audience` and another `url`, so that a "
        "user would be sent to one of them only."
    ) in str(caught.value)
    other = Subscription(action="addToAudience", mapping={"url": "b", "audience": "b"})
    gone = Subscription(action="removeFromAudience", mapping={"url": "c", "audience": "vip"})
    transport = SandboxTransport(receiver)
    event = make_event(event="Audience Entered", userId="ann")
    with connect(
        plugin, receiver.settings(), [one, other, gone], transport=transport
    ) as connection:
        connection.deliver([event])
    assert sorted(one.path for one in receiver.received) == ["/in/a", "/in/b"]


def test_values_are_hashed_and_one_that_cannot_be_fails_alone(
    harness: Harness, receiver: WebhookReceiver
) -> None:
    mapping = {
        "data": {"email": {"@path": "$.properties.email"}},
        "hash_fields": ["email"],
        "enable_batching": True,
    }
    events = tracks("ABC")
    for event, email in zip(
        events, ("Ann@x.example", {"home": "secret"}, "Bob@x.example"), strict=True
    ):
        event["properties"] = {"email": email}
    ran = harness.run_batch("send", events, mapping=mapping, defaults=True)
    assert [type(one) for one in ran.results] == [Delivered, Failed, Delivered]
    digests = [hashlib.sha256(text).hexdigest() for text in (b"ann@x.example", b"bob@x.example")]
    assert receiver.received[0].payloads == [{"email": digest} for digest in digests]
    alone = harness.run_batch("send", events[1:2], mapping=mapping, defaults=True)
    assert isinstance(alone.result, Failed)
    assert (alone.result.code, alone.requests) == ("NOT_HASHABLE", [])


def test_a_key_to_hash_that_is_not_sent_is_refused(plugin: Plugin) -> None:
    """A slip would send the address itself."""
    slip = Subscription(
        action="addToAudience", mapping={"hash_fields": ["emial"], "data": {"email": "x"}}
    )
    whole = Subscription(
        action="send", trigger='type = "track"', mapping={"hash_fields": ["userId"]}
    )
    with connect(plugin, {"url": URL}, [whole]):
        pass  # what a whole event holds is not known before
    with pytest.raises(ConfigurationError) as caught:
        connect(plugin, {"url": URL}, [whole, slip])
    assert "`hash_fields` names `emial`, which `data` does not have." in str(caught.value)
    default = Subscription(action="addToAudience", mapping={"hash_fields": ["email", "phone"]})
    with pytest.raises(ConfigurationError, match="`phone`"):
        connect(plugin, {"url": URL}, [default])


@pytest.mark.parametrize(
    "scheme",
    [
        {},
        {
            "signature_algorithm": "sha256",
            "signature_encoding": "base64",
            "signature_prefix": "v0=",
        },
        {"signature": "timestamped", "signature_header": "Stripe-Signature"},
        {"signature": "standard", "sharedSecret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
    ],
)
def test_a_receiver_refuses_what_is_not_signed_by_its_secret(
    plugin: Plugin, scheme: dict[str, Any]
) -> None:
    settings = {"url": URL, "sharedSecret": "sesame", **scheme}
    receiver = WebhookReceiver()
    receiver.admit(settings)
    everything = Subscription(action="send", trigger='type = "track"')
    for given, expected in (
        (settings, [Delivered]),
        ({**settings, "sharedSecret": "d2hzZWNfeA=="}, [Failed]),
        ({"url": URL}, [Failed]),
    ):
        transport = SandboxTransport(receiver)
        with connect(plugin, given, [everything], transport=transport) as connection:
            report = connection.deliver(tracks("A"))
        assert [type(one) for one in report.results] == expected


def test_the_id_of_a_message_is_the_same_for_each_try(plugin: Plugin) -> None:
    """So that receivers of Standard Webhooks recognize what they know."""
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["webhook-id"])
        return httpx.Response(503)

    settings = {"url": URL, "sharedSecret": "c2VzYW1l", "signature": "standard"}
    subscription = Subscription(
        action="send", trigger='type = "track"', mapping={"enable_batching": True}
    )
    for events in (tracks("A"), tracks("A"), tracks("AB"), tracks("AB")):
        transport = httpx.MockTransport(answer)
        with connect(plugin, settings, [subscription], transport=transport) as connection:
            connection.deliver(events)
    assert seen[0] == seen[1] == "m0"
    assert seen[2] == seen[3]
    assert len(seen[2]) == 64


@pytest.mark.parametrize(
    ("kind", "status", "retryable"),
    [
        ("refused", 401, False),
        ("gone", 410, False),
        ("too-large", 413, False),
        ("invalid", 422, False),
        ("rate-limited", 429, True),
        ("unavailable", 503, True),
    ],
)
def test_a_refusal_is_the_result(
    harness: Harness,
    receiver: WebhookReceiver,
    kind: str,
    status: int,
    retryable: bool,  # noqa: FBT001 - a column
) -> None:
    receiver.inject(Fault(kind))
    ran = harness.run_action("send", tracks("A")[0], defaults=True)
    assert isinstance(ran.result, Failed)
    assert (ran.result.status, ran.result.retryable) == (status, retryable)
    assert receiver.received == []


def test_users_are_deleted(plugin: Plugin) -> None:
    receiver = WebhookReceiver()
    settings = {**SIGNED, "delete_url": "users/{user_id}", "delete_method": "DELETE"}
    receiver.admit(settings)
    with Harness(plugin, settings, transport=SandboxTransport(receiver)) as harness:
        ran = harness.delete_user("a/b")
    assert ran.results == (Delivered(204),)
    assert [(one.method, one.payloads, one.signed) for one in receiver.received] == [
        ("DELETE", [{"user_id": "a/b", "anonymous_id": None}], True)
    ]
    assert ran.requests[0]["url"] == f"{URL}/users/a%2Fb"


def test_a_failed_deletion_has_its_own_result(plugin: Plugin) -> None:
    settings = {"url": URL, "delete_url": "delete"}

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(404 if b'"ann"' in request.content else 200)

    events = [{"type": "delete", "userId": user} for user in ("ann", "bob")]
    transport = httpx.MockTransport(answer)
    with connect(plugin, settings, [], transport=transport) as connection:
        report = connection.deliver(events)
    assert [type(one) for one in report.results] == [Failed, Delivered]


def test_without_an_address_users_cannot_be_deleted(harness: Harness) -> None:
    ran = harness.delete_user("ann")
    assert isinstance(ran.result, Failed)
    assert (ran.result.status, ran.result.code) == (501, "DELETION_NOT_SUPPORTED")
    assert ran.result.message == (
        "The webhook has no setting `delete_url`. Delete the user there yourself."
    )


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"url": "http://plain.example/in"}, "INSECURE_URL"),
        ({"url": URL, "delete_url": "https://evil.example/"}, "FOREIGN_URL"),
        ({"url": URL, "sharedSecret": "no base64!", "signature": "standard"}, "INVALID_SECRET"),
    ],
)
def test_unusable_settings_are_found_before_the_first_event(
    plugin: Plugin, settings: dict[str, Any], code: str
) -> None:
    with Harness(plugin, settings) as harness:
        with pytest.raises(InvalidAuthenticationError) as caught:
            harness.check_authentication()
        assert caught.value.code == code
    with Harness(plugin, {"url": URL, "delete_url": "x"}) as harness:
        harness.check_authentication()


def test_secrets_are_in_no_result_and_no_recorded_exchange(plugin: Plugin) -> None:
    """Neither those of the path, nor those of headers, however the receiver repeats them."""
    settings = {
        "url": URL,
        "secret_path": "T0KEN-of-the-path",
        "secret_headers": {"Authorization": "Bearer T0KEN-of-the-header", "x-keys": "T0KEN-two"},
    }

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/in/T0KEN-of-the-path"
        assert request.headers["authorization"] == "Bearer T0KEN-of-the-header"
        echo = {"error": f"{request.url} {request.headers['authorization']} T0KEN-two"}
        return httpx.Response(400, json=echo)

    subscription = Subscription(action="send", trigger='type = "track"')
    transport = httpx.MockTransport(answer)
    with connect(plugin, settings, [subscription], transport=transport) as connection:
        report = connection.deliver(tracks("A"))
    shown = json.dumps(report.to_json())
    assert "webhook.example" in shown
    assert "T0KEN" not in shown


def test_the_receiver_shows_what_it_received(harness: Harness, receiver: WebhookReceiver) -> None:
    """Counts on its page; what was sent only on request."""
    harness.run_action("send", tracks("A")[0], mapping={"data": {"who": "ann"}}, defaults=True)
    (panel,) = receiver.panels()
    assert panel.rows == (("POST", "/in", 1, 1),)
    assert receiver.state()["endpoints"] == [
        {"method": "POST", "path": "/in", "requests": 1, "payloads": 1}
    ]
    assert receiver.state("members")["latest"] == [
        {"method": "POST", "path": "/in", "payloads": [{"who": "ann"}]}
    ]
    digest = hashlib.sha256(b'{"who":"ann"}').hexdigest()
    assert receiver.state("digests")["latest"] == [
        {"method": "POST", "path": "/in", "sha256": digest}
    ]
    receiver.reset()
    assert (receiver.received, receiver.panels()[0].rows) == ([], ())


def test_the_receiver_takes_json_only() -> None:
    receiver = WebhookReceiver()
    with httpx.Client(transport=SandboxTransport(receiver)) as client:
        assert client.post(URL, json={}).status_code == 204
        receiver.admit(SIGNED)
        assert client.post(URL, json={}).status_code == 401
        receiver.admit({"url": URL})
        assert client.post(URL, content=b"text").status_code == 400
        with pytest.raises(APIError) as refused:
            client.post("https://other.example/in", json={})
        assert refused.value.code == "SANDBOX_ORIGIN"
        receiver.admit({"url": "https://other.example/in"})
        assert client.post("https://other.example/in", json={}).status_code == 204
    assert WebhookReceiver.origins == ("https://webhook.example",)
