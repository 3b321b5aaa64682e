"""Deliver a file with this project, some times over, and print the figures as a line of JSON.

    python benchmarks/engine.py EVENTS PORT [--runs N] [--threads N] [--processes N] [--hash]

With `--bare`, the file is only decoded with orjson, line by line: what reading costs anybody.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import orjson

from destinations import criteo_audiences
from framework import Connection, Subscription, connect, open_plugin
from framework.delivery import Throttle, make_transport
from framework.events import EventFile
from framework.relay import run_file

ORIGIN = "https://api.criteo.com"
SETTINGS = {"advertiser_id": "12345", "client_id": "an id", "client_secret": "a secret"}
ACTION = "addUserToAudience"
Work: TypeAlias = Callable[[argparse.Namespace], int]
"""Does something with every line of a file, and gives the number of lines."""

UNMATCHED = {
    "text": 'type = "track" and event = "Audience Entered" and properties.audience_key = "no {}"',
    "part of a text": 'type = "track" and contains(properties.audience_key, "no {}")',
}
"""Triggers that no event matches: told apart by a text that is looked up, or asked one by one."""


def subscriptions(options: argparse.Namespace) -> Iterator[Subscription]:
    """Yield the subscription that matches, and those that do not."""
    mapping = {"hash_emails": True} if options.hash else {}
    yield Subscription(action=ACTION, mapping=mapping)
    for number in range(1, options.subscriptions):
        trigger = UNMATCHED[options.unmatched].format(number)
        yield Subscription(action=ACTION, name=f"no {number}", trigger=trigger)


def opened(options: argparse.Namespace) -> Connection:
    """Give a connection whose calls go to the partner's port, or are answered here without one."""
    partner = f"http://127.0.0.1:{options.port}"
    transport = make_transport(redirect={ORIGIN: partner}) if options.port else InProcess()
    return connect(
        open_plugin(criteo_audiences),
        SETTINGS,
        list(subscriptions(options)),
        transport=transport,
        throttle=Throttle() if options.unthrottled else None,
    )


class InProcess(httpx.BaseTransport):
    """A partner in this process, which knows one audience and takes everything."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a call at once."""
        if request.url.path.endswith("/token"):
            return httpx.Response(200, json={"access_token": "a-token", "expires_in": 900})
        if request.url.path.endswith("/search"):
            found = {"id": "1", "attributes": {"name": "spring_sale"}}
            return httpx.Response(200, json={"data": [found], "meta": {"totalItems": 1}})
        return httpx.Response(200, json={"data": {"attributes": {"nbInvalidIdentifiers": 0}}})


def deliver(options: argparse.Namespace) -> int:
    """Deliver the file once; give its lines."""
    with opened(options) as connection:
        return deliver_to(connection, options)


def deliver_to(connection: Connection, options: argparse.Namespace) -> int:
    """Deliver the file once, with a checkpoint as `actions run` keeps it; give its lines."""
    with tempfile.TemporaryDirectory() as folder, EventFile(options.events) as source:
        summary = run_file(
            connection,
            source,
            checkpoint=Path(folder) / "checkpoint",
            threads=options.threads,
            processes=options.processes,
        )
    assert summary.finished, summary.message
    return summary.lines


def decode(options: argparse.Namespace) -> int:
    """Decode the file and do nothing with it; give its lines."""
    lines = 0
    with Path(options.events).open("rb") as file:
        for line in file:
            orjson.loads(line)
            lines += 1
    return lines


def processor_time() -> float:
    """Give the seconds of processor time that this process and its children have used."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def peak_mb() -> int:
    """Give the peak of memory in megabytes, of the largest process."""
    found = (resource.getrusage(one) for one in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return round(max(one.ru_maxrss for one in found) / 1024)


def measure(work: Work, options: argparse.Namespace) -> dict[str, Any]:
    """Give events a second, microseconds of processor time an event, and the peak of memory."""
    rates, costs = [], []
    for _ in range(options.runs):
        start, used = time.perf_counter(), processor_time()
        lines = work(options)
        rates.append(lines / (time.perf_counter() - start))
        costs.append((processor_time() - used) / lines * 1e6)
    return {
        "median_per_s": round(statistics.median(rates)),
        "cpu_us": round(min(costs), 3),
        "peak_mb": peak_mb(),
    }


def arguments() -> argparse.ArgumentParser:
    """Give what the command line takes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("events")
    parser.add_argument("port", type=int, nargs="?", default=0, help="0: answered in this process")
    parser.add_argument("--hash", action="store_true")
    parser.add_argument("--bare", action="store_true")
    parser.add_argument("--subscriptions", type=int, default=1, help="how many; one matches")
    parser.add_argument("--unmatched", choices=UNMATCHED, default="text")
    parser.add_argument("--unthrottled", action="store_true", help="call at any rate")
    return sized(parser)


def sized(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Add what says how often, and by how many at once."""
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1)
    return parser


def quieten() -> None:
    """Have the garbage collector look seldom, as `actions run` does."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


if __name__ == "__main__":
    quieten()
    given = arguments().parse_args()
    print(json.dumps(measure(decode if given.bare else deliver, given)))
