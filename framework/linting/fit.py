"""Whether values of a type fit a field: what always fails, what may fail, what never does.

What is said here follows `framework.definition.shape`; particular values are asked of the shape
itself. "Cannot fail" is a promise, limits of size aside; "fails always" too. Between them it is
only said what may happen.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from framework.definition import (
    TEXTS,
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
"""What is found where nothing is known of a value."""

_MOMENTS: Final = frozenset({"date-time", "date"})


@dataclass(frozen=True, slots=True)
class Miss:
    """One way in which a value does not fit: the *code* of a problem of shapes, and where.

    *found* says in words what does not fit.
    """

    code: ProblemCode
    place: DocumentPath
    found: str
    field: Field = dataclasses.field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Fit:
    """How a type fits a field: whether a value *passes*, and the ways in which one fails."""

    passes: bool
    misses: tuple[Miss, ...] = ()

    @property
    def is_safe(self) -> bool:
        """Whether nothing can fail."""
        return not self.misses

    @property
    def is_hopeless(self) -> bool:
        """Whether everything fails."""
        return not self.passes and bool(self.misses)


_FINE: Final = Fit(passes=True)


def fit(found: Type, key: str, field: Field) -> Fit:
    """Tell how values of a type fit a field of an action, conditional requirements aside.

    Where no value that is there passes, nothing does: that there may be none is no excuse.
    """
    empty = [value for value in found.values if top_pruner_of(field)(value) is MISSING]
    ways = [_fit_value(value, key, field) for value in found.values if value not in empty]
    bare = replace(found, missing=False, values=())
    if field.multiple:
        ways += _fit_list(bare, field, (key,), top=True)
    else:
        ways += _fit_one(bare, field, (key,))
    whole = _any_of(ways)
    if empty or found.missing or found.null or (found.text and not found.text.filled):
        absent = _absent(field, (key,))
        passes = whole.passes if ways else absent.passes
        whole = Fit(passes, (*whole.misses, *(absent.misses if passes or not ways else ())))
    return _unsure(whole) if found.is_anything else whole


def may_be_empty(found: Type, field: Field) -> bool:
    """Tell whether there may be nothing for a field once empty values are gone."""
    if found.missing or found.null or (found.text and not found.text.filled):
        return True
    return any(top_pruner_of(field)(value) is MISSING for value in found.values)


def is_always_empty(found: Type, field: Field) -> bool:
    """Tell whether there is never anything for a field once empty values are gone."""
    rest = present(replace(found, values=()))
    return not rest.is_present and all(
        top_pruner_of(field)(value) is MISSING for value in found.values
    )


def _unsure(way: Fit) -> Fit:
    """Give the fit of a value of which nothing is known."""
    return replace(way, misses=tuple(replace(miss, found=UNKNOWN) for miss in way.misses))


def _any_of(ways: Iterable[Fit]) -> Fit:
    listed = list(ways)
    misses = dict.fromkeys(miss for way in listed for miss in way.misses)
    return Fit(any(way.passes for way in listed), tuple(misses))


def _all_of(ways: Iterable[Fit]) -> Fit:
    listed = list(ways)
    misses = dict.fromkeys(miss for way in listed for miss in way.misses)
    return Fit(all(way.passes for way in listed), tuple(misses))


def _absent(field: Field, place: DocumentPath) -> Fit:
    if field.required is True:
        return Fit(passes=False, misses=(Miss("required", place, "nothing", field),))
    return _FINE


def _fit_value(value: JSON, key: str, field: Field) -> Fit:
    """Ask the shape about one particular value."""
    _, problems = interpret({key: value}, {key: field}, (), None)
    if not problems:
        return _FINE if not _has_conditions(field) else Fit(passes=True, misses=_maybe(field, key))
    misses = tuple(
        Miss(p.code, tuple(map(str, p.path)), constant(p.found).kinds[0]
             if p.found is not MISSING else "nothing", p.field)
        for p in problems
    )  # fmt: skip
    return Fit(passes=False, misses=misses)


def _has_conditions(field: Field) -> bool:
    inner = (field.properties or {}).values()
    return any(isinstance(each.required, Conditions) or _has_conditions(each) for each in inner)


def _maybe(field: Field, key: str) -> tuple[Miss, ...]:
    return (Miss("required", (key,), "nothing", field),)


def _fit_list(found: Type, field: Field, place: DocumentPath, *, top: bool) -> Iterator[Fit]:
    one = replace(field, multiple=False)
    if found.items is not None:
        rest = replace(found.items, missing=False, null=False)
        values = tuple(v for v in rest.values if v is not None and (v != "" or _keeps_blank(field)))
        parts = _fit_inner(replace(rest, values=values), one, (*place, "0"), item=True)
        yield Fit(passes=True, misses=_any_of(parts).misses)
    alone = replace(found, items=None, null=False)
    if alone.members is not None and not top:
        yield _refused(field, place, "an object")
        alone = replace(alone, members=None)
    yield from _fit_inner(alone, one, place, item=True)


def _keeps_blank(field: Field) -> bool:
    return field.type in TEXTS or field.type == "datetime"


def _fit_inner(found: Type, field: Field, place: DocumentPath, *, item: bool) -> list[Fit]:
    """Fit what stands inside an object, or one *item* of a list."""
    ways = [_fit_inner_value(value, field, place, item=item) for value in found.values]
    blank = found.text is not None and not found.text.filled and not item
    lost = field.multiple or not _keeps_blank(field)
    if found.missing or (found.null and (lost or not field.nullable)) or (blank and lost):
        ways.append(_absent(field, place))
    bare = replace(found, missing=False, values=())
    if field.multiple:
        ways += _fit_list(bare, field, place, top=False)
    else:
        ways += _fit_one(bare, field, place)
    return [_unsure(way) for way in ways] if found.is_anything else ways


def _fit_inner_value(value: JSON, field: Field, place: DocumentPath, *, item: bool) -> Fit:
    asked = replace(field, multiple=True, required=False) if item else field
    table = {"o": Field(type="object", properties={"v": asked})}
    _, problems = interpret({"o": {"v": [value] if item else value}}, table, (), None)
    kind = "nothing" if value in (None, "") else constant(value).kinds[0]
    misses = tuple(Miss(p.code, place, kind, field) for p in problems)
    return Fit(not misses, misses) if not _has_conditions(field) else Fit(passes=True, misses=(
        *misses, Miss("required", place, "nothing", field)))  # fmt: skip


def _refused(field: Field, place: DocumentPath, kind: str) -> Fit:
    return Fit(passes=False, misses=(Miss("type", place, kind, field),))


def _perhaps(field: Field, place: DocumentPath, kind: str, *codes: ProblemCode) -> Fit:
    return Fit(passes=True, misses=tuple(Miss(code, place, kind, field) for code in codes))


def _fit_one(found: Type, field: Field, place: DocumentPath) -> Iterator[Fit]:
    """Fit the kinds of one value."""
    if found.null and field.nullable:
        yield _FINE
    if found.boolean:
        ways = [_fit_value(value, "v", replace(field, required=False)) for value in (True, False)]
        yield _any_of([_placed(way, place) for way in ways])
    if found.number:
        yield _fit_number(found.number, field, place)
    if found.text is not None:
        yield _fit_text(found, field, place)
    if found.items is not None:
        yield _fit_single(found.items, field, place)
    if found.members is not None:
        yield _fit_object(found.members, field, place)


def _placed(way: Fit, place: DocumentPath) -> Fit:
    return replace(way, misses=tuple(replace(miss, place=place) for miss in way.misses))


def _demands(field: Field) -> tuple[ProblemCode, ...]:
    return tuple(check.code for check in checks_of(field))


def _fit_number(number: str, field: Field, place: DocumentPath) -> Fit:
    kind = "an integer" if number == "integer" else "a number"
    if field.type == "object":
        return _perhaps(field, place, kind, "type") if field.nullable and not field.properties \
            else _refused(field, place, kind)  # fmt: skip
    demands = tuple(
        code for code in _demands(field) if field.type != "datetime" or code != "format"
    )
    if field.type == "boolean" or (field.type == "integer" and number != "integer"):
        return _perhaps(field, place, kind, "type", *demands)
    return _perhaps(field, place, kind, *demands)


def _fit_text(found: Type, field: Field, place: DocumentPath) -> Fit:
    text = found.text
    assert text is not None
    if field.type == "object":
        return _perhaps(field, place, "text", "type") if field.nullable and not field.properties \
            else _refused(field, place, "text")  # fmt: skip
    demands = _demands(field)
    if field.type == "datetime" and text.format in _MOMENTS and text.filled:
        return _perhaps(field, place, "text", *(code for code in demands if code != "format"))
    if field.type in {"number", "integer", "boolean"}:
        return _perhaps(field, place, "text", "type", *demands)
    if field.format is not None and field.format == text.format and text.filled:
        demands = tuple(code for code in demands if code != "format")
    if text.filled and field.minimum is not None and field.minimum <= 1:
        demands = tuple(code for code in demands if code != "too_short")
    return _perhaps(field, place, "text", *demands)


def _fit_single(items: Type, field: Field, place: DocumentPath) -> Fit:
    """Fit a list where one value is wanted: a list of one item may do."""
    if field.type == "object" and (not field.nullable or field.properties is not None):
        return _refused(field, place, "a list")
    scalars = replace(items, items=None, members=None)
    if not (scalars.is_present or scalars.missing):
        return _refused(field, place, "a list")
    return _perhaps(field, place, "a list", "type", *_demands(field))


def _fit_object(members: Members, field: Field, place: DocumentPath) -> Fit:
    if field.type != "object":
        return _refused(field, place, "an object")
    properties: FieldTable = field.properties or {}
    ways = [_fit_property(members, key, inner, place) for key, inner in properties.items()]
    return _all_of([_perhaps(field, place, "an object", *_demands(field)), *ways])


def _fit_property(members: Members, key: str, field: Field, place: DocumentPath) -> Fit:
    inner = members.get(key)
    where = (*place, key)
    found = _any_of(_fit_inner(inner, field, where, item=False))
    if isinstance(field.required, Conditions) and _may_lack(inner):
        found = replace(found, misses=(*found.misses, Miss("required", where, "nothing", field)))
    return found


def _may_lack(found: Type) -> bool:
    text = found.text is not None and not found.text.filled
    return found.missing or found.null or text or None in found.values or "" in found.values
