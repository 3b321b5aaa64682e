"""Whatever shape and encoding a file has, every command reads the same events from it."""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from framework.delivery import Connection
from framework.errors import ConfigurationError
from framework.events import EventFile, read_events
from framework.explain import trace_events
from framework.relay import Summary, run_file
from framework.tester.bodies import check_body
from framework.tester.operation import ApiRequest
from framework.tester.views import VIEWS
from tests.framework.delivery.bench import Partner, connected, plugin

BAD: dict[bytes, str] = {
    b'{"type":"track","event":"cut off': "is not valid JSON: Unterminated string",
    b'{"type":"track",': "is not valid JSON: Expecting property name",
    b'{"type":"track","event":NaN}': "`NaN` is not a number",
    b'{"type":"track","event":-Infinity}': "`-Infinity` is not a number",
    b'{"type":"track","event":"caf\xe9"}': "is not UTF-8 text",
    b'{"type":"track","event":"a\tb"}': "Invalid control character",
    b'{"type":"track","event":' + b"[" * 3000 + b"]" * 3000 + b"}": "nested deeper than 200",
    b'{"type":"track","event":' + b"[" * 200 + b"]" * 200 + b"}": "nested deeper than 200",
    b'{"event":"no type"}': "has no `type`",
    b'{"type":null}': "must be a string",
    b'{"batch":[{"type":"track","userId":"u"}]}': "request body of a tracking client",
    b'{"message":{"type":"track","userId":"u"},"destination":{}}': "RudderStack",
    b'{"key":"k","value":"{\\"type\\":\\"track\\",\\"userId\\":\\"u\\"}"}': "Kafka record",
    b"5": "holds a number",
    b'"text"': "holds a string",
    b"null": "holds null",
    b"oops": "is not valid JSON",
}
ODD: list[dict[str, Any]] = [
    {"event": "a\u2028b\u2029c\u0085d"},
    {"event": "\U0001f600 é"},
    {"event": "x", "n": 10**40},
    {"event": "x", "deep": json.loads("[" * 198 + "]" * 198)},
    {"event": '}{"[],'},
    {"event": "plain"},
]
RAW = [
    b'{"type":"track","event":"\\ud83d","messageId":"%d"}',
    b'{"type":"track","event":1e999,"messageId":"%d"}',
    b'{"type":"track","event":' + b"7" * 5_000 + b',"messageId":"%d"}',
    b'{"type":"track","event":"old","event":"new","messageId":"%d"}',
    b' {"type":"track", "messageId":"%d" }\t',
]
WHOLE = ["array", "array lines", "pretty", "pretty array", "glued", "commas"]
SHAPES = ["lines", "crlf", "blank lines", "no last line end", *WHOLE]
ENCODINGS = ["plain", "BOM", "gzip", "members", "utf-16", "utf-16-be", "gzip of utf-16"]


class Part(NamedTuple):
    """One event or invalid line of a file."""

    text: bytes
    reason: str = ""


def good(number: int, event: dict[str, Any]) -> Part:
    values = {"type": "track", **event, "messageId": str(number)}
    return Part(json.dumps(values, ensure_ascii=number % 2 == 0).encode())


def message_id(part: Part) -> str:
    found = re.search(rb'"messageId": ?"(\d+)"', part.text)
    assert found is not None
    return found[1].decode()


@st.composite
def parts(draw: st.DrawFn) -> list[Part]:
    """Draw the parts of a file; events are numbered by their `messageId`."""
    found = []
    for number in range(draw(st.integers(1, 7))):
        kind = draw(st.integers(0, 9))
        if kind < 5:
            found.append(good(number, draw(st.sampled_from(ODD))))
        elif kind < 7:
            found.append(Part(draw(st.sampled_from(RAW)) % number))
        else:
            found.append(Part(*draw(st.sampled_from(sorted(BAD.items())))))
    return found


def shaped(some: Sequence[Part], shape: str) -> bytes:
    """Return the parts as a file of that shape."""
    texts = [part.text for part in some]
    if shape.startswith("pretty"):
        objects = [json.loads(text) for text in texts]
        whole = [objects] if shape == "pretty array" else objects
        return b"\n".join(json.dumps(one, indent=2).encode() for one in whole) + b"\n"
    if shape.startswith("array"):
        between = b",\n" if shape == "array lines" else b","
        line = b"\n" if shape == "array lines" else b""
        return b"[" + line + between.join(texts) + line + b"]"
    ends = {"crlf": b"\r\n", "blank lines": b"\n\n \r\n", "glued": b" ", "commas": b",\n"}
    end = b"" if shape in {"no last line end", "commas"} else b"\n"
    return ends.get(shape, b"\n").join(texts) + end


