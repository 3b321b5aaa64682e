"""`actions run --follow`: a growing file, and the next one at its place, until a signal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from framework.cli import exits
from framework.sandbox import Sandbox
from tests.framework.cli.conftest import Start


def line(thing: str) -> str:
    return json.dumps({"type": "track", "properties": {"thing": thing}}) + "\n"


def append(path: Path, content: str) -> None:
    with path.open("a") as file:
        file.write(content)


@pytest.fixture
def events(tmp_path: Path) -> Path:
    path = tmp_path / "events.ndjson"
    path.write_text(line("tea"))
    return path


@pytest.fixture
def start(start: Start, events: Path) -> Start:
    return lambda *options: start("-e", events, *options)


def until(process: subprocess.Popen[str], sandbox: Sandbox, sold: list[str]) -> None:
    """Wait until the shop has sold these things."""
    while len(found := sandbox.state()["sold"]) < len(sold):
        assert process.poll() is None
    assert found == sold


def stopped(process: subprocess.Popen[str], number: signal.Signals) -> tuple[str, float]:
    """Stop a run; return what it printed, and the seconds that it took."""
    began = time.monotonic()
    process.send_signal(number)
    output, problems = process.communicate()
    took = time.monotonic() - began
    assert problems == "Stopping after pending requests; press Ctrl-C again to abort.\n"
    assert process.returncode == exits.INTERRUPTED
    return output, took


def checkpoint(events: Path) -> dict[str, Any]:
    (path,) = events.parent.glob(f"{events.name}.*.checkpoint")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_growing_file_is_delivered_as_it_grows(
    start: Start, events: Path, shop_sandbox: Sandbox, number: signal.Signals
) -> None:
    first = start()
    until(first, shop_sandbox, ["tea"])
    append(events, line("milk") + line("bread")[:10])
    until(first, shop_sandbox, ["tea", "milk"])
    append(events, line("bread")[10:] + line("salt")[:20])
    until(first, shop_sandbox, ["tea", "milk", "bread"])
    output, took = stopped(first, number)
    assert "Interrupted after 3 lines. Run the same command again to resume.\n" in output
    assert took < 3  # a second, on a machine that does nothing else
    assert checkpoint(events)["read"]["lines"] == 3
    append(events, line("salt")[20:])
    second = start("--json")
    until(second, shop_sandbox, ["tea", "milk", "bread", "salt"])
    output, _ = stopped(second, number)
    (told,) = json.loads(output)["files"]
    assert (told["lines"], told["resumed"], told["rejected"]) == (4, 3, 0)
    assert told["thisRun"]["outcomes"] == {"delivered": 1}


@pytest.mark.parametrize("threads", ["1", "3"])
def test_the_next_file_is_begun_when_the_old_one_is_finished(
    start: Start, events: Path, shop_sandbox: Sandbox, threads: str
) -> None:
    process = start("--json", "--threads", threads)
    until(process, shop_sandbox, ["tea"])
    moved = events.rename(events.with_name("events.1"))
    append(moved, line("poison") + line("milk").rstrip("\n"))  # the last line has no end
    events.write_text(line("bread"))
    until(process, shop_sandbox, ["tea", "milk", "bread"])
    append(events, line("salt"))
    until(process, shop_sandbox, ["tea", "milk", "bread", "salt"])
    output, _ = stopped(process, signal.SIGTERM)
    told = json.loads(output)
    assert [(one["lines"], one["finished"], one["exitCode"]) for one in told["files"]] == [
        (3, True, exits.FAILED),
        (2, False, exits.INTERRUPTED),
    ]
    assert told["exitCode"] == exits.INTERRUPTED
    assert checkpoint(events)["read"]["lines"] == 2
    (letters,) = events.parent.glob("*.dead-letters.ndjson")
    (letter,) = map(json.loads, letters.read_text().splitlines())
    assert letter["event"]["properties"]["thing"] == "poison"


def test_a_file_that_was_emptied_is_begun_again(
    start: Start, events: Path, shop_sandbox: Sandbox
) -> None:
    process = start()
    until(process, shop_sandbox, ["tea"])
    while not checkpoint(events)["read"]["lines"]:
        assert process.poll() is None
    os.truncate(events, 0)
    while checkpoint(events)["read"]["lines"]:  # until the old one is finished
        assert process.poll() is None
    append(events, line("milk"))
    until(process, shop_sandbox, ["tea", "milk"])
    stopped(process, signal.SIGTERM)
    assert checkpoint(events)["read"]["lines"] == 1


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["-e", "-"], "--follow applies to files, folders and patterns, not to standard input"),
        (["-e", "{events}", "-e", "-"], "--follow applies to files, folders and patterns, not to"),
        (["-e", "{events}", "--unpack"], "--follow reads files as they are; leave out --unpack."),
        (["-e", "{folder}/none"], "The events file `{folder}/none` cannot be read: No such file"),
        (["-e", "{folder}", "--from-line", "2"], "--from-line applies to one file, but"),
        (
            ["-e", "{events}", "--outcomes", "x"],
            "--follow has no --outcomes, as the number of files is unbounded",
        ),
    ],
)
def test_what_cannot_be_followed_is_said(
    run_actions: Callable[..., Result],
    connection: Path,
    events: Path,
    options: list[str],
    text: str,
) -> None:
    given = [one.format(folder=events.parent, events=events) for one in options]
    result = run_actions("run", "-c", connection, "--follow", *given)
    text = text.format(folder=events.parent)
    code = exits.STORAGE if "cannot be read" in text else exits.USAGE
    assert (result.exit_code, text in result.stderr) == (code, True), result.stderr
