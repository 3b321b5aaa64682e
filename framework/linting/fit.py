"""Whether values of a type fit a field: always, sometimes or never.

The rules mirror `framework.definition.shape`; particular values are checked by the shape itself.
"Never fails" and "always fails" are guarantees, size limits aside; everything else is a
possibility.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from framework.definition import (
    STRING_TYPES,
    Conditions,
    Field,
    FieldTable,
    ProblemCode,
    checks_of,
    interpret,
    top_pruner_of,
)
from framework.linting.value_types import Members, Type, constant, present
from framework.paths import JSON, MISSING

DocumentPath = tuple[str, ...]
UNKNOWN: Final = "anything"
"""The kind of a value about which nothing is known."""

_MOMENTS: Final = frozenset({"date-time", "date"})


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One each in which a value does not fit: the *code* of the shape's problem, and the place.

    *found* is the kind of the value, or the value, in words; *value* is the value, if known.
    """

    code: ProblemCode
    place: DocumentPath
    found: str
    field: Field = dataclasses.field(compare=False, repr=False)
    value: JSON = dataclasses.field(default=MISSING, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Fit:
    """How a type fits a field: whether any value *passes*, and the *mismatches* of the others."""

    passes: bool
    mismatches: tuple[Mismatch, ...] = ()

    @property
    def never_fails(self) -> bool:
        """Whether no value can fail."""
        return not self.mismatches

    @property
    def always_fails(self) -> bool:
        """Whether every value fails."""
        return not self.passes and bool(self.mismatches)


_PASSES: Final = Fit(passes=True)


def fit(found: Type, key: str, field: Field) -> Fit:
    """Return how values of a type fit a field of an action, conditional requirements aside.

    If no present value passes, the type does not pass, even if the value may be missing.
    """
    empty = [value for value in found.values if top_pruner_of(field)(value) is MISSING]
    fits = [_fit_value(value, key, field) for value in found.values if value not in empty]
    bare = replace(found, missing=False, values=())
    if field.multiple:
        fits += _fit_list(bare, field, (key,), top=True)
    else:
        fits += _fit_one(bare, field, (key,))
    whole = _any_of(fits)
    if empty or found.missing or found.null or (found.text and not found.text.nonempty):
        absent = _absent(field, (key,))
        passes = whole.passes if fits else absent.passes
        whole = Fit(passes, (*whole.mismatches, *(absent.mismatches if passes or not fits else ())))
    return _unknown_value(whole) if found.is_anything else whole


def may_be_empty(found: Type, field: Field) -> bool:
    """Return whether a field may have no value after empty values are dropped."""
    if found.missing or found.null or (found.text and not found.text.nonempty):
        return True
    return any(top_pruner_of(field)(value) is MISSING for value in found.values)


def is_always_empty(found: Type, field: Field) -> bool:
    """Return whether a field never has a value after empty values are dropped."""
    rest = present(replace(found, values=()))
    return not rest.is_present and all(
        top_pruner_of(field)(value) is MISSING for value in found.values
    )


def _unknown_value(each: Fit) -> Fit:
    """Return the fit, as of a value about which nothing is known."""
    return replace(
        each, mismatches=tuple(replace(mismatch, found=UNKNOWN) for mismatch in each.mismatches)
    )


def _any_of(fits: Iterable[Fit]) -> Fit:
    listed = list(fits)
    return Fit(any(each.passes for each in listed), _mismatches(listed))


def _mismatches(fits: Iterable[Fit]) -> tuple[Mismatch, ...]:
    return tuple(dict.fromkeys(mismatch for each in fits for mismatch in each.mismatches))


def _absent(field: Field, place: DocumentPath) -> Fit:
    if field.required is True:
        return Fit(passes=False, mismatches=(Mismatch("required", place, "nothing", field),))
    return _PASSES


def _fit_value(value: JSON, key: str, field: Field) -> Fit:
    """Check one particular value by the shape."""
    _, problems = interpret({key: value}, {key: field}, (), None)
    if not problems:
        if not _has_conditions(field):
            return _PASSES
        return Fit(passes=True, mismatches=(Mismatch("required", (key,), "nothing", field),))
    mismatches = tuple(
        Mismatch(p.code, tuple(map(str, p.path)), constant(p.found).kinds[0]
             if p.found is not MISSING else "nothing", p.field, p.found)
        for p in problems
    )  # fmt: skip
    return Fit(passes=False, mismatches=mismatches)


def _has_conditions(field: Field) -> bool:
    inner = (field.properties or {}).values()
    return any(isinstance(each.required, Conditions) or _has_conditions(each) for each in inner)


def _fit_list(found: Type, field: Field, place: DocumentPath, *, top: bool) -> Iterator[Fit]:
    one = replace(field, multiple=False)
    if found.items is not None:
        rest = replace(found.items, missing=False, null=False)
        values = tuple(v for v in rest.values if v is not None and (v != "" or _keeps_blank(field)))
        parts = _fit_inner(replace(rest, values=values), one, (*place, "0"), item=True)
        yield Fit(passes=True, mismatches=_any_of(parts).mismatches)
    alone = replace(found, items=None, null=False)
    if alone.members is not None and not top:
        yield _fails(field, place, "an object")
        alone = replace(alone, members=None)
    yield from _fit_inner(alone, one, place, item=True)


def _keeps_blank(field: Field) -> bool:
    return field.type in STRING_TYPES or field.type == "datetime"


def _fit_inner(found: Type, field: Field, place: DocumentPath, *, item: bool) -> list[Fit]:
    """Fit a member of an object, or one *item* of a list."""
    fits = [_fit_inner_value(value, field, place, item=item) for value in found.values]
    blank = found.text is not None and not found.text.nonempty and not item
    lost = field.multiple or not _keeps_blank(field)
    if found.missing or (found.null and (lost or not field.nullable)) or (blank and lost):
        fits.append(_absent(field, place))
    bare = replace(found, missing=False, values=())
    if field.multiple:
        fits += _fit_list(bare, field, place, top=False)
    else:
        fits += _fit_one(bare, field, place)
    return [_unknown_value(each) for each in fits] if found.is_anything else fits


def _fit_inner_value(value: JSON, field: Field, place: DocumentPath, *, item: bool) -> Fit:
    asked = replace(field, multiple=True, required=False) if item else field
    table = {"o": Field(type="object", properties={"v": asked})}
    _, problems = interpret({"o": {"v": [value] if item else value}}, table, (), None)
    kind = "nothing" if value in (None, "") else constant(value).kinds[0]
    mismatches = tuple(Mismatch(p.code, place, kind, field, p.found) for p in problems)
    if not _has_conditions(field):
        return Fit(not mismatches, mismatches)
    return Fit(passes=True, mismatches=(*mismatches, Mismatch("required", place, "nothing", field)))


def _fails(field: Field, place: DocumentPath, kind: str) -> Fit:
    return Fit(passes=False, mismatches=(Mismatch("type", place, kind, field),))


def _may_fail(field: Field, place: DocumentPath, kind: str, *codes: ProblemCode) -> Fit:
    return Fit(passes=True, mismatches=tuple(Mismatch(code, place, kind, field) for code in codes))


def _fit_one(found: Type, field: Field, place: DocumentPath) -> Iterator[Fit]:
    """Fit the kinds of one value."""
    if found.null and field.nullable:
        yield _PASSES
    if found.boolean:
        fits = [_fit_value(value, "v", replace(field, required=False)) for value in (True, False)]
        mismatches = (replace(each, place=place) for each in _mismatches(fits))
        yield Fit(any(each.passes for each in fits), tuple(dict.fromkeys(mismatches)))
    if found.number:
        yield _fit_number(found.number, field, place)
    if found.text is not None:
        yield _fit_text(found, field, place)
    if found.items is not None:
        yield _fit_single(found.items, field, place)
    if found.members is not None:
        yield _fit_object(found.members, field, place)


def _demands(field: Field) -> tuple[ProblemCode, ...]:
    return tuple(check.code for check in checks_of(field))


def _fit_number(number: str, field: Field, place: DocumentPath) -> Fit:
    kind = "an integer" if number == "integer" else "a number"
    if field.type == "object":
        return _may_fail(field, place, kind, "type") if field.nullable and not field.properties \
            else _fails(field, place, kind)  # fmt: skip
    demands = tuple(
        code for code in _demands(field) if field.type != "datetime" or code != "format"
    )
    if field.type == "boolean" or (field.type == "integer" and number != "integer"):
        return _may_fail(field, place, kind, "type", *demands)
    return _may_fail(field, place, kind, *demands)


def _fit_text(found: Type, field: Field, place: DocumentPath) -> Fit:
    text = found.text
    assert text is not None
    if field.type == "object":
        return _may_fail(field, place, "text", "type") if field.nullable and not field.properties \
            else _fails(field, place, "text")  # fmt: skip
    demands = _demands(field)
    if field.type == "datetime" and text.format in _MOMENTS and text.nonempty:
        return _may_fail(field, place, "text", *(code for code in demands if code != "format"))
    if field.type in {"number", "integer", "boolean"}:
        return _may_fail(field, place, "text", "type", *demands)
    if field.format is not None and field.format == text.format and text.nonempty:
        demands = tuple(code for code in demands if code != "format")
    if text.nonempty and field.minimum is not None and field.minimum <= 1:
        demands = tuple(code for code in demands if code != "too_short")
    return _may_fail(field, place, "text", *demands)


def _fit_single(items: Type, field: Field, place: DocumentPath) -> Fit:
    """Fit a list to a field with one value: a list with one item may pass."""
    if field.type == "object" and (not field.nullable or field.properties is not None):
        return _fails(field, place, "a list")
    scalars = replace(items, items=None, members=None)
    if not (scalars.is_present or scalars.missing):
        return _fails(field, place, "a list")
    return _may_fail(field, place, "a list", "type", *_demands(field))


def _fit_object(members: Members, field: Field, place: DocumentPath) -> Fit:
    if field.type != "object":
        return _fails(field, place, "an object")
    properties: FieldTable = field.properties or {}
    fits = [
        _may_fail(field, place, "an object", *_demands(field)),
        *(_fit_property(members, key, inner, place) for key, inner in properties.items()),
    ]
    return Fit(all(each.passes for each in fits), _mismatches(fits))


def _fit_property(members: Members, key: str, field: Field, place: DocumentPath) -> Fit:
    inner = members.get(key)
    where = (*place, key)
    found = _any_of(_fit_inner(inner, field, where, item=False))
    if isinstance(field.required, Conditions) and _may_lack(inner):
        found = replace(
            found, mismatches=(*found.mismatches, Mismatch("required", where, "nothing", field))
        )
    return found


def _may_lack(found: Type) -> bool:
    text = found.text is not None and not found.text.nonempty
    return found.missing or found.null or text or None in found.values or "" in found.values
