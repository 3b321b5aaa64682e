"""Text on standard output and standard error: the one place where commands write it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, ClassVar, Final

import click

from framework.controls import visible

_STYLES: Final = re.compile(r"(\x1b\[(?:0|1|3[0-7])m)")
"""The sequences by which commands set colors and bold type."""

_ERASED_LINE: Final = "\r\x1b[2K"


class _LastLine:
    """The last line of the terminal."""

    drawn: ClassVar[bool] = False
    """Whether something, such as a progress bar, draws it again and again."""


@contextmanager
def last_line_drawn() -> Iterator[None]:
    """Let text on standard error replace the last line of the terminal until the block ends.

    The caller draws that line again. No lock is needed, so that signal handlers may write.
    """
    _LastLine.drawn = True
    try:
        yield
    finally:
        _LastLine.drawn = False


def echo(
    text: object = "", *, err: bool = False, nl: bool = True, file: IO[str] | None = None
) -> None:
    """Write *text*; control characters other than those of colors are escaped.

    To *file* if it is given.
    """
    parts = _STYLES.split(str(text))
    parts[::2] = map(visible, parts[::2])
    if err and file is None and _LastLine.drawn:
        parts.insert(0, _ERASED_LINE)
    click.echo("".join(parts), file=file, err=err, nl=nl)


def write_data(data: bytes) -> None:
    """Write data in UTF-8 that other programs read: unchanged, unless a terminal shows it."""
    if sys.stdout.isatty():
        echo(data.decode("utf-8", "replace"), nl=False)
    else:
        sys.stdout.buffer.write(data)
