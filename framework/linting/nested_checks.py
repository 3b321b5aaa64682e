"""Checks of mappings at every depth: undeclared keys, and paths that are written as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from framework.config import Severity
from framework.definition import Action, Field, FieldTable, unknown_fields
from framework.linting.issues import DocumentPath, Issue, likely_typo, suggestion
from framework.linting.mapping_rules import EffectiveMapping
from framework.linting.text_spellings import Spelling, spelling_of
from framework.linting.work_budget import WorkBudget
from framework.paths import JSON, Path

_ROOT_HINT: Final = (
    'Write it for each field, such as `%s: {"%s": ...}`; a directive for the whole mapping '
    "goes below `__segment_internal_directive`."
)


def check_keys(effective: EffectiveMapping, budget: WorkBudget) -> Iterator[Issue]:
    """Yield the keys of a mapping that are not fields, and those that their objects do not declare.

    A directive in the place of fields is one error; other keys then mean nothing.
    """
    action = effective.action
    directive = next((key for key in effective.own if key[:1] == "@"), None)
    if directive is not None:
        message = f"`{directive}` cannot be the whole mapping: action `{action.slug}` has fields."
        hint = _ROOT_HINT % (next(iter(action.fields), "field"), directive)
        yield Issue("AD501", "error", "mapping", message, hint, (directive,), on_key=True)
        return
    for key in sorted(effective.own):
        field = action.fields.get(key)
        if field is not None:
            for place, table in _undeclared(effective.mapping[key], field, (key,), budget):
                yield _no_key(action, place, table)
    for key in unknown_fields(action, effective.own):
        budget.compare(key, action.fields)
        hint = suggestion(key, action.fields, "fields")
        message = f"Action `{action.slug}` has no field `{key}`."
        yield Issue("AD503", "error", "mapping", message, hint, (key,), on_key=True)


def _no_key(action: Action, place: DocumentPath, table: FieldTable) -> Issue:
    """Return the issue of an undeclared key of an object; a likely typo is an error."""
    severity: Severity = "error" if likely_typo(place[-1], table) else "warning"
    holder = str(Path(tuple(part for part in place[:-1] if _is_key(part)))).removeprefix("$.")
    message = f"Field `{holder}` of action `{action.slug}` has no key `{place[-1]}`."
    hint = suggestion(place[-1], table, "keys")
    return Issue("AD503", severity, "mapping", message, hint, place, on_key=True)


_BELOW_DIRECTIVES: Final = frozenset({"then", "else", "objects", "mapping"})


def _is_key(part: str) -> bool:
    """Return whether a part of a place is a key of the result, not of a directive."""
    return part[:1] != "@" and part not in _BELOW_DIRECTIVES and not part.isdecimal()


def _undeclared(
    raw: JSON, field: Field, place: DocumentPath, budget: WorkBudget
) -> Iterator[tuple[DocumentPath, FieldTable]]:
    """Yield the places of undeclared keys, each with the keys that its object declares."""
    table = field.properties
    if table is None:
        return
    for part, inner in _results(raw, place):
        budget.spend(10)
        for key, value in part.items():
            where = (*inner, key)
            if key in table:
                yield from _undeclared(value, table[key], where, budget)
            elif not field.additional_properties:
                budget.compare(key, table)
                yield where, table


def _results(raw: JSON, place: DocumentPath) -> Iterator[tuple[dict[str, JSON], DocumentPath]]:
    """Yield the plain objects that a part of a mapping produces, or of which it makes a list."""
    if isinstance(raw, list):
        for index, item in enumerate(raw):
            yield from _results(item, (*place, str(index)))
        return
    if not isinstance(raw, dict):
        return
    name = next((key for key in raw if key[:1] == "@"), None)
    if name is None:
        yield raw, place
        return
    for part, where in _branches(name, raw[name], (*place, name)):
        yield from _results(part, where)


def _branches(
    name: str, argument: JSON, place: DocumentPath
) -> Iterator[tuple[JSON, DocumentPath]]:
    """Yield the parts of a directive's argument that produce its result."""
    match name, argument:
        case ("@if", dict()):
            yield from (
                (argument[key], (*place, key)) for key in ("then", "else") if key in argument
            )
        case ("@arrayPath", [_, shape, *_]):
            yield shape, (*place, "1")
        case ("@merge", {"objects": list(objects)}):
            yield from ((each, (*place, "objects", str(i))) for i, each in enumerate(objects))
        case ("@transform", {"mapping": mapping}):
            yield mapping, (*place, "mapping")
        case ("@literal" | "@excludeWhenNull", _):
            yield argument, place


# Paths as text


def check_texts(effective: EffectiveMapping, budget: WorkBudget) -> Iterator[Issue]:
    """Yield the texts in a mapping that are written like a path, template or directive.

    Such a text is sent unchanged. Choices of a field and arguments of `@literal` are meant.
    """
    for key in sorted(effective.own & effective.action.fields.keys()):
        field = effective.action.fields[key]
        meant = {choice.value for choice in field.choices if isinstance(choice.value, str)}
        for text, place in _texts(effective.mapping[key], (key,), budget):
            spelling = spelling_of(text) if text not in meant else None
            if spelling is not None:
                yield _as_text(effective, text, place, spelling)


def _as_text(
    effective: EffectiveMapping, text: str, place: DocumentPath, spelling: Spelling
) -> Issue:
    message = f"This text looks like a {spelling.what}, but text is sent unchanged."
    if spelling.directive == "@path":
        shown = Path.parse(text)
        hint = f'Write `{{"@path": "{shown}"}}`.'
    elif spelling.directive:
        hint = 'Write `{"@template": "..."}` with placeholders such as `{{properties.name}}`.'
    else:
        hint = 'Write an object with the directive as its key, such as `{"@path": ...}`.'
    return effective.issue("AD509", "warning", place, message, hint)


_VALUES: Final = {"@case": "value", "@replace": "value", "@json": "value", "@flatten": "value"}


def _texts(
    raw: JSON, place: DocumentPath, budget: WorkBudget
) -> Iterator[tuple[str, DocumentPath]]:
    """Yield the texts of a part of a mapping that are values, not arguments that mean more."""
    budget.spend(5)
    if isinstance(raw, str):
        budget.spend(len(raw) // 20)
        yield raw, place
    elif isinstance(raw, list):
        for index, item in enumerate(raw):
            yield from _texts(item, (*place, str(index)), budget)
    elif isinstance(raw, dict):
        for key, inner in raw.items():
            if key[:1] != "@":
                yield from _texts(inner, (*place, key), budget)
            elif key != "@literal":
                for part, where in _values(key, inner, (*place, key)):
                    yield from _texts(part, where, budget)


def _values(name: str, argument: JSON, place: DocumentPath) -> Iterator[tuple[JSON, DocumentPath]]:
    """Yield the parts of a directive's argument in which text is a value."""
    yield from _branches(name, argument, place)
    if not isinstance(argument, Mapping):
        return
    keys = ("exists", "blank") if name == "@if" else ("apply",) if name == "@transform" else ()
    for key in (*keys, *([_VALUES[name]] if name in _VALUES else [])):
        if key in argument:
            yield argument[key], (*place, key)
