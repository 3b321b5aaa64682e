"""An invalid line affects no other line, and what JavaScript accepts is accepted."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.events.decoding import Rejected, decode
from framework.events.files import START, Chunk, Position

LIMIT = 1_000_000


def chunk(data: bytes, start: Position = START) -> Chunk:
    lines = io.BytesIO(data).readlines()
    return Chunk(lines, start, Position(start.offset + len(data), start.lines + len(lines)))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"a":', "The line is not valid JSON: Expecting value (column 6)."),
        (b"{'a':1}", "The line is not valid JSON: Expecting property name enclosed in double quotes (column 2)."),  # noqa: E501 - one row
        (b'{"a":1} {"b":2}', "The line is not valid JSON: Extra data (column 9). It holds several objects; write each on a line of its own."),  # noqa: E501 - one row
        (b'{"a":1} ,', "The line is not valid JSON: Extra data (column 9). Remove the comma after the object."),  # noqa: E501 - one row
        (b'{"a":1} 5', "The line is not valid JSON: Extra data (column 9)."),
        (b'{"n":1}', 'The object has no `type` (such as "track"), so it is no event.'),
        (b'{"type":5}', "The `type` of an event must be a string, but here it is a number."),
        (b'{"type":["track"]}', "The `type` of an event must be a string, but here it is a list."),
        (b'{"type":""}', "The `type` of an event must not be empty."),
        (b'{"a":"\x01"}', "The line is not valid JSON: Invalid control character (column 7)."),
        (b'{"a":"\\x"}', "The line is not valid JSON: Invalid \\escape (column 7)."),
        (b'{"a":"b', "The line is not valid JSON: Unterminated string (column 6)."),
        (b'{"a":NaN}', "The line is not valid JSON: `NaN` is not a number."),
        (b'{"a":-Infinity}', "The line is not valid JSON: `-Infinity` is not a number."),
        (b'{"a":"\xff"}', "The line is not UTF-8 text (byte 7)."),
        (b'{"a":"\xed\xa0\x80"}', "The line is not UTF-8 text (byte 7)."),
        (b"[1]", "An event must be a JSON object, but the line holds a list."),
        (b'"a"', "An event must be a JSON object, but the line holds a string."),
        (b"1", "An event must be a JSON object, but the line holds a number."),
        (b"1.5", "An event must be a JSON object, but the line holds a number."),
        (b"true", "An event must be a JSON object, but the line holds a boolean."),
        (b"null", "An event must be a JSON object, but the line holds null."),
        (b"[" * 100_000, "The line is nested deeper than 200 levels."),
        (b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}", "The line is nested deeper than 200 levels."),
    ],
)  # fmt: skip
def test_a_line_that_is_no_event_is_rejected_alone(line: bytes, reason: str) -> None:
    around = b'{"type":"page"}\n'
    found = decode(chunk(around + line + b"\n" + around, Position(100, 7)), LIMIT)
    assert found.events == [{"type": "page"}, {"type": "page"}]
    assert list(found.lines) == [8, 10]
    assert found.rejected == (Rejected(9, 116, reason),)


@pytest.mark.parametrize(
    ("line", "event"),
    [
        (b'{"a":"\\ud800b"}', {"a": "\ufffdb"}),
        (b'{"\\udfff":["\\ud83d\\ude00"]}', {"\ufffd": ["\U0001f600"]}),
        (b'{"a":1e999}', {"a": float("inf")}),
        (b'{"a":9007199254740993}', {"a": 9007199254740993}),
        (b'{"a":123456789012345678901234567890}', {"a": 123456789012345678901234567890}),
        (b'{"a":' + b"1" * 5000 + b"}", {"a": float("inf")}),
        (b'{"a":1,"a":2}', {"a": 2}),
        (b'\xef\xbb\xbf{"a":1}', {"a": 1}),
        (b' \t{"a":1}\r', {"a": 1}),
        (b'{"a":"\\u0000"}', {"a": "\x00"}),
    ],
)
def test_what_javascript_accepts_is_accepted(line: bytes, event: dict[str, Any]) -> None:
    line = line.replace(b"{", b'{"type":"page",', 1)
    found = decode(chunk(line + b'\n{"type":"page"}'), LIMIT)
    wanted = [{"type": "page", **event}, {"type": "page"}]
    assert (found.events, list(found.lines), found.rejected) == (wanted, [1, 2], ())


@pytest.mark.parametrize(
    ("data", "events", "lines"),
    [
        (b'{"type":"a"}\n\n  \r\n{"type":"b"}\n', [{"type": "a"}, {"type": "b"}], [1, 4]),
        (b"\n", [], []),
        (b'\xef\xbb\xbf\n{"type":"a"}', [{"type": "a"}], [2]),
        (b'{"type":"a"}\r\n{"type":"b"}\r\n', [{"type": "a"}, {"type": "b"}], [1, 2]),
    ],
)
def test_blank_lines_hold_nothing_and_are_counted(
    data: bytes, events: list[Any], lines: list[int]
) -> None:
    found = decode(chunk(data), LIMIT)
    assert (found.events, list(found.lines), found.rejected) == (events, lines, ())


def test_an_object_never_reaches_over_a_line_end() -> None:
    """Two invalid lines are not read as two valid values that are split elsewhere."""
    found = decode(chunk(b'{"a":\n1}{"b":2}\n'), LIMIT)
    assert found.events == []
    assert [rejected.line for rejected in found.rejected] == [1, 2]


def test_a_line_that_is_too_long_is_rejected() -> None:
    found = decode(Chunk((), Position(10, 4), Position(52, 5), 41), 40)
    assert found.rejected == (Rejected(5, 10, "The line has 41 bytes; the limit is 40."),)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3), max_size=3),
            st.none(),
        ),
        max_size=6,
    )
)
def test_good_and_bad_lines_keep_their_places(values: list[dict[str, Any] | None]) -> None:
    """Whether read at once or one by one, an event has the number of its line."""
    values = [None if value is None else {**value, "type": "page"} for value in values]
    lines = [b"oops" if value is None else json.dumps(value).encode() for value in values]
    found = decode(chunk(b"\n".join(lines) + b"\n"), LIMIT)
    good = [(number, value) for number, value in enumerate(values, 1) if value is not None]
    assert list(zip(found.lines, found.events, strict=True)) == good
    assert [r.line for r in found.rejected] == [n for n, v in enumerate(values, 1) if v is None]
