"""Parsing and printing: grammar, leniency, errors and limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from framework.errors import TriggerError
from framework.paths import Path
from framework.triggers import Trigger, parse
from framework.triggers.globs import MAX_GLOB
from framework.triggers.semantics import evaluate
from framework.triggers.syntax import MAX_DEPTH, MAX_LENGTH
from framework.triggers.tokens import MAX_DIGITS
from framework.triggers.tree import (
    MAX_LIST,
    And,
    BooleanNode,
    Comparison,
    ConstantNode,
    FieldNode,
    FunctionCall,
    Not,
    Or,
)

TOTAL = FieldNode(Path(("properties", "total")))
TYPE = FieldNode(Path(("type",)))
IS_TRACK = Comparison(TYPE, "=", ConstantNode("track"))
LONG = "a" * 40 + "…"
SIZE = FunctionCall("length", (TOTAL,))


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        # comparisons and values
        ("type = track", 'type = "track"'),
        ("type='track'", 'type = "track"'),
        ("event = x.y", 'event = "x.y"'),
        (r"event = Order\ Completed", 'event = "Order Completed"'),
        ("event = or", 'event = "or"'),
        ("type = and event = x", 'type = "and" and event = "x"'),
        ('event = "It\'s"', 'event = "It\'s"'),
        ("event = 'say \"hi\"'", "event = 'say \"hi\"'"),
        ('event = "a\nb\\"', 'event = "a\nb\\"'),
        ("properties.total>=12.50", "properties.total >= 12.5"),
        ("properties.total = 010", "properties.total = 10"),
        ("properties.total = -0", "properties.total = 0"),
        ("properties.total = +5.0", "properties.total = 5"),
        ("properties.total = -.25", "properties.total = -0.25"),
        ("properties.total != null", "properties.total != null"),
        ("properties.vip = true", "properties.vip = true"),
        ("properties.vip = TRUE", 'properties.vip = "TRUE"'),
        ("properties.x = NULL", 'properties.x = "NULL"'),
        ("properties.tags = ['a', 1, null, true]", 'properties.tags = ["a", 1, null, true]'),
        ("properties.tags = []", "properties.tags = []"),
        ("type IN [track, page]", 'type in ["track", "page"]'),
        ("null in properties.tags", "null in properties.tags"),
        (r"\true = 1", r"\true = 1"),
        ("'x' in properties.tags", '"x" in properties.tags'),
        ("properties.a in properties.b", "properties.a in properties.b"),
        # text fields take texts
        ("userId = 42", 'userId = "42"'),
        ("name != 1.50", 'name != "1.5"'),
        ("event = true", 'event = "true"'),
        ("userId = true", "userId = true"),
        ("userId > 5", 'userId > "5"'),
        ("userId in [12, true, null]", 'userId in ["12", true, null]'),
        ("type = null", "type = null"),
        # fields
        ("properties . a = 1", "properties.a = 1"),
        (r"properties.first\ name = 1", r"properties.first\ name = 1"),
        (r"properties.items\.0\.sku = A", r'properties.items\.0\.sku = "A"'),
        (r"properties.a\[0\] = A", r'properties.a.\0 = "A"'),
        (r"properties.na\ïve = 1", r"properties.na\ïve = 1"),
        (r"\type = 1", 'type = "1"'),
        ("properties.and = 1", r"properties.\and = 1"),
        (r"\not.x = 1", r"\not.x = 1"),
        ("not.x = 1", r"\not.x = 1"),
        ("properties = 1", "properties.properties = 1"),
        ("traits.traits.a = 1", "traits.traits.a = 1"),
        ("anonymousId = x", 'anonymousId = "x"'),
        ("properties.vip", "properties.vip = true"),
        # joints, groups, negation
        ("type=a and event=b or name=c", '(type = "a" and event = "b") or name = "c"'),
        ("type=a or event=b and name=c", 'type = "a" or (event = "b" and name = "c")'),
        ("(type=a or event=b) and name=c", '(type = "a" or event = "b") and name = "c"'),
        ("((type=a))", 'type = "a"'),
        ('type = "a"and event = "b"', 'type = "a" and event = "b"'),
        ("event = none (type = a)", 'event = "none" and type = "a"'),
        ("(type=a)or(event=b)", 'type = "a" or event = "b"'),
        ("type=a AND event=b", 'type = "a" and event = "b"'),
        ("not type=a and event=b", '!(type = "a") and event = "b"'),
        ("NOT (type=a and event=b)", '!(type = "a" and event = "b")'),
        ("!type=a", '!(type = "a")'),
        ("!!contains(event, x)", '!!contains(event, "x")'),
        ("not contains(event, x)", '!contains(event, "x")'),
        ("\n type = a\r\n\tand event = b\n", 'type = "a" and event = "b"'),
        # functions
        ("contains (event, 15)", 'contains(event, "15")'),
        ("contains(event, null)", 'contains(event, "null")'),
        ("contains(event, lowercase(name))", "contains(event, lowercase(name))"),
        ("match(event, 'a*')", 'match(event, "a*")'),
        ("length(properties.tags)>2", "length(properties.tags) > 2"),
        ("bool(properties.x)", "bool(properties.x) = true"),
        ("string(userId) = 12", "string(userId) = 12"),
        ("properties.a = string(properties.b)", "properties.a = string(properties.b)"),
    ],
)
def test_a_trigger_has_a_canonical_form(text: str, canonical: str) -> None:
    """The canonical text parses to the same tree."""
    trigger = parse(text)

    assert str(trigger) == canonical
    assert parse(canonical) == trigger
    assert trigger.remarks == ()


@pytest.mark.parametrize(
    ("text", "canonical", "remarks"),
    [
        ("event = Order Completed", 'event = "Order"', ["`Completed` is ignored"]),
        ('event = "a" "b"', 'event = "a"', ['`"b"` is ignored']),
        ('event = """"', 'event = ""', ['`""` is ignored']),
        ('"x" type = a', 'type = "a"', ['`"x"` is ignored']),
        ("event = x see example.com", 'event = "x"', ["`see`", "`example.com`"]),
        ("properties.a = 5-3", "properties.a = 5", ["`-3` is ignored"]),
        ("properties.a = 1_000", "properties.a = 1", ["`_000` is ignored"]),
        (
            "properties.a = 1,000",
            "properties.a = 1",
            ["`000` is ignored", "`,` at the start or end"],
        ),
        (
            r'event = "say \"hi\""',
            'event = "say \\"',
            [r'`"hi\"` is ignored', '`""` is ignored'],
        ),
        ('event = """', 'event = ""', ['`""` is ignored']),
        ("and type = a", 'type = "a"', ["`and` at the start or end of a group has no effect."]),
        ("type = a or", 'type = "a"', ["`or` at the start or end of a group has no effect."]),
        ("type = a and and event = b", 'type = "a" and event = "b"', []),
        ("type = a, event = b", 'type = "a" and event = "b"', []),
        ("(type = a event = b)", 'type = "a" and event = "b"', []),
        ("type=a, event=b or name=c", 'type = "a" or event = "b" or name = "c"', []),
    ],
)
def test_ignored_parts_lead_to_remarks(text: str, canonical: str, remarks: list[str]) -> None:
    trigger = parse(text)

    assert str(trigger) == canonical
    assert len(trigger.remarks) == len(remarks)
    for remark, start in zip(trigger.remarks, remarks, strict=True):
        assert remark.startswith(start)


