"""The changes of a table in a fixed order: its rows, or their differences to an earlier snapshot.

Nothing is returned before all rows are known to have a key, each its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from framework.errors import ConfigurationError
from framework.events.table_database import Column, Table, TableDatabase
from framework.events.table_formats import quoted, text
from framework.events.table_reading import CHANGES_OF_MODE, TableReading
from framework.events.table_sources import TableSource, table_source


class TableChanges:
    """The changes of the table at *source*, which is read as *reading* says; close it in the end.

    Raises StorageError for a file that cannot be read, ConfigurationError if a file holds no
    table, the query is wrong, a column is missing, rows have no key or that of another row, both
    snapshots have different types, or more is deleted than allowed.
    """

    def __init__(self, source: TableSource, reading: TableReading) -> None:
        self._reading = reading
        earlier = None if reading.before is None else table_source(reading.before)
        self._sources = [source] if earlier is None else [source, earlier]
        self._database = TableDatabase(self._sources)
        try:
            self._now = now = self._checked("now", source)
            self._before = before = earlier and self._checked("before", earlier)
            self.columns: Sequence[Column] = list(self._now.columns.values())
            if before:
                self._now, self._before = _with_json_of(now, before), _with_json_of(before, now)
                self.columns = self._common_columns(self._before)
                self._check_deleted(self._before)
        except BaseException:
            self._database.close()
            raise

    def close(self) -> None:
        """Close the files and remove what was kept on disk."""
        self._database.close()

    def digests(self) -> Iterator[tuple[TableSource, str]]:
        """Yield each source with a digest of the rows, empty for a file of one table."""
        for source, table in zip(self._sources, (self._now, self._before), strict=False):
            is_result = source.is_database and table is not None
            yield source, self._database.digest(table) if table and is_result else ""

    def saved(self) -> tuple[Path, int]:
        """Return a Parquet file of the table, which `close` removes, and its number of rows."""
        (number,) = self._database.one(f"SELECT count(*) FROM {self._now.relation}") or (0,)  # noqa: S608 - quoted
        return self._database.saved(self._now, self._order("n")), number

    def rows(self) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the changes, some at a time: the name of the change, then the values of the row.

        The rows of a file are in its order, those of a query in that of their keys. Differences
        begin with the deleted rows, then come updated and new ones, each by key: an identifier
        that moved to another row is removed first, and then added. Raises StorageError and
        ConfigurationError for a damaged file.
        """
        if self._before:
            return self._database.all(self._difference(self._before))
        order = f"ORDER BY {self._order('n')}" if self._reading.query else ""
        change = text(self._reading.change)
        values = ", ".join(self._finite(f"n.{quoted(one.name)}", one) for one in self.columns)
        rows = f"SELECT {change}, {values} FROM {self._now.relation} AS n {order}"  # noqa: S608 - quoted
        return self._database.all(rows)

    def _checked(self, name: str, source: TableSource) -> Table:
        # An earlier result that is a file is not asked again.
        is_result = self._sources[0].is_database and not source.is_database
        table = self._database.table(name, source, None if is_result else self._reading.query)
        for option, column in self._wanted():
            if column not in table.columns:
                raise ConfigurationError(
                    f"`{source.name}` has no column `{column}`, which {option} names. It has "
                    f"{_listed(table.columns)}."
                )
        self._check_keys(table)
        return table

    def _wanted(self) -> Iterator[tuple[str, str]]:
        reading = self._reading
        yield from (("--key", key) for key in reading.keys)
        for option, column in (
            ("--user-id", reading.user_id),
            ("--anonymous-id", reading.anonymous_id),
            ("--timestamp", reading.timestamp),
        ):
            if column is not None:
                yield option, column

    def _check_keys(self, table: Table) -> None:
        """Raise ConfigurationError if a key is null or repeated; the values are not shown."""
        keys = [quoted(key) for key in self._reading.keys]
        named = _listed(self._reading.keys)
        missing = " OR ".join(f"{key} IS NULL" for key in keys)
        shown = ", ".join(keys)
        numbered = f'FROM (SELECT {shown}, row_number() OVER () AS "#" FROM {table.relation})'  # noqa: S608 - quoted
        if self._database.one(f"{numbered} WHERE {missing} LIMIT 1"):
            row, number = self._database.one(
                f'SELECT min("#"), count(*) {numbered} WHERE {missing}'
            ) or (0, 0)
            raise ConfigurationError(
                f"`{table.name}` has no {named} in {number:,} rows, such as row {row:,}. "
                "Name other columns with --key, or leave such rows out with --query."
            )
        grouped = f"{numbered} GROUP BY {shown} HAVING count(*) > 1"
        if self._database.one(f"SELECT 1 {grouped} LIMIT 1"):
            (rows,) = self._database.one(
                f'SELECT list_sort(list("#")) AS r {grouped} ORDER BY r LIMIT 1'
            ) or ([0, 0],)
            raise ConfigurationError(
                f"`{table.name}` has the same {named} in the rows {rows[0]:,} and {rows[1]:,}. "
                "Name further columns with --key, or keep one row of each with --query."
            )

    def _common_columns(self, before: Table) -> list[Column]:
        """Return the columns of both snapshots; raises ConfigurationError for other types."""
        for name, column in self._now.columns.items():
            other = before.columns.get(name)
            if other and str(other.type) != str(column.type):
                raise ConfigurationError(
                    f"Column `{name}` is {column.type} in `{self._now.name}` and {other.type} in "
                    f"`{before.name}`. Cast both to one type with --query."
                )
        return list({**self._now.columns, **before.columns, **self._now.columns}.values())

    def _check_deleted(self, before: Table) -> None:
        """Raise ConfigurationError if too many rows are gone: an export may be incomplete."""
        if "deleted" not in CHANGES_OF_MODE[self._reading.sync_mode]:
            return
        counted = f"SELECT count(*) FROM {before.relation} AS b"  # noqa: S608 - names are quoted
        (total,) = self._database.one(counted) or (0,)
        (gone,) = self._database.one(
            f"{counted} ANTI JOIN {self._now.relation} AS n ON {self._same_key()}"
        ) or (0,)
        if gone > self._reading.max_deleted * total:
            raise ConfigurationError(
                f"`{self._now.name}` lacks {gone:,} of the {total:,} rows of `{before.name}`, "
                f"which is more than --max-deleted allows ({self._reading.max_deleted:.0%}). If "
                "it is complete, allow more."
            )

    def _difference(self, before: Table) -> str:
        is_gone, is_new = (f"{alias}.{quoted(self._reading.keys[0])} IS NULL" for alias in "nb")
        values, differs = [], []
        for column in self.columns:
            name = quoted(column.name)
            new = f"n.{name}" if column.name in self._now.columns else "NULL"
            old = f"b.{name}" if column.name in before.columns else "NULL"
            value = f"CASE WHEN {is_gone} THEN {old} ELSE {new} END"
            values.append(self._finite(value, column))
            differs.append(f"{new} IS DISTINCT FROM {old}")
        change = f"CASE WHEN {is_gone} THEN 'deleted' WHEN {is_new} THEN 'new' ELSE 'updated' END"
        wanted = ", ".join(map(text, CHANGES_OF_MODE[self._reading.sync_mode]))
        selected = f"SELECT {change}, {', '.join(values)} FROM {self._now.relation} AS n"  # noqa: S608 - quoted
        return (
            f"{selected} FULL JOIN {before.relation} AS b ON {self._same_key()} "
            f"WHERE ({is_gone} OR {is_new} OR {' OR '.join(differs)}) AND {change} IN ({wanted}) "
            f"ORDER BY list_position(['deleted', 'updated', 'new'], {change}), "
            f"{self._order('n', 'b')}"
        )

    def _finite(self, value: str, column: Column) -> str:
        """Return a *value* of a column as it is selected: null if it is an infinite time.

        Otherwise it would be the last or the first one that Python has. Keys stay as they are.
        """
        is_time = str(column.type).startswith(("DATE", "TIMESTAMP"))
        if not is_time or "[" in str(column.type) or column.name in self._reading.keys:
            return value
        return f"CASE WHEN isfinite({value}) THEN {value} END"

    def _order(self, *aliases: str) -> str:
        """Return by what rows are sorted: their keys, of the first of *aliases* that has the row.

        Keys in JSON are sorted as numbers where they are some.
        """
        terms = []
        for key in self._reading.keys:
            value = f"coalesce({', '.join(f'{alias}.{quoted(key)}' for alias in aliases)})"
            if str(self._now.columns[key].type) == "JSON":
                terms.append(f"try_cast(({value})->>'$' AS DOUBLE)")
            terms.append(value)
        return ", ".join(terms)

    def _same_key(self) -> str:
        return " AND ".join(f"n.{key} = b.{key}" for key in map(quoted, self._reading.keys))


def _with_json_of(table: Table, other: Table) -> Table:
    """Return a table with each column as JSON that is JSON in the *other*, as all of SQLite are."""
    columns = {
        name: Column(name, other.columns[name].type)
        for name, column in table.columns.items()
        if name in other.columns and str(column.type) != str(other.columns[name].type) == "JSON"
    }
    if not columns:
        return table
    json = ", ".join(
        f"CASE WHEN {name} IS NULL THEN NULL ELSE to_json({name}) END AS {name}"
        for name in map(quoted, columns)
    )
    relation = f"(SELECT * REPLACE ({json}) FROM {table.relation})"  # noqa: S608 - quoted
    return Table(table.name, relation, {**table.columns, **columns})


def _listed(names: Iterable[str]) -> str:
    """Return names for a message, a few of many."""
    found = [f"`{name}`" for name in names]
    more = f" and {len(found) - 8} more" if len(found) > 8 else ""
    return ", ".join(found[:8]) + more
