"""`actions dead-letters`: what failed permanently is listed, replayed alone, and dropped."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from framework.cli import exits
from framework.relay import DeadLetter, SQLiteStore
from framework.sandbox import Sandbox

Actions = Callable[..., Result]
LATER = "Replayed events are sent after newer ones about the same person.\n"


@pytest.fixture
def dead(run_actions: Actions, connection: Path, write_events: Any, shop: str) -> Path:
    """Return the dead letters of a run in which one of three events failed."""
    events = write_events(["tea", {"type": "track", "messageId": "m1", "properties": {}}, "milk"])
    result = run_actions("run", "-c", connection, "-e", events, "--endpoint", shop)
    assert result.exit_code == exits.FAILED, result.output
    (path,) = connection.parent.glob("*.dead-letters.ndjson")
    return path


def test_they_are_listed_and_shown(run_actions: Actions, dead: Path) -> None:
    listed = run_actions("dead-letters", "list", dead, "--json")
    (row,) = [json.loads(line) for line in listed.stdout.splitlines()]
    assert (row["line"], row["messageId"], row["status"]) == (2, "m1", 400)
    assert "event" not in row
    assert row["id"] in run_actions("dead-letters", "list", dead).stdout
    shown = json.loads(run_actions("dead-letters", "show", dead, "--id", row["id"]).stdout)
    assert shown["event"]["messageId"] == "m1"
    none = run_actions("dead-letters", "list", dead, "--message-id", "other")
    assert none.stdout == "No dead letters.\n"
    since = run_actions("dead-letters", "list", dead, "--since", "2999-01-01")
    assert since.stdout == "No dead letters.\n"


def test_a_wrong_id_is_named(run_actions: Actions, dead: Path) -> None:
    refused = run_actions("dead-letters", "show", dead, "--id", "first")
    assert refused.exit_code == exits.USAGE
    assert "`first` is not the ID of a dead letter." in refused.output


def test_only_what_is_named_is_dropped(run_actions: Actions, dead: Path) -> None:
    refused = run_actions("dead-letters", "drop", dead)
    assert refused.exit_code == exits.USAGE
    assert "Name what to drop, for example with --reason, or use --all." in refused.output
    assert run_actions("dead-letters", "drop", dead, "--reason", "odd").stdout == "Dropped 0.\n"
    assert run_actions("dead-letters", "drop", dead, "--all").stdout == "Dropped 1.\n"
    assert run_actions("dead-letters", "list", dead).stdout == "No dead letters.\n"


def test_a_replay_delivers_what_failed_and_nothing_else(
    run_actions: Actions, dead: Path, connection: Path, shop: str, shop_sandbox: Sandbox
) -> None:
    """It stays until it is delivered."""
    chosen = ("dead-letters", "replay", dead, "-c", connection, "--endpoint", shop)
    again = run_actions(*chosen)
    assert (again.exit_code, again.stderr) == (exits.FAILED, LATER)
    assert shop_sandbox.state()["sold"] == ["tea", "milk"]
    letter = json.loads(dead.read_text())
    letter["event"]["properties"]["thing"] = "bread"
    dead.write_text(json.dumps(letter) + "\n")
    replayed = run_actions(*chosen, "--json")
    assert replayed.exit_code == exits.DONE, replayed.output
    assert json.loads(replayed.stdout)["outcome"] == "delivered"
    assert shop_sandbox.state()["sold"] == ["tea", "milk", "bread"]
    assert run_actions("dead-letters", "list", dead).stdout == "No dead letters.\n"


def test_letters_are_those_of_a_file_or_of_a_store(run_actions: Actions, dead: Path) -> None:
    for given in ([], [dead, "--store", "sqlite:events.db"]):
        result = run_actions("dead-letters", "list", *given)
        assert result.exit_code == exits.USAGE
        assert "(EVENTS.NAME-DIGEST.dead-letters.ndjson), or a --store." in result.stderr


def test_letters_of_a_file_are_replayed_over_a_connection(run_actions: Actions, dead: Path) -> None:
    result = run_actions("dead-letters", "replay", dead)
    assert result.exit_code == exits.USAGE
    assert (
        "Name the --connection over which the dead letters of a file are delivered."
        in result.stderr
    )


def test_letters_of_a_store_are_listed_and_dropped_and_their_replay_is_requested(
    run_actions: Actions, tmp_path: Path
) -> None:
    path = tmp_path / "events.db"
    with SQLiteStore(path) as store:
        owner = store.own("ads", "events")
        assert owner is not None
        letters = [
            DeadLetter(
                connection="ads",
                line=line,
                subscription="Orders",
                event=b'{"type":"track","event":"secret"}',
                code=code,
                outcome={"outcome": "failed", "status": 400, "message": "No."},
                at=1_796_025_600.0 + line,
            )
            for line, code in enumerate(("CLOSED", "FULL"), start=1)
        ]
        owner.save(0, b"", letters)
    where = ("--store", f"sqlite:{path}")
    listed = run_actions("dead-letters", "list", *where)
    assert listed.exit_code == 0
    assert "CLOSED" in listed.stdout
    assert "FULL" in listed.stdout
    assert "secret" not in listed.stdout
    shown = run_actions("dead-letters", "show", *where, "--reason", "full")
    assert json.loads(shown.stdout)["event"]["event"] == "secret"
    replayed = run_actions("dead-letters", "replay", *where, "--reason", "full")
    assert replayed.stdout == "Requested for 1; a running relay delivers them.\n"
    assert (
        run_actions("dead-letters", "drop", *where, "--reason", "closed").stdout == "Dropped 1.\n"
    )
    with SQLiteStore(path) as store:
        assert [(one.code, one.replay) for one in store.dead_letters.list()] == [("FULL", True)]
