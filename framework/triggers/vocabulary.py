"""Every operator and function of the trigger language, each with what it does and examples.

The examples are executed by a test and printed in the documentation. One example is a trigger, an
event and what comes of it: true, false, or the first line of the error.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from framework.paths import Event
from framework.triggers.globs import glob
from framework.triggers.values import (
    is_list,
    is_null,
    is_number,
    kind_of,
    number_of,
    same,
    text_of,
)


class OperatorExample(NamedTuple):
    """A trigger on an event, and what comes of it: a match or not, or an error's first line."""

    trigger: str
    event: Event
    expected: bool | str


class Operator(NamedTuple):
    """A construct that joins or compares; *apply* is there where it compares two values."""

    name: str
    summary: str
    examples: tuple[OperatorExample, ...]
    apply: Callable[[Any, Any], bool | None] | None = None


class Function(NamedTuple):
    """A function: how it is called, what it gives, and *apply*, which does it.

    *apply* takes the values of the parameters and never raises; None is its answer to values that
    it is not made for.
    """

    name: str
    parameters: tuple[str, ...]
    gives: str
    summary: str
    apply: Callable[..., Any]
    examples: tuple[OperatorExample, ...]

    @property
    def signature(self) -> str:
        """Give the call as it is written: `contains(value, part)`."""
        return f"{self.name}({', '.join(self.parameters)})"


def equal(left: Any, right: Any) -> bool | None:
    """Compare strictly; beside a number, what is no number is neither equal nor different."""
    if is_number(right) and not is_number(left):
        return None
    return same(left, right)


def _different(left: Any, right: Any) -> bool | None:
    found = equal(left, right)
    return None if found is None else not found


def member(left: Any, right: Any) -> bool | None:
    """Look a value up in the trigger's own list (a tuple) or in a list of the event."""
    if isinstance(right, list) and kind_of(left) in {"list", "object"}:
        return None
    return any(same(left, item) for item in right) if is_list(right) else None


def ordered(test: Callable[[float, float], bool]) -> Callable[[Any, Any], bool | None]:
    """Compare a number with what reads as one."""

    def apply(left: Any, right: Any) -> bool | None:
        limit = number_of(right)
        return test(left, limit) if is_number(left) and limit is not None else None

    return apply


def _on_text(function: Callable[[str], Any]) -> Callable[[Any], Any]:
    """Apply a function to texts; other values give null."""
    return lambda value: function(value) if isinstance(value, str) else None


def _contains(value: Any, part: Any) -> bool | None:
    return part in value if isinstance(value, str) and isinstance(part, str) else None


def _match(value: Any, pattern: Any) -> bool | None:
    return glob(pattern).matches(value) if isinstance(value, str) else None


def _length(value: Any) -> int | None:
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogatepass"))
    return 0 if is_null(value) else len(value) if is_list(value) else None


def _title(text: str) -> str:
    return re.sub(r"(?:^|(?<=\s))\S", lambda first: first[0].upper(), text)


def _bool(value: Any) -> bool:
    if isinstance(value, str):
        return value.strip().lower() not in {"", "0", "false"}
    return not is_null(value) and (isinstance(value, dict) or bool(value))


