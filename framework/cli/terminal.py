"""Text on standard output and standard error: the one place where commands write it."""

from __future__ import annotations

import re
from typing import IO, Final

import click

from framework.controls import visible

_STYLES: Final = re.compile(r"(\x1b\[(?:0|1|3[0-7])m)")
"""The sequences by which commands set colors and bold type."""


def echo(
    text: object = "", *, err: bool = False, nl: bool = True, file: IO[str] | None = None
) -> None:
    """Write *text*; control characters other than those of colors are escaped.

    To *file* if it is given.
    """
    parts = _STYLES.split(str(text))
    parts[::2] = map(visible, parts[::2])
    click.echo("".join(parts), file=file, err=err, nl=nl)
