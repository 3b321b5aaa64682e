"""The PostgreSQL store: who owns what when processes, servers and networks fail, and its schema."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from framework.delivery import Audience, Member, MemberChange
from framework.errors import ConfigurationError, OwnershipLostError, StorageError
from framework.relay import DeadLetter, DeadLetterFilter, Doubt, Owner, PostgresStore
from framework.relay import postgres_schema as schema
from framework.relay import postgres_sessions as sessions
from tests.middlemen import pooling
from tests.postgres import new_server, own_schema, running_server

ROOT = Path(__file__).parents[3]

OWNING = """
import sys, time
from framework.errors import OwnershipLostError
from framework.relay import PostgresStore
store = PostgresStore(sys.argv[1])
store.workers(["ads"])
owner = store.own("ads", "web")
print(owner.epoch, flush=True)
for line in sys.stdin:
    try:
        owner.check()
        print("mine", flush=True)
    except OwnershipLostError:
        print("lost", flush=True)
"""


@pytest.fixture
def store(postgres_url: str) -> Iterator[PostgresStore]:
    with PostgresStore(postgres_url) as opened:
        yield opened


def owned(store: PostgresStore, name: str = "ads", *, within: float = 0.0) -> Owner:
    """Own a connection that is or becomes free."""
    end = time.monotonic() + within
    while (owner := store.own(name, "web")) is None:
        assert time.monotonic() < end, "it was not freed in time"
        time.sleep(0.02)
    return owner


class Owning:
    """A process that owns the connection `ads`."""

    def __init__(self, url: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", OWNING, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert self.read() == "1"

    def read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def ask(self) -> str:
        """Return whether the connection is `mine` or `lost` to the process."""
        assert self.process.stdin is not None
        self.process.stdin.write("?\n")
        self.process.stdin.flush()
        return self.read()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


# Taking over


def test_a_connection_is_taken_over_within_a_second_of_a_kill(
    store: PostgresStore, postgres_url: str
) -> None:
    with Owning(postgres_url) as other:
        assert other.ask() == "mine"
        assert store.own("ads", "web") is None
        assert store.workers(["ads"]) == 2
        other.process.kill()
        assert owned(store, within=1.0).epoch == 2
        assert store.workers(["ads"]) == 1


def test_a_frozen_owner_loses_its_connection(store: PostgresStore, postgres_url: str) -> None:
    with Owning(postgres_url) as other:
        time.sleep(2.0)  # an owner that lives is left alone
        assert store.own("ads", "web") is None
        other.process.send_signal(signal.SIGSTOP)
        assert owned(store, within=6.0).epoch == 2
        other.process.send_signal(signal.SIGCONT)
        assert other.ask() == "lost"


def test_an_owner_without_work_keeps_its_connection(postgres_url: str) -> None:
    with PostgresStore(postgres_url, takeover=1.0) as store:
        owner = owned(store)
        store.workers(["ads"])
        time.sleep(2.5)
        owner.check()
        assert store.workers(["ads"]) == 1


def test_an_owner_whose_session_was_ended_is_refused(store: PostgresStore) -> None:
    first = owned(store)
    store.append("web", [b"1"])
    end_sessions(store)
    assert store.append("web", [b"2"], ["b"]).stored == 1
    second = owned(store, within=1.0)
    for late in (
        first.check,
        lambda: first.save(2, b"late"),
        lambda: first.save_members([change()]),
    ):
        with pytest.raises(OwnershipLostError, match="no longer works for the connection `ads`"):
            late()
    first.release()
    second.check()
    assert (second.epoch, second.position.offset, second.checkpoint) == (2, 0, b"")
    assert len(store.read("web", 0)) == 2


def change() -> MemberChange:
    return MemberChange(Audience("a", "b", "c", "d"), b"x" * 16, Member(True, True, 1))


def end_sessions(store: PostgresStore) -> None:
    """End the sessions of all stores at the server."""
    with store._address.open() as other:
        other.execute(
            "select pg_terminate_backend(pid, 1000) from pg_stat_activity "
            "where pid <> pg_backend_pid() and application_name like 'actions %'"
        )


class Cable:
    """A network to a server that can be cut: nothing arrives any more, and nobody is told."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._whole = threading.Event()
        self._whole.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._ends: list[socket.socket] = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        self._whole.clear()

    def close(self) -> None:
        for one in self._ends:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._port))
                self._ends += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while content := one.recv(65536):
                if not self._whole.is_set():
                    return
                other.sendall(content)
            other.close()


