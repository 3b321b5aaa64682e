"""Text on standard output and standard error: the one place where commands write it."""

from __future__ import annotations

import re
from typing import Final

import click

from framework.controls import visible

_STYLES: Final = re.compile(r"(\x1b\[(?:0|1|3[0-7])m)")
"""The sequences by which commands set colors and bold type."""


def echo(text: object = "", *, err: bool = False, nl: bool = True) -> None:
    """Write *text*; control characters other than those of colors are escaped."""
    parts = _STYLES.split(str(text))
    parts[::2] = map(visible, parts[::2])
    click.echo("".join(parts), err=err, nl=nl)
