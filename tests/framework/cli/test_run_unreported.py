"""Failures count for the exit code until a run reports them: one that ends with 0 or 1."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from click.testing import Result

from framework.cli import exits
from framework.sandbox import Fault, Sandbox

Run: TypeAlias = Callable[..., Result]


@pytest.fixture
def events(tmp_path: Path) -> Path:
    return tmp_path / "events.ndjson"


def append(path: Path, *things: Any) -> None:
    """Write ordered things, and others as they are."""
    with path.open("a") as file:
        for one in things:
            event = {"type": "track", "properties": {"thing": one}}
            file.write(json.dumps(event if isinstance(one, str) else one) + "\n")


@pytest.fixture
def run(run_actions: Run, connection: Path, shop: str, events: Path) -> Run:
    """Deliver the events; the partner is closed at a call of the run, if one is given."""

    def deliver(*options: object) -> Result:
        given = ["-c", connection, "-e", events, "--endpoint", shop, "--retry-for", "0"]
        return run_actions("run", *given, *options)

    return deliver


BAD = ["no event"]
Step: TypeAlias = tuple[list[Any], int | None, list[str], int]
"""What is appended, the call at which the partner is closed, options, and the exit code."""


@pytest.mark.parametrize(
    "steps",
    [
        # failures before an outage count for the run that finishes, and for no other one
        [
            (["poison", "tea"], 2, [], 3),
            ([], None, [], 1),
            ([], None, [], 0),
            (["tea"], None, [], 0),
        ],
        [([BAD, "tea"], 1, [], 3), ([], None, [], 1), ([], None, [], 0)],
        # over several unfinished runs, some of which find nothing
        [
            (["poison", "tea"], 2, [], 3),
            ([], 1, [], 3),
            (["poison", "tea"], 3, [], 3),
            ([], None, [], 1),
            ([], None, [], 0),
        ],
        # an outage without failures is none
        [(["tea"], 1, [], 3), ([], None, [], 0)],
        # what was reported before the outage is not reported again
        [(["poison"], None, [], 1), (["tea"], 1, [], 3), ([], None, [], 0)],
        # a run that ends at its limit reports
        [(["poison", "tea"], None, ["--limit", "1"], 1), ([], None, [], 0)],
        [
            (["poison", "tea", "salt"], 2, [], 3),
            ([], None, ["--limit", "1"], 1),
            ([], None, [], 0),
        ],
        # a new start forgets
        [(["poison", "tea"], 2, [], 3), ([], None, ["--restart"], 1), ([], None, [], 0)],
    ],
)
def test_failures_are_reported_once(
    run: Run, events: Path, shop_sandbox: Sandbox, steps: list[Step]
) -> None:
    for number, (things, call, options, code) in enumerate(steps):
        append(events, *things)
        if call:
            shop_sandbox.inject(Fault("closed", "order", call=call))
        result = run(*options)
        assert result.exit_code == code, (number, result.output)


def test_the_summary_says_which_failures_are_from_earlier_runs(
    run: Run, events: Path, shop_sandbox: Sandbox
) -> None:
    append(events, "poison", BAD, "milk")
    shop_sandbox.inject(Fault("closed", "order", call=2))
    assert json.loads(run("--json").stdout)["exitCode"] == exits.UNAVAILABLE
    shop_sandbox.inject(Fault("closed", "order", call=1))
    text = (
        "\nFrom earlier runs, 2 failures and invalid lines still count for the exit code, as those "
        "runs ended otherwise than with 0 or 1.\n"
    )
    assert text in run().stdout
    summary = json.loads(run("--json").stdout)
    assert (summary["unreported"], summary["exitCode"]) == (2, exits.FAILED)
    assert summary["thisRun"]["outcomes"] == {"delivered": 1}
    assert "unreported" not in json.loads(run("--json").stdout)


def test_failures_in_a_file_that_was_completed_before_another_one_stopped(
    run: Run, events: Path, shop_sandbox: Sandbox
) -> None:
    append(events, "poison")
    append(second := events.with_name("second.ndjson"), "tea")
    shop_sandbox.inject(Fault("closed", "order", call=2))
    assert run("-e", second).exit_code == exits.UNAVAILABLE
    result = run("-e", second)
    assert result.exit_code == exits.FAILED
    assert "From earlier runs, 1 failure or invalid line still counts for the exit" in result.stdout
    assert run("-e", second).exit_code == exits.DONE


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_failures_of_a_run_that_a_signal_ended(
    run: Run, events: Path, connection: Path, site: Path, shop: str, number: signal.Signals
) -> None:
    append(events, "poison", BAD)
    command = [
        sys.executable, "-m", "framework", "run", "-c", str(connection),
        "-e", str(events),        "--endpoint", shop, "--follow",
    ]  # fmt: skip
    environment = {"PYTHONPATH": f"{site}:.", "SHOP_KEY": "sesame"}
    with subprocess.Popen(command, env=environment) as process:
        while _unreported(events.parent) != 2:
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(number)
    assert process.returncode == (-9 if number == signal.SIGKILL else exits.INTERRUPTED)
    assert run().exit_code == exits.FAILED
    assert _unreported(events.parent) == 0
    assert run().exit_code == exits.DONE


def _unreported(folder: Path) -> int:
    for path in folder.glob("*.checkpoint"):
        found: int = json.loads(path.read_text()).get("unreported", 0)
        return found
    return 0
