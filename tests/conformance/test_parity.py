"""The page about Segment's parts: what it names is there, and nothing is left out."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

import framework
from framework.cli.app import actions
from framework.definition.json_schema_meta import OPTIONS
from framework.mapping import DIRECTIVES
from framework.plugins import HOOKS
from tests.conformance.parity import PAGE, ParityRow, page, read_rows
from tests.conformance.runner import ROOT

ALL = read_rows()
TEXT = PAGE.read_text(encoding="utf-8")

SEGMENTS = {
    "Destinations": 31,
    "Actions": 16,
    "What `perform` receives": 17,
    "Order of processing": 6,
    "Options of fields": 18,
    "Mappings": 17,
    "Triggers": 8,
    "Requests, errors, retries": 10,
    "Commands": 10,
}
"""The number of parts that Segment's implementation has, by section."""

OWN_HOOKS = {
    "destination",
    "settings",
    "identify",
    "open_resource",
    "preview",
    "sandbox",
    "member_payload",
    "audience_size",
    "register_directives",
    "batch_finished",
    "check_connection",
    "delivery_finished",
}
"""Hooks for what Segment's implementation does not have."""

OWN_DIRECTIVES = {"@jinja"}


@cache
def functions(file: str) -> frozenset[str]:
    """Return the names of the functions of a file, those in classes included."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("row", ALL, ids=lambda row: f"{row.section}: {row.feature}")
def test_a_row_names_what_exists(row: ParityRow) -> None:
    """Its tests, files, pages, hooks, commands and names; without a test it says why."""
    for test in row.tests:
        file, _, name = test.rpartition("::")
        assert name in functions(file), test
    assert row.tests or row.here.startswith("not given")
    assert row.places
    for place in row.places:
        assert exists(place), place


def exists(place: str) -> bool:
    kind, _, name = place.rpartition(":")
    if kind == "hook":
        return name in HOOKS
    if kind == "command":
        return name in actions.list_commands(None)  # type: ignore[arg-type]
    if "/" in place:
        return Path(ROOT / place).is_file()
    package, _, attribute = place.partition(".")
    return package == "framework" and attribute in framework.__all__


def test_no_part_is_missing() -> None:
    """The parts are counted; each is listed once."""
    counts = dict.fromkeys(SEGMENTS, 0)
    for row in ALL:
        counts[row.section] += 1
    assert counts == SEGMENTS
    assert len({(row.section, row.feature) for row in ALL}) == len(ALL)


def test_what_is_ours_is_found() -> None:
    """Every hook, directive and option of a field that comes from Segment has a row."""
    named = {place.removeprefix("hook:") for row in ALL for place in row.places}
    assert set(HOOKS) - OWN_HOOKS <= named
    features = " ".join(row.feature for row in ALL)
    assert set(DIRECTIVES) - OWN_DIRECTIVES <= set(re.findall(r"@\w+", features))
    options = " ".join(f"{row.feature} {row.here}" for row in ALL)
    assert {name for name in OPTIONS if name not in options} <= {"extra", "pattern", "secret"}


def test_the_page_is_up_to_date() -> None:
    """`make docs` writes it."""
    assert page(ALL) == TEXT


def test_the_pages_lead_to_each_other() -> None:
    """What differs on purpose is said once, with its reason."""
    differences = (ROOT / "docs" / "differences.md").read_text(encoding="utf-8")
    assert "(differences.md)" in TEXT
    assert "(parity.md)" in differences
