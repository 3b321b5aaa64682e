"""Memberships that are to change, and the people in a list, by digest: compared without memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, NamedTuple, Self

from framework.errors import StorageError

_QUERY: Final = 500
"""People that one query looks for."""

_CACHE: Final = 16 * 1024
"""Size in KiB of the part of the database that is kept in memory."""

_SCHEMA: Final = """
create table listed(person blob not null, line integer not null);
create table changes(
    person blob not null, audience integer not null, wanted integer not null,
    line integer not null, taken integer not null default 0, primary key(person, audience)
) without rowid;
"""


class PersonChange(NamedTuple):
    """A person who is to be added to an audience, if *wanted*, or removed.

    *audience* is the place of the audience among those of a command. *line* is that of the
    person's identifier in a list, 0 if it is not known from there.
    """

    person: bytes
    audience: int
    wanted: bool
    line: int = 0


class ChangeCount(NamedTuple):
    """A number of changes in an audience, and for how many of them a source knew an identifier."""

    audience: int
    wanted: bool
    number: int
    taken: int


class Changes:
    """Memberships that are to change; a context manager.

    They are kept in a temporary database, most of it on the disk if there are many. No other
    process can open it, and it holds digests of people, never identifiers. `number_left` is the
    number of changes that are known from no line of a list and were not taken.
    All methods raise StorageError if there is no room for it.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute(f"pragma cache_size=-{_CACHE}")
        self._database.executescript(_SCHEMA)
        self.number_left = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def list_people(self, people: Iterable[tuple[bytes, int]]) -> None:
        """Add people to the list, each with the line that names the person."""
        self._write("insert into listed values(?, ?)", people)

    def listed(self) -> Iterator[tuple[bytes, int]]:
        """Yield the people in the list, by digest, each once with the first line."""
        query = "select person, line from listed order by person, line"
        for person, rows in groupby(self._rows(query), key=itemgetter(0)):
            yield person, next(rows)[1]

    def add(self, changes: Iterable[PersonChange]) -> None:
        """Add changes; a person has at most one in each audience."""
        insert = "insert into changes(person, audience, wanted, line) values(?, ?, ?, ?)"
        before = self._database.total_changes
        with_line = 0

        def counted() -> Iterator[PersonChange]:
            nonlocal with_line
            for one in changes:
                with_line += one.line > 0
                yield one

        self._write(insert, counted())
        self.number_left += self._database.total_changes - before - with_line

    def lines(self) -> Iterator[tuple[int, PersonChange]]:
        """Yield the changes that are known from a line of a list, by line."""
        query = "select line, person, audience, wanted from changes where line > 0 order by line"
        for line, person, audience, wanted in self._rows(query):
            yield line, PersonChange(person, audience, bool(wanted), line)

    def take(self, people: Sequence[bytes], audiences: Container[int]) -> list[PersonChange]:
        """Return the changes of people in *audiences* that were not taken before, and take them."""
        found: list[PersonChange] = []
        distinct = list(dict.fromkeys(people))
        for start in range(0, len(distinct), _QUERY):
            some = distinct[start : start + _QUERY]
            marks = ",".join("?" * len(some))
            query = (
                "select person, audience, wanted, line from changes "  # noqa: S608 - marks
                f"where person in ({marks}) and not taken and line = 0"
            )
            rows = [row for row in self._rows(query, some) if row[1] in audiences]
            found += (PersonChange(one[0], one[1], bool(one[2]), one[3]) for one in rows)
            mark = "update changes set taken = 1 where person = ? and audience = ?"
            self._write(mark, (row[:2] for row in rows))
        self.number_left -= len(found)
        return found

    def restore(self) -> None:
        """Let all changes count as not taken."""
        self._write("update changes set taken = ?", [(0,)])
        query = "select count(*) from changes where line = 0"
        ((self.number_left,),) = self._rows(query)

    def counts(self) -> list[ChangeCount]:
        """Return the numbers of changes; those with a line count as taken."""
        query = (
            "select audience, wanted, count(*), sum(taken or line > 0) from changes "
            "group by audience, wanted order by audience, wanted desc"
        )
        return [ChangeCount(one[0], bool(one[1]), one[2], one[3]) for one in self._rows(query)]

    def _rows(self, query: str, values: Sequence[bytes] = ()) -> Iterator[tuple[Any, ...]]:
        try:
            with closing(self._database.execute(query, values)) as cursor:
                yield from cursor
        except sqlite3.Error as error:
            raise _full(error) from error

    def _write(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        try:
            self._database.execute("begin")
            self._database.executemany(statement, rows)
            self._database.execute("commit")
        except sqlite3.Error as error:
            raise _full(error) from error


def _full(error: sqlite3.Error) -> StorageError:
    return StorageError(
        f"The temporary database of the comparison cannot be used: {error}. Make room in the "
        "folder of temporary files, or name another one by TMPDIR."
    )
