"""`actions rows`: the rows of a table, or the difference of two, as events."""

from __future__ import annotations

from collections import Counter
from typing import Any

import click

from framework.cli.table_options import table_options, take_table_reading
from framework.cli.terminal import echo, write_data


@click.command()
@click.argument("file", type=click.Path())
@table_options
@click.option("--count", is_flag=True, help="Print only how many events of each name there are.")
def rows(*, file: str, count: bool, **options: Any) -> None:
    """Print the rows of a table, or the difference of two, as events, one on each line.

    FILE is CSV with a header, Parquet, or a DuckDB database. Each row is a `track` event named
    `new`, or with --before `new`, `updated` or `deleted`; its columns are the properties. `actions
    run`, `explain` and `validate` read tables by the same options.
    """
    from framework.events import decode, open_events  # noqa: PLC0415 - heavy, at first use

    reading = take_table_reading(options)
    if reading is None:
        raise click.UsageError("Name the key columns of the table with --key.")
    counts: Counter[Any] = Counter()
    with open_events(file, table=reading) as source:
        for chunk in source.chunks():
            if count:
                counts.update(event["event"] for event in decode(chunk, source.max_line).events)
            else:
                write_data(b"".join(chunk.lines))
    if count:
        echo(", ".join(f"{number:,} {name}" for name, number in counts.items()) or "no changes")
