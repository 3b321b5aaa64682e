"""What may be at a place of an event or a payload: types of JSON values, joined and entered.

A `Type` is a set of values, described generously: whatever can be there belongs to it, and some
that cannot be may belong to it too. So what holds for all of a type holds for what comes.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from framework.paths import JSON, MISSING, Path, step

MAX_VALUES: Final = 24
"""Particular values that a type tells apart; more of them are described by their kinds."""


@dataclass(frozen=True, slots=True)
class Text:
    """Texts: of a *format* (a name that fields know) where it is given, *filled* if never empty."""

    format: str | None = None
    filled: bool = False


@dataclass(frozen=True, slots=True)
class Members:
    """Objects: the type of each known member, and that of all others.

    *rest* is None where anything may be there, and NOTHING where nothing else is.
    """

    known: Mapping[str, Type] = field(default_factory=dict)
    rest: Type | None = None

    def get(self, key: str) -> Type:
        """Give the type of a member."""
        return self.known.get(key, ANYTHING if self.rest is None else self.rest)


@dataclass(frozen=True, slots=True, eq=False)
class Type:
    """The values that may be at a place.

    *missing* says that there may be none; *values* lists particular ones; the others say which
    kinds there may be. *number* is `integer` where there is never a fraction. *items* is the type
    of what lists hold. *refuses* says that making the value may refuse the event.
    """

    missing: bool = False
    null: bool = False
    boolean: bool = False
    number: str = ""
    text: Text | None = None
    items: Type | None = None
    members: Members | None = None
    values: tuple[JSON, ...] = ()
    refuses: bool = False

    @property
    def is_present(self) -> bool:
        """Whether there may be a value at all."""
        return bool(
            self.null or self.boolean or self.number or self.text or self.values
            or self.items is not None or self.members is not None
        )  # fmt: skip

    @property
    def is_anything(self) -> bool:
        """Whether nothing is known about the value but perhaps that it is there."""
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
"""There is never a value."""

ANYTHING: Final = Type(missing=True)
"""There may be any value, or none."""

for _name, _value in {
    "null": True, "boolean": True, "number": "number", "text": Text(),
    "items": ANYTHING, "members": Members(),
}.items():  # fmt: skip
    object.__setattr__(ANYTHING, _name, _value)  # a list of anything holds anything


def constant(value: JSON) -> Type:
    """Give the type of one value."""
    return NOTHING if value is MISSING else Type(values=(value,))


def present(found: Type) -> Type:
    """Give the type without its missing and null values."""
    values = tuple(value for value in found.values if value is not None)
    return replace(found, missing=False, null=False, values=values)


def optional(found: Type) -> Type:
    """Give the type, of which there may be no value."""
    return replace(found, missing=True)


def listed(found: Type) -> Type:
    """Give the type of what stands in a list, where no value is null."""
    return replace(found, missing=False, null=True) if found.missing else found


def doubtful(found: Type) -> Type:
    """Give the type, whose making may refuse the event."""
    return replace(found, refuses=True)


def join(*types: Type) -> Type:
    """Give the type of what belongs to any of *types*; nothing belongs to none."""
    if not types:
        return Type()
    listed = list({id(each): each for each in types}.values())
    if ANYTHING in listed:
        doubts = [place for place, each in enumerate(listed) if each.refuses]
        if not doubts:
            return ANYTHING
        listed = [doubtful(ANYTHING), *listed[max(doubts[0], listed.index(ANYTHING)) + 1 :]]
    members = [each.members for each in listed if each.members is not None]
    if len(members) > 2:
        listed = [replace(each, members=None) for each in listed]
        listed.append(Type(members=_joined_members(members)))
    first, *others = listed
    for other in others:
        first = _joined(first, other)
    return first


def enter(found: Type, part: str) -> Type:
    """Give the type of what `framework.paths.step` gives for one key or index."""
    if found.members is not None and found.members.get(part) is ANYTHING:
        return replace(ANYTHING, refuses=found.refuses)
    decimal = part.isdecimal() and part.isascii()
    ways = [constant(step(value, part)) for value in found.values]
    if found.missing or found.number or found.boolean:
        ways.append(NOTHING)
    if found.null:
        ways.append(Type(null=True))
    ways += [constant(value) for value, may in ((False, found.boolean), (0, found.number)) if may]
    if found.text is not None:
        ways.append(Type(missing=True, text=Text(filled=True) if decimal else None))
        ways += [] if found.text.filled else [constant("")]
    if found.items is not None:
        ways.append(optional(found.items) if decimal else NOTHING)
    if found.members is not None:
        ways.append(found.members.get(part))
    made = join(*ways)
    return replace(made, refuses=found.refuses)


def follow(found: Type, path: Path) -> Type:
    """Give the type of what a path gives."""
    for part in path.parts:
        found = enter(found, part)
    return found


def refine(found: Type, path: tuple[str, ...], fact: Type) -> Type:
    """Give the type of the objects of *found* in which a path holds what a *fact* says."""
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
    """Give a type that holds *value* and others of its kind."""
    if isinstance(value, bool) or value is None:
        return Type(null=value is None, boolean=value is not None)
    if isinstance(value, str):
        return Type(text=Text(filled=bool(value)))
    if isinstance(value, list):
        return Type(items=join(*map(type_of, value)))
    if isinstance(value, dict):
        known = {key: type_of(item) for key, item in value.items()}
        return Type(members=Members(known, NOTHING))
    return Type(number="integer" if isinstance(value, int) else "number")


def _joined(one: Type, other: Type) -> Type:
    if one is ANYTHING or other is ANYTHING:
        return replace(ANYTHING, refuses=True) if one.refuses or other.refuses else ANYTHING
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
        refuses=one.refuses or other.refuses,
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
    return Text(one.format if one.format == other.format else None, one.filled and other.filled)


def _joined_items(one: Type | None, other: Type | None) -> Type | None:
    if one is None or other is None:
        return other if one is None else one
    return join(one, other)


def _joined_members(listed: list[Members]) -> Members | None:
    """Join members key by key, so that many objects of few keys each are quickly joined."""
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
    """Yield the particular texts of a type."""
    return (value for value in found.values if isinstance(value, str))


def _shown(value: JSON) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
