"""Monitoring of a relay, as its options say: metrics, health, OTLP and alerts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NamedTuple

import click

from framework.errors import ConfigurationError

if TYPE_CHECKING:
    from framework.intake import IntakeServer
    from framework.monitoring import AlertBounds, AlertNotice
    from framework.relay import EventStore, Relay

_logger = logging.getLogger("action_destinations")

otlp_option = click.option(
    "--otlp-endpoint",
    metavar="URL",
    help="Export metrics by OTLP over HTTP to this collector; OTEL_EXPORTER_OTLP_ENDPOINT by "
    "default. Needs the extra `otel`.",
)


class Monitoring(NamedTuple):
    """What is shown of a relay, and where."""

    metrics: tuple[str, int] | None
    otlp_endpoint: str | None
    bounds: AlertBounds | None
    notices: Sequence[AlertNotice]

    @contextmanager
    def start(
        self,
        store: EventStore,
        relay: Relay,
        intake: IntakeServer | None,
        say: Callable[[str], None],
    ) -> Iterator[None]:
        """Monitor a relay and its intake, if it has one, until the block ends."""
        from framework.monitoring import (  # noqa: PLC0415 - heavy, imported at first use
            Alerts,
            MonitoringServer,
            OTLPExport,
            RelayHealth,
            RelayMetrics,
        )

        counts = intake.counts if intake else dict
        metrics = RelayMetrics(store, relay, counts)
        with ExitStack() as stack:
            if self.metrics:
                health = RelayHealth(store, relay, lambda: intake is None or intake.alive)
                server = MonitoringServer(metrics, health.problems, *self.metrics)
                say(f"Metrics: {stack.enter_context(server).url}/metrics")
            if _exports(self.otlp_endpoint):
                stack.enter_context(OTLPExport(metrics, self.otlp_endpoint))
            if self.bounds:
                alerts = Alerts(store, relay, counts, self.bounds, self.notices)
                stack.enter_context(alerts)
            yield


def check_otlp_option(endpoint: str | None) -> None:
    """Raise ConfigurationError for an endpoint that cannot be used."""
    from framework.monitoring import check_otlp  # noqa: PLC0415 - heavy

    if endpoint is not None:
        check_otlp(endpoint)


def _exports(endpoint: str | None) -> bool:
    """Return whether metrics are exported; without the extra, the environment is no request."""
    from framework.monitoring import check_otlp, otlp_wanted  # noqa: PLC0415 - heavy

    if not otlp_wanted(endpoint):
        return False
    try:
        check_otlp(endpoint)
    except ConfigurationError as error:
        _logger.warning("OTEL_EXPORTER_OTLP_ENDPOINT has no effect. %s", error)
        return False
    return True
