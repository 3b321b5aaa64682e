"""Connection files (YAML or JSON): read with positions, secret references and all problems."""

from __future__ import annotations

from typing import TYPE_CHECKING

from framework.config.connection import (
    ConnectionFile,
    Reading,
    SubscriptionItem,
    load_connection,
    parse_connection,
    read_connection,
    read_document,
)
from framework.config.diagnostics import (
    Diagnostic,
    DiagnosticList,
    Severity,
    Spot,
    refuse,
)
from framework.config.nodes import (
    DocumentNode,
)
from framework.config.references import variables_in
from framework.lazy import lazy_exports

if TYPE_CHECKING:
    from framework.config.connection_edits import (
        ConnectionDraft,
        EditedConnection,
        edit_connection,
        new_connection,
    )
    from framework.config.document_edits import (
        DocumentEdit,
        UneditableError,
        edited,
    )
    from framework.config.filter_items import FilterItem
    from framework.config.manifests import (
        load_manifest,
        parse_manifest,
    )
    from framework.config.saved_migrations import (
        migration_edits,
    )
    from framework.config.test_files import (
        OUTCOMES,
        SUFFIXES,
        Case,
        CaseFile,
        load_cases,
        read_cases,
        rewritten,
        unknown_subscriptions,
        write_cases,
    )

_EXPORTS = {
    "connection_edits": "ConnectionDraft EditedConnection edit_connection new_connection",
    "document_edits": "DocumentEdit UneditableError edited",
    "filter_items": "FilterItem",
    "manifests": "load_manifest parse_manifest",
    "saved_migrations": "migration_edits",
    "test_files": "OUTCOMES SUFFIXES Case CaseFile load_cases read_cases rewritten "
    "unknown_subscriptions write_cases",
}

__all__ = [
    "OUTCOMES",
    "SUFFIXES",
    "Case",
    "CaseFile",
    "ConnectionDraft",
    "ConnectionFile",
    "Diagnostic",
    "DiagnosticList",
    "DocumentEdit",
    "DocumentNode",
    "EditedConnection",
    "FilterItem",
    "Reading",
    "Severity",
    "Spot",
    "SubscriptionItem",
    "UneditableError",
    "edit_connection",
    "edited",
    "load_cases",
    "load_connection",
    "load_manifest",
    "migration_edits",
    "new_connection",
    "parse_connection",
    "parse_manifest",
    "read_cases",
    "read_connection",
    "read_document",
    "refuse",
    "rewritten",
    "unknown_subscriptions",
    "variables_in",
    "write_cases",
]

if not TYPE_CHECKING:
    __getattr__ = lazy_exports(__name__, _EXPORTS)
