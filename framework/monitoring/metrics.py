"""Metrics of a relay in Prometheus's text format, and its health, over HTTP.

Labels are names of connections, streams and subscriptions, outcomes and codes; no metric holds
anything of an event.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final, Self

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from framework.errors import ConfigurationError, StorageError
from framework.relay import connection_statuses

if TYPE_CHECKING:
    from prometheus_client import Metric

    from framework.relay import EventStore, Relay, WorkerStatus

ArrivalCounts = Callable[[], Mapping[tuple[str, str], int]]
"""Returns counts of an intake by kind and stream or code."""

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_ARRIVALS: Final = {
    "accepted": ("events_accepted", "Events that were stored.", "stream"),
    "repeated": ("events_repeated", "Events left out as they were stored before.", "stream"),
    "invalid": ("events_invalid", "Invalid events.", "stream"),
    "refused": ("requests_refused", "Requests to the intake that were refused.", "code"),
}


class RelayMetrics(Collector):
    """The metrics of a relay and its intake, read on request."""

    def __init__(self, store: EventStore, relay: Relay, arrivals: ArrivalCounts) -> None:
        self._store = store
        self._relay = relay
        self._arrivals = arrivals

    def text(self) -> bytes:
        """Return all metrics in Prometheus's text format; raises StorageError."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return generate_latest(registry)

    def describe(self) -> Iterable[Metric]:
        """Return nothing, as the metrics depend on what happens."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics as they are now."""
        yield from self._of_intake()
        yield from self._of_workers()
        yield from self._of_store()

    def _of_intake(self) -> Iterator[Metric]:
        counts = self._arrivals()
        for kind, (name, text, label) in _ARRIVALS.items():
            family = CounterMetricFamily(f"actions_{name}", text, labels=[label])
            for (found, value), number in counts.items():
                if found == kind:
                    family.add_metric([value], number)
            yield family

    def _of_workers(self) -> Iterator[Metric]:
        results = CounterMetricFamily(
            "actions_results",
            "Results of events, by subscription.",
            labels=["connection", "subscription", "outcome", "code"],
        )
        letters = CounterMetricFamily(
            "actions_dead_letters_written", "Dead letters written.", labels=["connection"]
        )
        requests = CounterMetricFamily(
            "actions_partner_requests",
            "Requests to the partner by status of the response; 0 without a response.",
            labels=["connection", "status"],
        )
        held = GaugeMetricFamily(
            "actions_connection_held",
            "Whether the connection is held by a failure.",
            labels=["connection"],
        )
        workers = self._relay.workers()
        for one in workers:
            for (subscription, outcome, code), number in one.results.items():
                results.add_metric([one.connection, subscription, outcome, code], number)
            letters.add_metric([one.connection], one.dead_letters)
            for status, number in one.statuses.items():
                requests.add_metric([one.connection, str(status)], number)
            held.add_metric([one.connection], float(one.state == "held"))
        yield from (results, letters, requests, held)
        yield from _of_plugins(workers)

    def _of_store(self) -> Iterator[Metric]:
        labels = ["connection", "stream"]
        waiting = GaugeMetricFamily(
            "actions_waiting_lines", "Lines behind the committed position.", labels=labels
        )
        oldest = GaugeMetricFamily(
            "actions_oldest_waiting_seconds", "Age of the oldest waiting event.", labels=labels
        )
        letters = GaugeMetricFamily("actions_dead_letters", "Dead letters kept.", labels=labels)
        for one in connection_statuses(self._store):
            values = [one.connection, one.stream]
            waiting.add_metric(values, one.waiting)
            oldest.add_metric(values, one.oldest or 0.0)
            letters.add_metric(values, one.dead_letters)
        yield from (waiting, oldest, letters)


def _of_plugins(workers: Iterable[WorkerStatus]) -> Iterator[Metric]:
    """Yield what destinations have counted; those that use one name share its labels."""
    found = [
        (name, dict(labels), one.connection, number)
        for one in workers
        for (name, labels), number in one.metrics.items()
    ]
    for name in sorted({name for name, *_ in found}):
        rows = [row for row in found if row[0] == name]
        labels = sorted({label for _, given, _, _ in rows for label in given})
        family = CounterMetricFamily(
            f"actions_plugin_{name}", "Counted by the destination.", labels=["connection", *labels]
        )
        for _, given, connection, number in rows:
            family.add_metric([connection, *(given.get(label, "") for label in labels)], number)
        yield family


class MonitoringServer:
    """Serves `/metrics` and `/healthz` on *host* and *port* from a thread; a context manager.

    Health is 200 while *problems* returns none, otherwise 503 with them. Port 0 lets the system
    choose.
    Raises ConfigurationError if the address cannot be used.
    """

    def __init__(
        self, metrics: RelayMetrics, problems: Callable[[], list[str]], host: str, port: int
    ) -> None:
        handler = type(
            "_Bound", (_Handler,), {"metrics": metrics, "problems": staticmethod(problems)}
        )
        try:
            self._server = _SERVERS[":" in host]((host, port), handler)
        except OSError as error:
            reason = error.strerror or str(error)
            raise ConfigurationError(
                f"The address {host}:{port} cannot be used: {reason}. Name another one with "
                "--metrics; port 0 selects a free one."
            ) from None
        name = f"[{host}]" if ":" in host else host
        self.url = f"http://{name}:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="monitoring", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True


class _ServerIPv6(_Server):
    address_family = socket.AF_INET6


_SERVERS: Final = (_Server, _ServerIPv6)
"""By whether the host is an address of IPv6."""


class _Handler(BaseHTTPRequestHandler):
    metrics: RelayMetrics
    problems: Callable[[], list[str]]
    timeout = 10.0

    def do_GET(self) -> None:
        """Respond to a request."""
        if self.path == "/metrics":
            try:
                self._respond(200, self.metrics.text(), CONTENT_TYPE)
            except StorageError:
                self._respond(503, b"The store cannot be read.\n", "text/plain")
        elif self.path == "/healthz":
            problems = self.problems()
            found = {"status": "failed", "problems": problems} if problems else {"status": "ok"}
            self._respond(503 if problems else 200, json.dumps(found).encode(), "application/json")
        else:
            self._respond(404, b"Not found. Ask for /metrics or /healthz.\n", "text/plain")

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the name of the base
        """Log nothing."""

    def _respond(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
