r"""The parser of triggers: text to syntax tree, with errors that point at the position.

::

    trigger    = group
    group      = { connective } condition { { connective } condition } { connective }
    connective = "and" | "or" | ","
    condition  = "(" group ")" | ( "!" | "not" ) condition
               | operand comparator value | operand "in" ( list | field ) | operand
    operand    = field | call | text | number | "null" | "true" | "false"
    call       = name "(" [ operand { "," value } ] ")"
    value      = text | number | "null" | "true" | "false" | word | call | list
    list       = "[" [ value { "," value } ] "]"
    field      = key { "." key }
    comparator = "=" | "!=" | ">" | ">=" | "<" | "<="

    key        = ( letter | "_" | escape ) { letter | digit | "_" | "-" | escape }
    escape     = "\" any character
    word       = key { "." key }
    text       = '"' anything but '"' '"'  |  "'" anything but "'" "'"
    number     = [ "-" | "+" ] digits [ "." digits ]

`not` and `!` bind most tightly, then `and`, then `or`; no space may follow `!`. The words `and`,
`or`, `not` and `in` are case-insensitive, and ordinary keys after a backslash.

Existing triggers were written for Segment's implementation, so the parser is equally lenient:

- connectives at the ends of a group, and repeated ones, have no effect;
- a missing connective, or a comma, stands for the connective that its group uses, else `and`;
- a value after a complete condition is ignored (`event = Order Completed` is `event = Order`),
  and so is a string that the closing quote of another one opens (`"say \"hi\""` is `"say \"`).

The parser adds a remark for each ignored part.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple, TypeVar

from framework.errors import TriggerError
from framework.triggers.tree import (
    And,
    BooleanNode,
    Comparison,
    ConstantNode,
    FieldNode,
    FunctionCall,
    Not,
    Operand,
    Or,
    field_path,
    function_called,
    short,
    write,
)
from framework.triggers.vocabulary import FUNCTIONS, PREDICATES

MAX_LENGTH: Final = 10_000
"""Maximum number of characters of a trigger."""

MAX_DEPTH: Final = 50
"""Maximum nesting depth of groups, negations and calls."""

MAX_DIGITS: Final = 400
"""Maximum number of characters of a number."""

_TOKEN: Final = re.compile(
    r"""(?P<space>[ \t\r\n]+)
      | (?P<word>(?:[A-Za-z_]|\\.)(?:[A-Za-z0-9_-]|\\.)*)
      | (?P<number>[-+]?[0-9]+(?:\.[0-9]+)?|[-+]\.[0-9]+)
      | (?P<text>"[^"]*"|'[^']*')
      | (?P<foreign>==+|!==+|=>|=<|<>|&&?|\|\|?|~=?)
      | (?P<mark>!=|>=|<=|[=<>!(),.\[\]])""",
    re.VERBOSE | re.DOTALL,
)
_TEXT: Final = re.compile(r"""(["']).*?\1""", re.DOTALL)
_AFTER_WORD: Final = re.compile(r"[ \t\r\n,)\].(=!<>&|~]|\Z")
_REPLACEMENTS: Final = {
    "=>": ">=",
    "=<": "<=",
    "<>": "!=",
    "&": "and",
    "&&": "and",
    "|": "or",
    "||": "or",
    "~": "match(field, pattern)",
    "~=": "match(field, pattern)",
}
_HINTS: Final = {
    "[": "Unexpected `[`; write a position in a list as `.\\0`.",
    '"': "The string that starts here has no closing quote.",
    "'": "The string that starts here has no closing quote.",
    "\\": "Expected a character after `\\`.",
    "\N{LEFT DOUBLE QUOTATION MARK}": "Use straight quotes around a string.",
    "\N{LEFT SINGLE QUOTATION MARK}": "Use straight quotes around a string.",
}
_CONSTANTS: Final[dict[str, bool | None]] = {"null": None, "true": True, "false": False}
_COMPARATORS: Final = frozenset({"=", "!=", ">", ">=", "<", "<="})
_WIDTH: Final = 70

_Made = TypeVar("_Made")


class Token(NamedTuple):
    """A piece of a trigger's text: `word`, `number`, `text`, `mark` or `end`."""

    kind: str
    text: str
    start: int
    end: int

    def is_word(self, word: str) -> bool:
        """Return whether this is the given word operator, in any letter case."""
        return self.kind == "word" and self.text.lower() == word

    @property
    def shown(self) -> str:
        """The token as messages show it."""
        return "the end" if self.kind == "end" else f"`{short(self.text)}`"


def read(text: str) -> tuple[BooleanNode, tuple[str, ...]]:
    """Parse a trigger; return its tree, and remarks on ignored parts.

    Raises TriggerError with the expected input, the text and a caret at the position.
    """
    if len(text) > MAX_LENGTH:
        raise TriggerError(f"A trigger can have at most {MAX_LENGTH} characters, got {len(text)}.")
    parser = _Parser(text)
    tree = parser.group()
    if parser.token.kind != "end":
        raise parser.error(f"Unexpected {parser.token.shown}.", parser.token.start)
    return tree, tuple(parser.remarks)


def tokenize(text: str) -> Iterator[Token]:
    """Split a trigger into tokens; the last one is the end.

    If no token follows a string directly, its closing quote opens another string.
    """
    place, closing = 0, -1
    while place < len(text):
        try:
            token = _token(text, place)
        except TriggerError:
            reopened = _TEXT.match(text, closing) if closing >= 0 else None
            if reopened is None:
                raise
            token = Token("text", reopened[0], closing, reopened.end())
        place = token.end
        closing = place - 1 if token.kind == "text" else -1
        if token.kind != "space":
            yield token
    yield Token("end", "", place, place)


def _token(text: str, place: int) -> Token:
    found = _TOKEN.match(text, place)
    if found is None:
        raise error_at(text, place, _HINTS.get(text[place], f"Unexpected `{text[place]}`."))
    kind, end = str(found.lastgroup), found.end()
    if kind == "foreign":
        ours = _REPLACEMENTS.get(found[0], "!=" if found[0][0] == "!" else "=")
        raise error_at(text, place, f"`{found[0]}` is not an operator; write `{ours}`.")
    if kind == "word" and not _AFTER_WORD.match(text, end):
        raise error_at(text, end, _HINTS.get(text[end], f"Unexpected `{text[end]}`."))
    if kind == "number":
        _check_number(text, place, end)
    return Token(kind, found[0], place, end)


def _check_number(text: str, start: int, end: int) -> None:
    if end - start > MAX_DIGITS:
        raise error_at(
            text, start, f"A number can have at most {MAX_DIGITS} characters, got {end - start}."
        )
    if text[end : end + 1] == ".":
        raise error_at(text, end, "Unexpected `.` after a number.")


def error_at(text: str, place: int, message: str) -> TriggerError:
    """Return an error that shows the line and a caret at the position."""
    lines = re.split(r"(?<=\n)", text)
    starts = [0]
    for line in lines[:-1]:
        starts.append(starts[-1] + len(line))
    row = bisect_right(starts, place) - 1
    column = place - starts[row]
    first = max(0, column - _WIDTH // 2)
    shown = re.sub(r"[\t\r\n\v\f]", " ", lines[row])[first : first + _WIDTH].rstrip()
    error = TriggerError(f"{message}\n  {shown}\n  {' ' * (column - first)}^")
    error.offset = place
    return error


class _Parser:
    """A recursive-descent parser of one text; collects *remarks* on ignored parts."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(tokenize(text))
        self.index = 0
        self.depth = 0
        self.ended = -1
        """Index at which the last condition ended: a word there is ignored."""
        self.bare = -1
        """Index at which a bare field ended: nothing after it is ignored."""
        self.remarks: list[str] = []

    # Tokens

    @property
    def token(self) -> Token:
        return self.tokens[self.index]

    @property
    def following(self) -> Token:
        return self.tokens[min(self.index + 1, len(self.tokens) - 1)]

    @property
    def last(self) -> Token:
        return self.tokens[self.index - 1]

    def take(self) -> Token:
        token = self.token
        self.index = min(self.index + 1, len(self.tokens) - 1)
        return token

    def accept(self, mark: str) -> bool:
        """Consume the mark if it is next; return whether it was."""
        if self.token.kind == "mark" and self.token.text == mark:
            self.take()
            return True
        return False

    def expect(self, mark: str) -> None:
        if not self.accept(mark):
            raise self.error(f"Expected `{mark}`.", self.token.start)

    def error(self, message: str, place: int) -> TriggerError:
        return error_at(self.text, place, message)

    def make(self, place: int, node: Callable[..., _Made], *parts: Any) -> _Made:
        """Call a constructor; a TriggerError from it gets the position."""
        try:
            return node(*parts)
        except TriggerError as error:
            raise self.error(str(error), place) from None

    # Conditions

    def group(self) -> BooleanNode:
        """Parse conditions and connectives up to a closing parenthesis or the end."""
        parts: list[BooleanNode] = []
        connectives: list[str] = []
        connective = ""
        while self.token.kind != "end" and self.token.text != ")":
            if found := self.connective():
                connective = self.merged(connective, found)
            elif (
                parts
                and not connective
                and self.token.kind == "mark"
                and self.token.text not in "(!"
            ):
                raise self.error(f"Unexpected {self.token.shown}.", self.token.start)
            elif not self.leftover():
                connectives.append(connective)
                parts.append(self.condition())
                self.ended, connective = self.index, ""
        if not parts:
            raise self.missing("condition")
        for idle in filter(None, (connectives[0], connective)):
            self.remarks.append(f"`{idle}` at the start or end of a group has no effect.")
        return _grouped(parts, connectives[1:])

    def connective(self) -> str:
        """Consume `and`, `or` or a comma; return it, or an empty string if none is next."""
        if self.token.is_word("and") or self.token.is_word("or"):
            return self.take().text.lower()
        return "," if self.accept(",") else ""

    def merged(self, before: str, found: str) -> str:
        """Merge consecutive connectives into one."""
        if {before, found} == {"and", "or"}:
            message = f"Expected a condition between `{before}` and `{found}`."
            raise self.error(message, self.last.start)
        return found if found != "," else before or found

    def leftover(self) -> bool:
        """Consume a value that is not a condition, if one is next; return whether it was."""
        start = self.index
        if not self.may_be_left():
            return False
        self.name() if self.token.kind == "word" else self.take()
        if self.token.text in _COMPARATORS | {"("} or self.token.is_word("in"):
            self.index = start  # the start of a condition
            return False
        if self.ended == start:
            self.ended = self.index
        ignored = short(self.text[self.tokens[start].start : self.last.end])
        self.remarks.append(f"`{ignored}` is ignored; put quotes around a value of several words.")
        return True

    def may_be_left(self) -> bool:
        """Return whether the next token can be ignored; a word only directly after a condition."""
        token = self.token
        glued = self.index > 0 and self.last.kind == "text" and self.last.end == token.start
        word = token.kind == "word" and not token.is_word("not") and self.index == self.ended
        left = token.kind == "text" or ((word or token.kind == "number") and not glued)
        return left and self.index != self.bare

    def condition(self) -> BooleanNode:
        token = self.token
        if self.accept("!"):
            if self.token.start != token.end:
                raise self.error(
                    "`!` must directly precede what it negates; remove the space.", token.start
                )
            return Not(self.nested(self.condition))
        if token.is_word("not") and self.following.text not in _COMPARATORS | {"."}:
            self.take()
            return Not(self.nested(self.condition))
        if self.accept("("):
            part = self.nested(self.group)
            self.expect(")")
            return part
        return self.comparison()

    def nested(self, read: Callable[[], _Made]) -> _Made:
        """Parse something one level deeper."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.error(
                f"The trigger is nested more than {MAX_DEPTH} levels deep.", self.last.start
            )
        made = read()
        self.depth -= 1
        return made

    def comparison(self) -> BooleanNode:
        first = self.index
        left = self.operand("condition")
        operator, place = self.token, self.following.start
        if operator.kind == "mark" and operator.text in _COMPARATORS:
            self.take()
            return self.make(place, Comparison, left, operator.text, self.value())
        if operator.is_word("in"):
            self.take()
            right = self.value() if self.token.text == "[" else self.operand("list or field")
            return self.make(place, Comparison, left, "in", right)
        return self.alone(left, first)

    def alone(self, operand: Operand, first: int) -> BooleanNode:
        """Return the condition that an operand without a comparison stands for."""
        match operand:
            case FunctionCall(function, _) if function in PREDICATES:
                return operand
            case FunctionCall("bool", _):
                return Comparison(operand, "=", ConstantNode(True))
            case FunctionCall(function, _):
                kind = FUNCTIONS[function].returns
                hint = (
                    f"`{short(write(operand))}` returns a {kind}; compare it to make a condition."
                )
            case FieldNode(_) if self.index > first + 1:
                self.bare = self.index
                return self.make(
                    self.tokens[first].start, Comparison, operand, "=", ConstantNode(True)
                )
            case _:
                word = self.tokens[first].shown[1:-1]
                example = f"{word} = true" if isinstance(operand, FieldNode) else f"field = {word}"
                hint = f"`{word}` alone is not a condition; compare it, for example `{example}`."
        raise self.error(hint, self.tokens[first].start)

    # Operands

    def operand(self, expected: str) -> Operand:
        """Parse a field, a call or a constant other than a list."""
        if self.token.text in _CONSTANTS and self.following.text != ".":
            return ConstantNode(_CONSTANTS[self.take().text])
        if self.token.kind == "word":
            return self.call() if self.calls() else self.field()
        if self.token.kind in {"text", "number"}:
            return self.constant()
        raise self.missing(expected)

    def value(self) -> Operand:
        """Parse the right side of an operator, or an argument after the first."""
        if self.token.kind in {"text", "number"}:
            return self.constant()
        if self.token.kind == "word" and self.calls():
            return self.call()
        if self.token.kind == "word":
            place, word = self.token.start, self.name()
            return self.make(place, ConstantNode, _CONSTANTS.get(word, word))
        if self.token.text == "[":
            return self.list_of_values()
        raise self.missing("value")

    def constant(self) -> ConstantNode:
        token = self.take()
        if token.kind == "text":
            return self.make(token.start, ConstantNode, token.text[1:-1])
        number = float(token.text) if "." in token.text else int(token.text)
        return self.make(token.start, ConstantNode, number)

    def list_of_values(self) -> ConstantNode:
        place = self.take().start
        items: list[Any] = []
        while not self.accept("]"):
            if items:
                self.expect(",")
            start = self.token.start
            value = None if self.token.text == "[" else self.value()
            if not isinstance(value, ConstantNode):
                message = "A list can contain only strings, numbers, booleans and null."
                raise self.error(message, start)
            items.append(value.value)
        return self.make(place, ConstantNode, tuple(items))

    def field(self) -> FieldNode:
        place = self.token.start
        return self.make(place, FieldNode, field_path(self.name()))

    def name(self) -> str:
        """Parse keys separated by dots; return them without backslashes."""
        keys = [self.take().text]
        while self.accept("."):
            if self.token.kind != "word":
                message = "Expected a word after `.`; put a backslash before a leading digit."
                raise self.error(message, self.token.start)
            keys.append(self.take().text)
        return re.sub(r"\\(.)", r"\1", ".".join(keys), flags=re.DOTALL)

    def calls(self) -> bool:
        """Return whether a call starts here, rather than a word followed by a group."""
        glued = self.following.start == self.token.end
        return self.following.text == "(" and (glued or self.token.text in FUNCTIONS)

    def call(self) -> FunctionCall:
        token = self.take()
        name = re.sub(r"\\(.)", r"\1", token.text, flags=re.DOTALL)
        self.make(token.start, function_called, name)
        return self.make(token.start, FunctionCall, name, self.nested(self.arguments))

    def arguments(self) -> tuple[Operand, ...]:
        self.expect("(")
        found: list[Operand] = []
        while not self.accept(")"):
            if found and not self.accept(","):
                raise self.error("Expected `)`.", self.token.start)
            found.append(self.value() if found else self.operand("field"))
        return tuple(found)

    # Errors

    def missing(self, expected: str) -> TriggerError:
        article = "an" if expected[0] in "aeiou" else "a"
        after = f" after {self.last.shown}" if self.index else ""
        return self.error(f"Expected {article} {expected}{after}.", self.token.start)


def _grouped(parts: list[BooleanNode], connectives: list[str]) -> BooleanNode:
    """Combine conditions: `and` before `or`; an open connective like the others of the group."""
    loose = "or" if "or" in connectives and "and" not in connectives else "and"
    groups = [[parts[0]]]
    for connective, part in zip(connectives, parts[1:], strict=True):
        if (loose if connective in {"", ","} else connective) == "or":
            groups.append([part])
        else:
            groups[-1].append(part)
    alternatives = [And(tuple(each)) if len(each) > 1 else each[0] for each in groups]
    return Or(tuple(alternatives)) if len(alternatives) > 1 else alternatives[0]
