"""Matching: values of every kind, missing values, globs, functions, unusual events."""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from typing import Any

import pytest

from framework.codegen import JSONReader, SourceCode
from framework.errors import TriggerError
from framework.paths import MISSING, Path
from framework.triggers import evaluate, parse
from framework.triggers.globs import glob
from framework.triggers.values import kind_of, number_of, same, text_of

VALUES: dict[str, Any] = {
    "missing": MISSING,
    "null": None,
    "true": True,
    "false": False,
    "0": 0,
    "1": 1,
    "7.5": 7.5,
    "empty": "",
    "x": "x",
    "7": "7",
    "list": ["x", 1, True, None],
    "object": {"x": 1},
}

MATCHING = [
    ("properties.v = null", {"missing", "null"}),
    ("properties.v != null", set(VALUES) - {"missing", "null"}),
    ("properties.v = true", {"true"}),
    ("properties.v != true", set(VALUES) - {"true"}),
    ("properties.v = 1", {"1"}),
    ("properties.v = 0", {"0"}),
    ("properties.v != 1", {"0", "7.5"}),
    ("!(properties.v = 1)", {"0", "7.5"}),
    ('properties.v = "x"', {"x"}),
    ('properties.v != "x"', set(VALUES) - {"x"}),
    ('properties.v = ""', {"empty"}),
    ('properties.v = ["x", 1, true, null]', {"list"}),
    ('properties.v = ["x", true, 1, null]', set()),
    ('properties.v != ["x", 1, true, null]', set(VALUES) - {"list"}),
    ("properties.v > 0", {"1", "7.5"}),
    ("!(properties.v > 0)", {"0"}),
    ("properties.v <= 7.5", {"0", "1", "7.5"}),
    ('properties.v >= "1"', {"1", "7.5"}),
    ("properties.v >= true", {"1", "7.5"}),
    ('properties.v > ""', {"1", "7.5"}),
    ("properties.v > six", set()),
    ("!(properties.v > six)", set()),
    ("properties.v >= null", set()),
    ("properties.v in [x, 1, null]", {"x", "1", "missing", "null"}),
    ("!(properties.v in [x, 1, null])", set(VALUES) - {"x", "1", "missing", "null"}),
    ('properties.v in ["x", "7"]', {"x", "7"}),
    ('not properties.v in ["x", "7"]', set(VALUES) - {"x", "7"}),
    ("properties.v in [a,b,c,d,e,f,g,h,i,x]", {"x"}),
    ("!(properties.v in [a,b,c,d,e,f,g,h,i,x])", set(VALUES) - {"x"}),
    ("properties.v in []", set()),
    ('"x" in properties.v', {"list"}),
    ('!("x" in properties.v)', set()),
    ('!("y" in properties.v)', {"list"}),
    ("properties.v in properties.all", {"x", "1", "true", "null", "missing"}),
    ('contains(properties.v, "")', {"empty", "x", "7"}),
    ('!contains(properties.v, "x")', {"empty", "7"}),
    ('!(contains(properties.v, "x"))', {"empty", "7"}),
    ("contains(properties.v, lowercase(properties.upper))", {"x"}),
    ('match(properties.v, "?")', {"x", "7"}),
    ('!match(properties.v, "?")', {"empty"}),
    ('match(properties.v, "x*") or match(properties.v, "*7")', {"x", "7"}),
    ('match(properties.v, "{*}")', set()),
    ("length(properties.v) = 0", {"missing", "null", "empty"}),
    ("length(properties.v) = 4", {"list"}),
    ('lowercase(properties.v) = "x"', {"x"}),
    ("uppercase(properties.v) = null", set(VALUES) - {"empty", "x", "7"}),
    ("uppercase(properties.v) = properties.upper", set()),
    ("uppercase(properties.v) = string(properties.upper)", {"x"}),
    ('typeof(properties.v) = "object"', {"object"}),
    ('typeof(properties.v) in ["number", "bool"]', {"true", "false", "0", "1", "7.5"}),
    ("bool(properties.v)", {"true", "1", "7.5", "x", "7", "list", "object"}),
    ("!bool(properties.v)", {"missing", "null", "false", "0", "empty"}),
    ("string(properties.v) = 1", set()),
    ('string(properties.v) in ["1", "true", "7.5"]', {"1", "true", "7.5"}),
    ("""string(properties.v) = '["x",1,true,null]'""", {"list"}),
    ("number(properties.v) > 1", {"7.5", "7"}),
    ("number(properties.v) = null", set(VALUES) - {"0", "1", "7.5", "7"}),
    ("properties.v > number(properties.two)", {"7.5"}),
    ("properties.v != length(properties.two)", {"0", "7.5"}),
    ("properties.v.x = 1", {"object", "0"} & {"object"}),
]


