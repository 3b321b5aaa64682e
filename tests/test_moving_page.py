"""The page about moving from Segment is true: its commands run and print what it shows."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from framework.cli.app import actions

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "moving.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
]
(SHOWN,) = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)


def run(command: str) -> str:
    program, *arguments = shlex.split(command)
    assert program == "actions"
    result = CliRunner().invoke(actions, arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_every_command_runs_and_shows_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(ROOT / "examples" / "segment-export", tmp_path / "segment-export")
    lines = (ROOT / "examples" / "criteo" / "events.ndjson").read_text().splitlines()
    (tmp_path / "event.json").write_text(lines[0])
    (tmp_path / "events.ndjson").write_text(f"{lines[0]}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CRITEO_SPRING_CLIENT_SECRET", "any")
    importing, *others = COMMANDS
    assert run(importing) == SHOWN
    validated, *others = others
    assert run(validated) == "No problems found.\n"
    for command in others:
        assert run(command)
    document = yaml.safe_load(Path("connections/criteo-spring.connection.yaml").read_text())
    assert document["settings"]["client_secret"] == "${env:CRITEO_SPRING_CLIENT_SECRET}"
    report = Path("connections/import-report.md").read_text()
    assert "`==` is not an operator" in report
