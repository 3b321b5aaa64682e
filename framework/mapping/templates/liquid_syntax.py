"""The expressions of Liquid as the reference's engine reads and compares them.

::

    filtered    expression ("|" name [":" argument ("," argument)*])*
    argument    [name ":"] value
    expression  operand and operator tokens, to the first that is neither
    operator    == != > < >= <= contains, before not, before and, or (these from the right)
    value       (literal | quoted | range | number | name) ("." name | "[" value "]")*
    range       "(" value ".." value ")"

Conditions and outputs hold the same expressions. Only false, null and what is missing are false.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, Protocol, TypeAlias

from framework.mapping.javascript import length, text
from framework.mapping.templates.language import RenderBudget, TemplateError, size_of
from framework.paths import MISSING

Value: TypeAlias = Any
"""A JSON value, MISSING or one of Special."""


class Special(Enum):
    """Literals that compare in their own way."""

    NIL = "nil"
    EMPTY = "empty"
    BLANK = "blank"


@dataclass(slots=True)
class Variables:
    """What a rendering can read and change: assigned names come before those of the event."""

    event: dict[str, Any]
    budget: RenderBudget = field(default_factory=RenderBudget)
    assigned: dict[str, Value] = field(default_factory=dict)
    cycles: dict[tuple[str, int], int] = field(default_factory=dict)

    def find(self, name: str) -> Value:
        """Give the value of a name; MISSING where there is none."""
        if name in self.assigned:
            return self.assigned[name]
        return self.event.get(name, MISSING)

    def of(self, item: Value) -> Variables:
        """Give variables that are the keys of an item, within the same budget."""
        return Variables(item if isinstance(item, dict) else {}, self.budget)


class Operand(Protocol):
    """Anything with a value."""

    def evaluate(self, variables: Variables) -> Value:
        """Give the value."""

    def names(self) -> Iterator[str | None]:
        """Give the variables that are read; None for one that is not known before."""


def plain(value: Value) -> Value:
    """Give the JSON value that a literal stands for outside comparisons."""
    if isinstance(value, Special):
        return None if value is Special.NIL else ""
    return value


def stringify(value: Value) -> str:
    """Print a value: nothing for null and MISSING, lists without anything between their items."""
    value = plain(value)
    if isinstance(value, list):
        return "".join(map(stringify, value))
    return text(value)


def to_number(value: Value) -> float:
    """Convert a value as JavaScript does; not-a-number where it is none."""
    value = plain(value)
    if isinstance(value, (bool, int, float)):
        return _narrow(value)
    if value is None:
        return 0
    if isinstance(value, list):
        value = text(value)
    return _text_number(value.strip()) if isinstance(value, str) else math.nan


def _narrow(value: float) -> float:
    if isinstance(value, float) or abs(value) <= 2**53:
        return value if isinstance(value, float) else int(value)
    try:
        return float(value)
    except OverflowError:
        return math.copysign(math.inf, value)


_NUMBER: Final = re.compile(r"[+-]?(?:Infinity|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)\Z")
_RADIX: Final = re.compile(r"0(?:[xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+)\Z")


def _text_number(digits: str) -> float:
    if not digits:
        return 0
    if len(digits) < 1000 and _NUMBER.match(digits):
        return _narrow(int(digits)) if digits.isdecimal() else float(digits)
    return _narrow(int(digits, 0)) if len(digits) < 99 and _RADIX.match(digits) else math.nan


def is_true(value: Value) -> bool:
    """Tell whether a condition with this value holds."""
    value = plain(value)
    return not (value is False or value is None or value is MISSING)


def equals(left: Value, right: Value) -> bool:
    """Compare without converting; lists item by item, objects by being the same."""
    if isinstance(left, Special):
        return _equals_special(left, right)
    if isinstance(right, Special):
        return _equals_special(right, left)
    if isinstance(left, list):
        return isinstance(right, list) and len(left) == len(right) and all(map(equals, left, right))
    if isinstance(left, (dict, bool)) or isinstance(right, bool):
        return left is right
    return bool(type(left) is type(right) or _are_numbers(left, right)) and left == right


def _are_numbers(left: Value, right: Value) -> bool:
    return isinstance(left, (int, float)) and isinstance(right, (int, float))


def _equals_special(special: Special, value: Value) -> bool:
    if special is Special.NIL:
        return plain(value) is None or value is MISSING
    if isinstance(value, Special):
        return special is Special.BLANK and value is Special.NIL
    if special is Special.BLANK and (value is False or value is None or value is MISSING):
        return True
    if special is Special.BLANK and isinstance(value, str):
        return not value.strip()
    return isinstance(value, (str, list, dict)) and not value


def _primitive(value: Value) -> Value:
    value = plain(value)
    return text(value) if isinstance(value, (list, dict)) else value


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Value, Value], bool]:
    def ordered(left: Value, right: Value) -> bool:
        if isinstance(left, Special) or isinstance(right, Special):
            return False
        left, right = _primitive(left), _primitive(right)
        if isinstance(left, str) and isinstance(right, str):
            return compare(
                left.encode("utf-16-be", "surrogatepass"),
                right.encode("utf-16-be", "surrogatepass"),
            )
        return compare(to_number(left), to_number(right))

    return ordered


def _contains(left: Value, right: Value) -> bool:
    left = plain(left)
    if isinstance(left, list):
        return any(equals(item, right) for item in left)
    if not isinstance(left, str):
        return False
    right = plain(right)
    return ("undefined" if right is MISSING else "null" if right is None else text(right)) in left


_OPERATORS: Final[dict[str, Callable[[Value, Value], bool]]] = {
    "==": equals,
    "!=": lambda left, right: not equals(left, right),
    ">": _ordered(lambda left, right: bool(left > right)),
    "<": _ordered(lambda left, right: bool(left < right)),
    ">=": _ordered(lambda left, right: bool(left >= right)),
    "<=": _ordered(lambda left, right: bool(left <= right)),
    "contains": _contains,
    "and": lambda left, right: is_true(left) and is_true(right),
    "or": lambda left, right: is_true(left) or is_true(right),
}
_PRECEDENCE: Final = dict.fromkeys(_OPERATORS, 2) | {"not": 1, "and": 0, "or": 0}


@dataclass(frozen=True, slots=True)
class Fixed:
    """A value that is written in the template."""

    value: Value

    def evaluate(self, variables: Variables) -> Value:  # noqa: ARG002 - the same for all
        return self.value

    def names(self) -> Iterator[str | None]:
        return iter(())


@dataclass(frozen=True, slots=True)
class Lookup:
    """A variable or other value, and the way into it."""

    start: Operand | None
    keys: tuple[Operand, ...]

    def evaluate(self, variables: Variables) -> Value:
        keys = [plain(key.evaluate(variables)) for key in self.keys]
        if self.start is None:
            value, keys = variables.find(_key_text(keys[0])), keys[1:]
        else:
            value = plain(self.start.evaluate(variables))
        for key in keys:
            value = enter(value, key)
        return value

    def names(self) -> Iterator[str | None]:
        if self.start is None:
            first = self.keys[0]
            yield _key_text(first.value) if isinstance(first, Fixed) else None
        for key in self.keys:
            yield from key.names()


def _key_text(key: Value) -> str:
    return "undefined" if key is MISSING else "null" if key is None else text(key)


def enter(value: Value, key: Value) -> Value:
    """Enter a value: objects by key, lists and texts by place, `size`, `first` and `last`."""
    if value is None or value is MISSING:
        return value
    if isinstance(value, list) and isinstance(key, (int, float)) and not isinstance(key, bool):
        return _at(value, key)
    name = _key_text(key)
    if isinstance(value, dict):
        return len(value) if name == "size" and name not in value else value.get(name, MISSING)
    return _member(value, name) if isinstance(value, (list, str)) else MISSING


def _member(value: list[Any] | str, name: str) -> Value:
    if name in {"size", "length"}:
        return length(value) if isinstance(value, str) else len(value)
    if name in {"first", "last"}:
        return MISSING if isinstance(value, str) else _at(value, 0 if name == "first" else -1)
    items = units(value) if isinstance(value, str) else value
    return _at(items, int(name)) if name.isdecimal() and len(name) < 10 else MISSING


def _at(items: list[Any] | str, index: float) -> Value:
    place = index + len(items) if index < 0 else index
    if place != place // 1 or not 0 <= place < len(items):
        return MISSING
    return items[int(place)]


def units(value: str) -> str:
    """Give a text with each UTF-16 unit as a character."""
    if length(value) == len(value):
        return value
    pairs = value.encode("utf-16-le", "surrogatepass")
    return "".join(chr(pairs[i] | pairs[i + 1] << 8) for i in range(0, len(pairs), 2))


def joined_units(value: str) -> str:
    """Give the text of UTF-16 units."""
    if value.isascii():
        return value
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


@dataclass(frozen=True, slots=True)
class Span:
    """The numbers from one to another."""

    low: Operand
    high: Operand

    def evaluate(self, variables: Variables) -> Value:
        low, high = (to_number(end.evaluate(variables)) for end in (self.low, self.high))
        if math.isnan(low) or math.isnan(high) or high < low:
            return []
        if high - low > 10**9:
            raise TemplateError("has a range that is too large")
        count = int(high - low) + 1
        variables.budget.use(count)
        return [low + step for step in range(count)]

    def names(self) -> Iterator[str | None]:
        yield from self.low.names()
        yield from self.high.names()


@dataclass(frozen=True, slots=True)
class Postfix:
    """Operands with the operators behind them."""

    tokens: tuple[Operand | str, ...]

    def evaluate(self, variables: Variables) -> Value:
        stack: list[Value] = []
        for each in self.tokens:
            if not isinstance(each, str):
                stack.append(each.evaluate(variables))
                continue
            right = stack.pop() if stack else MISSING
            if each == "not":
                stack.append(not is_true(right))
            else:
                stack.append(_OPERATORS[each](stack.pop() if stack else MISSING, right))
        return stack[0]

    def names(self) -> Iterator[str | None]:
        for token in self.tokens:
            if not isinstance(token, str):
                yield from token.names()


@dataclass(frozen=True, slots=True)
class Keyword:
    """A named argument of a filter, with its value."""

    name: str
    value: Value


Function: TypeAlias = Callable[..., Value]
"""A filter: gets the variables, the value on its left, then its arguments."""


@dataclass(frozen=True, slots=True)
class Call:
    """A filter with its arguments; an unknown one changes nothing."""

    function: Function | None
    arguments: tuple[tuple[str, Operand], ...]

    def apply(self, value: Value, variables: Variables) -> Value:
        """Apply the filter to a value."""
        if self.function is None:
            return value
        value = plain(value)
        variables.budget.use(size_of(value))
        given = [_argument(name, each.evaluate(variables)) for name, each in self.arguments]
        taken = self.function.__code__.co_argcount - 2
        return self.function(variables, value, *given[:taken])


def _argument(name: str, value: Value) -> Value:
    return Keyword(name, value) if name else value


@dataclass(frozen=True, slots=True)
class Filtered:
    """An expression and the filters that its value goes through."""

    initial: Postfix
    calls: tuple[Call, ...]

    def evaluate(self, variables: Variables) -> Value:
        value = self.initial.evaluate(variables)
        for call in self.calls:
            value = call.apply(value, variables)
        return value

    def names(self) -> Iterator[str | None]:
        yield from self.initial.names()
        for call in self.calls:
            for _, argument in call.arguments:
                yield from argument.names()


_SPACE: Final = re.compile(r"[\t-\r \xa0\u1680\u180e\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*")
_WORD: Final = re.compile(
    r"(?:[A-Za-z0-9_?-]|[^\x00-\x7f\xa0\u1680\u180e\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\u201c\u201d])+"
)
_LITERAL: Final = re.compile(rf"(true|false|nil|null|empty|blank)(?!{_WORD.pattern})")
_OPERATOR: Final = re.compile(rf"==|!=|>=|<=|>|<|(?:contains|not|and|or)(?!{_WORD.pattern})")
_DIGITS: Final = re.compile(rf"[+-]?[0-9]+(?:\.(?!\.)[0-9]*)?(?!{_WORD.pattern}|\.[^.])")
_ESCAPE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{0,4})|([0-7]{1,3})|(.))", re.DOTALL)
_ESCAPED: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_LITERALS: Final = {
    "true": True,
    "false": False,
    "nil": Special.NIL,
    "null": Special.NIL,
    "empty": Special.EMPTY,
    "blank": Special.BLANK,
}


class Cursor:
    """Reads expressions from a text, from left to right; raises TemplateError where it cannot."""

    def __init__(self, source: str, filters: dict[str, Function]) -> None:
        self._source = source
        self._filters = filters
        self._place = 0

    def filtered(self) -> Filtered:
        """Read an expression with filters, to the end of the text."""
        initial = self._expression()
        calls = []
        while (call := self._call()) is not None:
            calls.append(call)
        return Filtered(initial, tuple(calls))

    def name(self) -> str:
        """Read a name; empty where there is none."""
        self.skip()
        return self._take(_WORD)

    def skip(self) -> None:
        """Go on to what is not white space."""
        self._take(_SPACE)

    def accept(self, mark: str) -> bool:
        """Read a mark if it is next."""
        if not self._source.startswith(mark, self._place):
            return False
        self._place += len(mark)
        return True

    def at_end(self) -> bool:
        """Tell whether everything has been read."""
        return self._place >= len(self._source)

    def skip_past(self, mark: str) -> None:
        """Go on behind the next *mark*, or to the end."""
        place = self._source.find(mark, self._place)
        self._place = len(self._source) if place < 0 else place + len(mark)

    def value(self) -> Operand | None:
        """Read a value; None where there is none."""
        self.skip()
        start = self._literal() or self._quoted() or self._span() or self._number()
        keys = self._keys(is_first=start is None)
        return Lookup(start, keys) if keys else start

    def way(self) -> Operand:
        """Read a name and the way into its value, and nothing else."""
        keys = self._keys(is_first=True)
        return Lookup(None, keys) if keys else Fixed(MISSING)

    def fail(self, what: str) -> TemplateError:
        """Give the refusal of what stands here."""
        return TemplateError(f"has a template that does not parse: {what}")

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._source, self._place)
        if match is None:
            return ""
        self._place = match.end()
        return match.group()

    def _expression(self) -> Postfix:
        tokens: list[Operand | str] = []
        waiting: list[str] = []
        while True:
            self.skip()
            operator = self._take(_OPERATOR)
            if operator:
                while waiting and _PRECEDENCE[waiting[-1]] > _PRECEDENCE[operator]:
                    tokens.append(waiting.pop())
                waiting.append(operator)
                continue
            operand = self.value()
            if operand is None:
                break
            tokens.append(operand)
        if not tokens and not waiting:
            raise self.fail("a value is expected")
        return Postfix((*tokens, *reversed(waiting)))

    def _call(self) -> Call | None:
        self.skip()
        if self.at_end():
            return None
        if not self.accept("|"):
            raise self.fail("`|` is expected before a filter")
        name = self.name()
        if not name:
            if not self.at_end():
                raise self.fail("the name of a filter is expected")
            return None
        return Call(self._filters.get(name), self._arguments())

    def _arguments(self) -> tuple[tuple[str, Operand], ...]:
        self.skip()
        arguments: list[tuple[str, Operand]] = []
        mark = ":"
        while self.accept(mark):
            argument = self._named_value()
            arguments += [argument] if argument else []
            self.skip()
            mark = ","
        if not self.at_end() and not self._source.startswith("|", self._place):
            raise self.fail("`:`, `,` or `|` is expected after the name or argument of a filter")
        return tuple(arguments)

    def _named_value(self) -> tuple[str, Operand] | None:
        self.skip()
        begin = self._place
        value = self.value()
        if value is None:
            return None
        name = self._source[begin : self._place]
        self.skip()
        if not self.accept(":"):
            return "", value
        return name, self.value() or Fixed(MISSING)

    def _keys(self, *, is_first: bool) -> tuple[Operand, ...]:
        keys: list[Operand] = []
        while True:
            if self.accept("["):
                keys.append(self.value() or Fixed(""))
                if "]" not in self._source[self._place :]:
                    raise self.fail("`]` is expected")
                self.skip_past("]")
            elif is_first and not keys and (name := self._take(_WORD)):
                keys.append(Fixed(name))
            elif not self._source.startswith("..", self._place) and self.accept("."):
                if not (name := self.name()):
                    return tuple(keys)
                keys.append(Fixed(name))
            else:
                return tuple(keys)

    def _literal(self) -> Operand | None:
        word = self._take(_LITERAL)
        return Fixed(_LITERALS[word]) if word else None

    def _number(self) -> Operand | None:
        digits = self._take(_DIGITS)
        return Fixed(to_number(digits)) if digits else None

    def _quoted(self) -> Operand | None:
        quote = self._source[self._place : self._place + 1]
        if quote not in {"'", '"'}:
            return None
        end = self._place + 1
        while end < len(self._source) and self._source[end] != quote:
            end += 2 if self._source[end] == "\\" else 1
        # The reference drops the last character of a text that is not closed.
        inside = self._source[self._place + 1 : min(end, len(self._source) - 1)]
        self._place = min(end + 1, len(self._source))
        return Fixed(joined_units(_ESCAPE.sub(_unescape, inside)))

    def _span(self) -> Operand | None:
        if not self.accept("("):
            return None
        low = self.value()
        self.skip()
        dots = self.accept("..")
        high = self.value()
        self.skip()
        if low is None or high is None or not dots or not self.accept(")"):
            raise self.fail("a range is written like `(1..3)`")
        return Span(low, high)


def _unescape(match: re.Match[str]) -> str:
    hexadecimal, octal, other = match.groups()
    if hexadecimal is not None:
        return chr(int(hexadecimal or "0", 16))
    if octal is not None:
        return chr(int(octal, 8))
    return _ESCAPED.get(other, other)
