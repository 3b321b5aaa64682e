"""Run a command for a bounded time, with everything that it starts."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path


def run_bounded(command: Sequence[str | Path], seconds: float, cwd: Path) -> int | None:
    """Run *command* for at most so many *seconds*; return its exit status, None if it was ended.

    The command gets a session of its own, so that what it has started ends with it.
    """
    if seconds <= 0:
        return None
    with subprocess.Popen(command, cwd=cwd, start_new_session=True) as process:
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            if process.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
