"""What migrations may declare: known targets, no circles, nothing twice."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from framework.definition.fields import FieldTable
from framework.definition.migrations import (
    STEPS,
    AddField,
    ChangeMapping,
    KeepTrigger,
    Migration,
    MigrationStep,
    RemoveField,
    RenameAction,
    RenameField,
    ReplaceSyncMode,
    ReplaceValue,
)
from framework.definition.slugs import is_slug
from framework.definition.sync_modes import SYNC_MODES, SyncMode
from framework.errors import FrameworkError, UnknownNameError
from framework.mapping import check_mapping_shape
from framework.triggers import parse


def migration_problems(
    migrations: Any,
    slug: str,
    fields: FieldTable,
    sync_mode: SyncMode | None,
) -> Iterator[str]:
    """Yield the problems of an action's migrations, those of their forms first."""
    formal = [*_form_problems(migrations)]
    yield from formal
    if formal:
        return
    steps = [(one.version, step) for one in migrations for step in one.steps]
    yield from _order_problems([one.version for one in migrations])
    yield from _field_problems(steps, fields)
    yield from _value_problems(steps)
    yield from _mode_problems(steps, sync_mode)
    yield from _other_problems(steps, slug, fields)


_Steps = Sequence[tuple[int, MigrationStep]]


def _form_problems(migrations: Any) -> Iterator[str]:
    if not isinstance(migrations, list | tuple):
        yield f"`migrations` must be a list of Migration objects, got {_kind(migrations)}."
        return
    for one in migrations:
        if not isinstance(one, Migration):
            yield f"`migrations` must be a list of Migration objects, one is {_kind(one)}."
        elif isinstance(one.version, bool) or not isinstance(one.version, int) or one.version < 1:
            yield f"The version of a migration must be a whole number from 1, got {one.version!r}."
        elif not isinstance(one.steps, list | tuple) or not one.steps:
            yield f"Migration {one.version} needs a list of steps, got {_kind(one.steps)}."
        else:
            kinds = tuple(STEPS.values())
            wrong = [step for step in one.steps if not isinstance(step, kinds)]
            known = ", ".join(kind.__name__ for kind in kinds)
            for step in wrong:
                yield f"A step of migration {one.version} is {_kind(step)}. Steps are {known}."


def _kind(value: Any) -> str:
    return f"{type(value).__name__}" if value not in ([], ()) else "an empty one"


def _order_problems(versions: Sequence[int]) -> Iterator[str]:
    for before, after in itertools.pairwise(versions):
        if after == before:
            yield f"Two migrations have the version {after}."
        elif after < before:
            yield f"Migration {after} must not follow migration {before}: versions increase."


def _field_problems(steps: _Steps, fields: FieldTable) -> Iterator[str]:
    """Yield problems of renamed, removed and added fields.

    What is renamed or removed must not be a field now: a mapping to it would be changed although
    it is current.
    """
    circles = _circles([(one.old, one.new) for _, one in steps if isinstance(one, RenameField)])
    yield from (f"Fields are renamed in a circle: {circle}." for circle in circles)
    left: dict[str, int] = {}
    for index, (version, step) in enumerate(steps):
        gone = _gone(step)
        if gone is not None:
            if gone in left:
                yield f"Migrations {left[gone]} and {version} both rename or remove `{gone}`."
            elif gone in fields and not circles:
                yield (
                    f"Migration {version} {_verb(step)} `{gone}`, which is a field of the action. "
                    "Use ChangeMapping for fields that have another meaning now."
                )
            left.setdefault(gone, version)
        target = _target(step)
        if target is None or circles:
            continue
        known = _now(target, steps[index + 1 :])
        if known is not None and known not in fields:
            error = UnknownNameError.of("field", known, fields, "fields")
            yield f"Migration {version} {_verb(step)} a field that the action lacks. {error}"


def _gone(step: MigrationStep) -> str | None:
    """Return the field that a step takes from a mapping."""
    match step:
        case RenameField(old=name) | RemoveField(field=name):
            return name
    return None


def _target(step: MigrationStep) -> str | None:
    """Return the field that a step gives to a mapping."""
    match step:
        case RenameField(new=name) | AddField(field=name) | ReplaceValue(field=name):
            return name
    return None


def _verb(step: MigrationStep) -> str:
    verbs = {RenameField: "renames", RemoveField: "removes", AddField: "adds"}
    return verbs.get(type(step), "changes")


