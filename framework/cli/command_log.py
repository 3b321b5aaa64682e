"""The options `--quiet`, `--verbose` and `--log-file`, with one meaning in all commands."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import click

from framework.cli.app import error_message
from framework.cli.terminal import note, reported
from framework.storage import storage

F = TypeVar("F", bound=Callable[..., Any])

_OURS: Final = "action_destinations"
_REQUESTS: Final = ("httpx", "framework.sandbox")
"""The loggers whose records name requests; a connection cleans those of httpx of secrets."""

_OPTIONS: Final = (
    click.option(
        "--quiet",
        "-q",
        is_flag=True,
        help="Show neither progress nor summary, only warnings and errors.",
    ),
    click.option("--verbose", "-v", is_flag=True, help="Show each request on standard error."),
    click.option(
        "--log-file",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Add progress, waits, summaries, warnings and errors to FILE, each line with its "
        "time, also with --quiet. A FILE that was renamed or removed is created anew.",
    ),
)


def log_options(command: F) -> F:
    """Add the options to a command, whose values `LogOptions.take` reads."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def logged(command: F) -> F:
    """Add the options to a command, and do as they say while it runs."""

    @wraps(command)
    def called(*arguments: Any, **options: Any) -> Any:
        with command_log(LogOptions.take(options)):
            return command(*arguments, **options)

    call: Any = called
    decorated: F = log_options(call)
    return decorated


class LogOptions(NamedTuple):
    """The options as given; *path* is that of the log file."""

    quiet: bool = False
    verbose: bool = False
    path: Path | None = None

    @classmethod
    def take(cls, options: dict[str, Any]) -> LogOptions:
        """Remove the options from those of a command, and return them.

        Raises UsageError if requests would be shown nowhere, or if the log file is a file that
        another option names.
        """
        taken = cls(options.pop("quiet"), options.pop("verbose"), options.pop("log_file"))
        if taken.verbose and taken.quiet and taken.path is None:
            raise click.UsageError(
                "--quiet hides what --verbose shows; add --log-file, or leave one."
            )
        if taken.path:
            _check_other_files(taken.path)
        return taken


@contextmanager
def command_log(options: LogOptions, *, results: bool = True) -> Iterator[None]:
    """Keep the log of a command, and leave out what is not to be shown, until the block ends.

    Without *results*, standard output is neither logged nor left out: the command does that
    itself. Raises StorageError if the log file cannot be opened.
    """
    with ExitStack() as stack:
        file = stack.enter_context(LogFile.opened(options.path)) if options.path else None
        write = file.add if file else None
        stack.enter_context(reported(write, results=results, quiet=options.quiet))
        if file or options.verbose:
            stack.enter_context(_records(options))
        with errors_noted():
            yield


@contextmanager
def errors_noted() -> Iterator[None]:
    """Add the exception that ends a command to its log."""
    try:
        yield
    except click.ClickException as error:
        note(f"Error: {error.format_message()}", shown=False)
        raise
    except (click.exceptions.Exit, click.Abort, BrokenPipeError):
        raise
    except Exception as error:
        note(error_message(error), shown=False)
        raise


class LogFile:
    """A file that lines are added to, open as *file*; not being able to write ends nothing.

    It may be renamed or removed at any time, as logrotate does: the next line is written to a new
    file at *path*.
    """

    def __init__(self, file: int, path: Path, clean: Callable[[str], str]) -> None:
        self._file = file
        self._path = path
        self._clean = clean
        self._failed = False

    @classmethod
    @contextmanager
    def opened(cls, path: Path) -> Iterator[LogFile]:
        """Open the file at *path* until the block ends; raises StorageError."""
        from framework.delivery import clean_known  # noqa: PLC0415 - heavy, imported at first use

        with storage("The log file", path, "written"):
            file = _open(path)
        try:
            yield cls(file, path, clean_known)
        finally:
            os.close(file)

    def add(self, text: str) -> None:
        """Add the lines of a text, each with its time, without secrets and personal data."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        lines = (line for line in self._clean(text).splitlines() if line.strip())
        self.write("".join(f"{moment} {line}\n" for line in lines))

    def write(self, text: str) -> None:
        """Add a text as it is."""
        for write in (
            self._follow_path,
            lambda: os.write(self._file, text.encode(errors="replace")),
        ):
            try:
                write()
            except OSError as error:
                self._warn(error)

    def _warn(self, error: OSError) -> None:
        """Say once what keeps the log from being written."""
        if not self._failed:
            self._failed = True
            text = f"The log file `{self._path}` cannot be written: {error.strerror}."
            note(f"Warning: {text} The command goes on without it.", shown=True)

    def _follow_path(self) -> None:
        """Open the file at the path if that is no longer the open one.

        The number of the open file stays, so that threads and signal handlers may write meanwhile.
        """
        here = os.fstat(self._file)
        with suppress(FileNotFoundError):
            there = self._path.stat()
            if (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino):
                return
        file = _open(self._path)
        try:
            os.dup2(file, self._file, inheritable=False)
        finally:
            os.close(file)


def _open(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


PRINTED: Final = {"printed": True}
"""The `extra` of a log record about what a command has printed."""


class _Notes(logging.Handler):
    """Passes records on as notes; those of *level* and above are shown, unless printed before."""

    def __init__(self, level: int) -> None:
        super().__init__()
        self._shown_from = level

    def emit(self, record: logging.LogRecord) -> None:
        printed = getattr(record, "printed", False)
        note(self.format(record), shown=record.levelno >= self._shown_from and not printed)


@contextmanager
def _records(options: LogOptions) -> Iterator[None]:
    """Make notes of log records until the block ends."""
    shows = options.verbose and not options.quiet
    handler = _Notes(logging.INFO if shows else logging.WARNING)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        with levels(verbose=options.verbose):
            yield
    finally:
        root.removeHandler(handler)


@contextmanager
def levels(*, verbose: bool) -> Iterator[None]:
    """Let loggers make records of what a log holds, of requests if *verbose*, in the block."""
    loggers = [logging.getLogger(name) for name in (_OURS, *(_REQUESTS if verbose else ()))]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def _check_other_files(path: Path) -> None:
    """Raise UsageError if another option of the command names the log file."""
    context = click.get_current_context()
    for parameter in context.command.params:
        if parameter.name == "log_file" or parameter.name not in context.params:
            continue
        for other in _paths(context.params[parameter.name]):
            with suppress(OSError, ValueError):  # no file, or no path at all
                if other.samefile(path):
                    raise click.UsageError(
                        f"--log-file and {parameter.opts[0]} name the same file, `{path}`."
                    )


def _paths(value: Any) -> Iterator[Path]:
    """Yield the paths that the value of an option may be."""
    if isinstance(value, str | Path):
        yield Path(value)
    elif isinstance(value, tuple | list):  # of several values; a store is one, too
        for one in value:
            yield from _paths(one)
