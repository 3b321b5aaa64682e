"""`actions show --generated`: the function that the events of a connection go through."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from click.testing import Result

from framework.cli import exits

Actions: TypeAlias = Callable[..., Result]
ROOT = Path(__file__).parents[3]


def test_it_is_printed_with_a_legend_and_without_secrets(
    run_actions: Actions, connection: Path
) -> None:
    result = run_actions("show", "--generated", connection)
    assert result.exit_code == exits.DONE
    assert '# rows[0] "Orders" (order): row_ids, payloads\n' in result.stdout
    assert '# event has f0 "type", f1 "integrations", f2 "properties"\n' in result.stdout
    assert "\ndef prepare(row_ids, events, rows, slow):\n" in result.stdout
    assert "sesame" not in result.stdout


def test_there_is_one_for_whole_events(run_actions: Actions, connection: Path) -> None:
    result = run_actions("show", "--generated", connection, "--form", "json")
    assert "# event is decoded JSON\n" in result.stdout
    assert "event.get('type', MISSING)" in result.stdout


def test_a_terminal_shows_it_in_colours(site: Path, connection: Path) -> None:
    """The text is the same but for the colours."""
    command = [sys.executable, "-m", "framework", "show", "--generated", str(connection)]
    paths = os.pathsep.join([str(site), str(ROOT)])
    environment = {"PYTHONPATH": paths, "SHOP_KEY": "sesame", "TERM": "xterm-256color"}
    plain = subprocess.run(command, env=environment, check=True, capture_output=True).stdout
    reading, writing = pty.openpty()
    try:
        subprocess.run(command, env=environment, check=True, stdout=writing)
        shown = os.read(reading, 100)
    finally:
        os.close(reading)
        os.close(writing)
    assert b"\x1b[" not in plain
    assert b"\x1b[" in shown


@pytest.mark.parametrize("both", [False, True])
def test_one_thing_is_shown(run_actions: Actions, connection: Path, both: bool) -> None:  # noqa: FBT001 - parametrized
    result = run_actions("show", *(["shop", "--generated", connection] if both else []))
    assert result.exit_code == exits.USAGE
    assert result.stderr.endswith("Error: Give either a destination or --generated FILE.\n")
