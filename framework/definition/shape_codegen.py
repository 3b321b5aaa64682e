"""Shaping as generated code: one flat sequence of lines for the fields of a table.

Values of the expected type need no call; other values are passed to functions that are created
for the field when the code is generated. Objects and lists that a mapping has not built yet are
built here, directly of shaped values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from framework.codegen import VARIABLE, CodeValue, Each, Parts, SourceCode
from framework.definition.coercion import REFUSED
from framework.definition.field_checks import FieldCheck, checks_of, has_items, top_pruner_of
from framework.definition.field_rules import FieldRule
from framework.definition.fields import STRING_TYPES, Field, FieldTable
from framework.definition.requirements import Requirement, lacking
from framework.definition.shape_interpreter import KEPT
from framework.definition.shape_runtime import (
    AS_FIELD,
    AS_PROPERTY,
    FOLDED,
    IN_ITEM,
    Fallback,
    converter_of,
    has_properties,
    is_plain,
    putter_of,
    shaped_constant,
)
from framework.paths import JSON, MISSING

_TEXTUAL: Final = frozenset({*STRING_TYPES, "datetime"})
"""Types whose values are strings, or mostly strings."""

_READY: Final = {
    **dict.fromkeys(_TEXTUAL, "type({0}) is str"),
    "integer": "type({0}) is int",
    "number": "(type({0}) is int or type({0}) is float and {0} % 1.0 > 0.0)",
    "boolean": "type({0}) is bool",
    "object": "type({0}) is dict",
}
"""Expressions that are true for values that need no conversion, by type."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes the lines that shape one set of mapped values."""

    fields: FieldTable
    requirements: Sequence[Requirement]
    code: SourceCode
    values: Mapping[str, CodeValue]
    refusal: str
    rules: Sequence[FieldRule] = ()

    def write(self, sync_mode: str) -> dict[str, str]:
        """Write the lines; return the variable of each shaped value."""
        write = _ValueWriter(self.code, self.refusal).value
        mapped = self._mapped()
        shaped = {
            key: write(mapped.get(key, "MISSING"), field, AS_FIELD)
            for key, field in self.fields.items()
        }
        conditions = self._conditions(mapped, shaped, sync_mode)
        if KEPT in mapped:
            shaped.setdefault(KEPT, conditions.pruned(KEPT))
        self._apply_rules(shaped)
        return shaped

    def write_object(self, sync_mode: str) -> str:
        """Write the lines that build an object; return its variable."""
        writer, mapped = _ValueWriter(self.code, self.refusal), self._mapped()
        made, shaped = self.code.empty_object(), dict[str, str]()
        conditional = {one.path[0] for one in self.requirements if not one.scope}
        conditional.update(key for rule in self.rules for key in rule.keys)
        for key, field in self.fields.items():
            value = mapped.get(key, "MISSING")
            if key in conditional:
                shaped[key] = writer.value(value, field, AS_FIELD)
                self.code.put(made, key, shaped[key])
            else:
                writer.put(made, key, value, field, AS_FIELD)
        conditions = self._conditions(mapped, shaped, sync_mode)
        if KEPT in mapped and KEPT not in self.fields:
            self.code.put(made, KEPT, conditions.pruned(KEPT))
        self._apply_rules(shaped)
        return made

    def _apply_rules(self, shaped: Mapping[str, str]) -> None:
        """Write the checks of the rules across fields."""
        for rule in self.rules:
            present = [self._present(shaped[key]) for key in rule.keys]
            self.code.line(f"if not ({rule.expression(present)}): {self.refusal}")

    def _present(self, shaped: str) -> str:
        """Return the expression that is true if a shaped value is neither missing nor null."""
        constant = self.code.constant(shaped)
        if constant is not VARIABLE or shaped == "MISSING":
            return str(shaped != "MISSING" and constant is not None and constant is not MISSING)
        return f"{shaped} is not MISSING and {shaped} is not None"

    def _conditions(
        self, mapped: Mapping[str, CodeValue], shaped: Mapping[str, str], sync_mode: str
    ) -> _ConditionWriter:
        """Write the checks of conditional requirements for shaped values."""
        conditions = _ConditionWriter(self.fields, self.code, mapped, self.refusal)
        for requirement in self.requirements:
            conditions.write(requirement, shaped, sync_mode)
        return conditions

    def _mapped(self) -> dict[str, CodeValue]:
        """Return the mapped values, built if they are used unshaped or not shaped at all."""
        asked = {key for one in self.requirements for key in _asked(one)}
        return {
            key: value if key in self.fields and key not in asked else self.code.made(value)
            for key, value in self.values.items()
        }


