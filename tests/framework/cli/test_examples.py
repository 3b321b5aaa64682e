"""The examples do what their texts say."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from framework.cli import exits
from framework.cli.app import actions

CRITEO = Path(__file__).parents[3] / "examples/criteo"


def test_the_criteo_example_delivers_to_the_sandbox(
    tmp_path: Path, install: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    install(
        tmp_path, "action-destinations", "0.1.0",
        {"actions-criteo-audiences": "destinations.criteo_audiences"},
    )  # fmt: skip
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("CRITEO_CLIENT_ID", "anything")
    monkeypatch.setenv("CRITEO_CLIENT_SECRET", "anything")
    result = CliRunner().invoke(
        actions,
        ["run", "-c", str(CRITEO / "criteo.connection.yaml"), "-e", str(CRITEO / "events.ndjson"),
         "--sandbox", "--json"],
    )  # fmt: skip
    assert result.stderr == ""
    told = json.loads(result.stdout)
    assert {f"{row['subscription']}, {row['outcome']}" for row in told["counts"]} == {
        "Add users, delivered",
        "Add users, failed",
        "Add users, skipped",
        "Remove users, delivered",
        "Remove users, skipped",
    }
    segments = {row["name"]: row["members"] for row in told["sandbox"]["segments"]}
    assert segments["spring_sale"] == {"email": 2}
    assert segments.get("winter_clearance", {}) in ({}, {"email": 0})
    assert result.exit_code == exits.FAILED


@pytest.mark.parametrize(
    "command",
    [
        "validate c.yaml",
        "run -c c.yaml -e events.ndjson --dry-run --json",
        "explain -c c.yaml --event events.ndjson",
        "test c.test.yaml",
        "show criteo",
        "show --generated c.yaml",
    ],
)
def test_a_destination_may_be_named_in_short(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part of the slug is enough on the command line and in files; output shows the whole."""
    text = (CRITEO / "criteo.connection.yaml").read_text()
    assert "destination: actions-criteo-audiences\n" in text
    cases = (CRITEO / "criteo.test.yaml").read_text()
    for name, content in {
        "c.yaml": text.replace("destination: actions-criteo-audiences\n", "destination: criteo\n"),
        "c.test.yaml": f"connection: c.yaml\n{cases}",
        "events.ndjson": (CRITEO / "events.ndjson").read_text().splitlines()[0],
    }.items():
        (tmp_path / name).write_text(content)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CRITEO_CLIENT_ID", "anything")
    monkeypatch.setenv("CRITEO_CLIENT_SECRET", "anything")

    result = CliRunner().invoke(actions, command.split())

    assert (result.stderr, result.exit_code) == ("", 0), result.output
    if "--json" in command:
        assert json.loads(result.stdout)["destination"] == "actions-criteo-audiences"
