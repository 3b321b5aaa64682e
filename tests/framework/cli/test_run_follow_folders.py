"""`actions run --follow` over folders, patterns and several files, some of which appear later."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from framework.cli import exits
from framework.sandbox import Sandbox
from tests.framework.cli.conftest import Start


def line(thing: str) -> str:
    return json.dumps({"type": "track", "properties": {"thing": thing}}) + "\n"


def append(path: Path, *things: str) -> None:
    with path.open("a") as file:
        file.writelines(map(line, things))


def put(path: Path, *things: str) -> None:
    """Write a file under another name and rename it, as exporters do."""
    content = "".join(map(line, things)).encode()
    temporary = path.with_name(f"{path.name}.tmp")
    temporary.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    temporary.rename(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "exports"
    path.mkdir()
    return path


def until(process: subprocess.Popen[str], sandbox: Sandbox, sold: list[str]) -> None:
    """Wait until the shop has sold these things."""
    last = time.monotonic() + 60
    while len(found := sandbox.state()["sold"]) < len(sold):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < last, found
    assert found == sold


def stopped(process: subprocess.Popen[str]) -> tuple[dict[str, Any], str]:
    """Stop a run once it takes signals; return its summary and its messages."""
    while process.poll() is None and not handles_sigterm(process):
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    output, problems = process.communicate(timeout=60)
    assert process.returncode == exits.INTERRUPTED, problems
    summary: dict[str, Any] = json.loads(output)
    return summary, problems


def handles_sigterm(process: subprocess.Popen[str]) -> bool:
    """Return whether a process has a handler for SIGTERM; true where Linux does not say."""
    status = Path(f"/proc/{process.pid}/status")
    if not status.exists():
        return True
    (caught,) = [one for one in status.read_text().splitlines() if one.startswith("SigCgt:")]
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def until_answered(process: subprocess.Popen[str], log: Path, count: int) -> None:
    """Wait until so many requests are answered, by the log file."""
    last = time.monotonic() + 60
    while not log.exists() or log.read_text().count(" 200 OK") < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < last, log.read_text()
        time.sleep(0.02)


def lines(summary: dict[str, Any]) -> dict[str, int]:
    return {Path(one["events"]).name: one["lines"] for one in summary["files"]}


def test_files_are_delivered_as_they_appear_and_grow(
    start: Start, folder: Path, shop_sandbox: Sandbox
) -> None:
    put(folder / "b.ndjson", "bread")
    put(folder / "a.ndjson", "apple")
    process = start("-e", folder, "--json")
    until(process, shop_sandbox, sold := ["apple", "bread"])
    put(folder / "d.ndjson.gz", "date")
    put(folder / "c.ndjson", "cheese")
    until(process, shop_sandbox, sold := [*sold, "cheese", "date"])
    append(folder / "b.ndjson", "butter")
    until(process, shop_sandbox, sold := [*sold, "butter"])
    (folder / ".hidden.ndjson").write_text(line("poison"))
    (folder / "e.ndjson.part").write_text(line("poison"))
    append(folder / "e.ndjson", "eggs")
    until(process, shop_sandbox, sold := [*sold, "eggs"])
    summary, _ = stopped(process)
    assert lines(summary) == {
        "a.ndjson": 1, "b.ndjson": 2, "c.ndjson": 1, "d.ndjson.gz": 1, "e.ndjson": 1,
    }  # fmt: skip
    assert (summary["exitCode"], summary["notStarted"]) == (exits.INTERRUPTED, [])
    assert len(list(folder.glob("*.checkpoint"))) == 5
    append(folder / "a.ndjson", "almond")
    again = start("-e", folder, "--json")
    until(again, shop_sandbox, [*sold, "almond"])
    summary, _ = stopped(again)
    (first,) = [one for one in summary["files"] if one["events"].endswith("a.ndjson")]
    assert (first["lines"], first["resumed"]) == (2, 1)


def test_files_that_all_grow_take_turns(start: Start, folder: Path, shop_sandbox: Sandbox) -> None:
    first, second = folder / "a.log", folder / "b.log"
    append(first, "1")
    append(second, "one")
    process = start("-e", second, "-e", first, "--json")
    until(process, shop_sandbox, sold := ["one", "1"])
    append(first, "2")
    until(process, shop_sandbox, sold := [*sold, "2"])
    append(second, "two")
    until(process, shop_sandbox, sold := [*sold, "two"])
    append(first, "3")
    until(process, shop_sandbox, [*sold, "3"])
    summary, _ = stopped(process)
    assert lines(summary) == {"a.log": 3, "b.log": 2}


def test_an_empty_folder_is_waited_for(start: Start, folder: Path, shop_sandbox: Sandbox) -> None:
    process = start("-e", folder / "*.log", "--json")
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(2)
    summary, _ = stopped(process)
    assert (summary["files"], summary["exitCode"]) == ([], exits.INTERRUPTED)
    log = folder.parent / "run.log"
    process = start("-e", folder / "*.log", "--sandbox", "--json", "--verbose", "--log-file", log)
    for number, (name, thing) in enumerate((("a", "tea"), ("b", "milk"), ("a", "salt")), 1):
        append(folder / f"{name}.log", thing)
        until_answered(process, log, number)
    summary, _ = stopped(process)
    assert summary["sandbox"]["sold"] == ["tea", "milk", "salt"]
    assert shop_sandbox.state()["sold"] == []
    assert sorted(one.name for one in folder.iterdir()) == ["a.log", "b.log"]


def test_a_file_that_is_renamed_in_the_folder_is_not_delivered_again(
    start: Start, folder: Path, shop_sandbox: Sandbox
) -> None:
    events = folder / "events.ndjson"
    append(events, "tea")
    process = start("-e", folder, "--json")
    until(process, shop_sandbox, ["tea"])
    dated = events.rename(folder / "events-20260309.ndjson")
    append(dated, "milk")
    append(events, "salt")
    until(process, shop_sandbox, ["tea", "milk", "salt"])
    stopped(process)
    assert len(list(folder.glob("*.checkpoint"))) == 2
    append(events, "bread")
    events.rename(folder / "events-20260310.ndjson")  # while nobody looks
    append(events, "eggs")
    process = start("-e", folder, "--json")
    until(process, shop_sandbox, ["tea", "milk", "salt", "bread", "eggs"])
    stopped(process)
    assert len(list(folder.glob("*.checkpoint"))) == 3


def test_a_file_and_a_folder_that_are_removed(
    start: Start, folder: Path, shop_sandbox: Sandbox
) -> None:
    events = folder / "events.ndjson"
    append(events, "tea")
    process = start("-e", folder, "--json")
    until(process, shop_sandbox, ["tea"])
    events.unlink()
    assert process.stderr is not None
    assert process.stderr.readline() == (
        f"`{events}` was removed. Everything that was in it has been read.\n"
    )
    append(events, "milk")
    until(process, shop_sandbox, ["tea", "milk"])
    folder.rename(folder.with_name("gone"))  # with all that the run writes there
    output, problems = process.communicate()
    assert process.returncode == exits.STORAGE
    assert f"The folder of events `{folder}` cannot be read: No such file or directory." in problems
    assert json.loads(output)["exitCode"] == exits.STORAGE


@pytest.mark.parametrize("name", ["events.log.1", "events.log-20260309", "events-20260309.log"])
def test_a_file_that_was_rotated_while_nobody_followed_is_finished_first(
    start: Start, folder: Path, shop_sandbox: Sandbox, name: str
) -> None:
    events = folder / "events.log"
    append(events, "tea")
    process = start("-e", events, "--json")
    until(process, shop_sandbox, ["tea"])
    stopped(process)
    append(events, "milk")
    events.rename(folder / name)
    append(events, "salt")
    process = start("-e", events, "--json")
    until(process, shop_sandbox, ["tea", "milk", "salt"])
    summary, _ = stopped(process)
    assert [(one["events"], one["resumed"], one["finished"]) for one in summary["files"]] == [
        (str(folder / name), 1, True),
        (str(events), 0, False),
    ]


def test_a_file_that_was_rotated_twice_while_nobody_followed(
    start: Start, folder: Path, shop_sandbox: Sandbox
) -> None:
    events = folder / "events.log"
    append(events, "tea")
    process = start("-e", events, "--json")
    until(process, shop_sandbox, ["tea"])
    stopped(process)
    append(events, "milk")
    events.rename(folder / "events.log.2")
    append(events, "salt")
    events.rename(folder / "events.log.1")
    append(events, "bread")
    process = start("-e", events, "--json")
    until(process, shop_sandbox, ["tea", "milk", "salt", "bread"])
    stopped(process)


def test_a_rotated_file_that_is_not_found_is_refused(
    start: Start, folder: Path, shop_sandbox: Sandbox
) -> None:
    events = folder / "events.log"
    append(events, "tea")
    process = start("-e", events, "--json")
    until(process, shop_sandbox, ["tea"])
    stopped(process)
    events.rename(folder / "elsewhere.log")
    append(events, "salt")
    process = start("-e", events, "--json")
    _, problems = process.communicate()
    assert process.returncode == exits.USAGE
    assert f"does not match the events file `{events}`, which is another one or" in problems
