"""The field table: every input of an action or of a destination's settings, with all its options.

A table is a `dict` from key to `Field`. `framework.definition.typed_classes` declares one as a
class; `framework.definition.json_schema` converts one to a JSON Schema document.
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
from framework.normalize import METHODS, DigestMethod
from framework.paths import JSON, MISSING

FieldType: TypeAlias = Literal[
    "string", "text", "password", "number", "integer", "boolean", "datetime", "object"
]
"""The type of a field; `text` and `password` are strings that a form shows differently."""

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
"""The format of a string; `password` and `text` accept any string."""

Category: TypeAlias = Literal["identifier", "data", "internal", "config", "sync", "hashedPII"]
ObjectUI: TypeAlias = Literal["keyvalue", "object", "keyvalue:only", "object:only", "arrayeditor"]
InputMethod: TypeAlias = Literal["literal", "variable", "function", "enrichment", "freeform"]
DisplayMode: TypeAlias = Literal["expanded", "normal", "collapsed"]

FieldTable: TypeAlias = Mapping[str, "Field"]

STRING_TYPES = frozenset({"string", "text", "password"})
"""The field types whose values are strings."""

SECRET = "(secret)"  # noqa: S105 - shown in place of a secret
"""Shown in place of a secret value."""

_LIMITED = frozenset({"string", "number", "integer"})
_OPTIONS: dict[str, tuple[str, ...]] = {
    "type": get_args(FieldType),
    "format": get_args(Format),
    "category": get_args(Category),
    "object_ui": get_args(ObjectUI),
    "display_mode": get_args(DisplayMode),
    "hashed": METHODS,
}


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of a field, and its label in a form."""

    value: JSON
    label: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on another field, or on the subscription's sync mode.

    *field* is the key of a field, with dots for keys inside objects; None is the sync mode.
    *value* is the expected value or a list of them; without it, the condition is that the field
    has no value (is missing or null).

    Some rules follow Segment's implementation, because saved definitions rely on them: a condition
    applies to the mapped value before conversion; the condition of a field deeper than the
    properties of a field is looked up in the object that holds its parent; and a dotted key
    without *value* means the opposite (`is`: the field has a value). Conditions for properties of
    objects in a list do not apply to each item. `check_fields` reports the last two cases.
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
    """Conditions of which `all` or `any` must hold."""

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
        """Require every one of *conditions*."""
        return cls(conditions, "all")

    @classmethod
    def any(cls, *conditions: Condition) -> Conditions:
        """Require at least one of *conditions*."""
        return cls(conditions, "any")


@dataclass(frozen=True, slots=True)
class Field:
    """One named input: its type, texts, accepted values and appearance in forms.

    The options are those of Segment's field table in Python spelling, and `pattern`.
    *default* is the initial value and *mapping* the initial expression in a new subscription.
    *minimum* and *maximum* bound numbers, or the number of characters of the type `string`. Like
    *format* (of the type `string` only, as in Segment's implementation), *pattern* and *choices*,
    they apply to each item of a `multiple` field. *properties* and *additional_properties*
    describe objects: without properties all keys are kept; with them, undeclared keys are dropped
    unless allowed. *hashed* is the hash function whose digest replaces a valid string, or each item
    of a multiple field; a hash by that function is kept, in lower case. *extra* holds the keys of a
    manifest that no option represents.

    Raises DefinitionError with every invalid option. `check_fields` reports options without effect
    (bounds that exclude each other, conditions on fields that do not exist).
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
    hashed: DigestMethod | None = None
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
    """Return the problems of fields whose options have no effect, each field on its own."""
    return [f"Field `{key}` {text}" for key, entry in fields.items() for text in _pointless(entry)]


def check_fields(fields: FieldTable) -> list[str]:
    """Return the options of a table that have no effect, in the table's order.

    These are bounds that exclude each other, options that do not apply to the field's type, a
    default that is not among the choices, and conditions on fields that the table does not have.
    Definitions from other sources may contain them and still work.
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
            yield prefix + key, "is conditionally required, which has no effect on items of a list."


def conditions_of(field: Field) -> Iterator[Condition]:
    """Return the conditions under which a field is required or displayed."""
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
            yield f"has a {text} that is not a string."
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
    if field.hashed is not None and field.type not in STRING_TYPES:
        yield f"is of type {field.type}, which cannot be hashed."


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
            yield f"has the limit {limit}; the length of a string is a whole number from 0 on."
    if (low is not None or high is not None) and field.type not in _LIMITED:
        yield f"is of type {field.type}, which has no minimum or maximum."
    if field.type not in STRING_TYPES and (field.format or field.pattern):
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
        yield f"asks whether `{condition.field}` has no value; Segment tests the opposite."


def _reachable(fields: FieldTable, key: str) -> bool:
    if key in fields:
        return True
    head, dot, rest = key.partition(".")
    if not dot or head not in fields or fields[head].type != "object":
        return False
    inner = fields[head].properties
    return inner is None or bool(fields[head].additional_properties) or _reachable(inner, rest)
