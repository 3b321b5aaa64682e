"""Feature flags of a connection file reach the hooks that name them, in every command."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from click.testing import Result

from framework import ConfigurationError, Skipped
from framework.cli.connections import open_connection
from framework.cli.relay_options import RelayOptions
from framework.cli.relay_routes import route_of
from framework.delivery_options import DeliveryOptions
from framework.plugins import load_plugins
from framework.relay import SQLiteStore
from framework.tester.workspace import Setup, Workspace
from framework.testing import Harness

Actions: TypeAlias = Callable[..., Result]
PLUGIN = """\
from framework import Action, Destination, Payload, Settings, Skipped, field, hookimpl


class Nothing(Settings):
    pass


class Line(Payload):
    text: str = field("Text", mapping={"@path": "$.event"})


@hookimpl
def destination():
    line = Action(slug="line", title="Line", trigger='type = "track"', payload=Line)
    return Destination(slug="flagged", name="Flagged", settings=Nothing, actions=[line])


@hookimpl
def perform(features):
    try:
        features["more"] = 1
    except TypeError:
        shown = ", ".join(f"{name} {value!r}" for name, value in features.items())
        return Skipped(features["code"], shown)
"""
FLAGS = {"code": "BETA", "new api": True, "share": 0.5, "mode": "${env:HOME}", "limit": None}
SHOWN = "code 'BETA', new api True, share 0.5, mode '${env:HOME}', limit None"
EXPECTED = {"outcome": "skipped", "code": "BETA"}
EVENT = {"type": "track", "event": "Hello", "messageId": "m1"}


@pytest.fixture
def flagged(run_actions: Actions, install: Callable[..., None], tmp_path: Path) -> Iterator[Path]:
    """Install the destination, and return the path of a connection to it."""
    del run_actions  # which has the project itself on the path
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "flagged_destination.py").write_text(PLUGIN)
    install(folder, "flagged", "1.0", {"flagged": "flagged_destination"})
    sys.path.insert(0, str(folder))
    subscriptions = [{"name": "Lines", "partnerAction": "line"}]
    file = {"destination": "flagged", "features": FLAGS, "subscriptions": subscriptions}
    path = tmp_path / "flagged.connection.json"
    path.write_text(json.dumps(file))
    yield path
    sys.path.remove(str(folder))
    sys.modules.pop("flagged_destination", None)


def test_flags_of_the_file_reach_the_hook(
    flagged: Path, run_actions: Actions, write_events: Callable[..., Path]
) -> None:
    events = write_events([EVENT])
    ran = run_actions("run", "-c", flagged, "-e", events, "--json")
    (count,) = json.loads(ran.stdout)["counts"]
    assert (count["code"], count["reason"]) == ("BETA", SHOWN)
    explained = run_actions("explain", "-c", flagged, "--event", events, "--json")
    assert json.dumps(SHOWN) in explained.stdout


def test_mapping_tests_have_them(flagged: Path, run_actions: Actions, tmp_path: Path) -> None:
    case = {"name": "flags", "events": [EVENT], "expect": [{"Lines": EXPECTED}]}
    tests = tmp_path / "flagged.test.yaml"
    tests.write_text(json.dumps({"connection": flagged.name, "tests": [case]}))
    result = run_actions("test", tests)
    assert result.output.splitlines()[-1] == "1 passed, 0 failed"


def test_the_relay_has_them(flagged: Path, tmp_path: Path) -> None:
    given: dict[str, Any] = dict.fromkeys(RelayOptions._fields)
    given |= {"endpoints": {}, "sandbox": False, "threads": 1, "delivery": DeliveryOptions()}
    opened = open_connection(str(flagged))
    route = route_of(RelayOptions(**given), opened, "events", {})
    with SQLiteStore(tmp_path / "store.db") as store:
        for _ in range(2):  # the second time, the file is read again
            with route.open_connection(store.rates, store.state) as connection:
                assert connection.deliver([EVENT]).results == [Skipped("BETA", SHOWN)]


def test_the_tester_has_those_of_its_file(flagged: Path) -> None:
    opened = open_connection(str(flagged))
    workspace = Workspace(Setup(load_plugins(), file=opened.file))
    chosen = workspace.choose({"destination": "flagged"})
    assert chosen.features == FLAGS


def test_the_harness_gives_them(flagged: Path) -> None:
    del flagged
    with Harness("flagged", features=FLAGS) as harness:
        ran = harness.run_action("line", EVENT, defaults=True)
    assert ran.result == Skipped("BETA", SHOWN)


def test_flags_are_single_values(flagged: Path, run_actions: Actions) -> None:
    document = json.loads(flagged.read_text())
    document["features"] = {"a": [1], "b": {}, "": 1, "c": 2}
    flagged.write_text(json.dumps(document, indent=1))
    result = run_actions("validate", flagged)
    assert result.exit_code == 1
    for problem in (
        "`features.a` must be a single value, got a list.",
        "`features.b` must be a single value, got an object.",
        "A feature flag needs a name.",
    ):
        assert problem in result.output
    with pytest.raises(ConfigurationError) as caught, Harness("flagged", features={"a": []}) as one:
        one.run_action("line")
    expected = "Feature flag `a` must be a text, a number, a boolean or None, got list."
    assert str(caught.value) == expected
