"""A field table as a JSON Schema document (draft 2020-12), converted both ways without loss.

Standard keywords are used where they exist: `title` (the label), `description`, `type`,
`default`, `enum` (the choices), `format`, `pattern`, `minLength`, `maxLength`, `minimum`,
`maximum`, `properties`, `required`, `additionalProperties`, `items` (of a multiple field) and
`readOnly`. `type` and `format` together determine the field type: `text` and `password` are
strings of that format, and a `datetime` is a string or number of the format `date-like`.

Everything else is an annotation `x-<option>`, named like the option of `Field`: `x-mapping`,
`x-category`, `x-depends-on`, `x-dynamic`, `x-secret`, `x-hidden`, `x-placeholder`, `x-object-ui`,
`x-display-mode`, `x-disabled-input-methods`, `x-choices` (choices with labels, in addition to
`enum`), and any other option that the keywords alone would not represent. Conditions are

    {"match": "all", "conditions": [{"field": "country", "operator": "is", "value": "NO"}]}

without `value` to test whether there is one, and with the field null for the sync mode. A
conditionally required field has the conditions as `x-required`; for validators, the document's
`allOf` expresses the same, except for conditions on the sync mode, which is not in payloads.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from framework.definition.defaults import default_problems
from framework.definition.field_rules import FieldRule
from framework.definition.fields import (
    STRING_TYPES,
    Choice,
    Condition,
    Conditions,
    Field,
    FieldTable,
)
from framework.definition.json_io import MAX_DEPTH, is_shallow
from framework.definition.json_schema_meta import OPTIONS, annotation, dialect_schema
from framework.definition.requirement_schema import rules_inside, rules_of
from framework.errors import DefinitionError
from framework.nesting import read_json
from framework.paths import JSON, MISSING

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
"""The value of `$schema`."""

_LEAVE_OUT: Final = "must be left out; conditions are written as `x-required`."
_KINDS: Final = {
    "object": "an object",
    "array": "a list",
    "string": "a string",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}
_LIMITS: Final = {
    "string": ("minLength", "maxLength"),
    "number": ("minimum", "maximum"),
    "integer": ("minimum", "maximum"),
}


def to_document(fields: FieldTable, rules: Sequence[FieldRule] = ()) -> dict[str, Any]:
    """Return the JSON Schema of a table's shaped values, to which *rules* across fields apply.

    A document with such rules cannot be read as a table of fields alone.
    """
    document = {"$schema": DIALECT, **_write_object(fields), "additionalProperties": False}
    conditions = [*rules_of(fields), *(one.schema() for one in rules)]
    return {**document, "allOf": conditions} if conditions else document


def read_fields(source: JSON | Path) -> dict[str, Field]:
    """Read a field table from a JSON Schema document, or from the file that holds one.

    The document has the form that `to_document` writes. Root keywords that do not describe fields
    (`$id`, `$comment`, `title`, `description`) are accepted and dropped. A default must be valid
    without conversion. Raises DefinitionError, whose `problems` begin with a JSON pointer.
    """
    document = _read_file(source) if isinstance(source, Path) else source
    if not is_shallow(document):
        raise DefinitionError(f"The document is nested deeper than {MAX_DEPTH} levels.")
    problems = _faults(document)
    fields = {} if problems else _read_object(document, (), problems)
    if not problems and document.get("allOf", []) not in ([], rules_of(fields)):
        problems.append(f"`/allOf`: {_LEAVE_OUT}")
    if problems:
        raise DefinitionError("\n".join(problems), problems)
    return fields


def _read_file(file: Path) -> JSON:
    try:
        return read_json(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DefinitionError(f"{file.name} cannot be read as JSON: {error}.") from error


def _write_object(fields: FieldTable) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {key: _write_field(field) for key, field in fields.items()},
        "required": [key for key, field in fields.items() if field.required is True],
    }


def _write_field(field: Field) -> dict[str, Any]:
    """Write the keywords, read them back, and annotate the options that they do not represent."""
    written = _write_keywords(field)
    read = _read_keywords(written, (), [])
    declared = Field(**read | {"type": field.type})
    for option in OPTIONS:
        value = getattr(field, option)
        known = read["type"] if option == "type" else getattr(declared, option)
        if value != known and not (option == "required" and value is True):
            written[annotation(option)] = _write_option(value)
    return written


def _write_keywords(field: Field) -> dict[str, Any]:
    texts = {
        "title": field.label or None,
        "description": field.description or None,
        "default": field.default,
        "readOnly": field.read_only or None,
    }
    value = (
        {"type": "array", "items": _write_value(field)} if field.multiple else _write_value(field)
    )
    return {key: text for key, text in texts.items() if text is not None} | value


def _write_value(field: Field) -> dict[str, Any]:
    nullable = field.nullable and not field.multiple
    types = _TYPES.get(field.type, [field.type]) + (["null"] if nullable else [])
    value: dict[str, Any] = {"type": types[0] if len(types) == 1 else types}
    if field.choices:
        value["enum"] = [choice.value for choice in field.choices] + ([None] if nullable else [])
    fixed = _FORMATS.get(field.type, field.format if field.type == "string" else None)
    pattern = field.pattern if field.type in STRING_TYPES else None
    words = {"format": fixed, "pattern": pattern, **_limits(field)}
    value |= {word: declared for word, declared in words.items() if declared is not None}
    if field.type == "object" and field.properties is not None:
        value |= _write_object(field.properties)
        value["type"] = types[0] if len(types) == 1 else types
        value["additionalProperties"] = bool(field.additional_properties)
        if rules := rules_inside(field.properties):
            value["allOf"] = rules
    return value


def _limits(field: Field) -> dict[str, float | None]:
    low, high = field.minimum, field.maximum
    if field.type == "string":
        low = None if low is None else max(0, math.ceil(low))
        if high is not None:
            low, high = (max(1, low or 0), 0) if high < 0 else (low, math.floor(high))
    return dict(zip(_LIMITS.get(field.type, ()), (low, high), strict=False))


def _write_option(value: Any) -> JSON:
    if isinstance(value, Conditions):
        return {"match": value.match, "conditions": [_write_option(c) for c in value.conditions]}
    if isinstance(value, Condition):
        return {k: v for k, v in _pairs(value) if v is not MISSING}
    if isinstance(value, Choice):
        return {k: v for k, v in _pairs(value) if k == "value" or v}
    if isinstance(value, tuple):
        return [_write_option(item) for item in value]
    if isinstance(value, Mapping):
        return {
            key: _write_required(inner) if isinstance(inner, Field) else inner
            for key, inner in value.items()
        }
    return value


def _pairs(value: Condition | Choice) -> list[tuple[str, JSON]]:
    return [(option.name, getattr(value, option.name)) for option in dataclasses.fields(value)]


def _write_required(field: Field) -> dict[str, Any]:
    """Write a field whose properties are annotated only and not listed in `required`."""
    written = _write_field(field)
    return {**written, "x-required": True} if field.required is True else written


def _faults(document: JSON) -> list[str]:
    """Validate a document by the schema of such documents."""
    import jsonschema  # noqa: PLC0415 - heavy, imported at first use

    validator = jsonschema.Draft202012Validator(dialect_schema())
    found = sorted(validator.iter_errors(document), key=lambda error: list(map(str, error.path)))
    return [text for error in found for text in _messages_of(error)]


def _messages_of(error: Any) -> Iterable[str]:
    """Return the messages of one error of the validator."""
    place, wanted = f"`{_pointer(error.path)}`:", error.validator_value
    got = json.dumps(error.instance, ensure_ascii=False)
    got = got if len(got) < 40 else f"{got[:36]} ..."
    if error.validator == "additionalProperties":
        for key in error.instance.keys() - error.schema["properties"].keys():
            yield f"`{_pointer([*error.path, key])}`: is not a keyword of fields."
    elif error.validator == "required":
        missing = [key for key in wanted if key not in error.instance]
        yield f"{place} needs {', '.join(f'`{key}`' for key in missing)}."
    elif error.validator == "type":
        kinds = [_KINDS[kind] for kind in ([wanted] if isinstance(wanted, str) else wanted)]
        yield f"{place} must be {' or '.join(kinds)}, got {got}."
    else:
        values = wanted if error.validator == "enum" else [wanted]
        yield f"{place} must be one of {', '.join(map(json.dumps, values))}, got {got}."


def _pointer(path: Iterable[str | int]) -> str:
    return "".join(f"/{str(key).replace('~', '~0').replace('/', '~1')}" for key in path) or "/"


def _read_object(
    schema: Mapping[str, Any], path: tuple[str, ...], notes: list[str]
) -> dict[str, Field]:
    required = schema.get("required", ())
    properties = schema.get("properties", {})
    notes += [
        f"`{_pointer([*path, 'required'])}`: `{key}` is not among the properties."
        for key in required
        if key not in properties
    ]
    fields = {}
    for key, inner in properties.items():
        place = (*path, "properties", key)
        options = {"required": key in required, **_read_keywords(inner, place, notes)}
        options |= _read_annotations(inner, place, notes)
        try:
            fields[key] = Field(**options)
        except DefinitionError as error:
            notes += [f"`{_pointer(place)}`: {problem}" for problem in error.problems]
            continue
        notes += [f"`{_pointer(place)}`: {text}" for text in default_problems(fields[key])]
        notes += _ineffective(inner, _write_field(fields[key]), place)
    return fields


def _ineffective(given: JSON, written: JSON, path: tuple[str, ...]) -> list[str]:
    """Return the keywords of a field that have no effect, because they would be lost."""
    if not isinstance(given, dict) or not isinstance(written, dict):
        return []
    notes = [
        f"`{_pointer([*path, key])}`: has no effect on a field of this type."
        for key, value in given.items()
        if key not in {*written, "allOf"} and value not in (None, False, "", [], {})
    ]
    if given.get("allOf", []) not in ([], written.get("allOf")):
        notes.append(f"`{_pointer([*path, 'allOf'])}`: {_LEAVE_OUT}")
    return notes + _ineffective(given.get("items"), written.get("items"), (*path, "items"))


def _read_keywords(
    schema: Mapping[str, Any], path: tuple[str, ...], notes: list[str]
) -> dict[str, Any]:
    """Return the options of a field that the keywords of its schema represent."""
    texts = {option: schema[word] for word, option in _TEXTS_OF_FIELD.items() if word in schema}
    if schema["type"] != "array":
        return texts | _read_value(schema, path, notes)
    return {**texts, "multiple": True} | _read_value(schema["items"], (*path, "items"), notes)


def _read_value(
    schema: Mapping[str, Any], path: tuple[str, ...], notes: list[str]
) -> dict[str, Any]:
    options = _read_type(schema)
    low, high = _LIMITS.get(options["type"], ("", ""))
    words = {low: "minimum", high: "maximum", "pattern": "pattern"}
    options |= {option: schema[word] for word, option in words.items() if word in schema}
    if "enum" in schema:
        options["choices"] = tuple(value for value in schema["enum"] if value is not None)
    if "properties" in schema:
        options["properties"] = _read_object(schema, path, notes)
    if schema.get("additionalProperties"):
        options["additional_properties"] = True
    return options


def _read_type(schema: Mapping[str, Any]) -> dict[str, Any]:
    declared = schema["type"]
    types = [
        name for name in (declared if isinstance(declared, list) else [declared]) if name != "null"
    ]
    options: dict[str, Any] = {"nullable": True} if "null" in declared else {}
    format_ = schema.get("format")
    if len(types) == 2:
        return {**options, "type": "datetime"}
    if types == ["string"] and format_ in {"text", "password"}:
        return {**options, "type": format_}
    return {**options, "type": types[0]} | ({"format": format_} if format_ else {})


def _read_annotations(
    schema: Mapping[str, Any], path: tuple[str, ...], notes: list[str]
) -> dict[str, Any]:
    """Return the options of a field that its annotations represent."""
    options = {o: schema[annotation(o)] for o in OPTIONS if annotation(o) in schema}
    for option in ("required", "depends_on"):
        if isinstance(options.get(option), dict):
            options[option] = _read_conditions(options[option])
    if "choices" in options:
        options["choices"] = tuple(Choice(**choice) for choice in options["choices"])
    if isinstance(options.get("properties"), dict):
        inner = {"properties": options["properties"]}
        options["properties"] = _read_object(inner, (*path, "x-properties"), notes)
    return options


def _read_conditions(value: Mapping[str, Any]) -> Conditions:
    conditions = tuple(Condition(**condition) for condition in value["conditions"])
    return Conditions(conditions, value.get("match", "all"))


_TEXTS_OF_FIELD: Final = {
    "title": "label",
    "description": "description",
    "default": "default",
    "readOnly": "read_only",
}
_TYPES: Final = {
    "text": ["string"],
    "password": ["string"],
    "datetime": ["string", "number"],
}
_FORMATS: Final = {"text": "text", "password": "password", "datetime": "date-like"}
