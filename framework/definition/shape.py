"""Bring mapped values into the shape that a field table declares, or report all problems.

A table is compiled once into a function that takes mapped values, drops empty values, wraps
single values of multiple fields, converts, validates, and drops undeclared keys: all steps of
Segment's implementation between mapping and perform. `shape_interpreter` explains rejected values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar, overload

from framework.codegen import CodeValue, SourceCode
from framework.definition.coercion import REFUSED
from framework.definition.field_rules import FieldRule, broken_rules
from framework.definition.fields import FieldTable
from framework.definition.problems import Problem, not_object_text, payload_text, setting_text
from framework.definition.requirements import Requirement, requirements_of
from framework.definition.shape_codegen import Writer
from framework.definition.shape_interpreter import KEPT, MAX_PROBLEMS, interpret
from framework.definition.typed_classes import TypedClass, TypedInstance, fields_of
from framework.errors import PayloadValidationError, SettingsError
from framework.paths import JSON

S = TypeVar("S", bound=TypedInstance)


@dataclass(frozen=True)
class Shape:
    """A compiled field table.

    *name* is the owner of the fields in messages ("action `send`"); *sources* holds the mapping of
    each key, where it is known. *rules* apply to the shaped values. A table without fields leaves
    all values unchanged.
    """

    fields: FieldTable
    name: str = "the payload"
    sources: Mapping[str, str] | None = None
    rules: tuple[FieldRule, ...] = ()

    def apply(self, raw: JSON, *, sync_mode: str | None = None) -> dict[str, Any]:
        """Return the shaped values; *raw* is not changed, but values without a type are shared.

        Raises PayloadValidationError, whose `problems` are sentences ordered by path, also if
        *raw* is not an object, which a directive at the root of a mapping can return.
        """
        if not isinstance(raw, dict):
            raise PayloadValidationError(not_object_text(raw, self.name))
        shaped = self._accept(raw, sync_mode)
        if shaped is REFUSED:
            raise self.refusal(raw, sync_mode=sync_mode)
        made: dict[str, Any] = shaped
        return made

    def refusal(
        self, raw: Mapping[str, JSON], *, sync_mode: str | None = None
    ) -> PayloadValidationError:
        """Return the error about rejected values, with the first hundred problems."""
        _, problems = self.interpret(raw, sync_mode=sync_mode)
        told = problems[:MAX_PROBLEMS]
        texts = [payload_text(problem, self.name, self.sources) for problem in told]
        return PayloadValidationError(" ".join(texts), problems=texts)

    def interpret(
        self, raw: Mapping[str, JSON], *, sync_mode: str | None = None
    ) -> tuple[dict[str, Any], list[Problem]]:
        """Return the shaped values without generated code, and every problem, ordered by path."""
        shaped, problems = interpret(raw, self.fields, self.requirements, sync_mode)
        if not any(one.path for one in problems):  # otherwise values are missing that are invalid
            problems += broken_rules(self.rules, shaped)
        return shaped, problems

    def emit(
        self, code: SourceCode, values: Mapping[str, CodeValue], sync_mode: str, refusal: str
    ) -> dict[str, str]:
        """Write the lines that shape mapped values; return the variable of each shaped value.

        *values* holds the code value of each mapped value (it may be MISSING), *sync_mode* is an
        expression. *refusal* is the statement to run for invalid values; the caller gets the
        message from the method `refusal`. Variables of required fields hold a value afterwards,
        the others may hold MISSING.
        """
        if not self.fields:
            return {key: code.made(value) for key, value in values.items()}
        return self._writer(code, values, refusal).write(sync_mode)

    def emit_object(
        self, code: SourceCode, values: Mapping[str, CodeValue], sync_mode: str, refusal: str
    ) -> str:
        """Write the lines that build an object of the shaped values; return its variable."""
        if not self.fields:
            return code.object(self.emit(code, values, sync_mode, refusal))
        return self._writer(code, values, refusal).write_object(sync_mode)

    def _writer(self, code: SourceCode, values: Mapping[str, CodeValue], refusal: str) -> Writer:
        return Writer(self.fields, self.requirements, code, values, refusal, self.rules)

    def keys(self, mapped: Iterable[str]) -> tuple[str, ...]:
        """Return the keys that shaped values may have if *mapped* are mapped."""
        return (*self.fields, *({KEPT}.intersection(mapped) - self.fields.keys()))

    @cached_property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema (draft 2020-12) of shaped values, with the table's annotations."""
        from framework.definition.json_schema import to_document  # noqa: PLC0415 - for people only

        return to_document(self.fields, self.rules)

    @cached_property
    def requirements(self) -> tuple[Requirement, ...]:
        """The fields that are required under a condition."""
        return tuple(requirements_of(self.fields))

    @cached_property
    def _accept(self) -> Callable[[Mapping[str, JSON], str | None], Any]:
        if not self.fields:
            return lambda raw, _sync_mode: dict(raw)
        code = SourceCode()
        with code.block("def accept(raw, sync_mode):"):
            values: dict[str, str] = {}
            for key in (*self.fields, *_asked(self), KEPT):
                values[key] = values.get(key) or code.fresh("v")
                code.line(f"{values[key]} = raw.get({code.literal(key)}, MISSING)")
            refused = code.literal(REFUSED, "REFUSED")
            made = self.emit_object(code, values, "sync_mode", f"return {refused}")
            code.line(f"return {made}")
        return code.build("accept")


def compile_shape(
    fields: FieldTable | TypedClass,
    *,
    name: str = "the payload",
    sources: Mapping[str, str] | None = None,
    rules: Sequence[FieldRule] = (),
) -> Shape:
    """Return the shape of a field table or typed class; see `Shape` for the other arguments.

    Its function is compiled when it is first applied, because fused shapes do not need it.
    """
    table = fields_of(fields) if isinstance(fields, TypedClass) else dict(fields)
    return Shape(table, name, sources, tuple(rules))


@overload
def shape_settings(
    fields: type[S], raw: Mapping[str, JSON], rules: Sequence[FieldRule] = ()
) -> S: ...
@overload
def shape_settings(
    fields: FieldTable, raw: Mapping[str, JSON], rules: Sequence[FieldRule] = ()
) -> dict[str, Any]: ...
def shape_settings(fields: Any, raw: Mapping[str, JSON], rules: Sequence[FieldRule] = ()) -> Any:
    """Return the settings as an instance of their class, or as a dict if there is only a table.

    Undeclared keys are ignored. Raises SettingsError with all `problems`, ordered by path; secret
    values are not shown.
    """
    table = fields_of(fields) if isinstance(fields, TypedClass) else fields
    shaped, problems = Shape(table, rules=tuple(rules)).interpret(raw)
    if problems:
        texts = [setting_text(problem) for problem in problems]
        raise SettingsError(" ".join(texts), texts)
    return fields.build(shaped) if isinstance(fields, TypedClass) else shaped


def _asked(shape: Shape) -> list[str]:
    """Return the undeclared keys that conditions refer to."""
    keys = {key for r in shape.requirements if not r.scope for key, _ in r.tests}
    return sorted(key for key in keys if key is not None and key not in shape.fields)
