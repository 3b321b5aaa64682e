"""The option `--store`: both kinds of stores, and what cannot be opened."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from framework.cli.app import actions
from framework.delivery import Audience, Member, MemberChange
from framework.relay import DeadLetter, EventStore, PostgresStore, SQLiteStore


def run(*arguments: str) -> Result:
    return CliRunner().invoke(actions, arguments, prog_name="actions")


@pytest.fixture(params=["sqlite", "postgres"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of a store that does not exist yet."""
    if request.param == "sqlite":
        return f"sqlite:{tmp_path / 'events.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


def opened(address: str) -> EventStore:
    return SQLiteStore(address[7:]) if address.startswith("sqlite:") else PostgresStore(address)


def test_commands_work_on_every_store(address: str) -> None:
    with opened(address) as store:
        owner = store.own("ads", "web")
        assert owner
        store.append("web", [b"{}"])
        letter = DeadLetter(
            connection="ads", line=1, subscription="add", event=b"{}", code="BAD", outcome={}
        )
        owner.save(0, b"", [letter])
    shown = run("status", "--store", address)
    assert shown.exit_code == 0, shown.output
    assert "ads" in shown.output
    (status,) = json.loads(run("status", "--store", address, "--json").output)["connections"]
    assert (status["waiting"], status["deadLetters"], status["owner"]) == (1, 1, None)
    listed = run("dead-letters", "list", "--store", address, "--json")
    assert json.loads(listed.output)["line"] == 1
    refused = run("forget", "ads", "--store", address)
    assert refused.exit_code != 0
    assert "with 1 waiting event" in refused.output
    forgotten = run("forget", "ads", "--store", address, "--yes")
    assert forgotten.output == "Removed the connection `ads`.\n"
    assert "No connection has been relayed" in run("status", "--store", address).output


def test_memberships_without_a_stream_are_forgotten(address: str) -> None:
    """As `audience mirror` and runs over files leave them, whose connections read no stream."""
    audience = Audience("membership", '["email", null]', "name", "spring")
    with opened(address) as store:
        claim = store.claim("ads")
        assert claim
        claim.memberships("criteo").look_up(audience, [])
        claim.save_members([MemberChange(audience, bytes(16), Member(True, True, 1))])
        held = run("forget", "ads", "--store", address, "--yes")
        assert held.exit_code == 2
        assert "A process works for the connection `ads`." in held.output
        claim.release()
    refused = run("forget", "ads", "--store", address)
    assert refused.exit_code != 0
    assert "Remove `ads` with 1 audience, which are lost then?" in refused.output
    assert "no answer on standard input. Use --yes to answer with yes." in refused.output
    declined = CliRunner().invoke(actions, ["forget", "ads", "--store", address], input="n\n")
    assert (declined.exit_code, "Aborted!" in declined.output) == (1, True)
    assert "spring" in run("audience", "list", "--store", address).output
    forgotten = run("forget", "ads", "--store", address, "--yes")
    assert forgotten.output == "Removed the connection `ads`.\n"
    assert "The ledger has no audiences." in run("audience", "list", "--store", address).output


def test_a_store_that_does_not_exist_is_named(address: str) -> None:
    done = run("status", "--store", address)
    assert done.exit_code == 2
    assert "There is no store" in done.output
    assert "`actions relay` creates one when it starts." in done.output


def test_other_addresses_are_refused_and_not_repeated() -> None:
    for address in ("events.db", "mysql://ada:s3cr3t@host/events", "sqlite:", "postgresql:x"):
        done = run("status", "--store", address)
        assert done.exit_code == 2
        assert "A store is sqlite:PATH or postgresql://USER@HOST/DATABASE." in done.output
        assert "s3cr3t" not in done.output
        assert ("For a file, write sqlite:events.db." in done.output) is (address == "events.db")


def test_a_server_out_of_reach_is_an_error_of_storage() -> None:
    done = run("status", "--store", "postgresql://ada:s3cr3t@127.0.0.1:1/events")
    assert done.exit_code == 5
    assert "The store `postgresql://127.0.0.1:1/events` cannot be reached" in done.output
    assert "s3cr3t" not in done.output


def test_the_extra_is_named_if_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    import framework.relay  # noqa: PLC0415 - its names are taken away

    monkeypatch.delattr(framework.relay, "PostgresStore", raising=False)
    for name in [name for name in sys.modules if name.startswith("framework.relay.postgres")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    done = run("status", "--store", "postgresql://ada:s3cr3t@127.0.0.1:1/events")
    assert done.exit_code == 2
    assert "needs the package `psycopg`" in done.output
    assert "pip install 'action-destinations[postgres]'" in done.output
    assert "s3cr3t" not in done.output
