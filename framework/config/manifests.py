"""Manifests with the positions of their problems."""

from __future__ import annotations

import json
from pathlib import Path

from framework.config.diagnostics import DiagnosticList, Spot
from framework.config.jsontext import read_json
from framework.config.nodes import DocumentNode, Unreadable
from framework.config.texts import text_of
from framework.definition import Destination, read_manifest

MAX_BYTES = 16 * 1024 * 1024
"""Bytes of the largest manifest."""


def load_manifest(path: str | Path) -> tuple[Destination | None, DiagnosticList]:
    """Read a manifest; return its destination and all findings.

    The destination is None for an unusable manifest. Problems are not raised.
    """
    text, findings = text_of(path, MAX_BYTES)
    return (None, findings) if text is None else parse_manifest(text, str(path))


def parse_manifest(text: str, file: str) -> tuple[Destination | None, DiagnosticList]:
    """Return the destination of a manifest's text, and all findings."""
    findings = DiagnosticList(file, text)
    try:
        document = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None, _told(text, findings)
    reading, root = read_manifest(document), _nodes(text, file)
    for problem in reading.errors:
        findings.error("AD601", _spot(problem, root), problem)
    for problem in reading.warnings:
        findings.warning("AD602", _spot(problem, root), problem)
    return reading.destination, findings


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _told(text: str, findings: DiagnosticList) -> DiagnosticList:
    """Note why a text is not valid JSON."""
    try:
        read_json(text, findings)
        findings.error("AD101", Spot(), "This is not valid JSON.")
    except Unreadable:
        pass
    return findings


def _nodes(text: str, file: str) -> DocumentNode:
    """Return the document with positions, or None if it is too large for them."""
    try:
        return read_json(text, DiagnosticList(file))
    except Unreadable:
        return DocumentNode(Spot(), None, {})


def _spot(problem: str, root: DocumentNode) -> Spot:
    """Return the position of the path at the start of a problem, as far as it exists."""
    path = problem.split("`")[1] if problem.startswith("`/") else ""
    node, spot = root, root.spot
    for part in path.split("/")[1:]:
        inner = node.at(part)
        if inner is node:
            break
        node, spot = inner, node.key(part) if node.members else inner.spot
    return spot
