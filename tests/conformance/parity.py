"""The page that says where each part of Segment's implementation is, from `docs/parity.json`.

`python -m tests.conformance.parity` generates `docs/parity.md`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import groupby

from tests.conformance.runner import ROOT

ROWS = ROOT / "docs" / "parity.json"
PAGE = ROOT / "docs" / "parity.md"

HEAD = """\
# Where the parts of Segment's implementation are

This page lists the parts of Segment's implementation of action destinations: what each of them is \
there and here, where to read on, and a test that shows it.
A part that is not given says why.
Where a part exists and behaves in another way on purpose, \
[differences from Segment's implementation](differences.md) gives behavior, reason and test.
"""


@dataclass(frozen=True, kw_only=True)
class ParityRow:
    """One part of Segment's implementation.

    *places* are where it is here: files, pages, `hook:` and `command:` with a name, and names of
    the package `framework`.
    """

    section: str
    feature: str
    segment: str
    here: str
    places: tuple[str, ...]
    tests: tuple[str, ...]


def read_rows() -> list[ParityRow]:
    """Read the rows, in their order."""
    return [
        ParityRow(**{**row, "places": tuple(row["places"]), "tests": tuple(row["tests"])})
        for row in json.loads(ROWS.read_text(encoding="utf-8"))
    ]


def page(rows: list[ParityRow]) -> str:
    """Return the page as Markdown."""
    parts = [HEAD.rstrip()]
    for heading, group in groupby(rows, key=lambda row: row.section):
        parts.append(f"\n## {heading}\n")
        parts.append("| Part | Segment | Here | Where | Tests |")
        parts.append("| --- | --- | --- | --- | --- |")
        parts += [_line(row) for row in group]
    return "\n".join(parts) + "\n"


def _line(row: ParityRow) -> str:
    tests = ", ".join(map(_test, row.tests))
    where = ", ".join(map(_place, row.places))
    texts = (row.feature, row.segment, row.here)
    return f"| {' | '.join(map(_cell, texts))} | {where} | {tests} |"


def _test(name: str) -> str:
    file, _, function = name.rpartition("::")
    return f"[`{function}`](../{file})"


def _place(place: str) -> str:
    kind, _, name = place.rpartition(":")
    if kind == "hook":
        return f"[`{name}`](hooks.md)"
    if kind == "command":
        return f"`actions {name}`"
    if place.startswith("docs/"):
        return f"[{place.removeprefix('docs/')}]({place.removeprefix('docs/')})"
    return f"[`{place}`](../{place})" if "/" in place else f"`{place}`"


def _cell(text: str) -> str:
    return (text[:1].upper() + text[1:].removesuffix(".")).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(read_rows()), encoding="utf-8")
