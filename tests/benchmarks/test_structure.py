"""The measures of structure: counted from source and from a delivery."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.structure import counted, observed, table

ROOT = Path(__file__).parents[2]
MODULES = {
    "framework/__init__.py": "",
    "framework/errors.py": "class Place:\n    pass\n",
    "framework/triggers/reader.py": """\
from typing import Any, TypeAlias

Reader: TypeAlias = Any


def read():
    return _once(_twice(_twice(1)))


def _once(value):
    return value


def _twice(value):
    return value


class _Place:
    pass
""",
    "framework/cli/reader.py": "class Reader:\n    pass\n\n\nclass _Place:\n    pass\n",
    "destinations/acme/errors.py": "class Place:\n    pass\n",
}


def test_source_is_counted(tmp_path: Path) -> None:
    for name, text in MODULES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    assert counted(tmp_path) == {
        "lines of framework/": "27",
        "lines of the engine": "21",
        "modules": "4",
        "public type names defined twice": "2",
        "type names defined twice, private ones included": "3",
        "file names used twice": "2",
        "file names used twice, not counting cli/": "1",
        "largest module": "19 triggers/reader.py",
        "private functions named in one place only": "1 of 2",
    }


def test_a_delivery_is_counted() -> None:
    """The figures hold the right order: a first event takes more steps than a warm one."""
    found = observed(ROOT, Path(sys.executable))
    calls, modules, moves, first_modules, first_moves, imported, ours = map(int, found.values())
    assert modules < moves < calls
    assert modules < first_modules < first_moves
    assert first_modules < ours < imported


def test_the_table_has_a_column_for_each_checkout() -> None:
    assert table({"old": {"lines": "2"}, "new": {"lines": "1"}}).splitlines() == [
        "| Measure | old | new |",
        "| --- | --: | --: |",
        "| lines | 2 | 1 |",
    ]
