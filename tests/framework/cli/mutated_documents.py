"""Documents that are right, and the same with one or two things changed at any place."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

Document = dict[str, Any]
Place = tuple[str | int, ...]

GOOD: tuple[Document, ...] = (
    {
        "destination": "depot",
        "name": "Deliveries",
        "settings": {"site": "north", "key": "${env:DEPOT_KEY}", "attempts": 2},
        "subscriptions": [
            {
                "name": "Orders",
                "partnerAction": "deliver",
                "subscribe": 'type = "track" and event = "Order Completed"',
                "mapping": {
                    "email": {"@path": "$.context.traits.email"},
                    "weight": 2.5,
                    "due": "2026-03-05",
                    "tags": ["new", {"@path": "$.properties.tag"}],
                    "boxes": {
                        "@arrayPath": [
                            "$.properties.products",
                            {"sku": {"@path": "$.sku"}, "amount": {"@path": "$.quantity"}},
                        ]
                    },
                    "address": {"town": {"@template": "{{context.location.city}}"}},
                },
            },
            {
                "partnerAction": "visit",
                "subscribe": 'type = "page"',
                "mapping": {"__segment_internal_sync_mode": "update", "batch_size": 5},
            },
        ],
    },
    {
        "destination": "depot",
        "settings": {"site": "south", "key": "${env:DEPOT_KEY}"},
        "delivery": {"tries": 2, "time_limit": "5s", "rate_share": 0.5, "proxy": "none"},
        "subscriptions": [{"partnerAction": "deliver"}],
    },
    {
        "destination": "depot",
        "enabled": True,
        "settings": {"site": "south", "key": "${env:DEPOT_KEY}"},
        "subscriptions": [
            {
                "actionSlug": "deliver",
                "trigger": 'type in ["track", "screen"] and properties.total > 10',
                "settings": {
                    "lane": {
                        "@if": {
                            "exists": {"@path": "$.properties.lane"},
                            "then": {"@path": "$.properties.lane"},
                            "else": "night",
                        }
                    },
                    "extra": {
                        "@merge": {
                            "direction": "right",
                            "objects": [{"@path": "$.properties"}, {"kept": True}],
                        }
                    },
                    "express": {"@path": "$.properties.express"},
                },
                "enabled": True,
            }
        ],
    },
)
TESTS: Document = {
    "connection": "depot.connection.json",
    "environment": {"DEPOT_KEY": "sesame"},
    "tests": [
        {
            "name": "An order is delivered",
            "events": [{"type": "track", "event": "Order Completed", "messageId": "m1"}],
            "expect": [{"Orders": {"payload": {"order": "m1"}}}],
            "calls": [{"method": "POST", "url": "https://depot.example/Delivery"}],
        }
    ],
}
"""A file of mapping tests."""


def _deep(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


STRANGE: tuple[Any, ...] = (
    None, True, False, 0, -1, 2.5, 10**30, "", "x", "add", "mirror", "deliver", "a\x00b",
    "$.properties.a", "context.traits.email", "{{properties.a}}", "${env:NO_SUCH}", "${vault:x}",
    [], {}, ["x"], [{}], [None], {"a": 1}, {"@path": "$.properties.a"}, {"@pth": "$.a"},
    {"@path": 5}, {"@path": "$.a", "b": 1}, {"@if": {}}, {"@merge": {"objects": 3}},
    {"@template": "{{properties.a}}"}, {"@liquid": "{% x"}, {"@case": {"operator": "title"}},
    'type = "track"', 'type = "trak"', "type ==", "all", 'event.name = "x"', "2026-02-30",
    _deep(40), _deep(70),
)  # fmt: skip
NAMES = (
    "destination", "settings", "subscriptions", "mapping", "subscribe", "trigger", "enabled",
    "name", "partnerAction", "actionSlug", "site", "order", "email", "wieght", "@path", "@if", "x",
    "__segment_internal_sync_mode", "__segment_internal_directive", "batch_keys", "batch_size",
    "enable_batching", "onMappingSave", "_metadata", "$schema", "id", "tests", "events", "expect",
)  # fmt: skip


def mutated(random: Random, document: Document) -> str:
    """Return the text of a document with one to three changes, as JSON."""
    changed: Any = copy.deepcopy(document)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        holders = [each for each in _holders(changed) if each]
        if holders:
            random.choice(_CHANGES)(random, random.choice(holders))
    text = json.dumps(changed)
    return _with_twin(random, text) if random.random() < 0.05 else text


def _holders(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _holders(inner)


def _key(random: Random, holder: Any) -> Any:
    return random.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))


def _replace(random: Random, holder: Any) -> None:
    holder[_key(random, holder)] = copy.deepcopy(random.choice(STRANGE))


def _remove(random: Random, holder: Any) -> None:
    del holder[_key(random, holder)]


def _rename(random: Random, holder: Any) -> None:
    if isinstance(holder, dict):
        holder[random.choice(NAMES)] = holder.pop(_key(random, holder))


def _add(random: Random, holder: Any) -> None:
    value = copy.deepcopy(random.choice(STRANGE))
    if isinstance(holder, dict):
        holder[random.choice(NAMES)] = value
    else:
        holder.append(value)


def _wrap(random: Random, holder: Any) -> None:
    key = _key(random, holder)
    holder[key] = random.choice(([holder[key]], {random.choice(NAMES): holder[key]}))


def _repeat(random: Random, holder: Any) -> None:
    if isinstance(holder, list):
        holder.append(copy.deepcopy(holder[_key(random, holder)]))


def _misspell(random: Random, holder: Any) -> None:
    key = _key(random, holder)
    text = holder[key]
    if isinstance(text, str) and text:
        place = random.randrange(len(text))
        holder[key] = (
            text[:place] + random.choice(("", "x", "=", '"', "\\", " ")) + text[place + 1 :]
        )


def _with_twin(random: Random, text: str) -> str:
    """Give an object of the text a key twice."""
    place = random.choice([i for i, char in enumerate(text) if char == "{"])
    name = json.dumps(random.choice(NAMES))
    return f"{text[: place + 1]}{name}: 1, {name}: 2, {text[place + 1 :]}"


_CHANGES: tuple[Callable[[Random, Any], None], ...] = (
    _replace, _replace, _replace, _remove, _rename, _add, _add, _wrap, _repeat, _misspell,
)  # fmt: skip
