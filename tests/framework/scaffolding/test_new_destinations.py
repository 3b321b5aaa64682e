"""New destinations pass linters, type checks, their tests and certification as they are written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from framework.cli.app import actions
from framework.errors import ConfigurationError
from framework.scaffolding import AUTH_KINDS, NewAction, NewDestination

ROOT = Path(__file__).parents[3]
TOOLS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy", "--strict"),
    ("pytest", "-q", "-p", "no:cacheprovider", "."),
)


def run(*arguments: str) -> str:
    told = CliRunner().invoke(actions, ["new", *arguments])
    assert told.exit_code == 0, told.output
    return told.output


@pytest.mark.parametrize("auth", AUTH_KINDS)
def test_what_is_written_is_complete(
    auth: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A destination with a further action; its tests certify it."""
    folder = tmp_path / f"acme-{auth}"
    run(f"acme-{auth}", "--auth", auth, "--no-input", "--folder", str(folder))
    run("action", "addNote", "--folder", str(folder))
    shared = str(tmp_path_factory.getbasetemp() / "mypy")
    paths = {"MYPYPATH": str(ROOT), "PYTHONPATH": str(ROOT), "MYPY_CACHE_DIR": shared}
    environment = {**os.environ, **paths}
    for tool in TOOLS:
        done = subprocess.run(
            [sys.executable, "-m", *tool],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{tool}\n{done.stdout}\n{done.stderr}"


def test_a_description_says_all(tmp_path: Path) -> None:
    """Title, origin and actions come from a JSON file."""
    described = {
        "name": "acme",
        "auth": "api-key",
        "url": "https://api.acme.test",
        "actions": [{"name": "sendOrder", "trigger": 'event = "Order Completed"'}],
    }
    source = tmp_path / "acme.json"
    source.write_text(json.dumps(described))
    told = run("--from", str(source), "--folder", str(tmp_path / "acme"))
    assert f"Wrote {tmp_path / 'acme' / 'acme' / 'actions' / 'send_order.py'}" in told
    assert 'HOST = "https://api.acme.test"' in (tmp_path / "acme/acme/settings.py").read_text()


def test_problems_are_reported_together(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        NewDestination(name="Acme CRM", auth="bsic")
    assert len(caught.value.problems) == 2
    assert "Did you mean `basic`" in caught.value.problems[1]
    with pytest.raises(ConfigurationError, match="does not parse"):
        NewAction(name="sendEvent", trigger="type =")
    told = CliRunner().invoke(actions, ["new", "action", "addNote", "--folder", str(tmp_path)])
    assert told.exit_code == 2
    assert "There is no destination in" in told.output


def test_questions_are_asked(tmp_path: Path) -> None:
    """Unless there is nobody to answer."""
    told = CliRunner().invoke(
        actions, ["new", "acme", "--folder", str(tmp_path / "a")], input="Acme!\nSends.\nbasic\n"
    )
    assert told.exit_code == 0, told.output
    assert 'name="Acme!"' in (tmp_path / "a" / "acme" / "__init__.py").read_text()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """Neither a folder nor a list of actions that was changed by hand."""
    folder = tmp_path / "acme"
    run("acme", "--no-input", "--folder", str(folder))
    again = CliRunner().invoke(actions, ["new", "acme", "--no-input", "--folder", str(folder)])
    assert again.exit_code == 5
    listing = folder / "acme" / "actions" / "__init__.py"
    listing.write_text(listing.read_text() + "\n# mine\n")
    told = CliRunner().invoke(actions, ["new", "action", "addNote", "--folder", str(folder)])
    assert told.exit_code == 2
    assert not (folder / "acme" / "actions" / "add_note.py").exists()
