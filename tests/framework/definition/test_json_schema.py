"""Field tables convert to and from JSON Schema documents, which accept what the shape accepts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator, FormatChecker

from framework.definition import (
    Choice,
    Condition,
    Conditions,
    Field,
    compile_shape,
    read_fields,
    to_document,
)
from framework.definition.fields import FieldType, Format
from framework.definition.formats import PREDICATES
from framework.errors import DefinitionError
from tests.framework.definition.tables import RAW, VALUES, tables

TABLE = {
    "email": Field(
        "Email",
        "Who.",
        required=True,
        format="email",
        mapping={"@path": "$.email"},
        category="hashedPII",
    ),
    "kind": Field("Kind", choices=(Choice("x", "Ex"), Choice("y")), default="x", nullable=True),
    "total": Field("Total", type="number", minimum=0, maximum=5, read_only=True),
    "name": Field("Name", minimum=1, maximum=3, pattern="^x", placeholder="xyz"),
    "tags": Field("Tags", type="text", multiple=True, nullable=True, dynamic=True),
    "at": Field("At", type="datetime"),
    "key": Field("Key", type="password"),
    "address": Field(
        "Address",
        type="object",
        properties={"zip": Field(required=True), "city": Field()},
        additional_properties=True,
        required=Conditions.all(Condition("kind", "is", "x"), Condition("total", "is_not")),
    ),
}
DOCUMENT = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "email": {
            "title": "Email",
            "description": "Who.",
            "type": "string",
            "format": "email",
            "x-mapping": {"@path": "$.email"},
            "x-category": "hashedPII",
        },
        "kind": {
            "title": "Kind",
            "type": ["string", "null"],
            "enum": ["x", "y", None],
            "default": "x",
            "x-choices": [{"value": "x", "label": "Ex"}, {"value": "y"}],
        },
        "total": {
            "title": "Total",
            "type": "number",
            "minimum": 0,
            "maximum": 5,
            "readOnly": True,
        },
        "name": {
            "title": "Name",
            "type": "string",
            "minLength": 1,
            "maxLength": 3,
            "pattern": "^x",
            "x-placeholder": "xyz",
        },
        "tags": {
            "title": "Tags",
            "type": "array",
            "items": {"type": "string", "format": "text"},
            "x-nullable": True,
            "x-dynamic": True,
        },
        "at": {"title": "At", "type": ["string", "number"], "format": "date-like"},
        "key": {"title": "Key", "type": "string", "format": "password"},
        "address": {
            "title": "Address",
            "type": "object",
            "properties": {"zip": {"type": "string"}, "city": {"type": "string"}},
            "required": ["zip"],
            "additionalProperties": True,
            "x-required": {
                "match": "all",
                "conditions": [
                    {"field": "kind", "operator": "is", "value": "x"},
                    {"field": "total", "operator": "is_not"},
                ],
            },
        },
    },
    "required": ["email"],
    "additionalProperties": False,
    "allOf": [
        {
            "if": {
                "allOf": [
                    {"required": ["kind"], "properties": {"kind": {"const": "x"}}},
                    {"required": ["total"], "properties": {"total": {"not": {"type": "null"}}}},
                ]
            },
            "then": {"required": ["address"]},
        }
    ],
}


def test_a_table_is_written_as_a_document() -> None:
    assert to_document(TABLE) == DOCUMENT
    assert compile_shape(TABLE).schema == DOCUMENT


def test_a_document_is_read_as_a_table() -> None:
    assert read_fields(DOCUMENT) == TABLE


def test_written_by_hand_it_may_leave_out_what_follows() -> None:
    document = {
        "$id": "https://example.com/fields",
        "title": "Fields",
        "type": "object",
        "properties": {
            "a": {
                "type": ["string", "null"],
                "enum": ["x"],
                "readOnly": False,
                "x-required": {"conditions": [{"field": None, "value": ["add", "update"]}]},
                "x-depends-on": {"match": "any", "conditions": [{"field": "b"}]},
            },
            "b": {"type": "object", "properties": {"c": {"type": "integer"}}},
        },
    }

    assert read_fields(document) == {
        "a": Field(
            nullable=True,
            choices=(Choice("x"),),
            required=Conditions.all(Condition(None, "is", ["add", "update"])),
            depends_on=Conditions.any(Condition("b")),
        ),
        "b": Field(type="object", properties={"c": Field(type="integer")}),
    }


@pytest.mark.parametrize(
    ("document", "problems"),
    [
        (5, ["`/`: must be an object, got 5."]),
        ({}, ["`/`: needs `type`."]),
        ({"type": "array"}, ['`/type`: must be one of "object", got "array".']),
        (
            {
                "type": "object",
                "properties": {
                    "a": {"type": "text", "title": 5, "oneOf": []},
                    "b": {"type": "array"},
                    "c": {"type": "string", "x-required": "yes, whenever there is anything at all"},
                    "d": {"type": "string", "x-depends-on": {"match": "some"}},
                },
            },
            [
                "`/properties/a/oneOf`: is not a keyword of fields.",
                "`/properties/a/title`: must be a string, got 5.",
                (
                    '`/properties/a/type`: must be one of "string", "number", "integer", '
                    '"boolean", '
                    '"object", ["string", "number"], ["string", "null"], ["number", "null"], '
                    '["integer", "null"], ["boolean", "null"], ["object", "null"], ["string", '
                    '"number", "null"], "array", got "text".'
                ),
                "`/properties/b`: needs `items`.",
                (
                    "`/properties/c/x-required`: must be true or false or an object, got "
                    '"yes, whenever there is anything at  ....'
                ),
                "`/properties/d/x-depends-on`: needs `conditions`.",
                '`/properties/d/x-depends-on/match`: must be one of "all", "any", got "some".',
            ],
        ),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "string", "minimum": 3}},
                "required": ["z"],
            },
            [
                "`/required`: `z` is not among the properties.",
                "`/properties/a/minimum`: has no effect on a field of this type.",
            ],
        ),
        (
            {
                "type": "object",
                "properties": {
                    "a/b": {"type": "array", "items": {"type": "boolean", "pattern": "x"}},
                    "c": {"type": "string", "x-category": "pii"},
                },
            },
            [
                "`/properties/a~1b/items/pattern`: has no effect on a field of this type.",
                (
                    '`/properties/c`: A field has the category "pii"; it must be one of '
                    "identifier, "
                    "data, internal, config, sync, hashedPII."
                ),
            ],
        ),
        (
            {"type": "object", "properties": {"a": {"type": "string"}}, "allOf": [{"if": {}}]},
            ["`/allOf`: must be left out; conditions are written as `x-required`."],
        ),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "object", "properties": {}, "allOf": [{}]}},
            },
            ["`/properties/a/allOf`: must be left out; conditions are written as `x-required`."],
        ),
    ],
)
def test_what_a_table_cannot_say_is_refused(document: Any, problems: list[str]) -> None:
    with pytest.raises(DefinitionError) as caught:
        read_fields(document)

    assert list(caught.value.problems) == problems


def test_a_document_may_be_a_file(tmp_path: Path) -> None:
    file = tmp_path / "fields.json"
    file.write_text(json.dumps(DOCUMENT), encoding="utf-8")

    assert read_fields(file) == TABLE


def test_a_file_that_is_not_json_is_named(tmp_path: Path) -> None:
    file = tmp_path / "fields.json"
    file.write_text("{", encoding="utf-8")

    with pytest.raises(DefinitionError) as caught:
        read_fields(file)

    assert str(caught.value) == (
        "fields.json cannot be read as JSON: Expecting property name enclosed in double quotes: "
        "line 1 column 2 (char 1)."
    )


def test_a_document_nested_beyond_reason_is_refused() -> None:
    document: dict[str, Any] = {"type": "object"}
    for _ in range(2000):
        document = {"type": "object", "properties": {"a": document}}

    with pytest.raises(DefinitionError) as caught:
        read_fields(document)

    assert str(caught.value) == "The document is nested deeper than 100 levels."


def test_rules_leave_out_what_depends_on_the_sync_mode() -> None:
    mode, other = Condition(None, "is", "add"), Condition("a", "is", "x")
    rule = {
        "if": {"required": ["a"], "properties": {"a": {"const": "x"}}},
        "then": {"required": ["b"]},
    }

    assert "allOf" not in to_document({"b": Field(required=Conditions.all(mode, other))})
    assert "allOf" not in to_document({"b": Field(required=Conditions.any(mode))})
    assert to_document({"b": Field(required=Conditions.any(mode, other))})["allOf"] == [rule]


def checker() -> FormatChecker:
    formats = FormatChecker(formats=())
    for name, holds in PREDICATES.items():
        formats.checks(name)(lambda value, holds=holds: not isinstance(value, str) or holds(value))
    return formats


CHECKER = checker()


@pytest.mark.parametrize("kind", ["string", "text", "password"])
@pytest.mark.parametrize("secret", [True, False])
@pytest.mark.parametrize("shown", [None, "text", "password"])
def test_secrets_stay_hidden(kind: FieldType, shown: Format | None, *, secret: bool) -> None:
    """The format determines the type of a string."""
    table = {"a": Field(type=kind, format=shown, secret=secret)}
    assert read_fields(to_document(table)) == table


def test_a_document_with_invalid_defaults_is_refused() -> None:
    inner = {"type": "object", "properties": {"n": {"type": "integer", "default": "x"}}}
    document: Any = {
        "type": "object",
        "properties": {"a": {"type": "integer", "default": "7"}, "b": inner},
    }
    with pytest.raises(DefinitionError) as caught:
        read_fields(document)
    assert caught.value.problems == (
        '`/properties/a`: `default` must be an integer, got "7".',
        '`/properties/b/properties/n`: `default` must be an integer, got "x".',
    )


@settings(max_examples=100, deadline=None)
@given(tables(), RAW)
def test_tables_and_documents_say_the_same(table: dict[str, Field], raw: dict[str, Any]) -> None:
    """Nothing is lost either way, and the document accepts shaped values."""
    document = json.loads(json.dumps(to_document(table)))
    Draft202012Validator.check_schema(document)
    assert read_fields(document) == table

    validator = Draft202012Validator(document, format_checker=CHECKER)
    shape = compile_shape(table)
    shaped, _ = shape.interpret(raw)
    shaped.pop("dynamicAuthSettings", None)
    if not table or "" in shaped.values() or asks_for_the_mode(table):
        return
    again, problems = shape.interpret(shaped)
    assert validator.is_valid(shaped) is (not problems and again == shaped)


def asks_for_the_mode(table: dict[str, Field]) -> bool:
    return "null" in json.dumps([c.field for f in table.values() for c in conditions(f)])


def conditions(entry: Field) -> list[Condition]:
    own = entry.required.conditions if isinstance(entry.required, Conditions) else ()
    inner = [c for f in (entry.properties or {}).values() for c in conditions(f)]
    return [*own, *inner]


@settings(max_examples=50, deadline=None)
@given(VALUES)
def test_no_document_breaks_the_reader(document: Any) -> None:
    with pytest.raises(DefinitionError):
        read_fields(document)
