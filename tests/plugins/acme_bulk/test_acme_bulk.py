"""A partner that finishes uploads later: delivered, run over files, and killed meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from framework import Accepted, Action, DefinitionError, Delivered, Failed, Job, Payload, Pending
from framework.cli.app import actions
from framework.plugins import load_plugins
from framework.sandbox import Fault, serve
from framework.testing import Harness

HERE = Path(__file__).parent
ORIGIN = "https://bulk.acme.test"
EVENTS = [
    {"type": "track", "messageId": f"m{at}", "properties": {"email": email, "value": at}}
    for at, email in enumerate(["ann@example.com", "bob", "cy@example.com"])
]

DYING = """
import os, signal, sys
from framework.delivery.jobs import Jobs

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def dies_after(function):
    def run(*given):
        function(*given)
        die()
    return run

point = sys.argv.pop(1)
if point == "prepared":
    Jobs.prepare = dies_after(Jobs.prepare)
elif point == "sent":
    Jobs.submitted = die
elif point == "accepted":
    Jobs.submitted = dies_after(Jobs.submitted)
elif point == "finished":
    Jobs.over = die
elif point == "saved":
    Jobs.forget = die
if "without-find" in os.environ.get("ACME", ""):
    import acme_bulk, dataclasses
    from framework.delivery.job_calls import JobCalls
    find = JobCalls._find
    def blind(self, action, record):
        bare = dataclasses.replace(action, job=dataclasses.replace(action.job, find_job=None))
        return find(self, bare, record)
    JobCalls._find = blind

