"""Rows that queries select in databases of SQLite and PostgreSQL, as events."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest

from framework.errors import ConfigurationError, FrameworkError, StorageError
from framework.events import TableReading, open_events, save_table

psycopg = pytest.importorskip("psycopg", reason="the extra `postgres` is not installed")

from framework.events.postgres_rows import postgres_result  # noqa: E402 - with the extra
from framework.postgres_address import read_address, reason_of_server  # noqa: E402 - as above

PEOPLE = "SELECT id, email FROM people"
PASSWORD = "p@ss/w:rd"
QUOTED = "p%40ss%2Fw%3Ard"


def events(source: str | Path, query: str | None, **reading: Any) -> list[dict[str, Any]]:
    keys = reading.pop("keys", ("id",))
    with open_events(source, table=TableReading(keys=keys, query=query, **reading)) as file:
        return [json.loads(line) for chunk in file.chunks() for line in chunk.lines]


def rows(source: str | Path, query: str | None, **reading: Any) -> list[tuple[str, Any]]:
    return [(one["event"], one["properties"]) for one in events(source, query, **reading)]


def error_of(source: str | Path, query: str | None, **reading: Any) -> FrameworkError:
    with pytest.raises(FrameworkError) as caught:
        events(source, query, **reading)
    text = str(caught.value)
    assert "\n" not in text
    for secret in (PASSWORD, QUOTED, "hush", "ada@example.com"):
        assert secret not in text
    return caught.value


@pytest.fixture
def crm(tmp_path: Path) -> Path:
    path = tmp_path / "a [1]'s?.db"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(
            "CREATE TABLE people (id INTEGER PRIMARY KEY, email TEXT, paid REAL);"
            "INSERT INTO people VALUES (10, 'ada@example.com', 2), (9, NULL, 1.5);"
        )
    return path


def execute(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as session:
        for one in statements:
            session.execute(one.encode())


@pytest.fixture
def warehouse(postgres_url: str) -> Iterator[str]:
    """Give the URL of a database with people, for a user who may read these only."""
    schema = postgres_url.rpartition("%3D")[2]
    role = f"reader_{schema}"
    execute(
        postgres_url,
        f"CREATE SCHEMA {schema}",
        "CREATE TABLE people (id int PRIMARY KEY, email text)",
        "INSERT INTO people VALUES (10, 'ada@example.com'), (9, NULL)",
        "CREATE TABLE salaries (id int)",
        f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'",
        f"GRANT USAGE ON SCHEMA {schema} TO {role}",
        f"GRANT SELECT ON people TO {role}",
        "CREATE SEQUENCE ids",
        f"GRANT ALL ON SEQUENCE ids TO {role}",
    )
    place = postgres_url.rpartition("@")[2]
    yield f"postgresql://{role}:{QUOTED}@{place}"
    execute(postgres_url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_rows_of_sqlite_are_selected_by_a_query(crm: Path) -> None:
    """In the order of their keys; the path may be written like that of a store."""
    found = [
        ("new", {"id": 9, "email": None, "paid": 1.5}),
        ("new", {"id": 10, "email": "ada@example.com", "paid": 2.0}),
    ]
    assert rows(crm, "SELECT * FROM people;") == found
    assert rows(f"sqlite:{crm}", "SELECT * FROM people -- all") == found


def test_values_of_sqlite_keep_the_type_that_each_of_them_has(crm: Path) -> None:
    query = (
        "SELECT 9007199254740993 AS id, 1 AS a, 1.5 AS b, 'x' AS c, NULL AS d, '001' AS e, "
        "9e999 AS f, char(0) || 'é' AS 'address.city' UNION ALL SELECT 'k', 'one', 2, 3, 4, 5, 6, 7"
    )
    number, text = rows(crm, query)
    assert number[1] == {
        "id": 9007199254740993, "a": 1, "b": 1.5, "c": "x", "d": None, "e": "001", "f": None,
        "address": {"city": "\0é"},
    }  # fmt: skip
    assert text[1]["id"] == "k"
    assert (text[1]["a"], text[1]["b"], text[1]["address"]) == ("one", 2, {"city": 7})
    assert rows(crm, "SELECT value AS id FROM json_each('[3, 20]')") == [
        ("new", {"id": 3}),
        ("new", {"id": 20}),
    ]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (None, "is a database. Select its rows with --query."),
        ("SELECT * FROM peple", "no such table: peple. `SELECT name FROM sqlite_schema` lists"),
        ("SELECT emial AS id FROM people", "no such column: emial."),
        ("SELEC 1", 'near "SELEC": syntax error.'),
        ("SELECT id, email AS ID FROM people", "apart from case: `id`, `ID`. Rename them with AS"),
        ("SELECT email AS id FROM people", "has no `id` in 1 rows, such as row"),
        ("DELETE FROM people RETURNING id", "--query must be one SELECT statement."),
        ("DROP TABLE people", "--query must be one SELECT statement."),
        ("SELECT 1 AS id; SELECT 2", "--query must be one SELECT statement."),
        ("ATTACH 'other.db' AS other", "--query must be one SELECT statement."),
        ("PRAGMA table_info(people)", "--query must be one SELECT statement."),
        ("", "--query must be one SELECT statement."),
        ("SELECT id, x'00' AS b FROM people", 'Select it as text, such as lower(hex("b")).'),
        ("SELECT id, CAST(x'ff' AS TEXT) AS t FROM people", "`t` of --query holds text that is"),
        ("SELECT load_extension('x') AS id", "--query must be one SELECT statement."),
    ],
)  # fmt: skip
def test_what_cannot_be_selected_in_sqlite_is_refused_in_one_line(
    crm: Path, query: str | None, message: str
) -> None:
    content = crm.read_bytes()
    error = error_of(crm, query)
    assert message in str(error)
    assert isinstance(error, ConfigurationError)
    assert crm.read_bytes() == content
    assert [one.name for one in crm.parent.iterdir()] == [crm.name]


def test_what_is_no_database_of_sqlite_is_named(crm: Path, tmp_path: Path) -> None:
    assert "No such file" in str(error_of(tmp_path / "missing.db", PEOPLE))
    crm.write_bytes(crm.read_bytes()[:1000] + bytes(100))
    error = error_of(crm, PEOPLE)
    assert isinstance(error, StorageError)
    assert "cannot be read: " in str(error)


def test_rows_that_another_program_has_not_committed_are_not_read(crm: Path) -> None:
    with closing(sqlite3.connect(crm)) as writer:
        writer.execute("PRAGMA journal_mode = wal")
        writer.execute("DELETE FROM people WHERE id = 9")
        assert len(rows(crm, PEOPLE)) == 2
        writer.commit()
        assert rows(crm, PEOPLE) == [("new", {"id": 10, "email": "ada@example.com"})]


def test_rows_of_postgres_are_selected_by_a_query(warehouse: str) -> None:
    assert rows(warehouse, f"{PEOPLE};", user_id="email") == [
        ("new", {"id": 9, "email": None}),
        ("new", {"id": 10, "email": "ada@example.com"}),
    ]
    assert rows(warehouse, "SELECT id, '%s %' AS p FROM people WHERE id < 10") == [
        ("new", {"id": 9, "p": "%s %"})
    ]
    assert rows(warehouse, f"{PEOPLE} WHERE false") == []


_TYPES: list[tuple[str, Any]] = [
    ("9007199254740993", 9007199254740993),
    ("7::smallint", 7),
    ("1.25::numeric(15, 2)", 1.25),
    ("1.25::numeric(16, 2)", "1.25"),
    ("1.250", "1.250"),
    ("'NaN'::numeric(5, 2)", None),
    ("'NaN'::numeric", None),
    ("0.1::real", 0.1),
    ("'infinity'::float8", None),
    ("true", True),
    ("NULL::int", None),
    ("NULL", None),
    ("date '2026-03-09'", "2026-03-09"),
    ("date 'infinity'", None),
    ("timestamp '2026-03-09 10:00:00.5'", "2026-03-09T10:00:00.500000"),
    ("timestamptz '2026-03-09 10:00:00+01'", "2026-03-09T09:00:00Z"),
    ("time '10:00'", "10:00:00"),
    ("interval '1 month 2 days'", "P1M2D"),
    ("""'{"a": [1, 9007199254740993, null]}'::json""", {"a": [1, 9007199254740993, None]}),
    ("""'{"a": {"b": 1.5}}'::jsonb""", {"a": {"b": 1.5}}),
    ("'null'::jsonb", None),
    ("ARRAY[1, NULL, 2]", [1, None, 2]),
    ("ARRAY[[1, 2], [3, 4]]", [[1, 2], [3, 4]]),
    ("ARRAY['a,b', NULL, '']", ["a,b", None, ""]),
    ("ARRAY[]::int[]", []),
    ("ARRAY[1.5, 'NaN']::numeric(5, 1)[]", [1.5, None]),
    ("ARRAY[1.50]", ["1.50"]),
    ("ARRAY[timestamptz '2026-03-09 10:00:00+01']", ["2026-03-09T09:00:00Z"]),
    ("ARRAY[timestamp '2026-03-09 10:00:00']", ["2026-03-09T10:00:00"]),
    ("""ARRAY['{"x": 1}'::jsonb]""", [{"x": 1}]),
    ("ARRAY['ok']::mood[]", ["ok"]),
    ("'ok'::mood", "ok"),
    ("'ABCDEF00-0000-4000-8000-000000000000'::uuid", "abcdef00-0000-4000-8000-000000000000"),
    ("inet '10.0.0.1'", "10.0.0.1"),
    ("int4range(1, 3)", "[1,3)"),
    ("'x'::char(3)", "x  "),
    ("'\\x00'", "\\x00"),
    ("to_jsonb(ROW(1, 'x'))", {"f1": 1, "f2": "x"}),
]


def test_types_of_postgres_are_kept(postgres_url: str) -> None:
    schema = postgres_url.rpartition("%3D")[2]
    execute(postgres_url, f"CREATE SCHEMA {schema}", "CREATE TYPE mood AS ENUM ('ok', 'bad')")
    values = ", ".join(f'{sql} AS "c{number}"' for number, (sql, _) in enumerate(_TYPES))
    ((_, found),) = rows(postgres_url, f"SELECT 1 AS id, {values}")
    for number, (sql, expected) in enumerate(_TYPES):
        assert (sql, found[f"c{number}"]) == (sql, expected)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (None, "is a database. Select its rows with --query."),
        ("SELECT * FROM peple", 'relation "peple" does not exist. Write tables of other schemas'),
        ("SELECT emial AS id FROM people", 'column "emial" does not exist. Perhaps you meant'),
        ("SELEC 1", 'syntax error at or near "SELEC"'),
        ("SELECT * FROM salaries", "permission denied for table salaries. Grant the user of"),
        ('SELECT id, email AS "ID" FROM people', "apart from case: `id`, `ID`. Rename them with"),
        ("SELECT email AS id FROM people", "has no `id` in 1 rows, such as row"),
        ("DROP TABLE people", 'syntax error at or near "DROP"'),
        ("SELECT 1 AS id; COMMIT; DROP TABLE people", "--query must be one SELECT statement"),
        ("WITH d AS (DELETE FROM people RETURNING id) SELECT * FROM d", "must not contain data-"),
        ("SELECT nextval('ids') AS id", "SELECT statement, which changes nothing"),
        ("SELECT email::int AS id FROM people", "invalid input syntax for type integer: ...."),
        ("SELECT id / 0 AS id FROM people", "division by zero. Correct the query."),
        ("SELECT 1 AS id, '\\x00'::bytea AS b", "as text, such as encode(\"b\", 'hex')."),
        ("SELECT 1 AS id, ARRAY['\\x00'::bytea] AS b", "ARRAY(SELECT encode(one, 'hex') FROM u"),
        ("SELECT 1 AS id, date '0044-03-15 BC' AS d", "a value that DATE does not have here"),
    ],
)  # fmt: skip
def test_what_cannot_be_selected_in_postgres_is_refused_in_one_line(
    warehouse: str, query: str | None, message: str
) -> None:
    error = error_of(warehouse, query)
    assert message in str(error)
    assert isinstance(error, ConfigurationError)
    assert len(rows(warehouse, PEOPLE)) == 2


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("postgresql://u:hush@127.0.0.1:1/crm", "`postgresql://127.0.0.1:1/crm` cannot be reached"),
        ("postgresql://u:hu@sh@127.0.0.1/crm", "and `@`, `:`, `/`, `?` and `#` in a user or a"),
        ("postgresql://u:12/hush@127.0.0.1/crm", "as %40, %3A, %2F, %3F and %23."),
        ("postgresql://u@127.0.0.1/crm?hush=1", "The address of the PostgreSQL database cannot be"),
        ("mysql://u:hush@127.0.0.1/crm", "Nothing is read from mysql:// addresses."),
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_reached_is_shown_without_secrets(
    address: str, message: str
) -> None:
    assert message in str(error_of(address, PEOPLE))


def test_what_a_driver_says_is_told_in_one_line_without_the_password() -> None:
    error = psycopg.OperationalError("password hush of user u is wrong.\nIs it running?")
    address = read_address("postgresql://u:hush@127.0.0.1/crm", "it")
    assert reason_of_server(error, address.secrets) == "password ... of user u is wrong"


def test_a_wrong_password_and_a_missing_database_are_named(warehouse: str) -> None:
    """The server of the tests may trust everyone; then the first of these is no error."""
    place = warehouse.rpartition("@")[2].partition("/")[0]
    error = error_of(f"postgresql://stranger:hush@{place}/postgres", PEOPLE)
    assert isinstance(error, StorageError)
    assert "Check that its server runs, and the host, the user and the password." in str(error)


def test_a_query_that_takes_too_long_is_ended_by_the_server(warehouse: str) -> None:
    short = warehouse.replace("-csearch", "-cstatement_timeout%3D50%20-csearch")
    error = error_of(short, "SELECT 1 AS id, pg_sleep(60)")
    assert isinstance(error, StorageError)
    assert "statement timeout. Allow more time, or select less." in str(error)


def test_rows_come_in_portions(warehouse: str) -> None:
    """More of them than are asked for at once, and each only once."""
    query = "SELECT i AS id, 'user' || i AS name FROM generate_series(1, 12345) AS i"
    found = rows(warehouse, query)
    assert [one["id"] for _, one in found] == list(range(1, 12346))


def test_rows_are_read_before_the_server_has_made_all_of_them(warehouse: str) -> None:
    query = "SELECT i AS id, 1 / (20000 - i) AS x FROM generate_series(1, 20000) AS i"
    with postgres_result(warehouse, "crm", query) as result:
        assert [one.type for one in result.columns] == ["INTEGER", "INTEGER"]
        first, _ = next(result.groups)
        assert first == list(range(1, len(first) + 1))
        with pytest.raises(ConfigurationError, match="division by zero"):
            list(result.groups)
    assert len(first) < 20_000


def test_without_the_extra_the_command_that_installs_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("psycopg", "framework.postgres_address"):
        monkeypatch.setitem(sys.modules, name, None)
    error = error_of("postgresql://u:hush@127.0.0.1/crm", PEOPLE)
    assert "pip install 'action-destinations[postgres]'" in str(error)


def test_a_result_is_compared_with_the_snapshot_of_an_earlier_one(
    warehouse: str, postgres_url: str, crm: Path, tmp_path: Path
) -> None:
    """The snapshot is not asked again, whatever the query; its types are those of the result."""
    query = "SELECT id, email, to_jsonb(email) AS j, now()::date - now()::date AS n FROM people"
    changes = (
        "UPDATE people SET email = 'grace@example.com' WHERE id = 9",
        "INSERT INTO people VALUES (11, 'mary@example.com')",
    )
    before = tmp_path / "before.parquet"
    assert save_table(warehouse, TableReading(keys=("id",), query=query), before) == 2
    assert before.stat().st_mode & 0o077 == 0
    assert rows(warehouse, query, before=str(before)) == []
    execute(postgres_url, *changes)
    assert [
        (change, one["id"], one["j"]) for change, one in rows(warehouse, query, before=str(before))
    ] == [("updated", 9, "grace@example.com"), ("new", 11, "mary@example.com")]
    reading = TableReading(keys=("id",), query="SELECT * FROM people")
    assert save_table(str(crm), reading, before) == 2
    with closing(sqlite3.connect(crm)) as database, database:
        database.execute("UPDATE people SET paid = 'much' WHERE id = 9")
        database.execute("DELETE FROM people WHERE id = 10")
    assert rows(crm, reading.query, before=str(before)) == [
        ("deleted", {"id": 10, "email": "ada@example.com", "paid": 2.0}),
        ("updated", {"id": 9, "email": None, "paid": "much"}),
    ]


def test_a_database_of_sqlite_is_compared_with_files_of_other_types(
    crm: Path, tmp_path: Path
) -> None:
    """A number is compared with the same number, whatever its type there; text with text."""
    before = tmp_path / "before.parquet"
    values = "(9::BIGINT, NULL, 1.5::DOUBLE), (10, 'ada@example.com', 1.0)"
    duckdb.execute(f"COPY (FROM (VALUES {values}) AS p(id, email, paid)) TO '{before}'")
    assert rows(crm, "SELECT * FROM people", before=str(before)) == [
        ("updated", {"id": 10, "email": "ada@example.com", "paid": 2.0})
    ]
    before = tmp_path / "before.csv"
    before.write_text("id,email\n010,\n9,\n")
    query = "SELECT CAST(id AS TEXT) AS id, email FROM people"
    assert rows(crm, query, before=str(before)) == [
        ("deleted", {"id": "010", "email": None}),
        ("new", {"id": "10", "email": "ada@example.com"}),
    ]
    assert rows(before, None, before=str(before)) == []


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("sum(1)", "`c` (HUGEINT). Cast them in --query"),
        ("INTERVAL 1 MICROSECOND", "intervals shorter than a millisecond. Cast them"),
        ("12345678901234567890::UBIGINT", ""),
        ("[TIMESTAMPTZ '2026-03-09 10:00:00+01']", ""),
        ("{'x': '[1]'::JSON, 'y': 1.5::DECIMAL(38, 2)}", ""),
        ("INTERVAL 13 MONTH", ""),
    ],
)
def test_a_snapshot_holds_the_same_events_or_is_refused(
    tmp_path: Path, value: str, message: str
) -> None:
    """DuckDB writes some types to Parquet as others, which lose digits."""
    source, saved = tmp_path / "crm.duckdb", tmp_path / "saved.parquet"
    duckdb.connect(str(source)).close()
    reading = TableReading(keys=("id",), query=f"SELECT 1 AS id, {value} AS c")
    if message:
        with pytest.raises(ConfigurationError) as caught:
            save_table(str(source), reading, saved)
        assert message in str(caught.value)
        assert not saved.exists()
        return
    assert save_table(str(source), reading, saved) == 1
    assert rows(saved, None) == rows(source, reading.query)


def test_two_databases_are_compared_by_the_same_query(crm: Path, warehouse: str) -> None:
    other = crm.with_name("other.db")
    other.write_bytes(crm.read_bytes())
    with closing(sqlite3.connect(other)) as database, database:
        database.execute("UPDATE people SET email = 'x' WHERE id = 9")
    assert rows(crm, PEOPLE, before=f"sqlite:{other}") == [("updated", {"id": 9, "email": None})]
    assert rows(warehouse, PEOPLE, before=warehouse) == []


def test_a_result_is_known_by_its_rows_in_whatever_order(
    crm: Path, warehouse: str, postgres_url: str, tmp_path: Path
) -> None:
    """So a checkpoint is for the same rows, not for the same bytes of a database."""

    def identity(source: str | Path, query: str) -> Any:
        with open_events(source, table=TableReading(keys=("id",), query=query)) as file:
            assert file.identity is not None
            assert file.identity.form == "result"
            return file.identity.digest

    query = "SELECT id, email FROM people WHERE id < 100"
    first = {source: identity(source, query) for source in (str(crm), warehouse)}
    more = ("UPDATE people SET id = id", "CREATE TABLE other (id int)")
    with closing(sqlite3.connect(crm)) as database, database:
        for statement in more:
            database.execute(statement)
    execute(postgres_url, *more)
    assert {source: identity(source, query) for source in first} == first
    with closing(sqlite3.connect(crm)) as database, database:
        database.execute("UPDATE people SET email = 'null' WHERE id = 9")
    execute(postgres_url, "UPDATE people SET email = 'null' WHERE id = 9")
    for source, digest in first.items():
        assert identity(source, query) != digest
    file = str(tmp_path / "crm.duckdb")
    with duckdb.connect(file) as session:
        session.execute("CREATE TABLE people AS SELECT 1 AS id, 'x' AS email")
    known = identity(file, query)
    with duckdb.connect(file) as session:
        session.execute("CREATE TABLE other AS SELECT 1 AS id")
    assert identity(file, query) == known