def test_an_owner_that_is_cut_off_loses_its_connection(
    store: PostgresStore, postgres_url: str
) -> None:
    port = urlsplit(postgres_url).port
    assert port is not None
    cable = Cable(port)
    try:
        with PostgresStore(postgres_url.replace(f":{port}", f":{cable.port}")) as far:
            owner = owned(far)
            assert store.own("ads", "web") is None
            cable.cut()
            taken = owned(store, within=6.0)
            assert taken.epoch == 2
            cable.close()
            with pytest.raises(OwnershipLostError):
                owner.save(1, b"late")
            taken.check()
    finally:
        cable.close()


def test_an_owner_that_takes_no_results_loses_its_connection(
    store: PostgresStore, postgres_url: str
) -> None:
    """A frozen process to which the server is sending something gives no sign of idleness."""
    address = sessions.Address(postgres_url)
    with closing(address.open(**sessions.owning_settings(4.0))) as session:
        session.execute("select pg_advisory_lock(%s)", (address.key("owner", "ads"),))
        session.pgconn.send_query(b"select repeat('x', 10000) from generate_series(1, 10000)")
        assert store.own("ads", "web") is None
        owned(store, within=6.0).check()


# A server that stops


def test_nothing_acknowledged_is_lost_when_the_server_dies_and_comes_back() -> None:
    with running_server() as server, PostgresStore(server.url) as store:
        owner = owned(store)
        acknowledged: list[int] = []
        reasons: set[str] = set()
        ended = threading.Event()

        def append() -> None:
            number = 0
            while not ended.is_set():
                try:
                    store.append("web", [b"%d" % number], [str(number)])
                except StorageError as error:
                    reasons.add(str(error).partition("cannot be ")[2][:7])
                    time.sleep(0.01)
                    continue
                acknowledged.append(number)
                number += 1

        with ThreadPoolExecutor(1) as pool:
            appending = pool.submit(append)
            for _ in range(2):
                reached = len(acknowledged)
                wait_until(lambda reached=reached: len(acknowledged) > reached + 20)  # type: ignore[misc]
                server.stop("immediate")
                with pytest.raises(OwnershipLostError):
                    owner.check()
                with pytest.raises(StorageError, match=r"cannot be reached.*Check that its server"):
                    store.read("web", 0)
                server.start()
                owner = owned(store, within=5.0)
            reached = len(acknowledged)
            wait_until(lambda: len(acknowledged) > reached + 20)
            ended.set()
            appending.result()
        kept = [int(line) for chunk in store.read("web", 0, 10**9) for line in chunk.lines]
        assert kept == list(range(len(kept)))
        assert acknowledged == kept
        assert reasons == {"reached"}
        owner.save(store.read("web", 0, 10**9)[-1].end.offset, b"done")
        assert store.read("web", 0) == []


