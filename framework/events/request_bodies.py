"""The request bodies of tracking clients; an invalid event does not affect the others.

A body is an event, or an object with events in `batch` and with what holds for all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from framework.events.envelopes import completed, is_event, why_not
from framework.events.json_documents import DocumentError, split
from framework.events.parsing import NotJSONError, parse
from framework.nesting import MAX_LEVELS
from framework.paths import JSON, Event

_TOKEN: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[{}\[\]]', re.DOTALL)
_AFTER_KEY: Final = re.compile(rb"[ \t\r\n]*:[ \t\r\n]*\[")


class RequestBody(NamedTuple):
    """The *events* of a body, why others are *invalid*, and the *head* around them.

    The head of a single event is the event itself.
    """

    head: Event
    events: list[Event]
    invalid: list[str]


def read_request_body(body: bytes, kind: str = "") -> RequestBody:
    """Return the content of a body with a `batch`, or of a single event if a *kind* is given.

    *kind* is the type of an event that names none. Events of a batch get what the batch says for
    all of them. Raises NotJSONError if nothing can be read.
    """
    return _single(body, kind) if kind else _batch(body)


def _single(body: bytes, kind: str) -> RequestBody:
    value = parse(body)
    if isinstance(value, dict):
        given = value.get("type")
        if given is None or given == "":
            value["type"] = kind
        if is_event(value):
            return RequestBody(value, [value], [])
    head = value if isinstance(value, dict) else {}
    return RequestBody(head, [], [why_not(value, "the item")])


def _batch(body: bytes) -> RequestBody:
    try:
        head = parse(body, MAX_LEVELS + 2)
        entries = _entries(head)
    except NotJSONError as error:
        parts = _apart(body)
        if parts is None:
            raise
        try:
            head, entries = parse(parts[0]), [_parsed(one.text) for one in split(parts[1])]
        except (NotJSONError, DocumentError):
            raise error from None
    found = RequestBody(head, [], [])
    for entry in entries:
        if isinstance(entry, NotJSONError):
            found.invalid.append(f"The item {entry.reason}")
        elif is_event(entry):
            found.events.append(completed(entry, head))
        else:
            found.invalid.append(why_not(entry, "the item"))
    return found


def _entries(head: JSON) -> list[Any]:
    entries = head.get("batch") if isinstance(head, dict) else None
    if not isinstance(entries, list):
        raise NotJSONError("has no list of events in `batch`.")
    return entries


def _parsed(text: bytes) -> JSON | NotJSONError:
    try:
        return parse(text)
    except NotJSONError as error:
        return error


def _apart(body: bytes) -> tuple[bytes, bytes] | None:
    """Return a body without the events in its `batch`, and the list of these; None without one."""
    tokens = _tokens(body)
    for depth, token, end in tokens:
        if depth == 1 and token == b'"batch"' and (list_ := _AFTER_KEY.match(body, end)):
            start = list_.end() - 1
            for inner, closing, after in tokens:
                if inner == 1 and closing == b"]":
                    return body[:start] + b"[]" + body[after:], body[start:after]
    return None


def _tokens(body: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Yield strings and brackets with their depth, that of a bracket seen from outside, and end."""
    depth = 0
    for found in _TOKEN.finditer(body):
        token = found[0]
        if token in b"]}":
            depth -= 1
        yield depth, token, found.end()
        if token in b"[{":
            depth += 1
