"""Durations and sizes as text: `90s`, `15m`, `4h`, `2d`; `500MB`, `10GB`, `2GiB`."""

from __future__ import annotations

import re
from typing import Final

_SECONDS: Final = {"": 1, "ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION: Final = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)(ms|[smhd]?)", re.ASCII)
_PREFIXES: Final = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}
_SIZE: Final = re.compile(r"(\d{1,15})(?:([KMGT]?)(i?)B)?", re.ASCII | re.IGNORECASE)


def read_duration(text: str) -> float | None:
    """Return a duration in seconds, or None if *text* is none.

    Without a unit, the number is one of seconds.
    """
    match = _DURATION.fullmatch(text.strip())
    return float(match[1]) * _SECONDS[match[2]] if match else None


def read_size(text: str) -> int | None:
    """Return a size in bytes, or None if *text* is none; `KB` is 1,000 bytes, `KiB` 1,024."""
    match = _SIZE.fullmatch(text.strip())
    if match is None or (match[3] and not match[2]):
        return None
    base = 1024 if match[3] else 1000
    factor: int = base ** _PREFIXES[(match[2] or "").upper()]
    return int(match[1]) * factor
