"""Durations and times on the command line: `90s`, `15m`, `4h`, `2d`; `2026-03-09T12:00:00Z`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from framework.quantities import read_duration

if TYPE_CHECKING:
    _Type = click.ParamType[Any]
else:  # generic from click 8.3 on
    _Type = click.ParamType


class Duration(_Type):
    """A number of seconds, or of minutes, hours or days with the unit behind it."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the duration in seconds; raises BadParameter."""
        seconds = read_duration(str(value))
        if seconds is None:
            text = (
                f"`{value}` is not a duration. Write seconds, or a unit: `90`, `15m`, `4h`, `2d`."
            )
            self.fail(text, param, ctx)
        return seconds


class Moment(_Type):
    """A time in ISO 8601, in UTC unless it has a zone."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return the time; raises BadParameter."""
        from framework.relay import read_moment  # noqa: PLC0415 - heavy, imported at first use

        moment = read_moment(str(value))
        if moment is None:
            text = (
                f"`{value}` is not a time in ISO 8601. Write `2026-03-09` or "
                "`2026-03-09T12:00:00Z`; without a zone, it is in UTC."
            )
            self.fail(text, param, ctx)
        return moment
