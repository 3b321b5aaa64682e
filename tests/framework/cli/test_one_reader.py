"""Every command reads a connection file as `validate` does: the same errors, or none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from framework.cli import exits
from framework.cli.app import actions
from framework.cli.findings import render
from framework.config import Diagnostic, read_connection
from framework.controls import visible
from framework.linting import check, model_from_spec
from framework.plugins import load_plugins
from framework.sandbox import Sandbox, serve
from tests.framework.cli.mutated_documents import GOOD, TESTS, mutated

MUTATIONS = 150
ENDPOINT = ""
"""The value of `--endpoint`, set while the depot's sandbox is served."""


@pytest.fixture(scope="module")
def depot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Make a folder with the installed depot and an events file, and work in it."""
    folder = tmp_path_factory.mktemp("depot")
    plugin = Path(__file__).parent / "plugin" / "depot_destination.py"
    (folder / plugin.name).write_text(plugin.read_text())
    info = folder / "depot-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: depot\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[action_destinations]\ndepot = depot_destination\n")
    (folder / "events.ndjson").write_text('{"type": "track", "event": "Order Completed"}\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        patch.setenv("DEPOT_KEY", "sesame")
        patch.setattr("framework.cli.serve._serve", lambda *_: None)
        sandbox: Sandbox = load_plugins().get("depot").call("sandbox")
        with serve(sandbox) as server:
            patch.setattr(f"{__name__}.ENDPOINT", f"{sandbox.origins[0]}={server.url}")
            yield folder


def command(*arguments: object) -> Result:
    return CliRunner().invoke(actions, [*map(str, arguments)], prog_name="actions")


def errors(file: Path) -> list[Diagnostic]:
    installed = load_plugins().destinations
    known = {slug: plugin.definition for slug, plugin in installed.items()}
    found = check(read_connection(file), known, model_from_spec())
    return [each for each in found if each.severity == "error"]


def shown(found: list[Diagnostic]) -> list[str]:
    """Return findings as they reach the terminal."""
    return [visible(click.unstyle(render(each))) for each in found]


def is_disabled(text: str) -> bool:
    document: Any = json.loads(text)
    return document.get("enabled") is False


def confirm(file: Path, events: Path) -> None:
    """Assert that each command refuses a file exactly if `validate` finds errors, with the same."""
    found = errors(file)
    verdict = command("validate", file)
    assert verdict.exit_code == (exits.FAILED if found else exits.DONE), file.read_text()
    for arguments in (
        ("run", "-c", file, "-e", events, "--sandbox", "--quiet"),
        ("explain", "-c", file, "--event", events),
        ("check-auth", "-c", file, "--endpoint", ENDPOINT),
    ):
        result = command(*arguments)
        assert result.exit_code != exits.BUG, (file.read_text(), result.stderr)
        disabled = arguments[0] == "run" and not found and is_disabled(file.read_text())
        refused = result.exit_code == exits.USAGE and not disabled
        assert refused is bool(found), (arguments[0], file.read_text(), result.stderr)
        assert [each for each in shown(found) if each not in result.stderr] == []
    served = command("serve", "-c", file, "--no-open")
    assert served.exit_code in ({exits.DONE, exits.USAGE} if found else {exits.DONE})
    assert [each for each in shown(found) if each not in served.stderr] == []


@pytest.mark.parametrize("document", GOOD)
def test_good_documents_pass(document: dict[str, Any], depot: Path) -> None:
    file = depot / "good.connection.json"
    file.write_text(json.dumps(document))
    assert errors(file) == []
    assert command("check-auth", "-c", file, "--endpoint", ENDPOINT).exit_code == exits.DONE
    confirm(file, depot / "events.ndjson")


def test_validate_finds_an_error_exactly_if_a_command_refuses(depot: Path) -> None:
    """Nothing ends in a traceback, and every command shows every error."""
    random = Random(11)  # noqa: S311 - for tests, not for secrets
    file = depot / "mutated.connection.json"
    refused = 0
    for number in range(MUTATIONS):
        text = mutated(random, GOOD[number % len(GOOD)])
        file.write_text(text)
        confirm(file, depot / "events.ndjson")
        refused += bool(errors(file))
    assert MUTATIONS // 4 < refused < MUTATIONS


def test_test_files_are_read_by_validate_as_by_test(depot: Path) -> None:
    random = Random(12)  # noqa: S311 - for tests, not for secrets
    file = depot / "depot.test.json"
    (depot / "depot.connection.json").write_text(json.dumps(GOOD[0]))
    for _ in range(MUTATIONS):
        text = mutated(random, TESTS)
        file.write_text(text)
        verdict, result = command("validate", file), command("test", file)
        assert {verdict.exit_code, result.exit_code}.isdisjoint({exits.BUG}), text
        assert (verdict.exit_code == exits.FAILED) is (result.exit_code == exits.USAGE), text
