"""Commands with destinations that send by themselves, block, exit or control the terminal."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from click.testing import Result

from framework.cli import exits
from framework.cli.terminal import echo

Actions: TypeAlias = Callable[..., Result]

PLUGIN = '''\
"""A destination whose `perform` is {perform}."""
import atexit, os, socket, subprocess, sys, threading, time
from framework import *

class Key(Settings):
    key: str = field("Key", secret=True, default="sesame-open")

class Line(Payload):
    text: str | None = field("Text", mapping={{"@path": "$.event"}})

def reach():
    with socket.create_connection(("127.0.0.1", int(os.environ["TARGET"])), 5):
        pass

queue = __import__("queue").SimpleQueue()
def serve():
    while work := queue.get():
        try:
            work()
        except Exception:
            pass
threading.Thread(target=serve, daemon=True).start()

@hookimpl
def destination():
    one = [Action(slug="one", title="One", trigger='type = "track"', payload=Line)]
    return Destination(slug="odd", name="Odd", settings=Key, actions=one, transport="{transport}")

@hookimpl
def settings():
    return Key

@hookimpl
def actions():
    return [Action(slug="one", title="One", trigger='type = "track"', payload=Line)]

@hookimpl
def preview(payloads):
    return {{"rows": [one.text for one in payloads]}}

@hookimpl
def perform(payload, settings):
    {perform}
'''


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as found:
        found.settimeout(0.3)
        yield found


def reached(listener: socket.socket) -> bool:
    try:
        listener.accept()[0].close()
    except TimeoutError:
        return False
    return True


@pytest.fixture
def odd(
    tmp_path: Path, install: Callable[..., None], listener: socket.socket
) -> Callable[..., Any]:
    """Return a function that runs a command with a destination, in a process of its own."""

    def start(perform: str, *command: str, transport: str = "http") -> subprocess.Popen[str]:
        (tmp_path / "odd_plugin.py").write_text(PLUGIN.format(perform=perform, transport=transport))
        if not (tmp_path / "odd-1.0.dist-info").exists():
            install(tmp_path, "odd", "1.0", {"odd": "odd_plugin"})
        (tmp_path / "c.json").write_text(
            '{"destination": "odd", "subscriptions": [{"partnerAction": "one"}]}'
        )
        (tmp_path / "e.ndjson").write_text('{"type": "track", "event": "a"}\n' * 3)
        environment = {
            **os.environ,
            "PYTHONPATH": str(tmp_path),
            "TARGET": str(listener.getsockname()[1]),
            "COLUMNS": "300",
        }
        return subprocess.Popen(
            [sys.executable, "-m", "framework", *command],
            cwd=tmp_path,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    return start


RUN = ("run", "-c", "c.json", "-e", "e.ndjson")
ATTEMPTS = {
    "socket": "reach()",
    "timer": "threading.Timer(0, reach).start()",
    "process": "subprocess.run([sys.executable, '-c', 'pass'])",
    "thread": "threading.Thread(target=reach).start()",
    "queue": "queue.put(reach); time.sleep(0.2)",
    "at exit": "atexit.register(reach)",
    "late": "queue.put(lambda: (time.sleep(0.3), reach()))",
}


@pytest.mark.parametrize(
    "command", [(*RUN, "--dry-run"), ("explain", "-c", "c.json", "--event", "e.ndjson")]
)
def test_a_plugin_is_offline_while_it_is_loaded(
    odd: Callable[..., Any], listener: socket.socket, command: tuple[str, ...]
) -> None:
    """It is left out, with the line that tried."""
    started = odd("pass\n\nreach()", *command)
    _, errors = started.communicate(timeout=60)
    assert not reached(listener)
    assert started.returncode == exits.USAGE
    assert "A plugin looked up a host name while it was loaded for a dry run." in errors
    assert re.search(r"odd_plugin\.py:[0-9]+: ", errors)


@pytest.mark.parametrize("way", ATTEMPTS)
@pytest.mark.parametrize(
    "command", [(*RUN, "--dry-run"), ("explain", "-c", "c.json", "--event", "e.ndjson")]
)
def test_dry_commands_are_dry(
    odd: Callable[..., Any], listener: socket.socket, way: str, command: tuple[str, ...]
) -> None:
    process = odd(ATTEMPTS[way], *command)
    out, err = process.communicate(timeout=60)
    assert not reached(listener), (out, err)
    if way in {"socket", "process"}:
        assert process.returncode == exits.FAILED
        if command[0] == "run":
            assert "DRY_RUN_NETWORK" in out


def test_the_same_destination_sends_in_a_run(
    odd: Callable[..., Any], listener: socket.socket
) -> None:
    process = odd("reach()", *RUN)
    process.communicate(timeout=60)
    assert process.returncode == exits.DONE
    assert reached(listener)


def test_a_dry_run_of_another_transport_shows_previews(
    odd: Callable[..., Any], listener: socket.socket
) -> None:
    process = odd("reach()", *RUN, "--dry-run", transport="other")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == exits.DONE
    assert "DRY_RUN" in out
    assert '{"rows": ["a"]}' in out
    assert not reached(listener)
    explained = odd("reach()", "explain", "-c", "c.json", "--event", "e.ndjson", transport="other")
    out, _ = explained.communicate(timeout=60)
    assert 'would send {"rows": ["a"]}' in out


@pytest.mark.parametrize("leave", ["sys.exit(3)", "raise KeyboardInterrupt", "raise GeneratorExit"])
@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_an_exit_of_a_plugin_is_no_exit_of_the_command(
    odd: Callable[..., Any], leave: str, more: tuple[str, ...]
) -> None:
    process = odd(leave, *RUN, *more)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == exits.FAILED
    assert "INTERNAL_ERROR" in out


def test_the_second_signal_ends_a_blocked_run(odd: Callable[..., Any]) -> None:
    process = odd("print('blocked', flush=True); time.sleep(600)", *RUN)
    assert process.stderr.readline() == "blocked\n"
    process.send_signal(signal.SIGTERM)
    assert "Stopping after pending requests" in process.stderr.readline()
    watchdog = threading.Timer(20, process.kill)
    watchdog.start()
    process.send_signal(signal.SIGTERM)
    process.communicate()
    watchdog.cancel()
    assert process.returncode == exits.INTERRUPTED


def test_secrets_and_control_characters_reach_neither_terminal_nor_file(
    odd: Callable[..., Any], tmp_path: Path
) -> None:
    said = r"'\x1b]0;t\x07\x1b[2J\x9b1m\r\u202e' + settings.key"
    perform = f"return Failed(400, 'NO', {said}, body={{'b': {said}}})"
    process = odd(perform, *RUN, "--outcomes", "out.ndjson")
    out, err = process.communicate(timeout=60)
    written = (tmp_path / "out.ndjson").read_text("utf-8")
    for text in (out, err, written):
        assert "sesame-open" not in text
        assert [char for char in text if not (char.isprintable() or char == "\n")] == []
    assert "<redacted>" in written
    assert (tmp_path / "out.ndjson").stat().st_mode & 0o777 == 0o600
    (checkpoint,) = tmp_path.glob("e.ndjson.*checkpoint")
    assert checkpoint.stat().st_mode & 0o777 == 0o600


def test_an_unexpected_error_shows_no_secret(odd: Callable[..., Any]) -> None:
    """Neither does its traceback, in the log."""
    process = odd("raise ValueError('key ' + settings.key)", *RUN)
    out, err = process.communicate(timeout=60)
    assert "sesame-open" not in out + err
    assert "ValueError: key <redacted>" in err


def test_commands_write_colors_and_escape_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    echo("\x1b[31mred\x1b[0m \x1b[2J\x1b[8m\x9b\ttab\n\u202e")
    assert capsys.readouterr().out == "red \\u001b[2J\\u001b[8m\\u009b\ttab\n\\u202e\n"
    echo(json.dumps({"a": "\x9b\x7f"}, ensure_ascii=False))
    assert json.loads(capsys.readouterr().out) == {"a": "\x9b\x7f"}
