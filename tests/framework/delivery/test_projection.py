"""Structs hold what is read, and reading them comes to the same as reading plain JSON."""

from __future__ import annotations

import json
from pathlib import Path as FilePath
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.codegen import SourceCode
from framework.delivery.projection import Projection, project
from framework.events import EVENT_TYPES, START, Chunk, EventFile, Position, decode
from framework.paths import Event, Path

PATHS = [
    Path.parse(text)
    for text in (
        "$.event",
        "$.context.traits.email",
        "$.context.traits.phone",
        "$.properties.products[0].url",
        "$.properties.products",
        "$.properties.total",
        "$.list[1]",
        "$.userId.x.y",
    )
]


def projected(paths: list[Path]) -> Projection:
    projection = project(path.parts for path in paths)
    assert projection is not None
    return projection


PROJECTION = projected(PATHS)


def read_all(projection: Projection, paths: list[Path]) -> Any:
    """Give the function that reads *paths* of a struct, as generated code does."""
    code = SourceCode()
    with code.block("def read(event):"):
        reader = projection.reader(code, "event")
        reader.load(paths)
        code.line(f"return [{', '.join(map(reader.read, paths))}]")
    return code.build("read")


def decoded(projection: Projection, line: bytes) -> Any:
    structs = projection.decode([line])
    assert structs is not None
    (struct,) = structs
    return struct


READ = read_all(PROJECTION, PATHS)

KEYS = st.sampled_from(
    [
        "event",
        "context",
        "traits",
        "email",
        "phone",
        "properties",
        "products",
        "0",
        "url",
        "x",
        "y",
        "1",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2**70) | st.sampled_from([0.5, 20.0, "", "ab"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
EVENTS = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("event", "context", "properties", "list", "userId", "other"), VALUES),
)


@given(EVENTS)
@settings(max_examples=150, deadline=None)
def test_a_struct_reads_as_plain_json_does(event: dict[str, Any]) -> None:
    """Null, texts, numbers and lists where objects are expected included."""
    struct = decoded(PROJECTION, json.dumps(event).encode())
    assert READ(struct) == [path.get(event) for path in PATHS]


@pytest.mark.parametrize(
    "line",
    [
        b'{"context":null}',
        b'{"context":"text"}',
        b'{"context":[{"traits":1}]}',
        b'{"context":{"traits":null}}',
        b'{"context":{"traits":{"email":1}},"context":{}}',
        b'{"context":{"traits":{"email":1,"email":2}}}',
        b'{"\\u0063ontext":{"tra\\u0069ts":{"email":"\\u0041"}}}',
        b'{"properties":{"total":20.0,"products":[{"url":"u"}]}}',
        b'{"properties":{"total":123456789012345678901234567890}}',
        b'{"properties":{"total":-0.0,"products":{"0":{"url":"u"}}}}',
        b' {"event":"\xc3\xa9"} \r\n',
        b"{}",
    ],
)
def test_odd_events_read_as_plain_json_does(line: bytes) -> None:
    struct = decoded(PROJECTION, line)
    plain = json.loads(line)
    assert READ(struct) == [path.get(plain) for path in PATHS]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"null",
        b"{} {}",
        b'{"a":',
        b'{"event":1e999}',
        b'{"event":"\\ud800"}',
        b'{"skipped":"\\ud800"}',
        b'{"skipped":"\xff"}',
        b'{"skipped":"\xed\xa0\x80"}',
        b'{"\xff":1}',
        b'{"event":"a\tb"}',
        b'{"skipped":01}',
        b'{"skipped":NaN}',
        b'{"event":' + b"[" * 200 + b"]" * 200 + b"}",
        b'{"event":' + b"[" * 3000 + b"]" * 3000 + b"}",
        b'{"skipped":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'\xef\xbb\xbf{"event":1}',
    ],
)
def test_what_may_have_to_be_refused_is_left_to_the_full_decoder(line: bytes) -> None:
    assert PROJECTION.decode([b'{"event":"good"}', line]) is None


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [b'"type":"page",', b'"type":"order",', b'"type":5,', b"", b'"type":"",']
            ),
            st.binary(max_size=12),
        ).map(lambda parts: b'{%b"skip":"%b"}' % parts),
        max_size=4,
    )
)
@settings(max_examples=150)
def test_no_event_is_accepted_that_the_full_decoder_rejects(lines: list[bytes]) -> None:
    """Skipped parts and types are checked too."""
    whole = [line.replace(b"\n", b" ") + b"\n" for line in lines]
    chunk = Chunk(whole, START, Position(sum(map(len, whole)), len(whole)))
    typed = project((path.parts for path in PATHS), EVENT_TYPES)
    assert typed is not None
    structs = typed.decode(chunk.lines)
    if structs is not None:
        assert decode(chunk, 1_000_000).rejected == ()
        assert len(structs) == len(decode(chunk, 1_000_000).events) == len(chunk.lines)


@pytest.mark.parametrize("line", [b'{"skipped":1e999}', b'{"event":1,"skipped":[1e-999]}'])
def test_numbers_beyond_doubles_may_be_skipped(line: bytes) -> None:
    struct = decoded(PROJECTION, line)
    assert READ(struct) == [path.get(json.loads(line)) for path in PATHS]


@pytest.mark.parametrize(
    "texts", [[""], ["$.a", ""], ["a\\b.c"], ["['a.b']"], ["\ud800"], ["a." * 60 + "b"]]
)
def test_paths_that_no_struct_can_have_need_the_whole_event(texts: list[str]) -> None:
    assert project(Path.parse(text).parts for text in texts) is None


@pytest.mark.parametrize("part", ['b"c', "b\\c", "b\nc", "b\ud800", "b.c"])
def test_a_key_that_no_struct_can_have_ends_the_structs(part: str) -> None:
    """What holds it is decoded as plain JSON."""
    paths = [Path(("a", part, "d")), Path(("a", "x"))]
    projection = projected(paths)
    event = {"a": {part.encode("utf-8", "replace").decode(): {"d": 1}, "x": 2}}
    struct = decoded(projection, json.dumps(event).encode())
    assert read_all(projection, paths)(struct) == [path.get(event) for path in paths]


@pytest.mark.parametrize(
    "event", [{"a": {"b": {"c": {"d": 1}}, "x": 2}}, {"a": {"b.c": 0}}, {"a": 5}, {"a": [{"b": 1}]}]
)
def test_a_key_with_dots_may_mean_several_keys(event: Event) -> None:
    paths = [Path(("a", "b.c", "d")), Path(("a", "x")), Path(("a", "0.b"))]
    projection = projected(paths)
    struct = decoded(projection, json.dumps(event).encode())
    assert read_all(projection, paths)(struct) == [path.get(event) for path in paths]


def test_very_deep_paths_end_in_plain_json() -> None:
    deep = Path(("a",) * 40)
    projection = projected([deep])
    value: Any = 1
    for _ in range(40):
        value = {"a": value}
    struct = decoded(projection, json.dumps(value).encode())
    assert read_all(projection, [deep])(struct) == [1]


def test_a_top_level_value_can_be_taken_out(tmp_path: FilePath) -> None:
    (tmp_path / "events").write_bytes(b'{"event":"a"}\n{}\n')
    with EventFile(tmp_path / "events") as source:
        (chunk,) = source.chunks()
    structs = PROJECTION.decode(chunk.lines)
    assert structs is not None
    assert [str(PROJECTION.getter("event")(one)) for one in structs] == ["a", "MISSING"]
