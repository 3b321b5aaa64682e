"""Read and write the wire form of a definition: Segment's `metadata.json` with extensions.

The extensions are six optional keys: `rate`, `rates`, an action's `batching`, and a field's
`pattern`, `secret` and `hashed`. Keys without a meaning here (hooks, audience configuration, future
keys) are kept.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING as REQUIRED
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar, get_args

from framework.definition.batch_rules import Batching, Coalesce
from framework.definition.destination import (
    Action,
    AuthScheme,
    Destination,
)
from framework.definition.field_json import IN_ACTIONS, IN_SETTINGS, read_table, table_to_wire
from framework.definition.field_rules import RULES, FieldRule
from framework.definition.fields import Field, FieldTable
from framework.definition.json_io import (
    MAX_DEPTH,
    JsonPointer,
    display_of,
    is_a,
    is_shallow,
    read_each,
    read_flag,
    read_text,
    read_word,
    residue,
    restore,
    sentences,
)
from framework.definition.mapping_hooks import MappingHook
from framework.definition.migration_json import migrations_to_json, read_migrations
from framework.definition.presets import Preset, PresetKind
from framework.definition.rates import (
    RATES_BY_SETTINGS,
    Rate,
    RatesOfSettings,
    unknown_rates,
)
from framework.definition.subscriptions import INTERNAL
from framework.definition.sync_modes import SYNC_MODES, SyncMode
from framework.definition.typed_classes import fields_of
from framework.errors import DefinitionError, FrameworkError
from framework.mapping import check_mapping_shape
from framework.paths import JSON, MISSING
from framework.triggers import parse

T = TypeVar("T", Destination, Action, Preset)
N = TypeVar("N", Batching, Rate)


@dataclass(frozen=True)
class ManifestReading:
    """The result of reading a manifest; *destination* is None for an unusable document.

    *errors* make the document invalid; *warnings* name parts that were left out of a usable
    document: invalid default triggers and mappings, presets for actions that do not exist, unknown
    words. Each is a sentence that begins with its path.
    """

    destination: Destination | None
    errors: tuple[str, ...]
    warnings: tuple[str, ...]


def from_manifest(document: JSON) -> Destination:
    """Return the destination that a manifest describes; raises DefinitionError with every error.

    `read_manifest` also reports the parts that were left out. `to_manifest` restores the same
    document, including keys without a meaning here.
    """
    reading = read_manifest(document)
    if reading.errors or reading.destination is None:
        raise DefinitionError("\n".join(reading.errors), reading.errors)
    return reading.destination


def read_manifest(document: JSON) -> ManifestReading:
    """Return the destination that a manifest describes, as far as usable, and all problems."""
    root = JsonPointer("", [], [])
    destination = None
    if not is_shallow(document):
        root.error(f"is nested more than {MAX_DEPTH} levels deep.")
    elif is_a(dict, document, root):
        destination = _read_destination(copy.deepcopy(document), root)
    return ManifestReading(destination, sentences(root.errors), sentences(root.warnings))


def to_manifest(destination: Destination) -> dict[str, JSON]:
    """Return a destination as a manifest, with null for absent values as in Segment's manifests."""
    return copy.deepcopy(_write_destination(destination))


def _read_destination(document: dict[str, JSON], root: JsonPointer) -> Destination | None:
    scheme, settings, rules = _read_authentication(document.get("authentication"), root)
    actions = tuple(_read_actions(document.get("actions"), root.at("actions")))
    slug = _required_text(document, "slug", root)
    options = {
        "slug": slug,
        "name": _required_text(document, "name", root) or slug,
        "description": _text(document, "description", root),
        "mode": _text(document, "mode", root) or "cloud",
        "scheme": scheme,
        "settings": settings,
        "settings_rules": rules,
        "actions": actions,
        "presets": tuple(_read_presets(document.get("presets"), actions, root.at("presets"))),
        "rate": _read_rate(document.get("rate"), settings, root.at("rate")),
        "rates": _read_rates(document.get("rates"), settings, root.at("rates")),
    }
    return _build(Destination, options, document, root) if slug else None


