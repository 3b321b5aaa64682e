"""Definitions for the page: forms of fields, actions, and the subscriptions of a new connection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from framework.definition import (
    Action,
    Audiences,
    Destination,
    Field,
    MappingHook,
    SyncMode,
    fields_of,
    starting_subscriptions,
    subscription_to_wire,
    to_manifest,
)
from framework.paths import JSON
from framework.plugins import Plugin


def definition_to_json(plugin: Plugin) -> dict[str, JSON]:
    """Return a destination's definition with its forms."""
    definition = plugin.definition
    rate = definition.rate
    manifest = to_manifest(definition)
    return {
        "slug": definition.slug,
        "name": definition.name,
        "description": definition.description,
        "hasSandbox": plugin.implements("sandbox"),
        "checksAuthentication": plugin.implements("check_authentication"),
        "deletesUsers": plugin.implements("delete_users"),
        "rate": rate and {"calls": rate.calls, "seconds": rate.seconds},
        "settings": _form(definition.settings_fields, manifest["authentication"]["fields"]),
        "settingsRules": [rule.text for rule in definition.settings_rules],
        "dynamicSettings": list(definition.dynamic_settings),
        "audience": _audience(definition.audience, manifest.get("audienceFields") or {}),
        "actions": [
            _action(action, manifest["actions"][action.slug]) for action in definition.actions
        ],
        "subscriptions": starting(definition),
        "manifest": manifest,
    }


def starting(definition: Destination) -> list[dict[str, JSON]]:
    """Return the subscriptions of a new connection, with trigger and mapping in full."""
    found = []
    for subscription in starting_subscriptions(definition):
        action = definition.action(subscription.action)
        told = subscription_to_wire(subscription)
        told["mapping"] = {**action.default_mapping, **subscription.mapping}
        told["subscribe"] = subscription.trigger or action.trigger
        found.append(told)
    return found


def _action(action: Action, written: Mapping[str, Any]) -> dict[str, JSON]:
    batching = action.batching
    return {
        "slug": action.slug,
        "title": action.title,
        "description": action.description,
        "trigger": action.trigger,
        "mapping": action.default_mapping,
        "batching": batching and batching.to_json(),
        "hidden": action.hidden,
        "mappingVersion": action.mapping_version,
        "fields": _form(action.fields, written["fields"]),
        "dynamic": list(action.dynamic),
        "rules": [rule.text for rule in action.rules],
        "syncMode": _sync_mode(action.sync_mode),
        "matchingKeys": list(action.matching_keys or (action.fields if action.sync_mode else ())),
        "hooks": [_hook(one, written["hooks"][one.kind]) for one in action.hooks],
    }


def _sync_mode(mode: SyncMode | None) -> JSON:
    if mode is None:
        return None
    return {
        "label": mode.label,
        "description": mode.description,
        "default": mode.default,
        "choices": list(mode.choices),
    }


def _hook(hook: MappingHook, written: Mapping[str, Any]) -> dict[str, JSON]:
    return {
        "kind": hook.kind,
        "label": hook.label,
        "description": hook.description,
        "required": hook.required,
        "inputs": _form(fields_of(hook.inputs), written["inputFields"]),
        "outputs": _form(fields_of(hook.outputs), written["outputTypes"]),
        "dynamic": list(hook.dynamic),
    }


def _audience(rules: Audiences | None, written: Mapping[str, Any]) -> JSON:
    if rules is None:
        return None
    return {"settings": _form(fields_of(rules.settings), written), "canGet": rules.get is not None}


def _form(fields: Mapping[str, Field], written: Mapping[str, Any]) -> list[JSON]:
    """Return a form: one entry for each field; *written* is the table's wire form."""
    return [_entry(key, field, written[key]) for key, field in fields.items()]


def _entry(key: str, field: Field, written: Mapping[str, Any]) -> dict[str, JSON]:
    inner = field.properties
    return {
        "key": key,
        "label": field.label or key,
        "description": field.description,
        "type": field.type,
        "required": written.get("required", False),
        "multiple": field.multiple,
        "secret": field.secret,
        "default": None if field.secret else field.default,
        "mapping": field.mapping,
        "choices": [
            {"value": one.value, "label": one.label or str(one.value)} for one in field.choices
        ],
        "placeholder": field.placeholder,
        "category": field.category,
        "dynamic": field.dynamic,
        "readOnly": field.read_only,
        "hidden": field.hidden,
        "displayMode": field.display_mode,
        "properties": None if inner is None else _form(inner, written.get("properties") or {}),
    }