def test_a_remark_suggests_quotes() -> None:
    assert parse("event = Order Completed").remarks == (
        "`Completed` is ignored; put quotes around a value of several words.",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Expected a condition."),
        ("type", "`type` alone is not a condition; compare it, for example `type = true`."),
        ("type =", "Expected a value after `=`."),
        ("type = )", "Expected a value after `=`."),
        ("type = a and (", "Expected a condition after `(`."),
        ("()", "Expected a condition after `(`."),
        ("type = a and ()", "Expected a condition after `(`."),
        ("not", "Expected a condition after `not`."),
        ("(type = a", "Expected `)`."),
        ("type = a)", "Unexpected `)`."),
        ("type = a = b", "Unexpected `=`."),
        ('type = "a"b', "`b` alone is not a condition; compare it, for example `b = true`."),
        ('type = "a"5', "`5` alone is not a condition; compare it, for example `field = 5`."),
        (
            "type = a and x",
            "`x` alone is not a condition; compare it, for example `x = true`.",
        ),
        ("type = a or and event = b", "Expected a condition between `or` and `and`."),
        ("! contains(event, x)", "`!` must directly precede what it negates; remove the space."),
        (
            "properties.a bogus x",
            "`bogus` alone is not a condition; compare it, for example `bogus = true`.",
        ),
        ('"track" = type', "Write the field first: `field = value`."),
        ('"a" in ["a"]', "A condition must read a field of the event; both sides are constants."),
        (
            'contains("event", "x")',
            "A condition must read a field of the event; both sides are constants.",
        ),
        ("type in", "Expected a list or field after `in`."),
        ('type in "a"', "Expected a list in brackets or a field after `in`."),
        ("type > [1]", "A list can be compared only with `=`, `!=` or `in`."),
        ("type in [a", "Expected `,`."),
        ("type in [[a]]", "A list can contain only strings, numbers, booleans and null."),
        ("type in [lowercase(a)]", "A list can contain only strings, numbers, booleans and null."),
        (
            "contains(event)",
            "`contains` has a wrong number of arguments; write `contains(value, part)`.",
        ),
        ("contains(event, [a])", "A list cannot be an argument of `contains`."),
        (
            "contains(event, x) = " + "a" * 60,
            '`contains(event, "x")` is a condition; it cannot be compared.',
        ),
        (
            "a" * 60,
            f"`{LONG}` alone is not a condition; compare it, for example `{LONG} = true`.",
        ),
        ("null", "`null` alone is not a condition; compare it, for example `field = null`."),
        ("match(event, lowercase(name))", "The second argument of `match` must be a string."),
        ("length(contains(event, a)) > 1", "A condition cannot be an argument of `length`."),
        (
            "contains(event, a) = true",
            '`contains(event, "a")` is a condition; it cannot be compared.',
        ),
        ("contains(", "Expected a field after `(`."),
        ("contains(event x)", "Expected `)`."),
        (
            "size(event) > 1",
            (
                'There is no function "size". Known functions: bool, contains, kebabcase, length, '
                "lowercase, match, number, snakecase, string, titlecase, typeof, uppercase."
            ),
        ),
        (
            "lowercase(event)",
            "`lowercase(event)` returns a string; compare it to make a condition.",
        ),
        ("properties.0 = x", "Expected a word after `.`; put a backslash before a leading digit."),
        ("properties.a. = x", "Expected a word after `.`; put a backslash before a leading digit."),
        ("properties.a[0] = x", "Unexpected `[`; write a position in a list as `.\\0`."),
        ("properties.a\\", "Expected a character after `\\`."),
        ("properties.a = 1.", "Unexpected `.` after a number."),
        ("properties.a = 1.2.3", "Unexpected `.` after a number."),
        ("properties.a = " + "9" * 390 + ".5", "A number must be finite."),
        ("event = $x", "Put quotes around a value that begins with `$`."),
        ("event = é", "Unexpected `é`."),
        ("event = “x”", "Use straight quotes around a string."),
        ("event = ‘x’", "Use straight quotes around a string."),  # noqa: RUF001 - meant
        ('event = "x', "The string that starts here has no closing quote."),
        ("event = \"x'", "The string that starts here has no closing quote."),
        ("type == a", "`==` is not an operator; write `=`."),
        ("type !== a", "`!==` is not an operator; write `!=`."),
        ("type => a", "`=>` is not an operator; write `>=`."),
        ("type =< a", "`=<` is not an operator; write `<=`."),
        ("type <> a", "`<>` is not an operator; write `!=`."),
        ("type = a && event = b", "`&&` is not an operator; write `and`."),
        ("type = a || event = b", "`||` is not an operator; write `or`."),
        ("type ~ a", "`~` is not an operator; write `match(field, pattern)`."),
        ("match(event, '[z-a]')", "The range `z-a` is reversed; write `a-z`."),
    ],
)
def test_an_error_says_what_was_expected(text: str, message: str) -> None:
    with pytest.raises(TriggerError) as raised:
        parse(text)

    assert str(raised.value).splitlines()[0] == message


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            'type = "track" and event =',
            'Expected a value after `=`.\n  type = "track" and event =\n' + " " * 28 + "^",
        ),
        (
            "type = track\nand\tevent = [a,\n  b]\n  ) ",
            "Unexpected `)`.\n    ) \n    ^".replace(") \n", ")\n"),
        ),
        (
            "type = a and properties." + "x" * 60 + " == 1 and event = b",
            "`==` is not an operator; write `=`.\n  "
            + "x" * 34
            + " == 1 and event = b\n  "
            + " " * 35
            + "^",
        ),
    ],
)
def test_an_error_shows_the_line_with_a_caret(text: str, shown: str) -> None:
    """Shows the line with the error; of a long line, the part around it."""
    with pytest.raises(TriggerError) as raised:
        parse(text)

    assert str(raised.value) == shown


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x" * 10_001, "A trigger can have at most 10000 characters, got 10001."),
        ("(" * 51 + "type = a" + ")" * 51, "The trigger is nested more than 50 levels deep."),
        ("!" * 51 + "contains(event, a)", "The trigger is nested more than 50 levels deep."),
        (
            "lowercase(" * 51 + "event" + ")" * 51 + " = a",
            "The trigger is nested more than 50 levels deep.",
        ),
        (f"type in [{'1,' * 1000}1]", "A list can have at most 1000 items, got 1001."),
        (f'match(event, "{"a" * 501}")', "A pattern can have at most 500 characters, got 501."),
        ("properties.a = " + "1" * 401, "A number can have at most 400 characters, got 401."),
    ],
)
def test_there_are_limits(text: str, message: str) -> None:
    with pytest.raises(TriggerError) as raised:
        parse(text)

    assert str(raised.value).splitlines()[0] == message


