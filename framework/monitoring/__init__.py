"""What a running relay shows of itself: metrics, health, and alerts when a bound is passed."""

from framework.monitoring.alerts import AlertBounds, Alerts
from framework.monitoring.health import RelayHealth
from framework.monitoring.log_format import (
    JSONLogFormatter,
    json_logs,
    log_counts,
    thread_ends_logged,
)
from framework.monitoring.metrics import MonitoringServer, RelayMetrics
from framework.monitoring.notices import AlertCommand, AlertNotice, AlertURL
from framework.monitoring.otlp import OTLPExport, check_otlp, otlp_wanted

__all__ = [
    "AlertBounds",
    "AlertCommand",
    "AlertNotice",
    "AlertURL",
    "Alerts",
    "JSONLogFormatter",
    "MonitoringServer",
    "OTLPExport",
    "RelayHealth",
    "RelayMetrics",
    "check_otlp",
    "json_logs",
    "log_counts",
    "otlp_wanted",
    "thread_ends_logged",
]
