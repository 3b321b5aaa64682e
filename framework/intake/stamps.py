"""The times and IDs of accepted events, and the lines by which they are stored."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec

from framework.dates import read_date
from framework.events import MAX_LINE
from framework.nesting import MAX_LEVELS, is_too_deep
from framework.paths import Event

_IDS: Final = ("messageId", "userId", "anonymousId", "groupId", "previousId")

_encode = msgspec.json.Encoder().encode


class StampedEvents(NamedTuple):
    """The *lines* of events and their message IDs, aligned, and why others are *invalid*."""

    lines: list[bytes]
    ids: list[str]
    invalid: list[str]


def stamp_all(events: list[Event], received: float) -> StampedEvents:
    """Return the lines to store of events that were received at a time in seconds since 1970."""
    moment = datetime.fromtimestamp(received, UTC)
    stamped = StampedEvents([], [], [])
    for event in events:
        stamp(event, moment)
        line = _encode(event)
        if len(line) > MAX_LINE:
            reason = f"The item has {len(line):,} bytes; the limit is {MAX_LINE:,}."
            stamped.invalid.append(reason)
        elif is_too_deep(line):
            stamped.invalid.append(f"The item is nested deeper than {MAX_LEVELS} levels.")
        else:
            stamped.lines.append(line)
            stamped.ids.append(str(event["messageId"]))
    return stamped


def stamp(event: Event, received: datetime) -> None:
    """Give an event what Segment gives to it on receipt.

    The write key and IDs that are null or blank are removed, and a missing message ID is made up.
    `originalTimestamp` is the time by the client's clock, and `timestamp` the same time by ours:
    the client's clock is off by the difference of `sentAt` and `receivedAt`.
    """
    event.pop("writeKey", None)
    for name in _IDS:
        value = event.get(name, event)
        if value is None or (isinstance(value, str) and not value.strip()):
            del event[name]
    event.setdefault("messageId", str(uuid.uuid4()))
    event["receivedAt"] = _text(received)
    given = _first(event.get("timestamp"), event.get("originalTimestamp"))
    if given is None:
        event["timestamp"] = event["receivedAt"]
        return
    event["originalTimestamp"] = given
    event["timestamp"] = _corrected(given, event.get("sentAt"), received) or given


def _first(*values: Any) -> Any:
    """Return the first value that is not absent."""
    return next((one for one in values if one is not None and one != ""), None)


def _corrected(given: Any, sent: Any, received: datetime) -> str | None:
    """Return a time by our clock, or None if one of both times cannot be read."""
    original, sending = _date(given), _date(sent)
    if original is None or sending is None:
        return None
    try:
        return _text(received - (sending - original))
    except OverflowError:
        return None


def _date(value: Any) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        date = datetime.fromisoformat(value)
        return date.replace(tzinfo=date.tzinfo or UTC)
    except ValueError:
        moment = read_date(value)
    try:
        start = datetime.fromtimestamp(0, UTC)
        return None if moment is None else start + timedelta(milliseconds=moment)
    except OverflowError:
        return None


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