def test_a_store_follows_its_primary() -> None:
    """What was acknowledged with a synchronous standby is there when that one takes over."""
    with (
        running_server(synchronous_standby_names="*", synchronous_commit="local") as primary,
        new_server() as standby,
    ):
        standby.copy_of(primary)
        standby.start(hot_standby="on")
        wait_until(
            lambda: (
                primary.execute("select 1 from pg_stat_replication where sync_state = 'sync'") != []
            )
        )
        hosts = f"127.0.0.1:{primary.port},127.0.0.1:{standby.port}"
        url = primary.url.replace(f"127.0.0.1:{primary.port}", hosts)
        with PostgresStore(f"{url}?options=-csynchronous_commit%3Don") as store:
            owner = owned(store)
            for number in range(50):
                store.append("web", [b"%d" % number], [str(number)])
            owner.save(10, b"ten")
            primary.stop("immediate")
            standby.promote()
            again = owned(store, within=6.0)
            assert (again.epoch, again.position.offset, again.checkpoint) == (2, 10, b"ten")
            kept = [int(line) for chunk in store.read("web", 0, 10**9) for line in chunk.lines]
            assert kept == list(range(10, 50))
            assert store.append("web", [b"49", b"50"], ["49", "50"]) == (1, 1)
            with pytest.raises(OwnershipLostError):
                owner.save(20, b"late")
        standby.stop("immediate")


def wait_until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)


# Reaching the server


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ada:s3cr3t@127.0.0.1:1/events",
        "postgresql://ada@127.0.0.1:1/events?password=s3cr3t",
        "postgresql://ada:s3cr3t@127.0.0.1:1,127.0.0.1:2/events?sslpassword=s3cr3t",
        "postgresql://ada:s3cr3t@[::1]:1/events",
    ],
)
def test_a_server_out_of_reach_is_named_without_the_password(url: str) -> None:
    with pytest.raises(StorageError, match=r"cannot be reached: .*refused") as caught:
        PostgresStore(url)
    text = f"{caught.value} {caught.value!r} {caught.value.__cause__}"
    assert "s3cr3t" not in text
    assert "The store `postgresql://" in text
    assert "ada" not in text
    assert "/events` cannot be reached" in text


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ada:s3@cr3t@localhost/events",
        "postgresql://ada:s3:cr3t/@localhost/events",
        "postgresql://ada:s3cr3t@localhost:port/events",
        "postgresql://ada:s3cr3t@localhost/events?nothing=s3cr3t",
        "postgresql://ada:s3cr3t@localhost/%zz",
        "postgresql://[s3cr3t",
    ],
)
def test_an_address_that_cannot_be_read_is_not_repeated(url: str) -> None:
    with pytest.raises(
        ConfigurationError, match="address of the PostgreSQL store cannot"
    ) as caught:
        PostgresStore(url)
    assert "cr3t" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_a_password_that_is_wrong_is_not_shown(postgres_url: str) -> None:
    parts = urlsplit(postgres_url)
    url = f"postgresql://nobody:s3cr3t@127.0.0.1:{parts.port}/postgres"
    with pytest.raises(StorageError, match="cannot be reached") as caught:
        PostgresStore(url)
    assert "s3cr3t" not in str(caught.value)


def test_an_older_server_is_refused(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "OLDEST", 99)
    with pytest.raises(ConfigurationError, match=r"is PostgreSQL \d+\. Use version 99 or newer"):
        PostgresStore(postgres_url)


def test_a_pooler_is_refused(postgres_url: str) -> None:
    """Its sessions are not those of the server, so that several own one advisory lock."""
    port = urlsplit(postgres_url).port
    assert port
    with pooling(port) as other:
        url = postgres_url.replace(f":{port}/", f":{other}/")
        with pytest.raises(ConfigurationError, match="is behind a pooler such as PgBouncer"):
            PostgresStore(url)


def test_what_is_acknowledged_is_on_the_disk(postgres_server: str) -> None:
    name = "off_by_default"
    with psycopg.connect(postgres_server, autocommit=True) as session:
        session.execute(f"create database {name}".encode())
        session.execute(f"alter database {name} set synchronous_commit = off".encode())
        try:
            url = postgres_server.rpartition("/")[0] + f"/{name}"
            address = sessions.Address(url)
            with address.open() as one:
                assert one.execute("show synchronous_commit").fetchone() == ("on",)
            one.close()
        finally:
            session.execute(f"drop database {name} with (force)".encode())


# The schema


