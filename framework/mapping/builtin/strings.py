"""Directives that make or change text: @template, @case, @replace, @liquid, @jinja."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import ClassVar, Final, NamedTuple

from framework.codegen import SourceCode
from framework.mapping.directives import Directive, DirectiveBuilder, DirectiveExample
from framework.mapping.expressions import (
    ConstantExpression,
    Dynamic,
    EvaluationScope,
    Expression,
    found,
    located,
    refuse,
)
from framework.mapping.javascript import MAX_TEXT, TooMuch, is_truthy, length, text, too_long
from framework.mapping.shape_checks import (
    be_directive_or_string,
    check_boolean,
    check_directive_or_string,
    check_string,
    object_with,
    string_of,
)
from framework.mapping.templates import (
    Template,
    TemplateError,
    compile_jinja,
    compile_liquid,
    parse_placeholders,
)
from framework.paths import JSON, MISSING, Path

MAX_PATTERN: Final = 10
"""UTF-16 units of the longest pattern and replacement; the reference's limit."""

_INLINE: Final = 4
"""How many placeholders are written into generated source; more are filled in by a loop."""


def _fill(*values: JSON) -> str:
    """Join the texts of values, and refuse what would be too long before it is made."""
    texts = [text(value) for value in values]
    if sum(map(len, texts)) > MAX_TEXT:
        raise too_long()
    return "".join(texts)


@dataclass(frozen=True)
class TemplateExpression(Expression):
    """A text with placeholders."""

    where: str
    pieces: tuple[str | Path, ...]

    @property
    def always(self) -> bool:
        return True

    @cached_property
    def paths(self) -> frozenset[Path]:
        return frozenset(piece for piece in self.pieces if isinstance(piece, Path))

    def evaluate(self, value: JSON) -> JSON:
        return self._filled(
            *(piece if isinstance(piece, str) else piece.get(value) for piece in self.pieces)
        )

    @cached_property
    def _filled(self) -> Callable[..., JSON]:
        return located(self.where, _fill)

    def emit(self, scope: EvaluationScope) -> str:
        read, literal = scope.reader.read, scope.code.literal
        texts = [literal(p) if isinstance(p, str) else read(p) for p in self.pieces]
        if sum(isinstance(piece, Path) for piece in self.pieces) > _INLINE:
            filled = scope.call(self._filled, *texts)
        else:
            filled = self._emit_inline(scope, texts)
        return scope.code.note(filled, str)

    def _emit_inline(self, scope: EvaluationScope, texts: list[str]) -> str:
        code, shown = scope.code, [self._printed(scope, text) for text in texts]
        result = code.fresh()
        code.line(f"{result} = {' + '.join(shown) or repr('')}")
        if self.paths:
            refuse_long = code.literal(self._filled, "refuse")
            code.line(f"if len({result}) > {MAX_TEXT}: {refuse_long}({result})")
        return result

    def _printed(self, scope: EvaluationScope, value: str) -> str:
        """Give the expression that prints a value; texts and what is missing need no call."""
        if isinstance(scope.code.constant(value), str):
            return value
        held = scope.held(value)
        rest = f"{scope.code.literal(self._text, 'text')}({held})"
        return f"({held} if type({held}) is str else '' if {held} is MISSING else {rest})"

    @cached_property
    def _text(self) -> Callable[[JSON], str]:
        return located(self.where, text)


def _build_template(argument: JSON, where: str, builder: DirectiveBuilder) -> Expression:
    if isinstance(argument, str):
        return TemplateExpression(where, parse_placeholders(argument))

    def fill(template: str, value: JSON) -> JSON:
        return TemplateExpression(where, parse_placeholders(template)).evaluate(value)

    return Dynamic(where, builder.build(argument, where), fill)


