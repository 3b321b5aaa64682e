"""What a destination keeps for itself outlives commands and processes, connections apart."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from click.testing import Result

from framework import PluginStore, Skipped
from framework.cli.connections import open_connection
from framework.cli.relay_options import RelayOptions
from framework.cli.relay_routes import route_of
from framework.delivery_options import DeliveryOptions
from framework.plugins import load_plugins
from framework.relay import SQLiteStore, StateFile
from framework.state_store import MemoryState, StateStore
from framework.tester.workspace import Setup, Workspace
from framework.testing import Harness

Actions: TypeAlias = Callable[..., Result]
PLUGIN = """\
from framework import (
    Action, Destination, Payload, PluginStore, Settings, Skipped, field, hookimpl
)


class Nothing(Settings):
    pass


class Line(Payload):
    text: str = field("Text", mapping={"@path": "$.event"})


@hookimpl
def destination():
    line = Action(slug="line", title="Line", trigger='type = "track"', payload=Line)
    return Destination(slug="counting", name="Counting", settings=Nothing, actions=[line])


@hookimpl
def perform(store: PluginStore):
    with store.lock("number"):
        number = store.get("number", 0) + 1
        store.put("number", number)
    return Skipped(f"CALL_{number}", "Counted.")
"""
EVENT = {"type": "track", "event": "Hello", "messageId": "m1"}


@pytest.fixture
def counting(run_actions: Actions, install: Callable[..., None], tmp_path: Path) -> Iterator[Path]:
    """Install the destination, and return the path of a connection to it."""
    del run_actions  # which has the project itself on the path
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "counting_destination.py").write_text(PLUGIN)
    install(folder, "counting", "1.0", {"counting": "counting_destination"})
    sys.path.insert(0, str(folder))
    subscriptions = [{"name": "Lines", "partnerAction": "line"}]
    path = tmp_path / "counting.connection.json"
    path.write_text(json.dumps({"destination": "counting", "subscriptions": subscriptions}))
    yield path
    sys.path.remove(str(folder))
    sys.modules.pop("counting_destination", None)


def test_values_outlive_a_command(
    counting: Path, run_actions: Actions, write_events: Callable[..., Path]
) -> None:
    """They are in a file that its owner alone can read; dry runs do not see it."""
    events, codes = write_events([EVENT]), []
    for options in ((), ("--dry-run",), ("--dry-run",), ()):
        ran = run_actions("run", "-c", counting, "-e", events, "--restart", "--json", *options)
        codes += [one["code"] for one in json.loads(ran.stdout)["counts"]]
    assert codes == ["CALL_1", "CALL_1", "CALL_1", "CALL_2"]
    kept = counting.with_name("counting.connection.state.json")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert json.loads(kept.read_text()) == {"plugin": {'["counting", "", "number"]': 2}}
    kept.chmod(0o644)
    refused = run_actions("run", "-c", counting, "-e", events, "--restart")
    assert "Make it private" in refused.stderr


def test_the_relay_keeps_them_in_its_store(counting: Path, tmp_path: Path) -> None:
    given: dict[str, Any] = dict.fromkeys(RelayOptions._fields)
    given |= {"endpoints": {}, "sandbox": False, "threads": 1, "delivery": DeliveryOptions()}
    route = route_of(RelayOptions(**given), open_connection(str(counting)), "events", {})
    for number in (1, 2):
        with (
            SQLiteStore(tmp_path / "store.db") as store,
            route.open_connection(store.rates, store.state) as connection,
        ):
            assert connection.deliver([EVENT]).results == [Skipped(f"CALL_{number}", "Counted.")]
    assert not counting.with_name("counting.connection.state.json").exists()


@pytest.mark.parametrize(("mode", "codes"), [("live", (1, 2)), ("dry", (1, 1))])
def test_live_calls_of_the_tester_keep_them_beside_the_file(
    counting: Path, mode: Any, codes: tuple[int, int]
) -> None:
    workspace = Workspace(Setup(load_plugins(), file=open_connection(str(counting)).file))
    wire = [{"partnerAction": "line"}]
    chosen = workspace.choose({"destination": "counting", "subscriptions": wire})
    found = []
    for _ in range(2):
        with workspace.open(chosen, mode) as connection:
            found += connection.deliver([EVENT]).results
    assert found == [Skipped(f"CALL_{code}", "Counted.") for code in codes]


def test_a_harness_keeps_them_for_its_lifetime_or_in_the_given_state(counting: Path) -> None:
    del counting
    state = MemoryState()
    for store, codes in ((None, (1, 2)), (state, (1, 2)), (state, (3, 4))):
        with Harness("counting", store=store) as harness:
            ran = [harness.run_action("line", EVENT, defaults=True).result for _ in range(2)]
        assert ran == [Skipped(f"CALL_{code}", "Counted.") for code in codes]


@pytest.fixture(params=["memory", "file"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> StateStore:
    return MemoryState() if request.param == "memory" else StateFile(tmp_path / "a.state.json")


def test_connections_do_not_see_each_other(state: StateStore) -> None:
    one, other = PluginStore(state, "crm", "one"), PluginStore(state, "crm", "other")
    assert one.create("list", {"id": ("a", 7)})
    assert not one.create("list", "second")
    assert (one.get("list"), other.get("list"), other.get("list", 0)) == ({"id": ["a", 7]}, None, 0)
    with one.lock("list"), other.lock("list"):
        assert not other.delete("list")
        assert one.delete("list")
    assert one.get("list") is None


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (None, "None cannot be kept"),
        (float("nan"), "not JSON compliant"),
        ({1, 2}, "not JSON serializable"),
        ("x" * 65_535, "at most 65,536 characters as JSON, got 65,537"),
    ],
)
def test_values_that_cannot_be_kept(state: StateStore, value: Any, problem: str) -> None:
    store = PluginStore(state, "crm")
    for keep in (store.put, store.create):
        with pytest.raises((TypeError, ValueError), match=problem):
            keep("key", value)
    assert store.get("key") is None