def test_a_newer_version_is_refused(store: PostgresStore, postgres_url: str) -> None:
    with store._address.open() as session:
        session.execute("update facts set value = 99 where name = 'version'")
    with pytest.raises(ConfigurationError, match="has version 99 of its format"):
        PostgresStore(postgres_url)


def test_a_schema_of_another_program_is_left_alone(postgres_url: str) -> None:
    address = sessions.Address(postgres_url)
    with address.open() as session:
        session.execute(f'create schema "{address.schema}"'.encode())
        session.execute("create table people(name text)")
    with pytest.raises(ConfigurationError, match=r"belongs to another program.*another schema"):
        PostgresStore(postgres_url)
    with address.open() as session:
        query = "select relname from pg_class where relnamespace = %s::regnamespace"
        assert session.execute(query, (address.schema,)).fetchall() == [("people",)]


@pytest.mark.parametrize(
    "facts",
    ["facts(name text, value text)", "facts(name text, value integer)", "facts(label text)"],
)
def test_a_table_of_another_program_with_the_same_name_is_no_version(
    postgres_url: str, facts: str
) -> None:
    address = sessions.Address(postgres_url)
    with address.open() as session:
        session.execute(f'create schema "{address.schema}"'.encode())
        session.execute(f"create table {facts}".encode())
        if "value" in facts:
            session.execute("insert into facts values('version', '1')")
    with pytest.raises(ConfigurationError, match="belongs to another program"):
        PostgresStore(postgres_url)


def test_a_user_who_may_create_nothing_is_told_what_is_needed(postgres_url: str) -> None:
    address = sessions.Address(postgres_url)
    needed = f"needs CREATE on the database, or has to own the schema `{address.schema}`"
    user = f"nobody_{uuid4().hex}"
    url = make_conninfo(postgres_url, user=user)
    with address.open() as session:
        session.execute(f"create role {user} login".encode())
        try:
            with pytest.raises(StorageError, match=needed):
                PostgresStore(url)
            session.execute(f'create schema "{address.schema}"'.encode())
            with pytest.raises(StorageError, match=needed):
                PostgresStore(url)
        finally:
            session.execute(f"drop role {user}".encode())


def test_a_store_that_has_to_exist_is_not_created(postgres_url: str) -> None:
    with pytest.raises(
        ConfigurationError, match=r"There is no store at `postgresql://.*`\. `actions"
    ):
        PostgresStore(postgres_url, create=False)
    PostgresStore(postgres_url).close()
    PostgresStore(postgres_url, create=False).close()