TEMPLATE = Directive(
    name="@template",
    summary="Fill paths of the event into a text.",
    schema={
        "title": "Template",
        "description": "A text with placeholders such as `{{context.traits.first_name}}`.",
        "anyOf": [{"type": "string"}, {"$ref": "#/$defs/directive"}],
    },
    examples=(
        DirectiveExample(
            note="A placeholder is a path in double or triple braces.",
            mapping={"name": {"@template": "{{traits.first}} {{ traits.last }}"}},
            event={"traits": {"first": "Ana", "last": "B"}},
            output={"name": "Ana B"},
        ),
        DirectiveExample(
            note="Null and what is missing print as nothing, lists joined by commas, objects "
            "without their contents, numbers as in JavaScript.",
            mapping={"t": {"@template": "{{a}}|{{b}}|{{c}}|{{d}}|{{e}}"}},
            event={"a": None, "c": [1, [True]], "d": {"x": 1}, "e": 1e21},
            output={"t": "||1,true|[object Object]|1e+21"},
        ),
        DirectiveExample(
            note="What is filled in is not searched for placeholders.",
            mapping={"t": {"@template": "{{{a}}}"}},
            event={"a": "{{b}}", "b": "no"},
            output={"t": "{{b}}"},
        ),
        DirectiveExample(
            note="A leading `$.` is dropped, as in `@path`.",
            mapping={"id": {"@template": "{{$.userId}}"}},
            event={"userId": "u1"},
            output={"id": "u1"},
        ),
        DirectiveExample(
            note="A template that comes from the event must be a text.",
            mapping={"t": {"@template": {"@path": "$.template"}}},
            event={"template": 5},
            refusal="`/t/@template` must give a string, got number.",
        ),
    ),
    check=check_directive_or_string,
    build=_build_template,
)


@dataclass(frozen=True)
class Cased(Expression):
    """A text in lower or upper case; anything else as it is."""

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
        """Give what is no text as it is."""
        return self.change(value) if isinstance(value, str) else value

    def change(self, value: str) -> str:
        """Change the case of a text, or refuse an operator that is not known."""
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
    summary="Change text to lower or upper case.",
    schema={
        "title": "Case",
        "description": "A text and its new letter case.",
        "type": "object",
        "properties": {
            "operator": {"description": "The new letter case.", "enum": ["lower", "upper"]},
            "value": {
                "description": "The text.",
                "anyOf": [{"type": "string"}, {"$ref": "#/$defs/directive"}],
            },
        },
        "required": ["operator", "value"],
    },
    examples=(
        DirectiveExample(
            note="Text changes.",
            mapping={"email": {"@case": {"operator": "lower", "value": {"@path": "$.email"}}}},
            event={"email": "Ana@Example.org"},
            output={"email": "ana@example.org"},
        ),
        DirectiveExample(
            note="Anything else is given as it is.",
            mapping={"n": {"@case": {"operator": "upper", "value": {"@path": "$.n"}}}},
            event={"n": 5},
            output={"n": 5},
        ),
        DirectiveExample(
            note="There are two operators.",
            mapping={"t": {"@case": {"operator": "title", "value": {"@path": "$.t"}}}},
            event={"t": "text"},
            refusal="`/t/@case/operator` must be one of lower, upper.",
        ),
    ),
    check=object_with(optional={"operator": check_string, "value": be_directive_or_string}),
    build=_build_case,
)


def _same_case(value: str) -> str:
    """Give a text of the same length in which texts that differ in letter case are equal.

    As patterns of JavaScript compare: by single upper-case letters, which an ASCII letter and
    another never share, and not beyond the basic plane.
    """
    if value.isascii():
        return value.upper()
    return "".join(_upper(character) for character in value)


def _upper(character: str) -> str:
    upper = character.upper()
    one = len(upper) == 1 and ord(upper) < 0x10000
    return upper if one and not (character > "\x7f" >= upper) else character


