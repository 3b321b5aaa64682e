"""The schema of a mapping, built from the schemas of all directives."""

from __future__ import annotations

from framework.definition import MATCHING_KEY, SYNC_MODE_KEY, SYNC_MODES
from framework.mapping import DIRECTIVES, ROOT_DIRECTIVE
from framework.schemas.schema_parts import Schema, document, record, reference, value

HOOKS = ("onMappingSave", "retlOnMappingSave")


_HAS_DIRECTIVE = {"type": "object", "not": {"propertyNames": {"pattern": "^([^@]|$)"}}}


def mapping_schema() -> Schema:
    """Return the JSON Schema of a mapping for any action."""
    return document(
        "Mapping",
        "The values of an action's fields: constants, directives, or objects and lists of them.",
        {"type": "object", **mapping_body(), "$defs": mapping_parts()},
    )


def mapping_body() -> Schema:
    """Return the keywords that apply to every mapping; they refer to `mapping_parts`."""
    return {
        "properties": internal_keys(),
        "additionalProperties": reference("value"),
        "if": _HAS_DIRECTIVE,
        "then": reference("directive"),
    }


def mapping_parts() -> dict[str, Schema]:
    """Return the definitions `value` (any part of a mapping) and `directive`, by name."""
    return {"value": _value(), "directive": _directive()}


def internal_keys() -> dict[str, Schema]:
    """Return the schemas of keys that are for the framework and not for fields."""
    transform = record(
        {"apply": reference("value", "The mapping whose result is the input of this one.")},
        description="Applies two mappings in turn; the second is this one.",
    )
    return {
        SYNC_MODE_KEY: {
            "description": "How rows of a warehouse are synced.",
            "enum": list(SYNC_MODES),
        },
        MATCHING_KEY: value("string", "The key of the field that identifies records."),
        ROOT_DIRECTIVE: record(
            {"@transform": transform}, description="A directive that applies to the whole mapping."
        ),
        **{key: value("object", "Data stored when the mapping was saved.") for key in HOOKS},
    }


def _value() -> Schema:
    plain = {
        "type": "object",
        "description": "An object whose members are parts of the mapping.",
        "additionalProperties": reference("value"),
    }
    return {
        "title": "Part of a mapping",
        "description": "A constant or a directive.",
        "if": _HAS_DIRECTIVE,
        "then": reference("directive"),
        "else": {
            "anyOf": [
                plain,
                {"type": ["string", "number", "boolean", "null"]},
                {"type": "array", "items": reference("value")},
            ]
        },
    }


def _directive() -> Schema:
    directives = [DIRECTIVES[name] for name in sorted(DIRECTIVES)]
    properties = {
        directive.name: {"description": directive.summary, **directive.schema}
        for directive in directives
    }
    metadata = {"description": "Metadata of the tool that wrote the directive; has no effect."}
    return {
        "title": "Directive",
        "description": "An object with one key that begins with `@`, computed from the event.",
        "type": "object",
        "properties": {**properties, "_metadata": metadata},
        "additionalProperties": False,
        "oneOf": [{"required": [directive.name]} for directive in directives],
    }
