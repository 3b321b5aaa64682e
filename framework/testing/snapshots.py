"""Snapshots: requests saved as JSON next to the tests, and compared with later ones."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from framework.paths import JSON


class SnapshotMismatch(AssertionError):  # noqa: N818 - a failing comparison, not an error
    """A value differs from its snapshot, or the snapshot does not exist."""


@dataclass(frozen=True)
class Snapshots:
    """The snapshots of one test: one JSON file each in *folder*, overwritten if *update* is true.

    *prefix* is the test's name, with which file names begin.
    """

    folder: Path
    prefix: str = ""
    update: bool = False

    def check(self, value: JSON, name: str = "") -> None:
        """Compare *value* with its snapshot; raises SnapshotMismatch with the difference."""
        path = self.path(name)
        text = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
        if self.update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
            return
        if not path.exists():
            raise SnapshotMismatch(
                f"There is no snapshot {path.name}. Create it with `pytest --snapshot-update`."
            )
        kept = path.read_text(encoding="utf-8")
        if kept != text:
            raise SnapshotMismatch(_difference(path, kept, text))

    def path(self, name: str = "") -> Path:
        """Return the path of the snapshot called *name*."""
        stem = "-".join(filter(None, (self.prefix, name))) or "snapshot"
        safe = "".join(char if char.isalnum() or char in "-_." else "_" for char in stem)
        return self.folder / f"{safe}.json"


def requests_of(ran: Any) -> list[dict[str, Any]]:
    """Return the requests of a Ran for a snapshot, without headers that differ between machines."""
    return [
        {
            "method": request["method"],
            "url": request["url"],
            "headers": {k: v for k, v in request["headers"].items() if k in _STABLE_HEADERS},
            "body": _body(request["body"]),
        }
        for request in ran.requests
    ]


_STABLE_HEADERS = frozenset({"authorization", "content-type", "x-api-key"})


def _body(text: str) -> JSON:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _difference(path: Path, kept: str, found: str) -> str:
    lines = difflib.unified_diff(
        kept.splitlines(), found.splitlines(), "snapshot", "now", lineterm="", n=2
    )
    shown = "\n".join(lines)
    return f"{path.name} differs; accept the change with `pytest --snapshot-update`.\n{shown}"
