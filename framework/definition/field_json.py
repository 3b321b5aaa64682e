"""Read and write a field table in its wire form: Segment's published field objects."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args

from framework.definition.fields import (
    Category,
    Choice,
    Condition,
    Conditions,
    DisplayMode,
    Field,
    FieldTable,
    FieldType,
    Format,
    InputMethod,
    ObjectUI,
    check_fields,
)
from framework.definition.json_io import (
    JsonPointer,
    WireReader,
    display_of,
    is_a,
    read_each,
    read_flag,
    read_number,
    read_text,
    read_word,
    residue,
    restore,
)
from framework.errors import DefinitionError
from framework.mapping import check_mapping_shape
from framework.normalize import METHODS
from framework.paths import JSON, MISSING


def read_table(document: JSON, place: JsonPointer, always: frozenset[str]) -> dict[str, Field]:
    """Return a table's fields by key; unusable fields are left out and noted.

    *always* lists the keys that the fields of such a table have even with default values.
    """
    table = _read_fields(document, place, always)
    for problem in check_fields(table):
        place.warn(f"has a field with an ineffective option. {problem}")
    return table


def table_to_wire(table: FieldTable, always: frozenset[str]) -> dict[str, JSON]:
    """Return a field table in wire form, each field with the keys *always* and non-default keys."""
    return {key: _write_field(field, always) for key, field in table.items()}


def _read_fields(document: JSON, place: JsonPointer, always: frozenset[str]) -> dict[str, Field]:
    if document is None or not is_a(dict, document, place):
        return {}
    found = {key: _read_field(value, place.at(key), always) for key, value in document.items()}
    return {key: field for key, field in found.items() if field is not None}


def _read_field(document: JSON, place: JsonPointer, always: frozenset[str]) -> Field | None:
    if not is_a(dict, document, place):
        return None
    if "type" not in document:
        place.at("type").error("is required.")
    options: dict[str, Any] = {}
    for wire, key in _KEYS.items():
        value = key.read(document[wire], place.at(wire)) if wire in document else MISSING
        if value is not MISSING:
            options[key.name] = value
    if _is_expression(options.get("default")):
        options["mapping"] = options.pop("default")
    try:
        field = Field(**options)
    except DefinitionError as error:
        for problem in error.problems:
            place.error(f"is left out. {problem}")
        return None
    return replace(field, extra=residue(_write_field(field, always), document))


def _write_field(field: Field, always: frozenset[str]) -> dict[str, JSON]:
    values = {wire: (key.write(field), key.write(_SILENT)) for wire, key in _KEYS.items()}
    written = {w: v for w, (v, silent) in values.items() if w in always or v != silent}
    return restore(written, field.extra)


def _is_expression(value: JSON) -> bool:
    """Return whether a default contains a directive and is therefore a mapping."""
    if isinstance(value, dict):
        return any(key.startswith("@") or _is_expression(inner) for key, inner in value.items())
    return isinstance(value, list) and any(map(_is_expression, value))


def _read_default(value: JSON, place: JsonPointer) -> Any:
    problems = check_mapping_shape({"default": value}) if _is_expression(value) else []
    for problem in problems:
        place.warn(f"is not a valid mapping and is left out. {problem}")
    return MISSING if problems else value


def _read_type(value: JSON, place: JsonPointer) -> Any:
    if value in get_args(FieldType):
        return value
    place.error(f"must be one of {', '.join(get_args(FieldType))}, got {display_of(value)}.")
    return MISSING


def _read_choices(value: JSON, place: JsonPointer) -> Any:
    choices = read_each(_read_choice)(value, place)
    if choices is MISSING:
        return MISSING
    known: dict[str, Choice] = {}
    for choice in choices:
        text = json.dumps(choice.value, sort_keys=True)
        if text in known:
            place.warn(f"offers {display_of(choice.value)} twice.")
        known.setdefault(text, choice)
    return tuple(known.values())


def _read_choice(value: JSON, place: JsonPointer) -> Any:
    document = value if isinstance(value, dict) else {"value": value}
    value = document.get("value")
    if value is None:
        place.warn("is a choice without a value and is left out.")
        return MISSING
    texts = {
        key: read_text(document.get(key), place.at(key)) or "" for key in ("label", "description")
    }
    if texts["label"] == _text_of(value):
        del texts["label"]
    return Choice(value, **texts)


def _write_choices(choices: Iterable[Choice]) -> list[JSON] | None:
    return [
        {"label": choice.label or _text_of(choice.value), "value": choice.value}
        | ({"description": choice.description} if choice.description else {})
        for choice in choices
    ] or None


def _text_of(value: JSON) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _read_required(value: JSON, place: JsonPointer) -> Any:
    if isinstance(value, dict):
        return _read_conditions(value, place)
    return read_flag(value, place)


def _read_conditions(value: JSON, place: JsonPointer) -> Any:
    if value is None:
        return None
    if not is_a(dict, value, place):
        return MISSING
    match = read_word(("all", "any"))(value.get("match"), place.at("match"))
    conditions = read_each(_read_condition)(value.get("conditions"), place.at("conditions"))
    if match is MISSING or not conditions or len(conditions) < len(value["conditions"]):
        place.warn("is not a usable condition and is left out.")
        return MISSING
    return Conditions(conditions, match or "all")


def _read_condition(value: JSON, place: JsonPointer) -> Any:
    if not is_a(dict, value, place):
        return MISSING
    by_mode = value.get("type") == "syncMode"
    field = None if by_mode else value.get("fieldKey")
    if not by_mode and not is_a(str, field, place.at("fieldKey")):
        return MISSING
    operator = read_word(("is", "is_not"))(value.get("operator"), place.at("operator"))
    if operator is MISSING or operator is None:
        return MISSING
    return Condition(field, operator, value.get("value", MISSING))


def _write_conditions(value: Conditions | JSON) -> JSON:
    if not isinstance(value, Conditions):
        return value
    return {"match": value.match, "conditions": [_write_condition(c) for c in value.conditions]}


def _write_condition(condition: Condition) -> dict[str, JSON]:
    subject = {"type": "syncMode"} if condition.field is None else {"fieldKey": condition.field}
    value = {} if condition.value is MISSING else {"value": condition.value}
    return {**subject, "operator": condition.operator, **value}


def _read_properties(value: JSON, place: JsonPointer) -> Any:
    return None if value is None else _read_fields(value, place, IN_ACTIONS)


def _read_additional(value: JSON, place: JsonPointer) -> Any:
    """Read whether undeclared keys are allowed; Segment writes false for an absent option."""
    allowed = read_flag(value, place)
    return allowed if allowed is MISSING else allowed or None


@dataclass(frozen=True, slots=True)
class _Key:
    """One key of a field object: its attribute, and how it is read and written."""

    name: str
    read: WireReader
    write: Callable[[Field], JSON]


def _plain(name: str, read: WireReader) -> _Key:
    return _Key(name, read, lambda field: getattr(field, name))


def _or_null(name: str, read: WireReader) -> _Key:
    return _Key(name, read, lambda field: getattr(field, name) or None)


_KEYS: Mapping[str, _Key] = {
    "label": _plain("label", read_text),
    "description": _plain("description", read_text),
    "type": _plain("type", _read_type),
    "required": _Key("required", _read_required, lambda f: _write_conditions(f.required)),
    "multiple": _plain("multiple", read_flag),
    "allowNull": _plain("nullable", read_flag),
    "dynamic": _plain("dynamic", read_flag),
    "default": _Key(
        "default", _read_default, lambda f: f.default if f.mapping is None else f.mapping
    ),
    "choices": _Key("choices", _read_choices, lambda f: _write_choices(f.choices)),
    "placeholder": _or_null("placeholder", read_text),
    "properties": _Key(
        "properties",
        _read_properties,
        lambda f: None if f.properties is None else table_to_wire(f.properties, IN_ACTIONS),
    ),
    "category": _plain("category", read_word(get_args(Category))),
    "depends_on": _Key("depends_on", _read_conditions, lambda f: _write_conditions(f.depends_on)),
    "readOnly": _or_null("read_only", read_flag),
    "hidden": _or_null("hidden", read_flag),
    "minimum": _plain("minimum", read_number),
    "maximum": _plain("maximum", read_number),
    "defaultObjectUI": _plain("object_ui", read_word(get_args(ObjectUI))),
    "disabledInputMethods": _Key(
        "disabled_input_methods",
        read_each(read_word(get_args(InputMethod))),
        lambda f: list(f.disabled_input_methods) or None,
    ),
    "displayMode": _plain("display_mode", read_word(get_args(DisplayMode))),
    "format": _plain("format", read_word(get_args(Format))),
    "additionalProperties": _Key(
        "additional_properties", _read_additional, lambda f: bool(f.additional_properties)
    ),
    "pattern": _or_null("pattern", read_text),
    "secret": _Key("secret", read_flag, lambda f: f.secret and f.type != "password"),
    "hashed": _plain("hashed", read_word(METHODS)),
}
_SILENT = Field()

IN_ACTIONS: frozenset[str] = frozenset(_KEYS) - {
    "description",
    "format",
    "pattern",
    "secret",
    "hashed",
}
"""The keys that every field of an action has in Segment's manifests."""

IN_SETTINGS: frozenset[str] = frozenset(
    {"label", "description", "type", "required", "multiple", "choices", "default", "depends_on"}
)
"""The keys that every field of a destination's settings has."""
