"""The schema of a mapping, assembled from the arguments of the directives that are known."""

from __future__ import annotations

from framework.definition import MATCHING_KEY, SYNC_MODE_KEY, SYNC_MODES
from framework.mapping import DIRECTIVES, ROOT_DIRECTIVE
from framework.schemas.schema_parts import Schema, document, record, reference, value

HOOKS = ("onMappingSave", "retlOnMappingSave")


_HAS_DIRECTIVE = {"type": "object", "not": {"propertyNames": {"pattern": "^([^@]|$)"}}}


def mapping_schema() -> Schema:
    """Return the schema of a mapping of any action."""
    return document(
        "Mapping",
        "What goes into each field of an action: values, directives, or objects and lists of them.",
        {"type": "object", **mapping_body(), "$defs": mapping_parts()},
    )


def mapping_body() -> Schema:
    """Return what holds for a mapping of any action; it refers to `mapping_parts`."""
    return {
        "properties": internal_keys(),
        "additionalProperties": reference("value"),
        "if": _HAS_DIRECTIVE,
        "then": reference("directive"),
    }


def mapping_parts() -> dict[str, Schema]:
    """Return the definitions `value` (any part of a mapping) and `directive`."""
    return {"value": _value(), "directive": _directive()}


def internal_keys() -> dict[str, Schema]:
    """Return the keys of a mapping that are for the framework and not for a field."""
    transform = record(
        {"apply": reference("value", "The mapping whose result is the input of this one.")},
        description="Two mappings, one after the other; the second is this one.",
    )
    return {
        SYNC_MODE_KEY: {
            "description": "What a warehouse's events do with their rows.",
            "enum": list(SYNC_MODES),
        },
        MATCHING_KEY: value("string", "The key of the field by which records are matched."),
        ROOT_DIRECTIVE: record(
            {"@transform": transform}, description="A directive that is applied to the mapping."
        ),
        **{key: value("object", "What was kept when the mapping was saved.") for key in HOOKS},
    }


def _value() -> Schema:
    plain = {
        "type": "object",
        "description": "An object, each member of which is a part of the mapping.",
        "additionalProperties": reference("value"),
    }
    return {
        "title": "Part of a mapping",
        "description": "A value that stands for itself, or a directive.",
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
    metadata = {"description": "Notes of the tool that wrote the directive; they have no effect."}
    return {
        "title": "Directive",
        "description": "An object with one key that begins with `@`, computed from the event.",
        "type": "object",
        "properties": {**properties, "_metadata": metadata},
        "additionalProperties": False,
        "oneOf": [{"required": [directive.name]} for directive in directives],
    }
