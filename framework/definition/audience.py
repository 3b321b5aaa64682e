"""Audience membership: whether an event adds a user to an audience or removes one."""

from __future__ import annotations

from typing import Any, Final

from framework.paths import JSON

_CLASSES: Final = frozenset({"audience", "journey_step"})
_MEMBERS: Final = {"track": "properties", "identify": "traits"}
_ROWS: Final[dict[str, dict[str, bool]]] = {
    "add": {"new": True},
    "update": {"updated": True},
    "upsert": {"new": True, "updated": True},
    "delete": {"deleted": False},
    "mirror": {"new": True, "updated": True, "deleted": False},
}
"""The membership of reverse ETL events in each sync mode."""


def membership(event: JSON, sync_mode: str | None = None) -> bool | None:
    """Return whether an event adds (True) or removes (False) a user; None if it does neither.

    Audiences and journeys state it under the key `context.personas.computation_key`: in the
    properties of a track event, in the traits of an identify event. Rows of a warehouse state it
    by the event's name (`new`, `updated`, `deleted`), if the subscription's sync mode covers it.
    Segment's implementation applies the same rules in the same order.
    """
    if not isinstance(event, dict):
        return None
    member = _computed(event)
    if member is None and sync_mode is not None and event.get("type") == "track":
        name = event.get("event")
        return _ROWS.get(sync_mode, {}).get(name) if isinstance(name, str) else None
    return member


def _computed(event: dict[str, Any]) -> bool | None:
    personas = _object(_object(event.get("context")).get("personas"))
    kind, type_ = personas.get("computation_class"), event.get("type")
    if not (isinstance(kind, str) and kind in _CLASSES and isinstance(type_, str)):
        return None
    member = _object(event.get(_MEMBERS.get(type_, ""))).get(_key(personas.get("computation_key")))
    return member if isinstance(member, bool) else None


def _key(value: JSON) -> str | None:
    """Return a computation key, which may be a number, as a string."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if value else None
    return value or None if isinstance(value, str) else None


def _object(value: JSON) -> dict[str | None, Any]:
    return value if isinstance(value, dict) else {}