def test_the_limits_themselves_are_allowed() -> None:
    deep = "(type = a and " * (MAX_DEPTH - 2) + "event = b" + ")" * (MAX_DEPTH - 2)

    assert parse(deep).matches({"type": "a", "event": "b"})
    assert parse("(" * MAX_DEPTH + "type = a" + ")" * MAX_DEPTH).matches({"type": "a"})
    assert parse(f"type in [{'b,' * (MAX_LIST - 1)}a]").matches({"type": "a"})
    assert parse(f'match(event, "{"?" * MAX_GLOB}")').matches({"event": "x" * MAX_GLOB})
    assert parse("properties.a > " + "9" * MAX_DIGITS).matches({"properties": {"a": 1}}) is False
    assert parse("type = a".ljust(MAX_LENGTH)).matches({"type": "a"})


def test_a_group_with_both_connectives_counts_twice_towards_the_depth() -> None:
    """The limit applies to the tree, which can be deeper than its parentheses."""
    text = "(type = a or type = b and " * 40 + "event = b" + ")" * 40

    with pytest.raises(TriggerError, match=r"\AThe trigger is nested more than 50 levels deep\.\Z"):
        parse(text)


UNWRITABLE: list[tuple[Callable[[], object], str]] = [
    (lambda: FieldNode(Path(())), "A trigger cannot express the field `$.`."),
    (lambda: FieldNode(Path(("type", "x"))), "A trigger cannot express the field `$.type.x`."),
    (lambda: FieldNode(Path(("a.b",))), "A trigger cannot express the field `$.['a.b']`."),
    (lambda: ConstantNode("\"'"), "A string cannot contain both kinds of quotes."),
    (lambda: ConstantNode(float("nan")), "A number must be finite."),
    (lambda: And((IS_TRACK,)), "A group needs at least two conditions."),
    (lambda: Or(()), "A group needs at least two conditions."),
    (lambda: Or((IS_TRACK, SIZE)), "`length(properties.total)` is not a condition."),
    (lambda: Not(SIZE), "`length(properties.total)` is not a condition."),
    (lambda: Trigger(SIZE), "`length(properties.total)` is not a condition."),
    (
        lambda: Comparison(ConstantNode((1,)), "in", TOTAL),
        "Write the list on the right of the operator.",
    ),
    (
        lambda: Comparison(TYPE, "=", TOTAL),
        "A field on the right needs a function around it: `string(field)`.",
    ),
    (
        lambda: Comparison(TYPE, "is", ConstantNode(1)),
        'There is no operator "is". Known operators: !=, <, <=, =, >, >=, in.',
    ),
]


