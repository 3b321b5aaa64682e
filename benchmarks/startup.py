"""Measure starts: of commands, of what is imported, and to the first event delivered.

    python benchmarks/startup.py [--rounds N]

Commands run in turn, round after round, beside a Python that does nothing, one that imports three
libraries of this project (`libraries`), and the reference where PEER_BENCH and PEER_BENCH_DIR name
it: its figure is that of loading alone. `ratio` is the median of the ratios to `libraries` within
a round: a machine that is shared drifts more slowly. `author` imports the names with which a
destination begins. The first event is delivered when the stand-in for the partner, in this
process, answers the change of the list; before that it has given a token, searched, and made the
list. Prints a table and, as the last line, the medians in seconds as JSON. `least` is what a quiet
machine takes. What is started keeps its bytecode, as what is installed has it; the round that is
not counted writes it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from operator import truediv
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks import events
from benchmarks.partner import Partner, talk

Moment: TypeAlias = Callable[[], float]

CONNECTION = """\
destination: actions-criteo-audiences
settings: {advertiser_id: "12345", client_id: an id, client_secret: a secret}
subscriptions:
  - partnerAction: addUserToAudience
    subscribe: type = "track" and event = "Audience Entered"
"""

AUTHOR = "from framework import Action, Destination, Payload, Settings, field, hookimpl"


class Noting(Partner):
    """A partner that notes when it last answered a change of a list."""

    changed = 0.0

    def answer(self, method: str, target: str, body: bytes) -> Any:
        """Answer a request with JSON."""
        answered = super().answer(method, target, body)
        if target.partition("?")[0].endswith("/contact-list"):
            self.changed = time.perf_counter()
        return answered


def serve(partner: Partner) -> int:
    """Let *partner* answer on the loopback address as long as this process lives; give its port."""
    port: Future[int] = Future()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await talk(partner, 0.0, reader, writer)

    async def wait() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", limit=1 << 24)
        port.set_result(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    threading.Thread(target=lambda: asyncio.run(wait()), daemon=True).start()
    return port.result()


def commands(folder: Path, port: int) -> dict[str, list[str]]:
    """Give what is started, by name."""
    script = Path(sys.executable).with_name("actions")
    actions = [str(script)] if script.exists() else [sys.executable, "-m", "framework"]
    connection = folder / "criteo.connection.yaml"
    connection.write_text(CONNECTION, encoding="utf-8")
    file = events.write(folder / "event.ndjson", "audience", 1)
    options = ["--connection", connection, "--events", file, "--restart", "--quiet"]
    redirect = f"https://api.criteo.com=http://127.0.0.1:{port}"
    found = {
        "python": [sys.executable, "-c", "pass"],
        "libraries": [sys.executable, "-c", "import httpx, pluggy, jsonschema"],
        "import": [sys.executable, "-c", "import framework"],
        "author": [sys.executable, "-c", AUTHOR],
        "version": [*actions, "--version"],
        "help": [*actions, "--help"],
        "validate": [*actions, "validate", str(connection)],
        "first_event": [*actions, "run", *map(str, options), "--endpoint", redirect],
    }
    driver = os.environ.get("PEER_BENCH")
    if driver and "PEER_BENCH_DIR" in os.environ and shutil.which("node"):
        found["reference"] = ["node", driver, "startup"]
    return found


def seconds(command: Sequence[str], end: Moment) -> float:
    """Run a command and give the time from its start to the moment that *end* gives then."""
    keeping = {name: one for name, one in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=keeping)
    return end() - began


def measure(rounds: int) -> dict[str, list[float]]:
    """Give the seconds of every command, round by round; one more round before is not counted."""
    partner = Noting()
    port = serve(partner)
    ends: Mapping[str, Moment] = {"first_event": lambda: partner.changed}
    with tempfile.TemporaryDirectory() as folder:
        started = commands(Path(folder), port)
        found: dict[str, list[float]] = {name: [] for name in started}
        for number in range(rounds + 1):
            for name, command in started.items():
                partner.lists.clear()
                took = seconds(command, ends.get(name, time.perf_counter))
                if number:
                    found[name].append(took)
    return found


def main() -> None:
    """Run the rounds and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=10)
    found = measure(parser.parse_args().rounds)
    print(f"{'':12}  median   least   ratio   (milliseconds)")
    for name, took in found.items():
        ratio = statistics.median(map(truediv, took, found["libraries"]))
        print(
            f"{name:12} {statistics.median(took) * 1000:7.1f} {min(took) * 1000:7.1f} {ratio:7.2f}"
        )
    middle = {f"{name}_s": round(statistics.median(took), 4) for name, took in found.items()}
    least = {f"{name}_least_s": round(min(took), 4) for name, took in found.items()}
    print(json.dumps({**middle, **least}))


if __name__ == "__main__":
    main()
