"""Sync mode and matching key: beside a mapping, and in it as Segment writes them."""

from __future__ import annotations

from typing import Any

import pytest

from framework import Action, ConfigurationError, DefinitionError, Payload, Subscription, field
from framework.definition import (
    MATCHING_KEY,
    SYNC_MODE_KEY,
    Destination,
    SyncMode,
    from_manifest,
    subscription_from_wire,
    subscription_to_wire,
    to_manifest,
)
from framework.delivery import compile_subscriptions


class Row(Payload):
    """One row."""

    email: str | None = field("Email")
    phone: str | None = field("Phone")


ACTION = Action(
    slug="row",
    title="Row",
    trigger='type = "track"',
    payload=Row,
    sync_mode=SyncMode(label="Sync", default="upsert", choices=("upsert", "delete")),
    matching_keys=("email", "phone"),
)
CRM = Destination(slug="crm", name="CRM", actions=(ACTION,))
IN_MAPPING = {SYNC_MODE_KEY: "delete", MATCHING_KEY: "email"}


def test_both_forms_are_one_subscription() -> None:
    beside = Subscription(action="row", sync_mode="delete", matching_key="email")
    inside = Subscription(action="row", mapping=IN_MAPPING)
    assert beside == inside
    assert (inside.sync_mode, inside.matching_key) == ("delete", "email")
    assert beside.mapping == IN_MAPPING
    wire = subscription_to_wire(beside)
    assert wire["mapping"] == IN_MAPPING
    assert subscription_from_wire(wire) == beside
    named = {"partnerAction": "row", "syncMode": "delete", "matchingKey": "email"}
    assert subscription_from_wire(named) == beside


def test_two_different_ones_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="holds the sync mode 'delete'"):
        Subscription(action="row", mapping=IN_MAPPING, sync_mode="upsert")


def test_hooks_get_them() -> None:
    (one,) = compile_subscriptions(CRM, [Subscription(action="row", mapping=IN_MAPPING)])
    assert (one.sync_mode, one.matching_key) == ("delete", "email")
    (one,) = compile_subscriptions(CRM, [Subscription(action="row")])
    assert (one.sync_mode, one.matching_key) == ("upsert", None)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"sync_mode": "mirror"}, "The sync mode must be one of upsert, delete"),
        ({"matching_key": "name"}, 'The matching key must be one of email, phone, got "name"'),
    ],
)
def test_others_than_the_action_has_are_refused(options: Any, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        compile_subscriptions(CRM, [Subscription(action="row", **options)])


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"matching_keys": ("fax",)}, "`matching_keys` names the unknown field `fax`"),
        (
            {"sync_mode": SyncMode(label="S", default="add", choices=("delete",))},
            "The default `add` of its sync mode is not among the choices: delete",
        ),
    ],
)
def test_an_action_is_checked(options: Any, problem: str) -> None:
    with pytest.raises(DefinitionError, match=problem):
        Action(slug="a", title="A", payload=Row, **options)


def test_a_manifest_holds_the_matching_keys() -> None:
    document = to_manifest(CRM)
    assert document["actions"]["row"]["matchingKeys"] == ["email", "phone"]
    assert from_manifest(document).actions[0].matching_keys == ("email", "phone")
