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
from collections.abc import Callable
from typing import Any, Final, TypeVar

from framework.errors import TriggerError
from framework.triggers.tokens import Token, error_at, tokenize
from framework.triggers.tree import (
    OBJECT_FIELDS,
    TEXT_FIELDS,
    And,
    BooleanNode,
    Comparison,
    ConstantNode,
    FieldNode,
    FunctionCall,
    Not,
    Operand,
    Or,
    function_called,
    path_of_keys,
    short,
    write,
)
from framework.triggers.vocabulary import FUNCTIONS, PREDICATES

MAX_LENGTH: Final = 10_000
"""Maximum number of characters of a trigger."""

MAX_DEPTH: Final = 50
"""Maximum nesting depth of groups, negations and calls."""

_CONSTANTS: Final[dict[str, bool | None]] = {"null": None, "true": True, "false": False}
_COMPARATORS: Final = frozenset({"=", "!=", ">", ">=", "<", "<="})

_Made = TypeVar("_Made")


def read(text: str) -> tuple[BooleanNode, tuple[str, ...]]:
    """Parse a trigger; return its tree, and remarks on ignored parts.

    Raises TriggerError with the expected input, the text and a caret at the position.
    """
    if len(text) > MAX_LENGTH:
        raise TriggerError(f"A trigger can have at most {MAX_LENGTH} characters, got {len(text)}.")
    try:
        parser = _Parser(text)
        tree = parser.group()
        if parser.token.kind != "end":
            raise parser.error(f"Unexpected {parser.token.shown}.", parser.token.start)
    except TriggerError as error:
        raise _explained(text, error) from None
    return tree, tuple(parser.remarks)


def _explained(text: str, error: TriggerError) -> TriggerError:
    """Return an error that says what was probably meant, if another language was used."""
    from framework.triggers.foreign import explain_syntax  # noqa: PLC0415 - for errors only

    found = explain_syntax(text, error.offset or 0)
    return error if found is None else error_at(text, found.place, found.message)


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
        self.below = ""
        """The field just parsed, if it is below a text field, such as `event.name`."""
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
                if parts and not connective and self.index == self.bare:
                    self.note_bare()
                connectives.append(connective)
                parts.append(self.condition())
                self.ended, connective = self.index, ""
        if not parts:
            raise self.missing("condition")
        for idle in filter(None, (connectives[0], connective)):
            self.remarks.append(f"`{idle}` at the start or end of a group has no effect.")
        return _grouped(parts, connectives[1:])

    def note_bare(self) -> None:
        """Add a remark on a bare field that a condition follows, as in `properties.first name`."""
        field = short(self.last.text)
        self.remarks.append(
            f"`{field}` ends a condition; put a backslash before a space in a key, or write `and`."
        )

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
        offer = "put quotes around a value of several words"
        if start and self.tokens[start - 1].is_word("or"):
            offer = "write `field in [...]` for one of several values"
        self.remarks.append(f"`{ignored}` is ignored; {offer}.")
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
            self.note_below(left)
            self.take()
            return self.make(place, Comparison, left, operator.text, self.value())
        self.check_below(left)
        if operator.is_word("in"):
            self.take()
            right = self.value() if self.token.text == "[" else self.operand("list or field")
            self.check_below(right)
            return self.make(place, Comparison, left, "in", right)
        return self.alone(left, first)

    def note_below(self, node: Operand) -> None:
        """Add a remark if the field just parsed is below a text field, which is read instead."""
        if self.below and isinstance(node, FieldNode):
            read = f"`{short(self.below)}` is read as `{node.path.parts[0]}`"
            self.remarks.append(f"{read}: {self.without_keys(node)}.")
        self.below = ""

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
        """Parse a field; remember what is below a text field, which has no keys."""
        place = self.token.start
        keys = self.keys()
        node: FieldNode = self.make(place, FieldNode, path_of_keys(keys))
        if node.path.parts[0] in TEXT_FIELDS and ".".join(keys) != node.path.parts[0]:
            self.below = self.text[place : self.last.end]
        return node

    def check_below(self, node: Operand) -> None:
        """Raise TriggerError if the field just parsed is below a text field."""
        if self.below and isinstance(node, FieldNode):
            place = self.last.end - len(self.below)
            message = f"`{short(self.below)}` does not exist: {self.without_keys(node)}."
            raise self.error(message, place)

    def without_keys(self, node: FieldNode) -> str:
        """Return why a field below the text field *node* does not exist, and what to write."""
        root = node.path.parts[0]
        inner = self.below.removeprefix(f"{root}.")
        other = inner if inner.split(".")[0] in OBJECT_FIELDS else f"properties.{inner}"
        return f"`{root}` is text and has no keys; write `{root}`, or `{short(other)}`"

    def name(self) -> str:
        """Parse a word, which may have dots; return it without backslashes."""
        return ".".join(self.keys())

    def keys(self) -> list[str]:
        """Parse keys separated by dots; return them without backslashes."""
        keys = [self.take().text]
        while self.accept("."):
            if self.token.kind != "word":
                message = "Expected a word after `.`; put a backslash before a leading digit."
                raise self.error(message, self.token.start)
            keys.append(self.take().text)
        return [re.sub(r"\\(.)", r"\1", key, flags=re.DOTALL) for key in keys]

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
            self.check_below(found[-1])
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
