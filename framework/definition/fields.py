"""The field table: every input of an action or of a destination's settings, with all its options.

A table is a `dict` from key to `Field`. `framework.definition.records` gives the comfortable way to
write one as a class; `framework.definition.document` gives its form as a JSON Schema document.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, get_args

from framework.errors import DefinitionError
from framework.paths import JSON, MISSING

FieldType: TypeAlias = Literal[
    "string", "text", "password", "number", "integer", "boolean", "datetime", "object"
]
"""What a field holds; `text` and `password` are strings that a form shows differently."""

Format: TypeAlias = Literal[
    "date",
    "time",
    "date-time",
    "uri",
    "uri-reference",
    "uri-template",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "regex",
    "uuid",
    "password",
    "text",
]
"""How a string must look; `password` and `text` accept any string."""

Category: TypeAlias = Literal["identifier", "data", "internal", "config", "sync", "hashedPII"]
ObjectUI: TypeAlias = Literal["keyvalue", "object", "keyvalue:only", "object:only", "arrayeditor"]
InputMethod: TypeAlias = Literal["literal", "variable", "function", "enrichment", "freeform"]
DisplayMode: TypeAlias = Literal["expanded", "normal", "collapsed"]

FieldTable: TypeAlias = Mapping[str, "Field"]

TEXTS = frozenset({"string", "text", "password"})
"""The types whose values are strings."""

SECRET = "(secret)"  # noqa: S105 - what is shown instead of one
"""Stands for a secret value wherever a value is shown."""

_LIMITED = frozenset({"string", "number", "integer"})
_OPTIONS: dict[str, tuple[str, ...]] = {
    "type": get_args(FieldType),
    "format": get_args(Format),
    "category": get_args(Category),
    "object_ui": get_args(ObjectUI),
    "display_mode": get_args(DisplayMode),
}


@dataclass(frozen=True, slots=True)
class Choice:
    """One value that a field may take, and how a form shows it."""

    value: JSON
    label: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Condition:
    """A statement about another field, or about the subscription's sync mode.

    *field* is the key of a field, with dots where it leads into objects; None speaks about the sync
    mode. *value* is what it is compared with: one value, a list (any of them), or nothing at all,
    which asks whether the field has no value (is missing or null).

    The reference reads some things its own way, and saved definitions mean them so: a condition on
    a value is about what the mapping gave, before it is converted; the condition of a field deeper
    than the properties of a field is looked up in the object that holds its parent; and a dotted
    key compared with nothing asks the opposite (`is`: there is a value). The properties of objects
    in a list are not required of each item. `check_fields` tells of the last two.
    """

    field: str | None
    operator: Literal["is", "is_not"] = "is"
    value: JSON = MISSING

    def __post_init__(self) -> None:
        if self.operator not in {"is", "is_not"}:
            raise DefinitionError(
                f'The operator of a condition must be is or is_not, got "{self.operator}".'
            )


@dataclass(frozen=True, slots=True)
class Conditions:
    """Statements of which `all` must hold, or `any`."""

    conditions: tuple[Condition, ...]
    match: Literal["all", "any"] = "all"

    def __post_init__(self) -> None:
        object.__setattr__(self, "conditions", tuple(self.conditions))
        if self.match not in {"all", "any"}:
            raise DefinitionError(
                f'The match of conditions must be all or any, got "{self.match}".'
            )

    @classmethod
    def all(cls, *conditions: Condition) -> Conditions:
        """Ask for every one of *conditions*."""
        return cls(conditions, "all")

    @classmethod
    def any(cls, *conditions: Condition) -> Conditions:
        """Ask for at least one of *conditions*."""
        return cls(conditions, "any")


@dataclass(frozen=True, slots=True)
class Field:
    """One named input: its type, its texts, what it accepts and how a form shows it.

    The options are those of the reference's field table, spelled the Python way, and `pattern`.
    *default* is a value and *mapping* an expression that a new subscription starts with. *minimum*
    and *maximum* bound numbers, or the number of characters of the type `string`. Like *format*
    (of the type `string` only, as in the reference), *pattern* and *choices*, they speak about each
    member of a `multiple` field. *properties* and *additional_properties* describe objects: without
    properties anything is kept; with them, undeclared keys are dropped unless allowed. *extra* is
    what a manifest said that the other options cannot, kept for writing it again.

    Raises DefinitionError with everything that can never be right. What is only pointless (bounds
    that exclude each other, conditions about fields that do not exist) is told by `check_fields`.
    """

    label: str = ""
    description: str = ""
    type: FieldType = "string"
    required: bool | Conditions = False
    multiple: bool = False
    nullable: bool = False
    default: JSON = None
    mapping: JSON = None
    choices: tuple[Choice, ...] = ()
    format: Format | None = None
    pattern: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    placeholder: str = ""
    category: Category | None = None
    depends_on: Conditions | None = None
    dynamic: bool = False
    properties: FieldTable | None = None
    additional_properties: bool | None = None
    object_ui: ObjectUI | None = None
    disabled_input_methods: tuple[InputMethod, ...] = ()
    display_mode: DisplayMode | None = None
    read_only: bool = False
    hidden: bool = False
    secret: bool = False
    extra: Mapping[str, JSON] = dataclasses.field(default_factory=dict, repr=False, hash=False)

    def __post_init__(self) -> None:
        _settle(self, "choices", tuple(_choice(value) for value in self.choices))
        _settle(self, "disabled_input_methods", tuple(self.disabled_input_methods))
        _settle(self, "required", _conditions(self.required))
        _settle(self, "depends_on", _conditions(self.depends_on))
        if self.properties is not None:
            _settle(self, "properties", MappingProxyType(dict(self.properties)))
        if self.type == "password":
            _settle(self, "secret", True)
        refuse(f"Field `{self.label}`" if self.label else "A field", _impossible(self))

    def __reduce__(self) -> tuple[Any, ...]:
        values = [getattr(self, name) for name in type(self).__slots__]
        position = type(self).__slots__.index("properties")
        if self.properties is not None:
            values[position] = dict(self.properties)
        return type(self), tuple(values)


def refuse(subject: str, problems: Iterable[str]) -> None:
    """Raise a DefinitionError about *subject* (a noun) if there are problems."""
    found = tuple(f"{subject} {problem}" for problem in problems)
    if found:
        raise DefinitionError("\n".join(found), found)


def check_options(fields: FieldTable) -> list[str]:
    """List the options of a table's fields that are pointless, whatever the other fields are."""
    return [f"Field `{key}` {text}" for key, entry in fields.items() for text in _pointless(entry)]


