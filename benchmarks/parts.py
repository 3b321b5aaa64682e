"""What is measured: each part with its events, and the commands of the engines that take part."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import BARE, OURS, PEER
from benchmarks.rounds import HERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A comparison: *ours* is a script with options, *peer* a mode of the driver with options.

    *share* is the part of the usual number of events that it takes; *fixed* is the number itself.
    """

    title: str
    ours: tuple[str, ...] = ("engine.py",)
    peer: tuple[str, ...] = ("ndjson",)
    kind: str = "audience"
    share: float = 1.0
    fixed: int = 0
    latency_ms: int = 0

    def count(self, usual: int) -> int:
        """Give how many events it takes where *usual* are usual."""
        return self.fixed or max(1, int(usual * self.share))

    def engines(self, file: Path, count: int, port: int) -> dict[str, list[str]]:
        """Give the command of each engine that is at hand."""
        script, *options = self.ours
        found = {OURS: [*_python(script), str(file), str(port), *_runs(self, count), *options]}
        if script != "single.py":
            found[BARE] = [*_python("engine.py"), str(file), "--bare", "--runs", "1"]
        if driver := peer_driver():
            mode, *options = self.peer
            where = ["--file", str(file), "--port", str(port)]
            found[PEER] = ["node", driver, mode, "--json", *where, *_runs(self, count), *options]
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A measurement of this project alone, by a script that prints JSON as its last line.

    *missing* says why it cannot be run, if so.
    """

    title: str
    script: str
    missing: Callable[[], str] = str

    def command(self, options: list[str]) -> list[str]:
        """Give the command with *options*."""
        return [*_python(self.script), *options]


def peer_driver() -> str:
    """Give the path of the script that drives the reference; nothing where it cannot take part."""
    ready = "PEER_BENCH_DIR" in os.environ and shutil.which("node")
    return os.environ.get("PEER_BENCH", "") if ready else ""


def _python(script: str) -> list[str]:
    return [sys.executable, str(HERE / script)]


def _runs(part: Part, count: int) -> list[str]:
    """Say how often to run, and with how many events where that is no whole file."""
    single = ["--events", str(count)] if part.ours[0] == "single.py" else []
    return ["--runs", "1", *single]


def _no_valgrind() -> str:
    return "" if shutil.which("valgrind") else "valgrind is not installed"


_TWO = ("--processes", "2")

PARTS: dict[str, Part | Script] = {
    "audience": Part(title="one audience"),
    "processes": Part(title="one audience, two processes", ours=("engine.py", *_TWO)),
    "hashed": Part(
        title="one audience, hashed", ours=("engine.py", "--hash"), peer=("ndjson", "--hash")
    ),
    "mixed": Part(title="one event in ten matches", kind="mixed"),
    "rich": Part(
        title="a rich mapping", ours=("rich.py",), peer=("rich",), kind="ecommerce", share=0.25
    ),
    "rich-processes": Part(
        title="a rich mapping, two processes",
        ours=("rich.py", *_TWO),
        peer=("rich",),
        kind="ecommerce",
        share=0.25,
    ),
    "latency": Part(
        title="50 ms to the partner", peer=("ndjson", "--concurrency", "8"), latency_ms=50
    ),
    "single": Part(title="single events", ours=("single.py",), peer=("event",), share=0.015),
    "requests": Part(title="requests", fixed=100_000),
    "startup": Script(title="Start", script="startup.py"),
    "stages": Script(title="Stages", script="stages.py"),
    "growth": Script(title="Growth", script="growth.py"),
    "instructions": Script(title="Instructions", script="instructions.py", missing=_no_valgrind),
}
"""By the name that `run.py --only` takes, in the order in which they are run."""
