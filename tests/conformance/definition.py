"""Field tables, payloads and audience membership, held against Segment's recorded ones.

Our problems are data; here they are said in Segment's words. What we do on purpose although
no tag excuses it stands in `_ours`, `_amended` and `_takes_any_operator`, each with its reason;
`test_translations` names the cases that need it.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from framework.definition import Field, Problem, Shape, compile_shape, membership, to_document
from framework.definition.coercion import equal_json
from framework.definition.field_json import IN_ACTIONS, read_table
from framework.definition.fields import STRING_TYPES
from framework.definition.formats import PREDICATES
from framework.definition.json_io import JsonPointer
from framework.errors import ConfigurationError, PayloadValidationError
from framework.mapping import compile_mapping

Case = dict[str, Any]


def check_membership(case: Case) -> str | None:
    """Compare who is added and removed."""
    told = membership(case["event"], case.get("syncMode"))
    expected = case["expected"]
    if "error" in expected:
        return f"{told!r} instead of an error"
    return None if told is expected["membership"] else f"{told!r}, not {expected['membership']!r}"


def check_payload(case: Case) -> str | None:
    """Compare the payload of an event, or all its problems."""
    expected = case["expected"]
    failed = "error" in expected or "errors" in expected
    table = declared(case)
    if table is None or not isinstance(case.get("data"), dict):
        return None if failed else "the fields or the event are refused"
    try:
        raw = compile_mapping(case["mapping"]).resolve(case["data"])
    except (ConfigurationError, PayloadValidationError) as error:
        return None if failed else f"the mapping is refused: {error}"
    if "error" in expected:
        return f"no error, but {raw!r}"
    if not isinstance(raw, dict):
        return None if failed else f"the mapping gives {raw!r}"
    return _compare_payload(compile_shape(table), raw, expected)


def check_fields_schema(case: Case) -> str | None:
    """Compare what two schemas accept, on many values, and their annotations."""
    expected = case["expected"]
    table = declared(case)
    if "error" in expected:
        return None if table is None else "the fields are accepted"
    schema = expected["schema"]
    if table is None:
        return None if _unusable(schema) or _takes_any_operator(case) else "the fields are refused"
    if _unusable(schema):
        return None
    document = _with_options(to_document(table), case.get("options") or {})
    said = _compare_annotations(document, schema, "")
    return said or _compare_acceptance(table, document, _amended(schema, table), case["id"])


ADAPTERS: dict[str, Callable[[Case], str | None]] = {
    "fields_schema": check_fields_schema,
    "payload": check_payload,
    "membership": check_membership,
}


def declared(case: Case) -> dict[str, Field] | None:
    """Read the fields; None where something in them cannot be what it says.

    A table that is only doubtful (bounds that exclude each other) works as it is written.
    """
    place = JsonPointer("", [], [])
    table = read_table(case.get("fields"), place, IN_ACTIONS)
    doubts = [note for note in place.warnings if "an ineffective option" not in str(note)]
    return None if place.errors or doubts else table


def _compare_payload(shape: Shape, raw: dict[str, Any], expected: Case) -> str | None:
    shaped, problems = shape.interpret(raw)
    try:
        applied = shape.apply(raw)
    except PayloadValidationError:
        applied = None
    if (applied is None) != bool(problems) or (
        applied is not None and not equal_json(applied, shaped)
    ):
        return f"the compiled shape gives {applied!r}, the plain one {shaped!r}"
    problems = [problem for problem in problems if not _ours(problem)]
    if "payload" in expected:
        wrong = problems or not equal_json(shaped, expected["payload"])
        return f"{shaped!r} with {problems!r}" if wrong else None
    said = {text for problem in problems for text in _said(problem, shape)}
    wanted = {(error["pointer"], error["message"]) for error in expected["errors"]}
    wanted = {pair for pair in wanted if 'must match "then" schema' not in pair[1]}
    return None if said == wanted else f"{sorted(said - wanted)}, not {sorted(wanted - said)}"


def _ours(problem: Problem) -> bool:
    """Return whether only we see a problem.

    Segment puts formats and limits of a multiple field on the list, where they check
    nothing, and ignores limits of integers and limits of 0; we honour them.
    """
    limit = problem.field.minimum if problem.code == "too_small" else problem.field.maximum
    if problem.field.multiple:
        return problem.code not in {"required", "type", "choices"}
    if problem.code in {"too_small", "too_large"}:
        return problem.field.type == "integer" or limit == 0
    return False


def _said(problem: Problem, shape: Shape) -> Iterator[tuple[str, str]]:
    """Return Segment's pairs of pointer and message for a problem."""
    if problem.code == "required":
        parent = problem.path[:-1]
        subject = _subject(parent, shape)
        if problem.field.required is not True and parent:
            subject = f"The value at {_pointer(parent)}"
        yield _pointer(parent), f"{subject} is missing the required field '{problem.path[-1]}'."
        return
    subject = _subject(problem.path, shape)
    yield _pointer(problem.path), f"{subject} {_demand(problem)}."
    if problem.code == "type" and _is_one(problem) and _is_no_choice(problem):
        yield _pointer(problem.path), f"{subject} {_one_of(problem.field)}."
    if problem.code == "type" and _is_one(problem) and _is_misformed(problem):
        yield _pointer(problem.path), f"{subject} {_demand(replace(problem, code='format'))}."


