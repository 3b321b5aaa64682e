"""Connection files (YAML or JSON): read with positions, references to secrets, all problems."""

from framework.config.cases import SUFFIXES, Case, CaseFile, load_cases, rewritten, write_cases
from framework.config.connection import (
    MAX_SUBSCRIPTIONS,
    ConnectionFile,
    Reading,
    SubscriptionItem,
    load_connection,
    parse_connection,
    read_connection,
)
from framework.config.diagnostics import CODES, Diagnostic, Findings, Severity, Spot, refuse
from framework.config.nodes import Node

__all__ = [
    "CODES",
    "MAX_SUBSCRIPTIONS",
    "SUFFIXES",
    "Case",
    "CaseFile",
    "ConnectionFile",
    "Diagnostic",
    "Findings",
    "Node",
    "Reading",
    "Severity",
    "Spot",
    "SubscriptionItem",
    "load_cases",
    "load_connection",
    "parse_connection",
    "read_connection",
    "refuse",
    "rewritten",
    "write_cases",
]
