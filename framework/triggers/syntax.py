r"""Text to tree: the grammar of triggers, and errors that point at the place.

::

    trigger    = group
    group      = { joint } condition { { joint } condition } { joint }
    joint      = "and" | "or" | ","
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

`not` and `!` bind closest, then `and`, then `or`; `!` touches what it negates. The words `and`,
`or`, `not` and `in` are written in any letter case, and are ordinary keys after a backslash.

Texts in the wild were written for the reference's library, so its leniencies hold here:

- joints at the ends of a group or twice in a row say nothing more;
- a missing joint, or a comma, takes the joint that its group uses, else `and`;
- a value behind a complete condition is ignored (`event = Order Completed` is `event = Order`),
  and so is what the closing quote of a text opens (`"say \"hi\""` is `"say \"`).

The parser remarks on what it ignores.
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
"""Characters of the longest trigger."""

MAX_DEPTH: Final = 50
"""How deep groups, negations and calls may stand inside each other."""

MAX_DIGITS: Final = 400
"""Characters of the longest number."""

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
_OURS: Final = {
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
    "[": "Unexpected `[`; a position in a list is written `.\\0`.",
    '"': "The text that begins here has no closing quote.",
    "'": "The text that begins here has no closing quote.",
    "\\": "Expected a character after `\\`.",
    "\N{LEFT DOUBLE QUOTATION MARK}": "A text stands in straight quotes.",
    "\N{LEFT SINGLE QUOTATION MARK}": "A text stands in straight quotes.",
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

    def says(self, word: str) -> bool:
        """Tell whether this is the given word operator, in any letter case."""
        return self.kind == "word" and self.text.lower() == word

    @property
    def shown(self) -> str:
        """Name the token in a message."""
        return "the end" if self.kind == "end" else f"`{short(self.text)}`"


def read(text: str) -> tuple[BooleanNode, tuple[str, ...]]:
    """Parse a trigger: its tree, and remarks on what was ignored.

    Raises TriggerError with the text, a caret under the place and what was expected there.
    """
    if len(text) > MAX_LENGTH:
        raise TriggerError(f"A trigger has at most {MAX_LENGTH} characters, not {len(text)}.")
    parser = _Parser(text)
    tree = parser.group()
    if parser.token.kind != "end":
        raise parser.error(f"Unexpected {parser.token.shown}.", parser.token.start)
    return tree, tuple(parser.remarks)


def tokenize(text: str) -> Iterator[Token]:
    """Split a trigger into tokens; the last one is the end.

    Where nothing can be read directly behind a text, its closing quote opens another one.
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
        raise pointed(text, place, _HINTS.get(text[place], f"Unexpected `{text[place]}`."))
    kind, end = str(found.lastgroup), found.end()
    if kind == "foreign":
        ours = _OURS.get(found[0], "!=" if found[0][0] == "!" else "=")
        raise pointed(text, place, f"`{found[0]}` is not an operator; write `{ours}`.")
    if kind == "word" and not _AFTER_WORD.match(text, end):
        raise pointed(text, end, _HINTS.get(text[end], f"Unexpected `{text[end]}`."))
    if kind == "number":
        _check_number(text, place, end)
    return Token(kind, found[0], place, end)


def _check_number(text: str, start: int, end: int) -> None:
    if end - start > MAX_DIGITS:
        raise pointed(text, start, f"A number has at most {MAX_DIGITS} characters.")
    if text[end : end + 1] == ".":
        raise pointed(text, end, "Unexpected `.` after a number.")