def _pointer(path: tuple[str | int, ...]) -> str:
    return "".join(f"/{str(key).replace('~', '~0').replace('/', '~1')}" for key in path)


def _subject(path: tuple[str | int, ...], shape: Shape) -> str:
    if not path:
        return "The root value"
    fields: Any = shape.fields
    label = ""
    for key in path:
        if isinstance(key, int):
            label = ""
        else:
            label, fields = fields[key].label, fields[key].properties
    return label or f"The value at {_pointer(path)}"


def _is_one(problem: Problem) -> bool:
    return not problem.field.multiple or isinstance(problem.path[-1], int)


def _is_no_choice(problem: Problem) -> bool:
    choices = [choice.value for choice in problem.field.choices]
    return bool(choices) and not any(equal_json(problem.found, value) for value in choices)


def _is_misformed(problem: Problem) -> bool:
    """Return whether a string, where none is allowed, also violates the field's format."""
    holds = PREDICATES.get(problem.field.format or "")
    return isinstance(problem.found, str) and holds is not None and not holds(problem.found)


def _demand(problem: Problem) -> str:
    field = problem.field
    match problem.code:
        case "type":
            return f"must be {_types(problem)} but it was {_A[type(problem.found)]}"
        case "choices":
            return _one_of(field)
        case "format":
            name = "date-like" if field.type == "datetime" else str(field.format)
            return f"must be a valid {_FORMATS.get(name, name)} string but it was not"
        case "too_small" | "too_large":
            word, limit = ("greater", field.minimum), ("less", field.maximum)
            side = word if problem.code == "too_small" else limit
            return f"must be equal to or {side[0]} than {_number(side[1])}"
        case _:
            short = problem.code == "too_short"
            limit_ = field.minimum if short else field.maximum
            side_ = "more" if short else "fewer"
            units = len(problem.found.encode("utf-16-le")) // 2
            return (
                f"must be {_number(limit_)} character{'' if limit_ == 1 else 's'} or {side_} "
                f"but it was {units} character{'' if units == 1 else 's'}"
            )


def _types(problem: Problem) -> str:
    field = problem.field
    if not _is_one(problem):
        return "an array"
    names: list[str] = ["string"] if field.type in STRING_TYPES else [field.type]
    if field.type == "datetime":
        names = ["string", "number"]
    if field.nullable and not field.multiple and field.properties is None:
        names.append("null")
    article = "an" if names[0][0] in "aeiou" else "a"
    return f"{article} {_or(names)}"


def _or(words: list[str]) -> str:
    if len(words) < 3:
        return " or ".join(words)
    return f"{', '.join(words[:-1])}, or {words[-1]}"


def _one_of(field: Field) -> str:
    values = [choice.value for choice in field.choices]
    values += [None] if field.nullable else []
    return f"must be one of: {_or([json.dumps(value, ensure_ascii=False) for value in values])}"


def _number(value: float | None) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


_A = {
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "a boolean",
    dict: "an object",
    list: "an array",
    type(None): "null",
}
_FORMATS = {
    "email": "email address",
    "uri": "URI",
    "uri-reference": "URI Reference",
    "uri-template": "URI-template",
    "date-time": "date and time",
    "ipv4": "IPv4 address",
    "ipv6": "IPv6 address",
    "regex": "regular expression",
}


# Schemas


def _takes_any_operator(case: Case) -> bool:
    """Among several conditions Segment takes any unknown operator for `is_not`."""
    required = [field.get("required") for field in case["fields"].values()]
    several = [
        conditions
        for one in required
        if isinstance(one, dict) and len(conditions := one.get("conditions", ())) > 1
    ]
    operators = {condition.get("operator") for each in several for condition in each}
    return not operators <= {"is", "is_not"}


def _unusable(schema: Any) -> bool:
    """Return whether Segment's validator refuses the schema, or the schema everything."""
    if isinstance(schema, list):
        return any(map(_unusable, schema))
    if not isinstance(schema, dict):
        return False
    types = schema.get("type", [])
    types = types if isinstance(types, list) else [types]
    choices = schema.get("enum", ["any"])
    return (
        not set(types) <= {"string", "number", "integer", "boolean", "object", "array", "null"}
        or schema.get("format", "text") not in PREDICATES
        or not choices
        or len(choices) > len({json.dumps(choice) for choice in choices})
        or (None in choices and "null" not in types)
        or any(map(_unusable, (schema.get("properties") or {}).values()))
        or _unusable(schema.get("items"))
    )


