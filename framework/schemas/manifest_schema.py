"""The schema of a manifest: a destination's definition as the reference publishes it, and ours."""

from __future__ import annotations

from typing import get_args

from framework.definition import (
    SYNC_MODES,
    AuthScheme,
    Category,
    DisplayMode,
    FieldType,
    Format,
    InputMethod,
    ObjectUI,
    PresetKind,
)
from framework.schemas.schema_parts import (
    Schema,
    document,
    listing,
    maybe,
    record,
    reference,
    value,
)


def manifest_schema() -> Schema:
    """Return the schema of what `to_manifest` writes; keys that it does not name are welcome."""
    return document(
        "Destination",
        "A destination's definition: its identity, settings, actions and presets.",
        {
            **_destination(),
            "$defs": {
                "field": _field(),
                "conditions": _conditions(),
                "action": _action(),
                "batching": _batching(),
                "preset": _preset(),
            },
        },
    )


def _destination() -> Schema:
    authentication = record(
        {
            "scheme": _word("How access is given.", get_args(AuthScheme)),
            "fields": _table("The settings by key."),
        },
        ("scheme", "fields"),
        description="Access and settings.",
    )
    rate = record(
        {
            "calls": value("integer", "How many calls.", exclusiveMinimum=0),
            "seconds": value("number", "In how many seconds.", exclusiveMinimum=0),
        },
        ("calls",),
        description="How often the partner may be called.",
    )
    return record(
        {
            "slug": value("string", "The name in configurations.", minLength=1),
            "name": value("string", "The name for people.", minLength=1),
            "mode": value("string", "Where it runs: `cloud`, `device` or `warehouse`."),
            "description": value("string", "What it is for."),
            "authentication": {**authentication, "type": ["object", "null"]},
            "audienceConfig": maybe("object", "How audiences are connected."),
            "actions": value(
                "object", "The actions by slug.", additionalProperties=reference("action")
            ),
            "presets": listing(reference("preset"), "Subscriptions that are made for the user."),
            "rate": rate,
        },
        ("slug", "name", "actions"),
    )


def _action() -> Schema:
    mode = record(
        {
            "default": _word("The mode at first.", SYNC_MODES),
            "label": value("string", "What a form calls it."),
            "description": value("string", "What it is for."),
            "choices": listing(
                record(
                    {
                        "value": _word("The mode.", SYNC_MODES),
                        "label": value("string", "What a form calls it."),
                    },
                    ("value",),
                ),
                "The modes to choose from.",
            ),
        },
        ("default", "choices"),
    )
    properties = {
        "title": value("string", "The name for people."),
        "description": value("string", "What it does."),
        "platform": value("string", "Where it runs: `cloud` or `web`."),
        "defaultSubscription": maybe("string", "The trigger a new subscription starts with."),
        "hidden": value("boolean", "Whether it is left out of catalogues."),
        "hasPerformBatch": value("boolean", "Whether it takes many payloads at once."),
        "syncMode": {
            **mode,
            "type": ["object", "null"],
            "description": "What a warehouse may do with its rows.",
        },
        "hooks": maybe("object", "What happens when a mapping is saved."),
        "fields": _table("The fields by key."),
        "batching": reference("batching", "Rules for grouping payloads into one call."),
    }
    head = {"title": "Action", "description": "One thing that the destination can do."}
    return {**head, **record(properties, ("title", "fields"))}


def _batching() -> Schema:
    head = {"title": "Batching", "description": "Rules for grouping payloads into one call."}
    positive = {"exclusiveMinimum": 0}
    return {
        **head,
        **record(
            {
                "keys": listing({"type": "string"}, "Fields in which a batch agrees."),
                "max_size": value("integer", "How many payloads at most.", **positive),
                "max_bytes": value("integer", "How many bytes of JSON at most.", **positive),
                "max_age": value("number", "How many seconds to wait at most.", **positive),
                "lane": value("string", "Actions of one lane change the same things."),
            }
        ),
    }


def _preset() -> Schema:
    properties = {
        "name": value("string", "The name of the subscription."),
        "type": _word("When it is made.", get_args(PresetKind)),
        "partnerAction": value("string", "The action's slug."),
        "subscribe": maybe("string", "The trigger."),
        "eventSlug": value("string", "The host's event that makes it."),
        "mapping": value("object", "What goes into each field."),
    }
    head = {"title": "Preset", "description": "A subscription that is made for the user."}
    return {**head, **record(properties, ("name", "partnerAction"))}


def _field() -> Schema:
    choice = record(
        {
            "label": value("string", "What a form shows."),
            "value": {"description": "The value."},
            "description": value("string", "What it means."),
        },
        ("value",),
    )
    switches = {
        "multiple": "Whether it is a list.",
        "allowNull": "Whether null is a value.",
        "dynamic": "Whether the partner is asked for choices.",
        "readOnly": "Whether a form lets it be changed.",
        "hidden": "Whether a form leaves it out.",
        "additionalProperties": "Whether an object may hold other keys.",
        "secret": "Whether it is hidden wherever it would be shown.",
    }
    words = {
        "category": ("What kind of data it is.", get_args(Category)),
        "defaultObjectUI": ("How a form shows an object.", get_args(ObjectUI)),
        "displayMode": ("How much of it a form shows.", get_args(DisplayMode)),
        "format": ("How text must look.", get_args(Format)),
    }
    limits = {"minimum": "The least number or length.", "maximum": "The greatest one."}
    method = _word("A way to fill it in.", get_args(InputMethod))
    return {
        "title": "Field",
        "description": "One named input.",
        **record(
            {
                "label": value("string", "What a form calls it."),
                "description": value("string", "What it is for."),
                "type": _word("What it holds.", get_args(FieldType)),
                "required": {
                    "description": "Whether it is needed, or when.",
                    "anyOf": [{"type": "boolean"}, reference("conditions")],
                },
                **{key: maybe("boolean", text) for key, text in switches.items()},
                "default": {"description": "The value or mapping that it starts with."},
                "choices": {**listing(choice, "The values to choose from."), **_OR_LIST},
                "placeholder": maybe("string", "What a form shows while it is empty."),
                "properties": _table("The fields of an object by key."),
                "depends_on": {
                    "description": "When a form shows it.",
                    "anyOf": [reference("conditions"), {"type": "null"}],
                },
                **{key: maybe("number", text) for key, text in limits.items()},
                **{
                    key: {"description": text, "enum": [*options, None]}
                    for key, (text, options) in words.items()
                },
                "disabledInputMethods": {
                    **listing(method, "Ways that a form does not offer."),
                    **_OR_LIST,
                },
                "pattern": maybe("string", "A regular expression that text must match."),
            },
            ("type",),
        ),
    }


_OR_LIST = {"type": ["array", "null"]}


def _conditions() -> Schema:
    condition = record(
        {
            "fieldKey": value("string", "The field's key, with dots into objects."),
            "type": _word("What it is about.", ("field", "syncMode")),
            "operator": _word("How it is compared.", ("is", "is_not")),
            "value": {"description": "With what: a value, or a list of which one must do."},
        },
        ("operator",),
    )
    properties = {
        "match": _word("Whether all must hold or one.", ("all", "any")),
        "conditions": listing(condition, "The statements."),
    }
    head = {"title": "Conditions", "description": "Statements about other fields."}
    return {**head, **record(properties, ("conditions",))}


def _table(description: str) -> Schema:
    return maybe("object", description, additionalProperties=reference("field"))


def _word(description: str, words: tuple[str, ...]) -> Schema:
    return {"description": description, "enum": list(words)}
