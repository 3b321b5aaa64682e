"""The page about events that are not sent shows what `actions explain` prints."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from framework.cli import exits
from framework.cli.app import actions
from tests.guides import blocks_of


def test_its_event_is_explained_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connection, event, command, shown = (block.text for block in blocks_of("skipped-events.md"))
    for name in ("CRITEO_CLIENT_ID", "CRITEO_CLIENT_SECRET"):
        monkeypatch.setenv(name, "any")
    monkeypatch.chdir(tmp_path)
    Path("criteo.connection.yaml").write_text(connection)
    Path("events.ndjson").write_text(event)
    result = CliRunner().invoke(actions, shlex.split(command)[1:])
    assert result.output == f"{shown}\n"
    assert result.exit_code == exits.FAILED
    run = ["run", "-c", "criteo.connection.yaml", "-e", "events.ndjson", "--dead-letters", "dead"]
    assert CliRunner().invoke(actions, run).exit_code == exits.FAILED
    letters = CliRunner().invoke(actions, ["dead-letters", "show", "dead"]).output
    again = ["explain", "-c", "criteo.connection.yaml", "--event", "-", "--unpack"]
    assert CliRunner().invoke(actions, again, input=letters).stdout == f"{shown}\n"
