"""What the page about migrations shows is true."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from framework import Action, Destination, Field, Payload, Subscription
from framework.cli.app import actions
from framework.definition import migrate, to_manifest
from framework.definition.migrations import STEPS

PAGE = (Path(__file__).parents[1] / "docs" / "migrations.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


@pytest.fixture
def acme() -> Destination:
    """Return a destination with the action of the page."""
    names: dict[str, Any] = {}
    exec(compile(block("python"), "migrations.md", "exec"), names)  # noqa: S102 - the page's own
    action: Action = names["subscribe"]
    assert issubclass(names["Reader"], Payload)
    return Destination(slug="acme", name="Acme", settings={"url": Field("URL")}, actions=[action])


def test_the_example_does_what_its_steps_say(acme: Destination) -> None:
    old = Subscription(action="subscribe", mapping={"mail": "x", "seal": 1, "topics": "a,b"})
    migrated = migrate(acme, old)
    assert migrated.subscription == Subscription(
        action="subscribe",
        trigger='type = "track"',
        mapping={"email": "x", "topics": ["a", "b"]},
        mapping_version=2,
    )


def test_the_warning_and_the_saved_file_are_those_of_the_command(
    acme: Destination, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = Path("acme.connection.yaml")
    new = block("yaml")
    old = new.replace("      email:", "      mail:").replace("    mappingVersion: 2\n", "")
    file.write_text(old)
    Path("metadata.json").write_text(_manifest(acme))
    run = CliRunner()
    shown = run.invoke(actions, ["validate", str(file), "--manifest", "metadata.json"])
    assert block("text") in shown.stdout
    run.invoke(actions, ["validate", str(file), "--manifest", "metadata.json", "--fix"])
    assert file.read_text() == new


def _manifest(acme: Destination) -> str:
    """Return the manifest with the steps that the warning of the page is about."""
    document: Any = to_manifest(acme)
    action = document["actions"]["subscribe"]
    action["migrations"][1]["steps"] = [{"removeField": {"field": "stamp"}}]
    return json.dumps(document)


def test_every_step_is_listed() -> None:
    listed = re.findall(r"^\| `(\w+)\(", PAGE, re.MULTILINE)
    assert listed == [kind.__name__ for kind in STEPS.values()]
