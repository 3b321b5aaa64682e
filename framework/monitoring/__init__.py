"""What a running relay shows of itself: metrics, health, and alerts when a bound is passed."""

from framework.monitoring.alerts import AlertBounds, Alerts
from framework.monitoring.metrics import MonitoringServer, RelayMetrics
from framework.monitoring.notices import AlertCommand, AlertNotice, AlertURL

__all__ = [
    "AlertBounds",
    "AlertCommand",
    "AlertNotice",
    "AlertURL",
    "Alerts",
    "MonitoringServer",
    "RelayMetrics",
]
