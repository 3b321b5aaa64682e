"""The log of a run: a file with what standard error says, with times, and requests if asked for."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import click

from framework.cli.app import without_secrets
from framework.cli.terminal import copied, note
from framework.errors import FrameworkError
from framework.storage import storage

_LOGGERS: Final = ("action_destinations", "httpx")
"""The loggers whose records name requests and retries; a connection cleans them of secrets."""

_OPTIONS: Final = (
    click.option(
        "--quiet", "-q", is_flag=True, help="Show neither progress nor summary, only errors."
    ),
    click.option("--verbose", "-v", is_flag=True, help="Show each request on standard error."),
    click.option(
        "--log-file",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Add progress, waits, summaries and errors to FILE, each line with its time, also "
        "with --quiet.",
    ),
)


def log_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of `run_log` to a command: `quiet`, `verbose` and `log_file`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@contextmanager
def run_log(path: Path | None, *, verbose: bool, quiet: bool) -> Iterator[None]:
    """Keep the log of a run at *path*, if it is given, until the block ends.

    With *verbose*, requests are a part of it, and shown unless *quiet*. Raises
    UsageError if they would go nowhere, StorageError if the file cannot be opened.
    """
    if verbose and quiet and path is None:
        raise click.UsageError("--quiet hides what --verbose shows; add --log-file, or leave one.")
    with ExitStack() as stack:
        if path is not None:
            with storage("The log file", path, "written"):
                file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            stack.callback(os.close, file)
            stack.enter_context(copied(_LogFile(file, path)))
        if verbose:
            stack.enter_context(_requests(shown=not quiet))
        try:
            yield
        except FrameworkError as error:
            note(f"Error: {error}", shown=False)
            raise


class _LogFile:
    """Adds lines with their time to an open *file*; one that cannot be written ends nothing."""

    def __init__(self, file: int, path: Path) -> None:
        self._file = file
        self._path = path
        self._failed = False

    def __call__(self, text: str) -> None:
        """Add the lines of a text."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        lines = (f"{moment} {line}\n" for line in without_secrets(text).splitlines() if line)
        try:
            os.write(self._file, "".join(lines).encode("utf-8", "replace"))
        except OSError as error:
            if not self._failed:
                self._failed = True
                text = f"The log file `{self._path}` cannot be written: {error.strerror}."
                note(f"{text} The run goes on without it.", shown=True)


class _Notes(logging.Handler):
    """Passes records on as notes."""

    def __init__(self, *, shown: bool) -> None:
        super().__init__(logging.INFO)
        self._shown = shown

    def emit(self, record: logging.LogRecord) -> None:
        note(self.format(record), shown=self._shown)


@contextmanager
def _requests(*, shown: bool) -> Iterator[None]:
    """Make notes of requests until the block ends."""
    handler = _Notes(shown=shown)
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