def _number(value: Any) -> float | None:
    if isinstance(value, str):
        return number_of(value) if value.strip() else None
    return value if is_number(value) else None


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
        "A field is named by its keys with dots between them, any field of the event. A character "
        "other than a letter, digit, `_` or `-`, and a digit at the start of a key, has a "
        "backslash before it. A key of a list is a position. `properties`, `traits` and `context` "
        "alone mean the key of that name inside; `type`, `event`, `name` and `userId` are texts.",
        (
            OperatorExample('properties.first\\ name = "Ana"', _SHOP, True),
            OperatorExample('properties.items.\\0.sku = "A1"', _SHOP, True),
            OperatorExample('anonymousId = "a-1"', _SHOP, False),
            OperatorExample(
                'properties.items[0].sku = "A1"',
                _SHOP,
                "Unexpected `[`; a position in a list is written `.\\0`.",
            ),
        ),
    ),
    Operator(
        "value",
        "A text stands in double or single quotes, in which nothing is special, or is one bare "
        "word. Numbers, `true`, `false` and `null` are themselves, but beside `type`, `event`, "
        "`name` and `userId` numbers and booleans are texts (`userId = true` is not).",
        (
            OperatorExample("type = 'track'", _SHOP, True),
            OperatorExample("type = track", _SHOP, True),
            OperatorExample("userId = 12", {"userId": "12"}, True),
            OperatorExample("event = Order", _SHOP, False),
            OperatorExample(
                'event = "Order', _SHOP, "The text that begins here has no closing quote."
            ),
        ),
    ),
    Operator(
        "bare field",
        "A field alone is a condition: that it is true.",
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
        "Both sides are of one kind and equal. Missing is null. Beside a number, what is no number "
        "is neither equal nor different.",
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
        "The opposite of `=`. A missing field differs from every text and boolean, but is neither "
        "equal to a number nor different from it.",
        (
            OperatorExample('userId != "u-2"', _TRACK, True),
            OperatorExample("properties.total != null", _SHOP, True),
            OperatorExample("properties.missing != 3", _SHOP, False),
            OperatorExample("type <> track", _TRACK, "`<>` is not an operator; write `!=`."),
        ),
        _different,
    ),
    Operator(
        ">",
        "A number is greater. A value that is no number is neither greater nor smaller.",
        (
            OperatorExample("properties.total > 100", _SHOP, True),
            OperatorExample("properties.total>120.5", _SHOP, False),
            OperatorExample("properties.count > 1", _SHOP, False),
            OperatorExample(
                "properties.total > [1]", _SHOP, "A list is compared with `=`, `!=` or `in`."
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
        "All of the conditions hold. It binds closer than `or`. Conditions side by side or with a "
        "comma between them are joined by what joins the others of their group, else by `and`.",
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
        "At least one of the conditions holds.",
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
        "The condition does not hold; `!` directly before the condition says the same. It binds "
        "closest. A condition that is neither true nor false stays so.",
        (
            OperatorExample('not type = "page"', _TRACK, True),
            OperatorExample("!(type = track and userId = null)", _TRACK, True),
            OperatorExample('!contains(event, "Order")', _TRACK, False),
            OperatorExample('!contains(properties.missing, "x")', _TRACK, False),
            OperatorExample("! type = page", _TRACK, "`!` must touch what it negates."),
        ),
    ),
    Operator(
        "( )",
        "Parentheses make a group, inside each other to a depth of 50.",
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
        "true or false",
        "Tells whether a text contains another. Of anything but a text it is neither true nor "
        "false, so that its negation does not match either.",
        _contains,
        (
            OperatorExample('contains(event, "Order")', _TRACK, True),
            OperatorExample('contains(event, "order")', _TRACK, False),
            OperatorExample("contains(properties.total, 120)", _SHOP, False),
            OperatorExample(
                "contains(event)", _TRACK, "`contains` is written `contains(value, part)`."
            ),
        ),
    ),
    Function(
        "match",
        ("value", "pattern"),
        "true or false",
        "Tells whether a whole text fits a pattern: `*` any text, `?` one character, `[abc]` and "
        "`[a-z]` one of these, `[!a-z]` none of these, `\\*` the star itself. Of anything but a "
        "text it is neither true nor false.",
        _match,
        (
            OperatorExample('match(event, "Order *")', _TRACK, True),
            OperatorExample('match(userId, "u-[0-9]")', _TRACK, True),
            OperatorExample('match(event, "Order")', _TRACK, False),
            OperatorExample('match(event, "[z-a]")', _TRACK, "The range `z-a` runs backwards."),
        ),
    ),
    Function(
        "length",
        ("value",),
        "number",
        "Gives the number of bytes of a text in UTF-8 or of the items of a list; of null 0.",
        _length,
        (
            OperatorExample("length(userId) > 0", _TRACK, True),
            OperatorExample('length(event) = 3 and event = "ア"', {"event": "ア"}, True),
            OperatorExample("length(properties.tags) > 2", _SHOP, False),
            OperatorExample(
                "length(userId)",
                _TRACK,
                "`length(userId)` gives a number; compare it to make a condition.",
            ),
        ),
    ),
    Function(
        "lowercase",
        ("value",),
        "text",
        "Gives a text in lower case; of anything else null.",
        _on_text(str.lower),
        (
            OperatorExample('lowercase(event) = "order completed"', _TRACK, True),
            OperatorExample('lowercase(event) = "Order Completed"', _TRACK, False),
            OperatorExample(
                'lowercase("A") = "a"',
                _TRACK,
                "A condition must read a field of the event; here both sides are fixed.",
            ),
        ),
    ),
    Function(
        "uppercase",
        ("value",),
        "text",
        "Gives a text in upper case; of anything else null.",
        _on_text(str.upper),
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
        "text",
        "Gives a text with underscores for its spaces; of anything else null.",
        _on_text(lambda text: text.replace(" ", "_")),
        (
            OperatorExample('snakecase(event) = "Order_Completed"', _TRACK, True),
            OperatorExample('snakecase(lowercase(event)) = "order_completed"', _TRACK, True),
            OperatorExample('snakecase(properties.total) = "120.5"', _SHOP, False),
            OperatorExample(
                "snakecase(event, type) = x",
                _TRACK,
                "`snakecase` is written `snakecase(value)`.",
            ),
        ),
    ),
    Function(
        "kebabcase",
        ("value",),
        "text",
        "Gives a text with dashes for its spaces; of anything else null.",
        _on_text(lambda text: text.replace(" ", "-")),
        (
            OperatorExample('kebabcase(event) = "Order-Completed"', _TRACK, True),
            OperatorExample('kebabcase(event) = "Order Completed"', _TRACK, False),
            OperatorExample(
                "kebabcase() = x", _TRACK, "`kebabcase` is written `kebabcase(value)`."
            ),
        ),
    ),
    Function(
        "titlecase",
        ("value",),
        "text",
        "Gives a text with a capital at the start of each word; of anything else null.",
        _on_text(_title),
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
        "text",
        "Names the kind of a value: `string`, `number`, `list`, `bool`, `object`, or `null` where "
        "it is null or missing.",
        kind_of,
        (
            OperatorExample('typeof(properties.tags) = "list"', _SHOP, True),
            OperatorExample("typeof(properties.missing) = null", _SHOP, False),
            OperatorExample('typeof(properties.missing) = "null"', _SHOP, True),
            OperatorExample(
                "typeof(userId)",
                _TRACK,
                "`typeof(userId)` gives a text; compare it to make a condition.",
            ),
        ),
    ),
    Function(
        "bool",
        ("value",),
        "true or false",
        "Reads a value as true or false. False are null, 0, an empty list, and the texts `false`, "
        "`0` and the empty one; everything else is true.",
        _bool,
        (
            OperatorExample("bool(properties.count)", _SHOP, True),
            OperatorExample("!bool(properties.gift)", _SHOP, True),
            OperatorExample("bool(properties.coupon)", _SHOP, False),
            OperatorExample("bool(x, y)", _TRACK, "`bool` is written `bool(value)`."),
        ),
    ),
    Function(
        "string",
        ("value",),
        "text",
        "Writes a value as text: numbers as JavaScript does, lists and objects as JSON; of null "
        "null.",
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
        "Reads a text as a number; of anything that is no number null.",
        _number,
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
