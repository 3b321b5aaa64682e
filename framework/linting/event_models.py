"""Which events there may be: the Segment spec, a JSON Schema, or a sample, as types.

The spec is an open world: what customers put into `properties`, `traits` and `context` is theirs,
so a key that is not known there may hold anything. Samples and closed schemas know all keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Final

from framework.linting.value_types import (
    ANYTHING,
    NOTHING,
    Members,
    Text,
    Type,
    constant,
    doubtful,
    join,
    optional,
    type_of,
)
from framework.paths import JSON, Event

EVENT_TYPES: Final = ("track", "identify", "page", "screen", "group", "alias")
"""The types of events that the spec knows."""

MAX_LEVELS: Final = 16
"""How deep the types of samples and schemas go; below that, anything may be."""

_ID: Final = Type(text=Text(filled=True))
_MAYBE_ID: Final = Type(missing=True, null=True, text=Text())
_TEXT: Final = Type(missing=True, null=True, text=Text())
_MOMENT: Final = Type(missing=True, text=Text("date-time", filled=True))


@dataclass(frozen=True, slots=True)
class EventModel:
    """Which events there may be.

    *whole* is the type of them all; *origin* names where that is known from; *sample* holds the
    events that it is made of, where it is made of events. *words* are the names of keys that are
    often used in an open object, by the path of the object: a name that is nearly one of them is
    probably a slip.
    """

    whole: Type
    origin: str = "the spec"
    words: Mapping[tuple[str, ...], frozenset[str]] = field(default_factory=dict)
    sample: tuple[Event, ...] = field(default=(), repr=False)

    @property
    def is_sample(self) -> bool:
        """Whether it is made of a sample of events, so that others may come too."""
        return bool(self.sample)

    def knowing(self, words: Mapping[tuple[str, ...], Iterable[str]]) -> EventModel:
        """Give the world in which more names are often used."""
        keys = {**self.words, **words}
        return replace(
            self, words={k: self.words.get(k, frozenset()) | {*words.get(k, ())} for k in keys}
        )


def spec_world(types: Iterable[str] = EVENT_TYPES) -> EventModel:
    """Give the events of the spec that have one of *types*."""
    return _spec_world(frozenset(types))


@cache
def _spec_world(types: frozenset[str]) -> EventModel:
    chosen = [each for each in EVENT_TYPES if each in types] or list(EVENT_TYPES)
    return EventModel(join(*map(event_type, chosen)), words=_WORDS)


@cache
def event_type(name: str) -> Type:
    """Give the type of the spec's events of one type (Engage's and reverse ETL's among them)."""
    known = {**_common(), "type": constant(name), **_OWN[name]()}
    return Type(members=Members(known, NOTHING))


def schema_world(schema: Mapping[str, Any]) -> EventModel:
    """Give the events that a JSON Schema describes; a keyword that is not known allows anything."""
    return EventModel(replace(_from_schema(schema, schema, 0), missing=False), "the schema")


def sample_world(events: Iterable[Event]) -> EventModel:
    """Give the events that are like those of a sample."""
    listed = tuple(events)
    return EventModel(join(*map(_sampled, listed)), "the sample", sample=listed)


def _sampled(value: JSON) -> Type:
    """Give the type of a value, with the format of texts and all values of short ones."""
    if isinstance(value, dict):
        known = {key: _sampled(item) for key, item in value.items()}
        return Type(members=Members(known, NOTHING))
    if isinstance(value, list):
        return Type(items=join(*map(_sampled, value)))
    return constant(value) if isinstance(value, str | bool) else type_of(value)


def _object(known: Mapping[str, Type] | None = None, *, missing: bool = True) -> Type:
    return Type(missing=missing, null=missing, members=Members(known or {}))


def _texts(*keys: str) -> dict[str, Type]:
    return dict.fromkeys(keys, _TEXT)


def _context() -> Type:
    return _object(
        {
            **_texts("ip", "userAgent", "locale", "timezone", "groupId", "channel"),
            "active": Type(missing=True, null=True, boolean=True),
            "traits": _object(dict.fromkeys(_TRAITS, ANYTHING)),
            "page": _object(_texts("url", "path", "referrer", "search", "title")),
            "campaign": _object(_texts("name", "source", "medium", "term", "content")),
            "library": _object(_texts("name", "version")),
            "personas": _object(
                {
                    **_texts("computation_class", "computation_key", "computation_id"),
                    **_texts("external_audience_id", "namespace", "space_id"),
                    "audience_settings": _object(),
                }
            ),
            **{key: _object() for key in _CIRCUMSTANCES},
        }
    )


def _common() -> dict[str, Type]:
    return {
        "messageId": optional(_ID),
        "userId": _MAYBE_ID,
        "anonymousId": _MAYBE_ID,
        **dict.fromkeys(("timestamp", "originalTimestamp", "sentAt", "receivedAt"), _MOMENT),
        "context": _context(),
        "integrations": _object(),
        "version": Type(missing=True, null=True, number="number", text=Text()),
        **dict.fromkeys(("channel", "projectId", "writeKey", "_metadata"), ANYTHING),
    }


