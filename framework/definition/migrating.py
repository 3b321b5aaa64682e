"""Applying migrations: a saved subscription becomes one for the current definition."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from framework.definition.destination import Action, Destination, Subscription
from framework.definition.migrations import (
    MappingDraft,
    Migration,
    RenameAction,
    latest_version,
    steps_of,
)
from framework.errors import ConfigurationError


@dataclass(frozen=True)
class MigratedSubscription:
    """A subscription in the form of the current definition.

    *notes* says in sentences what was changed; there are none if it was current. *renamed* holds
    the older names of fields of its mapping by their names now.
    """

    subscription: Subscription
    notes: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)


def migrate(destination: Destination, subscription: Subscription) -> MigratedSubscription:
    """Return a subscription with the migrations of its action applied, each once.

    One that has passed all of them, or whose action is unknown, is returned unchanged. The result
    is marked with the latest version, unless it needs code that a manifest does not have. Raises
    ConfigurationError if the mapping is marked with a later version than the action has, and if a
    migration fails.
    """
    action = _action_of(destination, subscription.action)
    if action is None:
        return MigratedSubscription(subscription)
    latest, passed = latest_version(action.migrations), subscription.mapping_version or 0
    if passed > latest:
        raise ConfigurationError(
            f"The mapping has version {passed}, but action `{action.slug}` of this version of the "
            f"destination knows versions up to {latest}. Update the destination."
        )
    if passed == latest and subscription.action == action.slug:
        return MigratedSubscription(subscription)
    draft = _drafted(action, subscription, passed)
    migrated = replace(
        subscription,
        action=draft.action,
        trigger=draft.trigger,
        mapping=draft.mapping,
        sync_mode=None,
        matching_key=None,
        mapping_version=subscription.mapping_version if draft.partial else latest,
    )
    return MigratedSubscription(migrated, tuple(draft.notes), draft.renamed)


def _action_of(destination: Destination, slug: str) -> Action | None:
    current = next((one for one in destination.actions if one.slug == slug), None)
    return current or destination.renamed(slug)


def _drafted(action: Action, subscription: Subscription, passed: int) -> MappingDraft:
    mapping = copy.deepcopy(dict(subscription.mapping))
    draft = MappingDraft(subscription.action, action.slug, subscription.trigger, mapping)
    for step in [*_missed(action.migrations, draft, passed), *steps_of(action.migrations, passed)]:
        step.apply(draft)
    return draft


def _missed(
    migrations: Sequence[Migration], draft: MappingDraft, passed: int
) -> list[RenameAction]:
    """Return the step that renames the action of a mapping that is marked with a later version."""
    before = [one for one in migrations if one.version <= passed]
    steps = steps_of(before)
    return [one for one in steps if isinstance(one, RenameAction) and one.old == draft.action]
