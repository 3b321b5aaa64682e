"""Migrations: how mappings that were saved for older versions of an action become current ones.

A migration has a version and steps. A mapping that is marked with a version has passed all
migrations up to it; one without a mark may be of any age, so that all of them are applied.
Steps change nothing in a mapping that is current already.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from framework.definition.coercion import equal_json
from framework.definition.sync_modes import MATCHING_KEY, SYNC_MODE_KEY
from framework.errors import ConfigurationError
from framework.paths import JSON

_BATCH_KEYS = "batch_keys"


@dataclass
class MappingDraft:
    """A subscription to *action* that is migrated to *target*, which may have another name.

    *notes* says in sentences what has changed, *renamed* holds the older names of fields by their
    names now. A draft is *partial* if a step could not be applied.
    """

    action: str
    target: str
    trigger: str | None
    mapping: dict[str, Any]
    notes: list[str] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)
    partial: bool = False


@dataclass(frozen=True)
class RenameField:
    """What was mapped to the field *old* is mapped to *new*, unless something is already."""

    old: str
    new: str

    def apply(self, draft: MappingDraft) -> None:
        """Change a draft."""
        mapping = draft.mapping
        if self.old in mapping and self.new in mapping:
            del mapping[self.old]
            draft.notes.append(f"`{self.old}` is left out: `{self.new}` replaces it.")
        elif self.old in mapping:
            renamed = {self.new if key == self.old else key: mapping[key] for key in mapping}
            draft.mapping = mapping = renamed
            draft.renamed[self.new] = draft.renamed.pop(self.old, self.old)
            draft.notes.append(f"`{self.old}` is called `{self.new}` now.")
        if mapping.get(MATCHING_KEY) == self.old:
            mapping[MATCHING_KEY] = self.new
            draft.notes.append(f"The matching key `{self.old}` is called `{self.new}` now.")
        keys = mapping.get(_BATCH_KEYS)
        if isinstance(keys, list) and self.old in keys:
            kept = [self.new if key == self.old else key for key in keys]
            mapping[_BATCH_KEYS] = list(dict.fromkeys(kept))
            draft.notes.append(f"The batch key `{self.old}` is called `{self.new}` now.")


@dataclass(frozen=True)
class RemoveField:
    """What was mapped to the field is left out."""

    field: str

    def apply(self, draft: MappingDraft) -> None:
        """Change a draft."""
        if self.field in draft.mapping:
            del draft.mapping[self.field]
            draft.notes.append(f"`{self.field}` is left out: the action no longer has it.")


@dataclass(frozen=True)
class AddField:
    """A mapping without the field gets *value*, in place of the field's present default."""

    field: str
    value: JSON

    def apply(self, draft: MappingDraft) -> None:
        """Change a draft."""
        if self.field not in draft.mapping:
            draft.mapping[self.field] = copy.deepcopy(self.value)
            draft.notes.append(f"`{self.field}` is new and is set as it was before.")


@dataclass(frozen=True)
class ReplaceValue:
    """A field that is mapped exactly to *old*, a value or a directive, is mapped to *new*."""

    field: str
    old: JSON
    new: JSON

    def apply(self, draft: MappingDraft) -> None:
        """Change a draft."""
        if self.field in draft.mapping and equal_json(draft.mapping[self.field], self.old):
            draft.mapping[self.field] = copy.deepcopy(self.new)
            draft.notes.append(f"`{self.field}` has another value.")


@dataclass(frozen=True)
class RenameAction:
    """Subscriptions to the action *old* are subscriptions to this one.

    *values* are added to their mapping, as far as it has nothing there.
    """

    old: str
    values: Mapping[str, JSON] = field(default_factory=dict)

    def apply(self, draft: MappingDraft) -> None:
        """Change a draft."""
        if draft.action == self.old:
            draft.action = draft.target
            draft.mapping = {**copy.deepcopy(dict(self.values)), **draft.mapping}
            draft.notes.append(f"The action `{self.old}` is called `{draft.target}` now.")


@dataclass(frozen=True)
class ReplaceSyncMode:
    """A mapping with the sync mode *old* has *new*."""

    old: str
    new: str

    def apply(self, draft: MappingDraft) -> None:
        """Change a draft."""
        if draft.mapping.get(SYNC_MODE_KEY) == self.old:
            draft.mapping[SYNC_MODE_KEY] = self.new
            draft.notes.append(f"The sync mode `{self.old}` is `{self.new}` now.")


@dataclass(frozen=True)
class KeepTrigger:
    """A subscription without a trigger of its own keeps *trigger*, the default until then."""

    trigger: str

    def apply(self, draft: MappingDraft) -> None:
        """Change a draft."""
        if draft.trigger is None:
            draft.trigger = self.trigger
            draft.notes.append(f"Its trigger is `{self.trigger}`, the default before.")


@dataclass(frozen=True)
class ChangeMapping:
    """A function from mapping to mapping, for everything else.

    *run* gets a copy and returns an object; of a current mapping it returns an equal one. *text* is
    the sentence that says what it does. *fields* names the fields, old and new, whose changes it
    resolves in saved mappings, so that `actions diff` does not call them breaking.
    A manifest has no functions; *run* is None in what is read from one.
    """

    run: Callable[[dict[str, Any]], dict[str, Any]] | None
    text: str
    fields: Sequence[str] = ()

    def apply(self, draft: MappingDraft) -> None:
        """Change a draft; raises ConfigurationError if the function fails."""
        if self.run is None:
            draft.partial = True
            draft.notes.append(f"The destination's code may change it further: {self.text}")
            return
        try:
            changed = self.run(copy.deepcopy(draft.mapping))
        except Exception as error:
            text = f"A migration of the mapping failed with {type(error).__name__}: {self.text}"
            raise ConfigurationError(text) from error
        if not isinstance(changed, dict) or not all(isinstance(key, str) for key in changed):
            text = f"A migration of the mapping did not return an object: {self.text}"
            raise ConfigurationError(text)
        if not equal_json(changed, draft.mapping):
            draft.mapping = changed
            draft.notes.append(self.text)


MigrationStep: TypeAlias = (
    RenameField
    | RemoveField
    | AddField
    | ReplaceValue
    | RenameAction
    | ReplaceSyncMode
    | KeepTrigger
    | ChangeMapping
)

STEPS: Mapping[str, type[Any]] = {
    kind.__name__[0].lower() + kind.__name__[1:]: kind
    for kind in (
        RenameField,
        RemoveField,
        AddField,
        ReplaceValue,
        RenameAction,
        ReplaceSyncMode,
        KeepTrigger,
        ChangeMapping,
    )
}
"""The kinds of steps, by their key in a manifest."""


@dataclass(frozen=True)
class Migration:
    """The steps that lead to *version* of an action's mappings, from the version before.

    Versions are whole numbers from 1 and increase. A version that was released keeps its steps.
    """

    version: int
    steps: Sequence[MigrationStep]


def steps_of(migrations: Sequence[Migration], after: int = 0) -> Iterator[MigrationStep]:
    """Yield the steps of the migrations to versions after *after*, in order."""
    for migration in migrations:
        if migration.version > after:
            yield from migration.steps


def latest_version(migrations: Sequence[Migration]) -> int:
    """Return the version of current mappings; 0 without migrations."""
    return migrations[-1].version if migrations else 0
