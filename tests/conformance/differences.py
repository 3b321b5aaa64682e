"""The page of differences from the reference, made of the rows in `docs/differences.json`.

`python -m tests.conformance.differences` writes `docs/differences.md` anew.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import groupby

from tests.conformance.runner import ROOT

ROWS = ROOT / "docs" / "differences.json"
PAGE = ROOT / "docs" / "differences.md"

ROOMS = {
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
"""The headings of the page in order, each for the rows whose tests lie there."""

HEAD = """\
# Where we differ from the reference

The reference is the TypeScript implementation of Segment's action destinations.
Each row says what it does, what happens here instead, and why; a test shows it.
Recorded cases of the reference are run as tests, and only a tag with a row excuses a difference.
Where saved mappings rely on a result that is merely odd, we do the same and say so in an example.
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
        """The heading it stands under."""
        return next(name for place, name in ROOMS.items() if self.test.startswith(place))


def read_rows() -> list[Row]:
    """Read the rows as they are kept: ordered by topic and tag."""
    return [
        Row(**{**row, "cases": tuple(row.get("cases", ()))})
        for row in json.loads(ROWS.read_text(encoding="utf-8"))
    ]


def page(rows: list[Row]) -> str:
    """Return the page of differences as Markdown."""
    order = list(dict.fromkeys(ROOMS.values()))
    placed = sorted(rows, key=lambda row: order.index(row.heading))
    parts = [HEAD.rstrip()]
    for heading, group in groupby(placed, key=lambda row: row.heading):
        parts.append(f"\n## {heading}\n")
        parts.append("| Topic | The reference | Here | Why | Shown by |")
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
