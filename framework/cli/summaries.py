"""What a run did, as tables and a sentence for people, and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from framework.cli.tables import TableRow, print_table

if TYPE_CHECKING:
    from framework.relay import Summary
    from framework.sandbox import Panel

_GO_ON = "Run the same command again to go on."
_BEGIN = "No checkpoint was kept, so the next run begins at the first line."


def print_summary(summary: Summary) -> None:
    """Print the outcomes by subscription and reason, and the calls by kind."""
    rows: list[TableRow] = [
        (kind.subscription, kind.outcome, f"{number:,}", kind.code, kind.reason)
        for kind, number in sorted(summary.counts.items())
    ]
    if summary.rejected:
        rows.append(("", "rejected", f"{summary.rejected:,}", "", "The lines are no events."))
    columns = ("Subscription", "Outcome", "Count", "Code", "Reason")
    print_table(columns, rows, empty="There are no outcomes.")
    click.echo()
    calls = [(call, f"{number:,}") for call, number in sorted(summary.calls.items())]
    print_table(("Call", "Count"), calls, empty="No calls were made.")


def print_panels(panels: Iterable[Panel]) -> None:
    """Print what a pretend partner holds."""
    for panel in panels:
        click.echo(f"\n{panel.title}")
        rows = [tuple("" if cell is None else str(cell) for cell in row) for row in panel.rows]
        print_table(panel.columns, rows, empty=panel.empty)


def conclusion(summary: Summary, *, resumable: bool) -> str:
    """Say in a sentence or two how the run ended and how to go on.

    *resumable* tells whether a checkpoint was kept.
    """
    lines = _lines(summary.lines)
    go_on = _GO_ON if resumable else _BEGIN
    if summary.stopped == "limit":
        return f"Stopped after {lines}, as asked. {go_on}"
    if summary.stopped == "interrupted":
        return f"Interrupted after {lines}. {go_on}"
    if summary.stopped == "unavailable":
        return f"Stopped after {lines}: {summary.message} {go_on}"
    if summary.stopped == "refused":
        return f"Stopped after {lines}: {summary.message} Check the credentials. {go_on}"
    return _ended(summary)


def _ended(summary: Summary) -> str:
    new = summary.lines - summary.resumed
    if new or not summary.resumed:
        rate = f" ({new / summary.seconds:,.0f} a second)" if summary.seconds else ""
        return f"Done: {_lines(new)} in {summary.seconds:.1f} s{rate}."
    if summary.settled:
        left = f"what earlier runs had left of {_lines(summary.lines)}"
        return f"Done: {left}, in {summary.seconds:.1f} s."
    return "Nothing was left to do: an earlier run came to the end. --restart begins again."


def _lines(number: int) -> str:
    return f"{number:,} line{'' if number == 1 else 's'}"
