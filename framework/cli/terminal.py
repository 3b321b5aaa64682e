"""Text on standard output and standard error: the one place where commands write it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, ClassVar, Final

import click

from framework.controls import visible
from framework.errors import StorageError

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


class _Copies:
    """What else gets the text that goes to standard error, if anything."""

    write: ClassVar[Callable[[str], None] | None] = None


@contextmanager
def copied(write: Callable[[str], None]) -> Iterator[None]:
    """Let *write* have the text that goes to standard error, without styles, in the block."""
    _Copies.write = staticmethod(write)
    try:
        yield
    finally:
        _Copies.write = None


@contextmanager
def asking(otherwise: str) -> Iterator[None]:
    """Turn the missing answer of a program or of a closed standard input into a UsageError.

    *otherwise* is a sentence about how the command is given what the question in the block asks.
    At a terminal, Ctrl-C and the end of the input abort the command, as click does.
    """
    try:
        yield
    except click.Abort:
        if sys.stdin and sys.stdin.isatty():
            raise
        raise click.UsageError(f"There is no answer on standard input. {otherwise}") from None


def confirm(question: str, *, yes: bool) -> None:
    """Ask on standard error, unless *yes*; raises click's Abort for a no.

    Raises UsageError where there is neither a terminal nor an answer.
    """
    if yes:
        return
    with asking("Use --yes to answer with yes."):
        agreed = click.confirm(question, err=True)
    if not agreed:
        raise click.Abort


def note(text: str, *, shown: bool) -> None:
    """Write *text* on standard error if it is to be *shown*; the log of a run has it anyway."""
    if shown:
        echo(text, err=True)
    elif _Copies.write:
        _Copies.write(visible(_STYLES.sub("", text)))


def echo(
    text: object = "", *, err: bool = False, nl: bool = True, file: IO[str] | None = None
) -> None:
    """Write *text*; control characters other than those of colors are escaped.

    To *file* if it is given. Raises StorageError if standard output cannot be written, such as to
    a file on a full disk, and BrokenPipeError if its reader is gone.
    """
    parts = _STYLES.split(str(text))
    parts[::2] = map(visible, parts[::2])
    if err and file is None:
        if _Copies.write:
            _Copies.write("".join(parts[::2]))
        if _LastLine.drawn:
            parts.insert(0, _ERASED_LINE)
    with written_output(err=err or file is not None):
        click.echo("".join(parts), file=file, err=err, nl=nl)


def write_data(data: bytes) -> None:
    """Write data in UTF-8 that other programs read: unchanged, unless a terminal shows it."""
    if sys.stdout.isatty():
        echo(data.decode("utf-8", "replace"), nl=False)
        return
    with written_output(err=False):
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


@contextmanager
def written_output(*, err: bool) -> Iterator[None]:
    """Turn an OSError of standard output into a StorageError."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        if err:
            raise
        from framework.storage import reason_of  # noqa: PLC0415 - seldom needed

        with suppress(OSError, ValueError):  # so that Python does not write it again at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise StorageError(f"Standard output cannot be written: {reason_of(error)}") from error
