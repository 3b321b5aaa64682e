"""Tables as events: types, order, differences, and what is refused."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.definition import membership
from framework.errors import ConfigurationError, StorageError
from framework.events import CHANGES, CHANGES_OF_MODE, START, Position, TableReading, open_events
from framework.events.table_database import MEMORY

BY_ID = TableReading(keys=("id",))
PEOPLE = "id,email,note\n001,+491701,\n002,,a\n"


def texts(path: Path, reading: TableReading = BY_ID, start: Position = START) -> list[bytes]:
    with open_events(path, table=reading) as source:
        return [line for chunk in source.chunks(start) for line in chunk.lines]


def events(path: Path, reading: TableReading = BY_ID) -> list[dict[str, Any]]:
    return [json.loads(line) for line in texts(path, reading)]


def rows(path: Path, reading: TableReading = BY_ID) -> list[tuple[str, Any]]:
    return [(event["event"], event["properties"]) for event in events(path, reading)]


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def parquet(path: Path, select: str) -> Path:
    duckdb.execute(f"COPY ({select}) TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE 10000)")
    return path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id,a\n001,+4917\n", {"id": "001", "a": "+4917"}),
        ("\ufeffid;a\r\n1;x, y\r\n", {"id": "1", "a": "x, y"}),
        ("id\ta\n1\t\n", {"id": "1", "a": None}),
        ('id|a\n1|""\n', {"id": "1", "a": ""}),
        ('id,a\n1,"say ""hi""\nthere"\n', {"id": "1", "a": 'say "hi"\nthere'}),
        ("id,a.b,a.c,.d\n1,2,3,4\n", {"id": "1", "a": {"b": "2", "c": "3"}, ".d": "4"}),
        ("id\n1\n", {"id": "1"}),
        ("id,a\n1,NULL\n", {"id": "1", "a": "NULL"}),
        ('"id","Vor, Name"\n1, x \n', {"id": "1", "Vor, Name": " x "}),
    ],
)  # fmt: skip
def test_csv_is_text_as_it_is(tmp_path: Path, text: str, expected: dict[str, Any]) -> None:
    path = written(tmp_path / "a [1]'s.csv", text)
    assert rows(path) == [("new", expected)]
    packed = tmp_path / "packed"
    packed.write_bytes(gzip.compress(text.encode()))
    assert rows(packed) == [("new", expected)]


def test_types_are_kept(tmp_path: Path) -> None:
    path = parquet(
        tmp_path / "t.parquet",
        "SELECT 9007199254740993 AS id, 1.25::DECIMAL(15,2) AS narrow, 1.25::DECIMAL(38,2) AS wide,"
        " DATE '2026-03-09' AS d, TIMESTAMP '2026-03-09 10:00:00.5' AS t,"
        " TIMESTAMPTZ '2026-03-09 10:00:00+01' AS z, TIME '10:00:00' AS c, INTERVAL 1 DAY AS i,"
        " {'x': 1.5, 'z': TIMESTAMPTZ '2026-03-09 10:00:00+01', 'n': NULL::INT} AS s,"
        " MAP {'k': 1.5::DECIMAL(30,1)} AS m, MAP {1: 'one'} AS numbered, [1, NULL] AS l,"
        " [0.5] AS decimals, '{\"a\": [1]}'::JSON AS j, 'x'::BLOB AS b, 'nan'::DOUBLE AS nan,"
        " true AS yes, NULL::VARCHAR AS nothing, 'a'::ENUM('a') AS e,"
        " UUID 'ABCDEF00-0000-4000-8000-000000000000' AS u",
    )
    reading = TableReading(keys=("id",), user_id="id", timestamp="z", anonymous_id="nothing")
    (event,) = events(path, reading)
    assert event.pop("messageId")
    assert event == {
        "type": "track",
        "event": "new",
        "userId": "9007199254740993",
        "timestamp": "2026-03-09T09:00:00Z",
        "properties": {
            "id": 9007199254740993, "narrow": 1.25, "wide": "1.25", "d": "2026-03-09",
            "t": "2026-03-09T10:00:00.500000", "z": "2026-03-09T09:00:00Z", "c": "10:00:00",
            "i": "P1D", "s": {"x": 1.5, "z": "2026-03-09T09:00:00Z", "n": None}, "m": {"k": "1.5"},
            "numbered": {"1": "one"}, "l": [1, None], "decimals": [0.5], "j": {"a": [1]},
            "b": "eA==", "nan": None, "yes": True, "nothing": None, "e": "a",
            "u": "abcdef00-0000-4000-8000-000000000000",
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("'infinity'::DATE", None),
        ("'-infinity'::TIMESTAMP", None),
        ("'infinity'::TIMESTAMPTZ", None),
        ("'-infinity'::TIMESTAMP_NS", None),
        ("'9999-12-31'::DATE", "9999-12-31"),
        ("['infinity'::TIMESTAMP]", ["9999-12-31T23:59:59.999999"]),
        ("'0044-03-15 (BC)'::DATE", "0044-03-15 (BC)"),
        ("'12024-01-01 01:02:03'::TIMESTAMP", "12024-01-01 01:02:03"),
    ],
)
def test_times_that_json_does_not_have(tmp_path: Path, value: str, expected: Any) -> None:
    """Infinite ones are null, and those of far years text, in tables and in differences."""
    now = parquet(tmp_path / "now.parquet", f"SELECT 1 AS id, {value} AS t")
    assert rows(now) == [("new", {"id": 1, "t": expected})]
    before = parquet(tmp_path / "before.parquet", f"SELECT 2 AS id, {value} AS t")
    found = rows(now, TableReading(keys=("id",), before=str(before), max_deleted=1))
    assert [one["t"] for _, one in found] == [expected, expected]


def test_a_difference_starts_with_what_is_deleted(tmp_path: Path) -> None:
    """So an identifier that moved to another row is removed first, and added then."""
    before = written(tmp_path / "before.csv", "id,email,gone\n1,a,x\n2,b,\n3,c,\n4,d,\n")
    now = written(tmp_path / "now.csv", "id,email\n5,a\n4,d2\n3,c\n2,b\n")
    reading = TableReading(keys=("id",), before=str(before))
    found = rows(now, reading)
    assert found == [
        ("deleted", {"id": "1", "email": "a", "gone": "x"}),
        ("updated", {"id": "4", "email": "d2", "gone": None}),
        ("new", {"id": "5", "email": "a", "gone": None}),
    ]
    assert texts(now, reading) == texts(now, reading)


_TABLE = st.dictionaries(
    st.tuples(st.integers(0, 4), st.sampled_from("ab")),
    st.tuples(st.none() | st.integers(0, 2), st.sampled_from(["", "x", "é"])),
    max_size=8,
)


def _snapshot(path: Path, table: dict[Any, Any]) -> Path:
    cells = (
        f"({i}, '{k}', {'NULL' if n is None else n}, '{t}')" for (i, k), (n, t) in table.items()
    )
    values = ", ".join(cells) or "(0, '', 0, '')"
    limit = "" if table else " LIMIT 0"
    rows = f"(VALUES {values}) t(i, k, n, t){limit}"
    return parquet(path, f"SELECT i, k, n::INT AS n, t FROM {rows}")  # noqa: S608 - made up here


@settings(max_examples=20, deadline=None)
@given(_TABLE, _TABLE, st.sampled_from(sorted(CHANGES_OF_MODE)))
def test_changes_lead_from_one_snapshot_to_the_next(
    tmp_path_factory: pytest.TempPathFactory, before: Any, now: Any, mode: str
) -> None:
    folder = tmp_path_factory.mktemp("snapshots")
    reading = TableReading(
        keys=("i", "k"), before=str(_snapshot(folder / "before", before)), sync_mode=mode,
        max_deleted=1.0,
    )  # fmt: skip
    found = rows(_snapshot(folder / "now", now), reading)
    expected: dict[tuple[str, Any], Any] = {}
    for key in before.keys() | now.keys():
        change = "new" if key not in before else "deleted" if key not in now else "updated"
        if before.get(key) != now.get(key) and change in CHANGES_OF_MODE[mode]:
            expected[change, key] = now.get(key) or before[key]
    order = ["deleted", "updated", "new"]
    assert [(change, (one["i"], one["k"])) for change, one in found] == sorted(
        expected, key=lambda one: (order.index(one[0]), one[1])
    )
    assert {(c, (one["i"], one["k"])): (one["n"], one["t"]) for c, one in found} == expected


def test_the_changes_of_a_mode_are_those_of_memberships() -> None:
    """A sync mode means the same for a table and for a subscription."""
    for mode, changes in CHANGES_OF_MODE.items():
        covered = [
            change
            for change in CHANGES
            if membership({"type": "track", "event": change}, mode) is not None
        ]
        assert tuple(covered) == changes


def test_a_query_selects_rows_in_the_order_of_their_keys(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", "id,n\nb,2\na,1\nc,\n")
    reading = TableReading(keys=("id",), query="SELECT id, n::INT AS n FROM rows WHERE n > '0';")
    assert rows(path, reading) == [("new", {"id": "a", "n": 1}), ("new", {"id": "b", "n": 2})]
    before = written(tmp_path / "before.csv", "id,n\na,1\nb,0\n")
    changed = TableReading(keys=("id",), query=reading.query, before=str(before))
    assert rows(path, changed) == [("new", {"id": "b", "n": 2})]


def test_databases_are_read_by_queries(tmp_path: Path) -> None:
    path = tmp_path / "crm.duckdb"
    with duckdb.connect(str(path)) as database:
        database.execute("CREATE TABLE users AS SELECT 7 AS id, [1] AS l")
    with pytest.raises(ConfigurationError, match="Select its rows with --query"):
        texts(path)
    reading = TableReading(keys=("id",), query="SELECT * FROM users", before=str(path))
    assert rows(path, TableReading(keys=("id",), query="FROM users", change="deleted")) == [
        ("deleted", {"id": 7, "l": [1]})
    ]
    assert rows(path, reading) == []


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        (PEOPLE, {"keys": ("ID",)}, "no column `ID`, which --key names. It has `id`, `email`, `no"),
        (PEOPLE, {"user_id": "uid"}, "has no column `uid`, which --user-id names."),
        (PEOPLE, {"keys": ("email",)}, "has no `email` in 1 rows, such as row 2."),
        ("id\n1\n2\n3\n2\n", {}, "has the same `id` in the rows 2 and 4."),
        ("id,id\n1,2\n", {}, "has columns of the same name, apart from case: `id`, `id`."),
        ("id,Id\n1,2\n", {}, "apart from case: `id`, `Id`."),
        ("id,\n1,2\n", {}, "needs a first line that names every column."),
        ("", {}, "needs a first line that names every column."),
        ("id,a\n1,secret,3\n", {}, "t:2`: the row has 3 columns, the header 2. Correct the file."),
        ('id,a\n1,"secret\n', {}, "t:2`: a quoted value has no end."),
        ("id,a,a.b\n1,2,3\n", {}, "The columns `a` and `a.b` cannot both be properties"),
        (PEOPLE, {"query": "SELECT emial FROM rows"}, "--query cannot be run over "),
        (PEOPLE, {"query": "SELECT email::INT AS id FROM rows"}, ""),
        ("id,a\n1,secret\n", {"query": "SELECT id, a::INT AS a FROM rows"}, ""),
        (PEOPLE, {"query": "SELECT ('secret' || id)::INT AS id FROM rows"}, "--query"),
        (PEOPLE, {"query": "SELECT (98765432100 + id::INT)::INT2 AS id FROM rows"}, "--query"),
        (PEOPLE, {"query": "DROP TABLE rows"}, "--query must be one SELECT statement."),
        (PEOPLE, {"query": "SELECT 1; SELECT 2"}, "--query must be one SELECT statement."),
        (PEOPLE, {"query": "FROM read_text('/etc/hostname')"}, 'Cannot access file "/etc/ho'),
        (PEOPLE, {"query": "FROM 'https://example.com/a.parquet'"}, "--query cannot be run over"),
        ('{"id": 1}\n', {}, "looks like JSON. Tables are read from CSV, Parquet, and databases"),
        ("%PDF-1.7\n", {}, "looks like a PDF document."),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused_in_one_line(
    tmp_path: Path, table: str, options: dict[str, Any], message: str
) -> None:
    path = written(tmp_path / "t", table)
    with pytest.raises(ConfigurationError) as caught:
        texts(path, TableReading(**{"keys": ("id",), **options}))
    text = str(caught.value)
    assert message in text
    assert "\n" not in text
    assert "secret" not in text
    assert "987654" not in text


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_utf_16_is_named_with_the_way_to_convert_it(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "t.csv"
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    path.write_bytes((mark + PEOPLE).encode(encoding))
    with pytest.raises(ConfigurationError, match=r"is UTF-16\. Convert it, .*`iconv -f UTF-16 -t"):
        texts(path, TableReading(keys=("id",)))


def test_columns_of_one_name_are_refused_in_parquet_files(tmp_path: Path) -> None:
    """They would get other names; parts of structs may be called like columns."""
    path = parquet(
        tmp_path / "t", "SELECT 1 AS id, 2 AS Email, 3 AS emaiX, {'id': {'emaiX': 4}, 'b': 5} AS s"
    )
    path.write_bytes(path.read_bytes().replace(b"emaiX", b"email"))
    with pytest.raises(ConfigurationError, match=r"apart from case: `Email`, `email`\. Rename"):
        texts(path)
    nested = parquet(tmp_path / "n", "SELECT 1 AS id, {'id': {'id': 4}, 'b': [5]} AS s, 6 AS b")
    assert rows(nested) == [("new", {"id": 1, "s": {"id": {"id": 4}, "b": [5]}, "b": 6})]


def test_an_incomplete_export_deletes_nobody(tmp_path: Path) -> None:
    before = written(tmp_path / "before.csv", "id\n1\n2\n3\n")
    now = written(tmp_path / "now.csv", "id\n1\n")
    reading = TableReading(keys=("id",), before=str(before))
    with pytest.raises(ConfigurationError, match=r"lacks 2 of the 3 rows .* allows \(50%\)"):
        texts(now, reading)
    allowed = TableReading(keys=("id",), before=str(before), max_deleted=0.67)
    assert len(texts(now, allowed)) == 2
    added = TableReading(keys=("id",), before=str(before), sync_mode="add")
    assert texts(now, added) == []


def test_types_of_both_snapshots_are_the_same(tmp_path: Path) -> None:
    before = written(tmp_path / "before.csv", "id\n1\n")
    now = parquet(tmp_path / "now.parquet", "SELECT 1 AS id")
    with pytest.raises(ConfigurationError, match=r"`id` is INTEGER in .* and VARCHAR in"):
        texts(now, TableReading(keys=("id",), before=str(before)))


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="No such file"):
        texts(tmp_path / "missing.csv")
    with pytest.raises(ConfigurationError, match="is not a file"):
        texts(tmp_path)
    damaged = tmp_path / "damaged.parquet"
    damaged.write_bytes(parquet(tmp_path / "t.parquet", "SELECT 1 AS id").read_bytes()[:-20])
    with pytest.raises(StorageError) as caught:
        texts(damaged)
    assert "\n" not in str(caught.value)
    latin = tmp_path / "latin.csv"
    latin.write_bytes("id,a\n1,é\n".encode("latin-1"))
    with pytest.raises(ConfigurationError, match="is not UTF-8"):
        texts(latin)


def test_without_the_extra_the_command_that_installs_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'action-destinations\[tables\]'"):
        texts(written(tmp_path / "t.csv", PEOPLE))


def test_a_table_is_continued_from_any_row(tmp_path: Path) -> None:
    path = parquet(tmp_path / "t.parquet", "SELECT i AS id, 'n' || i AS n FROM range(5000) t(i)")
    whole = texts(path)
    assert [json.loads(line)["properties"]["id"] for line in whole] == list(range(5000))
    read = 3210
    start = Position(sum(map(len, whole[:read])), read)
    assert texts(path, start=start) == whole[read:]


def test_another_table_or_reading_is_another_file(tmp_path: Path) -> None:
    """Checkpoints are for the same events only; a copy elsewhere counts as the same table."""
    path = written(tmp_path / "t.csv", PEOPLE)
    copy = written(tmp_path / "copy.csv", PEOPLE)
    longer = written(tmp_path / "longer.csv", PEOPLE + "003,x,y\n")
    other = TableReading(keys=("id",), user_id="id")
    since = [TableReading(keys=("id",), before=str(one)) for one in (copy, longer)]

    def identity(path: Path, reading: TableReading = BY_ID) -> Any:
        with open_events(path, table=reading) as source:
            return source.identity

    assert identity(path) == identity(copy)
    different: Iterable[Any] = [
        identity(path), identity(longer), identity(path, other),
        *(identity(path, one) for one in since),
    ]  # fmt: skip
    assert len({one.digest for one in different}) == 5
    with open_events(path, table=BY_ID) as source:
        assert source.is_same(identity(copy))
        assert not source.is_same(identity(longer))


def test_what_is_kept_on_disk_is_private_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    path = written(tmp_path / "t.csv", PEOPLE)
    with open_events(path, table=BY_ID) as source:
        (kept,) = folder.iterdir()
        assert kept.stat().st_mode & 0o077 == 0
        list(source.chunks())
    assert list(folder.iterdir()) == []
    with pytest.raises(ConfigurationError):
        texts(path, TableReading(keys=("email",)))
    assert list(folder.iterdir()) == []


def test_memory_is_bounded_whatever_the_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two snapshots that need more than the limit are compared on disk."""
    assert MEMORY == "1GB"
    monkeypatch.setattr("framework.events.table_database.MEMORY", "120MB")
    wide = "SELECT i AS id, repeat(md5(i::VARCHAR), 20) AS pad FROM range({}, {}) t(i)"
    before = parquet(tmp_path / "before", wide.format(0, 200_000))
    now = parquet(tmp_path / "now", wide.format(20_000, 220_000))
    with open_events(now, table=TableReading(keys=("id",), before=str(before))) as source:
        assert sum(len(chunk.lines) for chunk in source.chunks()) == 40_000