@pytest.mark.parametrize(("make", "message"), UNWRITABLE)
def test_a_tree_that_cannot_be_written_cannot_be_made(
    make: Callable[[], object], message: str
) -> None:
    with pytest.raises(TriggerError) as raised:
        make()

    assert str(raised.value) == message


def test_a_tree_made_by_hand_has_the_same_depth_limit() -> None:
    tree: BooleanNode = Comparison(TYPE, "=", ConstantNode("a"))
    for _ in range(MAX_DEPTH):
        tree = Not(tree)

    with pytest.raises(TriggerError, match=r"\AThe trigger is nested more than 50 levels deep\.\Z"):
        Trigger(tree)


def test_one_and_true_are_different_constants() -> None:
    """They are equal in Python, but triggers that differ in them must not share a cache entry."""
    assert parse("properties.a = 1") != parse("properties.a = true")
    assert parse("properties.a in [0]") != parse("properties.a in [false]")
    assert parse("properties.a = 2") == parse("properties.a = 2.0")


DOTTED = [
    (r"properties.cart\.total = 9", {"cart.total": 9}, True),
    (r"properties.cart\.total = 9", {"cart": {"total": 9}}, True),
    (r"properties.cart\.total = 9", {"cart.total": 8, "cart": {"total": 9}}, False),
    (r"properties.cart\.total = 9", {"cart": 9}, False),
    (r"properties.cart\.total > 5", {"cart.total": 9}, True),
    ("properties.cart.total = 9", {"cart.total": 9}, False),
    (r"properties.a\.b.c = 1", {"a.b": {"c": 1}}, True),
    (r"properties.a\.b.c = 1", {"a": {"b": {"c": 1}}}, True),
    (r"properties.items\.0\.sku = A", {"items": [{"sku": "A"}]}, True),
    (r"contains(properties.a\.b, x)", {"a.b": "xy"}, True),
    (r"properties.a\.b in [1, 2]", {"a.b": 2}, True),
    (r"properties.a\.b", {"a.b": True}, True),
    (r"properties.a\.b = null", {"a": {"b": 1}}, False),
    (r"properties.a\.b = null", {}, True),
]


