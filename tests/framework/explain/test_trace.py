"""Traces of events agree with the pipeline, and their suggestions work."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from framework import (
    Action,
    Batching,
    Connection,
    Destination,
    Failed,
    Payload,
    Result,
    Settings,
    Skipped,
    Subscription,
    connect,
    field,
    hookimpl,
    open_plugin,
)
from framework.delivery import DryRun
from framework.explain import EventTrace, trace_event, trace_events

KEY = "sesame-4711"


class MailSettings(Settings):
    """Access to the mail service."""

    key: str = field("Key", type="password")


class Mail(Payload):
    """A mail."""

    to: str = field("To", format="email", mapping={"@path": "$.properties.email"})
    total: int | None = field("Total", mapping={"@path": "$.properties.total"})
    note: str | None = field("Note")


class MailService:
    """A destination that posts mails, refuses some, and identifies recipients."""

    @hookimpl
    def destination(self) -> Destination:
        return Destination(slug="mail", name="Mail")

    @hookimpl
    def settings(self) -> type[MailSettings]:
        return MailSettings

    @hookimpl
    def actions(self) -> list[Action]:
        batching = Batching(keys=("note",), max_size=10)
        return [Action(slug="send", title="Send", payload=Mail, batching=batching)]

    @hookimpl
    def identify(self, payloads: list[Mail]) -> list[str | Failed]:
        refused = Failed(400, "BLOCKED", "This recipient is blocked.")
        return [refused if one.to.startswith("no@") else one.to for one in payloads]

    @hookimpl
    def perform_batch(
        self, client: httpx.Client, settings: MailSettings, payloads: list[Mail]
    ) -> list[Result] | None:
        mails = [{"to": one.to, "note": one.note} for one in payloads]
        client.post("https://mail.test/send", json=mails, headers={"x-api-key": settings.key})
        if any(one.total == 13 for one in payloads):
            return [Failed(422, "UNLUCKY", "Thirteen.", "partner")] * len(payloads)
        return None


TRIGGERS = (
    'type = "track"',
    'type = "track" and event = "Order Placed"',
    'event = "Order Placed" or event = "Order Refunded"',
    'type = "identify" and traits.plan = "pro"',
    'type != "track"',
    "properties.total > 10",
    "properties.total >= 10 and properties.total < 20",
    "properties.total = null",
    'properties.plan in ["pro", "team"]',
    'contains(event, "Order")',
    '!contains(event, "Order")',
    'match(event, "Order *")',
    'match(properties.email, "*@b.test")',
    "!(properties.vip = true)",
    'type = "track" and !(event = "Order Placed" or properties.vip = true)',
    "length(event) > 8",
    'typeof(properties.total) = "number"',
    'lowercase(event) = "signed up"',
    'userId != null and (properties.plan = "pro" or properties.total > 100)',
    'context.app.name = "Shop" and type = "track"',
)
MAPPINGS: tuple[dict[str, Any], ...] = (
    {},
    {"note": "spring"},
    {"total": {"@json": {"mode": "decode", "value": {"@path": "$.properties.raw"}}}},
    {"note": {"@template": "{{event}} of {{userId}}"}},
    {"to": {"@case": {"operator": "loud", "value": {"@path": "$.event"}}}},
)


def subscriptions() -> list[Subscription]:
    return [
        Subscription(
            action="send",
            name=f"S{number}",
            trigger=trigger,
            mapping=MAPPINGS[number % 4],
        )
        for number, trigger in enumerate(TRIGGERS)
    ]


@pytest.fixture(scope="module")
def mail() -> Iterator[Connection]:
    with opened(subscriptions()) as connection:
        yield connection


def opened(chosen: list[Subscription]) -> Connection:
    return connect(open_plugin(MailService()), {"key": KEY}, chosen, transport=DryRun())


POOLS: dict[str, tuple[Any, ...]] = {
    "type": ("track", "track", "track", "identify", "page", 7),
    "event": ("Order Placed", "Order Refunded", "Signed Up", "order placed", None, 3),
    "userId": ("u1", "", None),
    "context": ({"app": {"name": "Shop"}}, {"app": "Shop"}, {}),
    "traits": ({"plan": "pro"}, {}),
}
INNER: dict[str, tuple[Any, ...]] = {
    "email": ("a@b.test", "no@b.test", "no address", "", None, 5),
    "total": (5, 10, 13, 19.0, 200, "12", "many", None, [1]),
    "plan": ("pro", "team", "free"),
    "vip": (True, False, "true"),
    "raw": ("7", "{", 8),
}


def made(chance: random.Random) -> dict[str, Any]:
    event = {key: chance.choice(pool) for key, pool in POOLS.items() if chance.random() < 0.8}
    inner = {key: chance.choice(pool) for key, pool in INNER.items() if chance.random() < 0.7}
    if chance.random() < 0.95:
        event["properties"] = inner
    return event


def test_the_trace_agrees_with_the_report(mail: Connection) -> None:
    """Checks a thousand events in twenty subscriptions, with and without a report."""
    chance = random.Random(6)  # noqa: S311 - the same events every time
    events = [made(chance) for _ in range(1_000)]
    outcomes = delivered(mail, events)
    shown = trace_events(mail, events, mail.deliver(events))
    for trace in shown:
        for index, subscription in enumerate(trace.subscriptions):
            outcome = outcomes[trace.position, index]
            assert verdict(subscription.result) == verdict(outcome)
            not_matched = isinstance(outcome, Skipped) and outcome.code == "NOT_MATCHED"
            assert subscription.matched is not not_matched
            assert bool(subscription.problems) is (
                isinstance(outcome, Failed) and subscription.batch is None
            )
    assert {trace.outcome for trace in shown} == {"delivered", "failed"}


def delivered(mail: Connection, events: list[dict[str, Any]]) -> dict[tuple[int, int], Result]:
    """Deliver without a report, as file runs do."""
    sender = mail.stream()
    parts = [*sender.add(enumerate(events)), *sender.flush()]
    return {
        (position, subscription): result
        for completions in parts
        for completion in completions
        for position, subscription, result in completion.each()
    }


def verdict(result: Result | None) -> tuple[str, str | None]:
    return type(result).__name__, getattr(result, "code", None)


def test_each_suggested_change_makes_the_event_match() -> None:
    """Uses subscriptions that are difficult to match."""
    chance = random.Random(6)  # noqa: S311 - the same events every time
    events = [made(chance) for _ in range(300)]
    chosen = [one for one in subscriptions() if one.name in {"S3", "S6", "S14", "S18", "S19"}]
    with opened(chosen) as mail:
        shown = trace_events(mail, events, mail.deliver(events))
    triggers = {one.name: one.trigger for one in mail.subscriptions}
    offered = 0
    for trace in shown:
        assert (trace.nearest is None) is any(
            subscription.matched for subscription in trace.subscriptions
        )
        if trace.nearest is not None:
            event = trace.event
            assert trace.nearest.changes
            for change in trace.nearest.changes:
                event = change.apply(event)
            assert triggers[trace.nearest.subscription].matches(event)
            offered += 1
    assert offered > 90


def subscription_of(trace: EventTrace, number: int = 0) -> dict[str, Any]:
    legs: list[dict[str, Any]] = trace.to_json()["legs"]
    return legs[number]


def test_a_field_shows_the_sources_of_its_value() -> None:
    """Includes the expression, whether it is the default, and the value at each path."""
    mapping = {"note": {"@template": "{{event}} of {{userId}}"}}
    with opened([Subscription(action="send", trigger='event = "E"', mapping=mapping)]) as mail:
        shown = subscription_of(
            trace_event(mail, {"event": "E", "properties": {"email": "a@b.test"}})
        )
    assert shown["mapping"] == [
        {
            "field": "to",
            "value": "a@b.test",
            "mapping": {"@path": "$.properties.email"},
            "isDefault": True,
            "sources": [{"path": "$.properties.email", "value": "a@b.test"}],
        },
        {
            "field": "total",
            "mapping": {"@path": "$.properties.total"},
            "isDefault": True,
            "sources": [{"path": "$.properties.total"}],
        },
        {
            "field": "note",
            "value": "E of ",
            "mapping": {"@template": "{{event}} of {{userId}}"},
            "isDefault": False,
            "sources": [{"path": "$.event", "value": "E"}, {"path": "$.userId"}],
        },
    ]


def test_problems_name_their_fields() -> None:
    """Covers an invalid payload, a failing mapping and a refused identifier."""
    with opened([Subscription(action="send", trigger='event = "E"')]) as mail:
        bad = subscription_of(trace_event(mail, {"event": "E", "properties": {"total": "many"}}))
        blocked = subscription_of(
            trace_event(mail, {"event": "E", "properties": {"email": "no@b.test"}})
        )
    assert [(one["field"], one["code"]) for one in bad["problems"]] == [
        ("to", "required"),
        ("total", "type"),
    ]
    assert bad["result"]["problems"] == [one["message"] for one in bad["problems"]]
    assert blocked["problems"] == [
        {"field": "", "code": "identifier", "message": "This recipient is blocked."}
    ]
    with opened([Subscription(action="send", trigger='event = "E"', mapping=MAPPINGS[4])]) as mail:
        failing = subscription_of(trace_event(mail, {"event": "E"}))
    assert [(one["field"], one["code"]) for one in failing["problems"]] == [("to", "mapping")]
    assert failing["result"]["message"] == failing["problems"][0]["message"]


def test_a_batch_names_its_peers() -> None:
    """Peers are listed by position, with the fields of the batch key."""
    chosen = [Subscription(action="send", trigger='event = "E"', mapping={"note": "n"})]
    events = [
        {"event": "E", "properties": {"email": f"{name}@b.test"}} for name in ("a", "b", "a", "no")
    ]
    with opened(chosen) as mail:
        shown = [
            subscription_of(trace) for trace in trace_events(mail, events, mail.deliver(events))
        ]
    batch = {"index": 0, "key": {"note": "n"}, "size": 2, "reason": "end"}
    assert [one["batch"] for one in shown] == [
        {**batch, "mates": [1], "others": 1},
        {**batch, "mates": [0], "others": 1},
        {**batch, "index": 1, "size": 1, "mates": [], "others": 0},
        None,
    ]
    assert [one["identifier"] for one in shown] == ["a@b.test", "b@b.test", "a@b.test", None]


def test_requests_are_shown_as_commands_and_without_secrets() -> None:
    """This includes secrets in values and keys of the event."""
    event = {"event": "E", KEY: KEY, "properties": {"email": "a@b.test"}, "userId": [KEY, 1]}
    with opened([Subscription(action="send", trigger='event = "E"')]) as mail:
        trace = trace_event(mail, event)
    assert KEY not in json.dumps(trace.to_json())
    assert trace.to_json()["event"] == {
        "event": "E",
        "<redacted>": "<redacted>",
        "properties": {"email": "a@b.test"},
        "userId": ["<redacted>", 1],
    }
    (exchange,) = subscription_of(trace)["exchanges"]
    assert exchange["curl"] == (
        "curl --request POST https://mail.test/send --header 'x-api-key: <redacted>' "
        "--header 'content-type: application/json' "
        """--data-raw '[{"to":"a@b.test","note":null}]'"""
    )


def test_the_nearest_subscription_in_words() -> None:
    """Shows the nearest subscription with its changes, if there are any."""
    near = Subscription(action="send", name="A", trigger="a = 1 and b = 2 and c = 3")
    far = Subscription(action="send", name="B", trigger="c = 4 and d = 5 and a = 1")
    with opened([far, near]) as mail:
        trace = trace_event(mail, {"a": 1, "b": 2}).nearest
    assert str(trace) == "Subscription `A` would match after this: Set `$.c` to 3."
    with opened([Subscription(action="send", name="A", trigger="a = 1 and a = 2")]) as mail:
        never = trace_event(mail, {"a": 1}).nearest
    assert str(never) == (
        "Subscription `A` is the closest. "
        "The trigger does not match: `a = 2` is not met (`a` is 1)."
    )
    with opened([Subscription(action="send", name="A", trigger='event = "Signed Up"')]) as mail:
        for found in ("signed up", " Signed  Up"):
            spelled = trace_event(mail, {"event": found}).nearest
            assert str(spelled) == (
                'Subscription `A` would match after this: Set `$.event` to "Signed Up". '
                f'The event has "{found}" there; capitals and spaces make a difference.'
            )
        other = trace_event(mail, {"event": "Signed In"}).nearest
        assert str(other).endswith('Set `$.event` to "Signed Up".')
    with opened([]) as mail:
        assert trace_event(mail, {}).to_json() == {
            "position": 0,
            "messageId": None,
            "event": {},
            "outcome": "skipped",
            "legs": [],
            "nearest": None,
            "deletion": None,
        }
