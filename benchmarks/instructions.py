"""Count the instructions that an event takes: a figure that a busy machine does not change.

    python benchmarks/instructions.py [--events N] [--single]

Runs under callgrind with N and with 3 N events; the difference leaves out the start. Hashes are
not salted, the clock stands still, and the partner answers in the same process, so that both runs
do the same. With --single, events are delivered one by one to a partner in another process; 150
are enough. Ends with 0 and says so where valgrind is not installed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

from benchmarks import events
from benchmarks.figures import BARE, OURS
from benchmarks.rounds import SCRATCH, partner

WORK = {OURS: (), BARE: ("--bare",)}
_counted = re.compile(r"Collected\s*:\s*(\d+)").search


def run_once(arguments: list[str]) -> None:
    """Deliver or decode a file once, with a clock that stands still."""
    time.monotonic = time.perf_counter = lambda: 1.0
    from benchmarks import engine  # noqa: PLC0415 - takes the clock as it finds it

    engine.quieten()
    file, *others = arguments
    if others[:1] == ["--single"]:
        from benchmarks import single  # noqa: PLC0415 - the same

        made = [json.loads(line) for line in Path(file).read_bytes().splitlines()]
        with single.opened(argparse.Namespace(port=int(others[1]), hash=False)) as connection:
            single.deliver(connection, made)
        return
    options = engine.arguments().parse_args(arguments)
    (engine.decode if options.bare else engine.deliver)(options)


def instructions(file: Path, options: tuple[str, ...]) -> int:
    """Give the instructions of a process that does its work once."""
    work = [sys.executable, str(Path(__file__)), "--once", str(file), *options]
    _said(work)  # compiles what has been changed, which is not to be counted
    said = _said(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *work])
    found = _counted(said)
    assert found, said
    return int(found[1])


def _said(command: list[str]) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    done = subprocess.run(command, check=True, stderr=subprocess.PIPE, text=True, env=environment)
    return done.stderr


def per_event(few: int, options: tuple[str, ...]) -> float:
    """Give the instructions that one more event takes."""
    many = 3 * few
    small, large = (
        instructions(events.write(SCRATCH / "counted.ndjson", "audience", count), options)
        for count in (few, many)
    )
    return (large - small) / (many - few)


def main() -> None:
    """Count, and print a line for each engine and then the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--events", type=int, default=5_000)
    parser.add_argument("--single", action="store_true")
    options = parser.parse_args()
    if not shutil.which("valgrind"):
        print("Skipped: valgrind is not installed.")
        return
    SCRATCH.mkdir(exist_ok=True)
    with partner() if options.single else nullcontext() as port:
        work = {OURS: ("--single", str(port))} if options.single else WORK
        found = {name: round(per_event(options.events, extra)) for name, extra in work.items()}
    for name, count in found.items():
        print(f"{name}: {count:,} instructions an event")
    print(json.dumps(found))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--once"]:
        run_once(sys.argv[2:])
    else:
        main()
