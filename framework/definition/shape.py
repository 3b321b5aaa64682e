"""Raw mapped values into the shape that a field table declares, or everything that is wrong.

A table is compiled once into a function that takes what a mapping gave, drops empty values, wraps
single values of multiple fields, converts, checks, and drops what is not declared: all that the
reference does between mapping and perform. What it refuses is explained by `explanation`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeVar, overload

from framework.codegen import Code
from framework.definition.checks import checks_of, top_pruner_of
from framework.definition.coercion import REFUSED, Coercer, coercer_of
from framework.definition.conditions import Requirement, lacking, requirements_of
from framework.definition.document import to_document
from framework.definition.explanation import KEPT, interpret
from framework.definition.fields import TEXTS, Field, FieldTable
from framework.definition.problems import Problem, payload_text, setting_text
from framework.definition.records import Record, Shaped, fields_of
from framework.errors import PayloadValidationError, SettingsError
from framework.paths import JSON, MISSING

S = TypeVar("S", bound=Shaped)

_READY: Final = {
    **dict.fromkeys(TEXTS, "type({0}) is str"),
    "integer": "type({0}) is int",
    "number": "type({0}) is int",
    "boolean": "type({0}) is bool",
}
"""Expressions that hold for values which need no conversion."""


@dataclass(frozen=True)
class Shape:
    """A compiled field table.

    *name* says in messages whose fields these are ("action `send`"); *sources* says what is mapped
    to each key, where that is known. A table without fields lets everything through as it is.
    """

    fields: FieldTable
    name: str = "the payload"
    sources: Mapping[str, str] | None = None

    def apply(self, raw: Mapping[str, JSON], *, sync_mode: str | None = None) -> dict[str, Any]:
        """Give the shaped values; *raw* is not changed, but values without a type are shared.

        Raises PayloadValidationError, whose `problems` are sentences ordered by path.
        """
        shaped = self._accept(raw, sync_mode)
        if shaped is REFUSED:
            raise self.refusal(raw, sync_mode=sync_mode)
        made: dict[str, Any] = shaped
        return made

    def refusal(
        self, raw: Mapping[str, JSON], *, sync_mode: str | None = None
    ) -> PayloadValidationError:
        """Say everything that is wrong with values that were refused."""
        _, problems = self.interpret(raw, sync_mode=sync_mode)
        texts = [payload_text(problem, self.name, self.sources) for problem in problems]
        return PayloadValidationError(" ".join(texts), problems=texts)

    def interpret(
        self, raw: Mapping[str, JSON], *, sync_mode: str | None = None
    ) -> tuple[dict[str, Any], list[Problem]]:
        """Do the same plainly: the shaped values, and every problem as data, ordered by path."""
        return interpret(raw, self.fields, self.requirements, sync_mode)

    def emit(
        self, code: Code, values: Mapping[str, str], sync_mode: str, refusal: str
    ) -> dict[str, str]:
        """Write the lines that shape mapped values; give the variable of each shaped value.

        *values* names the variable of each mapped value (it may hold MISSING), *sync_mode* is an
        expression. *refusal* is the statement to run when something is wrong; whoever runs it asks
        the method `refusal` for the words. The variables of required fields hold a value then, the
        others may hold MISSING.
        """
        if not self.fields:
            return dict(values)
        return _Writer(self, code, values, refusal).write(sync_mode)

    @cached_property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema (draft 2020-12) of shaped values, with the table's annotations."""
        return to_document(self.fields)

    @cached_property
    def requirements(self) -> tuple[Requirement, ...]:
        """The fields that are required under a condition."""
        return tuple(requirements_of(self.fields))

    @cached_property
    def _accept(self) -> Callable[[Mapping[str, JSON], str | None], Any]:
        if not self.fields:
            return lambda raw, _sync_mode: dict(raw)
        code = Code()
        with code.block("def accept(raw, sync_mode):"):
            values: dict[str, str] = {}
            for key in (*self.fields, *_asked(self), KEPT):
                values[key] = values.get(key) or code.fresh("v")
                code.line(f"{values[key]} = raw.get({code.literal(key)}, MISSING)")
            shaped = self.emit(code, values, "sync_mode", f"return {code.literal(REFUSED)}")
            code.line(f"shaped = {_display(code, shaped, self.fields)}")
            for key, variable in shaped.items():
                if not _always(self.fields, key):
                    code.line(
                        f"if {variable} is not MISSING: shaped[{code.literal(key)}] = {variable}"
                    )
            code.line("return shaped")
        return code.build("accept")


def compile_shape(
    fields: FieldTable | Record,
    *,
    name: str = "the payload",
    sources: Mapping[str, str] | None = None,
) -> Shape:
    """Compile a field table, or the table of a typed class; `Shape` explains the rest."""
    table = fields_of(fields) if isinstance(fields, Record) else dict(fields)
    shape = Shape(table, name, sources)
    shape._accept  # noqa: B018, SLF001 - compiled now, not with the first event
    return shape


@overload
def shape_settings(fields: type[S], raw: Mapping[str, JSON]) -> S: ...
@overload
def shape_settings(fields: FieldTable, raw: Mapping[str, JSON]) -> dict[str, Any]: ...
def shape_settings(fields: Any, raw: Mapping[str, JSON]) -> Any:
    """Give the settings as an instance of their class, or as a dict where there is only a table.

    Keys that are not declared are ignored. Raises SettingsError, whose `problems` list everything
    that is wrong, ordered by path; secret values are not shown.
    """
    table = fields_of(fields) if isinstance(fields, Record) else fields
    shaped, problems = Shape(table).interpret(raw)
    if problems:
        texts = [setting_text(problem) for problem in problems]
        raise SettingsError(" ".join(texts), texts)
    return fields.build(shaped) if isinstance(fields, Record) else shaped


def _asked(shape: Shape) -> list[str]:
    """List the undeclared keys that conditions ask for."""
    keys = {key for r in shape.requirements if not r.scope for key, _ in r.tests}
    return sorted(key for key in keys if key is not None and key not in shape.fields)


def _always(fields: FieldTable, key: str) -> bool:
    return key in fields and fields[key].required is True


def _display(code: Code, shaped: Mapping[str, str], fields: FieldTable) -> str:
    pairs = (f"{code.literal(key)}: {v}" for key, v in shaped.items() if _always(fields, key))
    return "{" + ", ".join(pairs) + "}"


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes the shaping of one set of mapped values."""

    shape: Shape
    code: Code
    values: Mapping[str, str]
    refusal: str

    def write(self, sync_mode: str) -> dict[str, str]:
        shaped = {key: self._field(key, field) for key, field in self.shape.fields.items()}
        pruned: dict[str, str] = {}
        for requirement in self.shape.requirements:
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
            field = self.shape.fields.get(key)
            known[key] = self.code.fresh("p")
            value = self.values.get(key, "MISSING")
            prune = self.code.literal(top_pruner_of(field) if field else _without_blank, "prune")
            self.code.line(f"{known[key]} = {prune}({value})")
        return known[key]


def _without_blank(value: JSON) -> JSON:
    return MISSING if value == "" else value


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
