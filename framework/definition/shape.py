"""Raw mapped values into the shape that a field table declares, or everything that is wrong.

A table is compiled once into a function that takes what a mapping gave, drops empty values, wraps
single values of multiple fields, converts, checks, and drops what is not declared: all that the
reference does between mapping and perform. What it refuses is explained by `explanation`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar, overload

from framework.codegen import CodeValue, SourceCode
from framework.definition.coercion import REFUSED
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

    *name* says in messages whose fields these are ("action `send`"); *sources* says what is mapped
    to each key, where that is known. A table without fields lets everything through as it is.
    """

    fields: FieldTable
    name: str = "the payload"
    sources: Mapping[str, str] | None = None

    def apply(self, raw: JSON, *, sync_mode: str | None = None) -> dict[str, Any]:
        """Return the shaped values; *raw* is not changed, but values without a type are shared.

        Raises PayloadValidationError, whose `problems` are sentences ordered by path. A directive
        at the root of a mapping can give something that is no object, which is refused too.
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
        """Say what is wrong with values that were refused: the first hundred problems."""
        _, problems = self.interpret(raw, sync_mode=sync_mode)
        told = problems[:MAX_PROBLEMS]
        texts = [payload_text(problem, self.name, self.sources) for problem in told]
        return PayloadValidationError(" ".join(texts), problems=texts)

    def interpret(
        self, raw: Mapping[str, JSON], *, sync_mode: str | None = None
    ) -> tuple[dict[str, Any], list[Problem]]:
        """Do the same plainly: the shaped values, and every problem as data, ordered by path."""
        return interpret(raw, self.fields, self.requirements, sync_mode)

    def emit(
        self, code: SourceCode, values: Mapping[str, CodeValue], sync_mode: str, refusal: str
    ) -> dict[str, str]:
        """Write the lines that shape mapped values; give the variable of each shaped value.

        *values* says what stands for each mapped value (it may be MISSING), *sync_mode* is an
        expression. *refusal* is the statement to run when something is wrong; whoever runs it asks
        the method `refusal` for the words. The variables of required fields hold a value then, the
        others may hold MISSING.
        """
        if not self.fields:
            return {key: code.made(value) for key, value in values.items()}
        return Writer(self.fields, self.requirements, code, values, refusal).write(sync_mode)

    def emit_object(
        self, code: SourceCode, values: Mapping[str, CodeValue], sync_mode: str, refusal: str
    ) -> str:
        """Do what `emit` does for an object of the shaped values; give its variable."""
        if not self.fields:
            return code.object(self.emit(code, values, sync_mode, refusal))
        writer = Writer(self.fields, self.requirements, code, values, refusal)
        return writer.write_object(sync_mode)

    def keys(self, mapped: Iterable[str]) -> tuple[str, ...]:
        """Return the keys that shaped values may have, of which *mapped* are mapped."""
        return (*self.fields, *({KEPT}.intersection(mapped) - self.fields.keys()))

    @cached_property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema (draft 2020-12) of shaped values, with the table's annotations."""
        from framework.definition.json_schema import to_document  # noqa: PLC0415 - for people only

        return to_document(self.fields)

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
) -> Shape:
    """Return the shape of a field table, or of the table of a typed class; `Shape` explains the rest.

    Its function is compiled when it is first applied: who fuses shapes needs none.
    """
    table = fields_of(fields) if isinstance(fields, TypedClass) else dict(fields)
    return Shape(table, name, sources)


@overload
def shape_settings(fields: type[S], raw: Mapping[str, JSON]) -> S: ...
@overload
def shape_settings(fields: FieldTable, raw: Mapping[str, JSON]) -> dict[str, Any]: ...
def shape_settings(fields: Any, raw: Mapping[str, JSON]) -> Any:
    """Return the settings as an instance of their class, or as a dict where there is only a table.

    Keys that are not declared are ignored. Raises SettingsError, whose `problems` list everything
    that is wrong, ordered by path; secret values are not shown.
    """
    table = fields_of(fields) if isinstance(fields, TypedClass) else fields
    shaped, problems = Shape(table).interpret(raw)
    if problems:
        texts = [setting_text(problem) for problem in problems]
        raise SettingsError(" ".join(texts), texts)
    return fields.build(shaped) if isinstance(fields, TypedClass) else shaped


def _asked(shape: Shape) -> list[str]:
    """List the undeclared keys that conditions ask for."""
    keys = {key for r in shape.requirements if not r.scope for key, _ in r.tests}
    return sorted(key for key in keys if key is not None and key not in shape.fields)
