"""Request bodies of tracking clients, whole and with events in them that cannot be read."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.events import NotJSONError, is_event, read_request_body

GOOD = {"type": "track", "event": "A", "userId": "u"}
TEXT = json.dumps(GOOD).encode()


def test_events_of_a_batch_get_what_holds_for_all() -> None:
    body = {
        "batch": [GOOD, {**GOOD, "context": {"ip": "1"}, "sentAt": "own"}],
        "context": {"ip": "0", "app": 1},
        "integrations": {"All": True},
        "sentAt": "2026-01-01T00:00:00Z",
        "writeKey": "k",
    }
    head, events, invalid = read_request_body(json.dumps(body).encode())
    shared = {"integrations": {"All": True}, "context": {"ip": "0", "app": 1}}
    assert events == [
        {**GOOD, **shared, "sentAt": "2026-01-01T00:00:00Z"},
        {**GOOD, **shared, "context": {"ip": "1", "app": 1}, "sentAt": "own"},
    ]
    assert invalid == []
    assert head["writeKey"] == "k"


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b'{"type":"track","x":NaN}', "The item is not valid JSON: `NaN` is not a number."),
        (b'{"type":"track","x":"a\nb"}', "Invalid control character"),
        (b'{"type":"track","x":"\xe4"}', "is not UTF-8 text"),
        (b'{"type":"track","x":' + b"[" * 300 + b"]" * 300 + b"}", "nested deeper than 200"),
        (b'{"type":"track","x":' + b"[" * 90_000 + b"]" * 90_000 + b"}", "nested deeper than 200"),
        (b'{"x":"\\"]}{[\\\\","type":"track","y":-Infinity}', "is not a number"),
        (b'{"event":"A"}', "The object has no `type`"),
        (b'{"type":""}', "must not be empty"),
        (b"[]", "holds a list"),
        (b"null", "holds null"),
        (b"NaN", "`NaN` is not a number"),
    ],
)
def test_what_cannot_be_read_harms_no_neighbor(bad: bytes, reason: str) -> None:
    body = b'{"a":["batch"],"batch" : [%b,%b , %b],"writeKey":"k","sentAt":"s"}'
    head, events, invalid = read_request_body(body % (TEXT, bad, TEXT))
    assert events == [{**GOOD, "sentAt": "s"}] * 2
    assert len(invalid) == 1
    assert reason in invalid[0]
    assert head["writeKey"] == "k"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"batch":{}}',
        b'{"batch":"[NaN]"}',
        b'{"batch":[%b' % TEXT,
        b'{"batch":[%b,NaN]' % TEXT,
        b'{"batch":[%b NaN]}' % TEXT,
        b'{"batch":[%b,NaN,]}' % TEXT,
        b'{"x":{"batch":[NaN]}}',
        b'{"batch":[NaN],"context":Infinity}',
        b'"batch":[NaN]',
        b'{"batch":[NaN]]}',
    ],
)
def test_a_body_without_a_readable_batch_is_refused(body: bytes) -> None:
    with pytest.raises(NotJSONError):
        read_request_body(body)


def test_an_empty_batch_is_fine() -> None:
    assert read_request_body(b'{"batch":[]}') == ({"batch": []}, [], [])


def test_a_single_event_gets_a_type_if_it_has_none() -> None:
    assert read_request_body(b'{"event":"A"}', "track").events == [{"event": "A", "type": "track"}]
    assert read_request_body(b'{"type":null}', "page").events == [{"type": "page"}]
    assert read_request_body(b'{"type":"screen"}', "page").events == [{"type": "screen"}]
    head, events, invalid = read_request_body(b'{"type":3,"writeKey":"k"}', "track")
    assert (head["writeKey"], events) == ("k", [])
    assert invalid == ["The `type` of an event must be a string, but here it is a number."]
    assert read_request_body(b'{"type":[]}', "track").events == []
    assert read_request_body(b"[]", "track").head == {}
    with pytest.raises(NotJSONError):
        read_request_body(b'{"event":NaN}', "track")


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=3)
)


@given(st.lists(st.dictionaries(st.sampled_from(["type", "x", "event"]), VALUES), max_size=5))
def test_every_event_has_the_fate_that_it_has_alone(entries: list[dict[str, object]]) -> None:
    body = json.dumps({"batch": entries}).encode()
    head, events, invalid = read_request_body(body)
    alone = []
    for entry in entries:
        try:
            _, found, _ = read_request_body(json.dumps({"batch": [entry]}).encode())
        except NotJSONError:
            found = []
        alone += found
    assert list(map(repr, events)) == list(map(repr, alone))
    assert len(events) + len(invalid) == len(entries)
    assert all(map(is_event, events))
    assert isinstance(head, dict)