class Replacement(NamedTuple):
    """A pattern of plain text and what stands in its place."""

    pattern: str
    text: str
    every: bool
    ignoring_case: bool

    def apply(self, value: str) -> str:
        """Replace in a text."""
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
        """Give the call, as written after a text, that does the same when case matters."""
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
    """A text with replacements, or the *fault* with which every text is refused.

    Numbers, true and false are replaced in as texts; anything else gives the empty text, as does
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
        """Write the replacement in a text that cannot become too long; the rest is a call."""
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
        """Replace in what can be written as a text, or refuse the event."""
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
        return builder.refuse(f"{where}/pattern", "must be a text that is not empty")
    if not is_truthy(argument.get("value")):
        return ConstantExpression(MISSING)
    replacements = _replacements(argument)
    fault = _fault_of(argument, where) if replacements else None
    if fault:
        builder.fault(*fault)
    value = builder.build(argument["value"], f"{where}/value")
    return Replaced(where, value, replacements, fault)


def _replacements(argument: dict[str, JSON]) -> tuple[Replacement, ...]:
    """Give the replacements that an argument asks for; none where the first is not all right."""
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
            return f"{where}/{key}", f"must have {MAX_PATTERN} characters or less"
    return None


_TEXT_PART: Final = {
    "description": "The text.",
    "anyOf": [{"type": "string"}, {"$ref": "#/$defs/directive"}],
}
_PATTERN: Final = {
    "description": "What to look for.",
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_PATTERN,
}
_REPLACEMENT: Final = {
    "description": "What to put there.",
    "type": "string",
    "maxLength": MAX_PATTERN,
    "default": "",
}

REPLACE = Directive(
    name="@replace",
    summary="Replace plain text in a text, with one or two patterns.",
    schema={
        "title": "Replace",
        "description": "A text, what to look for in it and what to put there.",
        "type": "object",
        "properties": {
            "value": _TEXT_PART,
            "pattern": _PATTERN,
            "replacement": _REPLACEMENT,
            "pattern2": {
                "description": "What to look for afterwards.",
                "type": "string",
                "maxLength": MAX_PATTERN,
            },
            "replacement2": _REPLACEMENT,
            "ignorecase": {
                "type": "boolean",
                "default": False,
                "description": "In any letter case.",
            },
            "global": {
                "type": "boolean",
                "default": True,
                "description": "Every place, not only the first.",
            },
        },
        "required": ["value", "pattern"],
    },
    examples=(
        DirectiveExample(
            note="Patterns are plain text, and so are replacements.",
            mapping={
                "phone": {
                    "@replace": {"pattern": "+", "replacement": "$&", "value": {"@path": "$.phone"}}
                }
            },
            event={"phone": "+47 5"},
            output={"phone": "$&47 5"},
        ),
        DirectiveExample(
            note="Without a replacement the pattern is taken out; a second pair comes after.",
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
            note="Numbers, true and false are texts here; anything else gives the empty text.",
            mapping={
                "a": {"@replace": {"pattern": "1", "replacement": "x", "value": {"@path": "$.n"}}},
                "b": {"@replace": {"pattern": "1", "replacement": "x", "value": {"@path": "$.l"}}},
            },
            event={"n": 1.5, "l": ["1"]},
            output={"a": "x.5", "b": ""},
        ),
        DirectiveExample(
            note="Patterns are short.",
            mapping={"t": {"@replace": {"pattern": "longer than ten", "value": "text"}}},
            event={},
            refusal="/t/@replace/pattern should be a string of length 10 or less.",
        ),
        DirectiveExample(
            note="So is the second pattern, which is looked at when there is a text.",
            mapping={
                "t": {"@replace": {"pattern": "a", "pattern2": "longer than ten", "value": "text"}}
            },
            event={},
            refusal="`/t/@replace/pattern2` must have 10 characters or less.",
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


@dataclass(frozen=True)
class Rendered(Expression):
    """A text made by a template engine."""

    folds: ClassVar[bool] = False

    where: str
    template: Template

    @property
    def always(self) -> bool:
        return True

    @cached_property
    def paths(self) -> frozenset[Path]:
        return frozenset(self.template.paths)

    def evaluate(self, value: JSON) -> JSON:
        return self.render(*(path.get(value) for path in self.template.paths))

    def emit(self, scope: EvaluationScope) -> str:
        values = (scope.reader.read(path) for path in self.template.paths)
        return scope.code.note(scope.call(self.render, *values), str)

    def render(self, *values: JSON) -> str:
        """Fill in the values of the template's paths, or refuse the event."""
        try:
            return self.template.render(*values)
        except (TemplateError, TooMuch) as error:
            refuse(self.where, str(error))
        except RecursionError:
            refuse(self.where, "got a value that is nested too deep")