@pytest.mark.parametrize(("text", "names"), MATCHING)
def test_a_condition_on_values_of_every_kind(text: str, names: Iterable[str]) -> None:
    """Compiled and interpreted results agree for each kind of value."""
    trigger = parse(text)
    fixed = {"all": ["x", 1, True, None], "upper": "X", "two": "2"}
    events = {
        name: {"properties": fixed if value is MISSING else {"v": value, **fixed}}
        for name, value in VALUES.items()
    }

    assert {name for name, event in events.items() if trigger.matches(event)} == set(names)
    assert {name for name, event in events.items() if evaluate(trigger.tree, event)} == set(names)


@pytest.mark.parametrize("event", [None, True, 7, "track", [], [{"type": "track"}], {}])
@pytest.mark.parametrize(
    "text", ["type = track", "properties.a.b > 1", "length(traits.x) > 1", "!match(event, 'a?')"]
)
def test_invalid_events_do_not_match(text: str, event: Any) -> None:
    """Matching never raises, even without a valid event."""
    assert parse(text).matches(event) is False
    assert evaluate(parse(text).tree, event) is False


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("a*d", ["abcd", "ad", "a\nd"], ["abcde", "A*d"]),
        ("*", ["", "x"], []),
        ("", [""], ["x"]),
        ("ab", ["ab"], ["abc", "xab"]),
        ("a??d", ["abcd", "aééd"], ["abd"]),
        ("*d", ["abcd", "d"], ["dx"]),
        ("**b**", ["abc", "b"], ["ac"]),
        ("*ab*ab", ["abab", "xabyab"], ["ab", "aab"]),
        ("a*b*c", ["abc", "axbbxc"], ["acb"]),
        (r"ab\*d", ["ab*d"], ["abcd", "abxd"]),
        ("ab[cC]d", ["abcd", "abCd"], ["abd"]),
        ("ab[a-z]d", ["abcd"], ["abCd"]),
        ("[!a-z0-9]*", ["Ab", "_"], ["a", "7", ""]),
        ("[^a]", ["b"], ["a"]),
        ("[!]", ["!"], ["a"]),
        (r"[\]\-]", ["]", "-"], ["\\"]),
        ("[😀-😂]", ["😁"], ["x"]),
        ("[abc", ["[abc"], ["a"]),
        ("[]", ["[]"], [""]),
        ("a\\", ["a\\"], ["a"]),
        ("(.+)$", ["(.+)$"], ["x"]),
    ],
)
def test_a_glob_matches_whole_texts(pattern: str, matching: list[str], others: list[str]) -> None:
    trigger = parse(f'match(event, "{pattern}")')

    assert [text for text in matching if not trigger.matches({"event": text})] == []
    assert [text for text in others if trigger.matches({"event": text})] == []
    assert [text for text in (*matching, *others) if glob(pattern).matches(text)] == matching


def test_a_glob_takes_linear_time() -> None:
    """Each segment between stars is searched once, so this ends immediately."""
    trigger = parse(f'match(event, "{"*a" * 30}b")')

    assert trigger.matches({"event": "a" * 50_000}) is False
    assert trigger.matches({"event": "a" * 50_000 + "b"}) is True


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (7, 7), (True, 1), ("7", 7), (" 7.50 ", 7.5), ("", 0), ("  ", 0), ("1e3", 1000),
        ("0x10", 16), ("-Infinity", float("-inf")), ("1e999", float("inf")), (".5", 0.5),
        ("5.", 5), ("six", None), ("1_000", None), ("--5", None), (None, None), ([], None),
        ("9007199254740993", 9007199254740992), ("٣", None),
    ],
)  # fmt: skip
def test_a_constant_is_read_as_a_number_as_javascript_does(value: Any, number: Any) -> None:
    assert number_of(value) == number