def test_an_older_version_is_migrated_as_a_whole_or_not_at_all(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with PostgresStore(postgres_url) as store:
        store.append("web", [b"1"])
    before = schema.MIGRATIONS
    monkeypatch.setattr(
        schema, "MIGRATIONS", (*before, "create table more(x int); create table streams()")
    )
    with pytest.raises(StorageError, match='cannot be opened: relation "streams" already exists'):
        PostgresStore(postgres_url)
    monkeypatch.setattr(schema, "MIGRATIONS", (*before, "create table more(x int)"))
    for _ in range(2):
        with PostgresStore(postgres_url) as store, store._address.open() as session:
            query = "select value from facts where name = 'version'"
            assert session.execute(query).fetchone() == (2.0,)
            assert session.execute("select count(*) from more").fetchone() == (0,)
            assert len(store.read("web", 0)) == 1


def test_stores_of_one_database_know_nothing_of_each_other(postgres_server: str) -> None:
    with (
        own_schema(postgres_server) as one,
        own_schema(postgres_server) as other,
        PostgresStore(one) as first,
        PostgresStore(other) as second,
    ):
        owned(first)
        owned(second)
        first.append("web", [b"1"])
        assert second.read("web", 0) == []
        with first.state.lock("renew"), second.state.lock("renew", patience=0.0):
            pass
        assert first.workers(["ads"]) == second.workers(["ads"]) == 1


# Content


def test_text_may_hold_what_postgresql_calls_no_text(store: PostgresStore) -> None:
    odd = "a\0b\ud800"
    owner = owned(store)
    store.append("web", [b"1"], [odd])
    assert store.append("web", [b"1"], [odd]) == (0, 1)
    letter = DeadLetter(
        connection="ads", line=1, subscription=odd, event=b"\0", code=odd,
        outcome={"message": "\0"}, message_id=odd, at=1.0,
    )  # fmt: skip
    owner.save(0, b"\0", [letter])
    for which in (DeadLetterFilter(message_id=odd), DeadLetterFilter(code=odd, subscription=odd)):
        (found,) = store.dead_letters.list(which)
        assert (found.message_id, found.code, found.outcome) == (odd, odd, {"message": "\0"})
    store.state.put("plugin", odd, "\0")
    assert store.state.get("plugin", odd) == "\0"
    audience = Audience("list", odd, "name", odd)
    ads = owner.memberships("account")
    known = ads.look_up(audience, [])
    owner.save_members([MemberChange(audience, b"x" * 16, Member(True, True, 1), known.version)])
    store.ledger.doubt("ads", [Doubt(audience, b"x" * 16, odd, "account")])
    (doubt,) = owner.doubts()
    assert (doubt.audience, doubt.identifier) == (audience, odd)
    assert [one.audience for one in store.ledger.audiences()] == [audience]


def test_what_two_processes_append_at_once_is_stored_once(postgres_url: str) -> None:
    stores = [PostgresStore(postgres_url) for _ in range(4)]

    def append(store: PostgresStore) -> int:
        return sum(
            store.append("web", [b"%d" % one] * 2, [f"{one}", f"{one} again"]).stored
            for one in range(40)
        )

    try:
        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(append, stores)) == 80
        kept = [int(line) for chunk in stores[0].read("web", 0, 10**9) for line in chunk.lines]
        assert sorted(kept) == sorted([*range(40)] * 2)
        assert [one for at, one in enumerate(kept) if one not in kept[:at]] == [*range(40)]
    finally:
        for store in stores:
            store.close()


def test_owners_that_settle_at_once_leave_nothing(postgres_url: str) -> None:
    with PostgresStore(postgres_url) as one, PostgresStore(postgres_url) as other:
        owners = [owned(one, "a"), owned(other, "b")]

        def settle(owner: Owner) -> None:
            for number in range(1, 101):
                owner.save(number, b"")

        for _ in range(100):
            one.append("web", [b"x"])
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(settle, owners))
        assert one.read("web", 0) == []
        with one._address.open() as session:
            assert session.execute("select kept, bytes from streams").fetchall() == [(0, 0)]


def test_a_clock_is_that_of_the_server(postgres_url: str) -> None:
    with PostgresStore(postgres_url) as one, PostgresStore(postgres_url) as other:
        assert abs(one.clock.monotonic() - other.clock.monotonic()) < 0.05
        assert abs(one.clock.monotonic() - time.time()) < 0.05
        before = one.clock.monotonic()
        one._clock._ahead -= 100.0  # as if the server's clock had been set
        assert one.clock.monotonic() >= before
        with one._address.open() as session:
            one._clock.set(session)
        assert abs(one.clock.monotonic() - other.clock.monotonic()) < 0.05


def test_a_member_takes_130_bytes_at_most(store: PostgresStore) -> None:
    owner = owned(store)
    ads = owner.memberships("account")
    audience = Audience("list", "scope", "name", "Buyers")
    version = ads.look_up(audience, []).version
    people = store.ledger.digests([str(number) for number in range(40_000)])
    for start in range(0, len(people), 5_000):
        some = people[start : start + 5_000]
        owner.save_members(
            [MemberChange(audience, one, Member(True, True, 1), version) for one in some]
        )
    with store._address.open() as session:
        row = session.execute("select pg_total_relation_size('members')").fetchone()
    assert row is not None
    assert row[0] / len(people) <= 130
