"""Inputs that are made to take too long, too much memory, or the interpreter's own stack.

Each entry makes its input first and gives the act that is measured.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from framework.definition import Choice, Field, Format, compile_shape, read_fields
from framework.linting import difference
from framework.mapping import compile_mapping
from framework.paths import JSON
from framework.triggers import parse
from tests.framework.hostile.documents import CHECKED, FILES, TEN_MB, Act

EVENT: dict[str, JSON] = {"event": "x", "n": 3, "l": [1, 2], "o": {"a": 1}, "s": "text"}


def trigger(text: str, event: dict[str, JSON] | None = None) -> Callable[[], Act]:
    """Read a trigger, match it, explain it and compare it with the reference."""

    def act() -> None:
        found = parse(text)
        found.matches(event or EVENT)
        found.explain(event or EVENT)

    return lambda: act


def compared(text: str) -> Callable[[], Act]:
    """Ask where the reference reads a trigger differently."""
    return lambda: lambda: difference(text)


def mapped(value: JSON, make: Callable[[], JSON] = lambda: None) -> Callable[[], Act]:
    """Map an event that holds the *hostile* value; `value` is what is mapped to the field `f`."""

    def prepare() -> Act:
        event = {**EVENT, "hostile": make()}
        return lambda: compile_mapping({"f": value}).resolve(event)

    return prepare


def compiled(make: Callable[[], JSON]) -> Callable[[], Act]:
    """Compile a mapping."""

    def prepare() -> Act:
        raw = make()
        return lambda: compile_mapping(raw)

    return prepare


def shaped(field: Field, make: Callable[[], JSON]) -> Callable[[], Act]:
    """Shape a value of one field."""

    def prepare() -> Act:
        shape, raw = compile_shape({"f": field}), {"f": make()}
        return lambda: shape.apply(raw)

    return prepare


def chosen(make: Callable[[], list[JSON]]) -> Callable[[], Act]:
    """Declare a field with many choices, and shape the last one and another value."""

    def prepare() -> Act:
        values = make()

        def act() -> None:
            shape = compile_shape({"f": Field(choices=tuple(map(Choice, values)))})
            shape.apply({"f": values[-1]})
            shape.apply({"f": "none of them"})

        return act

    return prepare


def formatted(name: Format, text: str) -> Callable[[], Act]:
    """Shape a long text of a format; *text* is repeated."""
    return shaped(Field(format=name), lambda: text * 500_000)


def nested(levels: int, wrap: Callable[[JSON], JSON]) -> JSON:
    """Wrap a value many times."""
    value: JSON = 1
    for _ in range(levels):
        value = wrap(value)
    return value


def lists(levels: int) -> JSON:
    """Give a list in a list in a list."""
    return nested(levels, lambda inner: [inner])


def objects(levels: int) -> JSON:
    """Give an object in an object in an object."""
    return nested(levels, lambda inner: {"a": inner})


TRIGGERS = {
    "parentheses": trigger("(" * 10_000),
    "nested groups": trigger("(" * 3_000 + 'type = "x"' + ")" * 3_000),
    "negations": trigger("!" * 9_000 + "type"),
    "nested calls": trigger("lowercase(" * 1_000 + "event" + ")" * 1_000 + ' = "x"'),
    "ten megabytes": trigger("x" * TEN_MB),
    "many conditions": trigger(" or ".join(['event = "y"'] * 700)),
    "long list": trigger(f"n in [{','.join(['1'] * 5_000)}]"),
    "stars": trigger(f'match(event, "{"a*" * 120}b")', {"event": "a" * 100_000, "type": "track"}),
    "stars and any": trigger(f'match(event, "{"*?" * 100}b")', {"event": "a" * 100_000}),
    "sets": trigger(f'match(event, "{"*[a-z]" * 60}!")', {"event": "a" * 100_000}),
    "huge pattern": trigger(f'match(event, "{"*a" * 3_000}")'),
    "huge text": trigger('contains(event, "b")', {"event": "a" * TEN_MB}),
    "huge text, star": trigger('match(event, "*b*c*d")', {"event": "ab" * (TEN_MB // 2)}),
    "deep event": trigger('o.a = "x"', {"o": objects(50_000)}),
    "deep event as text": trigger('string(o) = "x"', {"o": objects(50_000)}),
    "deep event in a list": trigger('"x" in o', {"o": lists(50_000)}),
    "long number": trigger(f"n = {'9' * 9_000}"),
    "huge number of the event": trigger("n > 1", {"n": 10**4_000}),
    "comparison of many conditions": compared(" or ".join(['event = "y"'] * 300)),
    "comparison of nested groups": compared("(" * 40 + "event = y" + ")" * 40),
}

TEMPLATES = {
    "template of braces": mapped({"@template": "{{" * 300_000}),
    "template of huge text": mapped({"@template": "{{hostile}}"}, lambda: "x" * TEN_MB),
    "template of deep list": mapped({"@template": "{{hostile}}"}, lambda: lists(50_000)),
    "jinja class": mapped({"@jinja": "{{''.__class__}}"}),
    "jinja classes": mapped({"@jinja": "{{''.__class__.__mro__[1].__subclasses__()}}"}),
    "jinja globals": mapped({"@jinja": "{{ cycler.__init__.__globals__ }}"}),
    "jinja attr": mapped({"@jinja": "{{ ''|attr('__class__') }}"}),
    "jinja range": mapped({"@jinja": "{% for i in range(1000000000) %}x{% endfor %}"}),
    "jinja loops": mapped(
        {"@jinja": "{% for a in hostile %}" * 5 + "x" + "{% endfor %}" * 5}, lambda: [1] * 200
    ),
    "jinja power": mapped({"@jinja": "{{ 9 ** 9 ** 9 }}"}),
    "jinja repetition": mapped({"@jinja": "{{ 'x' * 1000000000 }}"}),
    "jinja format": mapped({"@jinja": "{{ '%1000000000d' % 1 }}"}),
    "jinja padding": mapped({"@jinja": "{{ s|center(1000000000) }}"}),
    "jinja indent": mapped({"@jinja": "{{ hostile|indent(100000) }}"}, lambda: "\n" * 1_000_000),
    "jinja doubling": mapped(
        {"@jinja": "{% set x = s %}" + "{% set x = x ~ x %}" * 40 + "{{ x }}"}
    ),
    "jinja squaring": mapped(
        {"@jinja": "{% set x = 9 %}" + "{% set x = x * x %}" * 40 + "{{ x }}"}
    ),
    "jinja parentheses": mapped({"@jinja": "{{ " + "(" * 3_000 + "1" + ")" * 3_000 + " }}"}),
    "jinja blocks": mapped({"@jinja": "{% if 1 %}" * 2_000 + "{% endif %}" * 2_000}),
    "jinja huge text": mapped({"@jinja": "{{ hostile|upper|lower }}"}, lambda: "x" * TEN_MB),
    "jinja huge template": mapped({"@jinja": "x" * TEN_MB}),
    "jinja deep value": mapped({"@jinja": "{{ hostile }}"}, lambda: lists(50_000)),
    "jinja macro": mapped({"@jinja": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"}),
    "jinja replace": mapped(
        {"@jinja": "{{ hostile|replace('', hostile) }}"}, lambda: "x" * 100_000
    ),
    "jinja words": mapped({"@jinja": "{{ hostile|wordwrap(1) }}"}, lambda: "x " * 1_000_000),
    "jinja html": mapped({"@jinja": "{{ hostile|striptags }}"}, lambda: "<!--" * 250_000),
    "liquid class": mapped({"@liquid": "{{''.__class__}}"}),
    "liquid range": mapped({"@liquid": "{{ (1..1000000000) | join }}"}),
    "liquid loop": mapped({"@liquid": "{% for i in (1..1000000000) %}x{% endfor %}"}),
    "liquid blocks": mapped({"@liquid": "{% if a %}" * 90 + "{% endif %}" * 9}),
    "liquid capture": mapped(
        {
            "@liquid": "{% assign x = s %}"
            + "{% capture x %}{{ x }}{{ x }}{{ x }}{{ x }}{{ x }}{{ x }}{% endcapture %}" * 12
            + "{{ x }}"
        }
    ),
    "liquid append": mapped(
        {"@liquid": "{% assign x = s %}" + "{% assign x = x|append:x %}" * 33 + "{{ x }}"}
    ),
    "liquid replace": mapped(
        {"@liquid": "{{ hostile | replace: '', hostile }}"}, lambda: "x" * 100_000
    ),
    "liquid split": mapped({"@liquid": "{{ hostile | split: '' | size }}"}, lambda: "x" * TEN_MB),
    "liquid times": mapped(
        {"@liquid": "{% assign x = 9 %}" + "{% assign x = x|times:x %}" * 32 + "{{ x }}"}
    ),
    "liquid round": mapped({"@liquid": "{{ 1.5 | round: 1000000000 }}"}),
    "liquid truncate": mapped({"@liquid": "{{ s | truncate: 1000000000, hostile }}"}),
    "liquid strip_html": mapped({"@liquid": "{{ hostile | strip_html }}"}, lambda: "<!--" * 99_999),
    "liquid quotes": mapped({"@liquid": "{{" + "'" * 900}),
    "liquid brackets": mapped({"@liquid": "{{ a" + "[a" * 400 + "]" * 400 + " }}"}),
    "liquid huge template": mapped({"@liquid": "x" * TEN_MB}),
    "liquid deep value": mapped({"@liquid": "{{ hostile | json }}"}, lambda: lists(50_000)),
    "liquid date": mapped({"@liquid": "{{ hostile | date: '%Y' }}"}, lambda: "9" * 100_000),
    "liquid date format": mapped({"@liquid": "{{ 'now' | date: hostile }}"}, lambda: "%c" * 99_999),
    "liquid date format of texts": mapped(
        {"@liquid": "{{ 'now' | date: hostile }}"}, lambda: "%-" * TEN_MB
    ),
    "liquid padding": mapped({"@liquid": "{{ 'now' | date: '%1000000000Y' }}"}),
}

MAPPINGS = {
    "deep mapping": compiled(lambda: objects(50_000)),
    "deep lists": compiled(lambda: {"f": lists(50_000)}),
    "deep directives": compiled(
        lambda: nested(50_000, lambda inner: {"@literal": inner}),
    ),
    "wide mapping": compiled(lambda: {str(key): {"@path": "$.a"} for key in range(200_000)}),
    "mapping of a huge text": compiled(lambda: "x" * TEN_MB),
    "path of ten megabytes": mapped({"@path": "a." * (TEN_MB // 2)}),
    "path of brackets": mapped({"@path": "[0" * 100_000}),
    "path from the event": mapped({"@path": {"@path": "$.hostile"}}, lambda: "a." * 1_000_000),
    "replace huge text": mapped(
        {"@replace": {"pattern": "a", "value": {"@path": "$.hostile"}, "ignorecase": True}},
        lambda: "x" * TEN_MB,
    ),
    "case of huge text": mapped(
        {"@case": {"operator": "upper", "value": {"@path": "$.hostile"}}}, lambda: "ß" * TEN_MB
    ),
    "json of deep list": mapped(
        {"@json": {"mode": "encode", "value": {"@path": "$.hostile"}}}, lambda: lists(50_000)
    ),
    "json text of deep list": mapped(
        {"@json": {"mode": "decode", "value": {"@path": "$.hostile"}}}, lambda: "[" * TEN_MB
    ),
    "json text of a long number": mapped(
        {"@json": {"mode": "decode", "value": {"@path": "$.hostile"}}}, lambda: "9" * TEN_MB
    ),
    "flatten deep object": mapped(
        {"@flatten": {"value": {"@path": "$.hostile"}, "separator": "."}}, lambda: objects(50_000)
    ),
    "flatten long keys": mapped(
        {"@flatten": {"value": {"@path": "$.hostile"}, "separator": "x" * 1_000}},
        lambda: {"k" * 100_000: dict.fromkeys(map(str, range(1_000)), 1)},
    ),
    "without null in a deep object": mapped(
        {"@excludeWhenNull": {"@path": "$.hostile"}}, lambda: objects(50_000)
    ),
    "blank of a deep list": mapped(
        {"@if": {"blank": {"@path": "$.hostile"}, "then": 1}}, lambda: lists(50_000)
    ),
    "list paths inside each other": mapped(
        nested(40, lambda inner: {"@arrayPath": ["$.hostile", {"x": inner}]}), lambda: [{}] * 100
    ),
    "transforms inside each other": mapped(
        nested(
            25,
            lambda inner: {
                "@transform": {
                    "apply": {"a": {"@path": "$"}, "b": {"@path": "$"}},
                    "mapping": {"m": inner, "w": {"@path": "$"}},
                }
            },
        )
    ),
    "merges": mapped(
        {"@merge": {"direction": "right", "objects": [{"@path": "$.hostile"}] * 1_000}},
        lambda: dict.fromkeys(map(str, range(1_000)), 1),
    ),
}

_FORMATTED: dict[Format, str] = {
    "email": "a.",
    "uri": "a:/",
    "uri-reference": "/%",
    "uri-template": "{a}",
    "hostname": "a-",
    "ipv4": "1.",
    "ipv6": "0:",
    "uuid": "0-",
    "date": "1-",
    "time": "1:",
    "date-time": "1T",
    "regex": "(a",
}

FIELDS = {
    "many choices": chosen(lambda: [f"choice {number}" for number in range(20_000)]),
    "many choices that are lists": chosen(lambda: [[number] for number in range(10_000)]),
    "number of many digits": shaped(Field(type="number"), lambda: "9" * TEN_MB),
    "number of almost only digits": shaped(Field(type="number"), lambda: "9" * TEN_MB + "x"),
    "number within many blanks": shaped(Field(type="number"), lambda: "1" + " " * TEN_MB + "1"),
    "integer with a huge exponent": shaped(Field(type="integer"), lambda: "1e999999999"),
    "number of the event": shaped(Field(type="string"), lambda: 10**100_000),
    "datetime": shaped(Field(type="datetime"), lambda: "2024-" * 1_000_000),
    "datetime of digits": shaped(Field(type="datetime"), lambda: "1" * TEN_MB),
    "deep object": shaped(Field(type="object"), lambda: objects(50_000)),
    "deep list": shaped(Field(), lambda: lists(50_000)),
    "deep choice": shaped(Field(type="object", choices=(Choice("x"),)), lambda: objects(50_000)),
    "many items": shaped(Field(multiple=True, type="integer"), lambda: ["x"] * 100_000),
    **{f"format {name}": formatted(name, text) for name, text in _FORMATTED.items()},
    "regex of nested groups": shaped(Field(format="regex"), lambda: "(" * 5_000 + ")" * 5_000),
    "deep document": lambda: _document(objects(50_000)),
    "deep properties": lambda: _document(
        nested(5_000, lambda inner: {"type": "object", "properties": {"a": inner}})
    ),
}


def _document(document: Any) -> Act:
    return lambda: read_fields(document)


INPUTS: dict[str, Callable[[], Act]] = {
    f"{room}: {name}": make
    for room, inputs in {
        "trigger": TRIGGERS,
        "template": TEMPLATES,
        "mapping": MAPPINGS,
        "field": FIELDS,
        "file": FILES,
        "check": CHECKED,
    }.items()
    for name, make in inputs.items()
}
