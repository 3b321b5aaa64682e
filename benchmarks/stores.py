"""Compare PostgreSQL with SQLite as the store of a relay.

    python benchmarks/stores.py deliver [--events 100000] [--rounds 3] [--no-ledger]
    python benchmarks/stores.py append [--seconds 3]
    python benchmarks/stores.py members [--members 1000000]

`deliver` appends events in requests of 100 to four streams while two worker processes deliver them
to a partner that answers at once, two connections each, and measures from the first append until
everything is settled; the stores take turns. `append` measures four threads that append 100 events
or one event at a time, and how long they wait. `members` measures the ledger as `ledger.py` does
for SQLite. PostgreSQL is started for the measurement, with `fsync` on, unless
ACTIONS_TEST_POSTGRES names a server. Prints a line of JSON for each store.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from benchmarks import events, ledger
from destinations import criteo_audiences
from framework import Connection, Subscription, connect, open_plugin
from framework.delivery import Throttle, make_transport
from framework.relay import EventStore, PostgresStore, Relay, RelayRoute, SQLiteStore
from tests.postgres import GIVEN, own_schema, running_server

ROOT: Final = Path(__file__).parent.parent
ORIGIN: Final = "https://api.criteo.com"
SETTINGS: Final = {"advertiser_id": "12345", "client_id": "an-id", "client_secret": "a-secret"}
NAMES: Final = ("a", "b", "c", "d")
"""The connections; each reads a stream of its own."""

POSTED: Final = 100
"""Events of a request."""

WRITERS: Final = 4


def opened(address: str) -> EventStore:
    """Open the store at a path or URL."""
    return PostgresStore(address) if "://" in address else SQLiteStore(address)


@contextmanager
def stores() -> Iterator[dict[str, str]]:
    """Yield the addresses of a new store of each kind."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        url = os.environ.get(GIVEN) or stack.enter_context(running_server(fsync=True)).url
        yield {
            "sqlite": f"{folder}/events.db",
            "postgres": stack.enter_context(own_schema(url)),
        }


def worker(address: str, port: str, names: str, used: str) -> None:
    """Deliver streams to the partner at *port* until standard input ends."""

    def connected(*_: object) -> Connection:
        return connect(
            open_plugin(criteo_audiences),
            SETTINGS,
            [Subscription(action="addUserToAudience")],
            transport=make_transport(redirect={ORIGIN: f"http://127.0.0.1:{port}"}),
            throttle=Throttle(),
        )

    with opened(address) as store:
        routes = [
            RelayRoute(
                name=name,
                stream=name,
                open_connection=connected,
                ledger=used == "ledger",
                sent_to=name,  # audiences of their own
            )
            for name in names.split(",")
        ]
        relay = Relay(store, routes, from_start=True)
        relay.start()
        print("ready", flush=True)
        sys.stdin.read()
        assert relay.stop(30)


def deliver(address: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return events a second from the first append until all of them are settled."""
    made = [json.dumps(one).encode() for one in events.events("audience", options.events, 20)]
    ids = [json.loads(one)["messageId"] for one in made]
    share = len(made) // len(NAMES)
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "cwd": ROOT}
    with ExitStack() as stack:
        store = stack.enter_context(opened(address))
        command = [sys.executable, "-m", "benchmarks.partner"]
        partner = stack.enter_context(subprocess.Popen(command, **pipes))
        assert partner.stdout
        port = partner.stdout.readline().decode().strip()
        workers = []
        used = "none" if options.no_ledger else "ledger"
        for names in (NAMES[:2], NAMES[2:]):
            command = [sys.executable, "-m", "benchmarks.stores", "worker"]
            command += [address, port, ",".join(names), used]
            workers.append(stack.enter_context(subprocess.Popen(command, **pipes)))
        for one in workers:
            assert one.stdout
            assert one.stdout.readline() == b"ready\n"
        start = time.perf_counter()

        def append(at: int) -> None:
            for first in range(at * share, (at + 1) * share, POSTED):
                some = slice(first, min(first + POSTED, (at + 1) * share))
                store.append(NAMES[at], made[some], ids[some])

        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(append, range(WRITERS)))
        appended = time.perf_counter() - start
        while any(one.waiting for one in store.cursors()):
            time.sleep(0.1)
        took = time.perf_counter() - start
        for one in (*workers, partner):
            one.communicate()
    return {
        "events_per_s": round(share * WRITERS / took),
        "appended_per_s": round(share * WRITERS / appended),
    }


def append(address: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return events a second, and percentiles of the time that an append takes."""
    (made,) = events.events("audience", 1)
    line = json.dumps(made).encode()
    found: dict[str, Any] = {}
    with opened(address) as store:
        for size in (POSTED, 1):
            took: list[float] = []
            until = time.perf_counter() + options.seconds

            def write(at: int, size: int = size, until: float = until) -> int:
                number = 0
                while (now := time.perf_counter()) < until:
                    ids = [f"{size} {at} {number + one}" for one in range(size)]
                    store.append("events", [line] * size, ids)
                    took.append(time.perf_counter() - now)  # noqa: B023 - of this round
                    number += size
                return number

            with ThreadPoolExecutor(WRITERS) as pool:
                total = sum(pool.map(write, range(WRITERS)))
            cuts = statistics.quantiles(took, n=100, method="inclusive")
            found[f"by_{size}"] = {
                "events_per_s": round(total / options.seconds),
                "p50_ms": round(1000 * cuts[49], 2),
                "p99_ms": round(1000 * cuts[98], 2),
            }
    return found


def members(address: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return bytes a member, and rows and events a second, of a ledger with many members."""
    with opened(address) as store:
        claim = store.claim("ads")
        assert claim
        found: dict[str, Any] = {}

        def weigh() -> None:
            if isinstance(store, PostgresStore):
                with store._address.open() as session:  # noqa: SLF001
                    row = session.execute("select pg_total_relation_size('members')").fetchone()
                assert row
                found["bytes_a_member"] = round(row[0] / options.members)

        for name, one in ledger.speeds(claim, options.members, weigh).items():
            found[f"{name}_per_s"] = round(one)
    return found


def main() -> None:
    """Print the measurement that the first argument names."""
    if sys.argv[1:2] == ["worker"]:
        worker(*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parts = parser.add_subparsers(required=True)
    one = parts.add_parser("deliver")
    one.add_argument("--events", type=int, default=100_000)
    one.add_argument("--rounds", type=int, default=3)
    one.add_argument("--no-ledger", action="store_true")
    one.set_defaults(measure=deliver)
    one = parts.add_parser("append")
    one.add_argument("--seconds", type=float, default=3.0)
    one.set_defaults(measure=append, rounds=1)
    one = parts.add_parser("members")
    one.add_argument("--members", type=int, default=1_000_000)
    one.set_defaults(measure=members, rounds=1)
    options = parser.parse_args()
    for _ in range(options.rounds):
        with stores() as addresses:
            for name, address in addresses.items():
                found = options.measure(address, options)
                load = round(os.getloadavg()[0], 1)
                print(json.dumps({"store": name, "load": load, **found}), flush=True)


if __name__ == "__main__":
    main()
