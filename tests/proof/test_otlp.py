"""Metrics over OTLP, as a real collector's endpoint receives them."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from framework.errors import ConfigurationError
from framework.monitoring import OTLPExport, RelayMetrics, otlp_wanted
from framework.relay import SQLiteStore
from framework.sandbox import Server
from tests.framework.monitoring.watched import add_dead_letters, append, relaying
from tests.proof.conftest import ORIGIN, Bench
from tests.proof.test_relay import command, counted, entered, finished, free
from tests.relaying import RelayProcess, until

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

service = pytest.importorskip(
    "opentelemetry.proto.collector.metrics.v1.metrics_service_pb2",
    reason="needs the extra `otel`: pip install 'action-destinations[otel]'",
)

ADS = {"connection": "ads", "stream": "events"}


class Collector:
    """An endpoint of OTLP over HTTP that keeps the last value of each metric and labels."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.values: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
        self.resource: dict[str, str] = {}
        self.kinds: dict[str, str] = {}
        self.raw = b""
        self.open = threading.Event()
        self.open.set()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self.paths.append(environ["PATH_INFO"])
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        self.open.wait(30)
        self.raw += body
        self._keep(service.ExportMetricsServiceRequest.FromString(body))
        start_response("200 OK", [("Content-Type", "application/x-protobuf")])
        return [service.ExportMetricsServiceResponse().SerializeToString()]

    def _keep(self, request: Any) -> None:
        for one in request.resource_metrics:
            self.resource = {it.key: it.value.string_value for it in one.resource.attributes}
            for metric in one.scope_metrics[0].metrics:
                kind = metric.WhichOneof("data")
                self.kinds[metric.name] = kind
                for point in getattr(metric, kind).data_points:
                    labels = frozenset((it.key, it.value.string_value) for it in point.attributes)
                    value = point.as_int or point.as_double
                    self.values[metric.name, labels] = value

    def value(self, name: str, **labels: str) -> float:
        """Return a value, -1 if there is none."""
        return self.values.get((name, frozenset(labels.items())), -1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLiteStore]:
    with SQLiteStore(tmp_path / "events.db") as opened:
        yield opened


def test_a_collector_receives_the_metrics_that_are_shown(
    store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "50")
    collector = Collector()
    add_dead_letters(store, 2)  # of the first lines
    with Server(collector) as server, relaying(store) as relay:
        metrics = RelayMetrics(store, relay, lambda: {("accepted", "events"): 7})
        append(store, "good", "good", "bad")
        until(lambda: sum(relay.workers()[0].results.values()) == 3)
        with OTLPExport(metrics, server.url):
            until(lambda: collector.value("actions_dead_letters", **ADS) == 3)
        shown = {family.name: family for family in metrics.collect()}
    for name, family in shown.items():
        for sample in family.samples:
            assert collector.value(name, **sample.labels) == sample.value, sample
    assert {name for name, _ in collector.values} == {
        name for name, family in shown.items() if family.samples
    }
    assert collector.kinds["actions_results"] == "sum"
    assert collector.kinds["actions_waiting_lines"] == "gauge"
    assert collector.resource["service.name"] == "actions-relay"
    assert set(collector.paths) == {"/v1/metrics"}


def test_a_collector_that_hangs_or_is_gone_holds_up_nothing(
    store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "50")
    collector = Collector()
    collector.open.clear()
    with relaying(store) as relay:
        metrics = RelayMetrics(store, relay, dict)
        with Server(collector) as server:
            with OTLPExport(metrics, server.url):
                until(lambda: bool(collector.paths))
                append(store, "good")
                until(lambda: sum(relay.workers()[0].results.values()) == 1)
                begun = time.monotonic()
            assert time.monotonic() - begun < 5
            collector.open.set()
            url = server.url
        begun = time.monotonic()
        with OTLPExport(metrics, url):
            pass
        assert time.monotonic() - begun < 5


def test_the_environment_names_a_collector() -> None:
    name = "OTEL_EXPORTER_OTLP_ENDPOINT"
    assert not otlp_wanted(None, {})
    assert not otlp_wanted(None, {name: " "})
    assert otlp_wanted(None, {name: "http://localhost:4318"})
    assert not otlp_wanted(None, {name: "http://localhost:4318", "OTEL_METRICS_EXPORTER": "none"})
    assert otlp_wanted("http://localhost:4318", {"OTEL_METRICS_EXPORTER": "none"})


def test_a_variable_with_an_invalid_value_is_refused(
    store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "0")
    with (
        relaying(store) as relay,
        pytest.raises(ConfigurationError, match="variable of OpenTelemetry"),
    ):
        OTLPExport(RelayMetrics(store, relay, dict), "http://127.0.0.1:1")


def test_without_the_extra_the_option_is_refused_with_the_line_to_run(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = "opentelemetry.exporter.otlp.proto.http.metric_exporter"
    monkeypatch.setitem(sys.modules, module, None)
    arguments = command(bench, "--sandbox", "--otlp-endpoint", "localhost:4318")[3:]
    refused = bench.actions(*arguments)
    assert refused.exit_code == 2
    assert refused.stderr.startswith(
        "Error: --otlp-endpoint must be an address with http or https, like "
        "http://127.0.0.1:4318.\n"
        "Error: OpenTelemetry is not installed, which OTLP needs. Run: pip install "
        "'action-destinations[otel]', or '.[otel]' in a checkout\n"
    )
    assert not (bench.folder / "events.db").exists()


def test_an_endpoint_is_checked_before_the_start(bench: Bench) -> None:
    refused = finished(bench, command(bench, "--sandbox", "--otlp-endpoint", "localhost:4318"))
    assert refused.returncode == 2
    assert "--otlp-endpoint must be an address" in refused.stderr


@pytest.mark.parametrize("by_option", [True, False])
def test_a_relay_exports_its_counts_without_anything_of_events(
    bench: Bench, *, by_option: bool
) -> None:
    """Also those since the last interval, when it ends."""
    collector = Collector()
    with Server(free()) as server, Server(collector) as monitor:
        line = command(bench, "--endpoint", f"{ORIGIN}={server.url}")
        environment = {**bench.environment, "OTEL_METRIC_EXPORT_INTERVAL": "600000"}
        if by_option:
            line += ["--otlp-endpoint", monitor.url]
        else:
            environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = monitor.url
        with RelayProcess(line, environment) as relay:
            relay.post([entered("ada@example.com"), entered("no address")])
            until(lambda: counted(relay, "actions_dead_letters_written_total") == 1)
            until(lambda: counted(relay, "actions_results_total", outcome="delivered") == 1)
            code, _, errors = relay.terminate()
    assert (code, errors.splitlines()[1:]) == (0, [])
    assert collector.value("actions_events_accepted", stream="events") == 2
    assert collector.value("actions_dead_letters_written", connection="Criteo, spring") == 1
    for word in (b"ada@", b"example.com", b"no address", b"sandbox-secret"):
        assert word not in collector.raw