def _with_options(document: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """Change our document as Segment's options for its code generator change its schema."""
    if options.get("tsType") or options.get("omitRequiredSchemas"):
        document.pop("allOf", None)
    if options.get("omitRequiredSchemas"):
        del document["required"]
    if options.get("additionalProperties"):
        document["additionalProperties"] = True
    return document


def _compare_annotations(document: Any, schema: Any, path: str) -> str | None:
    for key, theirs in schema.get("properties", {}).items():
        ours = document["properties"][key]
        for word in ("title", "description"):
            if (ours.get(word) or "") != (theirs.get(word) or ""):
                return f"{path}/{key}: {word} is {ours.get(word)!r}"
        default = ours.get("default", ours.get("x-mapping"))
        if not equal_json(default, theirs.get("default")):
            return f"{path}/{key}: default is {default!r}"
        item, theirs_item = ours.get("items", ours), theirs.get("items", theirs)
        if not equal_json(item.get("enum"), theirs_item.get("enum")):
            return f"{path}/{key}: enum is {item.get('enum')!r}"
        said = ours.get("x-format", item.get("format"))
        if theirs.get("format", theirs_item.get("format")) != (item.get("format") or said):
            return f"{path}/{key}: format is {said!r}"
        if "properties" in theirs_item:
            inner = _compare_annotations(item, theirs_item, f"{path}/{key}")
            if inner:
                return inner
    return None


def _amended(schema: dict[str, Any], table: Any) -> dict[str, Any]:
    """Return Segment's schema with the options that it ignores: limits, formats, null."""
    properties = {
        key: _amended_field(theirs, table[key]) for key, theirs in schema["properties"].items()
    }
    rules = json.loads(json.dumps(schema.get("allOf", [])), object_hook=_amended_rule)
    return {**schema, "properties": properties, "allOf": rules or [{}]}


def _amended_rule(rule: dict[str, Any]) -> dict[str, Any]:
    """Make a list of values match any of them, and null count as no value."""
    if isinstance(rule.get("const"), list):
        return {"enum": [*rule["const"], rule["const"]]}
    for word in ("allOf", "anyOf"):
        if isinstance(rule.get(word), list) and len(rule[word]) > 1:
            rule = {**rule, word: [_without_null(test) for test in rule[word]]}
    return rule


def _without_null(test: dict[str, Any]) -> dict[str, Any]:
    asked = test.get("not", test)
    if set(asked) != {"required"}:
        return test
    present = {**asked, "properties": {key: {"not": {"type": "null"}} for key in asked["required"]}}
    return {"not": present} if "not" in test else present


def _amended_field(schema: dict[str, Any], field: Field) -> dict[str, Any]:
    item = dict(schema.get("items") or schema)
    item.update({word: schema[word] for word in ("format", "minLength") if word in schema})
    item.update({word: schema[word] for word in ("maxLength",) if word in schema})
    if field.type in {"integer", "number"}:
        limits = {"minimum": field.minimum, "maximum": field.maximum}
        item.update({word: limit for word, limit in limits.items() if limit is not None})
    if field.type == "object" and field.properties is not None:
        item = _amended(item, field.properties)
        if field.nullable and not field.multiple:
            item["type"] = ["object", "null"]
    return {"type": "array", "items": item} if field.multiple else item


def _compare_acceptance(table: Any, ours: Any, theirs: Any, seed: str) -> str | None:
    validators = [
        Draft202012Validator(schema, format_checker=_CHECKER) for schema in (ours, theirs)
    ]
    for value in _probes(table, random.Random(seed)):  # noqa: S311 - repeatable probes, no secret
        mine, reference = (validator.is_valid(value) for validator in validators)
        if mine != reference:
            return f"{value!r} is {'accepted' if mine else 'refused'}"
    return None


def _probes(table: dict[str, Field], chance: random.Random) -> Iterator[dict[str, Any]]:
    """Return values to try: each field alone, and many mixtures of all fields."""
    yield {}
    yield {"undeclared": 1}
    for key, field in table.items():
        for value in _values(field, chance):
            yield {key: value}
    for _ in range(120):
        yield {
            key: chance.choice(_values(field, chance))
            for key, field in table.items()
            if chance.random() < 0.7
        }


def _values(field: Field, chance: random.Random) -> list[Any]:
    values = [*_VALUES, *(choice.value for choice in field.choices)]
    if field.properties is not None:
        probes = list(_probes_of_object(field.properties, chance))
        values += probes
    return values + [[value] for value in values] if field.multiple else values


def _probes_of_object(table: Any, chance: random.Random) -> Iterator[dict[str, Any]]:
    for _ in range(6):
        yield {
            key: chance.choice(_values(field, chance))
            for key, field in table.items()
            if chance.random() < 0.7
        }


_VALUES: list[Any] = [
    *("", "x", "v", "w", "long text value", "a@b.co", "https://x.y", "2024-03-05", "nope"),
    *(0, 1, 3, 5, 2.5, -4, True, False, None),
    *([], ["v", "w"], {}, {"x": "v"}, {"p0": 1}, {"p0": "x", "p1": True}),
]


def _checker() -> FormatChecker:
    checker = FormatChecker(formats=())
    for name, holds in PREDICATES.items():
        checker.checks(name)(lambda value, holds=holds: not isinstance(value, str) or holds(value))
    return checker


_CHECKER = _checker()
