"""Writing migrated mappings into their connection file."""

from __future__ import annotations

from collections.abc import Iterator

from framework.config.connection import SubscriptionItem
from framework.config.document_edits import DocumentEdit
from framework.definition import (
    MATCHING_KEY,
    SYNC_MODE_KEY,
    MigratedSubscription,
    equal_json,
)

_BESIDE = {SYNC_MODE_KEY: "syncMode", MATCHING_KEY: "matchingKey"}


def migration_edits(
    index: int, item: SubscriptionItem, migrated: MigratedSubscription
) -> list[DocumentEdit]:
    """Return what turns the subscription at *index* of a connection file into *migrated*.

    A subscription without a name keeps the one that its action gave it: results, checkpoints and
    what hooks returned are kept by it.
    """
    here = ("subscriptions", index)
    return [*_edits(item, migrated, here)]


def _edits(
    item: SubscriptionItem, result: MigratedSubscription, here: tuple[str | int, ...]
) -> Iterator[DocumentEdit]:
    old, given, migrated = item.subscription, item.node.members, result.subscription
    if migrated.action != old.action:
        key = "actionSlug" if "actionSlug" in given else "partnerAction"
        yield DocumentEdit((*here, key), migrated.action)
        if not given.get("name") or given["name"].value is None:
            yield DocumentEdit((*here, "name"), old.action)
    if migrated.trigger != old.trigger:
        key = "trigger" if "trigger" in given or "actionSlug" in given else "subscribe"
        yield DocumentEdit((*here, key), migrated.trigger)
    yield from _mapping_edits(item, result, here)
    yield DocumentEdit((*here, "mappingVersion"), migrated.mapping_version)


def _mapping_edits(
    item: SubscriptionItem, result: MigratedSubscription, here: tuple[str | int, ...]
) -> Iterator[DocumentEdit]:
    given = item.node.members
    before, after = item.subscription.mapping, result.subscription.mapping
    beside = {key: name for key, name in _BESIDE.items() if name in given}
    for key, name in beside.items():
        if before.get(key) != after.get(key):
            yield DocumentEdit((*here, name), after.get(key))
    old, new = (
        {key: value for key, value in each.items() if key not in beside} for each in (before, after)
    )
    at = (*here, "settings" if "settings" in given and "mapping" not in given else "mapping")
    if bool(old) is not bool(new):
        yield DocumentEdit(at, new)
        return
    for key, value in new.items():
        earlier = result.renamed.get(key, key)
        earlier = earlier if earlier in old else key
        if earlier != key:
            yield DocumentEdit((*at, earlier), key=key)
        if earlier not in old or not equal_json(old[earlier], value):
            yield DocumentEdit((*at, key), value)
    kept = {result.renamed.get(key, key) for key in new}
    for key in old:
        if key not in kept:
            yield DocumentEdit((*at, key))
