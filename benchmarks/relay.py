"""Measure the relay: the delay of events that arrive steadily, and its throughput against a run.

    python benchmarks/relay.py delay --rate 5 --audiences 20 [--seconds 300] [--skip 60]
    python benchmarks/relay.py throughput [--events 100000] [--audiences 20] [--rounds 3]

`delay` starts `actions relay` on a new SQLite store, posts events at an even rate, and reports how
long after the response of the intake the partner had answered for each; the first seconds, when
the rate limit still allows a burst, are skipped. Seven in ten events add somebody, and audiences
differ in size (`--sizes zipf`); or all add and audiences take turns (`even`), which is the worst
case: at 5 events a second on 20 audiences, one row in five has to wait four seconds for the next
one of its audience, however calls are chosen. The partner answers at once and its rate limit
applies. `throughput` delivers the same accepted events with a relay and, as a file, with a run,
in turn, in this process and with the rate limit lifted; opening the connection is not counted.
Prints a line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from benchmarks import events
from benchmarks.partner import Partner
from benchmarks.startup import CONNECTION, serve
from destinations import criteo_audiences
from framework import Connection, Subscription, connect, open_plugin
from framework.delivery import Throttle, make_transport
from framework.events import EventFile
from framework.relay import Relay, RelayRoute, SQLiteStore, run_file

ORIGIN = "https://api.criteo.com"
SETTINGS = {"advertiser_id": "12345", "client_id": "an-id", "client_secret": "a-secret"}
ADDS = 0.7
REMOVING = """\
  - partnerAction: removeUserFromAudience
    subscribe: type = "track" and event = "Audience Exited"
"""
POSTED = 100
"""Events of a request where many arrive."""


class Timing(Partner):
    """A partner that notes when each identifier arrived."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived: dict[str, float] = {}
        self.done = threading.Condition()

    def answer(self, method: str, target: str, body: bytes) -> Any:
        """Answer a request with JSON."""
        if target.partition("?")[0].endswith("/contact-list"):
            self.calls["patch"] += 1
            identifiers = json.loads(body)["data"]["attributes"]["identifiers"]
            with self.done:
                now = time.perf_counter()
                for one in identifiers:
                    self.arrived.setdefault(one, now)
                self.done.notify_all()
            return {"data": {"attributes": {"nbValidIdentifiers": len(identifiers)}}}
        return super().answer(method, target, body)

    def wait(self, number: int, seconds: float) -> None:
        """Wait until *number* identifiers have arrived."""
        with self.done:
            if not self.done.wait_for(lambda: len(self.arrived) >= number, seconds):
                raise SystemExit(f"Only {len(self.arrived):,} of {number:,} events arrived.")


