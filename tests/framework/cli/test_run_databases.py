"""`actions run` and other commands with the rows that queries select in databases."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple, TypeAlias

import pytest
from click.testing import Result

from framework.cli import exits
from framework.sandbox import Fault, Sandbox
from tests.postgres import new_server, running_server
from tests.relaying import until

Actions: TypeAlias = Callable[..., Result]

psycopg = pytest.importorskip("psycopg", reason="the extra `postgres` is not installed")

CONNECTION = """\
destination: shop
settings: {customer: us, key: "${env:SHOP_KEY}"}
subscriptions:
  - name: Orders
    partnerAction: order
"""
QUERY = "SELECT thing, note FROM orders"
PASSWORD = "hush"


class Database(NamedTuple):
    """A database with a table `orders`: its *address*, and what executes statements in it."""

    address: str
    execute: Callable[..., None]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_text(CONNECTION)
    return tmp_path


def sqlite_database() -> Database:
    def execute(*statements: str) -> None:
        with closing(sqlite3.connect("shop.db")) as session, session:
            for one in statements:
                session.execute(one)

    return Database("sqlite:shop.db", execute)


def postgres_database(url: str) -> Database:
    def execute(*statements: str) -> None:
        with psycopg.connect(url, autocommit=True) as session:
            for one in statements:
                session.execute(one.encode())

    execute(f"CREATE SCHEMA {url.rpartition('%3D')[2]}")
    return Database(url.replace("postgres@", f"postgres:{PASSWORD}@", 1), execute)


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> Database:
    if request.param == "sqlite":
        found = sqlite_database()
    else:
        found = postgres_database(request.getfixturevalue("postgres_url"))
    found.execute(
        "CREATE TABLE orders (thing text PRIMARY KEY, note int)",
        "INSERT INTO orders VALUES ('tea', 1), ('milk', NULL), ('salt', 3)",
    )
    return found


def command(database: Database, shop: str, *more: object) -> list[str]:
    options = ["run", "-c", "c.yaml", "--endpoint", shop, "-e", database.address, "--key", "thing"]
    return [*options, "--query", QUERY, *map(str, more)]


def sold(sandbox: Sandbox) -> list[str]:
    things: list[str] = sandbox.state()["sold"]
    return things


def test_what_a_query_selects_is_delivered(
    run_actions: Actions, shop: str, shop_sandbox: Sandbox, database: Database
) -> None:
    result = run_actions(*command(database, shop, "--json"))
    assert (result.stderr, result.exit_code) == ("", exits.DONE)
    assert json.loads(result.stdout)["lines"] == 3
    assert sold(shop_sandbox) == ["milk", "salt", "tea"]
    explained = run_actions(
        "explain", "-c", "c.yaml", "--event", database.address, "--key", "thing", "--query", QUERY,
        "--line", "2", "--json",
    )  # fmt: skip
    (event,) = json.loads(explained.stdout)
    assert (event["line"], event["outcome"]) == (2, "delivered")
    checked = run_actions(
        "validate", "c.yaml", "--events", database.address, "--key", "thing", "--query", QUERY
    )
    assert (checked.stdout, checked.exit_code) == ("No problems found.\n", exits.DONE)


def test_an_interrupted_run_resumes_while_the_rows_are_the_same(
    run_actions: Actions, shop: str, shop_sandbox: Sandbox, database: Database
) -> None:
    """Other rows are refused until then; a later result is delivered after a completed run."""
    run = command(database, shop, "--retry-for", "0")
    shop_sandbox.inject(Fault("closed", "order", call=2))
    assert run_actions(*run).exit_code == exits.UNAVAILABLE
    assert sold(shop_sandbox) == ["milk"]
    database.execute("UPDATE orders SET note = 4 WHERE thing = 'tea'")
    refused = run_actions(*run)
    assert refused.exit_code == exits.USAGE
    assert "belongs to a run that was not completed, and since then the rows" in refused.stderr
    assert "--restart" in refused.stderr
    database.execute("UPDATE orders SET note = 1 WHERE thing = 'tea'")
    assert run_actions(*run).exit_code == exits.DONE
    assert sold(shop_sandbox) == ["milk", "salt", "tea"]
    assert run_actions(*run).exit_code == exits.DONE
    assert sold(shop_sandbox) == ["milk", "salt", "tea"]
    database.execute("DELETE FROM orders WHERE thing <> 'tea'")
    assert run_actions(*run).exit_code == exits.DONE
    assert sold(shop_sandbox) == ["milk", "salt", "tea", "tea"]


def test_rows_that_changed_are_delivered_all_with_restart(
    run_actions: Actions, shop: str, shop_sandbox: Sandbox, database: Database
) -> None:
    run = command(database, shop, "--retry-for", "0")
    shop_sandbox.inject(Fault("closed", "order", call=2))
    assert run_actions(*run).exit_code == exits.UNAVAILABLE
    database.execute("INSERT INTO orders VALUES ('rice', 5)")
    assert run_actions(*run, "--restart").exit_code == exits.DONE
    assert sold(shop_sandbox) == ["milk", "milk", "rice", "salt", "tea"]


def test_a_killed_run_continues_after_its_checkpoint(
    run_actions: Actions, shop: str, shop_sandbox: Sandbox, database: Database, site: Path
) -> None:
    """Each row arrives, and only those without a confirmed result are sent again."""
    things = [f"thing{number:04}" for number in range(1_000)]
    values = ", ".join(f"('{one}', 1)" for one in things)
    database.execute("DELETE FROM orders", f"INSERT INTO orders VALUES {values}")  # noqa: S608
    root = str(Path(__file__).parents[3])
    environment = {
        **os.environ,
        "PYTHONPATH": f"{site}{os.pathsep}{root}",
        "SHOP_KEY": "sesame",
        "TMPDIR": str(Path.cwd()),
    }
    run = command(database, shop)
    with subprocess.Popen(
        [sys.executable, "-m", "framework", *run, "--quiet"], env=environment
    ) as process:
        until(lambda: len(sold(shop_sandbox)) > 30 and [*Path().rglob("*.checkpoint")] != [])
        process.kill()
    first = sold(shop_sandbox)
    assert len(first) < len(things)
    (checkpoint,) = Path().rglob("*.checkpoint")
    settled = json.loads(checkpoint.read_text())["position"]["lines"]
    assert run_actions(*run).exit_code == exits.DONE
    again = sold(shop_sandbox)[len(first) :]
    assert set(again) <= set(things[settled:])
    assert sorted({*first, *again}) == things


def test_each_query_has_a_checkpoint_and_dead_letters_of_its_own(
    run_actions: Actions, shop: str, database: Database
) -> None:
    """Next to a file, otherwise next to the connection file; their names hold no password."""
    database.execute("UPDATE orders SET thing = 'poison' WHERE thing = 'tea'")
    for condition in ("thing > 'n'", "thing < 'n'"):
        options = command(database, shop)
        options[options.index(QUERY)] = f"{QUERY} WHERE {condition}"
        result = run_actions(*options)
        assert result.exit_code == (exits.FAILED if condition == "thing > 'n'" else exits.DONE)
        assert PASSWORD not in result.output
        assert "?options" not in result.output
    start = "shop.db-" if database.address.startswith("sqlite:") else "postgres-"
    assert len([*Path().glob(f"{start}*.checkpoint")]) == 2
    (letters,) = Path().glob(f"{start}*.dead-letters.ndjson")
    listed = run_actions("dead-letters", "list", letters)
    assert listed.exit_code == exits.DONE, listed.output
    assert "poison" in letters.read_text()


def test_nothing_that_a_run_writes_holds_a_password(
    run_actions: Actions, shop: str, database: Database, tmp_path: Path
) -> None:
    result = run_actions(
        *command(database, shop, "--json", "--outcomes", "o.ndjson", "--log-file", "log.txt")
    )
    written = [one.read_text() for one in tmp_path.iterdir() if one.suffix != ".db"]
    assert not any(PASSWORD in text for text in [result.output, *written])
    shown = json.loads(result.stdout)
    assert shown["exitCode"] == exits.DONE
    assert PASSWORD not in json.dumps(shown)


def test_a_snapshot_of_a_result_is_saved_and_compared(
    run_actions: Actions, shop: str, shop_sandbox: Sandbox, database: Database
) -> None:
    Path("orders.sql").write_text(f"-- all orders\n{QUERY}\n")
    source = ["rows", database.address, "--key", "thing", "--query-file", "orders.sql"]
    for name in ("before.parquet", "now.parquet"):
        saved = run_actions(*source, "--save", name)
        assert (saved.stderr, saved.exit_code) == ("", exits.DONE)
        assert (
            saved.stdout == f"{'3' if name == 'before.parquet' else '4'} rows saved in `{name}`.\n"
        )
        database.execute(
            "INSERT INTO orders VALUES ('rice', 5)"
        ) if name == "before.parquet" else ()
    counted = run_actions(*source, "--before", "before.parquet", "--count")
    assert counted.stdout == "1 new\n"
    delivered = run_actions(
        "run", "-c", "c.yaml", "--endpoint", shop, "-e", "now.parquet", "--before",
        "before.parquet", "--key", "thing",
    )  # fmt: skip
    assert delivered.exit_code == exits.DONE
    assert sold(shop_sandbox) == ["rice"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("run", "-c", "c.yaml", "-e", "postgresql://u:hush@h/d"), "are read as events with --key"),
        (("explain", "-c", "c.yaml", "--event", "postgresql://u:hush@h/d"), "events with --key"),
        (("validate", "c.yaml", "--events", "postgresql://u:hush@h/d"), "events with --key"),
        (("run", "-c", "c.yaml", "-e", "mysql://u:hush@h/d"), "Nothing is read from mysql://"),
        (("run", "-c", "c.yaml", "--key", "id", "-e", "postgresql://u:hush@h/d", "-e", "t.csv"),
         "A database is read alone; give its address as the only --events."),
        (("rows", "postgresql://u:hush@h/d", "--key", "id"), "Select its rows with --query."),
        (("rows", "postgresql://u:hush@h/d"), "Name the key columns of the table with --key."),
        (("rows", "t.csv", "--key", "id", "--query", "FROM rows", "--query-file", "q.sql"),
         "Give either --query or --query-file, not both."),
        (("rows", "t.csv", "--key", "id", "--query-file", "none.sql"), "`none.sql` cannot be read"),
        (("rows", "t.csv", "--key", "id", "--save", "x", "--count"), "leave out --before and --co"),
        (("rows", "t.csv", "--key", "id", "--save", "x", "--before", "t.csv"), "leave out --befo"),
        (("rows", "t.csv", "--query-file", "q.sql"), "--query: these apply to tables, which are"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused(
    run_actions: Actions, options: tuple[str, ...], message: str
) -> None:
    Path("t.csv").write_text("id\n1\n")
    Path("q.sql").write_text("FROM rows")
    result = run_actions(*options)
    assert message in result.stderr
    assert result.exit_code in {exits.USAGE, exits.STORAGE}
    assert "hush" not in result.output


def test_rows_are_read_from_a_standby(
    run_actions: Actions, shop: str, shop_sandbox: Sandbox
) -> None:
    """A server that follows its primary accepts no changes."""
    with running_server() as primary, new_server() as standby:
        primary.execute("CREATE TABLE orders (thing text PRIMARY KEY, note int)")
        primary.execute("INSERT INTO orders VALUES ('tea', 1), ('milk', NULL)")
        standby.copy_of(primary)
        standby.start(hot_standby="on")
        assert standby.execute("SELECT pg_is_in_recovery()") == [(True,)]
        copied = Database(standby.url, lambda *_: None)
        until(lambda: standby.execute("SELECT count(*) FROM orders") == [(2,)])
        result = run_actions(*command(copied, shop, "--json"))
        assert (result.stderr, result.exit_code) == ("", exits.DONE)
        standby.stop("immediate")
    assert sold(shop_sandbox) == ["milk", "tea"]
