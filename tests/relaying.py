"""`actions relay` as a process, and clients that post events to it."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

KEY = "wk-2f81"
WITHIN = 30.0


class RelayProcess:
    """A relay on free ports; a context manager that kills it at the end.

    *last* is what it says last when it starts; `url` is what follows.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], last: str = "Intake"
    ) -> None:
        self._process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.metrics_url = self._address("Metrics")
        self.url = self._address(last)

    def _address(self, name: str) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.startswith(f"{name}: "):
            self._process.kill()
            raise AssertionError(f"{line}{self._process.communicate()[1]}")
        return line.partition(": ")[2].strip()

    def post(self, events: Iterable[Any]) -> None:
        """Post events as a batch; they are durable afterwards."""
        body = {"batch": [*events]}
        response = httpx.post(
            f"{self.url}/v1/batch", json=body, auth=(KEY, ""), trust_env=False, timeout=WITHIN
        )
        assert response.status_code == 200, response.text

    def metrics(self) -> dict[str, float]:
        """Return the metrics by name and labels."""
        text = httpx.get(self.metrics_url, trust_env=False, timeout=WITHIN).text
        lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in lines}

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()
        self._process.communicate()

    def interrupt(self) -> None:
        """Send Ctrl-C, and wait until it was noticed."""
        self._process.send_signal(signal.SIGINT)
        self.next_error("Stopping")

    def next_error(self, start: str) -> str:
        """Return the next line on standard error that begins with *start*."""
        assert self._process.stderr is not None
        while not (line := self._process.stderr.readline()).startswith(start):
            assert line or self._process.poll() is None
        return line.rstrip("\n")

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def freeze(self) -> None:
        """Stop the process where it is; return when each of its threads has stopped.

        Linux stops the threads one after the other, and those that wait for a disk only afterwards.
        """
        self.send(signal.SIGSTOP)
        tasks = Path(f"/proc/{self._process.pid}/task")
        until(lambda: all(_is_stopped(one) for one in tasks.iterdir()))

    def terminate(
        self, number: signal.Signals = signal.SIGTERM, *, wait: float = WITHIN
    ) -> tuple[int, str, str]:
        """Ask the process to stop; return its exit code and what it printed."""
        self.send(number)
        output, errors = self._process.communicate(timeout=wait)
        return self._process.returncode, output, errors

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self.kill()


def _is_stopped(task: Path) -> bool:
    """Return whether a thread is stopped, or has ended, by the state after its name."""
    try:
        status = (task / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return status.rpartition(")")[2].split()[0] in "TtZX"


def until(holds: Callable[[], bool], seconds: float = WITHIN) -> None:
    """Wait until *holds* returns true; fails after *seconds*."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)


def connection_file(path: Path, document: Mapping[str, Any]) -> Path:
    """Write a connection file; JSON is YAML, too."""
    path.write_text(json.dumps(document, indent=2), encoding="utf-8")
    return path
