"""Whatever opens the connection of a file passes on everything that the file says about it."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import get_type_hints

from framework.config import ConnectionFile
from framework.config.connection import ConnectionArguments
from framework.delivery import connect
from framework.explain import run_case

CLI = Path(__file__).parents[3] / "framework" / "cli"


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Yield each call of a function by its name, with the name of the file."""
    for file in sorted(CLI.glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                yield file.name, node


def openings() -> Iterator[tuple[str, int, bool]]:
    """Yield file, line and whether the arguments are passed, of each call that opens one."""
    for name, call in calls():
        if getattr(call.func, "id", "") in {"connect", "run_case"}:
            spread = [one.value for one in call.keywords if one.arg is None]
            passed = any(getattr(one, "attr", "") == "arguments" for one in spread)
            yield name, call.lineno, passed


def test_every_command_passes_them() -> None:
    found = list(openings())
    assert len(found) >= 8
    assert [(name, line) for name, line, passed in found if not passed] == []


def test_they_are_arguments_of_a_connection_and_of_a_test() -> None:
    names = set(get_type_hints(ConnectionArguments))
    for function in (connect, run_case):
        assert names <= set(inspect.signature(function).parameters)
    assert isinstance(inspect.getattr_static(ConnectionFile, "arguments"), property)
