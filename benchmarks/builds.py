"""Compare builds of this project by deliveries that take turns, one after the other.

    python benchmarks/builds.py FOLDER FOLDER... [--rounds 30] [--parts audience,single]

Each folder is a checkout with its environment in `.venv`, whose benchmarks are used. Every build
delivers in a process of its own that lives for all rounds; in each round it delivers every part
once, in random order of the builds. A ratio is that of the first build's processor time to
another's in the same round, a fraction of a second apart: a machine that is shared drifts more
slowly. Prints the median of the ratios by part and build, and the processor time of an event.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import engine, events, rich, single
from benchmarks.rounds import partner

PARTS = ("audience", "hashed", "mixed", "rich", "single")
EVENTS = {"audience": 20_000, "hashed": 20_000, "mixed": 20_000, "rich": 5_000, "single": 300}
KINDS = {"hashed": "audience", "rich": "ecommerce", "single": "audience"}


def delivery(part: str, folder: Path, port: int) -> Callable[[], object]:
    """Return what delivers the events of *part* once."""
    file = folder / f"{part}.ndjson"
    options = argparse.Namespace(
        events=str(file), port=port, hash=part == "hashed", subscriptions=1, unmatched="text",
        unthrottled=False, threads=1, processes=1,
    )  # fmt: skip
    if part == "rich":
        return lambda: rich.deliver(options)
    if part == "single":
        connection = single.opened(options)
        made = [json.loads(line) for line in file.read_bytes().splitlines()]
        return lambda: single.deliver(connection, made)
    options.port = 0  # answered in the process
    return lambda: engine.deliver(options)


def work(folder: Path, port: int, parts: Sequence[str]) -> None:
    """Deliver each part that standard input names, and print its microseconds an event."""
    engine.quieten()
    deliveries = {part: delivery(part, folder, port) for part in parts}
    for deliver in deliveries.values():
        deliver()
    for line in sys.stdin:
        part = line.strip()
        start = time.process_time()
        deliveries[part]()
        print((time.process_time() - start) / EVENTS[part] * 1e6, flush=True)


class Build:
    """A build's process."""

    def __init__(self, place: Path, arguments: Sequence[str]) -> None:
        self.place = place
        self._process = subprocess.Popen(
            [place / ".venv" / "bin" / "python", Path(__file__), "--worker", *arguments],
            cwd=place, env={"PYTHONPATH": str(place), "PATH": "/usr/bin:/bin"}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=1,
        )  # fmt: skip

    def deliver(self, part: str) -> float:
        """Deliver a part; return the microseconds of processor time an event."""
        assert self._process.stdin
        assert self._process.stdout
        print(part, file=self._process.stdin)
        return float(self._process.stdout.readline())

    def end(self) -> None:
        """End the process."""
        self._process.communicate()


def compare(places: Sequence[Path], parts: Sequence[str], rounds: int) -> list[dict[str, Any]]:
    """Return a row for each part and build."""
    with tempfile.TemporaryDirectory() as folder, partner() as port:
        for part in parts:
            kind = KINDS.get(part, part)
            events.write(Path(folder) / f"{part}.ndjson", kind, EVENTS[part])
        builds = [Build(place, [folder, str(port), ",".join(parts)]) for place in places]
        took: dict[tuple[str, Path], list[float]] = {}
        for part in [*parts] * rounds:
            for build in random.sample(builds, len(builds)):
                took.setdefault((part, build.place), []).append(build.deliver(part))
        for build in builds:
            build.end()
    rows = []
    for (part, place), times in sorted(took.items()):
        ratios = [first / one for first, one in zip(took[part, places[0]], times, strict=True)]
        rows.append({
            "part": part,
            "build": place.name,
            "ratio": round(statistics.median(ratios), 3),
            "cpu_us": round(statistics.median(times), 2),
        })  # fmt: skip
    return rows


def main() -> None:
    """Compare what the command line names; print a line of JSON for each part and build."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("builds", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--parts", default=",".join(PARTS))
    options = parser.parse_args()
    places = [place.resolve() for place in options.builds]
    for row in compare(places, options.parts.split(","), options.rounds):
        print(json.dumps(row))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        work(Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4].split(","))
    else:
        main()
