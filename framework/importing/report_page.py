"""The report of an import: what was taken over, and every note, as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, get_args

from framework.importing.conversion import ImportedConnection
from framework.importing.exported import Note, NoteKind

_KINDS: Final[dict[NoteKind, str]] = {
    "left out": "Left out",
    "changed": "Changed",
    "disabled": "Disabled",
    "to check": "To check",
}
_KINDS_IN_ORDER: Final[tuple[NoteKind, ...]] = get_args(NoteKind)


def import_report(connections: Sequence[ImportedConnection], notes: Sequence[Note]) -> str:
    """Return the report; *notes* are about the files that were read."""
    lines = ["# Import report", ""]
    for one in connections:
        lines += _connection(one)
    if notes:
        lines += ["## Files", "", *_notes(notes), ""]
    return "\n".join(lines)


def summary(one: ImportedConnection) -> str:
    """Return what was taken over for a connection, on one line."""
    parts = [
        _count(one.subscriptions, "subscription")
        + ("" if one.active == one.subscriptions else f" ({one.active} enabled)"),
        *([_count(one.filters, "filter")] if one.filters else []),
        *([_count(len(one.variables), "variable") + " to set"] if one.variables else []),
        *([_count(len(one.notes), "note")] if one.notes else []),
    ]
    return ", ".join(parts)


def _connection(one: ImportedConnection) -> Iterator[str]:
    yield f"## {one.stem}.connection.yaml"
    yield ""
    yield f"Destination `{one.slug}`: {summary(one)}."
    yield ""
    if one.manifest is not None:
        yield (
            "The destination is not installed. "
            f"`actions validate {one.stem}.connection.yaml --manifest {one.slug}.manifest.json` "
            "checks the file; to deliver, its plugin is needed."
        )
        yield ""
    if one.variables:
        yield f"Set these variables: {', '.join(f'`{name}`' for name in one.variables)}."
        yield ""
    if one.notes:
        yield from _notes(one.notes)
        yield ""


def _notes(notes: Sequence[Note]) -> Iterator[str]:
    yield "| | What | Why |"
    yield "| --- | --- | --- |"
    for kind in _KINDS_IN_ORDER:
        for note in notes:
            if note.kind == kind:
                yield f"| {_KINDS[kind]} | {_cell(note.where)} | {_cell(note.text)} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