def check_fields(fields: FieldTable) -> list[str]:
    """List what is pointless in a table although each field is possible, in the table's order.

    These are bounds that exclude each other, options that the field's type does not have, a default
    that is not among the choices, and conditions about fields that the table does not have.
    Definitions that others wrote may hold all of this and still work as far as they go.
    """
    return [f"Field `{key}` {text}" for key, text in _doubts(fields, "", fields)]


def _doubts(fields: FieldTable, prefix: str, beside: FieldTable) -> Iterator[tuple[str, str]]:
    for key, entry in fields.items():
        problems = [*_pointless(entry)]
        for condition in conditions_of(entry):
            problems += _astray(condition, beside)
        yield from ((prefix + key, problem) for problem in problems)
        if entry.properties:
            yield from _doubts(entry.properties, f"{prefix}{key}.", fields)
            if entry.multiple:
                yield from _unasked(entry.properties, f"{prefix}{key}.")


def _unasked(properties: FieldTable, prefix: str) -> Iterator[tuple[str, str]]:
    for key, entry in properties.items():
        if isinstance(entry.required, Conditions):
            yield prefix + key, "is required under conditions, which items of a list are not asked."


def conditions_of(field: Field) -> Iterator[Condition]:
    """Return the conditions under which a field is required or shown."""
    for conditions in (field.required, field.depends_on):
        if isinstance(conditions, Conditions):
            yield from conditions.conditions


