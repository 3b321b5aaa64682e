"""Sync modes and matching keys: how rows of a warehouse are sent, and the keys that hold both."""

from __future__ import annotations

from dataclasses import dataclass

from framework.errors import DefinitionError

SYNC_MODES = ("add", "update", "upsert", "delete", "mirror")
"""The sync modes of reverse ETL, in Segment's spelling."""

SYNC_MODE_KEY = "__segment_internal_sync_mode"
MATCHING_KEY = "__segment_internal_matching_key"


@dataclass(frozen=True, kw_only=True)
class SyncMode:
    """The sync modes of an action for warehouse-driven events."""

    label: str = "Sync mode"
    description: str = ""
    default: str
    choices: tuple[str, ...] = SYNC_MODES

    def __post_init__(self) -> None:
        unknown = [choice for choice in (*self.choices, self.default) if choice not in SYNC_MODES]
        if unknown:
            raise DefinitionError(
                f"Unknown sync mode `{unknown[0]}`. Known sync modes: {', '.join(SYNC_MODES)}."
            )
