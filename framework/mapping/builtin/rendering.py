"""Directives that render templates: @template, @liquid, @jinja."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import ClassVar, Final

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
from framework.mapping.javascript import MAX_TEXT, TooMuch, text, too_long
from framework.mapping.shape_checks import check_directive_or_string, check_string
from framework.mapping.templates import (
    Template,
    TemplateError,
    compile_jinja,
    compile_liquid,
    parse_placeholders,
)
from framework.paths import JSON, Path

_INLINE: Final = 4
"""Placeholders that generated code fills inline; with more it calls a function."""


def _fill(*values: JSON) -> str:
    """Return the printed values joined; raises TooMuch before building too long a string."""
    texts = [text(value) for value in values]
    if sum(map(len, texts)) > MAX_TEXT:
        raise too_long()
    return "".join(texts)


@dataclass(frozen=True)
class TemplateExpression(Expression):
    """A string with placeholders."""

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
        """Return the expression that prints a value; strings and MISSING need no call."""
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
    summary="Replace the placeholders of a string by values of the event.",
    schema={
        "title": "Template",
        "description": "A string with placeholders such as `{{context.traits.first_name}}`.",
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
            note="Null and missing values print as nothing, lists joined by commas, objects "
            "without their contents, numbers as in JavaScript.",
            mapping={"t": {"@template": "{{a}}|{{b}}|{{c}}|{{d}}|{{e}}"}},
            event={"a": None, "c": [1, [True]], "d": {"x": 1}, "e": 1e21},
            output={"t": "||1,true|[object Object]|1e+21"},
        ),
        DirectiveExample(
            note="Placeholders in inserted values are not replaced.",
            mapping={"t": {"@template": "{{{a}}}"}},
            event={"a": "{{b}}", "b": "no"},
            output={"t": "{{b}}"},
        ),
        DirectiveExample(
            note="A leading `$.` is ignored, as in `@path`.",
            mapping={"id": {"@template": "{{$.userId}}"}},
            event={"userId": "u1"},
            output={"id": "u1"},
        ),
        DirectiveExample(
            note="A template that comes from the event must be a string.",
            mapping={"t": {"@template": {"@path": "$.template"}}},
            event={"template": 5},
            refusal="`/t/@template` must give a string, got number.",
        ),
    ),
    check=check_directive_or_string,
    build=_build_template,
)


@dataclass(frozen=True)
class Rendered(Expression):
    """A string rendered by a template engine."""

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
        """Render the template with the values of its paths, or reject the event."""
        try:
            return self.template.render(*values)
        except (TemplateError, TooMuch) as error:
            refuse(self.where, str(error))
        except RecursionError:
            refuse(self.where, "got a value that is nested too deeply")


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
    summary="Render a Liquid template; needs the extra `action-destinations[liquid]`.",
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
            note="Missing values print as nothing, lists without commas.",
            mapping={"t": {"@liquid": "[{{ no.such.thing }}{{ tags }}]"}},
            event={"tags": ["a", "b"]},
            output={"t": "[ab]"},
        ),
        DirectiveExample(
            note="Some tags are disabled.",
            mapping={"t": {"@liquid": "{% for x in tags %}{% endfor %}"}},
            event={},
            refusal='`/t/@liquid` has a template that does not parse: tag "for" is disabled.',
        ),
        DirectiveExample(
            note="Some filters are disabled.",
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
    summary="Render a Jinja template.",
    schema={
        "title": "Jinja",
        "description": "A Jinja template without functions; the keys of the event are its "
        "variables.",
        "type": "string",
        "maxLength": 4000,
    },
    examples=(
        DirectiveExample(
            note="Loops and filters; a missing variable prints as nothing.",
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
            note="Only keys of objects and positions of lists are accessible.",
            mapping={"t": {"@jinja": "{{ ''.__class__ }}{{ items.items }}"}},
            event={"items": {"items": 5}},
            output={"t": "5"},
        ),
        DirectiveExample(
            note="Calls are not allowed.",
            mapping={"t": {"@jinja": "{{ range(1000000000) }}"}},
            event={},
            refusal="`/t/@jinja` has a template that does not parse: calls are not allowed.",
        ),
    ),
    check=check_string,
    build=partial(_build_rendered, compile_jinja),
)

RENDERING: Final = (TEMPLATE, LIQUID, JINJA)
