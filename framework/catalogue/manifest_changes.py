"""Changes between two definitions of a destination: which of them break what users have saved."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from framework.catalogue.changes import DefinitionChange, ManifestPlace
from framework.catalogue.field_changes import FieldRole, different_keys, table_changes
from framework.catalogue.migrated_actions import as_migrated
from framework.definition import (
    Action,
    Batching,
    Destination,
    FieldTable,
    Preset,
    Rate,
    SyncMode,
    read_manifest,
    to_manifest,
)
from framework.triggers import parse

_ROOT: Final = ManifestPlace()


def changes_between(old: Destination, new: Destination) -> list[DefinitionChange]:
    """Return all changes from *old* to *new*, in the order of a manifest.

    Both have to come from manifests, or both from plugins: a manifest does not hold everything.
    """
    return [*_changes(old, new)]


def _changes(old: Destination, new: Destination) -> Iterator[DefinitionChange]:
    yield from _identity(old, new)
    access = _ROOT.at("authentication")
    if old.scheme != new.scheme:
        text = f"is `{new.scheme}`, before `{old.scheme}`."
        yield access.at("scheme").breaking("scheme-changed", text)
    yield from table_changes(
        old.settings_fields, new.settings_fields, FieldRole.SETTING, access.at("fields")
    )
    yield from _actions(old, new)
    yield from _presets(old, new)
    yield from _rates(old, new)
    if old.extra != new.extra:
        text = f"differs in {different_keys(old.extra, new.extra)}."
        yield _ROOT.note("option-changed", text)


def _identity(old: Destination, new: Destination) -> Iterator[DefinitionChange]:
    if old.slug != new.slug:
        text = f"is `{new.slug}`, before `{old.slug}`: connections name it."
        yield _ROOT.at("slug").breaking("slug-changed", text)
    if old.name != new.name:
        text = (
            f"is `{new.name}`, before `{old.name}`: events whose `integrations` exclude the old "
            "name are sent."
        )
        yield _ROOT.at("name").breaking("name-changed", text)
    if old.mode != new.mode:
        text = f"is `{new.mode}`, before `{old.mode}`."
        yield _ROOT.at("mode").note("mode-changed", text)
    if old.description != new.description:
        yield _ROOT.at("description").compatible("text-changed", "is another text.")


def _actions(old: Destination, new: Destination) -> Iterator[DefinitionChange]:
    place = _ROOT.at("actions")
    before = {action.slug: action for action in old.actions}
    after = {action.slug: action for action in new.actions}
    for slug, action in before.items():
        renamed = new.renamed(slug)
        if slug in after:
            yield from _migrated(action, after[slug], place.at(slug))
        elif renamed is not None:
            text = f"is called `{renamed.slug}` now. A migration changes saved subscriptions."
            yield place.at(slug).note("migrated", text)
            yield from _migrated(action, renamed, place.at(renamed.slug))
        else:
            yield place.at(slug).breaking("action-removed", "is no longer an action.")
    successors = {one.slug for one in map(new.renamed, before) if one is not None}
    for slug in after:
        if slug not in before and slug not in successors:
            yield place.at(slug).compatible("action-added", "is a new action.")


def _migrated(old: Action, new: Action, place: ManifestPlace) -> Iterator[DefinitionChange]:
    """Yield the changes of an action; those that its migrations resolve are notes."""
    migrated = as_migrated(old, new, place)
    yield from migrated.changes
    yield from migrated.judged([*_action(migrated.action, new, place)], place)
    yield from _migrations(old, new, place.at("migrations"))


def _migrations(old: Action, new: Action, place: ManifestPlace) -> Iterator[DefinitionChange]:
    before, after = ({one.version: one for one in each.migrations} for each in (old, new))
    last, now = (max(each, default=0) for each in (before, after))
    if now < last:
        text = f"has versions up to {now}, before {last}: mappings of later ones are refused."
        yield place.breaking("migration-changed", text)
    for version in before:
        if version not in after and version < now:
            text = f"no longer has version {version}: mappings of earlier ones are not migrated."
            yield place.note("migration-changed", text)
    for version, one in after.items():
        if version not in before:
            yield place.compatible("migration-added", f"has the new version {version}.")
        elif one != before[version]:
            text = f"has other steps to version {version}, which mappings may have passed."
            yield place.note("migration-changed", text)


def _action(old: Action, new: Action, place: ManifestPlace) -> Iterator[DefinitionChange]:
    for key in ("title", "description"):
        if getattr(old, key) != getattr(new, key):
            yield place.at(key).compatible("text-changed", "is another text.")
    if old.platform != new.platform:
        text = f"is `{new.platform}`, before `{old.platform}`."
        yield place.at("platform").breaking("platform-changed", text)
    yield from _trigger(old.trigger, new.trigger, place.at("defaultSubscription"))
    if old.hidden != new.hidden:
        text = f"is {'hidden' if new.hidden else 'no longer hidden'} in lists of actions."
        yield place.at("hidden").note("hidden-changed", text)
    yield from _batching(old.batching, new.batching, place)
    yield from _sync_mode(old.sync_mode, new.sync_mode, place.at("syncMode"))
    yield from _matching_keys(old, new, place.at("matchingKeys"))
    yield from table_changes(old.fields, new.fields, FieldRole.MAPPED, place.at("fields"))
    yield from _rules(old, new, place.at("rules"))
    yield from _hooks(old, new, place.at("hooks"))
    extra = [{k: v for k, v in one.extra.items() if k != "hooks"} for one in (old, new)]
    if extra[0] != extra[1]:
        yield place.note("option-changed", f"differs in {different_keys(*extra)}.")


def _matching_keys(old: Action, new: Action, place: ManifestPlace) -> Iterator[DefinitionChange]:
    """Yield changes of the fields that may identify records; without any, all of them may."""
    before, after = set(old.matching_keys), set(new.matching_keys)
    if before == after:
        return
    shown = ", ".join(f"`{key}`" for key in new.matching_keys)
    if after and (not before or before - after):
        yield place.breaking("matching-keys-changed", f"allows only {shown} now.")
    else:
        yield place.compatible("matching-keys-changed", f"allows {shown or 'any field'}.")


def _rules(old: Action, new: Action, place: ManifestPlace) -> Iterator[DefinitionChange]:
    for rule in new.rules:
        if rule not in old.rules:
            yield place.breaking("rule-changed", f"has a new rule: {rule.text}")
    for rule in old.rules:
        if rule not in new.rules:
            yield place.compatible("rule-changed", f"no longer has the rule: {rule.text}")


def _hooks(old: Action, new: Action, place: ManifestPlace) -> Iterator[DefinitionChange]:
    """Yield changes of the hooks of saved mappings, as they are in a manifest."""
    before, after = (_hooks_of(one) for one in (old, new))
    for kind, hook in before.items():
        here = place.at(kind)
        if kind not in after:
            yield here.breaking("hook-removed", "is no longer a hook.")
            continue
        now = after[kind]
        one, other = (_table(each.get("inputFields")) for each in (hook, now))
        changes = [*table_changes(one, other, FieldRole.INPUT, here.at("inputFields"))]
        yield from changes
        rest = [{k: v for k, v in each.items() if k != "inputFields"} for each in (hook, now)]
        if rest[0] != rest[1] or (hook != now and not changes):
            yield here.note("hook-changed", "is another hook.")
    for kind in after:
        if kind not in before:
            yield place.at(kind).note("hook-added", "is a new hook.")


def _hooks_of(action: Action) -> dict[str, dict[str, Any]]:
    document: Any = to_manifest(Destination(slug="x", name="x", actions=[action]))
    found = document["actions"][action.slug].get("hooks")
    if not isinstance(found, dict):
        return {}
    return {kind: hook for kind, hook in found.items() if isinstance(hook, dict)}


def _table(document: Any) -> FieldTable:
    """Return a table of fields in a manifest, as far as it can be read."""
    action = {"title": "x", "fields": document}
    reading = read_manifest({"slug": "x", "name": "x", "actions": {"x": action}})
    return reading.destination.action("x").fields if reading.destination else {}


def _trigger(old: str | None, new: str | None, place: ManifestPlace) -> Iterator[DefinitionChange]:
    if old == new:
        return
    if new is None:
        text = "is missing: subscriptions without a trigger of their own are refused."
        yield place.breaking("trigger-changed", text)
    elif old is None:
        yield place.compatible("trigger-changed", "is a default trigger; there was none.")
    elif parse(old) == parse(new):
        yield place.compatible("text-changed", "is the same trigger in other words.")
    else:
        text = f"is `{new}`, before `{old}`: subscriptions without a trigger of their own change."
        yield place.breaking("trigger-changed", text)


def _batching(
    old: Batching | None, new: Batching | None, place: ManifestPlace
) -> Iterator[DefinitionChange]:
    if old is None or new is None:
        if old is not new:
            text = "are sent in batches now." if old is None else "are no longer sent in batches."
            yield place.note("batching-changed", f"has events that {text}")
        return
    before, after = old.to_json(), new.to_json()
    if before != after:
        text = f"has other rules for batches: {different_keys(before, after)}."
        yield place.note("batching-changed", text)


def _sync_mode(
    old: SyncMode | None, new: SyncMode | None, place: ManifestPlace
) -> Iterator[DefinitionChange]:
    if old is None or new is None:
        if new is not None:
            yield place.note("sync-mode-changed", f"is new, by default `{new.default}`.")
        elif old is not None:
            yield place.breaking("sync-mode-changed", "is no longer supported.")
        return
    removed = [f"`{choice}`" for choice in old.choices if choice not in new.choices]
    added = [f"`{choice}`" for choice in new.choices if choice not in old.choices]
    if removed:
        text = f"no longer has {', '.join(removed)}."
        yield place.at("choices").breaking("sync-mode-changed", text)
    if added:
        yield place.at("choices").compatible("sync-mode-changed", f"also has {', '.join(added)}.")
    if old.default != new.default:
        text = f"is `{new.default}`, before `{old.default}`."
        yield place.at("default").note("sync-mode-changed", text)
    for key in ("label", "description"):
        if getattr(old, key) != getattr(new, key):
            yield place.at(key).compatible("text-changed", "is another text.")


def _presets(old: Destination, new: Destination) -> Iterator[DefinitionChange]:
    """Yield changes of presets, which concern new connections only."""
    place = _ROOT.at("presets")
    before, after = ({_key(preset): preset for preset in one.presets} for one in (old, new))
    for key, preset in before.items():
        if key not in after:
            yield place.note("preset-changed", f"no longer has {_named(preset)}.")
        elif _different(preset, after[key]):
            yield place.note("preset-changed", f"has another {_named(preset)}.")
    for key, preset in after.items():
        if key not in before:
            yield place.note("preset-changed", f"has the new {_named(preset)}.")


def _key(preset: Preset) -> tuple[str, str]:
    return preset.name, preset.action


def _named(preset: Preset) -> str:
    return f"preset `{preset.name}` of `{preset.action}`"


def _different(old: Preset, new: Preset) -> bool:
    return old != new or _text(old.mapping) != _text(new.mapping)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _rates(old: Destination, new: Destination) -> Iterator[DefinitionChange]:
    if old.rate != new.rate:
        shown = [_limit(one.rate) if one.rate else "none" for one in (old, new)]
        yield _ROOT.at("rate").note("rate-changed", f"is {shown[1]}, before {shown[0]}.")
    limits = [_limits(one) for one in (old, new)]
    if limits[0] != limits[1]:
        text = f"are {limits[1]}, before {limits[0]}."
        yield _ROOT.at("rates").note("rate-changed", text)


def _limits(destination: Destination) -> str:
    if callable(destination.rates):
        return "those of the settings"
    return "; ".join(map(_limit, destination.rates)) or "none"


def _limit(rate: Rate) -> str:
    limit = f"{rate.calls:,} calls in {rate.seconds:g} s"
    if rate.endpoint:
        limit += f" to `{rate.endpoint}`"
    if rate.concurrency:
        limit += f", {rate.concurrency:,} at one time"
    return f"{limit} for equal {', '.join(rate.scope)}" if rate.scope else limit
