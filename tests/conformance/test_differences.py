"""Every difference from Segment is intended: it has a row, a reason and a test."""

from __future__ import annotations

import ast
import json
import re
from functools import cache

import pytest

from tests.conformance.differences import PAGE, ROWS, page, read_rows
from tests.conformance.runner import CASES, ROOT, case_files, excuses, read_cases, run_case

FILES = case_files()
LOOSENING = {"engine-message", "liquid-message"}
"""Tags that only note a different wording."""


@cache
def written_in(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


@cache
def named_tags() -> frozenset[str]:
    """Return the tags that the cases' own documentation explains."""
    text = (CASES / "README.md").read_text(encoding="utf-8")
    notes = text.partition("## Notes")[2]
    cells = [line.split("|")[1] for line in notes.splitlines() if line.startswith("| `")]
    return frozenset(tag for cell in cells for tag in re.findall("`([^`]+)`", cell))


def test_the_page_is_fresh() -> None:
    """`python -m tests.conformance.differences` has been run after the last change to a row."""
    assert PAGE.read_text(encoding="utf-8") == page(read_rows())


def test_rows_are_kept_in_order() -> None:
    rows = read_rows()
    assert rows == sorted(rows, key=lambda row: (row.topic.lower(), row.tag))
    text = json.dumps(json.loads(ROWS.read_text(encoding="utf-8")), indent=2, ensure_ascii=False)
    assert ROWS.read_text(encoding="utf-8") == text + "\n"


@pytest.mark.parametrize("row", read_rows(), ids=lambda row: row.tag or row.topic)
def test_a_row_is_complete_and_its_test_exists(row: object) -> None:
    fields = {name: str(value) for name, value in vars(row).items()}
    assert all(text.strip() for name, text in fields.items() if name != "tag")
    assert "\n" not in "".join(fields.values())
    file, _, name = fields["test"].partition("::")
    assert name in written_in(file)


def test_rows_name_tags_that_exist() -> None:
    known = named_tags() | {
        name
        for file in FILES
        for case in read_cases(file)
        for name in (case["id"], *case.get("note", ()))
    }
    assert excuses() <= known


def test_a_tag_passes_everywhere_or_has_a_row() -> None:
    """No recorded case differs by a tag that no row explains."""
    unexplained = {
        tag: case["id"]
        for file in FILES
        for case in read_cases(file)
        if case["id"] not in excuses()
        for tag in {*case.get("note", ())} - excuses() - LOOSENING
        if run_case(case) is not None
    }
    assert unexplained == {}
