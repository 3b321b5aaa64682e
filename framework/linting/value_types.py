"""Types of JSON values: what a place of an event or a payload may contain.

A `Type` is a set of values that over-approximates: it contains every possible value, and maybe
others. So a property of the whole type applies to every actual value.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from framework.paths import JSON, MISSING, Path, step

MAX_VALUES: Final = 24
"""Maximum number of particular values in a type; more become kinds of values."""


@dataclass(frozen=True, slots=True)
class Text:
    """Strings, optionally with a *format* (a format of fields); *nonempty* if never empty."""

    format: str | None = None
    nonempty: bool = False


@dataclass(frozen=True, slots=True)
class Members:
    """Objects: the type of each known member and of all others (*rest*).

    *rest* is None if others may be anything, and NOTHING if there are none.
    """

    known: Mapping[str, Type] = field(default_factory=dict)
    rest: Type | None = None

    def get(self, key: str) -> Type:
        """Return the type of a member."""
        return self.known.get(key, ANYTHING if self.rest is None else self.rest)


@dataclass(frozen=True, slots=True, eq=False)
class Type:
    """The possible values at a place.

    *missing* means that there may be none, *values* lists particular ones, and the others are the
    possible kinds. *number* is `integer` or `number`, *items* the type of list items. *may_fail*
    means that computing the value may fail the event.
    """

    missing: bool = False
    null: bool = False
    boolean: bool = False
    number: str = ""
    text: Text | None = None
    items: Type | None = None
    members: Members | None = None
    values: tuple[JSON, ...] = ()
    may_fail: bool = False

    @property
    def is_present(self) -> bool:
        """Whether there may be a value."""
        return bool(
            self.null or self.boolean or self.number or self.text or self.values
            or self.items is not None or self.members is not None
        )  # fmt: skip

    @property
    def is_anything(self) -> bool:
        """Whether nothing is known about the value, except maybe its presence."""
        return self.items is ANYTHING and self.members is not None and self.text is not None

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of values in words, with articles."""
        found = {
            "null": self.null,
            "true or false": self.boolean,
            "an integer": self.number == "integer",
            "a number": self.number == "number",
            "text": self.text is not None,
            "a list": self.items is not None,
            "an object": self.members is not None,
        }
        return (*map(_shown, self.values), *(kind for kind, there in found.items() if there))


NOTHING: Final = Type(missing=True)
"""No value."""

ANYTHING: Final = Type(missing=True)
"""Any value, or none."""

for _name, _value in {
    "null": True, "boolean": True, "number": "number", "text": Text(),
    "items": ANYTHING, "members": Members(),
}.items():  # fmt: skip
    object.__setattr__(ANYTHING, _name, _value)  # recursive: items of ANYTHING are ANYTHING


def constant(value: JSON) -> Type:
    """Return the type of one particular value."""
    return NOTHING if value is MISSING else Type(values=(value,))


def present(found: Type) -> Type:
    """Return the type without its missing and null values."""
    values = tuple(value for value in found.values if value is not None)
    return replace(found, missing=False, null=False, values=values)


def optional(found: Type) -> Type:
    """Return the type, with missing as an option."""
    return replace(found, missing=True)


def listed(found: Type) -> Type:
    """Return the type as an item of a list, in which missing values become null."""
    return replace(found, missing=False, null=True) if found.missing else found


def fallible(found: Type) -> Type:
    """Return the type, with a computation that may fail the event."""
    return replace(found, may_fail=True)


def join(*types: Type) -> Type:
    """Return the union of *types*; the empty type for none."""
    if not types:
        return Type()
    listed = list({id(each): each for each in types}.values())
    if ANYTHING in listed:
        doubts = [place for place, each in enumerate(listed) if each.may_fail]
        if not doubts:
            return ANYTHING
        listed = [fallible(ANYTHING), *listed[max(doubts[0], listed.index(ANYTHING)) + 1 :]]
    members = [each.members for each in listed if each.members is not None]
    if len(members) > 2:
        listed = [replace(each, members=None) for each in listed]
        listed.append(Type(members=_joined_members(members)))
    first, *others = listed
    for other in others:
        first = _joined(first, other)
    return first


def enter(found: Type, part: str) -> Type:
    """Return the type of the results of `framework.paths.step` for one key or index."""
    made = _entered(found, part)
    inner = [key for key in part.split(".") if key] if "." in part and made.missing else []
    if not inner or made.is_anything:
        return made
    return join(replace(made, missing=False), follow(found, Path(tuple(inner))))


