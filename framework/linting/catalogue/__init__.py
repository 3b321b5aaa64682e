"""The catalogue of diagnostic codes: meaning, reason, and an example with its message."""

from __future__ import annotations

from framework.linting.catalogue.connections import CONNECTIONS, MANIFESTS
from framework.linting.catalogue.documents import FILES
from framework.linting.catalogue.entries import Entry, page
from framework.linting.catalogue.example import MANIFEST
from framework.linting.catalogue.mappings import MAPPINGS
from framework.linting.catalogue.triggers import TRIGGERS

CATALOGUE = {
    entry.code: entry for entry in (*FILES, *CONNECTIONS, *TRIGGERS, *MAPPINGS, *MANIFESTS)
}
"""Every entry by its code, in order."""

CODES = {code: entry.summary for code, entry in CATALOGUE.items()}
"""The summary of each code."""

__all__ = ["CATALOGUE", "CODES", "MANIFEST", "Entry", "page"]
