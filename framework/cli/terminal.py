"""Text on standard output and standard error: the one place where commands write it."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
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


class _Reporting:
    """What becomes of text, by the log of the command that runs."""

    copy: ClassVar[Callable[[str], None] | None] = None
    """What else gets it, if anything."""

    results: ClassVar[bool] = False
    """Whether this applies to standard output, too."""

    quiet: ClassVar[bool] = False
    """Whether standard output shows nothing then."""


@contextmanager
def reported(copy: Callable[[str], None] | None, *, results: bool, quiet: bool) -> Iterator[None]:
    """Let *copy* have the text that goes to standard error, without styles, in the block.

    With *results*, also what goes to standard output, where *quiet* shows nothing; data for other
    programs is an exception from both.
    """
    _Reporting.copy = staticmethod(copy) if copy else None
    _Reporting.results, _Reporting.quiet = results, quiet
    try:
        yield
    finally:
        _Reporting.copy, _Reporting.results, _Reporting.quiet = None, False, False


def is_shown(text: str, *, err: bool = False) -> bool:
    """Return whether plain text is to be shown; the log of the command has it then."""
    if _Reporting.copy and (err or _Reporting.results):
        _Reporting.copy(text)
    return err or not (_Reporting.results and _Reporting.quiet)


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
    """Write *text* on standard error if it is to be *shown*; the log of a command has it anyway."""
    if shown:
        echo(text, err=True)
    elif _Reporting.copy:
        _Reporting.copy(visible(_STYLES.sub("", text)))


def echo(
    text: object = "", *, err: bool = False, nl: bool = True, file: IO[str] | None = None
) -> None:
    """Write *text*; control characters other than those of colors are escaped.

    To *file* if it is given. Raises StorageError if standard output cannot be written, such as to
    a file on a full disk, and BrokenPipeError if its reader is gone.
    """
    parts = _parts(text)
    if file is None:
        if not is_shown("".join(parts[::2]), err=err):
            return
        if err and _LastLine.drawn:
            parts.insert(0, _ERASED_LINE)
    _write(parts, err=err, nl=nl, file=file)


def print_json(document: object, *, indent: int | None = 2) -> None:
    """Write a document for other programs, also where a command is quiet."""
    _write(_parts(json.dumps(document, indent=indent, ensure_ascii=False)), err=False)


def _parts(text: object) -> list[str]:
    """Return the parts of a text: at even places plain ones, between them styles."""
    parts = _STYLES.split(str(text))
    parts[::2] = map(visible, parts[::2])
    return parts


def _write(
    parts: Sequence[str], *, err: bool, nl: bool = True, file: IO[str] | None = None
) -> None:
    with written_output(err=err, file=file):
        click.echo("".join(parts), file=file, err=err, nl=nl)


def write_data(data: bytes) -> None:
    """Write data in UTF-8 that other programs read: unchanged, unless a terminal shows it."""
    if sys.stdout.isatty():
        _write(_parts(data.decode("utf-8", "replace")), err=False, nl=False)
        return
    with written_output(err=False):
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


@contextmanager
def written_output(*, err: bool, file: IO[str] | None = None) -> Iterator[None]:
    """Turn an OSError of standard output, which may be *file*, into a StorageError."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        if err:
            raise
        from framework.storage import reason_of  # noqa: PLC0415 - seldom needed

        with suppress(OSError, ValueError):  # so that Python does not write it again at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), (file or sys.stdout).fileno())
        raise StorageError(f"Standard output cannot be written: {reason_of(error)}") from error
