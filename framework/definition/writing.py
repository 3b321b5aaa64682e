"""Shaping as generated code: one flat run of lines for the fields of a table.

Scalars of the right type pass without a call; everything else goes through functions that are made
for its field when the code is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Any, Final

from framework.codegen import VARIABLE, Code
from framework.definition.checks import checks_of, top_pruner_of
from framework.definition.coercion import REFUSED, Coercer, coercer_of
from framework.definition.conditions import Requirement, lacking
from framework.definition.explanation import KEPT
from framework.definition.fields import TEXTS, Field, FieldTable
from framework.paths import JSON, MISSING, Missing

_READY: Final = {
    **dict.fromkeys(TEXTS, "type({0}) is str"),
    "integer": "type({0}) is int",
    "number": "type({0}) is int",
    "boolean": "type({0}) is bool",
}
"""Expressions that hold for values which need no conversion."""

_FOLDED: Final = (str, int, float, bool, NoneType, Missing)
"""The kinds of constants that are shaped when the code is written."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes the lines that shape one set of mapped values."""

    fields: FieldTable
    requirements: Sequence[Requirement]
    code: Code
    values: Mapping[str, str]
    refusal: str

    def write(self, sync_mode: str) -> dict[str, str]:
        """Write them; give the variable of each shaped value."""
        shaped = {key: self._field(key, field) for key, field in self.fields.items()}
        pruned: dict[str, str] = {}
        for requirement in self.requirements:
            if requirement.scope:
                self._nested_requirement(requirement, sync_mode, pruned)
            else:
                self._requirement(requirement, sync_mode, shaped, pruned)
        if KEPT in self.values:
            shaped.setdefault(KEPT, self._pruned(KEPT, pruned))
        return shaped

    def _field(self, key: str, field: Field) -> str:
        constant = self._constant(key)
        shaped = VARIABLE if constant is VARIABLE else _shaped_constant(field, constant)
        if shaped is VARIABLE:
            return self._variable_field(key, field)
        if shaped is REFUSED or (shaped is MISSING and field.required is True):
            self.code.line(self.refusal)
            return "MISSING"
        return self.code.literal(shaped)

    def _constant(self, key: str) -> Any:
        """Give the mapped value where it is the same for every event, else VARIABLE."""
        return self.code.constant(self.values.get(key, "MISSING"))

    def _variable_field(self, key: str, field: Field) -> str:
        code, name = self.code, self.code.fresh("f")
        code.line(f"{name} = {self.values[key]}")
        ready = None if field.multiple else _READY.get(field.type)
        convert = code.literal(_converter_of(field), "to")
        if ready == _READY["string"]:
            with code.block(f"if {ready.format(name)}:"):
                code.line(f"if not {name}: {name} = MISSING")
        elif ready:
            with code.block(f"if {ready.format(name)}:"):
                code.line("pass")
        with code.block(f"elif {name} is not MISSING:" if ready else f"if {name} is not MISSING:"):
            code.line(f"{name} = {convert}({name})")
            code.line(f"if {name} is {code.literal(REFUSED)}: {self.refusal}")
        if field.required is True:
            code.line(f"if {name} is MISSING: {self.refusal}")
        if ready:
            self._checks(name, field)
        return name

    def _checks(self, name: str, field: Field) -> None:
        held = [f"{self.code.literal(holds, 'is')}({name})" for _, holds in checks_of(field)]
        if held:
            absent = [] if field.required is True else [f"{name} is MISSING"]
            null = [f"{name} is None"] if field.nullable else []
            told = " or ".join([*absent, *null, " and ".join(held)])
            self.code.line(f"if not ({told}): {self.refusal}")

    def _requirement(
        self,
        requirement: Requirement,
        sync_mode: str,
        shaped: Mapping[str, str],
        pruned: dict[str, str],
    ) -> None:
        holds = self._holds(requirement, sync_mode, pruned)
        if holds == "False":
            return
        head, *inside = requirement.path
        lacks = f"{shaped[head]} is MISSING"
        if inside:
            below = f"{self._pruned(head, pruned)}, {self.code.literal(tuple(inside))}"
            lacks += f" or {self.code.literal(lacking)}({below})"
        when = f"({lacks})" if holds == "True" else f"({holds}) and ({lacks})"
        self.code.line(f"if {when}: {self.refusal}")

    def _holds(self, requirement: Requirement, sync_mode: str, pruned: dict[str, str]) -> str:
        """Give the condition of a requirement; what constants decide is decided now."""
        decides = requirement.match != "all"  # one such verdict settles the whole
        open_tests = []
        for key, test in requirement.tests:
            asked = f"({sync_mode} or MISSING)" if key is None else self._pruned(key, pruned)
            constant = self.code.constant(asked)
            if constant is VARIABLE:
                open_tests.append(f"{self.code.literal(test, 'test')}({asked})")
            elif test(constant) is decides:
                return str(decides)
        return f" {'or' if decides else 'and'} ".join(open_tests) or str(not decides)

    def _nested_requirement(
        self, requirement: Requirement, sync_mode: str, pruned: dict[str, str]
    ) -> None:
        head = requirement.scope[0]
        payload = f"{{{self.code.literal(head)}: {self._pruned(head, pruned)}}}"
        unmet = self.code.literal(requirement.unmet, "unmet")
        self.code.line(f"if {unmet}({payload}, {sync_mode}): {self.refusal}")

    def _pruned(self, key: str, known: dict[str, str]) -> str:
        """Give the variable of a value without its empty parts, before conversion."""
        constant = self._constant(key)
        if key not in known and isinstance(constant, _FOLDED):
            field = self.fields.get(key)
            prune = top_pruner_of(field) if field else _without_blank
            known[key] = self.code.literal(prune(constant))
        if key not in known:
            field = self.fields.get(key)
            name = known[key] = self.code.fresh("p")
            value = self.values.get(key, "MISSING")
            if field is None:
                self.code.line(f"{name} = MISSING if {value} == '' else {value}")
            else:
                pruned = self.code.literal(top_pruner_of(field), "prune")
                self.code.line(f"{name} = {pruned}({value})")
        return known[key]


