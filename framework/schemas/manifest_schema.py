"""The schema of a manifest: a destination definition, in Segment's form with additions."""

from __future__ import annotations

from typing import get_args

from framework.definition import (
    RATES_BY_SETTINGS,
    SYNC_MODES,
    AuthScheme,
    Category,
    Coalesce,
    DisplayMode,
    FieldType,
    Format,
    InputMethod,
    ObjectUI,
    PresetKind,
)
from framework.normalize import METHODS
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
    """Return the JSON Schema of manifests that `to_manifest` returns; it allows additional keys."""
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
            "scheme": _word("The authentication scheme.", get_args(AuthScheme)),
            "fields": _table("The settings, by key."),
            "rules": _rules(),
        },
        ("scheme", "fields"),
        description="Authentication and settings.",
    )
    rate = record(
        {
            "calls": value("integer", "Maximum number of requests.", exclusiveMinimum=0),
            "seconds": value("number", "Length of the time window in seconds.", exclusiveMinimum=0),
            "endpoint": value("string", "Method and path of the requests that count, else all."),
            "concurrency": value(
                "integer", "Maximum number of requests at one time.", exclusiveMinimum=0
            ),
            "scope": _scope(),
            "account": _scope(),
        },
        ("calls",),
        description="A rate limit of the partner's.",
    )
    rates = {
        "description": "Further rate limits, which apply together.",
        "anyOf": [
            listing(rate, "The limits."),
            value("string", "They depend on the settings.", const=RATES_BY_SETTINGS),
        ],
    }
    return record(
        {
            "slug": value(
                "string", "The name in configurations, as in `destination: SLUG`.", minLength=1
            ),
            "name": value("string", "The display name.", minLength=1),
            "mode": value("string", "The connection mode: `cloud`, `device` or `warehouse`."),
            "description": value("string", "What the destination is for."),
            "authentication": {**authentication, "type": ["object", "null"]},
            "audienceConfig": maybe("object", "The configuration of audiences."),
            "actions": value(
                "object", "The actions, by slug.", additionalProperties=reference("action")
            ),
            "presets": listing(reference("preset"), "Subscriptions that are created for the user."),
            "rate": rate,
            "rates": rates,
        },
        ("slug", "name", "actions"),
    )


def _scope() -> Schema:
    return listing(
        value("string", "The key of a setting."),
        "The settings that say whose limit it is; connections that agree in them share it.",
    )


def _rules() -> Schema:
    return listing(
        {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "properties": {kind: _keys(text) for kind, text in _RULES.items()},
            "additionalProperties": False,
        },
        "Which fields need a value together.",
    )


def _action() -> Schema:
    mode = record(
        {
            "default": _word("The default mode.", SYNC_MODES),
            "label": value("string", "The label in forms."),
            "description": value("string", "The description in forms."),
            "choices": listing(
                record(
                    {
                        "value": _word("The mode.", SYNC_MODES),
                        "label": value("string", "The label in forms."),
                    },
                    ("value",),
                ),
                "The available modes.",
            ),
        },
        ("default", "choices"),
    )
    properties = {
        "title": value("string", "The display name."),
        "description": value("string", "What the action does."),
        "platform": value("string", "Where the action runs: `cloud` or `web`."),
        "defaultSubscription": maybe("string", "The trigger of new subscriptions."),
        "hidden": value("boolean", "Whether catalogs omit the action."),
        "hasPerformBatch": value("boolean", "Whether the action handles batches."),
        "syncMode": {
            **mode,
            "type": ["object", "null"],
            "description": "How rows of a warehouse may be synced.",
        },
        "hooks": maybe("object", "Hooks that run when a mapping is saved."),
        "fields": _table("The fields, by key."),
        "batching": reference("batching", "How payloads are grouped into batches."),
        "matchingKeys": listing(
            {"type": "string"}, "The fields of which one may identify records of a warehouse."
        ),
        "rules": _rules(),
        "migrations": listing(
            record(
                {
                    "version": value("integer", "The version that the steps lead to.", minimum=1),
                    "steps": listing(_step(), "The steps, in order."),
                },
                ("version", "steps"),
            ),
            "How saved mappings of older versions of the action become current ones.",
        ),
    }
    head = {"title": "Action", "description": "An action of the destination."}
    return {**head, **record(properties, ("title", "fields"))}


_RULES = {
    "oneOf": "At least one of these fields has a value.",
    "allOrNone": "Either all of these fields have a value, or none of them has.",
    "atMostOne": "No two of these fields have a value.",
}


def _step() -> Schema:
    return {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "properties": {
            kind: {"type": "object", "description": text} for kind, text in _MIGRATION_STEPS.items()
        },
        "additionalProperties": False,
    }


