"""What a check finds, as data: which part of a subscription, how bad, what, and what instead."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

SubscriptionPart: TypeAlias = Literal["action", "trigger", "mapping"]
Severity: TypeAlias = Literal["error", "warning", "hint"]
DocumentPath: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Issue:
    """One finding about a subscription.

    *part* and *place* lead to what it is about: keys and indexes inside the mapping. *on_key* says
    that it is about the last key itself rather than its value. In a trigger, *offset* counts the
    characters before what is underlined, and *length* how many those are.
    """

    code: str
    severity: Severity
    part: SubscriptionPart
    message: str
    hint: str = ""
    place: DocumentPath = ()
    on_key: bool = False
    offset: int = 0
    length: int = 0


def unchecked(part: SubscriptionPart, length: int = 0) -> Issue:
    """Say that a part of a subscription is checked in part only, since more is too much work."""
    message = f"The {part} is not checked to the end: that would take too long."
    hint = "Make it simpler, or the file smaller."
    return Issue("AD105", "warning", part, message, hint, length=length)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Give the known name that is most like *name*, if one is like it."""
    names = sorted(set(known))
    folded = {each.lower(): each for each in reversed(names)}
    if name.lower() in folded:
        return folded[name.lower()]
    return next(iter(difflib.get_close_matches(name, names, n=1, cutoff=0.7)), None)


def slip(name: str, known: Iterable[str]) -> str | None:
    """Give the known name of which *name* is a likely slip: one letter more, less or exchanged.

    Plurals, numbers and other spellings of the same words are names of their own.
    """
    if name in known or len(name) < 4:
        return None
    return next((each for each in sorted(known) if _is_slip(name, each)), None)


def suggestion(name: str, known: Iterable[str], noun: str) -> str:
    """Say which name is probably meant, or which there are."""
    names = sorted(set(known))
    near = nearest(name, names)
    if near:
        return f"Did you mean `{near}`?"
    return f"Known {noun}: {', '.join(names)}." if names else ""


def _is_slip(name: str, other: str) -> bool:
    if abs(len(name) - len(other)) > 1 or name.lower() == other.lower():
        return False
    start = next((i for i, (a, b) in enumerate(zip(name, other, strict=False)) if a != b), None)
    if start is None:
        longer = max(name, other, key=len)
        return longer[-1] != "s" and not longer[-1].isdigit() and longer[-1] not in "_-"
    one, two = name[start:], other[start:]
    if one[0].isdigit() or two[0].isdigit() or "_" in one[0] + two[0]:
        return False
    exchanged = len(one) > 1 and one[1::-1] == two[:2] and one[2:] == two[2:]
    return exchanged or one[1:] == two[1:] or one[1:] == two or one == two[1:]
