"""Deliver events one by one with this project, and print the figures as a line of JSON.

    python benchmarks/single.py EVENTS PORT [--events N] [--runs N] [--hash]

Each event is a `Connection.deliver` of its own, as a web service would call it, with its report;
token and audience ids are fetched before the clock starts, as they are in a service that runs.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import resource
import statistics
import time
import urllib.request
from pathlib import Path
from typing import Any

import orjson

from benchmarks.rounds import ask
from destinations import criteo_audiences
from framework import DELIVERED, Connection, Subscription, connect, open_plugin
from framework.delivery import Throttle, make_transport

ORIGIN = "https://api.criteo.com"
SETTINGS = {"advertiser_id": "12345", "client_id": "an id", "client_secret": "a secret"}


def opened(options: argparse.Namespace) -> Connection:
    """Give a connection whose calls go to the partner on the loopback address."""
    mapping = {"hash_emails": True} if options.hash else {}
    subscription = Subscription(action="addUserToAudience", mapping=mapping)
    transport = make_transport(redirect={ORIGIN: f"http://127.0.0.1:{options.port}"})
    unpaced = Throttle()  # Criteo's own rate of 250 calls a minute is no measure of speed
    plugin = open_plugin(criteo_audiences)
    return connect(plugin, SETTINGS, [subscription], transport=transport, throttle=unpaced)


def deliver(connection: Connection, events: list[Any]) -> None:
    """Deliver each event on its own and look at what became of it."""
    for event in events:
        report = connection.deliver([event])
        assert report.results == [DELIVERED], report.results


def forget(port: int) -> None:
    """Have the partner count from here on, so that its digest is that of one run."""
    address = f"http://127.0.0.1:{port}/__reset"
    urllib.request.urlopen(urllib.request.Request(address, method="POST")).close()


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Give events a second, microseconds of processor time an event, and the peak of memory."""
    rates, costs = [], []
    with Path(options.file).open("rb") as file, opened(options) as connection:
        events = list(map(orjson.loads, itertools.islice(file, options.events)))
        deliver(connection, events[:300])
        ask(options.port, "/__reset", {})
        for _ in range(options.runs):
            forget(options.port)
            start, used = time.perf_counter(), time.process_time()
            deliver(connection, events)
            rates.append(len(events) / (time.perf_counter() - start))
            costs.append((time.process_time() - used) / len(events) * 1e6)
    return {
        "median_per_s": round(statistics.median(rates)),
        "cpu_us": round(min(costs), 1),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("port", type=int)
    parser.add_argument("--events", type=int, default=3000)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--hash", action="store_true")
    gc.freeze()
    print(json.dumps(measure(parser.parse_args())))
