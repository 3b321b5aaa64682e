"""Migrations as they are in a manifest: objects with a version and steps by their kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import MISSING as REQUIRED
from dataclasses import fields
from typing import Any

from framework.definition.json_io import JsonPointer, display_of, is_a
from framework.definition.migrations import STEPS, ChangeMapping, Migration, MigrationStep
from framework.paths import JSON

_TEXTS = frozenset({"old", "new", "field", "text", "trigger"})


def migrations_to_json(migrations: Sequence[Migration]) -> list[JSON]:
    """Return migrations as JSON; functions are left out."""
    return [
        {"version": one.version, "steps": [_step_to_json(step) for step in one.steps]}
        for one in migrations
    ]


def read_migrations(value: JSON, place: JsonPointer) -> tuple[Migration, ...]:
    """Return the migrations of a manifest; notes errors for those that are invalid."""
    if value is None or not is_a(list, value, place):
        return ()
    return tuple(_migrations(value, place))


def _migrations(value: list[JSON], place: JsonPointer) -> Iterator[Migration]:
    for index, one in enumerate(value):
        at = place.at(index)
        if not is_a(dict, one, at):
            continue
        version, listed = one.get("version"), one.get("steps")
        if type(version) is not int or version < 1:
            text = f"must be a whole number from 1, got {display_of(version)}."
            at.at("version").error(text)
        elif is_a(list, listed, at.at("steps")):
            inner = at.at("steps")
            read = [_step(step, inner.at(number)) for number, step in enumerate(listed)]
            steps = tuple(step for step in read if step is not None)
            if steps or not read:  # otherwise each of them has an error
                yield Migration(version, steps)


def _step_to_json(step: MigrationStep) -> JSON:
    kind = type(step).__name__
    options = {one.name: getattr(step, one.name) for one in fields(step) if one.name != "run"}
    if isinstance(step, ChangeMapping):
        options["fields"] = list(step.fields)
    return {kind[0].lower() + kind[1:]: {k: v for k, v in options.items() if v not in ([], {})}}


def _step(value: JSON, place: JsonPointer) -> MigrationStep | None:
    if not is_a(dict, value, place):
        return None
    if len(value) != 1 or next(iter(value)) not in STEPS:
        place.error(f"must be an object with one of the keys {', '.join(STEPS)}.")
        return None
    ((name, given),) = value.items()
    kind, at = STEPS[name], place.at(name)
    if not is_a(dict, given, at):
        return None
    options: dict[str, Any] = {"run": None} if kind is ChangeMapping else {}
    before = len(place.errors)
    for one in fields(kind):
        if one.name in given:
            options[one.name] = given[one.name]
            _check_option(kind, one.name, given[one.name], at.at(one.name))
        elif one.name not in options and one.default is one.default_factory is REQUIRED:
            at.at(one.name).error("is required.")
    built: MigrationStep | None = kind(**options) if len(place.errors) == before else None
    return built


def _check_option(kind: type[Any], name: str, value: JSON, place: JsonPointer) -> None:
    """Note a value of the wrong kind; values of fields may be anything."""
    if name == "values":
        is_a(dict, value, place)
    elif name == "fields" and is_a(list, value, place):
        for index, one in enumerate(value):
            is_a(str, one, place.at(index))
    elif name in _TEXTS and not (kind is STEPS["replaceValue"] and name != "field"):
        is_a(str, value, place)
