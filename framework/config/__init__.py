"""Connection files (YAML or JSON): read with positions, references to secrets, all problems."""

from __future__ import annotations

from typing import TYPE_CHECKING

from framework.config.connection import (
    MAX_SUBSCRIPTIONS,
    ConnectionFile,
    Reading,
    SubscriptionItem,
    load_connection,
    parse_connection,
    read_connection,
)
from framework.config.diagnostics import Diagnostic, DiagnosticList, Severity, Spot, refuse
from framework.config.nodes import DocumentNode
from framework.lazy import lazy_exports

if TYPE_CHECKING:
    from framework.config.manifests import load_manifest, parse_manifest
    from framework.config.test_files import (
        SUFFIXES,
        Case,
        CaseFile,
        load_cases,
        read_cases,
        rewritten,
        write_cases,
    )
    from framework.linting.catalogue import CATALOGUE, CODES, MANIFEST, Entry, page
    from framework.linting.connection_files import check_settings, choose, validate

_ROOMS = {
    "cases": "SUFFIXES Case CaseFile load_cases read_cases rewritten write_cases",
    "catalogue": "CATALOGUE CODES MANIFEST Entry page",
    "manifests": "load_manifest parse_manifest",
    "validation": "check_settings choose validate",
}

__all__ = [
    "CATALOGUE",
    "CODES",
    "MANIFEST",
    "MAX_SUBSCRIPTIONS",
    "SUFFIXES",
    "Case",
    "CaseFile",
    "ConnectionFile",
    "Diagnostic",
    "Entry",
    "DiagnosticList",
    "DocumentNode",
    "Reading",
    "Severity",
    "Spot",
    "SubscriptionItem",
    "check_settings",
    "choose",
    "load_cases",
    "load_connection",
    "load_manifest",
    "page",
    "parse_connection",
    "parse_manifest",
    "read_cases",
    "read_connection",
    "refuse",
    "rewritten",
    "validate",
    "write_cases",
]

if not TYPE_CHECKING:  # a name that does not exist is an error to type checkers
    __getattr__ = lazy_exports(__name__, _ROOMS)