def _write_destination(destination: Destination) -> dict[str, JSON]:
    table, audience = table_to_wire(destination.settings_fields, IN_SETTINGS), destination.audience
    authentication: dict[str, JSON] = {"scheme": destination.scheme, "fields": table}
    written: dict[str, JSON] = {
        "slug": destination.slug,
        "name": destination.name,
        "mode": destination.mode,
        "description": destination.description,
        "authentication": authentication,
        "audienceConfig": None if audience is None else audience.to_json(),
        "actions": {action.slug: _write_action(action) for action in destination.actions},
        "presets": [_write_preset(preset) for preset in destination.presets],
    }
    if not destination.description:
        del written["description"]
    if destination.settings_rules:
        rules = [rule.to_json() for rule in destination.settings_rules]
        written["authentication"] = {**authentication, "rules": rules}
    if audience and fields_of(audience.settings):
        written["audienceFields"] = table_to_wire(fields_of(audience.settings), IN_SETTINGS)
    if destination.rate:
        written["rate"] = _write_rate(destination.rate)
    if callable(destination.rates):
        written["rates"] = RATES_BY_SETTINGS
    elif destination.rates:
        written["rates"] = [_write_rate(rate) for rate in destination.rates]
    return restore(written, destination.extra)


def _read_authentication(
    value: JSON, root: JsonPointer
) -> tuple[AuthScheme, dict[str, Field], tuple[FieldRule, ...]]:
    place = root.at("authentication")
    if value is None or not is_a(dict, value, place):
        return "none", {}, ()
    scheme = read_word(get_args(AuthScheme))(value.get("scheme"), place.at("scheme"))
    table = read_table(value.get("fields"), place.at("fields"), IN_SETTINGS)
    return scheme or "custom", table, _read_rules(value.get("rules"), table, place.at("rules"))


def _read_actions(value: JSON, place: JsonPointer) -> list[Action]:
    if value is None or not is_a(dict, value, place):
        return []
    found = [_read_action(slug, action, place.at(slug)) for slug, action in value.items()]
    return [action for action in found if action is not None]


def _read_action(slug: str, document: JSON, place: JsonPointer) -> Action | None:
    if not is_a(dict, document, place):
        return None
    table = read_table(document.get("fields"), place.at("fields"), IN_ACTIONS)
    return _build(
        Action,
        {
            "slug": slug,
            "title": _required_text(document, "title", place) or slug,
            "description": _text(document, "description", place),
            "trigger": _read_trigger(document, "defaultSubscription", place),
            "payload": table,
            "batching": _read_batching(document, table, place),
            "sync_mode": _read_sync_mode(document.get("syncMode"), place.at("syncMode")),
            "hidden": read_flag(document.get("hidden"), place.at("hidden")) is True,
            "platform": _text(document, "platform", place) or "cloud",
            "matching_keys": _read_keys(document.get("matchingKeys"), table, place),
            "rules": _read_rules(document.get("rules"), table, place.at("rules")),
            "migrations": read_migrations(document.get("migrations"), place.at("migrations")),
        },
        document,
        place,
    )


def _write_action(action: Action) -> dict[str, JSON]:
    batching = action.batching
    written: dict[str, JSON] = {
        "title": action.title,
        "description": action.description,
        "platform": action.platform,
        "defaultSubscription": action.trigger,
        "hidden": action.hidden,
        "hasPerformBatch": batching is not None,
        "syncMode": action.sync_mode and _write_sync_mode(action.sync_mode),
        "hooks": {one.kind: _write_hook(one) for one in action.hooks} or None,
        "fields": table_to_wire(action.fields, IN_ACTIONS),
    }
    if action.matching_keys:
        written["matchingKeys"] = list(action.matching_keys)
    if action.rules:
        written["rules"] = [rule.to_json() for rule in action.rules]
    if action.migrations:
        written["migrations"] = migrations_to_json(action.migrations)
    if batching is not None and batching != _declared_batching(action.fields):
        written["batching"] = batching.to_json()
    return restore(written, action.extra)


def _write_hook(hook: MappingHook) -> dict[str, JSON]:
    return {
        "label": hook.label,
        "description": hook.description,
        "inputFields": table_to_wire(fields_of(hook.inputs), IN_ACTIONS),
        "outputTypes": table_to_wire(fields_of(hook.outputs), IN_ACTIONS),
    }


def _read_keys(value: JSON, table: FieldTable, place: JsonPointer) -> tuple[str, ...]:
    found = read_each(read_word(table))(value, place.at("matchingKeys"))
    return tuple(key for key in found or () if key)


