"""Directives that change or write strings: @case, @replace, @json."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

from framework.codegen import SourceCode
from framework.mapping.directives import Directive, DirectiveBuilder, DirectiveExample
from framework.mapping.expressions import (
    Applied,
    ConstantExpression,
    EvaluationScope,
    Expression,
    found,
    located,
    refuse,
)
from framework.mapping.javascript import (
    MAX_TEXT,
    TooMuch,
    decode,
    encode,
    is_truthy,
    length,
    text,
    too_long,
)
from framework.mapping.shape_checks import (
    be_anything,
    be_directive_or_string,
    check_boolean,
    check_string,
    object_with,
    one_of,
    string_of,
)
from framework.paths import JSON, MISSING

MAX_PATTERN: Final = 10
"""UTF-16 units of the longest pattern and replacement; the same limit as Segment's."""


@dataclass(frozen=True)
class Cased(Expression):
    """A string in lower or upper case; other values unchanged."""

    where: str
    operator: JSON
    value: Expression

    @property
    def children(self) -> tuple[Expression, ...]:
        return (self.value,)

    @property
    def always(self) -> bool:
        return self.value.always

    def evaluate(self, value: JSON) -> JSON:
        return self.rest(self.value.evaluate(value))

    def emit(self, scope: EvaluationScope) -> str:
        text, result = self.value.emit(scope), scope.code.fresh()
        method = {"lower": f"{text}.lower()", "upper": f"{text}.upper()"}
        changed = (
            method[self.operator]
            if self._is_known
            else f"{scope.code.literal(self.change, 'change')}({text})"
        )
        short = f"type({text}) is str and len({text}) <= {MAX_TEXT}"
        rest = f"{scope.code.literal(self.rest, 'rest')}({text})"
        scope.code.line(f"{result} = {changed} if {short} else {rest}")
        return scope.code.note(result, str) if scope.code.kind(text) is str else result

    def rest(self, value: JSON) -> JSON:
        """Return the value with changed case if it is a string."""
        return self.change(value) if isinstance(value, str) else value

    def change(self, value: str) -> str:
        """Return a string with changed case; reject an unknown operator."""
        if not self._is_known:
            refuse(f"{self.where}/operator", _CASES_TEXT)
        if len(value) > MAX_TEXT:
            refuse(self.where, str(too_long()))
        return value.lower() if self.operator == "lower" else value.upper()

    @property
    def _is_known(self) -> bool:
        return isinstance(self.operator, str) and self.operator in {"lower", "upper"}


_CASES_TEXT: Final = "must be one of lower, upper"


def _build_case(argument: JSON, where: str, builder: DirectiveBuilder) -> Expression:
    if not isinstance(argument, dict):
        return builder.refuse(where, f"must be an object, got {found(argument)}")
    operator, value = argument.get("operator"), argument.get("value")
    if not is_truthy(operator):
        return builder.refuse(f"{where}/operator", _CASES_TEXT)
    if not is_truthy(value):
        return ConstantExpression(MISSING)
    if operator not in ("lower", "upper"):
        builder.fault(f"{where}/operator", _CASES_TEXT)
    return Cased(where, operator, builder.build(value, f"{where}/value"))


CASE = Directive(
    name="@case",
    summary="Change a string to lower or upper case.",
    schema={
        "title": "Case",
        "description": "A string and its new letter case.",
        "type": "object",
        "properties": {
            "operator": {"description": "The new letter case.", "enum": ["lower", "upper"]},
            "value": {
                "description": "The string.",
                "anyOf": [{"type": "string"}, {"$ref": "#/$defs/directive"}],
            },
        },
        "required": ["operator", "value"],
    },
    examples=(
        DirectiveExample(
            note="Strings change.",
            mapping={"email": {"@case": {"operator": "lower", "value": {"@path": "$.email"}}}},
            event={"email": "Ana@Example.org"},
            output={"email": "ana@example.org"},
        ),
        DirectiveExample(
            note="Other values are unchanged.",
            mapping={"n": {"@case": {"operator": "upper", "value": {"@path": "$.n"}}}},
            event={"n": 5},
            output={"n": 5},
        ),
        DirectiveExample(
            note="Only two operators are valid.",
            mapping={"t": {"@case": {"operator": "title", "value": {"@path": "$.t"}}}},
            event={"t": "text"},
            refusal="`/t/@case/operator` must be one of lower, upper.",
        ),
    ),
    check=object_with(optional={"operator": check_string, "value": be_directive_or_string}),
    build=_build_case,
)


