"""Generated source is readable, holds constants exactly, and reads paths as paths do."""

from __future__ import annotations

import linecache
import math
import traceback
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.codegen import Each, JSONReader, Parts, SourceCode
from framework.paths import MISSING, Path


def test_lines_blocks_and_names() -> None:
    code = SourceCode()
    with code.block("def double(x):"):
        name = code.fresh("y")
        code.line(f"{name} = x")
        with code.block(f"if {name} is MISSING:"):
            code.line("return None")
        code.line(f"return {name} * 2")
    double = code.build("double")

    assert code.source.splitlines() == [
        "def double(x):",
        "    y1 = x",
        "    if y1 is MISSING:",
        "        return None",
        "    return y1 * 2",
    ]
    assert double(4) == 8
    assert double(MISSING) is None
    assert double.__source__ == code.source  # type: ignore[attr-defined]


def test_tracebacks_show_generated_lines() -> None:
    code = SourceCode()
    with code.block("def fail():"):
        code.line("return 1 / 0  # here")
    with pytest.raises(ZeroDivisionError) as failed:
        code.build("fail")()

    shown = "".join(traceback.format_exception(failed.value))
    assert "return 1 / 0  # here" in shown
    assert any(name.startswith("<fail ") for name in linecache.cache)


def test_objects_are_made_without_what_is_missing() -> None:
    """Values known to exist need no check, and keys keep their order."""
    code = SourceCode()
    with code.block("def make(a, b):"):
        known, one = code.note("a", str), code.literal(1)
        made = code.made(Parts({"a": known, "one": one, "b": "b", "c": "MISSING", "a b": known}))
        code.line(f"return {made}")
    make = code.build("make")

    assert code.source.splitlines()[1:] == [
        "    made1 = {'a': a, 'one': 1}",
        "    if b is not MISSING: made1['b'] = b",
        "    made1['a b'] = a",
        "    return made1",
    ]
    assert make("x", MISSING) == {"a": "x", "one": 1, "a b": "x"}
    assert (code.kind("a"), code.kind("b"), code.kind(made)) == (str, None, dict)


@pytest.mark.parametrize(
    ("root", "made"),
    [
        ([{"n": 1}, {}, 5], [{"n": 1}, {}, {}]),
        ({"n": [1]}, [{"n": [1]}]),
        ([], []),
        ("text", "text"),
        (None, None),
        (MISSING, MISSING),
    ],
)
def test_lists_are_made_of_an_object_for_each_item(root: Any, made: Any) -> None:
    """Including objects inside objects, if they are built."""
    code = SourceCode()

    def part(item: str) -> Parts:
        reader = JSONReader(code, item)
        reader.load([Path(("n",))])
        return Parts({"n": reader.read(Path(("n",)))})

    with code.block("def make(root):"):
        code.line(f"return {code.made(Parts({'in': Each('root', part)}))}")

    assert code.build("make")(root) == ({} if made is MISSING else {"in": made})


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        0,
        -5,
        10**30,
        "",
        "'\"\\\n\x00é😀\ud800",
        1.5,
        math.inf,
        [1],
        {"a": 1},
        MISSING,
        object(),
    ],
)
def test_constants_are_exact(value: Any) -> None:
    """Plain values are written as literals, others are bound to one name each."""
    code = SourceCode()
    first, second = code.literal(value), code.literal(value)
    with code.block("def give():"):
        code.line(f"return {first}")
    given_back = code.build("give")()

    assert first == second
    assert given_back is value or (given_back, type(given_back)) == (value, type(value))
    assert code.source.isascii()


plain: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "ab", 0.0]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "0", "1"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    plain,
    st.lists(st.lists(st.sampled_from(["a", "b", "0", "1", "01", "'"]), max_size=3), max_size=4),
)
def test_generated_reads_are_those_of_paths(value: Any, keys: list[list[str]]) -> None:
    """Any value may be read: a value that is not an object raises no error."""
    paths = [Path(tuple(parts)) for parts in keys]
    code = SourceCode()
    with code.block("def read(value):"):
        reader = JSONReader(code, "value")
        reader.load(paths)
        code.line(f"return [{', '.join(reader.read(path) for path in paths)}]")
    found = code.build("read")(value)

    for path, item in zip(paths, found, strict=True):
        assert item is path.get(value) or item == path.get(value)


def test_common_beginnings_are_entered_once() -> None:
    code = SourceCode()
    with code.block("def read(event):"):
        reader = JSONReader(code, "event")
        reader.load([Path(("a", "b")), Path(("a", "c"))])
        code.line(f"return {reader.read(Path(('a', 'b')))}, {reader.read(Path(()))}")

    assert code.source.count("'a'") == 2  # once to get it, once for what is no object
    assert code.build("read")({"a": {"b": 1}}) == (1, {"a": {"b": 1}})
