"""Changes of a field table: which mapped values or settings it no longer accepts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields as options_of
from enum import Enum
from typing import Any, Final

from framework.catalogue.changes import DefinitionChange, ManifestPlace
from framework.definition import SECRET, STRING_TYPES, Conditions, Field, FieldTable, equal_json

_SENT_AS_TEXT: Final = frozenset({"number", "integer", "boolean", "datetime"})
"""Types whose values are also accepted as text, and then sent so."""

_APPEARANCE: Final = (
    "label",
    "description",
    "placeholder",
    "category",
    "object_ui",
    "disabled_input_methods",
    "display_mode",
    "hidden",
    "read_only",
    "depends_on",
)
"""Options of forms."""


_OPTIONS: Final = tuple(option.name for option in options_of(Field))


class FieldRole(Enum):
    """What the fields of a table are: it decides what becomes of those that are not given."""

    SETTING = "setting"
    """One without a value has none, whatever its default."""
    MAPPED = "field of an action"
    """One that a subscription leaves out has its default value or mapping."""
    INPUT = "input of a hook"
    """The same."""
    NESTED = "property of an object"
    """Defaults have no effect."""


def table_changes(
    old: FieldTable,
    new: FieldTable,
    role: FieldRole,
    place: ManifestPlace,
    *,
    was_open: bool = False,
) -> Iterator[DefinitionChange]:
    """Yield the changes between two tables at *place*.

    *was_open* says that undeclared keys were accepted before, and kept unchecked.
    """
    for key, field in old.items():
        here = place.at(key)
        if key in new:
            yield from field_changes(field, new[key], role, here)
        else:
            yield here.breaking("field-removed", f"is no longer a {role.value}.")
    for key, field in new.items():
        if key not in old:
            yield _added(field, role, place.at(key), was_open=was_open)


def _added(
    field: Field, role: FieldRole, place: ManifestPlace, *, was_open: bool
) -> DefinitionChange:
    default = field.default if field.mapping is None else field.mapping
    if was_open:
        return place.breaking("field-added", "is declared now; any value was accepted before.")
    if field.required is not False and (default is None or role is not FieldRole.MAPPED):
        when = " in some cases" if isinstance(field.required, Conditions) else ""
        return place.breaking("field-added", f"is a new {role.value}, and required{when}.")
    if default is None or role is FieldRole.NESTED:
        return place.compatible("field-added", f"is a new {role.value}.")
    return place.note("field-added", f"is a new {role.value}, by default {_shown(field, default)}.")


def field_changes(
    old: Field, new: Field, role: FieldRole, place: ManifestPlace
) -> Iterator[DefinitionChange]:
    """Yield the changes between two versions of one field; one at least if they differ."""
    found = list(_effects(old, new, role, place))
    yield from found
    different = [name for name in _OPTIONS if getattr(old, name) != getattr(new, name)]
    if different and not found:
        listed = ", ".join(f"`{name}`" for name in different)
        yield place.compatible("option-changed", f"differs in options without effect: {listed}.")


def _effects(
    old: Field, new: Field, role: FieldRole, place: ManifestPlace
) -> Iterator[DefinitionChange]:
    yield from _type(old, new, role, place)
    yield from _required(old, new, place)
    yield from _nullable(old, new, place)
    yield from _choices(old, new, place)
    yield from _format(old, new, place)
    yield from _bounds(old, new, place)
    yield from _default(old, new, role, place)
    yield from _properties(old, new, place)
    yield from _others(old, new, place)


def _family(field: Field) -> str:
    return "string" if field.type in STRING_TYPES else field.type


def _type(
    old: Field, new: Field, role: FieldRole, place: ManifestPlace
) -> Iterator[DefinitionChange]:
    before, after = _family(old), _family(new)
    what = f"has the type {new.type}, before {old.type}"
    if before != after:
        if after == "string" and before in _SENT_AS_TEXT:
            yield place.note("type-changed", f"{what}: values are sent as text.")
        elif (before, after) == ("integer", "number"):
            yield place.compatible("type-changed", f"{what}.")
        else:
            yield place.breaking("type-changed", f"{what}.")
    elif old.type != new.type:
        yield place.compatible("type-changed", f"{what}.")
    if old.multiple and not new.multiple:
        yield place.breaking("multiple-changed", "is no longer a list.")
    if new.multiple and not old.multiple:
        if role is FieldRole.NESTED and (old.type == "object" or new.required is not False):
            yield place.breaking("multiple-changed", "is a list now.")
        else:
            yield place.note("multiple-changed", "is a list now: a value is sent as a list of one.")


def _required(old: Field, new: Field, place: ManifestPlace) -> Iterator[DefinitionChange]:
    if old.required == new.required:
        return
    if _covers(old.required, new.required):
        fewer = " in fewer cases" if new.required is not False else " no longer"
        text = f"is required{fewer}." if new.required is not False else f"is{fewer} required."
        yield place.compatible("required-changed", text)
    elif new.required is True:
        yield place.breaking("required-changed", "is required now.")
    else:
        yield place.breaking("required-changed", "is required in other cases than before.")


def _covers(old: bool | Conditions, new: bool | Conditions) -> bool:  # noqa: FBT001 - the option
    """Return whether *old* required the field in every case in which *new* does."""
    if new is False or old is True:
        return True
    if not isinstance(old, Conditions) or not isinstance(new, Conditions):
        return False
    if _is(old, "any") and _is(new, "any"):
        return all(one in old.conditions for one in new.conditions)
    if _is(old, "all") and _is(new, "all"):
        return all(one in new.conditions for one in old.conditions)
    return False


def _is(conditions: Conditions, match: str) -> bool:
    return conditions.match == match or len(conditions.conditions) == 1


def _nullable(old: Field, new: Field, place: ManifestPlace) -> Iterator[DefinitionChange]:
    before, after = (field.nullable and not field.multiple for field in (old, new))
    if before and not after:
        yield place.breaking("null-changed", "no longer accepts null.")
    elif after and not before:
        yield place.note("null-changed", "accepts null: it is sent, and was dropped before.")


def _choices(old: Field, new: Field, place: ManifestPlace) -> Iterator[DefinitionChange]:
    before, after = ([choice.value for choice in field.choices] for field in (old, new))
    if after and not before:
        yield place.breaking("choices-changed", "accepts only certain values now.")
        return
    if before and not after:
        yield place.compatible("choices-changed", "accepts any value now.")
        return
    families = {_family(old), _family(new)}
    comparable = len(families) == 1 or families == {"integer", "number"}
    removed = [value for value in before if not comparable or not _among(value, after)]
    added = [value for value in after if not _among(value, before)]
    if removed:
        yield place.breaking("choices-changed", f"no longer accepts {_listed(removed)}.")
    if added:
        yield place.compatible("choices-changed", f"also accepts {_listed(added)}.")
    if not removed and not added and old.choices != new.choices:
        yield place.compatible("appearance-changed", "shows its choices in another way.")


def _among(value: Any, values: list[Any]) -> bool:
    return any(equal_json(value, one) for one in values)


def _listed(values: list[Any]) -> str:
    shown = [json.dumps(value, ensure_ascii=False) for value in values[:10]]
    return ", ".join([*shown, f"{len(values) - 10:,} others"] if len(values) > 10 else shown)


def _format(old: Field, new: Field, place: ManifestPlace) -> Iterator[DefinitionChange]:
    formats = [
        field.format
        if field.type == "string" and field.format not in {"text", "password"}
        else None
        for field in (old, new)
    ]
    patterns = [field.pattern if field.type in STRING_TYPES else None for field in (old, new)]
    for code, (before, after) in (("format", formats), ("pattern", patterns)):
        if before == after:
            continue
        if after is None:
            yield place.compatible(f"{code}-changed", f"no longer needs the {code} `{before}`.")
        else:
            yield place.breaking(f"{code}-changed", f"must have the {code} `{after}`.")


def _bounds(old: Field, new: Field, place: ManifestPlace) -> Iterator[DefinitionChange]:
    for name, sign in (("minimum", 1), ("maximum", -1)):
        before = getattr(old, name) if _measure(old) == _measure(new) else None
        after = getattr(new, name)
        if _measure(new) is None or before == after:
            continue
        if after is None:
            yield place.compatible(f"{name}-changed", f"no longer has the {name} {before}.")
        elif before is None or (after - before) * sign > 0:
            yield place.breaking(f"{name}-changed", f"has the {name} {after} now.")
        else:
            yield place.compatible(f"{name}-changed", f"has the {name} {after}, before {before}.")


def _measure(field: Field) -> str | None:
    """Return what bounds are about; None for types without bounds."""
    if field.type in {"number", "integer"}:
        return "value"
    return "length" if field.type == "string" else None


def _default(
    old: Field, new: Field, role: FieldRole, place: ManifestPlace
) -> Iterator[DefinitionChange]:
    before = old.default if old.mapping is None else old.mapping
    after = new.default if new.mapping is None else new.mapping
    if before is None is after or (before is not None is not after and _same(before, after)):
        return
    if after is None:
        needed = role is FieldRole.MAPPED and new.required is not False
        text = f"has no default any more, before {_shown(old, before)}."
        change = place.breaking if needed else place.note
        yield change("default-changed", text)
        return
    shown = "none" if before is None else _shown(old, before)
    yield place.note("default-changed", f"has the default {_shown(new, after)}, before {shown}.")


def _same(one: Any, other: Any) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _shown(field: Field, value: Any) -> str:
    if field.secret:
        return SECRET
    text = json.dumps(value, ensure_ascii=False)
    return f"`{text if len(text) <= 200 else f'{text[:199]}…'}`"


def _properties(old: Field, new: Field, place: ManifestPlace) -> Iterator[DefinitionChange]:
    if old.type != "object" or new.type != "object":
        return
    if new.properties is None:
        if old.properties is not None:
            yield place.compatible("properties-changed", "accepts any keys now.")
        return
    if old.properties is None:
        yield place.breaking("properties-changed", "accepts only certain keys now.")
        return
    before, after = bool(old.additional_properties), bool(new.additional_properties)
    if before and not after:
        yield place.breaking("properties-changed", "no longer keeps undeclared keys.")
    if after and not before:
        yield place.compatible("properties-changed", "keeps undeclared keys.")
    inner = place.at("properties")
    if not after:
        yield from table_changes(
            old.properties, new.properties, FieldRole.NESTED, inner, was_open=before
        )
        return
    kept = {key: field for key, field in old.properties.items() if key in new.properties}
    for key in old.properties:
        if key not in kept:
            text = "is no longer declared; its values are kept unchecked."
            yield inner.at(key).note("field-removed", text)
    yield from table_changes(kept, new.properties, FieldRole.NESTED, inner, was_open=before)


def _others(old: Field, new: Field, place: ManifestPlace) -> Iterator[DefinitionChange]:
    if old.dynamic != new.dynamic:
        text = "are requested from the partner now" if new.dynamic else "are no longer requested"
        yield place.note("dynamic-changed", f"has choices that {text}.")
    if old.secret != new.secret:
        yield place.note("secret-changed", f"is {'a' if new.secret else 'no longer a'} secret.")
    if old.hashed != new.hashed:
        how = f"as its {new.hashed} hash" if new.hashed else "without hashing it"
        yield place.note("hashed-changed", f"is sent {how}.")
    changed = [name for name in _APPEARANCE if getattr(old, name) != getattr(new, name)]
    if changed:
        listed = ", ".join(f"`{name}`" for name in changed)
        yield place.compatible("appearance-changed", f"looks different in forms: {listed}.")
    if old.extra != new.extra:
        yield place.note("option-changed", f"differs in {different_keys(old.extra, new.extra)}.")


def different_keys(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Return the keys in which two mappings differ."""
    missing = object()
    keys = [key for key in {**old, **new} if old.get(key, missing) != new.get(key, missing)]
    return ", ".join(f"`{key}`" for key in keys)
