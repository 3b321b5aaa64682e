"""The schemas of a subscription and of a connection file, with all installed destinations."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping

from framework.definition import (
    MAX_FILTERS,
    MAX_SUBSCRIPTIONS,
    SYNC_MODES,
    Action,
    Destination,
    Field,
    fields_of,
    resolve_slug,
    to_document,
)
from framework.delivery_options import OPTIONS, DeliveryOption
from framework.schemas.filter_schema import filter_schema
from framework.schemas.mapping_schema import internal_keys, mapping_body, mapping_parts
from framework.schemas.schema_parts import (
    Schema,
    document,
    listing,
    maybe,
    record,
    reference,
    value,
)

_SPELLINGS = (("partnerAction", "mapping"), ("actionSlug", "settings"))
_BATCH_KEYS = ("enable_batching", "batch_size", "batch_bytes", "batch_keys")


def subscription_schema() -> Schema:
    """Return the JSON Schema of a subscription, in both of its spellings."""
    return document(
        "Subscription",
        "An action for matching events, with its mapping.",
        {**_subscription(), "$defs": {"mapping": _any_mapping(), **mapping_parts()}},
    )


def connection_schema(definitions: Iterable[Destination]) -> Schema:
    """Return the JSON Schema of a connection file.

    Settings must match the file's destination, named by its slug or by an unambiguous part of it;
    keys of mappings must match the action of their subscription.
    """
    known = list(definitions)
    properties = {
        "$schema": value("string", "The schema with which editors validate the file."),
        "destination": value("string", "The slug of the destination.", minLength=1),
        "name": maybe("string", "The name of the connection."),
        "enabled": maybe("boolean", "Whether events are delivered."),
        "settings": maybe("object", "The settings of the destination."),
        "consent": {
            **record(
                {
                    "categories": listing(
                        {"type": "string", "pattern": r"\S"},
                        "Consent categories. An event with consent preferences is sent only if "
                        "all of them are true.",
                        minItems=1,
                        uniqueItems=True,
                    )
                },
                ("categories",),
                additionalProperties=False,
            ),
            "type": ["object", "null"],
            "description": "The consent that events need.",
        },
        "audiences": {
            **maybe("object", "The settings of audiences that events do not bring, by their keys."),
            "additionalProperties": maybe("object", "The settings of an audience."),
        },
        "features": {
            **maybe("object", "Feature flags, which the destination's code can read, by name."),
            "propertyNames": {"pattern": r"\S"},
            "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
        },
        "filters": {
            **listing(
                reference("filter"),
                "Destination filters, which events pass before subscriptions.",
                maxItems=MAX_FILTERS,
            ),
            "type": ["array", "null"],
        },
        "delivery": {
            **record(
                {option.name: _option(option) for option in OPTIONS}, additionalProperties=False
            ),
            "type": ["object", "null"],
            "description": "How events are delivered; options of commands win over these.",
        },
        "subscriptions": {
            **listing(
                reference("subscription"),
                "An action for matching events, with its mapping.",
                maxItems=MAX_SUBSCRIPTIONS,
            ),
            "type": ["array", "null"],
        },
    }
    parts = {
        "subscription": {"title": "Subscription", **_subscription()},
        "filter": {"title": "Destination filter", **filter_schema()},
        "mapping": _any_mapping(),
        "reference": _reference(),
        **mapping_parts(),
    }
    for definition in known:
        parts |= _parts_of(definition)
    rules: Schema = (
        {"allOf": [_rules_of(definition, known) for definition in known]} if known else {}
    )
    if known:
        slugs: Schema = {"enum": [definition.slug for definition in known]}
        properties["destination"]["anyOf"] = [slugs, {"type": "string"}]
    return document(
        "Connection",
        "A destination with its settings and subscriptions.",
        {
            **record(properties, ("destination",), additionalProperties=False),
            **rules,
            "$defs": parts,
        },
    )


def _option(option: DeliveryOption) -> Schema:
    """Return the schema of a delivery option; a text may also be a reference."""
    if option.kind in {"proxy", "file"}:
        return maybe("string", option.description, minLength=1)
    kind = "integer" if option.kind == "count" else "number"
    bounds: Schema = {"minimum": option.least}
    if option.most < math.inf:
        bounds["maximum"] = option.most
    return value([kind, "string", "null"], option.description, **bounds)


def _subscription() -> Schema:
    ignored = ("actionId", "destinationId", "modelId")
    return {
        **record(
            {
                "id": {"description": "The ID of the host; actions can read it if it is a text."},
                "name": maybe("string", "The name of the subscription in reports."),
                "enabled": maybe("boolean", "Whether the subscription is active."),
                "partnerAction": value("string", "The slug of the action.", minLength=1),
                "subscribe": maybe("string", "The trigger, which selects events."),
                "mapping": reference("mapping", "The values of the fields."),
                "syncMode": {
                    **maybe("string", "How rows of a warehouse are synced."),
                    "enum": [*SYNC_MODES, None],
                },
                "matchingKey": maybe("string", "The field that identifies rows of a warehouse."),
                "mappingVersion": {
                    **maybe("integer", "The version of the action's mappings that this one has."),
                    "minimum": 1,
                },
                "actionSlug": value("string", "The same as `partnerAction`.", minLength=1),
                "trigger": maybe("string", "The same as `subscribe`."),
                "settings": reference("mapping", "The same as `mapping`."),
                **{key: {"description": "Stored by the host; ignored here."} for key in ignored},
            }
        ),
        "oneOf": [{"required": [action]} for action, _ in _SPELLINGS],
    }


def _any_mapping() -> Schema:
    return {
        "title": "Mapping",
        "description": "The values of the fields; omitted fields take the action's defaults.",
        "type": ["object", "null"],
        **mapping_body(),
    }


def _reference() -> Schema:
    return {
        "title": "Reference",
        "description": "Text with `${env:NAME}` or `${file:PATH}`, replaced on reading.",
        "type": "string",
        "pattern": r"\$\{(env|file):",
    }


def _parts_of(definition: Destination) -> dict[str, Schema]:
    parts = {f"settings of {definition.slug}": _settings_of(definition)}
    for action in definition.actions:
        parts[_mapping_name(definition, action)] = _mapping_of(definition, action)
    return parts


def _mapping_name(definition: Destination, action: Action) -> str:
    return f"mapping of {definition.slug} {action.slug}"


def _names_of(slug: str, slugs: list[str]) -> list[str]:
    """Return the names of a destination: its slug, and unambiguous parts of it between hyphens."""
    parts = slug.split("-")
    ends = itertools.combinations(range(len(parts) + 1), 2)
    names = ("-".join(parts[start:end]) for start, end in ends)
    return [slug, *sorted({name for name in names if resolve_slug(name, slugs) == slug} - {slug})]


def _rules_of(definition: Destination, known: list[Destination]) -> Schema:
    actions = [action.slug for action in definition.actions]
    named = {key: {"enum": actions} for key, _ in _SPELLINGS}
    rules = [
        _rule(action_key, [action.slug], {mapping: reference(_mapping_name(definition, action))})
        for action in definition.actions
        for action_key, mapping in _SPELLINGS
    ]
    items = {"properties": named, "allOf": rules}
    required = [key for key, field in definition.settings_fields.items() if field.required is True]
    rule = _rule(
        "destination",
        _names_of(definition.slug, [each.slug for each in known]),
        {
            "settings": reference(f"settings of {definition.slug}"),
            **_audiences_of(definition),
            "subscriptions": {"items": items},
        },
    )
    if required:
        rule["then"]["required"] = ["settings"]
    return rule


def _audiences_of(definition: Destination) -> dict[str, Schema]:
    """Return the rule for `audiences`, if the destination has settings for them."""
    if definition.audience is None:
        return {}
    table = fields_of(definition.audience.settings)
    written = to_document(table)
    properties = {
        key: _or_reference(table[key], schema)
        for key, schema in written.get("properties", {}).items()
    }
    one = {
        "type": ["object", "null"] if not written.get("required") else "object",
        "properties": properties,
        "required": written.get("required", []),
    }
    return {"audiences": {"additionalProperties": one}}


def _rule(key: str, values: list[str], properties: Mapping[str, Schema]) -> Schema:
    test: Schema = {"enum": values} if len(values) > 1 else {"const": values[0]}
    return {
        "if": {"properties": {key: test}, "required": [key]},
        "then": {"properties": dict(properties)},
    }


def _settings_of(definition: Destination) -> Schema:
    written = to_document(definition.settings_fields)
    properties = {
        key: _or_reference(definition.settings_fields[key], schema)
        for key, schema in written.get("properties", {}).items()
    }
    return {
        "title": f"Settings of {definition.name}",
        "description": "The settings of the destination.",
        "type": ["object", "null"] if not written.get("required") else "object",
        "properties": properties,
        "required": written.get("required", []),
    }


def _or_reference(field: Field, schema: Schema) -> Schema:
    """Return the schema of a setting that may also be a reference, with its texts at the top."""
    texts = {"title": field.label, "description": field.description or field.label}
    return {**texts, "anyOf": [schema, reference("reference")]}


def _mapping_of(definition: Destination, action: Action) -> Schema:
    batch = {
        key: {"description": "Controls batching; not a field of the action.", **reference("value")}
        for key in _BATCH_KEYS
    }
    return {
        "title": f"Mapping of {action.title} ({definition.name})",
        "description": action.description or action.title,
        "type": ["object", "null"],
        "properties": {
            **batch,
            **{key: _mapped(field) for key, field in action.fields.items()},
            **internal_keys(),
        },
        "additionalProperties": False,
    }


def _mapped(field: Field) -> Schema:
    """Return the schema of a field's value in a mapping, with suggestions for editors."""
    texts = {"title": field.label, "description": field.description or field.label}
    start = field.default if field.mapping is None else field.mapping
    default = {} if start is None else {"default": start}
    proposals: list[Schema] = []
    if field.choices:
        proposals.append({"enum": [choice.value for choice in field.choices]})
    elif field.type == "boolean":
        proposals.append({"type": "boolean"})
    body = {"anyOf": [*proposals, reference("value")]} if proposals else reference("value")
    return {**texts, **default, **body}