def _asked(requirement: Requirement) -> list[str | None]:
    """Return the keys whose mapped values a requirement reads."""
    inside = [requirement.path[0]] if len(requirement.path) > 1 else []
    return [*requirement.scope[:1], *inside, *(key for key, _ in requirement.tests)]


@dataclass(frozen=True, slots=True)
class _ValueWriter:
    """Writes the lines that shape single values."""

    code: SourceCode
    refusal: str

    def value(self, value: CodeValue, field: Field, standing: Fallback) -> str:
        """Write the lines for one value; return the variable or literal of the shaped value."""
        if isinstance(value, Parts) and has_properties(field) and not field.multiple:
            shaped = self._object(value, field, IN_ITEM if standing is IN_ITEM else AS_PROPERTY)
        elif isinstance(value, Each) and has_properties(field) and field.multiple:
            shaped = self._list(value, field, standing)
        else:
            shaped = self._made(self.code.made(value), field, standing)
        if field.required is True:
            self._require(shaped)
        return shaped

    def put(self, made: str, key: str, value: CodeValue, field: Field, standing: Fallback) -> None:
        """Write the lines that put the shaped value into the object *made*, if there is one."""
        code = self.code
        if (
            not isinstance(value, str)
            or not is_plain(field)
            or code.constant(value) is not VARIABLE
        ):
            code.put(made, key, self.value(value, field, standing))
            return
        text, tests = value, [self._quickly(check, value) for check in checks_of(field)]
        ready = field.type in _TEXTUAL and code.kind(text) is str
        if standing.blank and field.type in _TEXTUAL:
            tests.insert(0, text)
        if not ready:
            tests.insert(0, _READY[field.type].format(text))
        when = f"if {' and '.join(tests)}: " if tests else ""
        code.line(f"{when}{made}[{code.literal(key)}] = {text}")
        if tests not in ([], [text]) or (tests and field.required is True):
            asked = field.required is True or code.always(text)
            when = "" if asked else f"{text} is not MISSING and "
            other = code.literal(putter_of(key, field, standing), "other")
            code.line(f"elif {when}not {other}({made}, {text}): {self.refusal}")

    def _quickly(self, check: FieldCheck, name: str) -> str:
        """Return the fast expression of a check if it has one, else its exact expression."""
        if check.common is None:
            return f"{self.code.literal(check.holds, 'is')}({name})"
        return f"{self.code.literal(check.common, 'common')}({name})"

    def _require(self, shaped: str) -> None:
        if shaped == "MISSING":
            self.code.line(self.refusal)
        elif not self.code.always(shaped):
            self.code.line(f"if {self.code.note(shaped)} is MISSING: {self.refusal}")

    def _object(self, parts: Parts, field: Field, standing: Fallback) -> str:
        """Write the lines that build a shaped object of its parts."""
        code, properties = self.code, field.properties or {}
        made = code.empty_object()
        for key, inner in properties.items():
            self.put(made, key, parts.values.get(key, "MISSING"), inner, standing)
        for key, value in parts.values.items():
            if key not in properties:
                other = code.made(value)
                if field.additional_properties:
                    code.put(made, key, other)
        self._checks(made, field)
        return made

    def _list(self, each: Each, field: Field, standing: Fallback) -> str:
        """Write the loop that builds shaped objects."""
        code, result = self.code, self.code.fresh("list")
        with code.each(each.root, result) as item:
            code.line(f"{result}.append({self._object(each.part(item), field, IN_ITEM)})")
        with code.block("else:"):
            code.line(f"{result} = {self._made(each.root, field, standing)}")
        return result

    def _made(self, text: str, field: Field, standing: Fallback) -> str:
        """Write the lines for the value of a variable or literal."""
        constant = self.code.constant(text)
        if constant is VARIABLE:
            return self._variable(text, field, standing)
        shaped = shaped_constant(field, constant, standing)
        if shaped is VARIABLE:
            return self._variable(text, field, standing)
        if shaped is REFUSED:
            self.code.line(self.refusal)
            return "MISSING"
        return self.code.literal(shaped)

    def _variable(self, text: str, field: Field, standing: Fallback) -> str:
        code, ready = self.code, _READY[field.type] if is_plain(field) else ""
        is_text = ready == _READY["string"]
        if is_text and code.kind(text) is str and not standing.blank:
            self._checks(text, field)
            return text
        name = code.fresh("f")
        if is_text and code.kind(text) is str:
            code.line(f"{name} = {text} or MISSING")
        else:
            code.line(f"{name} = {text}")
            self._convert(name, field, standing, ready)
        if is_plain(field):
            self._checks(name, field)
        return name

    def _convert(self, name: str, field: Field, standing: Fallback, ready: str) -> None:
        """Write the conversion of a variable's value, unless *ready* holds for it."""
        code, tests = self.code, [f"{name} is not MISSING"]
        if standing.blank and ready == _READY["string"]:
            with code.block(f"if type({name}) is str:"):
                code.line(f"if not {name}: {name} = MISSING")
            word = "elif"
        else:
            word, tests = "if", [f"not {ready.format(name)}", *tests] if ready else tests
        with code.block(f"{word} {' and '.join(tests)}:"):
            code.line(f"{name} = {code.literal(converter_of(field, standing), 'to')}({name})")
            code.line(f"if {name} is {code.literal(REFUSED, 'REFUSED')}: {self.refusal}")

    def _checks(self, name: str, field: Field) -> None:
        """Write the checks of a converted value beyond its type."""
        held = [self._held(check, name, field) for check in checks_of(field)]
        if held:
            absent = [] if self.code.always(name) else [f"{name} is MISSING"]
            null = [f"{name} is None"] if field.nullable else []
            lacking = " or ".join([*absent, *null, " and ".join(held)])
            self.code.line(f"if not ({lacking}): {self.refusal}")

    def _held(self, check: FieldCheck, name: str, field: Field) -> str:
        """Return the expression of a check, with the fast test first."""
        holds = f"{self.code.literal(check.holds, 'is')}({name})"
        if check.common is None:
            return holds
        common = f"{self.code.literal(check.common, 'common')}({name})"
        is_text = f"type({name}) is str and " if field.type == "datetime" else ""
        return f"({is_text}{common} or {holds})"


