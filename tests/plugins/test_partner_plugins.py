"""The partners that are written like an outsider's: small, by the public names only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import framework

HERE = Path(__file__).parent
MOST_LINES = {
    "acme_crm": 180,
    "acme_ads": 160,
    "acme_bulk": 110,
    "acme_signed": 65,
    "acme_sink": 45,
}
"""Lines that are not blank, sandboxes apart."""

PLUGINS = sorted(file for file in HERE.glob("acme_*/acme_*.py") if "_sandbox" not in file.name)
OF_SANDBOXES = {"framework", "framework.paths", "framework.sandbox"}


def imports(file: Path) -> Iterator[tuple[str, str]]:
    """Yield module and name of each import from the framework."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("framework"):
            yield from ((node.module or "", one.name) for one in node.names)
        if isinstance(node, ast.Import):
            yield from ((one.name, "") for one in node.names if one.name.startswith("framework"))


@pytest.mark.parametrize("name", MOST_LINES)
def test_a_partner_is_small(name: str) -> None:
    text = (HERE / name / f"{name}.py").read_text(encoding="utf-8")
    assert sum(bool(line.strip()) for line in text.splitlines()) <= MOST_LINES[name]


@pytest.mark.parametrize("file", PLUGINS, ids=lambda file: file.stem)
def test_a_partner_uses_the_public_names(file: Path) -> None:
    assert all(
        module == "framework" and name in framework.__all__ for module, name in imports(file)
    )


@pytest.mark.parametrize("file", sorted(HERE.glob("acme_*/*_sandbox.py")), ids=lambda one: one.stem)
def test_a_sandbox_uses_what_sandboxes_need(file: Path) -> None:
    assert {module for module, _ in imports(file)} <= OF_SANDBOXES