def _read_rules(value: JSON, table: FieldTable, place: JsonPointer) -> tuple[FieldRule, ...]:
    if value is None or not is_a(list, value, place):
        return ()
    found = []
    for index, one in enumerate(value):
        at = place.at(index)
        if not is_a(dict, one, at) or len(one) != 1 or next(iter(one)) not in RULES:
            at.error(f"must be an object with one of the keys {', '.join(RULES)}.")
            continue
        ((kind, keys),) = one.items()
        known = read_each(read_word(table))(keys, at.at(kind)) or ()
        chosen = tuple(dict.fromkeys(key for key in known if key))
        if len(chosen) < 2:
            at.error("needs two different fields or more.")
            continue
        found.append(RULES[kind](*chosen))
    return tuple(found)


def _read_batching(
    document: dict[str, JSON], table: FieldTable, place: JsonPointer
) -> Batching | None:
    batches = read_flag(document.get("hasPerformBatch"), place.at("hasPerformBatch"))
    if "batching" in document:
        return _read_own_batching(document["batching"], table, place.at("batching"))
    return _declared_batching(table) if batches is True else None


def _declared_batching(table: FieldTable) -> Batching:
    """Return the rules that Segment keeps in the defaults of fields with fixed names."""
    defaults = {key: table[key].default for key in table if key.startswith("batch_")}
    limits = {
        name: defaults[key]
        for key, name in (("batch_size", "max_size"), ("batch_bytes", "max_bytes"))
        if type(defaults.get(key)) is int and defaults[key] > 0
    }
    keys = defaults.get("batch_keys")
    known = isinstance(keys, list) and all(isinstance(key, str) and key in table for key in keys)
    return Batching(keys=tuple(keys) if known and keys else (), **limits)


def _read_own_batching(value: JSON, table: FieldTable, place: JsonPointer) -> Batching | None:
    if value is None or not is_a(dict, value, place):
        return None
    keys, order_keys = (
        read_each(read_word(table))(value.get(name), place.at(name))
        for name in ("keys", "order_keys")
    )
    found = _read_numbers(Batching, value, place)
    if found is None:
        return None
    lane = _text(value, "lane", place)
    # A document holds no functions, so the rows of `merge` are all sent.
    word = read_word(get_args(Coalesce))(value.get("coalesce"), place.at("coalesce"))
    coalesce: Any = "none" if word in {None, MISSING, "merge"} else word
    return replace(
        found,
        keys=tuple(key for key in keys or () if key),
        order_keys=tuple(key for key in order_keys or () if key),
        lane=lane,
        coalesce=coalesce,
    )


def _read_rate(value: JSON, settings: Mapping[str, Field], place: JsonPointer) -> Rate | None:
    found = _read_numbers(Rate, value, place)
    if found is None or not isinstance(value, dict):
        return None
    key = "account" if "account" in value else "scope"  # its former name
    scope = read_each(read_word(settings))(value.get(key), place.at(key))
    number = value.get("concurrency")
    if number is not None and (type(number) is not int or number < 1):
        place.at("concurrency").error(f"must be a positive whole number, got {display_of(number)}.")
        number = None
    return replace(
        found,
        scope=tuple(key for key in scope or () if key),
        concurrency=number,
        endpoint=_text(value, "endpoint", place),
    )


def _read_rates(
    value: JSON, settings: Mapping[str, Field], place: JsonPointer
) -> Sequence[Rate] | RatesOfSettings:
    if value == RATES_BY_SETTINGS:
        return unknown_rates
    found = read_each(lambda one, at: _read_rate(one, settings, at))(value, place)
    return tuple(rate for rate in found or () if rate)


def _write_rate(rate: Rate) -> dict[str, JSON]:
    written: dict[str, JSON] = {"calls": rate.calls, "seconds": rate.seconds}
    if rate.endpoint:
        written["endpoint"] = rate.endpoint
    if rate.concurrency:
        written["concurrency"] = rate.concurrency
    if rate.scope:
        written["scope"] = [*rate.scope]
    return written


def _read_numbers(cls: type[N], value: JSON, place: JsonPointer) -> N | None:
    """Read a dataclass of positive numbers; None if it is absent or invalid."""
    if value is None or not is_a(dict, value, place):
        return None
    found, wrong = {}, False
    for entry in fields(cls):
        if entry.type in _NUMBERS and (entry.name in value or entry.default is REQUIRED):
            found[entry.name] = number = value.get(entry.name)
            if type(number) not in _NUMBERS[entry.type] or not 0 < number < math.inf:
                wrong = True
                text = f"must be a positive {_NAMES[entry.type]}, got {display_of(number)}."
                place.at(entry.name).error(text)
    return None if wrong else cls(**found)


