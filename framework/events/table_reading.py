"""How the rows of a table are read as events: keys, identities, and the snapshot before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from msgspec import Struct

RowChange: TypeAlias = Literal["new", "updated", "deleted"]
"""What became of a row: the name of its event, as in Segment's reverse ETL."""

CHANGES: Final[tuple[RowChange, ...]] = ("new", "updated", "deleted")

CHANGES_OF_MODE: Final[Mapping[str, tuple[RowChange, ...]]] = {
    "add": ("new",),
    "update": ("updated",),
    "upsert": ("new", "updated"),
    "delete": ("deleted",),
    "mirror": ("new", "updated", "deleted"),
}
"""The changes that each sync mode delivers."""


class TableReading(Struct, frozen=True, kw_only=True):
    """How the rows of a table become events.

    *keys* are the columns that name a row; no two rows may agree in them. *before* is the path of
    an earlier snapshot: only the changes since then become events, those that *sync_mode* covers;
    not if more than the share *max_deleted* of its rows is gone. Without it, each row is an event
    named *change*. *query* is SQL over the table `rows`, which is applied to both snapshots.
    *user_id*, *anonymous_id* and *timestamp* are the columns that these keys of events are from.
    """

    keys: tuple[str, ...]
    before: str | None = None
    query: str | None = None
    user_id: str | None = None
    anonymous_id: str | None = None
    timestamp: str | None = None
    change: RowChange = "new"
    sync_mode: str = "mirror"
    max_deleted: float = 0.5
