"""The summary of a run as tables and a closing sentence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from framework.cli.tables import TableRow, print_table
from framework.cli.terminal import echo

if TYPE_CHECKING:
    from framework.relay import Summary
    from framework.sandbox import Panel

_RESUME = "Run the same command again to resume."
_REFUSED = "Check credentials, consent and settings of the connection."
_SHOWN = 5
_THIS_RUN = "This run"
_START_OVER = "No checkpoint was saved, so the next run starts at the first line."


def print_summary(summary: Summary, name: str) -> None:
    """Print counts of outcomes by subscription and reason, and of requests by method and path.

    *name* is the events file's. After earlier runs of the same file, the counts include theirs, and
    those of this run alone are beside them.
    """
    resumed = bool(summary.earlier or summary.earlier_rejected or summary.earlier_calls)
    new, new_calls = summary.new_counts, summary.new_calls
    rows: list[TableRow] = [
        (kind.subscription, kind.outcome, f"{number:,}", f"{new[kind]:,}", kind.code, kind.reason)
        for kind, number in sorted(summary.counts.items())
    ]
    if summary.rejected:
        counted = f"{summary.rejected:,}", f"{summary.new_rejected:,}"
        rows.append(("", "rejected", *counted, "", "The lines are not valid events."))
    columns = ("Subscription", "Outcome", "Count", _THIS_RUN, "Code", "Reason")
    _print_counts(columns, rows, "No outcomes.", resumed=resumed)
    echo()
    if summary.rejections:
        more = summary.rejected - len(summary.rejections)
        print_rejected(name, [(one.line, one.reason) for one in summary.rejections], more)
        echo()
    if summary.unreported:
        echo(f"{_unreported(summary.unreported)}\n")
    if summary.unpacked:
        echo(f"{unpacked(summary.unpacked)}\n")
    requests = [
        (request, f"{number:,}", f"{new_calls[request]:,}")
        for request, number in sorted(summary.calls.items())
    ]
    shown = ("Request", "Count", _THIS_RUN)
    _print_counts(shown, requests, "No requests were sent.", resumed=resumed)


def _print_counts(
    columns: TableRow, rows: Sequence[TableRow], empty: str, *, resumed: bool
) -> None:
    """Print a table; the counts of this run only after earlier runs."""
    shown = [place for place, one in enumerate(columns) if resumed or one != _THIS_RUN]
    only = [tuple(row[place] for place in shown) for row in rows]
    print_table(tuple(columns[place] for place in shown), only, empty=empty)


def print_rejected(
    name: str, rejected: Iterable[tuple[int, str]], more: int, *, err: bool = False
) -> None:
    """Print invalid lines of the file *name* with their reasons; *more* of them are not shown."""
    for line, reason in rejected:
        echo(f"{name}:{line}: {reason}", err=err)
    if more:
        echo(f"... and {more:,} more invalid line{'' if more == 1 else 's'}.", err=err)


def _unreported(number: int) -> str:
    """Return a sentence about the failures of earlier runs that count for the exit code."""
    failures = "1 failure or invalid line" if number == 1 else f"{number:,} failures"
    if number > 1:
        failures += " and invalid lines"
    return (
        f"From earlier runs, {failures} still {'counts' if number == 1 else 'count'} for the exit "
        "code, as those runs ended otherwise than with 0 or 1."
    )


def unpacked(counts: Mapping[str, int]) -> str:
    """Return a sentence about the envelopes that were unpacked."""
    return "Unpacked: " + ", ".join(f"{name} ({number:,})" for name, number in counts.items()) + "."


def print_panels(panels: Iterable[Panel]) -> None:
    """Print the state of a sandbox as tables."""
    for panel in panels:
        echo(f"\n{panel.title}")
        rows = [tuple("" if cell is None else str(cell) for cell in row) for row in panel.rows]
        print_table(panel.columns, rows, empty=panel.empty)


def conclusion(summary: Summary, *, resumable: bool) -> str:
    """Return a sentence or two about how the run ended and how to resume it.

    *resumable* is whether a checkpoint was saved.
    """
    if summary.unfinished:
        text = _concluded(summary, resumable=resumable)
        return f"{text} The last line has no line end and was not read; --last-line reads it."
    return _concluded(summary, resumable=resumable)


def failures_advice(
    summary: Summary, events: str, connection: str, dead_letters: Path | None
) -> str:
    """Return a sentence about where to look at events of a file that failed in this run, if any.

    *dead_letters* is the file that has them; without it, they are in the file *events*, which
    standard input is not.
    """
    if not any(number for kind, number in summary.new_counts.items() if kind.outcome == "failed"):
        return ""
    if dead_letters:
        if not dead_letters.is_file():
            return ""
        return f"Failed events are kept: actions dead-letters list {quote(str(dead_letters))}"
    if not Path(events).is_file():
        return ""
    names = f"-c {quote(connection)} --event {quote(events)}"
    return f"To see why events failed: actions explain {names}"


def not_started(names: Sequence[str], *, overtakes: bool) -> str:
    """Return a sentence about the files of events that were left for the next run.

    *overtakes* is whether their events would overtake some that have no result yet.
    """
    shown = ", ".join(f"`{name}`" for name in names[:_SHOWN])
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    why = ", so that nothing overtakes what has no result yet" if overtakes else ""
    return f"Not started{why}: {shown}{more}."


def _concluded(summary: Summary, *, resumable: bool) -> str:
    lines = _lines(summary.lines)
    advice = _RESUME if resumable else _START_OVER
    if summary.stopped == "limit":
        return f"Stopped at the limit after {lines}. {advice}"
    if summary.stopped == "interrupted":
        return f"Interrupted after {lines}. {advice}"
    if summary.stopped == "unavailable":
        return f"Stopped after {lines}: {summary.message} {_open(summary)}{advice}"
    if summary.stopped == "refused":
        return f"Stopped after {lines}: {summary.message} {_REFUSED} {advice}"
    return _ended(summary)


def _open(summary: Summary) -> str:
    """Return a sentence about what has no result yet."""
    if not summary.unsettled:
        return ""
    number = f"{summary.unsettled:,} {'result is' if summary.unsettled == 1 else 'results are'}"
    if not summary.settled:
        return f"{number} missing. "
    return f"{number} missing; everything up to line {summary.settled:,} has its own. "


def _ended(summary: Summary) -> str:
    new = summary.lines - summary.resumed
    if new or not summary.resumed:
        rate = f" ({new / summary.seconds:,.0f} per second)" if summary.seconds else ""
        return f"Done: {_lines(new)} in {summary.seconds:.1f} s{rate}."
    if summary.completed:
        return f"Done: the rest of {_lines(summary.lines)} in {summary.seconds:.1f} s."
    return "Nothing to do: an earlier run completed the file. Use --restart to deliver it again."


def _lines(number: int) -> str:
    return f"{number:,} line{'' if number == 1 else 's'}"
