"""Findings in a document, as data: position, severity, problem and hint."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, NamedTuple, TypeAlias

from framework.errors import ConfigurationError

Severity: TypeAlias = Literal["error", "warning", "hint"]

_MEMBER = re.compile(r"""(?<![\w.-])(?P<key>[\w.-]++)["']?\s*+:\s*+(?P<value>.)""")
_SECRET_WORDS = (
    "secret",
    "password",
    "passwd",
    "token",
    "credential",
    "apikey",
    "privatekey",
    "proxy",
)
_QUOTES = frozenset("\"'")
_ESCAPES = {"x": 4, "u": 6, "U": 10}
_HIDDEN = re.compile(r"(\$\{[^{}]*\})|[^\s,{}\[\]\"']+?(?=\$\{|[\s,{}\[\]\"']|\Z)")


class Spot(NamedTuple):
    """A position in a document: *line* and *column* from 1, *length* in characters."""

    line: int = 1
    column: int = 1
    length: int = 1


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding in a document.

    *line* and *column* count from 1, *length* is the number of characters to underline; *code* is
    one of CODES; *message* states the problem, *hint* a correction where it is known. *excerpt*
    is the line itself, with asterisks for the values of keys that may be secret.
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
        """Return the finding as a JSON object."""
        return asdict(self)


MAX_EXCERPT = 2_000
"""Characters of the longest line in an excerpt."""

MAX_MESSAGE = 2_000
"""Characters of the longest message."""

MAX_FINDINGS = 1_000
"""Maximum number of findings of one severity."""


class DiagnosticList:
    """The findings of one document, collected while it is read."""

    def __init__(self, file: str, text: str = "") -> None:
        self.file = file
        self._text = text
        self._found: list[Diagnostic] = []
        self._counts: Counter[Severity] = Counter()
        self._covered: set[int] = set()
        self._excerpts: dict[int, str] = {}

    def error(self, code: str, spot: Spot, message: str, hint: str = "") -> None:
        """Note a problem that makes the document unusable."""
        self._add("error", code, spot, message, hint)

    def warning(self, code: str, spot: Spot, message: str, hint: str = "") -> None:
        """Note a likely mistake."""
        self._add("warning", code, spot, message, hint)

    def hint(self, code: str, spot: Spot, message: str, hint: str = "") -> None:
        """Note a suggestion."""
        self._add("hint", code, spot, message, hint)

    def cover(self, line: int) -> None:
        """Hide the values of a line that contains a secret in every excerpt."""
        self._covered.add(line)
        self._excerpts.pop(line, None)

    @property
    def lists_errors(self) -> bool:
        """Whether a further error is still listed."""
        return self._counts["error"] < MAX_FINDINGS

    @property
    def refused(self) -> frozenset[tuple[int, int]]:
        """The lines and columns of errors."""
        return frozenset((one.line, one.column) for one in errors(self._found))

    def within(self, spot: Spot, text: str, offset: int, length: int) -> Spot:
        """Return the position of a part of a string that begins at *spot*.

        Escapes and quotes count with their written length; in folded strings and behind aliases,
        the position of the whole string is returned.
        """
        line = self._line(spot.line)[spot.column - 1 :]
        if line[:1] == "|":
            return self._within_block(spot, text, offset, length)
        if line[:1] in _QUOTES:
            start, end = (_written(line, place) for place in (offset, offset + length))
            if start is None:
                return spot
            return Spot(spot.line, spot.column + start, (end or start + 1) - start)
        if line.startswith(text):
            return Spot(spot.line, spot.column + offset, max(length, 1))
        return spot

    def _within_block(self, spot: Spot, text: str, offset: int, length: int) -> Spot:
        row = text.count("\n", 0, offset)
        shown = text.split("\n")[row]
        start = self._line(spot.line + 1 + row).find(shown)
        inside = offset - (text.rfind("\n", 0, offset) + 1)
        if start < 0:
            return spot
        return Spot(spot.line + 1 + row, start + inside + 1, max(min(length, len(shown)), 1))

    @functools.cached_property
    def _lines(self) -> list[str]:
        return self._text.replace("\r\n", "\n").replace("\r", "\n").split("\n")

    def _line(self, number: int) -> str:
        return self._lines[number - 1] if number <= len(self._lines) else ""

    @property
    def all(self) -> tuple[Diagnostic, ...]:
        """All findings, in the order of the document."""
        found = sorted(self._found, key=lambda one: (one.line, one.column))
        return tuple(replace(one, excerpt=self.excerpt(one.line)) for one in found)

    def excerpt(self, line: int) -> str:
        """Return one line of the document with secrets hidden, or nothing if it is too long."""
        if line not in self._excerpts:
            text = self._line(line)
            is_shown, covered = len(text) <= MAX_EXCERPT, line in self._covered
            self._excerpts[line] = _without_secrets(text, covered=covered) if is_shown else ""
        return self._excerpts[line]

    def _add(self, severity: Severity, code: str, spot: Spot, message: str, hint: str) -> None:
        self._counts[severity] += 1
        if self._counts[severity] > MAX_FINDINGS:
            return
        if self._counts[severity] == MAX_FINDINGS:
            code, message = "AD103", f"No more than {MAX_FINDINGS:,} {severity}s are listed."
            hint = "Fix these first."
        if len(message) > MAX_MESSAGE:
            message = f"{message[:MAX_MESSAGE]}…"
        length = max(spot.length, 1)
        self._found.append(
            Diagnostic(self.file, spot.line, spot.column, length, severity, code, message, hint)
        )


def _without_secrets(line: str, *, covered: bool) -> str:
    start = _secret_start(line, covered=covered)
    hidden = _HIDDEN.sub(lambda match: match[1] or "*" * len(match[0]), line[start:])
    return line[:start] + hidden


def _secret_start(line: str, *, covered: bool) -> int:
    """Return the column at which the hidden part of a line begins; its end if nothing is hidden."""
    if covered:
        return line.find(":") + 1
    found = (each for each in _MEMBER.finditer(line) if _sounds_secret(each["key"]))
    return next((each.start("value") for each in found), len(line))


def _sounds_secret(key: str) -> bool:
    plain = key.casefold().replace("_", "").replace("-", "")
    return any(word in plain for word in _SECRET_WORDS)


def _written(line: str, place: int) -> int | None:
    """Return the written length of a quoted string before its *place*-th character."""
    quote, index = line[0], 1
    for _ in range(place):
        if index >= len(line) or (line[index] == quote and line[index : index + 2] != "''"):
            return None
        if quote == "'" and line[index] == quote:
            index += 2
        elif quote == '"' and line[index] == "\\":
            index += _ESCAPES.get(line[index + 1 : index + 2], 2)
        else:
            index += 1
    return index


def errors(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Return the findings that make the document unusable."""
    return tuple(found for found in diagnostics if found.severity == "error")


def refuse(file: str, diagnostics: Iterable[Diagnostic]) -> ConfigurationError:
    """Return the error that lists every problem that makes *file* unusable."""
    problems = [str(found) for found in errors(diagnostics)]
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return ConfigurationError(f"`{file}` has {count}:\n" + "\n".join(problems), problems)
