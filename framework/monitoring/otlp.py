"""Metrics of a relay over OTLP, by the packages of the extra `otel`."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self

import httpx

from framework.errors import ConfigurationError, StorageError, how_to_install
from framework.version import VERSION

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Observation
    from prometheus_client import Metric

    from framework.monitoring.metrics import RelayMetrics

VARIABLES: Final = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
"""Environment variables that name an endpoint."""

_PATH: Final = "/v1/metrics"
_FRESH: Final = 1.0
"""Seconds for which what was read serves the other metrics of the same export."""

_LAST_EXPORT: Final = 2_000.0
"""Milliseconds for the last export of a relay that ends."""


class OTLPExport:
    """Exports *metrics* by OTLP over HTTP until the block ends; a context manager.

    *endpoint* is the base URL of a collector, to which `/v1/metrics` is added; None takes it from
    the environment. The other variables of OpenTelemetry, such as OTEL_METRIC_EXPORT_INTERVAL
    (milliseconds, 60,000 by default) and OTEL_EXPORTER_OTLP_HEADERS, apply.
    Raises ConfigurationError without the extra, and for an endpoint that is no URL.
    """

    def __init__(self, metrics: RelayMetrics, endpoint: str | None = None) -> None:
        check_otlp(endpoint)
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import (  # noqa: PLC0415 - extra
            OTLPMetricExporter,
        )
        from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415 - the same
        from opentelemetry.sdk.metrics.export import (  # noqa: PLC0415 - the same
            PeriodicExportingMetricReader,
        )

        self._metrics = metrics
        self._lock = threading.Lock()
        self._families: dict[str, Metric] = {}
        self._read = 0.0
        try:
            exporter = OTLPMetricExporter(endpoint=endpoint and _full(endpoint))
            reader = PeriodicExportingMetricReader(exporter)
        except ValueError as error:
            raise ConfigurationError(
                f"A variable of OpenTelemetry has an invalid value: {error}"
            ) from None
        self._provider = MeterProvider([reader], resource=_resource(), shutdown_on_exit=False)
        self._observe_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(Exception):  # the SDK raises what the exporter raised
            self._provider.shutdown(_LAST_EXPORT)

    def _observe_all(self) -> None:
        meter = self._provider.get_meter("action_destinations", VERSION)
        for family in self._fresh().values():
            create = (
                meter.create_observable_counter
                if family.type == "counter"
                else meter.create_observable_gauge
            )
            unit = "s" if family.name.endswith("_seconds") else ""
            observe = partial(self._observe, family.name)
            create(family.name, [observe], unit=unit, description=family.documentation)

    def _observe(self, name: str, _: CallbackOptions) -> Iterable[Observation]:
        from opentelemetry.metrics import Observation  # noqa: PLC0415 - an extra

        family = self._fresh().get(name)
        samples = family.samples if family else []
        return [Observation(one.value, dict(one.labels)) for one in samples]

    def _fresh(self) -> Mapping[str, Metric]:
        """Return the metrics by name, without those of a store that cannot be read."""
        with self._lock:
            if not self._families or time.monotonic() - self._read >= _FRESH:
                self._families = found = {}
                with suppress(StorageError):
                    for one in self._metrics.collect():
                        found[one.name] = one
                self._read = time.monotonic()
            return self._families


def otlp_wanted(endpoint: str | None, environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether an endpoint is given, by *endpoint* or in the environment."""
    named = any(environment.get(name, "").strip() for name in VARIABLES)
    off = environment.get("OTEL_METRICS_EXPORTER", "").strip().lower() == "none"
    return endpoint is not None or (named and not off)


def check_otlp(endpoint: str | None) -> None:
    """Raise ConfigurationError without the extra, or for an endpoint that is no URL."""
    problems = []
    if endpoint is not None and not _is_url(endpoint):
        problems.append(
            "--otlp-endpoint must be an address with http or https, like http://127.0.0.1:4318."
        )
    try:
        import opentelemetry.exporter.otlp.proto.http.metric_exporter  # noqa: PLC0415 - an extra
        import opentelemetry.sdk.metrics  # noqa: F401, PLC0415 - the same
    except ImportError:
        problems.append(
            f"OpenTelemetry is not installed, which OTLP needs. Run: {how_to_install('otel')}"
        )
    if problems:
        raise ConfigurationError("\n".join(problems), problems)


def _resource() -> Any:
    """Return what the environment says about this process, named `actions-relay` by default."""
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - an extra

    found = Resource.create()
    if str(found.attributes.get("service.name", "")).startswith("unknown_service"):
        found = found.merge(Resource({"service.name": "actions-relay"}))
    return found.merge(Resource({"service.version": VERSION}))


def _full(endpoint: str) -> str:
    base = endpoint.rstrip("/")
    return base if base.endswith(_PATH) else base + _PATH


def _is_url(text: str) -> bool:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        return False
    return url.scheme in {"http", "https"} and bool(url.host)
