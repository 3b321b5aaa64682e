"""Scaffolding: the files of a new destination, and of a further action."""

from __future__ import annotations

from framework.scaffolding.new_destination import (
    AUTH_KINDS,
    KIND_NAMES,
    NewAction,
    NewDestination,
)
from framework.scaffolding.written_files import write_action, write_destination

__all__ = [
    "AUTH_KINDS",
    "KIND_NAMES",
    "NewAction",
    "NewDestination",
    "write_action",
    "write_destination",
]
