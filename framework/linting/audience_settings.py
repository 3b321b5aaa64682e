"""Checks of the settings of audiences in connection files."""

from __future__ import annotations

from framework.config import ConnectionFile, DiagnosticList, DocumentNode
from framework.definition import Destination, FieldTable, fields_of
from framework.linting.issues import suggestion
from framework.linting.setting_checks import SETTING_CODES, setting_problems


def check_audiences(
    file: ConnectionFile, destination: Destination, findings: DiagnosticList
) -> None:
    """Check `audiences`: wrong and unknown settings, and a destination that has none."""
    node = file.node.members.get("audiences")
    if node is None or not isinstance(node.value, dict):
        return
    if destination.audience is None:
        text = f"Destination `{destination.slug}` has no settings of audiences."
        findings.warning("AD313", file.node.key("audiences"), text, "Leave out `audiences`.")
        return
    table = fields_of(destination.audience.settings)
    for key, inside in node.members.items():
        if isinstance(inside.value, dict | None):
            _check_audience(key, inside, table, file, findings)


def _check_audience(
    key: str,
    inside: DocumentNode,
    table: FieldTable,
    file: ConnectionFile,
    findings: DiagnosticList,
) -> None:
    for problem, text in setting_problems(table, file.audiences.get(key, {})):
        place = inside.at(*problem.path)
        if (place.spot.line, place.spot.column) not in findings.refused:
            code = SETTING_CODES.get(problem.code, "AD312")
            findings.error(code, place.spot, f"Audience `{key}`: {text}")
    for name in inside.members:
        if name not in table:
            text = f"Audiences of `{file.destination}` have no setting `{name}`."
            hint = suggestion(name, table, "settings")
            findings.warning("AD313", inside.key(name), text, hint)
