"""What plugins print goes to standard error, and why one was left out is shown."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from framework.cli import exits
from tests.framework.cli.conftest import Actions

TALKER = """
from framework import Action, Destination, Payload, field, hookimpl

print("imported")


class Line(Payload):
    text: str = field("Text", mapping={"@path": "$.event"})


@hookimpl
def destination():
    print("asked")
    return Destination(slug="talker", name="Talker")


@hookimpl
def actions():
    return [Action(slug="say", title="Say", trigger='type = "track"', payload=Line)]


@hookimpl
def perform(payload):
    print("performed")
"""
CONNECTION = """\
destination: talker
settings: {}
subscriptions:
  - partnerAction: say
"""
EVENT = '{"type": "track", "event": "Signed Up"}\n'


@pytest.fixture
def talker(
    tmp_path: Path, install: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Path]:
    """Return what installs the talker with a given source, and its connection file."""

    def write(source: str) -> Path:
        (tmp_path / "talker_destination.py").write_text(source)
        install(tmp_path, "talker", "1.0", {"talker": "talker_destination"})
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, "talker_destination", raising=False)
        (tmp_path / "events.ndjson").write_text(EVENT)
        connection = tmp_path / "talker.connection.yaml"
        connection.write_text(CONNECTION)
        return connection

    return write


COMMANDS = {
    "run": ["--events", "events.ndjson", "--dry-run", "--json", "--connection"],
    "explain": ["--event", "events.ndjson", "--json", "--connection"],
    "validate": ["--format", "json"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_prints_do_not_spoil_json(
    run_actions: Actions,
    talker: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    connection = talker(TALKER)
    monkeypatch.chdir(connection.parent)
    result = run_actions(command, *COMMANDS[command], connection)
    assert result.exit_code == exits.DONE, result.output
    json.loads(result.stdout)
    performed = [] if command == "validate" else ["performed"]
    assert result.stderr.splitlines() == ["imported", "asked", *performed]


@pytest.mark.parametrize("command", ["list", "show"])
def test_prints_do_not_spoil_lists(
    run_actions: Actions, talker: Callable[[str], Path], command: str
) -> None:
    talker(TALKER)
    result = run_actions(command, *(["talker"] if command == "show" else []), "--json")
    json.loads(result.stdout)
    assert result.stderr == "imported\nasked\n"


@pytest.mark.parametrize("command", ["run", "show"])
def test_a_destination_that_was_left_out_is_explained(
    run_actions: Actions,
    talker: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    connection = talker(TALKER.replace("(payload)", "(payload=None)"))
    monkeypatch.chdir(connection.parent)
    options = ["talker"] if command == "show" else [*COMMANDS["run"], str(connection)]
    result = run_actions(command, *options)
    assert result.exit_code == exits.USAGE
    file = connection.parent / "talker_destination.py"
    line = TALKER[: TALKER.index("@hookimpl\ndef perform")].count("\n") + 1
    assert (
        'There is no destination "talker". Plugin `talker` of talker 1.0 is left out: '
        f"{file}:{line}: Argument `payload` of hook `perform` has a default value, which is never "
        "used. Write `payload` without it.\n"
    ) in result.stderr