def test_kinds_and_equality_are_strict() -> None:
    values: list[Any] = [MISSING, None, True, 1, 1.5, "", [], (), {}]
    assert [kind_of(value) for value in values] == [
        "null", "null", "bool", "number", "number", "string", "list", "list", "object",
    ]  # fmt: skip
    assert same(1, 1.0)
    assert not same(1, True)
    assert same([1, [None]], (1, (MISSING,)))
    assert not same([1], [True])


def test_a_value_nested_too_deeply_converts_to_null() -> None:
    """A hostile event cannot make `string` raise."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]

    assert text_of(deep) is None
    assert parse("string(properties.x) = null").matches({"properties": {"x": deep}})
    while deep:
        deep = deep[0]


@pytest.mark.parametrize(("levels", "converts"), [(200, True), (201, False), (3000, False)])
def test_the_depth_that_converts_is_the_same_on_every_python(
    levels: int, *, converts: bool
) -> None:
    deep: list[Any] = []
    for _ in range(levels - 1):
        deep = [deep]

    assert text_of(deep) == ("[" * levels + "]" * levels if converts else None)


def test_a_trigger_lists_the_paths_it_reads() -> None:
    trigger = parse("type = track and (length(properties.a.b) > 1 or 'x' in traits.tags)")

    assert trigger.paths == {
        Path(("type",)), Path(("properties", "a", "b")), Path(("traits", "tags")),
    }  # fmt: skip


class AttributeReader:
    """Reads paths from attributes of nested objects, unlike the reader of JSON."""

    def __init__(self, code: SourceCode) -> None:
        self.code = code
        self.known: dict[Path, str] = {}

    def load(self, paths: Iterable[Path]) -> None:
        for path in paths:
            self.known[path] = self.code.fresh("a")
            self.code.line(f"{self.known[path]} = row.{'.'.join(path.parts)}")

    def read(self, path: Path) -> str:
        return self.known[path]

    def branch(self) -> AttributeReader:
        return self

    def item(self, path: Path, variable: str) -> JSONReader:
        del path  # the items of all lists are plain JSON
        return JSONReader(self.code, variable)


class Row:
    """A projected event."""

    type = "track"
    event = "Order"


def test_a_trigger_is_emitted_into_other_code_with_any_reader() -> None:
    trigger = parse('type = track and snakecase(lowercase(event)) in ["order", "x"]')
    code = SourceCode()
    with code.block("def route(row):"):
        reader = AttributeReader(code)
        reader.load(trigger.paths)
        code.line(f"return 'yes' if {trigger.emit(code, reader)} else 'no'")

    route = code.build("route")

    assert route(Row) == "yes"


def test_generated_code_compares_with_the_constants_themselves() -> None:
    """Common comparisons call no functions, and strings occur as literals only."""
    trigger = parse("type = 'track' and event != \"it's {x}\" and contains(name, '{y}')")
    source = vars(trigger.matches)["__source__"]

    assert "== 'track'" in source
    assert '!= "it\'s {x}"' in source
    assert "'{y}' in " in source
    assert trigger.matches({"type": "track", "event": "x", "name": "a{y}b"})


def test_a_trigger_can_be_pickled() -> None:
    trigger = parse("event = Order Completed")
    assert trigger.matches({"event": "Order"})

    copy = pickle.loads(pickle.dumps(trigger))  # noqa: S301 - our own

    assert copy == trigger
    assert copy.remarks == trigger.remarks
    assert copy.matches({"event": "Order"})


def test_a_reversed_range_is_refused() -> None:
    with pytest.raises(TriggerError, match=r"\AThe range `9-0` is reversed; write `0-9`\.\Z"):
        glob("[9-0]")
