"""Texts and numbers as moments."""

from __future__ import annotations

from datetime import UTC, datetime


def read_datetime(value: str | float) -> datetime:
    """Give the moment that a text or a number of seconds (or milliseconds) means."""
    if isinstance(value, str):
        moment = datetime.fromisoformat(value)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return datetime.fromtimestamp(value / 1000 if abs(value) >= 1e11 else value, UTC)
