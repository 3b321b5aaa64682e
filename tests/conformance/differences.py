"""The page of differences from Segment's implementation, from the rows in `docs/differences.json`.

`python -m tests.conformance.differences` generates `docs/differences.md`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import groupby

from tests.conformance.runner import ROOT

ROWS = ROOT / "docs" / "differences.json"
PAGE = ROOT / "docs" / "differences.md"

SECTIONS = {
    "tests/framework/triggers": "Triggers",
    "tests/framework/mapping": "Mappings",
    "tests/framework/test_paths.py": "Mappings",
    "tests/framework/linting": "Triggers",
    "tests/framework/definition": "Fields, payloads and audiences",
    "tests/framework/delivery": "Delivery",
    "tests/framework/relay": "Delivery",
    "tests/framework/tester": "The local server",
    "tests/destinations/criteo_audiences": "Criteo Audiences",
}
"""The headings of the page in order, by the folder of the rows' tests."""

HEAD = """\
# Differences from Segment's implementation

Segment's implementation of action destinations is written in TypeScript.
Each row states its behavior, the behavior of this framework, the reason, and a test.
Recorded cases of Segment's implementation run as tests; only a tag with a row allows a difference.
Unusual results that saved mappings rely on are the same here, and examples document them.
[Where the parts of Segment's implementation are](parity.md) lists everything, the same or not.
"""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One deliberate difference.

    *tag* is the note of recorded cases that show it, *cases* are the ids of those without a note.
    """

    topic: str
    reference: str
    ours: str
    why: str
    test: str
    tag: str = ""
    cases: tuple[str, ...] = ()

    @property
    def heading(self) -> str:
        """The heading of its section."""
        return next(name for place, name in SECTIONS.items() if self.test.startswith(place))


def read_rows() -> list[Row]:
    """Read the rows, ordered by topic and tag."""
    return [
        Row(**{**row, "cases": tuple(row.get("cases", ()))})
        for row in json.loads(ROWS.read_text(encoding="utf-8"))
    ]


def page(rows: list[Row]) -> str:
    """Return the page of differences as Markdown."""
    order = list(dict.fromkeys(SECTIONS.values()))
    placed = sorted(rows, key=lambda row: order.index(row.heading))
    parts = [HEAD.rstrip()]
    for heading, group in groupby(placed, key=lambda row: row.heading):
        parts.append(f"\n## {heading}\n")
        parts.append("| Topic | Segment | Here | Reason | Test |")
        parts.append("| --- | --- | --- | --- | --- |")
        parts += [_line(row) for row in group]
    return "\n".join(parts) + "\n"


def _line(row: Row) -> str:
    tag = "".join(f" `{name}`" for name in (row.tag, *row.cases) if name)
    file, _, name = row.test.rpartition("::")
    shown = f"[`{name}`](../{file}){tag}"
    texts = (row.topic, row.reference, row.ours, row.why)
    return f"| {' | '.join(map(_cell, texts))} | {shown} |"


def _cell(text: str) -> str:
    """Return a text as the cell of a table: a capital first, no full stop at the end."""
    return (text[:1].upper() + text[1:].removesuffix(".")).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(read_rows()), encoding="utf-8")
