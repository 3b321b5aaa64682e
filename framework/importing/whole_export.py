"""Files of an export become one: references between them, what is there twice, what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from framework.importing.exported import Export, ExportedFilter, ExportedSubscription
from framework.importing.terraform import resolve_terraform

_Item = TypeVar("_Item", ExportedFilter, ExportedSubscription)


def join_files(export: Export) -> None:
    """Resolve what files say about each other; what is missing becomes a note.

    A subscription or filter with an ID counts once: the same request may have been made twice, and
    a state and an answer hold the same. What was read last is taken.
    """
    resolve_terraform(export)
    export.subscriptions = _once(export.subscriptions, export)
    export.filters = _once(export.filters, export)
    for page in export.missing_pages():
        text = "The answer is one page of several; give the following pages, too."
        export.note("to check", page.source, text)
        if page.part == "filters":
            export.incomplete |= page.destination_ids
            export.unread |= not page.destination_ids
    export.pages = []


def _once(found: Sequence[_Item], export: Export) -> list[_Item]:
    """Return the items with each ID once, in the order in which they came."""
    taken: dict[object, _Item] = {}
    for number, one in enumerate(found):
        key: object = (one.destination_id, one.id) if one.id else number
        before = taken.get(key)
        if before is not None and replace(before, source="") != replace(one, source=""):
            text = f"It differs from {before.source}, which has the same ID; this one is taken."
            export.note("to check", one.source, text)
        taken[key] = one
    return list(taken.values())