def _settle(field: Field, name: str, value: Any) -> None:
    object.__setattr__(field, name, value)


def _choice(value: Any) -> Choice:
    return value if isinstance(value, Choice) else Choice(value)


def _conditions(value: Any) -> Any:
    return Conditions((value,)) if isinstance(value, Condition) else value


def _impossible(field: Field) -> Iterator[str]:
    for text in ("label", "description"):
        if not isinstance(getattr(field, text), str):
            yield f"has a {text} that is no text."
    for option, allowed in _OPTIONS.items():
        value = getattr(field, option)
        if value not in (*allowed, None):
            yield f'has the {option} "{value}"; it must be one of {", ".join(allowed)}.'
    for method in field.disabled_input_methods:
        if method not in get_args(InputMethod):
            known = ", ".join(get_args(InputMethod))
            yield f'disables the input method "{method}"; it must be one of {known}.'
    yield from _impossible_values(field)


def _impossible_values(field: Field) -> Iterator[str]:
    if field.default is not None and field.mapping is not None:
        yield "has both a default value and a default mapping."
    yield from _impossible_choices(field.choices)
    for option in ("minimum", "maximum"):
        limit = getattr(field, option)
        if limit is not None and not _is_finite(limit):
            yield f"has the {option} {limit!r}; it must be a finite number."
    if field.pattern is not None:
        yield from _pattern_problems(field.pattern)


def _impossible_choices(choices: Iterable[Choice]) -> Iterator[str]:
    seen: set[str | tuple[type, JSON]] = set()
    for choice in choices:
        value = choice.value
        nested = isinstance(value, dict | list)
        key = json.dumps(value, sort_keys=True) if nested else (type(value), value)
        if key in seen:
            yield f"offers the choice {json.dumps(value)} twice."
        if value is MISSING or value is None:
            yield "offers a choice without a value."
        seen.add(key)


def _is_finite(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value)


def _pattern_problems(pattern: str) -> Iterator[str]:
    try:
        re.compile(pattern)
    except re.error as error:
        yield f"has the pattern `{pattern}`, which is not a regular expression: {error}."


def _pointless(field: Field) -> Iterator[str]:
    low, high = field.minimum, field.maximum
    if low is not None and high is not None and low > high:
        yield f"accepts nothing: its minimum {low} is above its maximum {high}."
    for limit in (low, high):
        if limit is not None and field.type == "string" and (limit < 0 or limit % 1):
            yield f"has the limit {limit}; there are no texts of that length."
    if (low is not None or high is not None) and field.type not in _LIMITED:
        yield f"is of type {field.type}, which has no minimum or maximum."
    if field.type not in TEXTS and (field.format or field.pattern):
        yield f"is of type {field.type}, which has no format or pattern."
    open_ = field.properties is not None or field.additional_properties is not None
    if field.type != "object" and open_:
        yield f"is of type {field.type}, which has no properties."
    values = [choice.value for choice in field.choices]
    if values and field.default is not None and not field.multiple and field.default not in values:
        yield "has a default that is not among its choices."


def _astray(condition: Condition, fields: FieldTable) -> Iterator[str]:
    if condition.field is not None and not _reachable(fields, condition.field):
        known = ", ".join(fields)
        yield f"has a condition on the unknown field `{condition.field}`. Known fields: {known}."
    if condition.field is not None and condition.value is MISSING and "." in condition.field:
        yield f"asks whether `{condition.field}` has no value; the reference reads the opposite."


def _reachable(fields: FieldTable, key: str) -> bool:
    if key in fields:
        return True
    head, dot, rest = key.partition(".")
    if not dot or head not in fields or fields[head].type != "object":
        return False
    inner = fields[head].properties
    return inner is None or bool(fields[head].additional_properties) or _reachable(inner, rest)
