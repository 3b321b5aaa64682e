"""Findings as text: the position, the line, and carets below it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from framework.cli.terminal import echo

if TYPE_CHECKING:
    from framework.config import CaseFile, ConnectionFile, Diagnostic

WIDTH = 100
"""Maximum number of characters shown of a line."""

_COLOURS = {"error": "red", "warning": "yellow", "hint": "cyan"}


def print_findings(findings: Iterable[Diagnostic]) -> None:
    """Write *findings* with their lines, and their number, to standard output."""
    shown = list(findings)
    for finding in shown:
        echo(render(finding))
    echo(f"{_counts(shown)}." if shown else "No problems found.")


def show_findings(findings: Iterable[Diagnostic]) -> None:
    """Write *findings* with their lines, and their number, to standard error."""
    shown = list(findings)
    for finding in shown:
        echo(render(finding), err=True)
    if shown:
        echo(f"{_counts(shown)}.", err=True)


def render(finding: Diagnostic) -> str:
    """Return *finding* as text, colored by its severity."""
    colour = _COLOURS[finding.severity]
    kind = click.style(f"{finding.severity}[{finding.code}]", fg=colour, bold=True)
    number = str(finding.line)
    margin = " " * len(number)
    lines = [
        f"{kind}: {finding.message}",
        f"{margin}--> {finding.file}:{finding.line}:{finding.column}",
    ]
    if finding.excerpt:
        line, column = _window(finding.excerpt, finding.column)
        carets = "^" * max(1, min(finding.length, len(line) - column + 1))
        lines += [
            f"{margin} |",
            f"{number} | {line}",
            f"{margin} | {' ' * (column - 1)}{click.style(carets, fg=colour)}",
        ]
    if finding.hint:
        lines.append(f"{margin} = {finding.hint}")
    return "\n".join([*lines, ""])


def _window(line: str, column: int) -> tuple[str, int]:
    """Return the visible part of *line* around *column*, and the column within it."""
    start = max(0, column - WIDTH // 2) if len(line) > WIDTH else 0
    shown = "".join(char if char.isprintable() else " " for char in line[start : start + WIDTH])
    return shown, column - start


def _counts(findings: list[Diagnostic]) -> str:
    kinds = ["error", "warning"]
    if any(finding.severity == "hint" for finding in findings):
        kinds.append("hint")
    return ", ".join(_count(findings, kind) for kind in kinds)


def _count(findings: list[Diagnostic], severity: str) -> str:
    number = sum(finding.severity == severity for finding in findings)
    return f"{number} {severity}{'' if number == 1 else 's'}"


def unknown_in_cases(file: CaseFile, connection: ConnectionFile) -> tuple[Diagnostic, ...]:
    """Return findings about tests that expect results of subscriptions that there are not."""
    from framework.config import unknown_subscriptions  # noqa: PLC0415 - heavy, at first use
    from framework.delivery import DELETIONS  # noqa: PLC0415 - heavy, at first use

    enabled = (item.subscription for item in connection.items)
    return unknown_subscriptions(file, [*(one.name for one in enabled if one.enabled), DELETIONS])
