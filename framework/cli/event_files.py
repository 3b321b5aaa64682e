"""Reading the events that commands show or learn from, with invalid lines reported on stderr."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from framework.cli import exits
from framework.cli.summaries import print_rejected, unpacked
from framework.cli.terminal import echo
from framework.errors import ConfigurationError

if TYPE_CHECKING:
    from framework.events import EventReading, TableReading

unpack_option: Callable[[Any], Any] = click.option(
    "--unpack",
    is_flag=True,
    help="Read the events inside of known envelopes, such as request bodies of tracking clients "
    "and records of queues, instead of rejecting these.",
)


@contextmanager
def reaching(source: str) -> Iterator[None]:
    """Let this thread reach the database on a server that *source* names, if it does.

    Destinations may be kept offline meanwhile; none of their code runs in this context.
    """
    if "://" not in source:
        yield
        return
    from framework.delivery import network_allowed  # noqa: PLC0415 - heavy, for addresses only

    with network_allowed():
        yield


class EventSample:
    """The events in the file at *path*, `-` for standard input, in order; read anew each time.

    With *table*, these are the rows of a table, and *path* may be the address of a database. The
    first reading shows every invalid line and what was unpacked, and counts the invalid lines in
    *rejected*; it raises click's Exit with code 1 if all lines are invalid, ConfigurationError if
    there are none or the file has no events. Every reading may raise StorageError. What can be
    read only once is kept in memory.
    """

    def __init__(self, path: str, *, unpack: bool, table: TableReading | None) -> None:
        self.rejected = 0
        self._path = path
        self._unpack = unpack
        self._table = table
        self._was_read = False
        again = table is not None or Path(path).is_file()
        self._kept: list[EventReading] | None = None if again else []

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for portion in self.portions():
            yield from portion.events

    def portions(self, lines: Collection[int] = ()) -> Iterator[EventReading]:
        """Yield the events in portions, each with its lines; only those in *lines*, if any.

        Raises ConfigurationError for *lines* without an event.
        """
        if self._was_read:
            yield from self._readings() if self._kept is None else self._kept
            return
        self._was_read = True
        read, missing, portion = 0, set(lines), None
        for whole in self._readings():
            portion = whole.in_lines(lines) if lines else whole
            self.rejected += len(portion.rejected)
            shown = [(one.line, one.reason) for one in portion.rejected]
            print_rejected(portion.name, shown, 0, err=True)
            read += len(portion.events)
            missing.difference_update(portion.lines, (one.line for one in portion.rejected))
            if self._kept is not None:
                self._kept.append(portion)
            if portion.events:
                yield portion
            if lines and not missing:
                break
        assert portion is not None
        self._finish(portion, read, sorted(missing))

    def _readings(self) -> Iterator[EventReading]:
        from framework.events import read_portions  # noqa: PLC0415 - heavy, at first use

        portions = read_portions(self._path, unpack=self._unpack, table=self._table)
        with reaching(self._path):
            first = next(portions)
        yield first
        yield from portions

    def _finish(self, last: EventReading, read: int, missing: list[int]) -> None:
        if last.unpacked:
            echo(unpacked(last.unpacked), err=True)
        if missing:
            listed = ", ".join(f"{line:,}" for line in missing)
            raise ConfigurationError(f"`{last.name}` has no event in line {listed}.")
        if self.rejected and not read:
            raise click.exceptions.Exit(exits.FAILED)
        if not read:
            raise ConfigurationError(f"`{last.name}` contains no events.")