def _same_case(value: str) -> str:
    """Return a string of the same length that is equal for strings that differ in case only.

    Case is folded as by JavaScript's regular expressions: to single upper-case letters of the
    basic plane, and never from another letter to an ASCII letter.
    """
    if value.isascii():
        return value.upper()
    return "".join(_upper(character) for character in value)


def _upper(character: str) -> str:
    upper = character.upper()
    one = len(upper) == 1 and ord(upper) < 0x10000
    return upper if one and not (character > "\x7f" >= upper) else character


class Replacement(NamedTuple):
    """A plain-text pattern and its replacement."""

    pattern: str
    text: str
    every: bool
    ignoring_case: bool

    def apply(self, value: str) -> str:
        """Return a string with the replacement made."""
        searched, pattern = value, self.pattern
        if self.ignoring_case:
            searched, pattern = _same_case(value), _same_case(pattern)
        count = searched.count(pattern) if self.every else min(searched.count(pattern), 1)
        if len(value) + count * (len(self.text) - len(pattern)) > MAX_TEXT:
            raise too_long()
        if not self.ignoring_case:
            return value.replace(pattern, self.text, count)
        return self._apply(value, searched.split(pattern, count), len(pattern))

    def call(self, code: SourceCode) -> str:
        """Return the source of a method call that does the same when case matters."""
        count = "" if self.every else ", 1"
        return f".replace({code.literal(self.pattern)}, {code.literal(self.text)}{count})"

    def _apply(self, value: str, kept: list[str], size: int) -> str:
        pieces, start = [], 0
        for piece in kept:
            pieces.append(value[start : start + len(piece)])
            start += len(piece) + size
        return self.text.join(pieces)


@dataclass(frozen=True)
class Replaced(Expression):
    """A string with replacements, or the *fault* with which every string is rejected.

    Numbers and booleans are printed first; any other value results in the empty string, as does
    an argument whose parts have wrong types.
    """

    where: str
    value: Expression
    replacements: tuple[Replacement, ...]
    fault: tuple[str, str] | None

    @property
    def children(self) -> tuple[Expression, ...]:
        return (self.value,)

    @property
    def always(self) -> bool:
        return True

    def evaluate(self, value: JSON) -> JSON:
        return self.replace(self.value.evaluate(value))

    def emit(self, scope: EvaluationScope) -> str:
        """Write the replacements for a string that cannot become too long; else write a call."""
        code, value, result = scope.code, scope.held(self.value.emit(scope)), scope.code.fresh()
        changed = f"{code.literal(self.replace, 'replace')}({value})"
        if self.replacements and not self.fault and not self.replacements[0].ignoring_case:
            calls = "".join(one.call(code) for one in self.replacements)
            growth = math.prod(max(1, len(one.text)) for one in self.replacements)
            short = f"type({value}) is str and len({value}) <= {MAX_TEXT // growth}"
            absent = f"{value} is MISSING or {value} is None"
            changed = f"{value}{calls} if {short} else '' if {absent} else {changed}"
        code.line(f"{result} = {changed}")
        return code.note(result, str)

    def replace(self, value: JSON) -> str:
        """Return a string, number or boolean with replacements, or reject the event."""
        if not isinstance(value, (str, int, float)) or not self.replacements:
            return ""
        if self.fault:
            refuse(*self.fault)
        try:
            changed = text(value)
            for replacement in self.replacements:
                changed = replacement.apply(changed)
        except TooMuch as refusal:
            refuse(self.where, str(refusal))
        return changed


