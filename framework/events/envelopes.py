"""Telling events from the envelopes that they arrive in, and unpacking these.

An event is an object with a `type`. An envelope has none, or one of its own, and holds events
further inside: as objects, as JSON in a text, or as such a text in base64.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from framework.events.parsing import NotJSONError, parse
from framework.paths import JSON, Event

EVENT_TYPES: Final = ("track", "identify", "page", "screen", "group", "alias", "delete")
"""The types of events in Segment's specification; others are accepted as well."""

_KINDS: Final[Mapping[type, str]] = {
    list: "a list",
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    type(None): "null",
    dict: "an object",
}
_REMEDIES: Final = {
    "the line": "Unpack it with --unpack, or write each event on a line of its own.",
    "the item": "Write each event as an item of its own.",
}

_TYPES: Final = frozenset(EVENT_TYPES)
_EVENT_KEYS: Final = frozenset(
    {
        *("userId", "anonymousId", "messageId", "groupId", "previousId", "event", "name"),
        *("properties", "traits", "context", "integrations"),
        *("timestamp", "sentAt", "originalTimestamp", "receivedAt"),
    }
)
_OWN_KEYS: Final = frozenset({"properties", "traits", "context", "integrations"})
"""Parts of an event; what looks like an event in them is its content."""

_SIGNATURES: Final = (
    ({"batch"}, "the request body of a tracking client"),
    ({"detail", "detail-type"}, "an Amazon EventBridge event"),
    ({"message", "destination"}, "the input of a RudderStack transformation"),
    ({"Records"}, "a batch of Amazon queue or stream records"),
    ({"Type", "Message"}, "an Amazon SNS notification"),
    ({"receiptHandle", "body"}, "an Amazon SQS message"),
    ({"ReceiptHandle", "Body"}, "an Amazon SQS message"),
    ({"message", "subscription"}, "a Pub/Sub push request"),
    ({"records"}, "a batch of stream records"),
    ({"specversion"}, "a CloudEvents event"),
    ({"schema", "payload"}, "a Kafka Connect record"),
    ({"key", "value"}, "a Kafka record"),
    ({"topic", "value"}, "a Kafka record"),
)
_LEVELS: Final = 12
"""How deep envelopes are searched."""

_LOOKED_AT: Final = 20
"""Entries of a list that are looked at to recognize an envelope."""

_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_SHOWABLE: Final = re.compile(r"[A-Za-z_@][A-Za-z_-]{0,39}")


class Contents(NamedTuple):
    """What an envelope holds: its *name*, the *path* of the content, and its *entries*.

    Not every entry is an event.
    """

    name: str
    path: str
    entries: list[JSON]

    @property
    def events(self) -> int:
        """The number of entries that are events."""
        return sum(map(is_event, self.entries))


def is_event(value: JSON) -> bool:
    """Return whether a JSON value is an event, rather than an envelope or anything else."""
    if not isinstance(value, dict):
        return False
    kind = value.get("type")
    if not isinstance(kind, str) or not kind:
        return False
    return kind in _TYPES or contents(value) is None


def why_not(value: JSON, holder: str = "the line") -> str:
    """Return why a JSON value is no event, and what to do.

    *holder* names what holds it: `the line` or `the item`.
    """
    found = contents(value)
    if isinstance(value, dict):
        reason = _type_problem(value, found)
    else:
        reason = f"An event must be a JSON object, but {holder} holds {_KINDS[type(value)]}."
    if found is None:
        return reason
    place = f" in `{found.path}`" if found.path else ""
    several = f"{found.events} events" if found.events != 1 else "an event"
    return f"{reason} It looks like {found.name}, with {several}{place}. {_REMEDIES[holder]}"


def unpack(value: JSON) -> Contents | None:
    """Return the events that an envelope holds, from all envelopes inside; None for no envelope.

    What a tracking client gives once for a whole batch is added to each of its events.
    """
    found = contents(value, every=True)
    return found if found and found.events else None


