"""A path has the same meaning everywhere: that of Segment's implementation."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.paths import JSON, MISSING, Path, step


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("$.a.b", ("a", "b")),
        ("a.b", ("a", "b")),
        ("", ()),
        ("$.", ()),
        (".", ()),
        ("...", ()),
        ("$", ("$",)),
        ("$x", ("$x",)),
        ("$.$.x", ("$", "x")),
        ("a$.b", ("ab",)),
        ("a[0].b", ("a", "0", "b")),
        ("a[0]b", ("a", "0", "b")),
        ("a['b c']", ("a", "b c")),
        ('["a"]["b"]', ("a", "b")),
        ("a['']", ("a", "")),
        ("a[b]", ("a[b]",)),
        ("[txt] key.in", ("[txt] key", "in")),
        ("a[[0]]", ("a[", "0")),
        ("a]0", ("a]0",)),
        ("a[-1]", ("a[-1",)),
        ("us'er", ("user",)),
        ("a..b", ("a", "b")),
        (" a", (" a",)),
        ("日本.語", ("日本", "語")),
        ("a[\u0663]", ("a[\u0663]",)),
    ],
)
def test_texts_are_split_as_in_the_reference(text: str, parts: tuple[str, ...]) -> None:
    assert Path.parse(text) == Path(parts)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", "$."),
        ("$.a.b_c", "$.a.b_c"),
        ("a['0'].b c", "$.a[0].b c"),
        ("[0]", "$.[0]"),
        ("a.0x", "$.a['0x']"),
        ("a['']", "$.a['']"),
    ],
)
def test_paths_print_as_they_are_written(text: str, shown: str) -> None:
    assert str(Path.parse(text)) == shown


@given(st.lists(st.text(alphabet="ab0 9$-é'\"[]_", max_size=4), max_size=4))
def test_printing_and_reading_are_inverse_for_every_readable_path(parts: list[str]) -> None:
    """A parsed path equals the path parsed from its text."""
    path = Path.parse(".".join(parts))
    if any(set("[]") & set(part) for part in path.parts):
        return

    assert Path.parse(str(path)) == path


EVENT: dict[str, Any] = {
    "a": {"b": {"c": 1}, "": 2, "0": 3},
    "l": [{"x": 1}, [5, 6]],
    "t": "héllo",
    "none": None,
    "no": False,
    "zero": 0,
    "half": 0.0,
    "empty": "",
    "nothing": [],
    "yes": True,
    "n": 7,
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a.b.c", 1),
        ("a['']", 2),
        ("a[0]", 3),
        ("a.b.d", MISSING),
        ("a.b.c.d", MISSING),
        ("l[0].x", 1),
        ("l[1][1]", 6),
        ("l.1.0", 5),
        ("l[2]", MISSING),
        ("l[-1]", MISSING),
        ("l[01]", MISSING),
        ("l.x", MISSING),
        ("l.length", MISSING),
        ("l[99999999999999999999]", MISSING),
        ("l.\u0660", MISSING),
        ("t[1]", "é"),
        ("t[9]", MISSING),
        ("t.length", MISSING),
        ("none.x.y", None),
        ("no.x", False),
        ("zero[0]", 0),
        ("half.x", 0.0),
        ("empty.x", ""),
        ("empty[0]", ""),
        ("nothing.x", MISSING),
        ("nothing[0]", MISSING),
        ("yes.x", MISSING),
        ("n.x", MISSING),
        ("constructor", MISSING),
        ("__class__", MISSING),
    ],
)
def test_values_are_found(text: str, value: Any) -> None:
    """Only objects, lists and strings have members; null and false end a path early."""
    found = Path.parse(text).get(EVENT)

    assert found is value if value is MISSING else (found, type(found)) == (value, type(value))


def test_the_empty_path_is_the_whole_event() -> None:
    assert Path.parse("").get(EVENT) is EVENT
    assert Path.parse("a").get(MISSING) is MISSING


def test_a_path_is_taken_step_by_step() -> None:
    assert step(EVENT, "zero") == 0
    assert step(5, "x") is MISSING
    assert step(MISSING, "x") is MISSING


def test_missing_is_one_thing() -> None:
    """It is false, prints as itself, and stays the same when copied."""
    assert not MISSING
    assert repr(MISSING) == "MISSING"
    assert copy.copy(MISSING) is copy.deepcopy({"a": MISSING})["a"] is MISSING
    assert pickle.loads(pickle.dumps(MISSING)) is MISSING  # noqa: S301 - our own bytes


DOTTED = {"a": {"b.c": 1, "b": {"c": 2}, "d": {"e": 3}, "f.g": {"h.i": 4}, "l": [{"x.y": 5}]}}


@pytest.mark.parametrize(
    ("text", "parts", "value"),
    [
        ("$.a['b.c']", ("a", "b.c"), 1),
        ('$.a["b.c"]', ("a", "b.c"), 1),
        (r"$.a.b\.c", ("a", "b.c"), 1),
        ("$.a.b.c", ("a", "b", "c"), 2),
        ("$.a['d.e']", ("a", "d.e"), 3),
        (r"a.d\.e", ("a", "d.e"), 3),
        ("a['f.g']['h.i']", ("a", "f.g", "h.i"), 4),
        (r"a.f\.g.h\.i", ("a", "f.g", "h.i"), 4),
        ("a.l[0]['x.y']", ("a", "l", "0", "x.y"), 5),
        ("a['l.0']['x.y']", ("a", "l.0", "x.y"), 5),
        ("a['d.x']", ("a", "d.x"), MISSING),
        ("a['.']", ("a", "."), MISSING),
    ],
)
def test_a_key_may_contain_dots(text: str, parts: tuple[str, ...], value: JSON) -> None:
    """The key itself comes first; without it, dots separate keys as in the reference."""
    path = Path.parse(text)
    assert path.parts == parts
    assert path.get(DOTTED) == value
    assert Path.parse(str(path)) == path
