"""The operators and functions of the trigger language, with descriptions and examples.

A test executes the examples, and the documentation shows them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from framework.paths import Event
from framework.triggers.operations import (
    contains,
    different,
    equal,
    length,
    matches_glob,
    member,
    on_string,
    ordered,
    title_case,
    to_bool,
    to_number,
)
from framework.triggers.values import kind_of, text_of


class OperatorExample(NamedTuple):
    """A trigger, an event, and the result: whether it matches, or the first line of the error."""

    trigger: str
    event: Event
    expected: bool | str


class Operator(NamedTuple):
    """A construct of the language; *apply* is set if it compares two values."""

    name: str
    summary: str
    examples: tuple[OperatorExample, ...]
    apply: Callable[[Any, Any], bool | None] | None = None


class Function(NamedTuple):
    """A function: its parameters, the kind of value it *returns*, and *apply*, which computes it.

    *apply* takes the values of the parameters and never raises; it returns None for values to
    which the function does not apply.
    """

    name: str
    parameters: tuple[str, ...]
    returns: str
    summary: str
    apply: Callable[..., Any]
    examples: tuple[OperatorExample, ...]

    @property
    def signature(self) -> str:
        """The call as users write it: `contains(value, part)`."""
        return f"{self.name}({', '.join(self.parameters)})"


_TRACK: Final[Event] = {"type": "track", "event": "Order Completed", "userId": "u-1"}
_SHOP: Final[Event] = {
    "type": "track",
    "event": "Order Completed",
    "properties": {
        "total": 120.5,
        "count": "3",
        "gift": False,
        "vip": True,
        "coupon": None,
        "city": "Lyon",
        "tags": ["sale", "spring"],
        "first name": "Ana",
        "items": [{"sku": "A1"}],
    },
}

_OPERATORS: Final = (
    Operator(
        "path",
        "Any field of the event: its keys, separated by dots. Characters other than letters, "
        "digits, `_` and `-`, and a digit at the start of a key, need a backslash, a dot in a key, "
        "too. A key of a list is a position. `properties`, `traits` and `context` alone mean the "
        "member of that name inside them; `type`, `event`, `name` and `userId` are strings without "
        "keys.",
        (
            OperatorExample('properties.first\\ name = "Ana"', _SHOP, True),
            OperatorExample('properties.items.\\0.sku = "A1"', _SHOP, True),
            OperatorExample("properties.cart\\.total = 9", {"properties": {"cart.total": 9}}, True),
            OperatorExample('anonymousId = "a-1"', _SHOP, False),
            OperatorExample(
                'properties.items[0].sku = "A1"',
                _SHOP,
                "Unexpected `[`; write a position in a list as `.\\0`.",
            ),
        ),
    ),
    Operator(
        "value",
        "A string needs double or single quotes, without escapes inside, unless it is a single "
        "word. Numbers, `true`, `false` and `null` are literals; compared with `type`, `event`, "
        "`name` or `userId`, numbers and booleans become strings (except in `userId = true`).",
        (
            OperatorExample("type = 'track'", _SHOP, True),
            OperatorExample("type = track", _SHOP, True),
            OperatorExample("userId = 12", {"userId": "12"}, True),
            OperatorExample("event = Order", _SHOP, False),
            OperatorExample(
                'event = "Order', _SHOP, "The string that starts here has no closing quote."
            ),
        ),
    ),
    Operator(
        "bare field",
        "A field alone is a condition: its value is true.",
        (
            OperatorExample("properties.vip", _SHOP, True),
            OperatorExample("properties.gift or properties.coupon", _SHOP, False),
            OperatorExample(
                "vip",
                {"vip": True},
                "`vip` alone is not a condition; compare it, for example `vip = true`.",
            ),
        ),
    ),
    Operator(
        "=",
        "Both sides have the same kind and are equal. A missing field equals null. A value that is "
        "not a number is neither equal to a number nor different from it.",
        (
            OperatorExample('event = "Order Completed"', _TRACK, True),
            OperatorExample("properties.total = 120.50", _SHOP, True),
            OperatorExample("properties.missing = null", _SHOP, True),
            OperatorExample("properties.count = 3", _SHOP, False),
            OperatorExample("type =", _TRACK, "Expected a value after `=`."),
        ),
        equal,
    ),
    Operator(
        "!=",
        "The opposite of `=`. A missing field differs from every string and boolean; it "
        "is neither equal to a number nor different from it.",
        (
            OperatorExample('userId != "u-2"', _TRACK, True),
            OperatorExample("properties.total != null", _SHOP, True),
            OperatorExample("properties.missing != 3", _SHOP, False),
            OperatorExample("type <> track", _TRACK, "`<>` is not an operator; write `!=`."),
        ),
        different,
    ),
    Operator(
        ">",
        "A number is greater. A value that is not a number is neither greater nor smaller.",
        (
            OperatorExample("properties.total > 100", _SHOP, True),
            OperatorExample("properties.total>120.5", _SHOP, False),
            OperatorExample("properties.count > 1", _SHOP, False),
            OperatorExample(
                "properties.total > [1]",
                _SHOP,
                "A list can be compared only with `=`, `!=` or `in`.",
            ),
        ),
        ordered(lambda left, right: left > right),
    ),
    Operator(
        ">=",
        "A number is greater or equal.",
        (
            OperatorExample("properties.total >= 120.5", _SHOP, True),
            OperatorExample("properties.total >= 121", _SHOP, False),
            OperatorExample("properties.total => 3", _SHOP, "`=>` is not an operator; write `>=`."),
        ),
        ordered(lambda left, right: left >= right),
    ),
    Operator(
        "<",
        "A number is smaller.",
        (
            OperatorExample("properties.total < 120.6", _SHOP, True),
            OperatorExample("properties.missing < 5", _SHOP, False),
            OperatorExample("properties.total <", _SHOP, "Expected a value after `<`."),
        ),
        ordered(lambda left, right: left < right),
    ),
    Operator(
        "<=",
        "A number is smaller or equal.",
        (
            OperatorExample("properties.total <= 120.5", _SHOP, True),
            OperatorExample("properties.total <= 120", _SHOP, False),
            OperatorExample("properties.total =< 3", _SHOP, "`=<` is not an operator; write `<=`."),
        ),
        ordered(lambda left, right: left <= right),
    ),
    Operator(
        "in",
        "A value is in a list: a list in brackets, or a list of the event.",
        (
            OperatorExample('type in ["track", "page"]', _TRACK, True),
            OperatorExample('"sale" in properties.tags', _SHOP, True),
            OperatorExample('"sale" in properties.city', _SHOP, False),
            OperatorExample(
                'type in "track"',
                _TRACK,
                "Expected a list in brackets or a field after `in`.",
            ),
        ),
        member,
    ),
    Operator(
        "and",
        "All conditions are true. It binds more tightly than `or`. Adjacent conditions, and those "
        "separated by a comma, are combined like the others of their group, else by `and`.",
        (
            OperatorExample('type = "track" and event = "Order Completed"', _TRACK, True),
            OperatorExample('type = "track", event = "Cart Viewed"', _TRACK, False),
            OperatorExample(
                "type = track and event = x or event = y",
                {"type": "page", "event": "y"},
                True,
            ),
            OperatorExample(
                "type = track && event = x", _TRACK, "`&&` is not an operator; write `and`."
            ),
        ),
    ),
    Operator(
        "or",
        "At least one of the conditions is true.",
        (
            OperatorExample('type = "page" or type = "track"', _TRACK, True),
            OperatorExample('type = "page" or type = "screen"', _TRACK, False),
            OperatorExample(
                "type = page or and type = track",
                _TRACK,
                "Expected a condition between `or` and `and`.",
            ),
        ),
    ),
    Operator(
        "not",
        "The condition is false; `!` directly before the condition means the same. It binds most "
        "tightly. The negation of a condition that is neither true nor false is neither, too.",
        (
            OperatorExample('not type = "page"', _TRACK, True),
            OperatorExample("!(type = track and userId = null)", _TRACK, True),
            OperatorExample('!contains(event, "Order")', _TRACK, False),
            OperatorExample('!contains(properties.missing, "x")', _TRACK, False),
            OperatorExample(
                "! type = page",
                _TRACK,
                "`!` must directly precede what it negates; remove the space.",
            ),
        ),
    ),
    Operator(
        "( )",
        "Parentheses group conditions, nested up to 50 levels deep.",
        (
            OperatorExample(
                '(type = page or type = track) and event = "Order Completed"', _TRACK, True
            ),
            OperatorExample("type = page and (type = track or userId = u-1)", _TRACK, False),
            OperatorExample("(type = track", _TRACK, "Expected `)`."),
        ),
    ),
)

_FUNCTIONS: Final = (
    Function(
        "contains",
        ("value", "part"),
        "boolean",
        "Whether a string contains another one. For any other value it is neither true nor false, "
        "so its negation does not match either.",
        contains,
        (
            OperatorExample('contains(event, "Order")', _TRACK, True),
            OperatorExample('contains(event, "order")', _TRACK, False),
            OperatorExample("contains(properties.total, 120)", _SHOP, False),
            OperatorExample(
                "contains(event)",
                _TRACK,
                "`contains` has a wrong number of arguments; write `contains(value, part)`.",
            ),
        ),
    ),
    Function(
        "match",
        ("value", "pattern"),
        "boolean",
        "Whether a pattern matches a whole string: `*` any text, `?` one character, `[abc]` and "
        "`[a-z]` one of these, `[!a-z]` one other than these, `\\*` a literal star. For any other "
        "value it is neither true nor false.",
        matches_glob,
        (
            OperatorExample('match(event, "Order *")', _TRACK, True),
            OperatorExample('match(userId, "u-[0-9]")', _TRACK, True),
            OperatorExample('match(event, "Order")', _TRACK, False),
            OperatorExample(
                'match(event, "[z-a]")', _TRACK, "The range `z-a` is reversed; write `a-z`."
            ),
        ),
    ),
    Function(
        "length",
        ("value",),
        "number",
        "The number of bytes of a string in UTF-8, or of items of a list; 0 for null.",
        length,
        (
            OperatorExample("length(userId) > 0", _TRACK, True),
            OperatorExample('length(event) = 3 and event = "ア"', {"event": "ア"}, True),
            OperatorExample("length(properties.tags) > 2", _SHOP, False),
            OperatorExample(
                "length(userId)",
                _TRACK,
                "`length(userId)` returns a number; compare it to make a condition.",
            ),
        ),
    ),
    Function(
        "lowercase",
        ("value",),
        "string",
        "A string in lower case; null for any other value.",
        on_string(str.lower),
        (
            OperatorExample('lowercase(event) = "order completed"', _TRACK, True),
            OperatorExample('lowercase(event) = "Order Completed"', _TRACK, False),
            OperatorExample(
                'lowercase("A") = "a"',
                _TRACK,
                "A condition must read a field of the event; both sides are constants.",
            ),
        ),
    ),
    Function(
        "uppercase",
        ("value",),
        "string",
        "A string in upper case; null for any other value.",
        on_string(str.upper),
        (
            OperatorExample('uppercase(type) = "TRACK"', _TRACK, True),
            OperatorExample('uppercase(type) = "track"', _TRACK, False),
            OperatorExample(
                "upper(type) = TRACK",
                _TRACK,
                (
                    'There is no function "upper". Did you mean `uppercase`? Known functions: '
                    "bool, contains, kebabcase, length, lowercase, match, number, snakecase, "
                    "string, titlecase, typeof, uppercase."
                ),
            ),
        ),
    ),
    Function(
        "snakecase",
        ("value",),
        "string",
        "A string with underscores instead of spaces; null for any other value.",
        on_string(lambda text: text.replace(" ", "_")),
        (
            OperatorExample('snakecase(event) = "Order_Completed"', _TRACK, True),
            OperatorExample('snakecase(lowercase(event)) = "order_completed"', _TRACK, True),
            OperatorExample('snakecase(properties.total) = "120.5"', _SHOP, False),
            OperatorExample(
                "snakecase(event, type) = x",
                _TRACK,
                "`snakecase` has a wrong number of arguments; write `snakecase(value)`.",
            ),
        ),
    ),
    Function(
        "kebabcase",
        ("value",),
        "string",
        "A string with dashes instead of spaces; null for any other value.",
        on_string(lambda text: text.replace(" ", "-")),
        (
            OperatorExample('kebabcase(event) = "Order-Completed"', _TRACK, True),
            OperatorExample('kebabcase(event) = "Order Completed"', _TRACK, False),
            OperatorExample(
                "kebabcase() = x",
                _TRACK,
                "`kebabcase` has a wrong number of arguments; write `kebabcase(value)`.",
            ),
        ),
    ),
    Function(
        "titlecase",
        ("value",),
        "string",
        "A string with the first letter of each word capitalized; null for any other value.",
        on_string(title_case),
        (
            OperatorExample('titlecase(event) = "Test String"', {"event": "test string"}, True),
            OperatorExample('titlecase(event) = "test string"', {"event": "test string"}, False),
            OperatorExample(
                "titlecase(event",
                _TRACK,
                "Expected `)`.",
            ),
        ),
    ),
    Function(
        "typeof",
        ("value",),
        "string",
        "The kind of a value: `string`, `number`, `list`, `bool`, `object`, or `null` if it is "
        "null or missing.",
        kind_of,
        (
            OperatorExample('typeof(properties.tags) = "list"', _SHOP, True),
            OperatorExample("typeof(properties.missing) = null", _SHOP, False),
            OperatorExample('typeof(properties.missing) = "null"', _SHOP, True),
            OperatorExample(
                "typeof(userId)",
                _TRACK,
                "`typeof(userId)` returns a string; compare it to make a condition.",
            ),
        ),
    ),
    Function(
        "bool",
        ("value",),
        "boolean",
        "A value converted to a boolean. Null, 0, an empty list, the empty string and the strings "
        "`false` and `0` are false; everything else is true.",
        to_bool,
        (
            OperatorExample("bool(properties.count)", _SHOP, True),
            OperatorExample("!bool(properties.gift)", _SHOP, True),
            OperatorExample("bool(properties.coupon)", _SHOP, False),
            OperatorExample(
                "bool(x, y)", _TRACK, "`bool` has a wrong number of arguments; write `bool(value)`."
            ),
        ),
    ),
    Function(
        "string",
        ("value",),
        "string",
        "A value converted to a string: numbers as in JavaScript, lists and objects as JSON; null "
        "for null.",
        text_of,
        (
            OperatorExample('string(properties.total) = "120.5"', _SHOP, True),
            OperatorExample('string(properties.total) = "120.50"', _SHOP, False),
            OperatorExample("contains(string(properties.tags), spring)", _SHOP, True),
            OperatorExample("string = 5 (", _TRACK, "Expected a condition after `(`."),
        ),
    ),
    Function(
        "number",
        ("value",),
        "number",
        "A string converted to a number; null for any value that is not a number.",
        to_number,
        (
            OperatorExample("number(properties.count) >= 3", _SHOP, True),
            OperatorExample("number(properties.city) = 0", _SHOP, False),
            OperatorExample(
                "number(properties.count) > number(3)) ",
                _SHOP,
                "Unexpected `)`.",
            ),
        ),
    ),
)

OPERATORS: Final = {operator.name: operator for operator in _OPERATORS}
"""The operators and other constructs by name."""

FUNCTIONS: Final = {function.name: function for function in _FUNCTIONS}
"""The functions by name."""

PREDICATES: Final = frozenset({"contains", "match"})
"""The functions that are conditions by themselves."""
