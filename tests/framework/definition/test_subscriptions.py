"""The wire forms of subscriptions, and the subscriptions of presets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from framework.definition import (
    Action,
    Destination,
    Field,
    Preset,
    Subscription,
    preset_subscription,
    starting_subscriptions,
    subscription_from_wire,
    subscription_to_public_api,
    subscription_to_wire,
)
from framework.errors import ConfigurationError

MAPPING = {"email": {"@path": "$.userId"}, "__segment_internal_sync_mode": "add"}
PLAIN = Subscription(action="send", trigger='type = "track"', mapping=MAPPING, name="All")
WITH_ID = replace(PLAIN, id="7")
ENGINE = {
    "name": "All",
    "enabled": True,
    "partnerAction": "send",
    "subscribe": 'type = "track"',
    "mapping": MAPPING,
}
PUBLIC_API = {
    "name": "All",
    "enabled": True,
    "actionSlug": "send",
    "trigger": 'type = "track"',
    "settings": MAPPING,
}


@pytest.mark.parametrize(
    ("document", "subscription"),
    [
        (ENGINE, PLAIN),
        (PUBLIC_API, PLAIN),
        ({**ENGINE, "id": "7", "ActionID": "9", "destinationId": "d"}, WITH_ID),
        ({**ENGINE, "id": 7}, PLAIN),
        ({**ENGINE, "id": None}, PLAIN),
        ({"partnerAction": "send"}, Subscription(action="send")),
        (
            {"partnerAction": "send", "enabled": None, "mapping": None, "subscribe": None},
            Subscription(action="send"),
        ),
        (
            {"actionSlug": "send", "enabled": False, "subscribe": ""},
            Subscription(action="send", enabled=False),
        ),
    ],
)
def test_reading(document: Any, subscription: Subscription) -> None:
    """Both forms are read, also mixed; absent, null and empty values have no effect."""
    assert subscription_from_wire(document) == subscription


@pytest.mark.parametrize(
    "subscription", [PLAIN, WITH_ID, Subscription(action="send", enabled=False)]
)
def test_what_is_written_is_read_again(subscription: Subscription) -> None:
    assert subscription_from_wire(subscription_to_wire(subscription)) == subscription
    assert subscription_from_wire(subscription_to_public_api(subscription)) == subscription


def test_writing() -> None:
    assert subscription_to_wire(PLAIN) == ENGINE
    assert subscription_to_public_api(PLAIN) == PUBLIC_API
    assert "subscribe" not in subscription_to_wire(Subscription(action="send"))


@pytest.mark.parametrize(
    ("document", "problems"),
    [
        (None, ["`/` must be an object, got null."]),
        ({}, ["`/partnerAction` is required."]),
        ({"partnerAction": 5}, ["`/partnerAction` must be a string, got 5."]),
        (
            {"partnerAction": "a", "actionSlug": "a"},
            ["`/actionSlug` duplicates `/partnerAction`. Keep one of them."],
        ),
        (
            {"actionSlug": "a", "enabled": "yes", "trigger": 1, "settings": [], "name": False},
            [
                '`/enabled` must be true or false, got "yes".',
                "`/name` must be a string, got false.",
                "`/settings` must be an object, got a list.",
                "`/trigger` must be a string, got 1.",
            ],
        ),
    ],
)
def test_invalid_subscriptions(document: Any, problems: list[str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        subscription_from_wire(document)
    assert list(caught.value.problems) == problems
    assert str(caught.value) == "\n".join(problems)


def test_a_subscription_is_not_nested_without_end() -> None:
    mapping: Any = {}
    for _ in range(5000):
        mapping = {"a": mapping}
    with pytest.raises(ConfigurationError) as caught:
        subscription_from_wire({"partnerAction": "a", "mapping": mapping})
    assert str(caught.value) == "`/` is nested more than 100 levels deep."


def test_a_new_connection_starts_with_the_automatic_presets() -> None:
    wanted = Preset(name="All", action="send", trigger='type = "track"', mapping={"a": 1})
    later = Preset(name="Row", action="send", kind="specificEvent", event_slug="row_added")
    destination = Destination(
        slug="d",
        name="D",
        actions=(Action(slug="send", title="Send", payload={"a": Field("A")}),),
        presets=(wanted, later),
    )
    expected = Subscription(name="All", action="send", trigger='type = "track"', mapping={"a": 1})
    assert starting_subscriptions(destination) == (expected,)
    assert preset_subscription(later) == Subscription(name="Row", action="send")
