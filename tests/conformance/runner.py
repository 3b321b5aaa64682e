"""Runs recorded cases of Segment's implementation against the framework and counts the results.

An adapter translates our result into Segment's shape; the framework is not bent to it.
A case that differs is excused only by its tag or its id, which `docs/differences.json` explains.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from tests.conformance.definition import ADAPTERS as DEFINITION
from tests.conformance.delivery import ADAPTERS as DELIVERY
from tests.conformance.mapping import ADAPTERS as MAPPING
from tests.conformance.triggers import ADAPTERS as TRIGGERS

ROOT = Path(__file__).parent.parent.parent
CASES = ROOT / "tests" / "cases" / "conformance"
OUTSIDE = tuple(
    ROOT.parent / "shared" / "conformance" / f"{name}.jsonl" for name in ("corpus", "peer_suite")
)
"""Files of recorded cases with texts of others: used if they are next to the checkout."""

Case: TypeAlias = dict[str, Any]
Adapter: TypeAlias = Callable[[Case], str | None]

ADAPTERS: dict[str, Adapter] = {**TRIGGERS, **MAPPING, **DEFINITION, **DELIVERY}


@dataclass
class Tally:
    """The results of the cases of one file, with the difference of failed ones."""

    passed: int = 0
    excused: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)


def case_files() -> list[Path]:
    """Return every file of recorded cases: those of the repository, then those found beside it."""
    return [*sorted(CASES.glob("*.jsonl")), *(file for file in OUTSIDE if file.exists())]


def absent_files() -> list[Path]:
    """Return the files that are not part of the repository and not beside the checkout."""
    return [file for file in OUTSIDE if not file.exists()]


def excuses() -> frozenset[str]:
    """Return the tags and ids of cases with intended differences from Segment."""
    rows = json.loads((ROOT / "docs" / "differences.json").read_text(encoding="utf-8"))
    tags = [row["tag"] for row in rows if row.get("tag")]
    return frozenset((*tags, *(case for row in rows for case in row.get("cases", ()))))


def read_cases(file: Path) -> Iterable[Case]:
    """Read one case a line."""
    with file.open(encoding="utf-8") as lines:
        yield from (json.loads(line) for line in lines if line.strip())


def run_case(case: Case) -> str | None:
    """Return the difference between Segment's behaviour and ours, if there is one."""
    adapter = ADAPTERS.get(case["kind"])
    if adapter is None:
        return f"there is no adapter for the kind `{case['kind']}`"
    try:
        return adapter(case)
    except Exception as error:  # noqa: BLE001 - an uncaught exception is a failed case
        return f"uncaught {type(error).__name__}: {error}"


def run_file(file: Path, excused: frozenset[str]) -> Tally:
    """Run every case of a file."""
    tally = Tally()
    for case in read_cases(file):
        difference = run_case(case)
        if difference is None:
            tally.passed += 1
        elif excused.intersection((case["id"], *case.get("note", ()))):
            tally.excused += 1
        else:
            tally.failed.append((case["id"], difference))
    return tally


def run_files(files: list[Path]) -> int:
    """Run files, print their counts and the failed cases; return the exit status."""
    excused = excuses()
    passed = failed = 0
    for file in files:
        tally = run_file(file, excused)
        print(  # noqa: T201 - this is the command's output
            f"{file.name}: {tally.passed} passed, {tally.excused} excused, "
            f"{len(tally.failed)} failed"
        )
        for name, difference in tally.failed:
            print(f"  {name}: {difference}")  # noqa: T201 - the same
        passed += tally.passed + tally.excused
        failed += len(tally.failed)
    for file in absent_files():
        print(f"{file.name}: skipped, not beside the checkout")  # noqa: T201 - the same
    print(f"{passed} passed, {failed} failed")  # noqa: T201 - the same
    return 1 if failed else 0
