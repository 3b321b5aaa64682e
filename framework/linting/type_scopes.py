"""The input of a part of a mapping, as a type, and the paths that do not exist in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

from framework.config import Severity
from framework.errors import FrameworkError
from framework.linting.event_models import EventModel
from framework.linting.issues import DocumentPath, Issue, likely_typo, nearest
from framework.linting.value_types import Type, enter, follow, join
from framework.linting.work_budget import WorkBudget
from framework.mapping import compile_mapping
from framework.paths import JSON, Path

_SOURCES: Final[Mapping[str | None, str]] = {
    "spec": "Segment's spec",
    "schema": "the schema of the events",
    "sample": "any event of the sample",
    None: "the result of `apply`",
}
_LISTED: Final = 8


@dataclass(frozen=True)
class TypeScope:
    """The input of a part of a mapping: its type *whole*, and *facts* known from conditions.

    *model* is set if the input is an event. *issues* collects each issue once; *budget* bounds the
    work. With *tentative*, unknown paths are hints, because the mapping provides an alternative.
    With *checks_branches*, conditions that always have the same result are issues.
    """

    whole: Type
    issues: dict[Issue, None]
    budget: WorkBudget
    model: EventModel | None = None
    facts: Mapping[Path, Type] = field(default_factory=dict)
    tentative: bool = False
    checks_branches: bool = True

    def read(self, path: Path) -> Type:
        """Return the type of the value at a path."""
        return self.facts[path] if path in self.facts else follow(self.whole, path)

    def join(self, *types: Type) -> Type:
        """Return the union of *types*."""
        self.budget.visit(*types)
        return join(*types)

    def inside(self, whole: Type) -> TypeScope:
        """Return the scope of a part whose input is made by the mapping."""
        return TypeScope(whole, self.issues, self.budget, checks_branches=self.checks_branches)

    def knowing(self, path: Path, fact: Type) -> TypeScope:
        """Return the scope with a known type for a path."""
        return replace(self, facts={**self.facts, path: fact})

    def note(
        self,
        code: str,
        place: DocumentPath,
        message: str,
        hint: str = "",
        *,
        severity: Severity = "warning",
    ) -> None:
        """Add an issue about the mapping."""
        found = Issue(code, severity, "mapping", message, hint, place)
        self.issues.setdefault(found)


def path_in_mapping(path: Path) -> str:
    """Return what reads *path* in a mapping: the path, `@liquid` if no path can hold its keys.

    Return an empty string if a key has both kinds of quotes, which neither can write.
    """
    if Path.parse(str(path)) == path:
        return str(path)
    first, *rest = path.parts
    start = first if first.isidentifier() and first.isascii() else _in_brackets(first)
    directive = {"@liquid": f"{{{{ {start}{''.join(map(_in_brackets, rest))} }}}}"}
    event: JSON = "found"
    for key in reversed(path.parts):
        event = {key: event}
    with suppress(FrameworkError):
        if compile_mapping({"value": directive}).resolve(event) == {"value": "found"}:
            return json.dumps(directive, ensure_ascii=False)
    return ""


def _in_brackets(key: str) -> str:
    return f'["{key}"]' if "'" in key else f"['{key}']"


def check_path(
    path: Path,
    place: DocumentPath,
    scope: TypeScope,
    written: Callable[[Path], str] = path_in_mapping,
) -> None:
    """Note a path that does not exist, or a likely typo in one.

    *written* returns a path as it is written there, empty if it cannot be.
    """
    scope.budget.spend(80 * len(path.parts))
    found = scope.whole
    for index, part in enumerate(path.parts):
        before, found = found, enter(found, part)
        known = before.members.known if before.members else {}
        if part in known or before.is_anything or not (before.is_present or before.missing):
            continue
        words = set(known)
        scope.budget.compare(part, known)
        if scope.model and before.members and before.members.rest is None:
            words |= scope.model.words.get(path.parts[:index], frozenset())
        if not found.is_present:
            _note_absent(path, index, words, place, scope, written=written)
            return
        likely = likely_typo(part, words)
        if likely:
            text = f"`{part}` in `{path}` looks like a typo."
            scope.note("AD505", place, text, _did_you_mean(path, index, likely, written))
            return


def _did_you_mean(path: Path, index: int, key: str, written: Callable[[Path], str]) -> str:
    """Return the hint that the key at *index* should be another one."""
    better = written(Path((*path.parts[:index], key, *path.parts[index + 1 :])))
    return f"Did you mean `{better}`?" if better else ""


def _note_absent(  # noqa: PLR0913 - what is absent, where, and how paths are written there
    path: Path,
    index: int,
    words: set[str],
    place: DocumentPath,
    scope: TypeScope,
    *,
    written: Callable[[Path], str],
) -> None:
    near = nearest(path.parts[index], words)
    hint = ""
    if path.parts == ("$",):
        hint = "Write `$.` for the whole of it."
    elif near:
        hint = _did_you_mean(path, index, near, written)
    elif 0 < len(words) <= _LISTED:
        holder = f" of `{Path(path.parts[:index])}`" if index else ""
        hint = f"Known keys{holder}: {', '.join(sorted(words))}."
    text = f"`{path}` does not exist in {_SOURCES[scope.model.source if scope.model else None]}."
    certain = not scope.tentative or likely_typo(path.parts[index], words) is not None
    scope.note("AD504", place, text, hint, severity="warning" if certain else "hint")