def contents(value: JSON, *, every: bool = False) -> Contents | None:
    """Return what an envelope holds; None if no events are found, or in several places.

    Long lists are only looked into at their start, unless *every* entry is requested.
    """
    if isinstance(value, dict) and _is_plain_event(value):
        return None
    found = _search(value, _LEVELS, every=every)
    if found is None:
        return None
    path, entries = found
    return Contents(_name(value), path.removesuffix("[]"), entries)


def _type_problem(value: Event, found: Contents | None) -> str:
    kind = value.get("type")
    if "type" not in value:
        return 'The object has no `type` (such as "track"), so it is no event.'
    if not isinstance(kind, str):
        return f"The `type` of an event must be a string, but here it is {_KINDS[type(kind)]}."
    if found:
        return "The object is no event."
    return "The `type` of an event must not be empty."


def _is_plain_event(value: Mapping[str, Any]) -> bool:
    kind = value.get("type")
    return isinstance(kind, str) and kind in _TYPES


def _search(value: JSON, levels: int, *, every: bool) -> tuple[str, list[JSON]] | None:
    """Return the path of the events in *value*, and what is there."""
    if not levels:
        return None
    if isinstance(value, str):
        inner = _text(value)
        return _search(inner, levels - 1, every=every) if inner is not None else None
    if isinstance(value, list):
        return _search_list(value, levels, every=every)
    if not isinstance(value, dict):
        return None
    if _is_plain_event(value) and not _EVENT_KEYS.isdisjoint(value):
        return "", [value]
    return _search_object(value, levels, every=every)


def _search_list(items: list[JSON], levels: int, *, every: bool) -> tuple[str, list[JSON]] | None:
    found = [_search(item, levels - 1, every=every) for item in items[:_LOOKED_AT]]
    known = [one for one in found if one]
    if not known:
        return None
    if every:
        found += [_search(item, levels - 1, every=every) for item in items[_LOOKED_AT:]]
    else:
        found += [("", [item]) for item in items[_LOOKED_AT:]]
    entries = [
        entry
        for item, one in zip(items, found, strict=True)
        for entry in (one[1] if one else [item])
    ]
    return f"[]{_below(known[0][0])}", entries


def _search_object(
    value: Mapping[str, Any], levels: int, *, every: bool
) -> tuple[str, list[JSON]] | None:
    found = [
        (key, inner)
        for key, part in value.items()
        if key not in _OWN_KEYS and (inner := _search(part, levels - 1, every=every))
    ]
    if len(found) != 1:
        return None
    key, (path, entries) = found[0]
    shown = key if _SHOWABLE.fullmatch(key) else "..."
    if key == "batch":
        entries = [completed(entry, value) for entry in entries]
    return f"{shown}{_below(path)}", entries


def _below(path: str) -> str:
    return path if not path or path.startswith("[") else f".{path}"


def completed(entry: JSON, batch: Mapping[str, Any]) -> JSON:
    """Return an event of a tracking client's *batch* with what that says for all of them."""
    if not isinstance(entry, dict):
        return entry
    event = dict(entry)
    for key in ("context", "integrations"):
        shared, own = batch.get(key), event.get(key)
        if isinstance(shared, dict) and (own is None or isinstance(own, dict)):
            event[key] = {**shared, **(own or {})}
    if isinstance(batch.get("sentAt"), str):
        event.setdefault("sentAt", batch["sentAt"])
    return event


def _text(text: str) -> JSON:
    """Return the JSON object or list in a text, which may be base64; None for other texts."""
    start = text[:64].lstrip()
    try:
        if start.startswith(("{", "[")) and "type" in text:
            return parse(text.encode("utf-8", "replace"))
        if _BASE64.fullmatch(text):
            urlsafe = text.replace("+", "-").replace("/", "_").rstrip("=")
            content = base64.urlsafe_b64decode(urlsafe + "=" * (-len(urlsafe) % 4))
            return parse(content) if content.lstrip()[:1] in {b"{", b"["} else None
    except (NotJSONError, binascii.Error, ValueError):
        pass
    return None


def _name(value: JSON) -> str:
    if isinstance(value, list):
        return "a JSON array"
    if isinstance(value, str):
        return "JSON in a text"
    for keys, name in _SIGNATURES:
        if keys <= value.keys():
            return name
    return "an envelope"
