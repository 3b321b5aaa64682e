"""Where else an event has the value that a mapping did not find: `$.context.traits.email`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final, TypeAlias

from framework.paths import JSON, MISSING, Path

MAX_VALUES: Final = 2_000
"""Maximum number of values of an event that are looked at."""

PathKeys: TypeAlias = tuple[str, ...]

NOTHING: Final = (MISSING, None, "")
"""Values that are no value of a required field."""

_PLACES: Final = (("properties",), ("traits",), ("context", "traits"))
"""The objects of an event about the person and what happened, the usual ones first."""

_SIMILAR: Final = 0.85
_SEPARATORS: Final = re.compile(r"[\s_\-]+")


def value_elsewhere(
    sought: Iterable[Path], event: JSON, accepted: Callable[[JSON], bool]
) -> Path | None:
    """Return the path at which *event* probably has the value that is not at the *sought* paths.

    Only values with the same or a similar last key count that are *accepted* as the value: those
    of the event itself, in its properties and traits, and next to a path that is sought. The same
    key comes first, then the same object, then the usual places.
    """
    wanted = [path for path in sought if path.parts and path.get(event) in NOTHING]
    found = [
        (*_rank(path.parts, alike, one.parts), path)
        for path, value in islice(_values(event, {one.parts[:-1] for one in wanted}), MAX_VALUES)
        for one in wanted
        if (alike := _likeness(one.parts[-1], path.parts[-1])) is not None and accepted(value)
    ]
    readable = (each for each in sorted(found, key=lambda each: each[:-1]))
    return next((path for *_, path in readable if Path.parse(str(path)) == path), None)


def _values(event: JSON, neighbours: set[PathKeys]) -> Iterator[tuple[Path, JSON]]:
    """Yield the values of an event: its own, the *neighbours*, and those of the usual places."""
    for place in {(): None, **dict.fromkeys(sorted(neighbours - {*_PLACES}))}:
        yield from _members(place, Path(place).get(event))
    waiting = [(place, Path(place).get(event)) for place in _PLACES]
    for place, held in waiting:
        yield from _members(place, held)
        if isinstance(held, dict):
            inner = ((key, value) for key, value in held.items() if isinstance(value, dict))
            waiting += [((*place, str(key)), value) for key, value in inner]


def _members(place: PathKeys, held: JSON) -> Iterator[tuple[Path, JSON]]:
    for key, value in held.items() if isinstance(held, dict) else ():
        if value not in NOTHING and not (isinstance(value, dict) and place not in _PLACES):
            yield Path((*place, str(key))), value


def _likeness(sought: str, key: str) -> int | None:
    """Return 0 for the same key, 1 for the same words, 2 for a similar key, otherwise None."""
    if sought == key:
        return 0
    words, others = (_SEPARATORS.sub("", one).casefold() for one in (sought, key))
    if words == others:
        return 1
    matcher = difflib.SequenceMatcher(None, words, others, autojunk=False)
    if len(key) > 2 * len(sought) or matcher.quick_ratio() < _SIMILAR:
        return None
    return 2 if matcher.ratio() >= _SIMILAR else None


def _rank(path: PathKeys, alike: int, sought: PathKeys) -> tuple[int, bool, int, int, PathKeys]:
    usual = [index for index, place in enumerate(_PLACES) if path[: len(place)] == place]
    order = usual[0] if usual else len(_PLACES)
    return alike, path[:-1] != sought[:-1], order, len(path), path