def _entered(found: Type, part: str) -> Type:
    if found.members is not None and found.members.get(part) is ANYTHING:
        return replace(ANYTHING, may_fail=found.may_fail)
    decimal = part.isdecimal() and part.isascii()
    ways = [constant(step(value, part)) for value in found.values]
    if found.missing or found.number or found.boolean:
        ways.append(NOTHING)
    if found.null:
        ways.append(Type(null=True))
    ways += [constant(value) for value, may in ((False, found.boolean), (0, found.number)) if may]
    if found.text is not None:
        ways.append(Type(missing=True, text=Text(nonempty=True) if decimal else None))
        ways += [] if found.text.nonempty else [constant("")]
    if found.items is not None:
        ways.append(optional(found.items) if decimal else NOTHING)
    if found.members is not None:
        ways.append(found.members.get(part))
    made = join(*ways)
    return replace(made, may_fail=found.may_fail)


def follow(found: Type, path: Path) -> Type:
    """Return the type of the values at a path."""
    for part in path.parts:
        found = enter(found, part)
    return found


def refine(found: Type, path: tuple[str, ...], fact: Type) -> Type:
    """Return the type of those objects of *found* whose value at a path has the type *fact*."""
    if not path:
        return fact
    if found.members is None:
        return found
    inner = refine(found.members.get(path[0]), path[1:], fact)
    if len(path) > 1:
        inner = present(inner)
    known = {**found.members.known, path[0]: inner}
    return Type(members=Members(known, found.members.rest))


def type_of(value: JSON) -> Type:
    """Return the type of *value* and others of its kind."""
    if isinstance(value, bool) or value is None:
        return Type(null=value is None, boolean=value is not None)
    if isinstance(value, str):
        return Type(text=Text(nonempty=bool(value)))
    if isinstance(value, list):
        return Type(items=join(*map(type_of, value)))
    if isinstance(value, dict):
        known = {key: type_of(item) for key, item in value.items()}
        return Type(members=Members(known, NOTHING))
    return Type(number="integer" if isinstance(value, int) else "number")


def _joined(one: Type, other: Type) -> Type:
    if one is ANYTHING or other is ANYTHING:
        return replace(ANYTHING, may_fail=True) if one.may_fail or other.may_fail else ANYTHING
    values, kinds = _values(one, other), Type()
    if len(values) > MAX_VALUES:
        kinds, values = join(*map(type_of, values)), ()
        return join(kinds, replace(one, values=()), replace(other, values=()))
    return Type(
        missing=one.missing or other.missing,
        null=one.null or other.null,
        boolean=one.boolean or other.boolean,
        number=max(one.number, other.number),
        text=_joined_text(one.text, other.text),
        items=_joined_items(one.items, other.items),
        members=_joined_members([each for each in (one.members, other.members) if each]),
        values=values,
        may_fail=one.may_fail or other.may_fail,
    )


def _values(one: Type, other: Type) -> tuple[JSON, ...]:
    if not one.values or not other.values:
        return one.values or other.values
    distinct = {_identity(value): value for value in (*one.values, *other.values)}
    return tuple(distinct.values())


def _identity(value: JSON) -> Hashable:
    return _shown(value) if isinstance(value, dict | list) else (type(value), value)


def _joined_text(one: Text | None, other: Text | None) -> Text | None:
    if one is None or other is None:
        return one or other
    return Text(one.format if one.format == other.format else None, one.nonempty and other.nonempty)


def _joined_items(one: Type | None, other: Type | None) -> Type | None:
    if one is None or other is None:
        return other if one is None else one
    return join(one, other)


def _joined_members(listed: list[Members]) -> Members | None:
    """Join members key by key, which is fast for many objects with few keys each."""
    if len(listed) < 2:
        return listed[0] if listed else None
    ways: dict[str, list[Type]] = {}
    for each in listed:
        for key, found in each.known.items():
            ways.setdefault(key, []).append(found)
    rest = _rest_of(listed)
    if len({id(each.rest) for each in listed}) == 1:
        lacking = dict.fromkeys(ways, rest)
    else:
        lacking = {
            key: _rest_of([each for each in listed if key not in each.known]) for key in ways
        }
    known = {
        key: join(*found) if len(found) == len(listed) else join(*found, lacking[key] or ANYTHING)
        for key, found in ways.items()
    }
    return Members(known, rest)


def _rest_of(listed: list[Members]) -> Type | None:
    rests = [each.rest for each in listed if each.rest is not None]
    return join(*rests) if len(rests) == len(listed) else None


def texts_in(found: Type) -> Iterator[str]:
    """Return the particular strings of a type."""
    return (value for value in found.values if isinstance(value, str))


def _shown(value: JSON) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