def _build_replace(argument: JSON, where: str, builder: DirectiveBuilder) -> Expression:
    if not isinstance(argument, dict):
        return builder.refuse(where, f"must be an object, got {found(argument)}")
    if not is_truthy(argument.get("pattern")):
        return builder.refuse(f"{where}/pattern", "must be a non-empty string")
    if not is_truthy(argument.get("value")):
        return ConstantExpression(MISSING)
    replacements = _replacements(argument)
    fault = _fault_of(argument, where) if replacements else None
    if fault:
        builder.fault(*fault)
    value = builder.build(argument["value"], f"{where}/value")
    return Replaced(where, value, replacements, fault)


def _replacements(argument: dict[str, JSON]) -> tuple[Replacement, ...]:
    """Return the replacements of an argument; none if the first is invalid."""
    every, ignoring_case = argument.get("global"), argument.get("ignorecase")
    switches = (every is None or every, bool(ignoring_case))
    typed = all(switch is None or isinstance(switch, bool) for switch in (every, ignoring_case))
    pairs = [(argument.get(f"pattern{n}"), argument.get(f"replacement{n}")) for n in ("", "2")]
    found = [
        Replacement(pattern, replacement or "", *switches)
        for pattern, replacement in pairs
        if pattern and isinstance(pattern, str)
        if replacement is None or isinstance(replacement, str)
    ]
    is_first = bool(found) and found[0].pattern is pairs[0][0]
    return tuple(found) if typed and is_first else ()


def _fault_of(argument: dict[str, JSON], where: str) -> tuple[str, str] | None:
    for key in ("pattern", "replacement", "pattern2", "replacement2"):
        value = argument.get(key)
        if isinstance(value, str) and length(value) > MAX_PATTERN:
            return f"{where}/{key}", f"must have at most {MAX_PATTERN} characters"
    return None


_TEXT_PART: Final = {
    "description": "The string.",
    "anyOf": [{"type": "string"}, {"$ref": "#/$defs/directive"}],
}
_PATTERN: Final = {
    "description": "The text to search for.",
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_PATTERN,
}
_REPLACEMENT: Final = {
    "description": "The replacement. Default: the empty string.",
    "type": "string",
    "maxLength": MAX_PATTERN,
    "default": "",
}

REPLACE = Directive(
    name="@replace",
    summary="Replace parts of a string, with one or two plain-text patterns.",
    schema={
        "title": "Replace",
        "description": "A string, the text to search for and its replacement.",
        "type": "object",
        "properties": {
            "value": _TEXT_PART,
            "pattern": _PATTERN,
            "replacement": _REPLACEMENT,
            "pattern2": {
                "description": "A second text to search for, afterwards.",
                "type": "string",
                "maxLength": MAX_PATTERN,
            },
            "replacement2": _REPLACEMENT,
            "ignorecase": {
                "type": "boolean",
                "default": False,
                "description": "Ignore letter case. Default: false.",
            },
            "global": {
                "type": "boolean",
                "default": True,
                "description": "Replace every occurrence, not only the first. Default: true.",
            },
        },
        "required": ["value", "pattern"],
    },
    examples=(
        DirectiveExample(
            note="Patterns and replacements are plain text.",
            mapping={
                "phone": {
                    "@replace": {"pattern": "+", "replacement": "$&", "value": {"@path": "$.phone"}}
                }
            },
            event={"phone": "+47 5"},
            output={"phone": "$&47 5"},
        ),
        DirectiveExample(
            note="Without a replacement the pattern is removed; a second pair comes afterwards.",
            mapping={
                "t": {
                    "@replace": {
                        "pattern": "-",
                        "pattern2": "A",
                        "replacement2": "b",
                        "ignorecase": True,
                        "value": {"@path": "$.t"},
                    }
                }
            },
            event={"t": "a-A-c"},
            output={"t": "bbc"},
        ),
        DirectiveExample(
            note="Numbers and booleans count as strings; for other values the result is empty.",
            mapping={
                "a": {"@replace": {"pattern": "1", "replacement": "x", "value": {"@path": "$.n"}}},
                "b": {"@replace": {"pattern": "1", "replacement": "x", "value": {"@path": "$.l"}}},
            },
            event={"n": 1.5, "l": ["1"]},
            output={"a": "x.5", "b": ""},
        ),
        DirectiveExample(
            note="A pattern has at most 10 characters.",
            mapping={"t": {"@replace": {"pattern": "longer than ten", "value": "text"}}},
            event={},
            refusal="/t/@replace/pattern should be a string of length 10 or less.",
        ),
        DirectiveExample(
            note="So has the second pattern, which is checked when there is a string.",
            mapping={
                "t": {"@replace": {"pattern": "a", "pattern2": "longer than ten", "value": "text"}}
            },
            event={},
            refusal="`/t/@replace/pattern2` must have at most 10 characters.",
        ),
    ),
    check=object_with(
        required={"pattern": string_of(1, MAX_PATTERN), "value": be_directive_or_string},
        optional={
            "replacement": string_of(0, MAX_PATTERN),
            "ignorecase": check_boolean,
            "global": check_boolean,
        },
    ),
    build=_build_replace,
)