def pointed(text: str, place: int, message: str) -> TriggerError:
    """Give an error that shows the line and a caret under the place."""
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
    """The place in the tokens of one text, and what was remarked so far."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(tokenize(text))
        self.index = 0
        self.depth = 0
        self.ended = -1
        """Where the last condition ended: a word there is left over."""
        self.bare = -1
        """Where a field alone ended: nothing is left over behind it."""
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
        """Take the mark if it is next."""
        if self.token.kind == "mark" and self.token.text == mark:
            self.take()
            return True
        return False

    def expect(self, mark: str) -> None:
        if not self.accept(mark):
            raise self.error(f"Expected `{mark}`.", self.token.start)

    def error(self, message: str, place: int) -> TriggerError:
        return pointed(self.text, place, message)

    def make(self, place: int, node: Callable[..., _Made], *parts: Any) -> _Made:
        """Make a node, or look something up; what is refused is shown at the place."""
        try:
            return node(*parts)
        except TriggerError as refusal:
            raise self.error(str(refusal), place) from None

    # Conditions

    def group(self) -> BooleanNode:
        """Read conditions and joints up to a closing parenthesis or the end."""
        parts: list[BooleanNode] = []
        joints: list[str] = []
        joint = ""
        while self.token.kind != "end" and self.token.text != ")":
            if found := self.joint():
                joint = self.joined(joint, found)
            elif parts and not joint and self.token.kind == "mark" and self.token.text not in "(!":
                raise self.error(f"Unexpected {self.token.shown}.", self.token.start)
            elif not self.leftover():
                joints.append(joint)
                parts.append(self.condition())
                self.ended, joint = self.index, ""
        if not parts:
            raise self.missing("condition")
        for idle in filter(None, (joints[0], joint)):
            self.remarks.append(f"`{idle}` at the end of a group joins nothing.")
        return _grouped(parts, joints[1:])

    def joint(self) -> str:
        """Take `and`, `or` or a comma; give nothing where none is next."""
        if self.token.says("and") or self.token.says("or"):
            return self.take().text.lower()
        return "," if self.accept(",") else ""

    def joined(self, before: str, found: str) -> str:
        """Join the joints between two conditions to one."""
        if {before, found} == {"and", "or"}:
            message = f"Expected a condition between `{before}` and `{found}`."
            raise self.error(message, self.last.start)
        return found if found != "," else before or found

    def leftover(self) -> bool:
        """Take a value that is no condition, as the reference does; tell whether there was one."""
        start = self.index
        if not self.may_be_left():
            return False
        self.name() if self.token.kind == "word" else self.take()
        if self.token.text in _COMPARATORS | {"("} or self.token.says("in"):
            self.index = start  # the beginning of a condition, not a value left over
            return False
        if self.ended == start:
            self.ended = self.index
        ignored = short(self.text[self.tokens[start].start : self.last.end])
        self.remarks.append(f"`{ignored}` is ignored; a value of several words needs quotes.")
        return True

    def may_be_left(self) -> bool:
        """Tell whether the next token is a value; a word is one only behind a condition."""
        token = self.token
        glued = self.index > 0 and self.last.kind == "text" and self.last.end == token.start
        word = token.kind == "word" and not token.says("not") and self.index == self.ended
        left = token.kind == "text" or ((word or token.kind == "number") and not glued)
        return left and self.index != self.bare

    def condition(self) -> BooleanNode:
        token = self.token
        if self.accept("!"):
            if self.token.start != token.end:
                raise self.error("`!` must touch what it negates.", token.start)
            return Not(self.nested(self.condition))
        if token.says("not") and self.following.text not in _COMPARATORS | {"."}:
            self.take()
            return Not(self.nested(self.condition))
        if self.accept("("):
            part = self.nested(self.group)
            self.expect(")")
            return part
        return self.comparison()

    def nested(self, read: Callable[[], _Made]) -> _Made:
        """Read something one level deeper."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.error(f"Nested deeper than {MAX_DEPTH} levels.", self.last.start)
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
        if operator.says("in"):
            self.take()
            right = self.value() if self.token.text == "[" else self.operand("list or field")
            return self.make(place, Comparison, left, "in", right)
        return self.alone(left, first)

    def alone(self, operand: Operand, first: int) -> BooleanNode:
        """Make a condition of an operand without comparison, where that has a meaning."""
        match operand:
            case FunctionCall(function, _) if function in PREDICATES:
                return operand
            case FunctionCall("bool", _):
                return Comparison(operand, "=", ConstantNode(True))
            case FunctionCall(function, _):
                gives = FUNCTIONS[function].gives
                hint = f"`{short(write(operand))}` gives a {gives}; compare it to make a condition."
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
        """Read a field, a call or a constant that is no list."""
        if self.token.text in _CONSTANTS and self.following.text != ".":
            return ConstantNode(_CONSTANTS[self.take().text])
        if self.token.kind == "word":
            return self.call() if self.calls() else self.field()
        if self.token.kind in {"text", "number"}:
            return self.constant()
        raise self.missing(expected)

    def value(self) -> Operand:
        """Read what stands on the right of an operator or as a later argument of a call."""
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
                message = "A list holds texts, numbers, booleans and nulls only."
                raise self.error(message, start)
            items.append(value.value)
        return self.make(place, ConstantNode, tuple(items))

    def field(self) -> FieldNode:
        place = self.token.start
        return self.make(place, FieldNode, field_path(self.name()))

    def name(self) -> str:
        """Read keys with dots between them; give them without backslashes."""
        keys = [self.take().text]
        while self.accept("."):
            if self.token.kind != "word":
                message = "Expected a word after `.`; before a digit it needs a backslash."
                raise self.error(message, self.token.start)
            keys.append(self.take().text)
        return re.sub(r"\\(.)", r"\1", ".".join(keys), flags=re.DOTALL)

    def calls(self) -> bool:
        """Tell whether a call begins here, rather than a word with a group behind it."""
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


def _grouped(parts: list[BooleanNode], joints: list[str]) -> BooleanNode:
    """Join conditions: `and` closer than `or`; an open joint like the others of the group."""
    loose = "or" if "or" in joints and "and" not in joints else "and"
    groups = [[parts[0]]]
    for joint, part in zip(joints, parts[1:], strict=True):
        if (loose if joint in {"", ","} else joint) == "or":
            groups.append([part])
        else:
            groups[-1].append(part)
    alternatives = [And(tuple(each)) if len(each) > 1 else each[0] for each in groups]
    return Or(tuple(alternatives)) if len(alternatives) > 1 else alternatives[0]
