"""Functions that generated code calls for values that are not ready, each made for one field.

A value is ready if it already has the field's type; generated code uses it unchanged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import NoneType
from typing import Any, Final

from framework.codegen import VARIABLE
from framework.definition.coercion import REFUSED, Coercer, coercer_of
from framework.definition.field_checks import Prune, checks_of, pruner_of, top_pruner_of
from framework.definition.fields import Field
from framework.normalize import DigestMethod, digest
from framework.paths import JSON, MISSING, Missing

FOLDED: Final = (str, int, float, bool, NoneType, Missing)
"""The types of constants that are shaped when code is generated."""


@dataclass(frozen=True, slots=True)
class Fallback:
    """The position of a value, which decides what counts as empty; *blank* keeps empty strings."""

    pruner_of: Callable[[Field], Prune]
    blank: bool


def _keeper_of(_field: Field) -> Prune:
    return lambda value: value


AS_FIELD: Final = Fallback(top_pruner_of, blank=True)
"""The value of a field of the table."""

AS_PROPERTY: Final = Fallback(pruner_of, blank=False)
"""The value of a property of an object."""

IN_ITEM: Final = Fallback(_keeper_of, blank=False)
"""The value of a property of an object in a list: those are not pruned."""


def is_plain(field: Field) -> bool:
    """Return whether a field's value is only converted and checked: no parts, no hash."""
    return not field.multiple and not has_properties(field) and field.hashed is None


def has_properties(field: Field) -> bool:
    """Return whether a field's value is an object or list of objects with declared properties."""
    return field.type == "object" and field.properties is not None


def converter_of(field: Field, standing: Fallback = AS_FIELD) -> Coercer:
    """Return the function for values of a field that are not ready.

    It returns MISSING for empty and REFUSED for invalid values; plain values are not checked yet.
    """
    prune = standing.pruner_of(field)
    convert = coercer_of(field) if is_plain(field) else _shaper_of(field)

    def convert_pruned(value: JSON) -> Any:
        value = prune(value)
        return value if value is MISSING else convert(value)

    return convert_pruned


def putter_of(
    key: str, field: Field, standing: Fallback
) -> Callable[[dict[str, Any], JSON | Missing], bool]:
    """Return the function that shapes a value of a plain field and puts it into an object.

    It returns whether the value is valid. An empty value is not put into the object; it is valid
    unless the field is required.
    """
    convert = converter_of(field, standing)
    checks = [check.holds for check in checks_of(field)]

    def put_converted(made: dict[str, Any], value: JSON | Missing) -> bool:
        shaped = value if value is MISSING else convert(value)
        if shaped is MISSING:
            return field.required is not True
        if shaped is REFUSED:
            return False
        made[key] = shaped
        return (shaped is None and field.nullable) or all(holds(shaped) for holds in checks)

    return put_converted


def shaped_constant(field: Field, constant: JSON, standing: Fallback) -> Any:
    """Return the shape of a constant; VARIABLE if each event needs its own copy."""
    shaped = converter_of(field, standing)(constant)
    if shaped is REFUSED or not isinstance(shaped, FOLDED):
        return REFUSED if shaped is REFUSED else VARIABLE
    checked = is_plain(field) and shaped not in {MISSING, None}
    if checked and not all(check.holds(shaped) for check in checks_of(field)):
        return REFUSED
    return shaped


def _shaper_of(field: Field) -> Coercer:
    """Return the function that converts and validates a pruned value of a field."""
    one = _shaper_of_one(field)
    if not field.multiple:
        return one

    def shape_all(value: JSON) -> Any:
        if isinstance(value, dict):
            return REFUSED
        items = [one(item) for item in (value if isinstance(value, list) else [value])]
        return REFUSED if any(item is REFUSED for item in items) else items

    return shape_all


def _shaper_of_one(field: Field) -> Coercer:
    coerce = coercer_of(field)
    checks = [check.holds for check in checks_of(field)]
    enter = _properties_shaper(field) if field.properties is not None else None
    if field.type == "object" and enter is not None:
        coerce = _then(coerce, enter)

    def shape_one(value: JSON) -> Any:
        shaped = coerce(value)
        if shaped is REFUSED or shaped is None or all(holds(shaped) for holds in checks):
            return shaped
        return REFUSED

    valid = shape_one if checks else coerce
    return valid if field.hashed is None else _hashed(valid, field.hashed)


def _hashed(shape: Coercer, method: DigestMethod) -> Coercer:
    def shape_and_hash(value: JSON) -> Any:
        shaped = shape(value)
        return digest(shaped, method) if isinstance(shaped, str) else shaped

    return shape_and_hash


def _then(coerce: Coercer, enter: Coercer) -> Coercer:
    def both(value: JSON) -> Any:
        shaped = coerce(value)
        return enter(shaped) if isinstance(shaped, dict) else shaped

    return both


def _properties_shaper(field: Field) -> Coercer:
    fields = field.properties or {}
    plan = [(key, _shaper_of(inner), inner.required is True) for key, inner in fields.items()]

    def shape_properties(value: dict[str, JSON]) -> Any:
        shaped: dict[str, Any] = {}
        for key, shape, required in plan:
            inner = value.get(key, MISSING)
            if inner is not MISSING:
                made = shaped[key] = shape(inner)
                if made is REFUSED:
                    return REFUSED
            elif required:
                return REFUSED
        if field.additional_properties:
            shaped |= {key: inner for key, inner in value.items() if key not in fields}
        return shaped

    return shape_properties