def _encoded(value: JSON) -> JSON:
    return MISSING if value is MISSING else encode(value)


def _decoded(value: JSON) -> JSON:
    if not isinstance(value, str):
        return value
    decoded = decode(value)
    return value if decoded is MISSING else decoded


_MODES: Final = {"encode": _encoded, "decode": _decoded}


def _build_json(argument: JSON, where: str, builder: DirectiveBuilder) -> Expression:
    if not isinstance(argument, dict):
        return builder.refuse(where, f"must be an object, got {found(argument)}")
    mode, value = argument.get("mode"), argument.get("value")
    if not is_truthy(mode):
        return builder.refuse(f"{where}/mode", "must be one of encode, decode")
    if not is_truthy(value):
        return builder.refuse(
            f"{where}/value", "must be a directive, an object, a list or a non-empty value"
        )
    function = _MODES.get(mode.lower()) if isinstance(mode, str) else None
    if function is None:
        builder.fault(f"{where}/mode", "must be one of encode, decode")
        return ConstantExpression(MISSING)
    return Applied(located(where, function), (builder.build(value, f"{where}/value"),))


JSON_DIRECTIVE = Directive(
    name="@json",
    summary="Encode a value as JSON text, or decode JSON text.",
    schema={
        "title": "JSON",
        "description": "A value and the operation.",
        "type": "object",
        "properties": {
            "value": {"$ref": "#/$defs/value"},
            "mode": {
                "description": "`encode` writes JSON text, `decode` reads it.",
                "enum": ["encode", "decode"],
            },
        },
        "required": ["value", "mode"],
    },
    examples=(
        DirectiveExample(
            note="Text is compact, as JavaScript writes it.",
            mapping={"t": {"@json": {"mode": "encode", "value": {"@path": "$.traits"}}}},
            event={"traits": {"age": 33.0, "tags": ["é"]}},
            output={"t": '{"age":33,"tags":["é"]}'},
        ),
        DirectiveExample(
            note="A string that is not JSON is unchanged.",
            mapping={"t": {"@json": {"mode": "decode", "value": {"@path": "$.text"}}}},
            event={"text": "[1, 2"},
            output={"t": "[1, 2"},
        ),
        DirectiveExample(
            note="JSON text is decoded.",
            mapping={"t": {"@json": {"mode": "decode", "value": {"@path": "$.text"}}}},
            event={"text": '{"a": [1, 2]}'},
            output={"t": {"a": [1, 2]}},
        ),
        DirectiveExample(
            note="Only two modes are valid.",
            mapping={"t": {"@json": {"mode": "pretty", "value": {"@path": "$.traits"}}}},
            event={},
            refusal='/t/@json/mode should be one of encode, decode but it is "pretty".',
        ),
        DirectiveExample(
            note="An empty constant counts as missing.",
            mapping={"t": {"@json": {"mode": "encode", "value": 0}}},
            event={},
            refusal=(
                "`/t/@json/value` must be a directive, an object, a list or a non-empty value."
            ),
        ),
    ),
    check=object_with(required={"value": be_anything, "mode": one_of("encode", "decode")}),
    build=_build_json,
)

STRINGS: Final = (CASE, REPLACE, JSON_DIRECTIVE)