from framework.cli.app import actions
actions(prog_name="actions")
"""


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[Path]:
    """Install the plugin; yield the path with it."""
    site = tmp_path / "site"
    info = site / "acme_bulk-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-bulk\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[action_destinations]\nacme-bulk = acme_bulk\n")
    for file in HERE.glob("acme_bulk*.py"):
        (site / file.name).write_text(file.read_text())
    sys.path.insert(0, str(site))
    yield site
    sys.path.remove(str(site))
    for name in ("acme_bulk", "acme_bulk_sandbox"):
        sys.modules.pop(name, None)


@pytest.fixture
def harness(plugin: Path) -> Iterator[Harness]:
    del plugin
    with Harness("acme-bulk") as made:
        yield made


@pytest.fixture
def bench(plugin: Path, tmp_path: Path) -> Iterator[Bench]:
    sandbox = load_plugins().get("acme-bulk").call("sandbox")
    with serve(sandbox) as server:
        yield Bench(tmp_path, plugin, sandbox, server.url)


class Bench:
    """A connection, a file of events, and a partner behind a URL."""

    def __init__(self, folder: Path, site: Path, sandbox: Any, url: str) -> None:
        self.sandbox, self.folder, self._site = sandbox, folder, site
        self.connection = folder / "bulk.yaml"
        document = {
            "name": "bulk",
            "destination": "acme-bulk",
            "settings": {"account": "a-1"},
            "subscriptions": [{"name": "Rows", "partnerAction": "upload"}],
        }
        self.connection.write_text(json.dumps(document))
        self.events = folder / "events.ndjson"
        self.events.write_text("".join(json.dumps(one) + "\n" for one in EVENTS))
        self._run = ["run", "-c", self.connection, "-e", self.events, "--json"]
        self._run += ["--endpoint", f"{ORIGIN}={url}"]

    def run(self, *more: str) -> tuple[int, dict[str, Any]]:
        result = self.command(*map(str, [*self._run, *more]))
        return result.exit_code, json.loads(result.stdout)

    def command(self, *arguments: object) -> Result:
        return CliRunner().invoke(actions, [str(one) for one in arguments])

    def die(self, point: str, environment: str = "") -> int:
        path = os.pathsep.join([str(self._site), *filter(None, sys.path)])
        command = [sys.executable, "-c", DYING, point, *map(str, self._run)]
        environ = {**os.environ, "PYTHONPATH": path, "ACME": environment}
        return subprocess.run(command, env=environ, check=False, capture_output=True).returncode

    def jobs(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(
            self.command("jobs", "-c", self.connection, "--json").stdout
        )
        return found

    def records(self) -> dict[str, Any]:
        state = json.loads((self.folder / "bulk.state.json").read_text())
        found: dict[str, Any] = state.get("job", {})
        return found


def test_rows_of_a_job_get_their_results_when_it_is_finished(harness: Harness) -> None:
    ran = harness.run_batch("upload", EVENTS, defaults=True)
    assert ran.results == (Accepted("u1"),) * 3
    assert harness.poll() == []
    failed = Failed(400, "WRONG_LINE", "No address.", "partner")
    assert harness.poll() == [Delivered(), failed, Delivered()]
    assert ran.report.results == [Delivered(), failed, Delivered()]
    assert harness.poll() == []


def test_equal_deliveries_have_equal_keys(harness: Harness) -> None:
    sandbox: Any = harness.sandbox
    for events in (EVENTS, EVENTS, EVENTS[:2]):
        harness.run_batch("upload", events, defaults=True)
    first, second, third = sandbox.keys
    assert (first == second, first == third, len(first)) == (True, False, 64)


def test_a_question_that_fails_is_asked_again(harness: Harness) -> None:
    sandbox: Any = harness.sandbox
    ran = harness.run_batch("upload", EVENTS, defaults=True)
    sandbox.patience = 0
    sandbox.inject(Fault("drop-before"))
    assert harness.poll() == []
    assert [type(one) for one in harness.poll()] == [Delivered, Failed, Delivered]
    assert ran.report.results[0] == Delivered()


def test_a_run_waits_for_its_jobs(bench: Bench) -> None:
    code, told = bench.run()
    assert (code, told["lines"], told["calls"]) == (
        1,
        3,
        {"POST bulk.acme.test/uploads": 1, "GET bulk.acme.test/uploads/u1": 2},
    )
    assert len(bench.sandbox.keys) == 1
    assert bench.records() == {}
    assert bench.run()[1]["calls"] == told["calls"]


def test_a_run_that_does_not_wait_is_resumed(bench: Bench) -> None:
    code, told = bench.run("--no-wait")
    assert (code, told["stopped"]) == (3, "unavailable")
    assert told["message"] == "The partner has not finished 1 job."
    (job,) = bench.jobs()
    assert (job["ticket"], job["events"], job["action"]) == ("u1", 3, "upload")
    shown = bench.command("jobs", "-c", bench.connection).output
    assert ("u1" in shown, "upload" in shown) == (True, True)
    code, told = bench.run()
    assert (code, len(bench.sandbox.keys), bench.jobs()) == (1, 1, [])
    assert "There are no jobs." in bench.command("jobs", "-c", bench.connection).output


def test_rows_whose_job_failed_are_submitted_with_another_key(bench: Bench) -> None:
    bench.sandbox.failing = 1
    assert bench.run()[0] == 1
    first, second = bench.sandbox.keys
    assert second == f"{first}-1"
    assert bench.records() == {}


@pytest.mark.parametrize("point", ["prepared", "sent", "accepted", "finished", "saved"])
def test_a_killed_run_has_submitted_once(bench: Bench, point: str) -> None:
    assert bench.die(point) == -signal.SIGKILL
    assert len(bench.records()) == 1
    code, told = bench.run()
    assert (code, len(bench.sandbox.keys), bench.records()) == (1, 1, {})
    assert told["outcomes"] == {
        "delivered": 2,
        "failed": 1,
    }


def test_without_a_way_to_find_out_the_key_is_the_same(bench: Bench) -> None:
    assert bench.die("sent") == -signal.SIGKILL
    assert bench.die("none", "without-find") == 1
    first, second = bench.sandbox.keys
    assert first == second
    assert bench.records() == {}


def test_restarting_forgets_jobs(bench: Bench) -> None:
    bench.run("--no-wait")
    assert bench.run("--restart")[0] == 1
    assert len(bench.sandbox.keys) == 2
    assert bench.records() == {}


class Row(Payload):
    """Nothing."""


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"job": Job()}, "`job` has no effect without `poll`."),
        ({"poll": 5}, "`poll` must be a function, got int."),
        ({"poll": len, "job": Job(first=0)}, "`first` of Job must be a positive number"),
        ({"poll": len, "job": Job(find_job=5)}, "`find_job` of Job must be a function"),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_declaration_is_refused(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(DefinitionError, match=problem.replace("`", ".")):
        Action(slug="a", title="A", payload=Row, **given)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda one: replace(one, poll=None, job=None), "returned Accepted, but has no `poll`."),
        (lambda one: replace(one, poll=lambda _: 5), "Hook `poll` must return nothing"),
        (
            lambda one: replace(one, poll=lambda _: Pending("5")),  # type: ignore[arg-type]
            "`poll` returned a Pending: `after` must be a number of seconds or None, got str.",
        ),
        (
            lambda one: replace(one, poll=lambda _: Pending(-5)),
            "`poll` returned a Pending: `after` must be a number of seconds or None, got -5.",
        ),
    ],
)
def test_a_wrong_answer_fails_every_row(
    harness: Harness, change: Callable[[Action], Action], message: str
) -> None:
    definition = harness.plugin.definition
    (action,) = definition.actions
    object.__setattr__(definition, "actions", (change(action),))
    ran = harness.run_batch("upload", EVENTS, defaults=True)
    harness.poll()
    results = ran.report.results
    assert {one.code for one in results if isinstance(one, Failed)} == {"RESULT_TYPE"}
    assert all(isinstance(one, Failed) and message in one.message for one in results)


def test_a_job_that_is_never_finished_fails(harness: Harness) -> None:
    definition = harness.plugin.definition
    (action,) = definition.actions
    changed = replace(action, job=Job(give_up=1e-9))
    object.__setattr__(definition, "actions", (changed,))
    harness.run_batch("upload", EVENTS, defaults=True)
    (first, *_) = harness.poll()
    assert isinstance(first, Failed)
    assert (first.status, first.code, first.retryable) == (408, "JOB_TIMEOUT", True)
