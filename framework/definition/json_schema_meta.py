"""The schema of the JSON Schema documents that describe field tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, get_args

from framework.definition.fields import Field, Format
from framework.paths import JSON

OPTIONS: Final = tuple(option.name for option in dataclasses.fields(Field))
"""The options of a field."""

_TEXT: Final = {"type": "string"}
_FLAG: Final = {"type": "boolean"}
_NUMBER: Final = {"type": "number"}
_FIELDS: Final = {"type": "object", "additionalProperties": {"$ref": "#/$defs/field"}}
_SINGLE: Final = ["string", "number", "integer", "boolean", "object"]
_TYPES: Final = [
    *_SINGLE,
    ["string", "number"],
    *([name, "null"] for name in _SINGLE),
    ["string", "number", "null"],
]


def annotation(option: str) -> str:
    """Return the annotation keyword of an option."""
    return f"x-{option.replace('_', '-')}"


@cache
def dialect_schema() -> dict[str, Any]:
    """Return the schema of the documents."""
    root = {
        "$schema": _TEXT,
        "$id": _TEXT,
        "$comment": _TEXT,
        "title": _TEXT,
        "description": _TEXT,
        "type": {"const": "object"},
        "properties": _FIELDS,
        "required": {"type": "array", "items": _TEXT},
        "additionalProperties": {"const": False},
        "allOf": {"type": "array"},
    }
    return {
        **_closed(root, required=["type"]),
        "$defs": {
            "value": _closed(_value_keywords(), required=["type"]),
            "field": {
                **_closed(_value_keywords() | _field_keywords(), required=["type"]),
                "if": {"properties": {"type": {"const": "array"}}},
                "then": {"required": ["items"]},
            },
        },
    }


def _value_keywords() -> dict[str, JSON]:
    return {
        "type": {"enum": _TYPES},
        "format": {"enum": [*get_args(Format), "date-like"]},
        "enum": {"type": "array"},
        "pattern": _TEXT,
        "minimum": _NUMBER,
        "maximum": _NUMBER,
        "minLength": _NUMBER,
        "maxLength": _NUMBER,
        "properties": _FIELDS,
        "required": {"type": "array", "items": _TEXT},
        "additionalProperties": _FLAG,
        "allOf": {"type": "array"},
    }


def _field_keywords() -> dict[str, JSON]:
    return {
        "type": {"enum": [*_TYPES, "array"]},
        "title": _TEXT,
        "description": _TEXT,
        "default": True,
        "readOnly": _FLAG,
        "items": {"$ref": "#/$defs/value"},
        **{annotation(option): _option(option) for option in OPTIONS},
    }


def _option(option: str) -> JSON:
    """Return the schema of an annotation, the JSON form of an option of `Field`."""
    conditions = {"if": {"type": "object"}, "then": _conditions()}
    number, text = {"type": ["number", "null"]}, {"type": ["string", "null"]}
    special: dict[str, JSON] = {
        "label": _TEXT,
        "description": _TEXT,
        "placeholder": _TEXT,
        "required": {"type": ["boolean", "object"], **conditions},
        "depends_on": {"type": ["null", "object"], **conditions},
        "choices": {"type": "array", "items": _choice()},
        "properties": {"type": ["object", "null"], **_without_type(_FIELDS)},
        "additional_properties": {"type": ["boolean", "null"]},
        "disabled_input_methods": {"type": "array", "items": _TEXT},
        "default": True,
        "mapping": True,
        "minimum": number,
        "maximum": number,
        "extra": {"type": "object"},
    }
    flags = {known.name for known in dataclasses.fields(Field) if known.default is False}
    return special.get(option, _FLAG if option in flags else text)


def _conditions() -> dict[str, JSON]:
    condition = {"field": {"type": ["string", "null"]}, "operator": {"enum": ["is", "is_not"]}}
    listed = {"type": "array", "items": _closed({**condition, "value": True}, required=["field"])}
    return _closed({"match": {"enum": ["all", "any"]}, "conditions": listed}, ["conditions"])


def _choice() -> dict[str, JSON]:
    return _closed({"value": True, "label": _TEXT, "description": _TEXT}, required=["value"])


def _without_type(schema: Mapping[str, JSON]) -> dict[str, JSON]:
    return {key: value for key, value in schema.items() if key != "type"}


def _closed(properties: Mapping[str, JSON], required: list[str]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": required,
        "additionalProperties": False,
    }
