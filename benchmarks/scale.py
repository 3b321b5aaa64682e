"""Deliver a million events of one audience into the pretend Criteo; print what it took.

    python benchmarks/scale.py [--events 1000000] [--lists 150]

The delivery is a process of its own, started as an operator would, with an outcome file and a
checkpoint; the sandbox answers on the loopback address from this one. Ends with 1 where the calls
or the memory are more than they may be.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from destinations.criteo_audiences.sandbox import CriteoSandbox
from framework.sandbox import serve

MOST_MEMORY = 300_000_000
ORIGIN = "https://api.criteo.com"
UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in which the system counts the memory of a process."""


def write_events(path: Path, count: int) -> None:
    """Write *count* events of one audience, each about somebody else."""
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            event = {
                "type": "track",
                "event": "Audience Entered",
                "messageId": f"m{number:08d}",
                "userId": f"u{number:08d}",
                "timestamp": "2026-11-21T10:00:00.000Z",
                "context": {"traits": {"email": f"user{number}@example.com"}},
                "properties": {"audience_key": "spring", "spring": True},
            }
            file.write(json.dumps(event) + "\n")


def write_connection(path: Path, criteo: CriteoSandbox) -> None:
    """Write a connection file that the sandbox lets in."""
    subscription = {"name": "Add users", "partnerAction": "addUserToAudience"}
    document = {
        "destination": "actions-criteo-audiences",
        "settings": criteo.settings(),
        "subscriptions": [subscription],
    }
    path.write_text(json.dumps(document), encoding="utf-8")


def deliver(folder: Path, url: str) -> tuple[float, int, int]:
    """Run the delivery; give seconds, peak memory in bytes, and the exit code."""
    command = [
        sys.executable, "-m", "framework", "run", "--quiet",
        "--connection", str(folder / "connection.yaml"),
        "--events", str(folder / "events.ndjson"),
        "--outcomes", str(folder / "outcomes.ndjson"), "--endpoint", f"{ORIGIN}={url}",
    ]  # fmt: skip
    started = time.monotonic()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return time.monotonic() - started, usage.ru_maxrss * UNIT, process.returncode


def main() -> None:
    """Generate, deliver, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--lists", type=int, default=150, help="contact lists that exist before")
    chosen = parser.parse_args()
    criteo = CriteoSandbox()
    for number in range(chosen.lists):
        criteo.add_segment(f"audience {number}")
    with tempfile.TemporaryDirectory() as name, serve(criteo) as server:
        folder = Path(name)
        write_events(folder / "events.ndjson", chosen.events)
        write_connection(folder / "connection.yaml", criteo)
        seconds, memory, code = deliver(folder, server.url)
        outcomes = sum(1 for _ in (folder / "outcomes.ndjson").open("rb"))
    most = 2 + math.ceil(chosen.events / 50_000) + math.ceil((chosen.lists + 1) / 100)
    print(f"{chosen.events:,} events in {seconds:.1f} s: {chosen.events / seconds:,.0f} a second")
    print(f"calls: {criteo.calls.total()} (at most {most}): {dict(criteo.calls)}")
    print(f"peak memory: {memory / 1e6:.0f} MB (at most {MOST_MEMORY / 1e6:.0f} MB)")
    print(f"members: {len(criteo.members('spring')):,}, outcomes: {outcomes:,}, exit code: {code}")
    good = criteo.calls.total() <= most and memory < MOST_MEMORY and code == 0
    everything = len(criteo.members("spring")) == outcomes == chosen.events
    raise SystemExit(0 if good and everything else 1)


if __name__ == "__main__":
    main()