@pytest.mark.parametrize(("text", "properties", "matches"), DOTTED)
def test_a_key_may_contain_dots(
    text: str,
    properties: dict[str, Any],
    matches: bool,  # noqa: FBT001 - an expectation
) -> None:
    """Interpreted and compiled; the canonical text means the same."""
    event = {"type": "track", "properties": properties}
    trigger = parse(text)
    assert trigger.matches(event) is matches
    assert evaluate(trigger.tree, event) is matches
    assert parse(str(trigger)) == trigger
    assert trigger.remarks == ()


@pytest.mark.parametrize(
    ("text", "remark"),
    [
        ('event.name = "x"', "`event.name` is read as `event`"),
        ('type.y != "x"', "`type.y` is read as `type`"),
        ("userId.x > 5", "`userId.x` is read as `userId`"),
        ('name.first = "x"', "`name.first` is read as `name`"),
        (r'event\.name = "x"', r"`event\.name` is read as `event`"),
    ],
)
def test_keys_of_text_fields_are_ignored_with_a_remark(text: str, remark: str) -> None:
    trigger = parse(text)
    assert [one.startswith(remark) for one in trigger.remarks] == [True]
    assert {len(path.parts) for path in trigger.paths} == {1}


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("event.name", 0),
        ("!event.name", 1),
        ('contains(event.name, "x")', 9),
        ("length(userId.x) > 3", 7),
        ('lowercase(event.a.b) = "c"', 10),
        ('event.name in ["a"]', 0),
        ('"x" in event.name', 7),
        ("properties.a = string(type.x)", 22),
        ('type = "track" and (userId.x or event = "y")', 20),
    ],
)
def test_text_fields_have_no_keys(text: str, offset: int) -> None:
    """Segment's implementation ignores such a condition; here it is refused."""
    with pytest.raises(TriggerError) as caught:
        parse(text)
    message = str(caught.value).partition("\n")[0]
    field = text[offset:].partition(")")[0].split()[0].rstrip(",")
    root, _, inner = field.partition(".")
    assert message == (
        f"`{field}` does not exist: `{root}` is text and has no keys; "
        f"write `{root}`, or `properties.{inner}`."
    )
    assert caught.value.offset == offset