_MIGRATION_STEPS = {
    "renameField": "What was mapped to the field `old` is mapped to `new`.",
    "removeField": "What was mapped to `field` is left out.",
    "addField": "A mapping without `field` gets `value`.",
    "replaceValue": "A `field` that is mapped exactly to `old` is mapped to `new`.",
    "renameAction": "Subscriptions to the action `old` are subscriptions to this one.",
    "replaceSyncMode": "A mapping with the sync mode `old` has `new`.",
    "keepTrigger": "A subscription without a trigger of its own keeps `trigger`.",
    "changeMapping": "The destination's code changes the mapping, as `text` says.",
}


def _keys(text: str) -> Schema:
    return {**listing({"type": "string"}, text), "minItems": 2, "uniqueItems": True}


def _batching() -> Schema:
    head = {"title": "Batching", "description": "How payloads are grouped into batches."}
    positive = {"exclusiveMinimum": 0}
    return {
        **head,
        **record(
            {
                "keys": listing(
                    {"type": "string"}, "Fields whose values are equal for all payloads of a batch."
                ),
                "order_keys": listing(
                    {"type": "string"}, "Further such fields where a request holds one payload."
                ),
                "max_size": value("integer", "Maximum number of payloads.", **positive),
                "max_bytes": value("integer", "Maximum size in bytes of JSON.", **positive),
                "max_age": value("number", "Maximum wait in seconds.", **positive),
                "lane": value("string", "Actions in the same lane change the same data."),
                "coalesce": _word(
                    "Which of several payloads about one identifier are sent.", get_args(Coalesce)
                ),
            }
        ),
    }


def _preset() -> Schema:
    properties = {
        "name": value("string", "The name of the subscription."),
        "type": _word("When it is created.", get_args(PresetKind)),
        "partnerAction": value("string", "The slug of the action."),
        "subscribe": maybe("string", "The trigger."),
        "eventSlug": value("string", "The host's event that creates it."),
        "mapping": value("object", "The values of the fields."),
    }
    head = {"title": "Preset", "description": "A subscription that is created for the user."}
    return {**head, **record(properties, ("name", "partnerAction"))}


def _field() -> Schema:
    choice = record(
        {
            "label": value("string", "The label in forms."),
            "value": {"description": "The value."},
            "description": value("string", "The meaning of the value."),
        },
        ("value",),
    )
    switches = {
        "multiple": "Whether the value is a list.",
        "allowNull": "Whether null is allowed.",
        "dynamic": "Whether choices are requested from the partner.",
        "readOnly": "Whether forms prevent changes.",
        "hidden": "Whether forms omit the field.",
        "additionalProperties": "Whether an object may have additional keys.",
        "secret": "Whether the value is redacted in all output.",
    }
    words = {
        "category": ("The category of the data.", get_args(Category)),
        "defaultObjectUI": ("How forms show an object.", get_args(ObjectUI)),
        "displayMode": ("How forms initially show the field.", get_args(DisplayMode)),
        "format": ("The required format of text.", get_args(Format)),
        "hashed": ("The function by which valid text is hashed.", METHODS),
    }
    limits = {"minimum": "The minimum value or length.", "maximum": "The maximum value or length."}
    method = _word("An input method.", get_args(InputMethod))
    return {
        "title": "Field",
        "description": "A named input.",
        **record(
            {
                "label": value("string", "The label in forms."),
                "description": value("string", "The description in forms."),
                "type": _word("The type of the value.", get_args(FieldType)),
                "required": {
                    "description": "Whether, or under which conditions, it is required.",
                    "anyOf": [{"type": "boolean"}, reference("conditions")],
                },
                **{key: maybe("boolean", text) for key, text in switches.items()},
                "default": {"description": "The default value or mapping."},
                "choices": {**listing(choice, "The allowed values."), **_OR_LIST},
                "placeholder": maybe("string", "The placeholder in forms."),
                "properties": _table("The fields of an object, by key."),
                "depends_on": {
                    "description": "The conditions under which forms show the field.",
                    "anyOf": [reference("conditions"), {"type": "null"}],
                },
                **{key: maybe("number", text) for key, text in limits.items()},
                **{
                    key: {"description": text, "enum": [*options, None]}
                    for key, (text, options) in words.items()
                },
                "disabledInputMethods": {
                    **listing(method, "Input methods that forms do not offer."),
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
            "fieldKey": value("string", "The key of the field, with dots for nested keys."),
            "type": _word("The subject of the condition.", ("field", "syncMode")),
            "operator": _word("The comparison.", ("is", "is_not")),
            "value": {"description": "The expected value, or a list of alternatives."},
        },
        ("operator",),
    )
    properties = {
        "match": _word("Whether all conditions or any one must be true.", ("all", "any")),
        "conditions": listing(condition, "The conditions."),
    }
    head = {"title": "Conditions", "description": "Conditions on other fields."}
    return {**head, **record(properties, ("conditions",))}


def _table(description: str) -> Schema:
    return maybe("object", description, additionalProperties=reference("field"))


def _word(description: str, words: tuple[str, ...]) -> Schema:
    return {"description": description, "enum": list(words)}