def encoded(content: bytes, encoding: str) -> bytes:
    if encoding == "BOM":
        return b"\xef\xbb\xbf" + content
    if "utf-16" in encoding:
        text = content.decode("utf-8")
        code = "utf-16-be" if encoding == "utf-16-be" else "utf-16-le"
        utf_16 = f"\ufeff{text}".encode(code)
        return gzip.compress(utf_16) if encoding.startswith("gzip") else utf_16
    if encoding == "gzip":
        return gzip.compress(content)
    if encoding == "members":
        middle = len(content) // 2
        return gzip.compress(content[:middle]) + gzip.compress(content[middle:])
    return content


class Read(NamedTuple):
    """What a command made of a file: the events by message ID, and the invalid lines."""

    events: list[object]
    rejected: list[tuple[int, str]]


def opened() -> Connection:
    return connected(plugin(perform=lambda: None), partner=Partner())


def delivered(path: Path, **options: Any) -> tuple[Read, Summary]:
    """Run the file; return what its outcomes say."""
    outcomes = path.with_name("outcomes")
    with opened() as connection, EventFile(path) as source:
        summary = run_file(connection, source, outcomes=outcomes, **options)
    rows = [json.loads(line) for line in outcomes.read_bytes().splitlines()]
    events = sorted((row["messageId"] for row in rows if row["outcome"] != "rejected"), key=int)
    bad = sorted((row["line"], row["message"]) for row in rows if row["outcome"] == "rejected")
    return Read(events, bad), summary


def listed(path: Path) -> Read:
    """Read the file as `explain` and `validate` do; every event has a trace."""
    found = read_events(path)
    with opened() as connection:
        traces = trace_events(connection, found.events, connection.deliver(found.events))
    assert len(traces) == len(found.events) == len(found.lines)
    messages = sorted((event["messageId"] for event in found.events), key=int)
    return Read(messages, sorted((one.line, one.reason) for one in found.rejected))


def shown(path: Path) -> Read:
    """Read the file as the tester does."""
    body = check_body("readEvents", {"base64": base64.b64encode(path.read_bytes()).decode()})
    unused: Any = None
    answer = VIEWS["readEvents"](ApiRequest(unused, {}, body))
    messages = sorted((event["messageId"] for event in answer["events"]), key=int)
    return Read(messages, sorted((one["line"], one["reason"]) for one in answer["rejected"]))


