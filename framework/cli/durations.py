"""Durations on the command line: `90`, `90s`, `15m`, `4h` or `2d`."""

from __future__ import annotations

import re
from typing import Any, Final

import click

_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_FORM: Final = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)([smhd]?)", re.ASCII)


class Duration(click.ParamType[Any]):
    """A number of seconds, or of minutes, hours or days with the unit behind it."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the duration in seconds; raises BadParameter."""
        match = _FORM.fullmatch(str(value).strip())
        if match is None:
            text = (
                f"`{value}` is not a duration. Write seconds, or a unit: `90`, `15m`, `4h`, `2d`."
            )
            self.fail(text, param, ctx)
        return float(match[1]) * _UNITS[match[2]]
