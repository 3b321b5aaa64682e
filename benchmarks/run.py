"""Measure this project against bare decoding, and against the reference where it is at hand.

    python benchmarks/run.py [--events N] [--rounds N]

Engines run in turn, round after round, and ratios are taken inside each round, because machines
drift. They are compared only where the partner was sent the same. The reference takes part when
PEER_BENCH (the path of a driver script) and PEER_BENCH_DIR (a folder with its packages) are set
and Node is installed. The table goes into benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import events

HERE = Path(__file__).parent
SCRATCH = HERE / "scratch"
MARK = "<!-- figures: written by run.py -->"
Row: TypeAlias = dict[str, Any]


@contextmanager
def partner(latency_ms: int = 0) -> Iterator[int]:
    """Run a partner for a while; give its port."""
    command = [sys.executable, HERE / "partner.py", "--latency-ms", str(latency_ms)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        yield int(process.stdout.readline())
        process.stdin.close()


def ask(port: int, path: str, method: str = "GET") -> Row:
    """Ask the partner something about itself."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - loopback
        found: Row = json.load(answer)
        return found


def commands(file: Path, port: int, extra: list[str]) -> dict[str, list[str]]:
    """Give the command of each engine that is at hand; the yardstick comes last."""
    engine = [sys.executable, str(HERE / "engine.py"), str(file), str(port), "--runs", "1"]
    found = {"this project": [*engine, *extra], "bare orjson": [*engine, "--bare"]}
    driver = os.environ.get("PEER_BENCH")
    if driver and "PEER_BENCH_DIR" in os.environ and shutil.which("node"):
        options = ["--json", "--runs", "1", "--file", str(file), "--port", str(port)]
        found["the reference"] = ["node", driver, "ndjson", *options, *extra]
    return found


def measure(name: str, command: list[str], port: int) -> Row:
    """Run an engine once; give its figures and what the partner was sent."""
    ask(port, "/__reset", "POST")
    path = os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")])
    output = subprocess.run(
        command,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    ).stdout
    figures: Row = json.loads(output.splitlines()[-1])
    return {"engine": name, **ask(port, "/__stats"), **figures}


def compare(title: str, file: Path, rounds: int, extra: list[str], latency_ms: int = 0) -> str:
    """Run every engine in every round; give rows of the table."""
    runs: dict[str, list[Row]] = {}
    with partner(latency_ms) as port:
        for _ in range(rounds):
            for name, command in commands(file, port, extra).items():
                runs.setdefault(name, []).append(measure(name, command, port))
    sent = {row["sha256"] for name, rows in runs.items() if name != "bare orjson" for row in rows}
    assert len(sent) == 1, f"{title}: the engines sent different data"
    base = runs.get("the reference", runs["bare orjson"])
    return "".join(_line(title, name, rows, base) for name, rows in runs.items())


def _line(title: str, name: str, rows: list[Row], base: list[Row]) -> str:
    rates = [row["median_per_s"] for row in rows]
    ratio = statistics.median(
        rate / other["median_per_s"] for rate, other in zip(rates, base, strict=True)
    )
    cells = (
        title,
        name,
        f"{statistics.median(rates):,.0f}",
        f"{ratio:.2f}",
        f"{min(row['cpu_us'] for row in rows)}" if "cpu_us" in rows[0] else "",
        str(max(row["peak_mb"] for row in rows)),
        str(rows[-1]["requests"]) if name != "bare orjson" else "",
    )
    print("  ".join(cells))
    return f"| {' | '.join(cells)} |\n"


def main() -> None:
    """Make the files, measure, and write the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    SCRATCH.mkdir(exist_ok=True)
    table = (
        "| What | Engine | events/s | ratio | processor µs/event | peak MB | requests |\n"
        "| --- | --- | --- | --- | --- | --- | --- |\n"
    )
    audience = events.write(SCRATCH / "audience.ndjson", "audience", options.events)
    mixed = events.write(SCRATCH / "mixed.ndjson", "mixed", options.events)
    table += compare("audience", audience, options.rounds, [])
    table += compare("audience, hashed", audience, options.rounds, ["--hash"])
    table += compare("mixed", mixed, options.rounds, [])
    for share in (0.1, 0.3):
        count = int(options.events * share)
        small = events.write(SCRATCH / "small.ndjson", "audience", count)
        table += compare(f"{count:,} events", small, 1, [])
    (HERE / "README.md").write_text(_page(table, options), encoding="utf-8")


def _page(table: str, options: argparse.Namespace) -> str:
    git = ["git", "-C", str(HERE), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, check=False, stdout=subprocess.PIPE, text=True).stdout.strip()
    machine = (
        f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}"
    )
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    when = datetime.now(UTC).strftime("%Y-%m-%d")
    text = (HERE / "README.md").read_text(encoding="utf-8").partition(MARK)[0]
    return (
        f"{text}{MARK}\n\n{when}, commit {commit}, {machine}, load {load}; "
        f"{options.events:,} events, {options.rounds} rounds.\n"
        "Ratios are to the reference where it took part, else to bare orjson.\n\n"
        f"{table}"
    )


if __name__ == "__main__":
    main()
