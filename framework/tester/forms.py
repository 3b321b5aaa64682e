"""Definitions for the page: forms of fields, actions, and the subscriptions of a new connection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from framework.definition import (
    Action,
    Destination,
    Field,
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
        "rate": rate and {"calls": rate.calls, "seconds": rate.seconds},
        "settings": _form(definition.settings_fields, manifest["authentication"]["fields"]),
        "actions": [
            _action(action, manifest["actions"][action.slug]["fields"])
            for action in definition.actions
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
        "fields": _form(action.fields, written),
    }


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
