"""Entries of the catalogue, and the page that lists them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

_GROUPS: Final = {
    "AD1": "Files",
    "AD2": "Structure",
    "AD3": "Settings and references",
    "AD40": "Destinations and actions",
    "AD41": "Triggers",
    "AD42": "Triggers",
    "AD50": "Mappings",
    "AD51": "Values",
    "AD52": "Field options",
    "AD53": "Batches",
    "AD6": "Manifests",
}
_INTRODUCTION: Final = """\
# Diagnostics

Every finding of `actions validate` has a code.
`actions validate --explain CODE` explains one of them in the terminal; this page lists them all.

Errors prevent delivery, warnings are likely mistakes, hints are suggestions.
The command exits with 1 only if there are errors.
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One code: its *summary*, *why* it matters, and a *document* that leads to the *message*.

    The message includes the hint. *name* is the file name of the document.
    """

    code: str
    summary: str
    why: str
    document: str
    message: str
    name: str = "letters.yaml"

    def __str__(self) -> str:
        shown = "".join(f"    {line}".rstrip() + "\n" for line in self.document.splitlines())
        return f"{self.code}: {self.summary}\n\n{self.why}\n\n{shown}\n{self.message}\n"


def page(entries: Iterable[Entry], manifest: Mapping[str, Any]) -> str:
    """Return a Markdown page of all entries, whose examples use the destination of *manifest*."""
    parts, group = [_INTRODUCTION], ""
    for entry in entries:
        title = next(name for start, name in _GROUPS.items() if entry.code.startswith(start))
        if title != group:
            parts.append(f"## {title}\n")
            group = title
        parts.append(_section(entry))
    parts.append(
        "## The destination of the examples\n\n"
        "The examples deliver to a destination with this manifest.\n\n"
        f"```json\n{json.dumps(manifest, indent=2)}\n```\n"
    )
    return "\n".join(parts)


def _section(entry: Entry) -> str:
    language = "json" if entry.name.endswith(".json") else "yaml"
    return (
        f"### {entry.code}\n\n{entry.summary}\n{entry.why}\n\n"
        f"```{language}\n{entry.document.rstrip()}\n```\n\n"
        f"> {entry.message}\n"
    )
