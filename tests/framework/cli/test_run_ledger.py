"""`actions run --store`: files whose events change nobody's membership make no calls."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from destinations.criteo_audiences.sandbox import CriteoSandbox
from framework.cli import exits
from framework.cli.app import actions
from framework.errors import StorageError
from framework.relay import SQLiteStore
from framework.sandbox import Fault, serve
from tests.deliveries import ADD, REMOVE, event, write
from tests.relaying import until

PEOPLE = [f"user{number}@example.com" for number in range(40)]


class Desk:
    """A folder with a store, a connection to a served sandbox, and a command line."""

    def __init__(self, folder: Path, criteo: CriteoSandbox, url: str) -> None:
        self.folder = folder
        self.criteo = criteo
        self.store = folder / "events.db"
        document = {
            "destination": "actions-criteo-audiences",
            "name": "ads",
            "settings": criteo.settings(),
            "subscriptions": [
                {"name": ADD, "partnerAction": "addUserToAudience"},
                {"name": REMOVE, "partnerAction": "removeUserFromAudience"},
            ],
        }
        self.connection = folder / "criteo.connection.yaml"
        self.connection.write_text(json.dumps(document))
        self.options = ["run", "-c", str(self.connection), "--endpoint"]
        self.options += [f"{criteo.origins[0]}={url}", "--store", f"sqlite:{self.store}"]

    def events(self, name: str, events: Sequence[dict[str, Any]]) -> Path:
        return write(self.folder / name, events)

    def run(self, *arguments: object) -> Result:
        options = [*self.options, *map(str, arguments)]
        return CliRunner().invoke(actions, options, prog_name="actions")

    def counts(self, *arguments: object) -> dict[str, int]:
        """Run, and return the number of results by code or outcome."""
        result = self.run("--json", *arguments)
        assert result.exit_code == exits.DONE, result.output
        document = json.loads(result.stdout)
        found: dict[str, int] = {}
        for one in document.get("files", [document]):
            for row in one["counts"]:
                code = row.get("code") or row["outcome"]
                if code != "NOT_MATCHED":
                    found[code] = found.get(code, 0) + row["count"]
        return found

    def members(self) -> list[tuple[bool, bool]]:
        with SQLiteStore(self.store) as store:
            (audience,) = store.ledger.audiences()
            found = store.ledger.members(audience.id, most=100_000)
            return [member[:2] for _, member in found]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    criteo = CriteoSandbox()
    with serve(criteo) as server:
        yield Desk(tmp_path, criteo, server.url)


def enters() -> list[dict[str, Any]]:
    return [event(one) for one in PEOPLE]


def exits_of(people: Sequence[str]) -> list[dict[str, Any]]:
    return [event(one, enters=False) for one in people]


@pytest.mark.parametrize(
    "options", [[], ["--threads", "3"], ["--processes", "2"], ["--outcomes", "outcomes.ndjson"]]
)
def test_a_replayed_file_makes_no_calls(
    desk: Desk, options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(desk.folder)
    entered = desk.events("entered.ndjson", enters())
    exited = desk.events("exited.ndjson", exits_of(PEOPLE[:10]))
    assert desk.counts("-e", entered, *options) == {"delivered": 40}
    assert desk.counts("-e", exited, *options) == {"delivered": 10}
    before = desk.criteo.calls.total()
    assert desk.counts("-e", exited, "--restart", *options) == {"UNCHANGED": 10}
    stayed = desk.events("stayed.ndjson", [event(one) for one in PEOPLE[10:]])
    assert desk.counts("-e", stayed, *options) == {"UNCHANGED": 30}
    assert desk.criteo.calls.total() == before
    assert desk.criteo.members("spring") == {*PEOPLE[10:]}
    assert sorted(desk.members()) == [(False, True)] * 10 + [(True, True)] * 30


def test_the_second_of_several_files_repeats_nothing(desk: Desk) -> None:
    one, two = desk.events("1.ndjson", enters()), desk.events("2.ndjson", enters())
    assert desk.counts("-e", one, "-e", two) == {"delivered": 40, "UNCHANGED": 40}
    assert desk.criteo.calls["amend"] == 1


def test_the_ledger_learns_from_a_replay_of_dead_letters(desk: Desk) -> None:
    """A replayed enter comes after the exit, so that a further exit changes something."""
    desk.counts("-e", desk.events("entered.ndjson", enters()[:2]))
    late = desk.events("late.ndjson", [event(PEOPLE[0])])
    desk.criteo.inject(Fault("server-error", "amend", times=9))
    assert desk.run("-e", late, "--restart", "--no-ledger", "--give-up-after", "0", "--tries", "1")
    desk.criteo._plan.clear()
    (letters,) = desk.folder.glob("late.*.dead-letters.ndjson")
    exited = desk.events("exited.ndjson", exits_of(PEOPLE[:1]))
    assert desk.counts("-e", exited) == {"delivered": 1}
    assert desk.criteo.members("spring") == {PEOPLE[1]}
    command = ["dead-letters", "replay", str(letters), *desk.options[1:5], "--ledger"]
    result = CliRunner().invoke(actions, [*command, desk.options[-1]], prog_name="actions")
    assert result.exit_code == exits.DONE, result.output
    assert desk.criteo.members("spring") == {*PEOPLE[:2]}
    assert desk.counts("-e", exited, "--restart") == {"delivered": 1}
    assert desk.criteo.members("spring") == {PEOPLE[1]}
    refused = ["dead-letters", "replay", *desk.options[-2:], "--ledger", desk.options[-1]]
    result = CliRunner().invoke(actions, refused, prog_name="actions")
    assert "The relay keeps its ledger itself; leave out --ledger." in result.output


def test_what_was_saved_before_a_checkpoint_that_failed_counts(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered = desk.events("entered.ndjson", enters())

    def fail(*_: object) -> None:
        raise StorageError("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr("framework.relay.file_run.save", fail)
        assert desk.run("-e", entered).exit_code == exits.STORAGE
    assert desk.counts("-e", entered) == {"UNCHANGED": 40}


def test_standard_input_has_a_ledger_without_a_checkpoint(desk: Desk) -> None:
    text = "".join(json.dumps(one) + "\n" for one in enters())
    for expected in ("delivered", "UNCHANGED"):
        options = [*desk.options, "-e", "-", "--json"]
        result = CliRunner().invoke(actions, options, input=text, prog_name="actions")
        assert expected in result.stdout
    assert desk.criteo.calls["amend"] == 1


def test_a_run_without_its_ledger_sends_all(desk: Desk) -> None:
    entered = desk.events("entered.ndjson", enters())
    desk.counts("-e", entered)
    assert desk.counts("-e", entered, "--restart", "--no-ledger") == {"delivered": 40}
    assert desk.members() == [(True, False)] * 40
    assert desk.counts("-e", entered, "--restart") == {"delivered": 40}
    assert desk.counts("-e", entered, "--restart") == {"UNCHANGED": 40}


def test_a_connection_for_which_another_process_works_is_refused(desk: Desk) -> None:
    entered = desk.events("entered.ndjson", enters())
    with SQLiteStore(desk.store) as store:
        assert store.own("ads", "events")
        result = desk.run("-e", entered)
    assert result.exit_code == exits.USAGE
    assert "Another process works for the connection `ads` on this store" in result.output
    assert "Without --store, its ledger would not know what a run changes." in result.output
    assert desk.criteo.calls.total() == 0


def test_the_rate_and_the_token_of_the_store_are_used(desk: Desk) -> None:
    entered = desk.events("entered.ndjson", enters())
    desk.counts("-e", entered)
    desk.counts("-e", entered, "--restart", "--no-ledger")
    assert desk.criteo.calls["token"] == 1
    with SQLiteStore(desk.store) as store, store._reader("read") as database:
        assert database.execute("select count(*) from rates").fetchone() == (1,)


@pytest.mark.parametrize("options", [["--dry-run"], ["--sandbox"]])
def test_what_sends_nothing_to_the_partner_has_no_store(desk: Desk, options: list[str]) -> None:
    result = desk.run("-e", desk.events("entered.ndjson", enters()), *options)
    assert result.exit_code == exits.USAGE
    assert "leave out --store, --dry-run or --sandbox." in " ".join(result.output.split())
    assert not desk.store.exists()


def test_leaving_the_ledger_alone_needs_a_store(desk: Desk) -> None:
    options = [*desk.options[:-2], "-e", str(desk.events("e.ndjson", enters())), "--no-ledger"]
    result = CliRunner().invoke(actions, options, prog_name="actions")
    assert result.exit_code == exits.USAGE
    assert "--no-ledger applies to the ledger of a --store; name one." in result.output


def test_a_destination_without_audiences_keeps_no_members(
    run_actions: Callable[..., Result],
    connection: Path,
    shop: str,
    write_events: Callable[..., Path],
    tmp_path: Path,
) -> None:
    store = tmp_path / "events.db"
    events = write_events(["tea", "tea"])
    options = ["run", "-c", connection, "-e", events, "--endpoint", shop]
    assert run_actions(*options, "--store", f"sqlite:{store}").exit_code == exits.DONE
    with SQLiteStore(store) as opened:
        assert opened.ledger.audiences() == []


def test_a_growing_file_saves_members_as_it_grows(desk: Desk) -> None:
    growing = desk.events("growing.ndjson", enters())
    command = [sys.executable, "-m", "framework", *desk.options, "-e", str(growing), "--follow"]
    with subprocess.Popen(
        [*command, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        until(lambda: desk.criteo.calls["amend"] == 1)
        with growing.open("a") as file:
            file.writelines(json.dumps(one) + "\n" for one in enters())
        until(lambda: '"UNCHANGED"' in "".join(_texts(desk.folder, "*.checkpoint")))
        process.send_signal(signal.SIGTERM)
        output, problems = process.communicate(timeout=30)
    assert process.returncode == exits.INTERRUPTED, problems
    assert desk.criteo.calls["amend"] == 1
    assert "UNCHANGED" in output
    assert desk.members() == [(True, True)] * 40


def _texts(folder: Path, pattern: str) -> list[str]:
    return [one.read_text() for one in folder.glob(pattern)]


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_killed_run_leaves_its_connection_free(desk: Desk, processes: str) -> None:
    many = [event(f"many{number}@example.com") for number in range(60_000)]
    large = desk.events("large.ndjson", many)
    command = [sys.executable, "-m", "framework", *desk.options, "-e", str(large)]
    with subprocess.Popen(
        [*command, "--processes", processes], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        until(lambda: desk.criteo.calls["amend"] >= 1)
        process.kill()
    assert desk.run("-e", large).exit_code == exits.DONE
    assert len(desk.criteo.members("spring")) == 60_000
    assert desk.members() == [(True, True)] * 60_000
    before = desk.criteo.calls.total()
    assert desk.counts("-e", large, "--restart") == {"UNCHANGED": 60_000}
    assert desk.criteo.calls.total() == before
