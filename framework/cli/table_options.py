"""The options by which commands read the rows of tables as events."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from framework.errors import ConfigurationError
from framework.storage import storage

if TYPE_CHECKING:
    from framework.events import TableReading

    _Type = click.ParamType[float]
else:  # it takes no parameter before click 8.3
    _Type = click.ParamType

_MODES: Final = ("add", "update", "upsert", "delete", "mirror")
_CHANGES: Final = ("new", "updated", "deleted")
_NAMES: Final = (
    "before", "query", "user_id", "anonymous_id", "timestamp", "change", "sync_mode", "max_deleted"
)  # fmt: skip


class _Share(_Type):
    """A share such as `50%`."""

    name = "share"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        try:
            share = float(str(value).removesuffix("%")) / 100
        except ValueError:
            share = -1.0
        if not 0 <= share <= 1:
            self.fail(f"`{value}` is not a share from 0% to 100%.", param, ctx)
        return share


_OPTIONS: Final = (
    click.option(
        "--key",
        "keys",
        multiple=True,
        metavar="COLUMN",
        help="Read the rows of a table as events (CSV, Parquet, DuckDB, SQLite, or "
        "postgresql://USER@HOST/DATABASE); COLUMN names each of them. May be repeated.",
    ),
    click.option(
        "--before",
        metavar="TABLE",
        help="An earlier snapshot of the table: only what has changed since becomes events, named "
        "`new`, `updated` and `deleted`.",
    ),
    click.option(
        "--query",
        metavar="SQL",
        help="A SELECT over the table, which is called `rows`, or over the tables of a database; "
        "its result is read instead.",
    ),
    click.option(
        "--query-file",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="A file with the text of --query.",
    ),
    click.option("--user-id", metavar="COLUMN", help="The column with the `userId` of events."),
    click.option(
        "--anonymous-id", metavar="COLUMN", help="The column with the `anonymousId` of events."
    ),
    click.option("--timestamp", metavar="COLUMN", help="The column with their `timestamp`."),
    click.option(
        "--change",
        type=click.Choice(_CHANGES),
        help="The name of the events, without --before  [default: new].",
    ),
    click.option(
        "--sync-mode",
        type=click.Choice(_MODES),
        help="Which changes become events, with --before  [default: mirror, which is all].",
    ),
    click.option(
        "--max-deleted",
        type=_Share(),
        metavar="SHARE",
        help="Refuse a table that lacks more of the rows of --before  [default: 50%].",
    ),
)


def table_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of tables to a command; `take_table_reading` reads them."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def take_table_reading(options: dict[str, Any]) -> TableReading | None:
    """Remove the options of tables from *options*; return how a table is read, if one is.

    Raises UsageError for options that do not go together, StorageError for an unreadable query.
    """
    keys = options.pop("keys")
    query_file = options.pop("query_file")
    if query_file is not None:
        options["query"] = _query_of(query_file, options["query"])
    given = {name: value for name in _NAMES if (value := options.pop(name)) is not None}
    flags = {f"--{name.replace('_', '-')}" for name in given}
    if not keys:
        if flags:
            raise click.UsageError(
                f"{', '.join(sorted(flags))}: these apply to tables, which are read with --key."
            )
        return None
    _check(flags, options)
    from framework.events import TableReading  # noqa: PLC0415 - heavy, imported at first use

    return TableReading(keys=keys, **given)


def _query_of(path: Path, query: str | None) -> str:
    """Return the query in a file; raises UsageError if one is given as text, too."""
    if query is not None:
        raise click.UsageError("Give either --query or --query-file, not both.")
    with storage("The query", path, "read"):
        try:
            return path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError:
            raise ConfigurationError(
                f"The query `{path}` is not UTF-8. Convert it, for example with `iconv -t UTF-8`."
            ) from None


def _check(flags: set[str], options: dict[str, Any]) -> None:
    """Raise UsageError for options that do not apply to a table."""
    for name in ("follow", "unpack"):
        if options.get(name):
            raise click.UsageError(f"--{name} does not apply to tables; leave out it or --key.")
    if "--before" in flags and "--change" in flags:
        raise click.UsageError("--change names all events, but --before finds out their names.")
    for flag in ("--sync-mode", "--max-deleted"):
        if flag in flags and "--before" not in flags:
            raise click.UsageError(f"{flag} applies to the difference to a table; add --before.")
