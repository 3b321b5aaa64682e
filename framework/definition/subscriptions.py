"""The wire forms of a subscription, and the subscriptions of presets.

The engine's form names the action `partnerAction`, the trigger `subscribe` and the mapping
`mapping`; Segment's public configuration API names them `actionSlug`, `trigger` and `settings`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from framework.definition.destination import Action, Destination, Subscription
from framework.definition.json_io import (
    MAX_DEPTH,
    JsonPointer,
    WireReader,
    display_of,
    is_a,
    is_shallow,
    read_flag,
    read_text,
    sentences,
)
from framework.definition.presets import Preset
from framework.errors import ConfigurationError
from framework.paths import JSON, MISSING

MAPPING_VERSION = "mappingVersion"
"""The key of a subscription's mapping version, in every form."""

INTERNAL: Final = "__segment_internal_"
"""The prefix of keys in a mapping that are for the framework, not for a field."""

CONTROLS: Final = frozenset(
    {"batch_bytes", "batch_keys", "batch_size", "dynamicAuthSettings", "enable_batching",
     "onMappingSave", "retlOnMappingSave"}
)  # fmt: skip
"""Other keys of a mapping that are not fields: Segment adds them whatever an action declares."""

_OF_ROWS = {"sync_mode": "syncMode", "matching_key": "matchingKey"}
ENGINE = {
    "action": "partnerAction",
    "trigger": "subscribe",
    "mapping": "mapping",
    **_OF_ROWS,
    "mapping_version": MAPPING_VERSION,
}
PUBLIC_API = {**ENGINE, "action": "actionSlug", "trigger": "trigger", "mapping": "settings"}


def subscription_from_wire(document: JSON) -> Subscription:
    """Return the subscription that a JSON object describes, in either form.

    Other keys, such as IDs of models, are ignored. Raises ConfigurationError with every problem.
    """
    root = JsonPointer("", [], [])
    options: dict[str, Any] = {}
    if not is_shallow(document):
        root.error(f"is nested more than {MAX_DEPTH} levels deep.")
    elif is_a(dict, document, root):
        options = dict(_read(document, root))
        options["id"] = read_id(document.get("id"))
        if options["action"] == "":
            root.at(ENGINE["action"]).error("is required.")
    if root.errors:
        problems = sentences(root.errors)
        raise ConfigurationError("\n".join(problems), problems)
    return Subscription(**options)


def subscription_to_wire(subscription: Subscription) -> dict[str, JSON]:
    """Return a subscription in the engine's form, which connection files also use."""
    return _write(subscription, ENGINE)


def subscription_to_public_api(subscription: Subscription) -> dict[str, JSON]:
    """Return a subscription in the form of Segment's public configuration API."""
    return _write(subscription, PUBLIC_API)


def unknown_fields(action: Action, mapping: Iterable[str]) -> list[str]:
    """Return the keys of a mapping that are neither fields of *action* nor known otherwise.

    Directives in the place of fields are not among them. A table without fields takes any.
    """
    if not action.fields and not isinstance(action.payload, type):
        return []
    others = {key for key in mapping if key not in action.fields and key not in CONTROLS}
    return sorted(key for key in others if key[:1] != "@" and not key.startswith(INTERNAL))


def preset_subscription(preset: Preset, version: int | None = None) -> Subscription:
    """Return the subscription of a preset; *version* is that of its action's mappings."""
    return Subscription(
        name=preset.name,
        action=preset.action,
        trigger=preset.trigger,
        mapping=copy.deepcopy(dict(preset.mapping)),
        mapping_version=version,
    )


def starting_subscriptions(destination: Destination) -> tuple[Subscription, ...]:
    """Return the subscriptions of a new connection: those of the automatic presets."""
    presets = (preset for preset in destination.presets if preset.kind == "automatic")
    versions = {action.slug: action.mapping_version for action in destination.actions}
    return tuple(preset_subscription(one, versions.get(one.action)) for one in presets)


def _read(document: Mapping[str, JSON], root: JsonPointer) -> Iterator[tuple[str, Any]]:
    for name, read in _READERS.items():
        engine, api = ENGINE.get(name, name), PUBLIC_API.get(name, name)
        key = engine if engine in document else api
        if engine != api and engine in document and api in document:
            root.at(api).error(f"duplicates `/{engine}`. Keep one of them.")
        value = read(document.get(key), root.at(key))
        yield name, (None if value == "" and name in _OPTIONAL else value)


def _write(subscription: Subscription, spelling: Mapping[str, str]) -> dict[str, JSON]:
    written: dict[str, JSON] = {
        **({"id": subscription.id} if subscription.id else {}),
        "name": subscription.name,
        "enabled": subscription.enabled,
        spelling["action"]: subscription.action,
        spelling["mapping"]: copy.deepcopy(dict(subscription.mapping)),
    }
    if subscription.trigger is not None:
        written[spelling["trigger"]] = subscription.trigger
    if subscription.mapping_version is not None:
        written[MAPPING_VERSION] = subscription.mapping_version
    return written


def _read_enabled(value: JSON, place: JsonPointer) -> JSON:
    return True if value is None else read_flag(value, place)


def read_id(value: JSON) -> str:
    """Return the ID of a subscription; empty for anything that is not text."""
    return value if isinstance(value, str) else ""


def read_version(value: JSON) -> int | None:
    """Return a mapping version, or None for null; raises ValueError for anything else."""
    if value is None or (type(value) is int and value > 0):
        return value
    raise ValueError(VERSION_FORM)


VERSION_FORM = "a whole number from 1"


def _read_version(value: JSON, place: JsonPointer) -> JSON:
    try:
        return read_version(value)
    except ValueError:
        place.error(f"must be {VERSION_FORM}, got {display_of(value)}.")
        return MISSING


def _read_mapping(value: JSON, place: JsonPointer) -> JSON:
    if value is None:
        return {}
    return copy.deepcopy(value) if is_a(dict, value, place) else MISSING


_READERS: Mapping[str, WireReader] = {
    "name": read_text,
    "action": read_text,
    "trigger": read_text,
    "mapping": _read_mapping,
    "enabled": _read_enabled,
    "sync_mode": read_text,
    "matching_key": read_text,
    "mapping_version": _read_version,
}
_OPTIONAL = frozenset({"trigger", *_OF_ROWS})
