"""Commands with a bounded time: how they end, and that nothing they started goes on."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from scripts.bounded import run_bounded

ENDLESS = """
import os, pathlib, subprocess, sys
if len(sys.argv) == 1:
    subprocess.Popen([sys.executable, __file__, "child"])
else:
    pathlib.Path("child.new").write_text(str(os.getpid()))
    os.rename("child.new", "child")
while True:
    pass
"""


@pytest.mark.parametrize("status", [0, 3])
def test_the_status_of_a_command_is_returned(status: int, tmp_path: Path) -> None:
    command = [sys.executable, "-c", f"raise SystemExit({status})"]
    assert run_bounded(command, 60, tmp_path) == status


def test_nothing_is_started_without_time(tmp_path: Path) -> None:
    assert run_bounded(["there-is-no-such-command"], 0, tmp_path) is None


def test_what_a_command_has_started_ends_with_it(tmp_path: Path) -> None:
    (tmp_path / "endless.py").write_text(ENDLESS)
    seconds = 1.0
    while not (tmp_path / "child").exists():  # a busy machine takes long to start two processes
        assert run_bounded([sys.executable, "endless.py"], seconds, tmp_path) is None
        seconds *= 2

    child = Path("/proc", (tmp_path / "child").read_text(), "stat")
    deadline = time.monotonic() + 60
    while child.exists() and child.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < deadline
        os.sched_yield()


def test_how_an_interrupted_command_ends_is_no_failure(tmp_path: Path) -> None:
    code = "import signal, sys; signal.signal(2, lambda *_: sys.exit(1)); open('set', 'w')"
    seconds = 1.0
    while not (tmp_path / "set").exists():
        command = [sys.executable, "-c", f"{code}; signal.sigwait([15])"]
        assert run_bounded(command, seconds, tmp_path) is None
        seconds *= 2
