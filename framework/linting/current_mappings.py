"""Mappings of older versions of an action: what its migrations make of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from framework.definition import (
    Destination,
    MigratedSubscription,
    Subscription,
    equal_json,
    migrate,
)
from framework.errors import ConfigurationError
from framework.linting.issues import Issue

_SHOWN: Final = 800


@dataclass(frozen=True)
class CurrentSubscription:
    """What migrations made of a subscription, and the *issues* that say so."""

    migrated: MigratedSubscription
    issues: tuple[Issue, ...] = ()

    @property
    def subscription(self) -> Subscription:
        """The subscription in the form of the current definition."""
        return self.migrated.subscription


def current_subscription_of(
    destination: Destination, subscription: Subscription
) -> CurrentSubscription:
    """Return a subscription in the form of the current definition.

    One that cannot be migrated is returned unchanged, with an error.
    """
    if subscription.mapping_version is None and not any(
        action.migrations for action in destination.actions
    ):
        return CurrentSubscription(MigratedSubscription(subscription))
    try:
        migrated = migrate(destination, subscription)
    except ConfigurationError as error:
        newer = subscription.mapping_version is not None
        part: Any = "mapping_version" if newer else "mapping"
        issue = Issue("AD406", "error", part, str(error))
        return CurrentSubscription(MigratedSubscription(subscription), (issue,))
    if not migrated.notes:
        return CurrentSubscription(migrated)
    issue = _migrated(subscription, migrated.subscription, migrated.notes)
    return CurrentSubscription(migrated, (issue,))


def _migrated(old: Subscription, new: Subscription, notes: tuple[str, ...]) -> Issue:
    gone = [key for key in old.mapping if key not in new.mapping]
    changed = [key for key in old.mapping if key in new.mapping and _differs(old, new, key)]
    first = next(iter([*gone, *changed]), None)
    text = f"The mapping is of an older version of action `{new.action}`. {' '.join(notes)}"
    place = () if first is None else (first,)
    part: Any = "action" if first is None else "mapping"
    return Issue("AD405", "warning", part, text, _hint(old, new), place, on_key=bool(place))


def _differs(old: Subscription, new: Subscription, key: str) -> bool:
    return not equal_json(old.mapping[key], new.mapping[key])


def _hint(old: Subscription, new: Subscription) -> str:
    """Return how to save what changed, with the parts of the new form."""
    parts: dict[str, Any] = {"mappingVersion": new.mapping_version}
    if new.action != old.action:
        parts["partnerAction"] = new.action
    if new.trigger != old.trigger:
        parts["subscribe"] = new.trigger
    mapping = _changes(old.mapping, new.mapping)
    if mapping:
        parts["mapping"] = mapping
    shown = json.dumps(parts, ensure_ascii=False)
    if len(shown) > _SHOWN:
        return "Run `actions validate --fix` to save the new form."
    return f"Run `actions validate --fix` to save the new form: {shown}."


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: value
        for key, value in new.items()
        if key not in old or not equal_json(value, old[key])
    }
