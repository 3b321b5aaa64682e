"""Issues in subscriptions as data, and the closest known name for an unknown one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from framework.config import Severity

SubscriptionPart: TypeAlias = Literal["action", "trigger", "mapping", "mapping_version"]
DocumentPath: TypeAlias = tuple[str, ...]

INCOMPLETE: Final = "Check incomplete: work limit reached."


@dataclass(frozen=True, slots=True)
class Issue:
    """One problem of a subscription.

    *part* and *place* locate it: keys and indexes inside the mapping. *on_key* means that it is
    about the last key itself rather than its value. In a trigger, *offset* and *length* are the
    underlined characters.
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


def incomplete_check(part: SubscriptionPart, length: int = 0) -> Issue:
    """Return the issue of a part whose check reached the work limit."""
    message = f"{INCOMPLETE} The rest of the {part} is not checked."
    hint = "Simplify it, or split the file."
    return Issue("AD105", "warning", part, message, hint, length=length)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name most similar to *name*, if one is similar."""
    names = sorted(set(known))
    folded = {each.lower(): each for each in reversed(names)}
    if name.lower() in folded:
        return folded[name.lower()]
    import difflib  # noqa: PLC0415 - only where something is wrong

    return next(iter(difflib.get_close_matches(name, names, n=1, cutoff=0.7)), None)


def likely_typo(name: str, known: Iterable[str]) -> str | None:
    """Return the known name of which *name* is a likely typo: one letter more, less or different.

    Plurals, numbers and other spellings of the same words count as different names.
    """
    if name in known or len(name) < 4:
        return None
    return next((each for each in sorted(known) if _is_typo(name, each)), None)


def suggestion(name: str, known: Iterable[str], noun: str) -> str:
    """Return a hint with the similar known name, or with all known names."""
    names = sorted(set(known))
    near = nearest(name, names)
    if near:
        return f"Did you mean `{near}`?"
    return f"Known {noun}: {', '.join(names)}." if names else ""


def _is_typo(name: str, other: str) -> bool:
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
