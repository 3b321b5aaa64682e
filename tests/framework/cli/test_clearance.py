"""Files that are not checked in full have no findings that a command would show."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest

import destinations.criteo_audiences
from framework.cli.clearance import is_plain
from framework.config import parse_connection
from framework.definition import Action, Batching, Destination, Field
from framework.linting import check, model_from_spec
from framework.plugins import open_plugin

ROOT = Path(__file__).parents[3]
CRITEO = open_plugin(destinations.criteo_audiences).definition
ENVIRONMENT = {"CRITEO_CLIENT_ID": "a", "CRITEO_CLIENT_SECRET": "b"}
CREDENTIALS = {
    "client_id": "${env:CRITEO_CLIENT_ID}",
    "client_secret": "${env:CRITEO_CLIENT_SECRET}",
}
SETTINGS = {"advertiser_id": "12345", **CREDENTIALS}

PATHS = (
    "$.properties.a", "$.properties.email", "$.traits.email", "$.context.traits.email", "$.userId",
    "$.context", "$.context.page.url", "$.event", "$.name", "$.groupId", "$.no.such", "$.messageId",
    "$.properties", "$.timestamp", "$.properties.phone_sha256", "$.properties['a.b']",
)  # fmt: skip
KINDS = ("string", "integer", "number", "boolean", "datetime", "object")
TRIGGERS = (
    'type = "track"', 'type = "identify"', 'type = "page"', 'type = "group"', 'type = "trak"',
    'type = "track" and event = "A"', 'type = "track" and event = "B"', 'event = "A"',
    'type = "identify" and event = "A"', 'type = "track" and event = "A" and event = "B"',
    'type = "track" and properties.total > 5', 'type = "track" and userId = "u"',
    'type = "delete"',
    'type = "track" and event.name = "A"', 'type = "page" and name = "A"', "type != null",
    "type ==",
)  # fmt: skip


def findings(document: Mapping[str, Any], destination: Destination) -> tuple[bool, list[str]]:
    """Return whether a document is plain, and the errors and warnings of the full check."""
    reading = parse_connection(json.dumps(document), "c.json", Path(), ENVIRONMENT)
    plain = reading.connection is not None and not reading.diagnostics
    plain = plain and is_plain(reading.connection, destination)  # type: ignore[arg-type]
    found = check(reading, {destination.slug: destination}, model_from_spec())
    return plain, [str(each) for each in found if each.severity != "hint" and each.code != "AD305"]


def subscriptions(*triggers: str, **mapping: Any) -> list[dict[str, Any]]:
    actions = ("addUserToAudience", "removeUserFromAudience")
    return [
        {"partnerAction": action, "subscribe": trigger, "mapping": mapping}
        for action, trigger in zip(actions, triggers, strict=False)
    ]


def connection(**changes: Any) -> dict[str, Any]:
    entered, left = (
        f'type = "track" and event = "Audience {word}"' for word in ("Entered", "Exited")
    )
    made = {
        "destination": CRITEO.slug,
        "settings": SETTINGS,
        "subscriptions": subscriptions(entered, left),
    }
    return {**made, **changes}


def test_usual_files_are_plain() -> None:
    """So that a run of them starts without loading the checks."""
    example = (ROOT / "examples" / "criteo" / "criteo.connection.yaml").read_text(encoding="utf-8")
    reading = parse_connection(example, "c.yaml", Path(), ENVIRONMENT)
    assert reading.connection is not None
    assert is_plain(reading.connection, CRITEO)
    assert findings(connection(), CRITEO) == (True, [])


ENTERED, LEFT = 'type = "track" and event = "A"', 'type = "track" and event = "B"'


@pytest.mark.parametrize(
    "changes",
    [
        {"settings": {**SETTINGS, "advertiser": "1"}},
        {"settings": {**SETTINGS, "advertiser_id": "x"}},
        {"settings": CREDENTIALS},
        {"subscriptions": subscriptions(ENTERED, ENTERED)},
        {"subscriptions": subscriptions(ENTERED, 'type = "track"')},
        {"subscriptions": subscriptions('type = "trak"', LEFT)},
        {"subscriptions": subscriptions(ENTERED, LEFT, email="$.userId")},
        {"subscriptions": subscriptions(ENTERED, LEFT, emial=True)},
        {"subscriptions": subscriptions(ENTERED, LEFT, email=5)},
        {"subscriptions": subscriptions(ENTERED, LEFT, enable_batching=False)},
        {"subscriptions": subscriptions(ENTERED, LEFT, gum_caller_id={"@path": "$.userId"})},
        {"subscriptions": [{"partnerAction": "addUser"}]},
        {"subscriptions": [{**subscriptions(ENTERED)[0], "enabled": False}]},
    ],
)
def test_other_files_are_checked(changes: dict[str, Any]) -> None:
    plain, _ = findings(connection(**changes), CRITEO)
    assert not plain


def random_destination(random: Random) -> Destination:
    def field() -> Field:
        path = {"@path": random.choice(PATHS)} if random.random() < 0.8 else None
        kind = random.choice(KINDS)
        required = random.random() < 0.4
        return Field(type=kind, mapping=path, required=required)  # type: ignore[arg-type]

    actions = tuple(
        Action(
            slug=slug,
            title=slug,
            trigger=random.choice(TRIGGERS[:7]),
            payload={"a": field(), random.choice(("b", "hash_it", "email")): field()},
            batching=random.choice((None, Batching(keys=("a",), lane="one"), Batching())),
        )
        for slug in ("addUser", "removeUser")
    )
    return Destination(slug="made", name="Made", actions=actions)


def test_a_plain_file_has_neither_errors_nor_warnings() -> None:
    """Random destinations and files; enough of them are plain."""
    random = Random(7)  # noqa: S311 - for tests, not for secrets
    plain_ones = 0
    for _ in range(1_500):
        destination = random_destination(random)
        listed = []
        for slug in random.sample(("addUser", "removeUser"), random.choice((1, 2))):
            item: dict[str, Any] = {"partnerAction": slug}
            if random.random() < 0.7:
                item["subscribe"] = random.choice(TRIGGERS)
            if random.random() < 0.3:
                item["mapping"] = {
                    random.choice(("a", "b", "hash_it")): random.choice((True, 5, 0))
                }
            listed.append(item)
        document = {"destination": "made", "subscriptions": listed}
        plain, found = findings(document, destination)
        plain_ones += plain
        assert not (plain and found), (document, destination, found)
    assert plain_ones > 50
