"""Sample events for tests: complete, deterministic, and of every kind in use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

from framework.errors import UnknownNameError
from framework.paths import JSON, Event

EventShape: TypeAlias = Literal["track", "identify"]
WarehouseRow: TypeAlias = Literal["new", "updated", "deleted"]

EVERY_EVENT = "type != null or type = null"
"""A trigger that matches every event."""

MOMENT: Final = "2026-01-15T12:00:00.000Z"
_TRAITS: Final[Mapping[str, JSON]] = MappingProxyType(
    {"email": "ada@example.com", "firstName": "Ada", "lastName": "Lovelace", "plan": "pro"}
)
_CONTEXT: Final[Mapping[str, JSON]] = MappingProxyType(
    {
        "ip": "203.0.113.7",
        "userAgent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0",
        "locale": "en-GB",
        "timezone": "Europe/London",
        "library": {"name": "analytics.js", "version": "2.11.1"},
        "page": {
            "url": "https://shop.example/sale?size=m",
            "path": "/sale",
            "referrer": "",
            "search": "?size=m",
            "title": "Sale",
        },
    }
)
_OWN: Final[Mapping[str, Callable[[], dict[str, JSON]]]] = {
    "track": lambda: {
        "event": "Order Completed",
        "properties": {"order_id": "o-1", "total": 42.5, "currency": "EUR"},
    },
    "identify": lambda: {"traits": dict(_TRAITS)},
    "page": lambda: {"name": "Sale", "properties": dict(_CONTEXT["page"])},
    "screen": lambda: {"name": "Sale", "properties": {"variant": "a"}},
    "group": lambda: {"groupId": "g-1", "traits": {"name": "Analytical Engines"}},
    "alias": lambda: {"previousId": "anonymous-1"},
    "delete": dict,
}

EVENT_TYPES: Final = tuple(_OWN)
"""The event types that `make_event` supports."""


def make_event(type: str = "track", **overrides: Any) -> Event:  # noqa: A002 - the event's own word
    """Return a complete event of one type, the same on every call.

    *overrides* replace keys of the event; `context` is merged into the default context, key by key.
    Raises UnknownNameError for a type that is not among EVENT_TYPES.
    """
    if type not in _OWN:
        raise UnknownNameError.of("event type", type, EVENT_TYPES)
    context = {**_copied(_CONTEXT), **overrides.pop("context", {})}
    return {
        "type": type,
        "messageId": f"{type}-1",
        "userId": "user-1",
        "anonymousId": "anonymous-1",
        "timestamp": MOMENT,
        "sentAt": MOMENT,
        "receivedAt": MOMENT,
        "originalTimestamp": MOMENT,
        "context": context,
        "integrations": {},
        **_OWN[type](),
        **overrides,
    }


def make_audience_event(
    *, entered: bool, key: str = "spring_sale", form: EventShape = "track", **overrides: Any
) -> Event:
    """Return the event of a user who enters or leaves an audience, as sent by Segment's Engage."""
    return _computed("audience", key, form, entered=entered, overrides=overrides)


def make_journey_event(
    *, entered: bool, key: str = "welcome_step_1", form: EventShape = "track", **overrides: Any
) -> Event:
    """Return the event of a user who enters or leaves a step of a journey."""
    return _computed("journey_step", key, form, entered=entered, overrides=overrides)


def make_row_event(
    row: WarehouseRow, properties: Mapping[str, JSON] | None = None, **overrides: Any
) -> Event:
    """Return the event of a warehouse row that is new, updated or deleted (reverse ETL)."""
    columns = {"id": 1, "email": _TRAITS["email"]} if properties is None else dict(properties)
    given = {"event": row, "properties": columns, "messageId": f"row-{row}", **overrides}
    return make_event("track", **given)


def _computed(
    kind: str, key: str, form: EventShape, *, entered: bool, overrides: Mapping[str, Any]
) -> Event:
    personas = {
        "computation_class": kind,
        "computation_id": "aud_2Kq7nVfX3mTz9bLw",
        "computation_key": key,
        "namespace": "spa_1a2b3c4d",
        "space_id": "spa_1a2b3c4d",
    }
    context = {
        "personas": personas,
        "traits": {"email": _TRAITS["email"]},
        **overrides.get("context", {}),
    }
    own: dict[str, JSON] = {"traits": {key: entered, "email": _TRAITS["email"]}}
    if form == "track":
        name = "Audience Entered" if entered else "Audience Exited"
        own = {"event": name, "properties": {"audience_key": key, key: entered}}
    return make_event(form, **{**own, **overrides, "context": context})


def _copied(value: JSON) -> Any:
    """Return a deep copy, which tests can change."""
    if isinstance(value, Mapping):
        return {key: _copied(inner) for key, inner in value.items()}
    return value
