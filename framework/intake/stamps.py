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
    stamp = Stamp(datetime.fromtimestamp(received, UTC))
    stamped = StampedEvents([], [], [])
    for event in events:
        stamp.on(event)
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


class Stamp:
    """Gives events what Segment gives to them on receipt, which is at the time *received*."""

    def __init__(self, received: datetime) -> None:
        self._received = received
        self._text = _text(received)
        self._sent: Any = None
        self._ahead: timedelta | None = None

    def on(self, event: Event) -> None:
        """Stamp an event.

        The write key and IDs that are null or blank are removed, and a missing message ID is made
        up. `originalTimestamp` is the time by the client's clock, and `timestamp` the same time by
        ours: the client's clock is off by the difference of `sentAt` and `receivedAt`.
        """
        event.pop("writeKey", None)
        for name in _IDS:
            value = event.get(name, event)
            if value is None or (isinstance(value, str) and not value.strip()):
                del event[name]
        if "messageId" not in event:
            event["messageId"] = str(uuid.uuid4())
        event["receivedAt"] = self._text
        given = _first(event.get("timestamp"), event.get("originalTimestamp"))
        if given is None:
            event["timestamp"] = self._text
            return
        event["originalTimestamp"] = given
        event["timestamp"] = self._corrected(given, event.get("sentAt")) or given

    def _corrected(self, given: Any, sent: Any) -> str | None:
        """Return a time by our clock, or None if one of both times cannot be read."""
        if sent != self._sent:  # the same for all events of a batch
            sending = _date(sent)
            self._sent = sent
            self._ahead = None if sending is None else self._received - sending
        original = _date(given)
        if original is None or self._ahead is None:
            return None
        try:
            return _text(original + self._ahead)
        except OverflowError:
            return None


def _first(*values: Any) -> Any:
    """Return the first value that is not absent."""
    return next((one for one in values if one is not None and one != ""), None)


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
