"""Findings in a document, as data: where, how bad, what is wrong, what would be right."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from framework.errors import ConfigurationError

Severity: TypeAlias = Literal["error", "warning"]

CODES = {
    "AD100": "The file cannot be read.",
    "AD101": "The text is not valid YAML, JSON or UTF-8.",
    "AD102": "An object names the same key twice.",
    "AD103": "The document is too large, too deep, or grows too large through its aliases.",
    "AD104": "A part of YAML that connection files do not use.",
    "AD201": "A value is of the wrong kind.",
    "AD202": "Something required is missing.",
    "AD203": "A key that is not known.",
    "AD204": "The same thing is said twice.",
    "AD205": "There are too many subscriptions.",
    "AD206": "There are no subscriptions.",
    "AD301": "An environment variable is not set.",
    "AD302": "A file that is referred to cannot be used.",
    "AD303": "A reference of an unknown kind.",
    "AD304": "A reference where none is resolved.",
}
"""What each code of a diagnostic stands for."""

_SECRET = re.compile(
    r"""(?ix) ["']? [\w.-]* (?:secret|password|passwd|token|credential|(?:api|private)[_-]?key)
    [\w.-]* ["']? \s* : \s* (?P<value>.+)"""
)
_HIDDEN = re.compile(r"(\$\{[^}]*\})|[^\s,{}\[\]\"']")


@dataclass(frozen=True, slots=True)
class Spot:
    """Where something stands in a document: *line* and *column* from 1, *length* in characters."""

    line: int = 1
    column: int = 1
    length: int = 1


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding in a document.

    *line* and *column* count from 1, *length* says how many characters to underline; *code* is
    one of CODES; *message* says what is wrong, *hint* what would be right, where that is known.
    *excerpt* is the line itself, with the values of keys that sound secret covered by asterisks.
    """

    file: str
    line: int
    column: int
    length: int
    severity: Severity
    code: str
    message: str
    hint: str = ""
    excerpt: str = ""

    def __str__(self) -> str:
        hint = f" {self.hint}" if self.hint else ""
        return f"{self.file}:{self.line}:{self.column}: {self.message}{hint}"

    def to_json(self) -> dict[str, Any]:
        """Give the finding as a JSON object."""
        return asdict(self)


class Findings:
    """The findings of one document, collected while it is read."""

    def __init__(self, file: str, text: str = "") -> None:
        self.file = file
        self._lines = re.split(r"\r\n|\n|\r", text)
        self._found: list[Diagnostic] = []

    def error(self, code: str, spot: Spot, message: str, hint: str = "") -> None:
        """Note something that keeps the document from being used."""
        self._add("error", code, spot, message, hint)

    def warning(self, code: str, spot: Spot, message: str, hint: str = "") -> None:
        """Note something that is probably not meant."""
        self._add("warning", code, spot, message, hint)

    @property
    def all(self) -> tuple[Diagnostic, ...]:
        """Everything found, in the order of the document."""
        return tuple(sorted(self._found, key=lambda found: (found.line, found.column)))

    def excerpt(self, line: int) -> str:
        """Give one line of the document with secrets covered, column for column."""
        text = self._lines[line - 1] if line <= len(self._lines) else ""
        match = _SECRET.search(text)
        if match is None:
            return text
        start = match.start("value")
        return text[:start] + _HIDDEN.sub(lambda m: m[1] or "*", text[start:])

    def _add(self, severity: Severity, code: str, spot: Spot, message: str, hint: str) -> None:
        self._found.append(
            Diagnostic(
                self.file, spot.line, spot.column, max(spot.length, 1), severity, code,
                message, hint, self.excerpt(spot.line),
            )
        )  # fmt: skip


def errors(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Give those findings that keep the document from being used."""
    return tuple(found for found in diagnostics if found.severity == "error")


def refuse(file: str, diagnostics: Iterable[Diagnostic]) -> ConfigurationError:
    """Give the error that lists everything that keeps *file* from being used."""
    problems = [str(found) for found in errors(diagnostics)]
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return ConfigurationError(f"`{file}` has {count}:\n" + "\n".join(problems), problems)
