"""Changed destination filters of a connection file, as they shall be written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from framework.config.filter_items import FilterItem
from framework.definition import DestinationFilter, read_filters
from framework.paths import JSON

_KEYS: Final = ("title", "description", "if", "enabled", "actions")


def edited_filters(
    items: Sequence[FilterItem], documents: Sequence[JSON]
) -> tuple[list[JSON], list[int | None]]:
    """Return filters as they shall be written, and the index of the item that each was, or None.

    What means the same as in the file is written as there. Raises ConfigurationError if
    *documents* are no filters.
    """
    wanted = read_filters(documents)
    kept = [*_kept(items, wanted)]
    told: list[JSON] = [
        one.to_json() if at is None else _changed(one, items[at])
        for one, at in zip(wanted, kept, strict=True)
    ]
    return told, kept


def _kept(items: Sequence[FilterItem], wanted: Sequence[DestinationFilter]) -> Iterator[int | None]:
    """Yield the index of the item that each filter was, in ascending order; or None.

    Equal filters decide; of those left, the next that has the title, the condition or the actions.
    """
    free = [*range(len(items))]
    found: dict[int, int] = {}
    for is_same in (_is_equal, _is_similar):
        for position, one in enumerate(wanted):
            if position not in found:
                same = (at for at in free if is_same(items[at].filter, one))
                if (at := next(same, None)) is not None:
                    found[position] = at
                    free.remove(at)
    last = -1
    for position in range(len(wanted)):
        at = found.get(position)
        yield at if at is not None and at > last else None
        last = max(last, -1 if at is None else at)


def _is_equal(one: DestinationFilter, other: DestinationFilter) -> bool:
    return one == other


def _is_similar(one: DestinationFilter, other: DestinationFilter) -> bool:
    return (
        bool(one.title and one.title == other.title)
        or one.condition == other.condition
        or one.actions == other.actions
    )


def _changed(wanted: DestinationFilter, item: FilterItem) -> JSON:
    """Return a filter of the file as it shall be written: keys that mean the same stay."""
    raw: dict[str, Any] = item.node.plain()
    new, old = _members(wanted), _members(item.filter)
    for key in _KEYS:
        if new[key] == old[key]:
            continue
        if key == "actions":
            raw[key] = _changed_actions(raw[key], old[key], new[key])
        elif new[key] == "":
            raw.pop(key, None)
        else:
            raw[key] = new[key]
    return raw


def _members(one: DestinationFilter) -> Mapping[str, Any]:
    return {"title": "", "description": "", "enabled": True, **one.to_json()}


def _changed_actions(raw: Sequence[Any], old: Sequence[Any], new: Sequence[Any]) -> list[JSON]:
    """Return actions as they shall be written: one that is equal stays as it is."""
    left = [*range(len(old))]
    told = []
    for action in new:
        same = next((at for at in left if old[at] == action), None)
        if same is not None:
            left.remove(same)
        told.append(action if same is None else raw[same])
    return told
