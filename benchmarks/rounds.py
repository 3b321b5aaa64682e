"""Engines that run in turn, round after round, against a stand-in for the partner."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.events import KEY
from benchmarks.figures import BARE, Row

HERE = Path(__file__).parent
SCRATCH = HERE / "scratch"
KEPT = ("median_per_s", "cpu_us", "peak_mb", "requests", "identifiers", "sha256")


@contextmanager
def partner(latency_ms: int = 0) -> Iterator[int]:
    """Run a partner for a while, which knows the audience from the start; give its port."""
    command = [sys.executable, str(HERE / "partner.py"), "--latency-ms", str(latency_ms)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        port = int(process.stdout.readline())
        ask(port, "/create", {"data": [{"attributes": {"name": KEY}}]})
        yield port
        process.stdin.close()


def ask(port: int, path: str, body: object = None) -> Row:
    """Ask the partner something, or tell it something."""
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", content)
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - loopback
        found: Row = json.load(answer)
        return found


def run(command: Sequence[str]) -> Row:
    """Run a script to its end; give the JSON of its last line."""
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: Row = json.loads(done.stdout.splitlines()[-1])
    return found


def rounds(engines: Mapping[str, Sequence[str]], port: int, count: int) -> Iterator[dict[str, Row]]:
    """Run every engine in every round; yield the rows of each round, by engine.

    A row is what the engine printed, and what the partner counted meanwhile.
    """
    for _ in range(count):
        found: dict[str, Row] = {}
        for name, command in engines.items():
            ask(port, "/__reset", {})
            row = run(command)
            counted = {} if name == BARE else ask(port, "/__stats")
            found[name] = {key: one for key, one in {**row, **counted}.items() if key in KEPT}
        yield found