def _build_rendered(
    compile_template: Callable[[str], Template],
    argument: JSON,
    where: str,
    builder: DirectiveBuilder,
) -> Expression:
    if not isinstance(argument, str):
        return builder.refuse(where, f"must be a string, got {found(argument)}")
    if not argument:
        return ConstantExpression("")
    try:
        return Rendered(where, compile_template(argument))
    except TemplateError as error:
        return builder.refuse(where, str(error))


LIQUID = Directive(
    name="@liquid",
    summary="Give the text of a Liquid template.",
    schema={
        "title": "Liquid",
        "description": "A Liquid template; the keys of the event are its variables.",
        "type": "string",
        "maxLength": 1000,
    },
    examples=(
        DirectiveExample(
            note="Variables, filters and conditions.",
            mapping={
                "t": {
                    "@liquid": "{{ traits.name | upcase }}{% if n > 1 %} and {{ n | minus: 1 }}"
                    "{% endif %}"
                }
            },
            event={"traits": {"name": "Ana"}, "n": 3},
            output={"t": "ANA and 2"},
        ),
        DirectiveExample(
            note="What is missing prints as nothing, lists without commas.",
            mapping={"t": {"@liquid": "[{{ no.such.thing }}{{ tags }}]"}},
            event={"tags": ["a", "b"]},
            output={"t": "[ab]"},
        ),
        DirectiveExample(
            note="Some tags are switched off.",
            mapping={"t": {"@liquid": "{% for x in tags %}{% endfor %}"}},
            event={},
            refusal='`/t/@liquid` has a template that does not parse: tag "for" is disabled.',
        ),
        DirectiveExample(
            note="So are some filters.",
            mapping={"t": {"@liquid": "{{ tags | sort }}"}},
            event={"tags": []},
            refusal='`/t/@liquid` cannot be rendered: filter "sort" is disabled.',
        ),
    ),
    check=check_string,
    build=partial(_build_rendered, compile_liquid),
)

JINJA = Directive(
    name="@jinja",
    summary="Give the text of a Jinja template.",
    schema={
        "title": "Jinja",
        "description": "A Jinja template without functions; the keys of the event are its "
        "variables.",
        "type": "string",
        "maxLength": 4000,
    },
    examples=(
        DirectiveExample(
            note="Loops and filters; a variable that is missing prints as nothing.",
            mapping={
                "t": {"@jinja": "{% for p in products %}{{ p.sku|lower }};{% endfor %}{{ x }}"}
            },
            event={"products": [{"sku": "A1"}, {"sku": "B2"}]},
            output={"t": "a1;b2;"},
        ),
        DirectiveExample(
            note="Values print as in JSON text, null as nothing.",
            mapping={"t": {"@jinja": "{{ a }} {{ b }} {{ c }} {{ d }}"}},
            event={"a": True, "b": 1.0, "c": {"x": ["é", None]}, "d": None},
            output={"t": 'true 1 {"x":["é",null]} '},
        ),
        DirectiveExample(
            note="Only keys of objects and places of lists can be reached.",
            mapping={"t": {"@jinja": "{{ ''.__class__ }}{{ items.items }}"}},
            event={"items": {"items": 5}},
            output={"t": "5"},
        ),
        DirectiveExample(
            note="There is nothing to call.",
            mapping={"t": {"@jinja": "{{ range(1000000000) }}"}},
            event={},
            refusal="`/t/@jinja` has a template that does not parse: calls are not allowed.",
        ),
    ),
    check=check_string,
    build=partial(_build_rendered, compile_jinja),
)

TEXTS: Final = (TEMPLATE, CASE, REPLACE, LIQUID, JINJA)