def in_all_commands(content: bytes) -> Read:
    """Read a file in every way, assert that they agree, and return what they read."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "events")
        path.write_bytes(content)
        read, summary = delivered(path)
        assert listed(path) == shown(path) == read
        assert summary.rejected == len(read.rejected)
        shown_first = [(one.line, one.reason) for one in summary.rejections]
        assert sorted(shown_first) == read.rejected[: len(shown_first)] or len(shown_first) == 5
    return read


@settings(max_examples=150, deadline=None)
@given(parts(), st.sampled_from(["lines", "crlf", "blank lines", "no last line end"]),
       st.sampled_from(ENCODINGS))  # fmt: skip
def test_a_bad_line_costs_one_line_in_every_command(
    some: list[Part], shape: str, encoding: str
) -> None:
    if "utf-16" in encoding:
        some = [part for part in some if part.reason != BAD[b'{"type":"track","event":"caf\xe9"}']]
    if not some or some[0].text == b'{"type":"track",':
        some = [good(99, ODD[-1]), *some]
    note(repr(encoded(shaped(some, shape), encoding))[:2000])
    read = in_all_commands(encoded(shaped(some, shape), encoding))
    wanted = [message_id(part) for part in some if not part.reason]
    assert read.events == sorted(wanted, key=int)
    step = 3 if shape == "blank lines" else 1
    bad = [(1 + number * step, part.reason) for number, part in enumerate(some) if part.reason]
    assert [line for line, _ in read.rejected] == [line for line, _ in bad]
    for (_, reason), (_, part) in zip(read.rejected, bad, strict=True):
        assert part in reason


@settings(max_examples=150, deadline=None)
@given(parts(), st.sampled_from(WHOLE), st.sampled_from(ENCODINGS))
def test_a_document_is_read_whole(some: list[Part], shape: str, encoding: str) -> None:
    """Every event in it is, and what is none costs one entry."""
    cut = {b'{"type":"track","event":"cut off', b'{"type":"track",', b"oops"}
    some = [part for part in some if part.text not in cut]
    if shape.startswith("pretty"):
        some = [part for part in some if not part.reason and b"e999" not in part.text]
        some = [part for part in some if b"7" * 100 not in part.text]
    if "utf-16" in encoding:
        some = [part for part in some if b"\xe9" not in part.text]
    some = [good(97, ODD[-1]), good(98, ODD[-1]), *some, good(99, ODD[0])]
    note(repr(encoded(shaped(some, shape), encoding))[:2000])
    read = in_all_commands(encoded(shaped(some, shape), encoding))
    wanted = [message_id(part) for part in some if not part.reason]
    assert read.events == sorted(wanted, key=int)
    reasons = [part.reason for part in some if part.reason]
    assert len(read.rejected) == len(reasons)
    found = [reason for _, reason in read.rejected]
    assert [part for part in reasons if not any(part in one for one in found)] == []


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("encoding", ["plain", "gzip"])
@pytest.mark.parametrize("shape", SHAPES)
def test_interrupted_runs_deliver_every_event_once(
    tmp_path: Path, shape: str, encoding: str, processes: int
) -> None:
    """Stopped after each event and resumed, a run repeats nothing and leaves nothing out."""
    events = tmp_path / "events"
    some = [good(number, ODD[number % len(ODD)]) for number in range(5)]
    events.write_bytes(encoded(shaped(some, shape), encoding))
    checkpoint = tmp_path / "checkpoint"
    limit, read = 2, Read([], [])
    for _ in range(9):
        read, summary = delivered(events, checkpoint=checkpoint, limit=limit, processes=processes)
        if summary.finished:
            break
    assert read.events == ["0", "1", "2", "3", "4"]
    assert summary.outcomes == {"delivered": 5}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'[{"type":"a"},\n{"type":"b"', "2`: the file holds a JSON array that is damaged: the"),
        (b'[{"type":"a"}\n{"type":"b"}]', "2`: the file holds a JSON array that is damaged: a"),
        (b'[\n{"type":"a"},\n]', "3`: the file holds a JSON array that is damaged: a comma before"),
        (b'{\n "type": "a"\n "event": 5\n}\n', "3`: the file holds JSON over several lines that"),
        (b'{"batch": [\n{"type":"a"},\n{"type":"b"}\n', "4`: the file holds JSON over several"),
        (b'{"type":"a"},\n{"type":"b"},\n{"type"', "3`: the file holds objects with commas"),
    ],
)  # fmt: skip
def test_a_damaged_document_is_refused_as_a_whole(
    tmp_path: Path, content: bytes, message: str
) -> None:
    """Nothing of it is delivered, and one message says where it is damaged."""
    path = tmp_path / "events"
    path.write_bytes(content)
    for read in (delivered, listed):
        with pytest.raises(ConfigurationError) as caught:
            read(path)
        assert str(caught.value).startswith(f"`{path}:{message}")
    assert not (tmp_path / "outcomes").exists()


def test_a_document_that_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("framework.events.content.MAX_DOCUMENT", 1_000)
    path = tmp_path / "events"
    path.write_bytes(b"[" + b",\n".join([b'{"type":"track"}'] * 100) + b"]")
    with pytest.raises(ConfigurationError, match="a JSON array, which is read up to 1,000 bytes"):
        read_events(path)


class Endless(io.RawIOBase):
    """A source that never ends."""

    def __init__(self, block: bytes) -> None:
        self._block = block

    def read1(self, size: int = -1, /) -> bytes:
        return self._block[:size]


@pytest.mark.parametrize("block", [b"\n" * 4096, b" " * 4096, b'{"a":"' + b"x" * 4096])
def test_an_endless_source_is_read_up_to_the_limit(block: bytes) -> None:
    source: Any = Endless(block)
    found = read_events(source, max_events=10, max_bytes=3_000_000)
    assert (found.events, found.is_whole) == ([], False)


def test_reading_stops_after_so_many_events() -> None:
    line = b'{"type":"page"}\n'
    found = read_events(io.BytesIO(line * 5 + b"oops\n" + line * 5), max_events=6)
    assert (len(found.events), [one.line for one in found.rejected]) == (5, [6])
    assert not found.is_whole
    assert read_events(io.BytesIO(line * 5 + b"\n\n"), max_events=5).is_whole


def test_a_first_line_that_is_cut_in_a_text_costs_one_line() -> None:
    """A text does not go on on the next line, so that this is no JSON over several lines."""
    event = b'{"type":"track","event":"a","userId":"u","messageId":"1"}\n'
    read = in_all_commands(b'{"type":"track","event":"cut off\n"text"\n' + event)
    assert (read.events, [line for line, _ in read.rejected]) == (["1"], [1, 2])
