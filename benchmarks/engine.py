"""Deliver a file with this project, some times over, and print the figures as a line of JSON.

    python benchmarks/engine.py EVENTS PORT [--runs N] [--threads N] [--hash]

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
from pathlib import Path
from typing import Any

import orjson

from destinations import criteo_audiences
from framework import Subscription, connect, open_plugin
from framework.delivery import make_transport
from framework.relay import EventFile, run_file

ORIGIN = "https://api.criteo.com"
SETTINGS = {"advertiser_id": "12345", "client_id": "an id", "client_secret": "a secret"}


def deliver(options: argparse.Namespace) -> int:
    """Deliver the file once, with a checkpoint as `actions run` keeps it; give its lines."""
    mapping = {"hash_emails": True} if options.hash else {}
    subscription = Subscription(action="addUserToAudience", mapping=mapping)
    transport = make_transport(redirect={ORIGIN: f"http://127.0.0.1:{options.port}"})
    plugin = open_plugin(criteo_audiences)
    with (
        tempfile.TemporaryDirectory() as folder,
        connect(plugin, SETTINGS, [subscription], transport=transport) as connection,
        EventFile(options.events) as source,
    ):
        checkpoint = Path(folder) / "checkpoint"
        summary = run_file(connection, source, checkpoint=checkpoint, threads=options.threads)
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


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Give events a second, microseconds of processor time an event, and the peak of memory."""
    rates, costs = [], []
    for _ in range(options.runs):
        start, used = time.perf_counter(), time.process_time()
        lines = decode(options) if options.bare else deliver(options)
        rates.append(lines / (time.perf_counter() - start))
        costs.append((time.process_time() - used) / lines * 1e6)
    return {
        "median_per_s": round(statistics.median(rates)),
        "cpu_us": round(min(costs), 3),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("events")
    parser.add_argument("port", type=int, nargs="?", default=0)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--hash", action="store_true")
    parser.add_argument("--bare", action="store_true")
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    print(json.dumps(measure(parser.parse_args())))
