"""Measure mirroring a list onto an audience: calls, seconds, and the peak memory of the command.

    python benchmarks/audiences.py [--members 100000,1000000] [--changed 0.01]

Each number of people is mirrored onto a new audience of the Criteo sandbox, then a list of which a
share has changed, then the same list again. Every mirror is a process of its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from framework.plugins import load_plugins
from framework.sandbox import Sandbox, serve

CHILD: Final = """
import re, sys
from pathlib import Path
from framework.cli.app import actions
try:
    actions(sys.argv[1:])
finally:
    status = Path("/proc/self/status").read_text()
    print("peak", int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]) // 1024, file=sys.stderr)
"""
"""Runs the command, and prints its peak memory in MB at the end; that of its parent is no part of
it, unlike in what `getrusage` says."""


def write_list(path: Path, numbers: range) -> Path:
    """Write the addresses of people."""
    with path.open("w", encoding="ascii") as file:
        file.writelines(f"person-{number}@example.com\n" for number in numbers)
    return path


def mirror(given: Path, former: Path, options: Sequence[str]) -> tuple[dict[str, int], int]:
    """Mirror a list; return its summary, and the peak memory in MB."""
    command = [
        sys.executable, "-c", CHILD, "audience", "mirror", "--name", "spring",
        "--members", str(given), "--previous", str(former), "--yes", "--json", *options,
    ]  # fmt: skip
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout), int(done.stderr.rsplit(maxsplit=1)[-1])


def measure(folder: Path, members: int, changed: float) -> None:
    """Print a line for each mirror of a list of *members*, of which a share is *changed*."""
    criteo: Sandbox = load_plugins().get("criteo").call("sandbox")
    number = int(members * changed)
    first = write_list(folder / "first.txt", range(members))
    second = write_list(folder / "second.txt", range(number, members + number))
    connection = folder / "ads.connection.yaml"
    document = {"destination": "actions-criteo-audiences", "settings": criteo.settings()}
    connection.write_text(json.dumps({**document, "subscriptions": SUBSCRIPTIONS}))
    with serve(criteo) as server:
        options = (
            "--connection", str(connection), "--store", f"sqlite:{folder / 'events.db'}",
            "--endpoint", f"{criteo.origins[0]}={server.url}",
        )  # fmt: skip
        for what, given in (("all new", first), ("changed", second), ("the same", second)):
            before, start = dict(criteo.calls), time.perf_counter()
            told, peak = mirror(given, first, options)
            seconds = time.perf_counter() - start
            calls = difference(criteo.calls, before)
            print(
                f"{members:>10,} {what:<9} added {told['added']:>9,} removed {told['removed']:>7,}"
                f"  {seconds:6.1f} s  {peak:4} MB  {calls}"
            )


SUBSCRIPTIONS: Final = [
    {"partnerAction": action, "subscribe": f'type = "track" and event = "Audience {event}"'}
    for action, event in (
        ("addUserToAudience", "Entered"),
        ("removeUserFromAudience", "Exited"),
    )
]


def difference(after: Mapping[str, int], before: Mapping[str, int]) -> str:
    """Return the calls that were made between two counts, as text."""
    made = {name: number - before.get(name, 0) for name, number in after.items()}
    return ", ".join(f"{name} {number}" for name, number in made.items() if number) or "no call"


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--members", default="100000,1000000", help="numbers of people")
    parser.add_argument("--changed", type=float, default=0.01, help="share that changes")
    given = parser.parse_args()
    for members in map(int, given.members.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder), members, given.changed)


if __name__ == "__main__":
    main()
