"""`actions rows`: the rows of a table, or the difference of two, as events."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from framework.cli.table_options import table_options, take_table_reading
from framework.cli.terminal import echo, write_data

if TYPE_CHECKING:
    from framework.events import TableReading


@click.command()
@click.argument("source", metavar="TABLE")
@table_options
@click.option("--count", is_flag=True, help="Print only how many events of each name there are.")
@click.option(
    "--save",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the table, or what the query selects, to FILE (Parquet) instead of printing it: a "
    "snapshot, which commands read as a table, and with --before.",
)
def rows(*, source: str, count: bool, save: Path | None, **options: Any) -> None:
    """Print the rows of a table, or the difference of two, as events, one on each line.

    TABLE is CSV with a header, Parquet, a database of DuckDB or SQLite, or the address of one of
    PostgreSQL, postgresql://USER@HOST/DATABASE; of a database, --query selects the rows.

    Each row is a `track` event named `new`, or with --before `new`, `updated` or `deleted`; its
    columns are the properties. `actions run`, `explain` and `validate` read tables by the same
    options.
    """
    from framework.events import decode, open_events  # noqa: PLC0415 - heavy, at first use

    reading = take_table_reading(options)
    if reading is None:
        raise click.UsageError("Name the key columns of the table with --key.")
    if save is not None:
        _save(source, reading, save, count=count)
        return
    counts: Counter[Any] = Counter()
    with open_events(source, table=reading) as events:
        for chunk in events.chunks():
            if count:
                counts.update(event["event"] for event in decode(chunk, events.max_line).events)
            else:
                write_data(b"".join(chunk.lines))
    if count:
        echo(", ".join(f"{number:,} {name}" for name, number in counts.items()) or "no changes")


def _save(source: str, reading: TableReading, path: Path, *, count: bool) -> None:
    """Write the table to a file; raises UsageError where something else is asked for, too."""
    from framework.events import save_table  # noqa: PLC0415 - heavy, imported at first use

    if count or reading.before is not None:
        raise click.UsageError("--save keeps the table itself; leave out --before and --count.")
    number = save_table(source, reading, path)
    echo(f"{number:,} rows saved in `{path}`.")
