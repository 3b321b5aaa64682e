"""Delivering events now: connections, the one pipeline, the client, auth flows and the record."""

from framework.delivery.answers import ErrorReader, json_of
from framework.delivery.auth import (
    OAuthClientCredentials,
    OAuthRefreshToken,
    api_key,
    basic,
    bearer,
)
from framework.delivery.cache import Cache
from framework.delivery.client import Client
from framework.delivery.columns import Columns
from framework.delivery.exchanges import Exchange, Recorder, Redactor
from framework.delivery.intake import Intake, Prepared
from framework.delivery.listing import Form
from framework.delivery.performing import Implementation, Performer
from framework.delivery.pipeline import Connection, connect
from framework.delivery.report import Item, Report, Sent
from framework.delivery.retries import Clock, Retry, SystemClock
from framework.delivery.routes import MAX_SUBSCRIPTIONS, Route, compile_routes
from framework.delivery.settling import SUPERSEDED, Marks, Settled, Settlement
from framework.delivery.stream import Stream
from framework.delivery.throttle import LocalLedger, Throttle
from framework.delivery.transports import DryRun, make_transport

__all__ = [
    "MAX_SUBSCRIPTIONS",
    "SUPERSEDED",
    "Cache",
    "Client",
    "Clock",
    "Columns",
    "Connection",
    "DryRun",
    "ErrorReader",
    "Exchange",
    "Form",
    "Implementation",
    "Intake",
    "Item",
    "LocalLedger",
    "Marks",
    "OAuthClientCredentials",
    "OAuthRefreshToken",
    "Performer",
    "Prepared",
    "Recorder",
    "Redactor",
    "Report",
    "Retry",
    "Route",
    "Sent",
    "Settled",
    "Settlement",
    "Stream",
    "SystemClock",
    "Throttle",
    "api_key",
    "basic",
    "bearer",
    "compile_routes",
    "connect",
    "json_of",
    "make_transport",
]