def _without_blank(value: JSON) -> JSON:
    return MISSING if value == "" else value


def _shaped_constant(field: Field, constant: JSON) -> Any:
    """Shape a value that is the same for every event; VARIABLE where each needs its own copy."""
    shaped = _converter_of(field)(constant)
    if shaped is REFUSED or not isinstance(shaped, _FOLDED):
        return REFUSED if shaped is REFUSED else VARIABLE
    checked = field.type in _READY and not field.multiple and shaped not in {MISSING, None}
    if checked and not all(holds(shaped) for _, holds in checks_of(field)):
        return REFUSED
    return shaped


def _converter_of(field: Field) -> Coercer:
    """Give the function for values of a top-level field that are not ready.

    It gives MISSING for what is empty and REFUSED for what is wrong; scalars are not checked yet.
    """
    prune = top_pruner_of(field)
    convert = (
        coercer_of(field) if field.type in _READY and not field.multiple else _shaper_of(field)
    )

    def convert_top(value: JSON) -> Any:
        value = prune(value)
        return value if value is MISSING else convert(value)

    return convert_top


def _shaper_of(field: Field) -> Coercer:
    """Give the function that converts and checks a pruned value of a field."""
    one = _shaper_of_one(field)
    if not field.multiple:
        return one

    def shape_all(value: JSON) -> Any:
        if isinstance(value, dict):
            return REFUSED
        items = [one(item) for item in (value if isinstance(value, list) else [value])]
        return REFUSED if any(item is REFUSED for item in items) else items

    return shape_all


def _shaper_of_one(field: Field) -> Coercer:
    coerce = coercer_of(field)
    checks = [holds for _, holds in checks_of(field)]
    enter = _properties_shaper(field) if field.properties is not None else None
    if field.type == "object" and enter is not None:
        coerce = _then(coerce, enter)

    def shape_one(value: JSON) -> Any:
        shaped = coerce(value)
        if shaped is REFUSED or shaped is None or all(holds(shaped) for holds in checks):
            return shaped
        return REFUSED

    return shape_one if checks else coerce


def _then(coerce: Coercer, enter: Coercer) -> Coercer:
    def both(value: JSON) -> Any:
        shaped = coerce(value)
        return enter(shaped) if isinstance(shaped, dict) else shaped

    return both


def _properties_shaper(field: Field) -> Coercer:
    fields = field.properties or {}
    plan = [(key, _shaper_of(inner), inner.required is True) for key, inner in fields.items()]

    def shape_properties(value: dict[str, JSON]) -> Any:
        shaped: dict[str, Any] = {}
        for key, shape, required in plan:
            inner = value.get(key, MISSING)
            if inner is not MISSING:
                made = shaped[key] = shape(inner)
                if made is REFUSED:
                    return REFUSED
            elif required:
                return REFUSED
        if field.additional_properties:
            shaped |= {key: inner for key, inner in value.items() if key not in fields}
        return shaped

    return shape_properties
