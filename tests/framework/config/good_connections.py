"""Valid connection files, and mutations that a check must find in their lines."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import destinations.criteo_audiences
from framework.definition import Destination, from_manifest
from framework.linting import MANIFEST
from framework.plugins import open_plugin

Place = tuple[str | int, ...]
Document = dict[str, Any]

ENVIRONMENT = {"KEY": "sesame", "SECRET": "s3cret"}


def _field(kind: str = "string", **options: Any) -> dict[str, Any]:
    return {"label": kind, "description": "", "type": kind, **options}


WEBHOOK = {
    "slug": "webhook",
    "name": "Webhook",
    "mode": "cloud",
    "authentication": {"scheme": "custom", "fields": {"secret": _field("password", required=True)}},
    "actions": {
        "send": {
            "title": "Send",
            "description": "",
            "fields": {
                "url": _field(required=True, format="uri"),
                "method": _field(required=True, choices=["POST", "PUT", "PATCH"], default="POST"),
                "data": _field("object", default={"@path": "$.properties"}),
                "retries": _field("integer", minimum=0, maximum=9),
                "signed": _field("boolean"),
            },
        }
    },
}
CRM = {
    "slug": "crm",
    "name": "CRM",
    "mode": "cloud",
    "authentication": {
        "scheme": "oauth2",
        "fields": {
            "region": _field(required=True, choices=["eu", "us"]),
            "debug": _field("boolean"),
        },
    },
    "actions": {
        "upsertContact": {
            "title": "Upsert contact",
            "description": "",
            "fields": {
                "external_id": _field(required=True),
                "email": _field(format="email"),
                "joined": _field("datetime"),
                "score": _field("number"),
                "tags": _field(multiple=True),
                "address": _field(
                    "object",
                    properties={"city": _field(required=True), "country": _field()},
                ),
            },
        },
        "order": {
            "title": "Order",
            "description": "",
            "fields": {
                "order_id": _field(required=True),
                "total": _field("number", required=True),
                "currency": _field(choices=["EUR", "USD", "NOK"]),
                "note": _field("text"),
            },
        },
    },
}
DESTINATIONS: dict[str, Destination] = {
    each.slug: each
    for each in (
        from_manifest(MANIFEST),
        from_manifest(WEBHOOK),
        from_manifest(CRM),
        open_plugin(destinations.criteo_audiences).definition,
    )
}
_SETTINGS: dict[str, Document] = {
    "letters": {"office": "https://letters.example", "key": "${env:KEY}", "region": "north"},
    "webhook": {"secret": "${env:SECRET}"},
    "crm": {"region": "eu", "debug": False},
    "actions-criteo-audiences": {
        "advertiser_id": "12345", "client_id": "${env:KEY}", "client_secret": "${env:SECRET}",
        "api_version": "2026-07",
    },
}  # fmt: skip
_TRIGGERS = (
    'type = "track" and event = "Order Completed"',
    'type = "track"',
    'event = "Audience Entered" or event = "Audience Exited"',
    'type = "track" and properties.total > 100',
    'type in ["track", "page"] and userId != null',
    'type = "track" and !contains(event, "Test")',
)
_MAPPINGS: dict[str, list[dict[str, Any]]] = {
    "sendLetter": [
        {"address": {"@path": "$.context.traits.email"}, "text": "Hello", "copies": 2},
        {"address": "a@b.example", "text": {"@template": "To {{context.traits.firstName}}"},
         "paper": "fine", "seal": "red"},
        {"address": {"@if": {"exists": {"@path": "$.properties.email"},
                             "then": {"@path": "$.properties.email"},
                             "else": {"@path": "$.context.traits.email"}}},
         "text": {"@path": "$.properties.coupon"}, "paper": "plain"},
    ],
    "send": [
        {"url": "https://x.example/in", "method": "PUT", "retries": 3, "signed": True},
        {"url": {"@path": "$.context.page.url"}, "method": "POST",
         "data": {"id": {"@path": "$.messageId"}, "who": {"@path": "$.userId"}}},
        {"url": "https://x.example", "method": "PATCH",
         "data": {"@merge": {"direction": "right", "objects": [{"@path": "$.properties"}]}}},
    ],
    "upsertContact": [
        {"external_id": {"@path": "$.userId"}, "email": {"@path": "$.context.traits.email"},
         "joined": {"@path": "$.timestamp"}, "score": 5},
        {"external_id": {"@path": "$.anonymousId"}, "tags": ["new"],
         "address": {"city": {"@path": "$.context.traits.address"}, "country": "NO"}},
        {"external_id": {"@path": "$.userId"}, "score": {"@path": "$.properties.value"},
         "email": {"@case": {"operator": "lower", "value": {"@path": "$.properties.email"}}}},
    ],
    "order": [
        {"order_id": {"@path": "$.properties.order_id"}, "total": {"@path": "$.properties.total"},
         "currency": "EUR", "note": {"@template": "Coupon {{properties.coupon}}"}},
        {"order_id": {"@path": "$.messageId"}, "total": {"@path": "$.properties.revenue"},
         "note": {"@json": {"mode": "encode", "value": {"@path": "$.properties.products"}}}},
    ],
    "addUserToAudience": [
        {"audience_key": {"@path": "$.properties.audience_key"},
         "email": {"@path": "$.context.traits.email"}, "hash_emails": True},
        {"contact_list_id": "123", "email": {"@path": "$.properties.email"},
         "email_form": "sha256"},
        {"audience_key": "spring", "identifier_type": "madid",
         "identifier": {"@path": "$.context.device.advertisingId"}},
    ],
}  # fmt: skip


def good_connections(count: int) -> Iterator[Document]:
    """Yield valid connection documents, of all destinations in turn."""
    actions = [
        (slug, action.slug)
        for slug, each in DESTINATIONS.items()
        for action in each.actions
        if action.slug in _MAPPINGS
    ]
    for number in range(count):
        slug, action = actions[number % len(actions)]
        variants = _MAPPINGS[action]
        mapping = variants[(number // len(actions)) % len(variants)]
        yield {
            "destination": slug,
            "name": f"Connection {number}",
            "settings": copy.deepcopy(_SETTINGS[slug]),
            "subscriptions": [
                {
                    "name": "First",
                    "partnerAction": action,
                    "subscribe": _TRIGGERS[number % len(_TRIGGERS)],
                    "mapping": copy.deepcopy(mapping),
                }
            ],
        }


# Writing, a line for each key


def write(value: Any, indent: int = 0) -> Iterator[str]:
    """Yield the lines of a document, with each key on its own."""
    for key, inner in value.items():
        head = f"{' ' * indent}{json.dumps(key) if key[:1] == '@' else key}:"
        if isinstance(inner, dict) and inner:
            yield head
            yield from write(inner, indent + 2)
        elif isinstance(inner, list) and inner and isinstance(inner[0], dict):
            yield head
            for item in inner:
                first, *others = write(item, indent + 4)
                yield f"{' ' * (indent + 2)}- {first.strip()}"
                yield from others
        else:
            yield f"{head} {json.dumps(inner, ensure_ascii=False)}"


def lines_of(document: Document, place: Place) -> range:
    """Return the lines of a position in a document, counted from 1."""
    value: Any = document
    start = 0
    for part in place:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        start += 1 if isinstance(value, dict) else 0
        for key, inner in items:
            if key == part:
                value = inner
                break
            start += _height(inner, in_list=isinstance(value, list))
    return range(start, start + max(_height(value, in_list=isinstance(place[-1], int)), 1))


def _height(value: Any, *, in_list: bool) -> int:
    """Count the lines of a value, that of its key included."""
    own = 0 if in_list else 1
    if isinstance(value, dict) and value:
        return own + sum(_height(inner, in_list=False) for inner in value.values())
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return own + sum(_height(inner, in_list=True) for inner in value)
    return max(own, 1)


# Mutations


@dataclass(frozen=True)
class Mutation:
    """A document with one mutation of a *kind*, and its position."""

    kind: str
    document: Document
    place: Place


def mutate(random: Random, document: Document, kind: str) -> Mutation | None:
    """Return the document with a mutation of a kind; None if it is not applicable."""
    changed = copy.deepcopy(document)
    place = _MUTATIONS[kind](random, changed)
    return None if place is None else Mutation(kind, changed, place)


SUBSCRIPTION: Place = ("subscriptions", 0)
MAPPING: Place = (*SUBSCRIPTION, "mapping")


def _at(document: Document, place: Place) -> Any:
    value: Any = document
    for part in place:
        value = value[part]
    return value


def _walk(value: Any, place: Place) -> Iterator[tuple[Place, Any]]:
    yield place, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(
        value, list) else ()  # fmt: skip
    for key, inner in items:
        yield from _walk(inner, (*place, key))


def _typo(random: Random, word: str) -> str:
    """Add a typing error to a word: swap two letters, omit one, or repeat one."""
    letters = [i for i in range(1, len(word) - 1) if word[i].isalpha() and word[i + 1].isalpha()]
    letters = [i for i in letters if word[i] != word[i + 1]] or [1]
    i = random.choice(letters)
    return random.choice(
        (
            word[:i] + word[i + 1] + word[i] + word[i + 2 :],
            word[:i] + word[i + 1 :],
            word[:i] + word[i] + word[i:],
        )
    )


def _in_path(random: Random, document: Document) -> Place | None:
    found = [
        (place, value)
        for place, value in _walk(_at(document, MAPPING), MAPPING)
        if place[-1] == "@path"
    ]
    if not found:
        return None
    place, text = random.choice(found)
    parts = text.removeprefix("$.").split(".")
    long = [i for i, part in enumerate(parts) if len(part) > 3]
    index = random.choice(long)
    parts[index] = _typo(random, parts[index])
    _at(document, place[:-1])["@path"] = "$." + ".".join(parts)
    return place


def _rename(owner: dict[str, Any], old: str, new: str) -> None:
    items = list(owner.items())
    owner.clear()
    owner.update({(new if key == old else key): value for key, value in items})


def _in_field(random: Random, document: Document) -> Place | None:
    mapping = _at(document, MAPPING)
    key = random.choice([key for key in mapping if len(key) > 3] or list(mapping))
    new = _typo(random, key)
    _rename(mapping, key, new)
    return (*MAPPING, new)


def _in_directive(random: Random, document: Document) -> Place | None:
    found = [
        place
        for place, _ in _walk(_at(document, MAPPING), MAPPING)
        if isinstance(place[-1], str) and place[-1][:1] == "@"
    ]
    if not found:
        return None
    place = random.choice(found)
    name = str(place[-1])
    new = "@" + _typo(random, name[1:])
    _rename(_at(document, place[:-1]), name, new)
    return (*place[:-1], new)


_WRONG: dict[str, Any] = {
    "string": {"a": 1},
    "text": {"a": 1},
    "number": "many",
    "integer": "many",
    "boolean": "perhaps",
    "datetime": "someday",
    "object": "text",
}


def _in_type(random: Random, document: Document) -> Place | None:
    action = DESTINATIONS[document["destination"]].action(
        document["subscriptions"][0]["partnerAction"]
    )
    mapping = _at(document, MAPPING)
    key = random.choice([key for key in mapping if not action.fields[key].multiple])
    mapping[key] = copy.deepcopy(_WRONG[action.fields[key].type])
    return (*MAPPING, key)


def _without_required(random: Random, document: Document) -> Place | None:
    target = DESTINATIONS[document["destination"]]
    action = target.action(document["subscriptions"][0]["partnerAction"])
    mapping, settings = _at(document, MAPPING), document["settings"]
    places: list[Place] = [
        (*MAPPING, key)
        for key in mapping
        if action.fields[key].required is True and key not in action.default_mapping
    ]
    places += [
        ("settings", key)
        for key in settings
        if target.settings_fields[key].required is True and len(settings) > 1
    ]
    places.append((*SUBSCRIPTION, "partnerAction"))
    place = random.choice(places)
    del _at(document, place[:-1])[place[-1]]
    return SUBSCRIPTION if place[0] == "subscriptions" else ("settings",)


def _in_trigger(random: Random, document: Document) -> Place | None:
    place = (*SUBSCRIPTION, "subscribe")
    text = _at(document, place)
    ways: list[Callable[[str], str]] = [
        lambda text: text.replace("=", "==", 1),
        lambda text: text + " and event =",
        lambda text: "(" + text,
        lambda text: text.replace('"', "", 1),
        lambda text: text.replace("type", "tpye", 1),
        lambda text: text.replace('"track"', '"trak"', 1),
        lambda text: text + ' and type = "identify" and type = "page"',
    ]
    document["subscriptions"][0]["subscribe"] = random.choice(
        [way(text) for way in ways if way(text) != text]
    )
    return place


def _in_choice(random: Random, document: Document) -> Place | None:
    target = DESTINATIONS[document["destination"]]
    action = target.action(document["subscriptions"][0]["partnerAction"])
    mapping, settings = _at(document, MAPPING), document["settings"]
    places: list[Place] = [
        *((*MAPPING, key) for key in mapping if action.fields[key].choices),
        *(("settings", key) for key in settings if target.settings_fields[key].choices),
    ]
    if not places:
        return None
    place = random.choice(places)
    _at(document, place[:-1])[place[-1]] = "something else"
    return place


def _in_reference(random: Random, document: Document) -> Place | None:
    places: list[tuple[Place, str]] = [
        (("settings", key), random.choice(("${env:NOT_SET}", "${vault:key}", "${file:no-such}")))
        for key, value in document["settings"].items()
        if "${" in str(value)
    ]
    action = document["subscriptions"][0]["partnerAction"]
    places += [
        (("destination",), _typo(random, document["destination"])),
        ((*SUBSCRIPTION, "partnerAction"), _typo(random, action)),
    ]
    place, value = random.choice(places)
    _at(document, place[:-1])[place[-1]] = value
    return place


_MUTATIONS: dict[str, Callable[[Random, Document], Place | None]] = {
    "path": _in_path,
    "field": _in_field,
    "directive": _in_directive,
    "type": _in_type,
    "required": _without_required,
    "trigger": _in_trigger,
    "choice": _in_choice,
    "reference": _in_reference,
}
KINDS = tuple(_MUTATIONS)
