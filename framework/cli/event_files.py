"""Reading the events that commands show or learn from, with invalid lines reported on stderr."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from framework.cli import exits
from framework.cli.summaries import print_rejected, unpacked
from framework.cli.terminal import echo
from framework.errors import ConfigurationError

if TYPE_CHECKING:
    from framework.events import EventReading, TableReading

_SHOWN = 20
"""Number of invalid lines that are shown."""

unpack_option: Callable[[Any], Any] = click.option(
    "--unpack",
    is_flag=True,
    help="Read the events inside of known envelopes, such as request bodies of tracking clients "
    "and records of queues, instead of rejecting these.",
)


def read_sample(path: str, *, unpack: bool, table: TableReading | None) -> EventReading:
    """Return the first events in the file at *path*, `-` for standard input.

    With *table*, these are the rows of a table.

    Shows invalid lines, what was unpacked, and whether a limit was reached. Raises click's Exit
    with code 1 if all lines are invalid, ConfigurationError if there are none or it is no file of
    events, StorageError if it cannot be read.
    """
    from framework.events import MAX_BYTES, MAX_EVENTS, read_events  # noqa: PLC0415 - heavy

    found = read_events(
        path, unpack=unpack, max_events=MAX_EVENTS, max_bytes=MAX_BYTES, table=table
    )
    shown = [(one.line, one.reason) for one in found.rejected[:_SHOWN]]
    print_rejected(found.name, shown, len(found.rejected) - len(shown), err=True)
    if found.unpacked:
        echo(unpacked(found.unpacked), err=True)
    if not found.is_whole:
        limits = f"{MAX_EVENTS:,} events or {MAX_BYTES:,} bytes"
        text = f"`{found.name}` is only read up to the limit of {limits}; the rest is left out."
        echo(text, err=True)
    if found.rejected and not found.events:
        raise click.exceptions.Exit(exits.FAILED)
    if not found.events:
        raise ConfigurationError(f"`{found.name}` contains no events.")
    return found
