"""Models of the possible events, as types: from Segment's spec, a JSON Schema or a sample.

The spec is open: customers choose the contents of `properties`, `traits` and `context`, so unknown
keys there may hold anything. Samples and closed schemas define all keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import islice
from typing import Any, Final, Literal, TypeAlias

from framework.linting.value_types import (
    ANYTHING,
    NOTHING,
    Members,
    Text,
    Type,
    constant,
    fallible,
    join,
    optional,
    type_of,
)
from framework.paths import JSON, Event

EVENT_TYPES: Final = ("track", "identify", "page", "screen", "group", "alias")
"""The event types of the spec."""

ModelSource: TypeAlias = Literal["spec", "schema", "sample"]
"""What a model of events is derived from: Segment's spec, a JSON Schema or sample events."""

MAX_LEVELS: Final = 16
"""Maximum depth of types from samples and schemas; deeper values are unknown."""

_JOINED_AT_ONCE: Final = 1_000
"""Number of events of a sample whose types are joined at once."""

_ID: Final = Type(text=Text(nonempty=True))
_MAYBE_ID: Final = Type(missing=True, null=True, text=Text())
_TEXT: Final = Type(missing=True, null=True, text=Text())
_MOMENT: Final = Type(missing=True, text=Text("date-time", nonempty=True))


@dataclass(frozen=True, slots=True)
class EventModel:
    """A model of the possible events.

    *whole* is the type of all events; *sample* are the events of a model from a sample. *words*
    are frequent keys of open objects, by the path of the object: a key that differs from one of
    them by one letter is a likely typo.
    """

    whole: Type
    source: ModelSource = "spec"
    words: Mapping[tuple[str, ...], frozenset[str]] = field(default_factory=dict)
    sample: Iterable[Event] = field(default=(), repr=False)

    @property
    def is_sample(self) -> bool:
        """Whether the model is made from a sample, so that other events are possible."""
        return self.source == "sample" and self.whole.is_present

    def knowing(self, words: Mapping[tuple[str, ...], Iterable[str]]) -> EventModel:
        """Return the model with additional frequent keys."""
        keys = {**self.words, **words}
        return replace(
            self, words={k: self.words.get(k, frozenset()) | {*words.get(k, ())} for k in keys}
        )


def model_from_spec(types: Iterable[str] = EVENT_TYPES) -> EventModel:
    """Return the model of the spec's events with one of *types*."""
    return _model_from_spec(frozenset(types))


@cache
def _model_from_spec(types: frozenset[str]) -> EventModel:
    chosen = [each for each in EVENT_TYPES if each in types] or list(EVENT_TYPES)
    return EventModel(join(*map(event_type, chosen)), words=_WORDS)


@cache
def event_type(name: str) -> Type:
    """Return the type of the spec's events of one type, including Engage's and reverse ETL's."""
    known = {**_common(), "type": constant(name), **_own(name)}
    return Type(members=Members(known, NOTHING))


def model_from_schema(schema: Mapping[str, Any]) -> EventModel:
    """Return the model of events that a JSON Schema describes; unknown keywords allow anything."""
    return EventModel(replace(_from_schema(schema, schema, 0), missing=False), "schema")


def model_from_sample(events: Iterable[Event]) -> EventModel:
    """Return the model of events like those of a sample.

    The sample is read again where a check needs its events; an iterator is kept as a tuple.
    """
    sample = tuple(events) if isinstance(events, Iterator) else events
    whole, types = Type(), map(_sampled_type, sample)
    while some := tuple(islice(types, _JOINED_AT_ONCE)):
        whole = join(whole, *some)
    return EventModel(whole, "sample", sample=sample)


class MatchingEvents:
    """Those events of a sample that *matches* accepts, found anew each time."""

    def __init__(self, sample: Iterable[Event], matches: Callable[[Event], bool]) -> None:
        self._sample = sample
        self._matches = matches

    def __iter__(self) -> Iterator[Event]:
        return filter(self._matches, self._sample)


def _sampled_type(value: JSON) -> Type:
    """Return the type of a value of a sample; strings and booleans stay particular values."""
    if isinstance(value, dict):
        known = {key: _sampled_type(item) for key, item in value.items()}
        return Type(members=Members(known, NOTHING))
    if isinstance(value, list):
        return Type(items=join(*map(_sampled_type, value)))
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


def _own(event_type: str) -> dict[str, Type]:
    page = _texts("url", "path", "referrer", "search", "title", "name", "category")
    match event_type:
        case "track":
            return {"event": _ID, "properties": _object()}
        case "identify":
            return {"traits": _object(dict.fromkeys(_TRAITS, ANYTHING))}
        case "group":
            return {"groupId": _ID, "traits": _object(dict.fromkeys(_GROUP_TRAITS, ANYTHING))}
        case "alias":
            return {"previousId": _ID, "userId": _ID}
    return {"name": _TEXT, "category": _TEXT, "properties": _object(page)}


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
        nonempty = isinstance(least, int) and least > 0
        return Type(text=Text(wanted if isinstance(wanted, str) else None, nonempty=nonempty))
    simple = {
        "null": Type(null=True),
        "boolean": Type(boolean=True),
        "number": Type(number="number"),
        "integer": Type(number="integer"),
    }
    return simple.get(str(kind), fallible(ANYTHING))


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
    """Return the target of a reference within the document; None for other references."""
    start, *parts = reference.split("/")
    place: Any = root if start == "#" else None
    for part in parts:
        key = part.replace("~1", "/").replace("~0", "~")
        place = place.get(key) if isinstance(place, dict) else None
    return place
