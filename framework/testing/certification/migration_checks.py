"""Checks of migrations: older mappings become valid ones, and current ones stay as they are."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, Final

from framework.definition import (
    INTERNAL,
    SYNC_MODE_KEY,
    Action,
    AddField,
    Destination,
    RemoveField,
    RenameAction,
    RenameField,
    ReplaceSyncMode,
    ReplaceValue,
    Subscription,
    equal_json,
    migrate,
    steps_of,
)
from framework.errors import ConfigurationError
from framework.mapping import check_mapping_shape, compile_mapping
from framework.paths import JSON
from framework.testing.certification.certificate import CertificateFinding
from framework.testing.certification.subject import Subject

_VALUE: Final[JSON] = {"@path": "$.properties.value"}
_CONTROLS: Final = frozenset({"enable_batching", "batch_size", "batch_bytes", "batch_keys"})

Findings = Iterator[CertificateFinding]


def check_migrations(subject: Subject) -> Findings:
    """Yield migrations that fail, change a mapping twice, or lead to an invalid mapping."""
    definition = subject.definition
    for action in definition.actions:
        if action.migrations:
            for name, old in _older(action):
                yield from _checked(definition, action, name, old)
            yield from _untouched(definition, action)


def _older(action: Action) -> Iterator[tuple[str, Subscription]]:
    """Yield subscriptions of the first version: an empty, a full and a default one."""
    slugs = [one.old for one in steps_of(action.migrations) if isinstance(one, RenameAction)]
    for slug in slugs or [action.slug]:
        yield "an empty mapping", Subscription(action=slug)
        yield "a mapping of all older fields", Subscription(action=slug, mapping=_first(action))
        yield "the default mapping", Subscription(action=slug, mapping=action.default_mapping)


def _first(action: Action) -> dict[str, Any]:
    """Return a mapping with all that the steps change, as it was before the first one."""
    mapping: dict[str, Any] = dict(action.default_mapping)
    for step in reversed([*steps_of(action.migrations)]):
        match step:
            case RenameField(old, new):
                mapping[old] = mapping.pop(new, _VALUE)
            case RemoveField(field):
                mapping[field] = _VALUE
            case AddField(field):
                mapping.pop(field, None)
            case ReplaceValue(field, old):
                mapping[field] = copy.deepcopy(old)
            case ReplaceSyncMode(old):
                mapping[SYNC_MODE_KEY] = old
            case _:
                pass
    return mapping


def _checked(destination: Destination, action: Action, name: str, old: Subscription) -> Findings:
    before = copy.deepcopy(dict(old.mapping))
    try:
        once = migrate(destination, old).subscription
        again = migrate(destination, _unmarked(once)).subscription
    except ConfigurationError as error:
        yield CertificateFinding(action.slug, f"From {name}: {error}")
        return
    if not equal_json(before, dict(old.mapping)):
        yield CertificateFinding(action.slug, f"A migration changes {name} that it is given.")
    if not equal_json(dict(once.mapping), dict(again.mapping)):
        text = f"A migration of {name} changes its own result when it is applied again."
        yield CertificateFinding(action.slug, text)
    yield from _validity(action, name, once)


def _validity(action: Action, name: str, migrated: Subscription) -> Findings:
    for problem in check_mapping_shape(dict(migrated.mapping)):
        yield CertificateFinding(action.slug, f"Migrations make {name} invalid. {problem}")
        return
    for fault in compile_mapping(migrated.mapping).faults:
        yield CertificateFinding(action.slug, f"Migrations make {name} invalid. {fault}")
    for key in migrated.mapping:
        if key not in action.fields and key not in _CONTROLS and not key.startswith(INTERNAL):
            text = f"Migrations of {name} lead to `{key}`, which is not a field."
            yield CertificateFinding(action.slug, text)


def _untouched(destination: Destination, action: Action) -> Findings:
    """Yield what migrations change in a mapping that maps every field to a path of its own."""
    mapping: dict[str, Any] = {key: {"@path": f"$.properties.{key}"} for key in action.fields}
    current = Subscription(action=action.slug, trigger=action.trigger, mapping=mapping)
    try:
        migrated = migrate(destination, current)
    except ConfigurationError:
        return  # reported for older ones
    if migrated.notes:
        text = f"Migrations change a current mapping: {' '.join(migrated.notes)}"
        yield CertificateFinding(action.slug, text)


def _unmarked(subscription: Subscription) -> Subscription:
    return Subscription(
        action=subscription.action, trigger=subscription.trigger, mapping=subscription.mapping
    )
