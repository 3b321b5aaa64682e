"""Shaping as generated code: one flat run of lines for the fields of a table.

Scalars of the right type pass without a call; everything else goes through functions that are made
for its field when the code is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from framework.codegen import Code
from framework.definition.checks import checks_of, top_pruner_of
from framework.definition.coercion import REFUSED, Coercer, coercer_of
from framework.definition.conditions import Requirement, lacking
from framework.definition.explanation import KEPT
from framework.definition.fields import TEXTS, Field, FieldTable
from framework.paths import JSON, MISSING

_READY: Final = {
    **dict.fromkeys(TEXTS, "type({0}) is str"),
    "integer": "type({0}) is int",
    "number": "type({0}) is int",
    "boolean": "type({0}) is bool",
}
"""Expressions that hold for values which need no conversion."""


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
        code, name = self.code, self.code.fresh("f")
        code.line(f"{name} = {self.values.get(key, 'MISSING')}")
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
        tests = []
        for key, test in requirement.tests:
            asked = f"({sync_mode} or MISSING)" if key is None else self._pruned(key, pruned)
            tests.append(f"{self.code.literal(test, 'test')}({asked})")
        holds = f" {'and' if requirement.match == 'all' else 'or'} ".join(tests) or str(
            requirement.match == "all"
        )
        head, *inside = requirement.path
        lacks = f"{shaped[head]} is MISSING"
        if inside:
            below = f"{self._pruned(head, pruned)}, {self.code.literal(tuple(inside))}"
            lacks += f" or {self.code.literal(lacking)}({below})"
        self.code.line(f"if ({holds}) and ({lacks}): {self.refusal}")

    def _nested_requirement(
        self, requirement: Requirement, sync_mode: str, pruned: dict[str, str]
    ) -> None:
        head = requirement.scope[0]
        payload = f"{{{self.code.literal(head)}: {self._pruned(head, pruned)}}}"
        unmet = self.code.literal(requirement.unmet, "unmet")
        self.code.line(f"if {unmet}({payload}, {sync_mode}): {self.refusal}")

    def _pruned(self, key: str, known: dict[str, str]) -> str:
        """Give the variable of a value without its empty parts, before conversion."""
        if key not in known:
            field = self.fields.get(key)
            name = known[key] = self.code.fresh("p")
            value = self.values.get(key, "MISSING")
            if field is None:
                self.code.line(f"{name} = MISSING if {value} == '' else {value}")
            else:
                prune = self.code.literal(top_pruner_of(field), "prune")
                self.code.line(f"{name} = {prune}({value})")
        return known[key]


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