def delay(options: argparse.Namespace) -> dict[str, Any]:
    """Return the delays in seconds of events that arrive at an even rate."""
    partner = Timing()
    # Removals from a list that does not exist need no request, so their delay could not be seen.
    partner.lists = {key: str(1000 + at) for at, key in enumerate(keys_of(options.audiences))}
    redirect = f"{ORIGIN}=http://127.0.0.1:{serve(partner)}"
    total = int(options.rate * options.seconds)
    made = list(events.events("audience", total, options.audiences))
    if options.sizes == "zipf":
        made = list(spread(total, options.audiences))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "criteo.connection.yaml"
        file.write_text(CONNECTION + REMOVING, encoding="utf-8")
        arguments = ["-c", file, "--store", f"sqlite:{folder}/events.db", "--endpoint", redirect]
        arguments += ["--listen", "127.0.0.1:0", "--write-key", "a-key"]
        command = [sys.executable, "-m", "framework", "relay", *map(str, arguments)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as relay:
            assert relay.stdout
            url = relay.stdout.readline().partition(": ")[2].strip()
            accepted, refused, took = post(url, made, options.rate)
            partner.wait(total, 120)
            peak = memory_of(relay.pid)
            relay.terminate()
    delays = [
        partner.arrived[email] - at
        for email, (since, at) in accepted.items()
        if since >= options.skip
    ]
    return {
        "events": len(delays),
        "refused": refused,
        "intake_p50_ms": percentile([1000 * one for one in took], 50),
        "intake_p99_ms": percentile([1000 * one for one in took], 99),
        "calls": partner.calls["patch"],
        "p50_s": percentile(delays, 50),
        "p99_s": percentile(delays, 99),
        "peak_mb": peak,
    }


def percentile(values: Sequence[float], number: int) -> float:
    """Return a percentile of *values*."""
    return round(statistics.quantiles(values, n=100, method="inclusive")[number - 1], 3)


def keys_of(audiences: int) -> list[str]:
    """Return the keys of so many audiences."""
    return [f"{events.KEY}_{at}" for at in range(audiences)] if audiences > 1 else [events.KEY]


def spread(count: int, audiences: int) -> Iterator[dict[str, Any]]:
    """Yield events whose audiences differ in size as 1, 1/2, 1/3 and so on, in random order."""
    chance = random.Random(events.SEED)  # noqa: S311 - no secrets
    keys = keys_of(audiences)
    weights = [1 / (1 + number) for number in range(len(keys))]
    for number, key in enumerate(chance.choices(keys, weights, k=count)):
        made = events.entered(chance, number, key)
        yield made if chance.random() < ADDS else {**made, "event": "Audience Exited"}


def post(
    url: str, made: Sequence[dict[str, Any]], rate: float
) -> tuple[dict[str, tuple[float, float]], int, list[float]]:
    """Post events at a rate; return when each was due and accepted, and how the intake did.

    That is the number of refused requests, and the seconds that each request took.
    """
    size = 1 if rate < POSTED else POSTED
    accepted: dict[str, tuple[float, float]] = {}
    took: list[float] = []
    start = time.perf_counter()
    with httpx.Client(auth=("a-key", ""), timeout=30) as client, ThreadPoolExecutor(4) as pool:

        def send(first: int, due: float) -> bool:
            some = made[first : first + size]
            asked = time.perf_counter()
            answer = client.post(f"{url}/v1/batch", json={"batch": some})
            now = time.perf_counter()
            took.append(now - asked)
            for event in some:
                accepted[event["context"]["traits"]["email"]] = (due, now)
            return answer.status_code != 200

        sent = []
        for first in range(0, len(made), size):
            due = first / rate
            time.sleep(max(0.0, start + due - time.perf_counter()))
            sent.append(pool.submit(send, first, due))
        refused = sum(one.result() for one in sent)
    return accepted, refused, took


def memory_of(pid: int) -> int:
    """Return the peak memory of a process in megabytes."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    line = next(one for one in status.splitlines() if one.startswith("VmHWM"))
    return round(int(line.split()[1]) / 1024)


def throughput(options: argparse.Namespace) -> dict[str, Any]:
    """Return events per second of a relay and of a run over the same events, and their ratio."""
    partner = Timing()
    port = serve(partner)
    rates: dict[str, list[float]] = {"run": [], "relay": []}
    for _ in range(options.rounds):
        for name, measure in (("run", _run), ("relay", _relay)):
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / "events.ndjson"
                events.write(file, "audience", options.events, options.audiences)
                partner.arrived.clear()
                took = measure(file, port, partner, options.events)
                rates[name].append(options.events / took)
    found = {f"{name}_per_s": round(statistics.median(some)) for name, some in rates.items()}
    ratios = [one / other for one, other in zip(rates["relay"], rates["run"], strict=True)]
    peak = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return {**found, "ratio": round(statistics.median(ratios), 2), "peak_mb": peak}


def _opened(port: int) -> Connection:
    return connect(
        open_plugin(criteo_audiences),
        SETTINGS,
        [Subscription(action="addUserToAudience")],
        transport=make_transport(redirect={ORIGIN: f"http://127.0.0.1:{port}"}),
        throttle=Throttle(),
    )


def _run(file: Path, port: int, partner: Timing, number: int) -> float:
    with _opened(port) as connection, EventFile(file) as source:
        start = time.perf_counter()
        summary = run_file(connection, source, checkpoint=file.with_name("checkpoint"), threads=1)
        took = time.perf_counter() - start
    assert summary.finished, summary.message
    assert len(partner.arrived) == number
    return took


def _relay(file: Path, port: int, partner: Timing, number: int) -> float:
    with SQLiteStore(file.with_name("events.db")) as store:
        lines = file.read_bytes().splitlines()
        for first in range(0, number, POSTED):
            store.append("events", lines[first : first + POSTED])
        route = RelayRoute(
            name="criteo",
            stream="events",
            open_connection=lambda *_: _opened(port),
        )
        relay = Relay(store, [route], from_start=True)
        start = time.perf_counter()
        relay.start()
        partner.wait(number, 600)
        took = time.perf_counter() - start
        assert relay.stop(30)
    return took


def main() -> None:
    """Print the measurement that the first argument names."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parts = parser.add_subparsers(required=True)
    one = parts.add_parser("delay")
    one.add_argument("--rate", type=float, default=1.0, help="events a second")
    one.add_argument("--audiences", type=int, default=1)
    one.add_argument("--seconds", type=float, default=300.0)
    one.add_argument("--skip", type=float, default=60.0)
    one.add_argument("--sizes", choices=("even", "zipf"), default="zipf", help="of the audiences")
    one.set_defaults(measure=delay)
    one = parts.add_parser("throughput")
    one.add_argument("--events", type=int, default=100_000)
    one.add_argument("--audiences", type=int, default=20)
    one.add_argument("--rounds", type=int, default=3)
    one.set_defaults(measure=throughput)
    options = parser.parse_args()
    print(json.dumps({"load": round(os.getloadavg()[0], 1), **options.measure(options)}))


if __name__ == "__main__":
    main()
