"""The schema of a destination filter, in the form of Segment's Public API."""

from __future__ import annotations

from typing import Final

from framework.definition import FILTER_TYPES
from framework.schemas.schema_parts import Schema, listing, maybe, record, value

_OF_HOST: Final = ("id", "sourceId", "destinationId", "createdAt", "updatedAt")


def filter_schema() -> Schema:
    """Return the JSON Schema of a destination filter."""
    return record(
        {
            "title": maybe("string", "The name of the filter in reports."),
            "description": maybe("string", "A note for people."),
            "if": value("string", "The trigger of its events, or `all`.", minLength=1),
            "enabled": maybe("boolean", "Whether the filter is active."),
            "actions": listing(_action(), "What it does with its events.", minItems=1),
            **{key: {"description": "Stored by the host; ignored here."} for key in _OF_HOST},
        },
        ("if", "actions"),
        additionalProperties=False,
    )


def _action() -> Schema:
    """Return the schema of an action; what a type needs is required, the rest is null."""
    fields = {
        "type": ["object", "null"],
        "description": "Names of fields by the path of their object; the empty path is the event.",
        "additionalProperties": {"type": "array", "items": {"type": "string"}},
    }
    share: Schema = {"minimum": 0, "maximum": 1}
    return {
        **record(
            {
                "type": {**value("string", "What is done."), "enum": [*FILTER_TYPES]},
                "percent": maybe("number", "The share of events that SAMPLE keeps.", **share),
                "path": maybe("string", "The path whose value SAMPLE decides by."),
                "fields": fields,
            },
            ("type",),
            additionalProperties=False,
        ),
        "allOf": [
            _rule(["DROP"], "", ("percent", "path", "fields")),
            _rule(["SAMPLE"], "percent", ("fields",)),
            _rule(["DROP_PROPERTIES", "ALLOW_PROPERTIES"], "fields", ("percent", "path")),
        ],
    }


def _rule(types: list[str], needed: str, without: tuple[str, ...]) -> Schema:
    properties: Schema = {key: {"const": None} for key in without}
    if needed == "percent":
        properties[needed] = value("number", "The share of events that SAMPLE keeps.")
    elif needed:
        properties[needed] = value("object", "At least one path of an object.", minProperties=1)
    return {
        "if": {"properties": {"type": {"enum": types}}},
        "then": {"properties": properties, **({"required": [needed]} if needed else {})},
    }
