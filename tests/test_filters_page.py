"""The page about destination filters shows a connection that works as it says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from framework import Skipped, connect, load_plugins, read_filters
from framework.cli.app import actions
from framework.definition import FILTER_TYPES
from framework.delivery import DryRun

PAGE = (Path(__file__).parent.parent / "docs" / "filters.md").read_text(encoding="utf-8")
CONNECTION, *_ = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("CRITEO_CLIENT_ID", "CRITEO_CLIENT_SECRET"):
        monkeypatch.setenv(name, "any")
    path = tmp_path / "criteo.connection.yaml"
    path.write_text(CONNECTION)
    return path


def entered(email: str, **more: Any) -> dict[str, Any]:
    event = {"type": "track", "event": "Audience Entered", "properties": {"audience_key": "spring"}}
    return {**event, "context": {"traits": {"email": email}, "ip": "192.0.2.1"}, **more}


def test_the_connection_validates_without_a_finding(file: Path) -> None:
    result = CliRunner().invoke(actions, ["validate", str(file)])
    assert result.exit_code == 0, result.output
    assert "error" not in result.output
    assert "AD2" not in result.output


def test_its_filters_do_what_it_says(file: Path) -> None:
    """A tenth of the users is kept; internal traffic is not, and addresses are removed."""
    events = [entered(f"u{n}@example.com", userId=f"user {n}") for n in range(50)]
    events.append(entered("u@example.org", userId="user 51"))
    given = "".join(json.dumps(event) + "\n" for event in events)
    command = ["explain", "-c", str(file), "--event", "-", "--json"]
    told = json.loads(CliRunner().invoke(actions, command, input=given).stdout)
    results = [one["legs"][0]["result"] for one in told]
    codes = {result.get("code", result["outcome"]) for result in results}
    assert codes == {"SAMPLED", "delivered"}
    kept = [one for one in told if one["outcome"] == "delivered"]
    assert 1 <= len(kept) <= 12
    assert all("Removed `$.context.ip`." in one["filters"][-1]["effect"] for one in kept)


def test_connections_in_python_have_the_same_filters() -> None:
    plugin, document = load_plugins().get("criteo"), yaml.safe_load(CONNECTION)
    access = {"client_id": "an-app", "client_secret": "any"}
    filters = read_filters(document["filters"])
    options: Any = {"filters": filters, "transport": DryRun(), "offline": True}
    with connect(plugin, {**document["settings"], **access}, **options) as connection:
        events = [entered("u@example.org", userId=f"user {n}") for n in range(50)]
        results = connection.deliver(events).results
    assert {one.code for one in results if isinstance(one, Skipped)} == {"SAMPLED", "FILTERED"}
    assert all(isinstance(one, Skipped) for one in results)


def test_every_type_of_action_is_described() -> None:
    assert re.findall(r"^\| `([A-Z_]+)` \|", PAGE, re.MULTILINE) == list(FILTER_TYPES)