def _track() -> dict[str, Type]:
    return {"event": _ID, "properties": _object()}


def _identify() -> dict[str, Type]:
    return {"traits": _object(dict.fromkeys(_TRAITS, ANYTHING))}


def _page() -> dict[str, Type]:
    known = _texts("url", "path", "referrer", "search", "title", "name", "category")
    return {"name": _TEXT, "category": _TEXT, "properties": _object(known)}


def _group() -> dict[str, Type]:
    return {"groupId": _ID, "traits": _object(dict.fromkeys(_GROUP_TRAITS, ANYTHING))}


def _alias() -> dict[str, Type]:
    return {"previousId": _ID, "userId": _ID}


_OWN: Final = {
    "track": _track,
    "identify": _identify,
    "page": _page,
    "screen": _page,
    "group": _group,
    "alias": _alias,
}
_CIRCUMSTANCES: Final = (
    "app", "device", "location", "network", "os", "screen", "referrer", "userAgentData",
    "protocols", "sessionId", "instanceId", "externalIds", "consent",
)  # fmt: skip
_TRAITS: Final = (
    "address", "age", "avatar", "birthday", "company", "createdAt", "description", "email",
    "firstName", "first_name", "gender", "id", "lastName", "last_name", "name", "phone", "title",
    "username", "website",
)  # fmt: skip
_GROUP_TRAITS: Final = (
    "address", "avatar", "createdAt", "description", "email", "employees", "id", "industry",
    "name", "phone", "plan", "website",
)  # fmt: skip
_PROPERTIES: Final = frozenset(
    {
        "affiliation", "audience_key", "brand", "cart_id", "category", "checkout_id", "coupon",
        "currency", "discount", "email", "image_url", "list_id", "order_id", "payment_method",
        "phone", "position", "price", "product_id", "products", "promotion_id", "quantity",
        "query", "revenue", "shipping", "shipping_method", "subtotal", "total", "value", "variant",
    }
)  # fmt: skip
_WORDS: Final = {
    ("properties",): _PROPERTIES,
    ("traits",): frozenset(_TRAITS),
    ("context", "traits"): frozenset(_TRAITS),
}


# JSON Schema


def _from_schema(schema: Any, root: Mapping[str, Any], level: int) -> Type:
    if level > MAX_LEVELS or not isinstance(schema, dict):
        return NOTHING if schema is False else ANYTHING
    if "$ref" in schema:
        return _from_schema(_referred(str(schema["$ref"]), root), root, level + 1)
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if isinstance(values, list):
        return join(*map(constant, values))
    kinds = schema.get("type", "object" if "properties" in schema else None)
    if kinds is not None:
        listed = kinds if isinstance(kinds, list) else [kinds]
        return join(*(_of_kind(kind, schema, root, level) for kind in listed))
    ways = next((schema[key] for key in ("anyOf", "oneOf") if key in schema), None)
    if isinstance(ways, list):
        return join(*(_from_schema(each, root, level + 1) for each in ways))
    return replace(ANYTHING, missing=False)


def _of_kind(kind: JSON, schema: Mapping[str, Any], root: Mapping[str, Any], level: int) -> Type:
    if kind == "object":
        return _schema_object(schema, root, level)
    if kind == "array":
        items = _from_schema(schema.get("items"), root, level + 1)
        return Type(items=ANYTHING if items.is_anything else items)
    if kind == "string":
        least = schema.get("minLength")
        wanted = schema.get("format")
        filled = isinstance(least, int) and least > 0
        return Type(text=Text(wanted if isinstance(wanted, str) else None, filled=filled))
    simple = {
        "null": Type(null=True),
        "boolean": Type(boolean=True),
        "number": Type(number="number"),
        "integer": Type(number="integer"),
    }
    return simple.get(str(kind), doubtful(ANYTHING))


def _schema_object(schema: Mapping[str, Any], root: Mapping[str, Any], level: int) -> Type:
    properties, required = schema.get("properties"), schema.get("required")
    needed = set(required) if isinstance(required, list) else set()
    known = {}
    for key, inner in properties.items() if isinstance(properties, dict) else ():
        made = _from_schema(inner, root, level + 1)
        known[key] = made if key in needed else optional(made)
    others = schema.get("additionalProperties", True)
    if schema.get("patternProperties"):
        others = True
    rest = None if others is True else optional(_from_schema(others, root, level + 1))
    for key in needed - set(known):
        known[key] = replace(ANYTHING if rest is None else rest, missing=False)
    return Type(members=Members(known, rest))


def _referred(reference: str, root: Mapping[str, Any]) -> Any:
    """Give what a reference within the document leads to; anything where it leads elsewhere."""
    place: Any = root
    for part in _parts(reference):
        place = place.get(part) if isinstance(place, dict) else None
    return place


def _parts(reference: str) -> Iterator[str]:
    start, *parts = reference.split("/")
    if start != "#":
        yield ""
    for part in parts:
        yield part.replace("~1", "/").replace("~0", "~")