def _read_sync_mode(value: JSON, place: JsonPointer) -> SyncMode | None:
    if value is None or not is_a(dict, value, place):
        return None
    default = read_word(SYNC_MODES)(value.get("default"), place.at("default"))
    choices = read_each(_read_mode)(value.get("choices"), place.at("choices"))
    label, description = (_text(value, key, place) for key in ("label", "description"))
    if not default or not choices:
        place.warn("has no default or no usable choices and is left out.")
        return None
    return SyncMode(label=label, description=description, default=default, choices=choices)


def _read_mode(value: JSON, place: JsonPointer) -> Any:
    mode = value.get("value") if isinstance(value, dict) else value
    return read_word(SYNC_MODES)(mode, place) or MISSING


def _write_sync_mode(mode: SyncMode) -> dict[str, JSON]:
    return {
        "default": mode.default,
        "label": mode.label,
        "description": mode.description,
        "choices": [{"value": value, "label": value.capitalize()} for value in mode.choices],
    }


def _read_presets(value: JSON, actions: tuple[Action, ...], place: JsonPointer) -> list[Preset]:
    if value is None or not is_a(list, value, place):
        return []
    known = {action.slug: action for action in actions}
    found = [_read_preset(preset, known, place.at(index)) for index, preset in enumerate(value)]
    return [preset for preset in found if preset is not None]


def _read_preset(document: JSON, known: Mapping[str, Action], place: JsonPointer) -> Preset | None:
    if not is_a(dict, document, place):
        return None
    name = _required_text(document, "name", place)
    action = read_word(known)(document.get("partnerAction"), place.at("partnerAction"))
    kind = read_word(get_args(PresetKind))(document.get("type"), place.at("type"))
    if not action or kind is MISSING:
        place.warn("is not a preset of a known action and is left out.")
        return None
    mapping = _read_mapping(document.get("mapping"), known[action], place.at("mapping"))
    options = {
        "name": name,
        "action": action,
        "trigger": _read_trigger(document, "subscribe", place),
        "mapping": mapping,
        "kind": kind or "automatic",
        "event_slug": _text(document, "eventSlug", place) or None,
    }
    return _build(Preset, options, document, place)


def _write_preset(preset: Preset) -> dict[str, JSON]:
    written: dict[str, JSON] = {
        "name": preset.name,
        "type": preset.kind,
        "partnerAction": preset.action,
        "subscribe": preset.trigger,
        "mapping": dict(preset.mapping),
        "eventSlug": preset.event_slug,
    }
    unused = "eventSlug" if preset.kind == "automatic" else "subscribe"
    if written[unused] is None:
        del written[unused]
    return restore(written, preset.extra)


def _read_mapping(value: JSON, action: Action, place: JsonPointer) -> dict[str, JSON]:
    if value is None or not is_a(dict, value, place):
        return {}
    found = {}
    for key, member in value.items():
        problems = check_mapping_shape({key: member})
        if key not in action.fields and not key.startswith(INTERNAL):
            problems = [f"`{action.slug}` has no such field."]
        for problem in problems:
            place.at(key).warn(f"is left out of the mapping. {problem}")
        if not problems:
            found[key] = member
    return found


def _read_trigger(document: Mapping[str, JSON], key: str, place: JsonPointer) -> str | None:
    trigger = _text(document, key, place)
    if not trigger:
        return None
    try:
        parse(trigger)
    except FrameworkError as error:
        place.at(key).warn(f"is not a valid trigger and is left out. {error}")
        return None
    return trigger


def _text(document: Mapping[str, JSON], key: str, place: JsonPointer) -> str:
    return read_text(document.get(key), place.at(key)) or ""


def _required_text(document: Mapping[str, JSON], key: str, place: JsonPointer) -> str:
    value = _text(document, key, place)
    if not document.get(key):
        place.at(key).error("is required.")
    return value


def _build(
    cls: type[T], options: dict[str, Any], document: dict[str, JSON], place: JsonPointer
) -> T | None:
    """Construct the object with unknown content in `extra`; note its problems and return None."""
    try:
        built = cls(**options)
    except DefinitionError as error:
        for problem in error.problems:
            place.error(f"is left out. {problem}")
        return None
    return replace(built, extra=residue(_WRITERS[cls](built), document))


_WRITERS: Mapping[type[Any], Callable[[Any], dict[str, JSON]]] = {
    Destination: _write_destination,
    Action: _write_action,
    Preset: _write_preset,
}
_NUMBERS: Mapping[Any, tuple[type, ...]] = {"int": (int,), "float": (int, float)}
_NAMES: Mapping[Any, str] = {"int": "whole number", "float": "number"}
