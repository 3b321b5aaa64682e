"""Names and sizes: one definition for each public type, one module for each file name."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCES = [
    file
    for package in ("framework", "destinations")
    for file in sorted((ROOT / package).rglob("*.py"))
]
MAX_LINES = 500

# A command is named like the package that it is the front of.
COMMANDS = ROOT / "framework" / "cli"


def types_of(file: Path) -> Iterator[str]:
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation) == "TypeAlias":
            yield ast.unparse(node.target)


def repeated(found: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: places for name, places in found.items() if len(places) > 1}


def test_a_public_type_name_has_one_definition() -> None:
    """A stranger who searches for a name finds one thing."""
    found: dict[str, list[str]] = defaultdict(list)
    for file in SOURCES:
        for name in types_of(file):
            if not name.startswith("_"):
                found[name].append(file.relative_to(ROOT).as_posix())
    assert repeated(found) == {}


def test_a_file_name_is_used_once() -> None:
    """Packages and commands apart, a file is known by its name."""
    found: dict[str, list[str]] = defaultdict(list)
    for file in SOURCES:
        if file.name not in {"__init__.py", "__main__.py"} and file.parent != COMMANDS:
            found[file.name].append(file.relative_to(ROOT).as_posix())
    assert repeated(found) == {}


def test_no_module_is_too_long() -> None:
    lengths = {
        file.relative_to(ROOT).as_posix(): len(file.read_text(encoding="utf-8").splitlines())
        for file in SOURCES
    }
    assert {file: lines for file, lines in lengths.items() if lines > MAX_LINES} == {}
