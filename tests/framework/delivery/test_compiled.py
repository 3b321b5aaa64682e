"""A subscription is compiled once, and whatever is wrong with it is said before the first event."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from framework.definition import (
    MATCHING_KEY,
    MAX_SUBSCRIPTIONS,
    SYNC_MODE_KEY,
    Action,
    Batching,
    Destination,
    Payload,
    Subscription,
    SyncMode,
    field,
)
from framework.delivery import CompiledSubscription
from framework.delivery.compiled import compile_subscriptions
from framework.delivery.prepare import prepare_event
from framework.errors import ConfigurationError
from framework.results import Failed, Skipped
from framework.testing import Harness
from tests.framework.delivery.bench import SEND, plugin, said


class Line(Payload):
    """One line, somewhere."""

    text: str = field("Text")
    number: float | None = field("Number")
    where: dict[str, Any] | None = field("Where")


LINE = Action(slug="line", title="Write a line", payload=Line)
MODED = replace(
    SEND, slug="moded", sync_mode=SyncMode(label="Mode", default="add", choices=("add", "delete"))
)
TARGET = Destination(slug="partner", name="Partner", actions=(SEND, LINE, MODED))


def routes(*subscriptions: Subscription) -> tuple[CompiledSubscription, ...]:
    return compile_subscriptions(TARGET, subscriptions)


def route(
    action: Any = "send", trigger: Any = 'type = "track"', **mapping: Any
) -> CompiledSubscription:
    (made,) = routes(Subscription(action=action, trigger=trigger, mapping=mapping))
    return made


def test_disabled_subscriptions_have_no_route() -> None:
    found = routes(
        Subscription(action="send", name="one"),
        Subscription(action="gone", name="two", enabled=False),
        Subscription(action="send"),
    )
    assert [(one.index, one.name) for one in found] == [(0, "one"), (1, "Send")]


def test_a_connection_has_a_limit_of_subscriptions() -> None:
    assert len(routes(*[Subscription(action="send")] * MAX_SUBSCRIPTIONS)) == 50
    with pytest.raises(ConfigurationError) as caught:
        routes(*[Subscription(action="send")] * 51)
    assert str(caught.value) == "A connection has at most 50 subscriptions, got 51."


def test_the_problems_of_all_subscriptions_are_told_together() -> None:
    with pytest.raises(ConfigurationError) as caught:
        routes(
            Subscription(action="sand", name="First"),
            Subscription(action="send"),
            Subscription(action="line"),
            Subscription(action="send", mapping={"text": {"@nope": 1}, "room": {"@path": 1}}),
            Subscription(action="send", trigger="type ="),
        )
    *told, trigger = caught.value.problems
    known = "Did you mean `send`? Known actions: line, moded, send."
    assert told == [
        f'Subscription 1 `First`: There is no action of partner "sand". {known}',
        "Subscription 3: A trigger is needed: action `line` has no default trigger.",
        "Subscription 4: /room/@path should be a string or a mapping directive but it is a number.",
        "Subscription 4: /text has an invalid directive: @nope.",
    ]
    assert trigger.startswith("Subscription 5: Expected a value after `=`")
    assert str(caught.value) == "\n".join(caught.value.problems)


def test_what_a_mapping_leaves_out_takes_the_default_mapping() -> None:
    made = route(text="fixed")
    assert prepare_event(made, said("hello", "r1")) == {"text": "fixed", "room": "r1"}


def test_a_subscription_may_replace_the_trigger() -> None:
    made = route(trigger='type = "page"')
    assert prepare_event(made, said()) == Skipped(
        "NOT_MATCHED", 'The trigger `type = "page"` does not match.'
    )
    assert prepare_event(route(trigger=None), said()) == {"text": "hello"}


def test_an_event_that_does_not_fit_fails_with_every_problem() -> None:
    made = route("line", number={"@path": "$.n"}, where="there")
    failed = prepare_event(made, {"type": "track", "n": "many"})
    number = "Field `number` of action `line` must be a number or null, got a string."
    text = "Field `text` of action `line` is required; nothing is mapped to it."
    where = "Field `where` of action `line` must be an object or null, got a string."
    problems = (number, text, where)
    assert failed == Failed(400, "PAYLOAD_VALIDATION_FAILED", " ".join(problems), problems=problems)


@pytest.mark.parametrize(
    ("mapping", "why"),
    [
        ({}, "its mapping `$.event` found nothing in the event."),
        ({"text": {"@if": {"exists": 1, "then": ""}}}, None),
    ],
)
def test_a_missing_value_is_explained_by_its_mapping(
    mapping: dict[str, Any], why: str | None
) -> None:
    failed = prepare_event(route(**mapping), {"type": "track"})
    assert isinstance(failed, Failed)
    why = why or 'its mapping `{"@if":{"exists":1,"then":""}}` found nothing in the event.'
    assert failed.message == f"Field `text` of action `send` is required; {why}"


@pytest.mark.parametrize(
    ("action", "mapped", "mode"),
    [
        ("moded", {}, "add"),
        ("moded", {SYNC_MODE_KEY: "delete"}, "delete"),
        ("send", {SYNC_MODE_KEY: "add"}, None),
        ("moded", {SYNC_MODE_KEY: "bogus"}, None),
        ("moded", {SYNC_MODE_KEY: None}, None),
        ("moded", {SYNC_MODE_KEY: ["add"]}, None),
        ("send", {SYNC_MODE_KEY: "mirror"}, None),
    ],
)
def test_the_sync_mode_is_one_that_exists(
    action: str, mapped: dict[str, Any], mode: str | None
) -> None:
    """A mode is taken as mapped where the action has modes; one that does not exist is none."""
    assert route(action, **mapped).sync_mode == mode


def test_a_sync_mode_outside_of_the_choices_is_refused() -> None:
    """As `actions validate` refuses it (AD508)."""
    with pytest.raises(ConfigurationError) as raised:
        route("moded", **{SYNC_MODE_KEY: "mirror"})
    text = 'Subscription 1: The sync mode must be one of add, delete, got "mirror".'
    assert raised.value.problems == (text,)


@pytest.mark.parametrize(
    ("mapped", "key"),
    [("email", "email"), ("", None), (None, None), (5, "5"), (True, "true"), (0, None)],
)
def test_the_matching_key_is_taken_from_the_mapping_as_text(mapped: Any, key: str | None) -> None:
    assert route(**{MATCHING_KEY: mapped}).matching_key == key


@pytest.mark.parametrize("key", ["onMappingSave", "retlOnMappingSave"])
def test_hook_outputs_are_taken_from_the_mapping(key: str) -> None:
    assert route(**{key: {"outputs": {"id": "7"}}}).hook_outputs == {key: {"id": "7"}}
    assert route().hook_outputs == {}


@pytest.mark.parametrize(
    ("mapping", "rules"),
    [
        ({}, SEND.batching),
        ({"enable_batching": True}, SEND.batching),
        ({"enable_batching": False}, Batching(keys=("room",), max_size=1)),
        ({"batch_size": 2}, Batching(keys=("room",), max_size=2)),
        ({"batch_size": 2_000}, Batching(keys=("room",), max_size=3)),
        ({"batch_size": 0}, SEND.batching),
        ({"batch_size": True}, SEND.batching),
        ({"batch_size": {"@path": "$.n"}}, SEND.batching),
        ({"batch_bytes": 500}, Batching(keys=("room",), max_size=3, max_bytes=500)),
        ({"batch_keys": ["room", "text", "nope"]}, Batching(keys=("room", "text"), max_size=3)),
    ],
)
def test_a_mapping_narrows_a_batch_and_never_widens_it(
    mapping: dict[str, Any], rules: Batching
) -> None:
    assert route(**mapping).batching == rules


def test_an_action_without_rules_knows_no_batches() -> None:
    assert route("line", text="x").batching == Batching(max_size=1)


@pytest.mark.parametrize(
    "mapping", [{MATCHING_KEY: "email"}, {"onMappingSave": {"id": 1}}, {SYNC_MODE_KEY: "delete"}]
)
def test_subscriptions_that_differ_in_their_context_share_no_lane(mapping: dict[str, Any]) -> None:
    """A call has one sync mode, one matching key and one set of hook outputs."""
    shared = replace(MODED, batching=Batching(lane="members"))
    target = replace(TARGET, actions=(shared,))
    plain, alike, other = compile_subscriptions(
        target, [Subscription(action="moded", mapping=one) for one in ({}, {}, mapping)]
    )
    assert plain.lane == alike.lane != other.lane


def test_without_a_lane_every_subscription_has_its_own() -> None:
    first, second = routes(Subscription(action="send"), Subscription(action="send"))
    assert first.lane != second.lane


UNKNOWN = [
    (
        'Subscription 1: There is no field of action `send` "rom". Did you mean `room`? '
        "Known fields: room, text."
    ),
    'Subscription 1: There is no field of action `send` "zzz". Known fields: room, text.',
]
ADDED_BY_SEGMENT = {
    "batch_bytes": 100,
    "batch_keys": ["room"],
    "batch_size": 10,
    "dynamicAuthSettings": {},
    "enable_batching": True,
    "onMappingSave": {},
    "retlOnMappingSave": {},
    "__segment_internal_sync_mode": "add",
    "__segment_internal_whatever": 1,
}


def test_fields_that_the_action_does_not_have_are_refused() -> None:
    """All are told, by a connection and by a harness; `text` is a field."""
    mapping = {"zzz": {"@path": "$.event"}, "rom": "x", "text": "x"}
    with pytest.raises(ConfigurationError) as raised:
        route("send", **mapping)
    assert [*raised.value.problems] == UNKNOWN
    with pytest.raises(ConfigurationError) as raised, _harness() as it:
        it.run_action("send", mapping=mapping)
    assert [*raised.value.problems] == UNKNOWN


@pytest.mark.parametrize("key", ADDED_BY_SEGMENT)
def test_what_segment_adds_to_mappings_is_no_field(key: str) -> None:
    assert route("send", **{key: ADDED_BY_SEGMENT[key]}).action is SEND


def test_an_action_without_fields_takes_any() -> None:
    """As a manifest without fields; a class without fields takes none."""
    free = Action(slug="free", title="Free", trigger='type = "track"', payload={})
    none = replace(free, payload=Payload)
    given = [Subscription(action="free", mapping={"anything": {"@path": "$.userId"}})]
    (made,) = compile_subscriptions(replace(TARGET, actions=(free,)), given)
    assert made.mapping.resolve({"userId": "u"}) == {"anything": "u"}
    with pytest.raises(ConfigurationError, match='no field of action `free` "anything"'):
        compile_subscriptions(replace(TARGET, actions=(none,)), given)


def _harness() -> Harness:
    return Harness(plugin(perform=lambda: None), {"key": "sesame"})
