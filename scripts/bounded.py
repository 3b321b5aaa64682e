"""Run a command for a bounded time, with everything that it starts."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

_GRACE: Final = 10


def run_bounded(command: Sequence[str | Path], seconds: float, cwd: Path) -> int | None:
    """Run *command* for at most so many *seconds*; return its exit status, None if it was ended.

    The command gets a session of its own, so that what it has started ends with it. When the time
    is over it is interrupted and has ten seconds to print what it had found. How it ends then says
    nothing: an interrupt that hits a callback of the garbage collector fails the test it hits.
    """
    if seconds <= 0:
        return None
    with subprocess.Popen(command, cwd=cwd, start_new_session=True) as process:
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            _interrupt(process)
            return None
        except BaseException:
            _kill(process)
            raise


def _interrupt(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGINT)
    try:
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
    finally:
        _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
