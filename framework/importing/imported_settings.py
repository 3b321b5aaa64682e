"""Settings of an exported destination: secrets become references, what does not fit a note."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from framework.definition import Field, FieldTable
from framework.importing.exported import Note, NoteKind
from framework.importing.secret_parts import is_secret, name_of, variable
from framework.linting import setting_problems
from framework.paths import JSON


@dataclass(frozen=True, slots=True)
class ImportedSettings:
    """The *values* of settings, the *variables* that they refer to, and *notes*."""

    values: Mapping[str, JSON]
    variables: tuple[str, ...]
    notes: tuple[Note, ...]


def import_settings(
    given: Mapping[str, JSON], fields: FieldTable | None, prefix: str
) -> ImportedSettings:
    """Return the settings of a connection file; *fields* are None if they are not known.

    *prefix* begins the names of environment variables.
    """
    made = _Settings(fields, prefix)
    for key, value in given.items():
        made.take(key, value)
    made.check()
    made.complete()
    return ImportedSettings(made.values, tuple(dict.fromkeys(made.variables)), tuple(made.notes))


class _Settings:
    def __init__(self, fields: FieldTable | None, prefix: str) -> None:
        self._fields = fields
        self._prefix = prefix
        self.values: dict[str, JSON] = {}
        self.variables: list[str] = []
        self.notes: list[Note] = []

    def take(self, key: str, value: JSON) -> None:
        """Take a setting over, unless its value is empty."""
        if value is None or value == "":
            return
        if self._fields is not None and key not in self._fields:
            self._note("left out", key, "The destination has no such setting.")
            return
        field = self._fields[key] if self._fields else None
        self.values[key] = self._value(value, field, (key,))

    def check(self) -> None:
        """Replace or leave out values that the destination does not accept."""
        if self._fields is None:
            return
        plain = {key: one for key, one in self.values.items() if not self._refers(one)}
        for problem, text in setting_problems(self._fields, _unescaped(plain)):
            key = str(problem.path[0]) if problem.path else ""
            if key not in plain or key not in self.values:
                continue
            if self._fields[key].required is True:
                self.values[key] = self._reference((key,))
                self._note("changed", key, f"{text} Set the variable to a value that it accepts.")
            else:
                del self.values[key]
                self._note("left out", key, text)

    def complete(self) -> None:
        """Add required settings that are missing."""
        for key, field in (self._fields or {}).items():
            if field.required is True and key not in self.values:
                if field.default is not None and not field.secret:
                    self.values[key] = field.default
                else:
                    self.values[key] = self._reference((key,))
                    self._note("to check", key, "It is required, and not in the export.")

    def _value(self, value: JSON, field: Field | None, path: tuple[str, ...]) -> JSON:
        if isinstance(value, dict) and not (field and field.secret):
            table = (field.properties if field else None) or {}
            name = name_of(value)
            return {
                key: self._value(
                    one, table.get(key), (*path, *([name] if name and key == "value" else []), key)
                )
                for key, one in value.items()
            }
        if isinstance(value, list) and not (field and field.secret):
            return [self._value(one, None, (*path, str(n))) for n, one in enumerate(value, 1)]
        if is_secret(path, value, field):
            return self._reference(path)
        return value.replace("${", "$${") if isinstance(value, str) else value

    def _reference(self, path: tuple[str, ...]) -> str:
        name = variable(self._prefix, *path)
        self.variables.append(name)
        return f"${{env:{name}}}"

    @staticmethod
    def _refers(value: JSON) -> bool:
        return isinstance(value, str) and value.startswith("${env:")

    def _note(self, kind: NoteKind, key: str, text: str) -> None:
        self.notes.append(Note(kind, f"setting `{key}`", text))


def _unescaped(values: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return values as a connection file gives them, with escapes undone."""
    return {
        key: one.replace("$${", "${") if isinstance(one, str) else one
        for key, one in values.items()
    }