class _ConditionWriter:
    """Writes conditional requirements; conditions apply to mapped values without empty ones."""

    def __init__(
        self, fields: FieldTable, code: SourceCode, mapped: Mapping[str, CodeValue], refusal: str
    ) -> None:
        self._fields = fields
        self._code = code
        self._mapped = mapped
        self._refusal = refusal
        self._known: dict[str, str] = {}

    def write(self, requirement: Requirement, shaped: Mapping[str, str], sync_mode: str) -> None:
        """Write one requirement."""
        if requirement.scope:
            self._nested(requirement, sync_mode)
            return
        holds = self._holds(requirement, sync_mode)
        if holds == "False":
            return
        head, *inside = requirement.path
        code, always = self._code, self._code.always(shaped[head])
        lacks = [] if always else [f"{shaped[head]} is MISSING"]
        if inside:
            below = f"{self.pruned(head)}, {code.literal(tuple(inside))}"
            lacks.append(f"{code.literal(lacking)}({below})")
        if lacks:
            absent = " or ".join(lacks)
            when = f"({absent})" if holds == "True" else f"({holds}) and ({absent})"
            code.line(f"if {when}: {self._refusal}")
        if holds == "True" and shaped[head] != "MISSING":
            code.note(shaped[head])

    def pruned(self, key: str) -> str:
        """Return the variable of a value without empty parts, before conversion."""
        if key not in self._known:
            self._known[key] = self._prune(key)
        return self._known[key]

    def _prune(self, key: str) -> str:
        code, field = self._code, self._fields.get(key)
        value = code.made(self._mapped.get(key, "MISSING"))
        constant = code.constant(value)
        if isinstance(constant, FOLDED):
            return code.literal((top_pruner_of(field) if field else _without_blank)(constant))
        name = code.fresh("p")
        if field and has_items(field):
            code.line(f"{name} = {code.literal(top_pruner_of(field), 'prune')}({value})")
        else:
            null = "" if field is None or field.nullable else f"{value} is None or "
            code.line(f"{name} = MISSING if {null}{value} == '' else {value}")
        return name

    def _holds(self, requirement: Requirement, sync_mode: str) -> str:
        """Return the condition of a requirement, with constant conditions evaluated now."""
        decides = requirement.match != "all"  # one such result decides the whole
        open_tests = []
        for key, test in requirement.tests:
            asked = f"({sync_mode} or MISSING)" if key is None else self.pruned(key)
            constant = self._code.constant(asked)
            if constant is VARIABLE:
                open_tests.append(f"{self._code.literal(test, 'test')}({asked})")
            elif test(constant) is decides:
                return str(decides)
        return f" {'or' if decides else 'and'} ".join(open_tests) or str(not decides)

    def _nested(self, requirement: Requirement, sync_mode: str) -> None:
        head = requirement.scope[0]
        payload = f"{{{self._code.literal(head)}: {self.pruned(head)}}}"
        unmet = self._code.literal(requirement.unmet, "unmet")
        self._code.line(f"if {unmet}({payload}, {sync_mode}): {self._refusal}")


def _without_blank(value: JSON) -> JSON:
    return MISSING if value == "" else value