def _now(name: str, later: _Steps) -> str | None:
    """Return what a field is called after *later* steps; None if it is removed."""
    for _, step in later:
        match step:
            case RenameField(old, new) if old == name:
                name = new
            case RemoveField(field) if field == name:
                return None
    return name


def _circles(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Return the circles among renamed things, each once, as `a`, `b`, `a`."""
    after, found, seen = dict(pairs), [], set[str]()
    for start in after:
        way: list[str] = []
        name: str | None = start
        while name is not None and name not in way and name not in seen:
            way.append(name)
            name = after.get(name)
        if name in way:
            found.append(", ".join(f"`{one}`" for one in [*way[way.index(name) :], name]))
        seen.update(way)
    return found


def _value_problems(steps: _Steps) -> Iterator[str]:
    """Yield problems of replaced values: a later step must not lead back."""
    chosen = [(version, one) for version, one in steps if isinstance(one, ReplaceValue)]
    for name in dict.fromkeys(one.field for _, one in chosen):
        pairs = [(_text(one.old), _text(one.new)) for _, one in chosen if one.field == name]
        yield from (
            f"Values of `{name}` are replaced in a circle: {circle}." for circle in _circles(pairs)
        )
        for old in {old for old, _ in pairs if [one for one, _ in pairs].count(old) > 1}:
            yield f"Two steps replace the value {old} of `{name}`."
    for version, step in steps:
        given = {AddField: "value", ReplaceValue: "new"}.get(type(step))
        if given and isinstance(step, AddField | ReplaceValue):
            for problem in check_mapping_shape({step.field: getattr(step, given)}):
                yield f"Migration {version} gives `{step.field}` an invalid value. {problem}"


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)


def _mode_problems(steps: _Steps, sync_mode: SyncMode | None) -> Iterator[str]:
    chosen = [(version, one) for version, one in steps if isinstance(one, ReplaceSyncMode)]
    if not chosen:
        return
    if sync_mode is None:
        yield f"Migration {chosen[0][0]} replaces a sync mode, but the action has none."
        return
    pairs = [(one.old, one.new) for _, one in chosen]
    circles = _circles(pairs)
    yield from (f"Sync modes are replaced in a circle: {circle}." for circle in circles)
    replaced = {old for old, _ in pairs}
    for version, one in chosen:
        if one.old not in SYNC_MODES:
            yield f"Migration {version}: {UnknownNameError.of('sync mode', one.old, SYNC_MODES)}"
        elif one.old in sync_mode.choices and not circles:
            yield f"Migration {version} replaces `{one.old}`, which is a sync mode of the action."
        if one.new not in sync_mode.choices and one.new not in replaced:
            error = UnknownNameError.of("sync mode", one.new, sync_mode.choices, "sync modes")
            yield f"Migration {version}: {error}"
        if [old for old, _ in pairs].count(one.old) > 1:
            yield f"Two steps replace the sync mode `{one.old}`."
            return


def _other_problems(steps: _Steps, slug: str, fields: FieldTable) -> Iterator[str]:
    renamed: dict[str, int] = {}
    for version, step in steps:
        match step:
            case RenameAction(old, values):
                yield from _slug_problems(version, old, slug)
                if renamed.setdefault(str(old), version) != version:
                    earlier = renamed[str(old)]
                    yield f"Migrations {earlier} and {version} both rename the action `{old}`."
                yield from _added_values(version, values, fields)
            case KeepTrigger(trigger):
                yield from _trigger_problems(version, trigger)
            case ChangeMapping(run, text):
                if run is not None and not callable(run):
                    yield f"`run` of migration {version} must be a function, got {_kind(run)}."
                if not isinstance(text, str) or not text.strip():
                    yield f"ChangeMapping of migration {version} needs a text: what it does."


def _slug_problems(version: int, old: Any, slug: str) -> Iterator[str]:
    if not is_slug(old):
        yield f"Migration {version} renames an action without a valid slug: {old!r}."
    elif old == slug:
        yield f"Migration {version} renames the action `{slug}` to itself."


def _trigger_problems(version: int, trigger: str) -> Iterator[str]:
    try:
        parse(trigger)
    except FrameworkError as error:
        yield f"The trigger of migration {version} does not parse: {error}"


def _added_values(version: int, values: Mapping[str, Any], fields: FieldTable) -> Iterator[str]:
    for key in values:
        if key not in fields:
            error = UnknownNameError.of("field", key, fields, "fields")
            yield f"Migration {version} adds a value for a field that the action lacks. {error}"
    for problem in check_mapping_shape(dict(values)):
        yield f"Migration {version} adds an invalid value. {problem}"
