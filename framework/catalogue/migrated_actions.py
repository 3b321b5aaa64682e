"""Changes that migrations resolve: an older action as its saved mappings are after them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from framework.catalogue.changes import DefinitionChange, ManifestPlace
from framework.definition import (
    Action,
    AddField,
    ChangeMapping,
    KeepTrigger,
    MigrationStep,
    RemoveField,
    RenameField,
    ReplaceSyncMode,
    latest_version,
    steps_of,
)
from framework.errors import DefinitionError
from framework.triggers import parse

_ADDED: Final = frozenset({"field-added", "default-changed"})
"""Codes of changes that a value for the field in saved mappings resolves."""

_FIELD: Final = re.compile(r"/actions/[^/]+/fields/[^/]+(?P<within>/.*)?")
_OF_FIELDS: Final = {"field-removed": ("RenameField", "RemoveField"), "field-added": ("AddField",)}
_OF_ACTIONS: Final = {"action-removed": ("RenameAction",), "trigger-changed": ("KeepTrigger",)}
"""The steps that resolve changes with these codes."""


@dataclass(frozen=True)
class MigratedAction:
    """An older *action* with the names of the newer one.

    *changes* are those that this made good; *steps* decide about the others.
    """

    action: Action
    changes: tuple[DefinitionChange, ...]
    steps: tuple[MigrationStep, ...]

    def judged(
        self, changes: Sequence[DefinitionChange], place: ManifestPlace
    ) -> Iterator[DefinitionChange]:
        """Yield *changes* of the action at *place*; those that migrations resolve are notes."""
        for change in changes:
            made_good = change.level == "breaking" and any(
                _makes_good(step, change, place, self.action) for step in self.steps
            )
            if made_good:
                text = f"{change.text} A migration changes saved mappings."
                change = replace(change, level="note", text=text)  # noqa: PLW2901 - the same one
            yield change


def as_migrated(old: Action, new: Action, place: ManifestPlace) -> MigratedAction:
    """Return *old* as the migrations that *new* has in addition leave its saved mappings."""
    steps = tuple(steps_of(new.migrations, latest_version(old.migrations)))
    action, changes = old, []
    for step in steps:
        try:
            changed = _renamed(action, step)
        except DefinitionError:
            continue  # the rest is compared as it is
        if changed is not action:
            changes.append(_note(step, place))
            action = changed
    return MigratedAction(action, tuple(changes), steps)


def resolving_steps(change: DefinitionChange) -> tuple[str, ...]:
    """Return the names of the steps with which a migration would resolve a breaking change.

    There are none for what saved mappings do not hold, such as settings.
    """
    if change.level != "breaking":
        return ()
    if field := _FIELD.fullmatch(change.place):
        known = () if field["within"] else _OF_FIELDS.get(change.code, ())
        return known or ("ChangeMapping",)
    if change.place.startswith("/actions/") and change.place.endswith("/syncMode/choices"):
        return ("ReplaceSyncMode",)
    return _OF_ACTIONS.get(change.code, ())


def _renamed(action: Action, step: MigrationStep) -> Action:
    match step:
        case RenameField(old, new) if old in action.fields:
            return _with_names(action, {old: new})
        case RemoveField(field) if field in action.fields:
            return _with_names(action, {field: None})
        case ReplaceSyncMode(old, new) if action.sync_mode and old in action.sync_mode.choices:
            mode = action.sync_mode
            choices = dict.fromkeys(new if one == old else one for one in mode.choices)
            default = new if mode.default == old else mode.default
            return replace(action, sync_mode=replace(mode, choices=tuple(choices), default=default))
    return action


def _with_names(action: Action, names: dict[str, str | None]) -> Action:
    """Return an action with fields renamed, or removed for None, wherever it names them."""

    def now(keys: Sequence[str]) -> tuple[str, ...]:
        named = (names.get(key, key) for key in keys)
        return tuple(dict.fromkeys(key for key in named if key is not None))

    fields = {
        key: field
        for old, field in action.fields.items()
        if (key := names.get(old, old)) is not None
    }
    rules: list[Any] = [(type(rule), now(rule.keys)) for rule in action.rules]
    batching = action.batching and replace(
        action.batching,
        keys=now(action.batching.keys),
        order_keys=now(action.batching.order_keys),
    )
    return replace(
        action,
        payload=fields,
        dynamic={},
        matching_keys=now(action.matching_keys),
        rules=[kind(*keys) for kind, keys in rules if len(keys) > 1],
        batching=batching,
    )


def _note(step: MigrationStep, place: ManifestPlace) -> DefinitionChange:
    match step:
        case RenameField(old, new):
            where = place.at("fields", old)
            text = f"is called `{new}` now. A migration changes saved mappings."
        case RemoveField(field):
            where = place.at("fields", field)
            text = "is no longer a field of an action. A migration removes it from saved mappings."
        case _:
            where = place.at("syncMode", "choices")
            old, new = getattr(step, "old", ""), getattr(step, "new", "")
            text = f"has `{new}` in place of `{old}`. A migration changes saved mappings."
    return where.note("migrated", text)


def _makes_good(
    step: MigrationStep, change: DefinitionChange, place: ManifestPlace, old: Action
) -> bool:
    match step:
        case AddField(field):
            at = place.at("fields", field).pointer
            return change.place == at and change.code in _ADDED
        case KeepTrigger(trigger):
            here = change.place == place.at("defaultSubscription").pointer
            return here and old.trigger is not None and parse(old.trigger) == parse(trigger)
        case ChangeMapping(fields=fields):
            named = [place.at("fields", field).pointer for field in fields]
            return any(f"{change.place}/".startswith(f"{one}/") for one in named)
    return False
