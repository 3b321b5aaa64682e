"""Machine-readable findings: JSON, SARIF and annotations of GitHub workflows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from framework.config import Diagnostic

_SARIF: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS: Final = {"error": "error", "warning": "warning", "hint": "note"}
_COMMANDS: Final = {"error": "error", "warning": "warning", "hint": "notice"}


def to_json(findings: Iterable[Diagnostic]) -> str:
    """Return the findings as a list of JSON objects."""
    listed = [finding.to_json() for finding in findings]
    return json.dumps(listed, indent=2, ensure_ascii=False)


def to_sarif(findings: Iterable[Diagnostic]) -> str:
    """Return the findings as a SARIF 2.1.0 log, including their rules."""
    from framework.linting import CODES  # noqa: PLC0415 - heavy, imported at first use

    listed = list(findings)
    rules = [
        {"id": code, "shortDescription": {"text": CODES[code]}}
        for code in sorted({finding.code for finding in listed})
    ]
    driver = {"name": "actions validate", "rules": rules}
    run = {"tool": {"driver": driver}, "results": [_result(finding) for finding in listed]}
    return json.dumps({"$schema": _SARIF, "version": "2.1.0", "runs": [run]}, indent=2)


def to_github(findings: Iterable[Diagnostic]) -> str:
    """Return the findings as workflow commands, which annotate lines of a pull request."""
    return "\n".join(map(_command, findings))


def _result(finding: Diagnostic) -> dict[str, Any]:
    region = {
        "startLine": finding.line,
        "startColumn": finding.column,
        "endColumn": finding.column + finding.length,
    }
    place = {"artifactLocation": {"uri": finding.file}, "region": region}
    return {
        "ruleId": finding.code,
        "level": _LEVELS[finding.severity],
        "message": {"text": _sentence(finding)},
        "locations": [{"physicalLocation": place}],
    }


def _command(finding: Diagnostic) -> str:
    end = finding.column + finding.length - 1
    place = f"line={finding.line},col={finding.column},endColumn={end}"
    name = _escaped(finding.file).replace(":", "%3A").replace(",", "%2C")
    text = _escaped(_sentence(finding))
    return f"::{_COMMANDS[finding.severity]} file={name},{place},title={finding.code}::{text}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _sentence(finding: Diagnostic) -> str:
    return f"{finding.message} {finding.hint}".strip()


FORMATS: Final[dict[str, Callable[[Iterable[Diagnostic]], str]]] = {
    "json": to_json,
    "sarif": to_sarif,
    "github": to_github,
}
"""The formats by name."""
