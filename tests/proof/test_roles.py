"""Intakes and workers as processes of their own, which share a store."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from framework.sandbox import Server
from tests.deliveries import members_of
from tests.proof.conftest import ORIGIN, Bench
from tests.proof.test_relay import entered, free, other_connection
from tests.relaying import KEY, RelayProcess, until


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of a store."""
    if request.param == "sqlite":
        return f"sqlite:{tmp_path / 'events.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


def intake(bench: Bench, store: str, *more: str) -> RelayProcess:
    taken = ["--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--write-key", KEY]
    command = [sys.executable, "-m", "framework", "relay", "--role", "intake", "--store", store]
    return RelayProcess([*command, *taken, *more], bench.environment)


def worker(bench: Bench, store: str, url: str, *files: Path) -> RelayProcess:
    command = [sys.executable, "-m", "framework", "relay", "--role", "worker", "--store", store]
    for file in files or [bench.connection]:
        command += ["-c", str(file)]
    command += ["--metrics", "127.0.0.1:0", "--endpoint", f"{ORIGIN}={url}"]
    return RelayProcess(command, bench.environment, "Worker")


def owners(bench: Bench, store: str) -> dict[str, str | None]:
    """Return the owner of each connection."""
    shown = bench.actions("status", "--store", store, "--json")
    found: list[dict[str, Any]] = json.loads(shown.stdout)["connections"]
    return {one["connection"]: one["owner"] for one in found}


def test_an_intake_and_a_worker_share_a_store(bench: Bench, store: str) -> None:
    criteo = free()
    with (
        Server(criteo) as server,
        intake(bench, store) as taking,
        worker(bench, store, server.url) as working,
    ):
        until(lambda: owners(bench, store) == {"Criteo, spring": working.url})
        taking.post([entered("ada@example.com")])
        until(lambda: members_of(criteo) == {"spring": {"ada@example.com"}})
        assert taking.terminate()[0] == 0
        assert working.terminate()[0] == 0
    assert owners(bench, store) == {"Criteo, spring": None}


def test_a_second_worker_takes_over_when_the_first_is_killed(bench: Bench, store: str) -> None:
    criteo = free()
    with (
        Server(criteo) as server,
        intake(bench, store) as taking,
        worker(bench, store, server.url) as first,
    ):
        until(lambda: owners(bench, store) == {"Criteo, spring": first.url})
        with worker(bench, store, server.url) as second:
            taking.post([entered("ada@example.com")])
            until(lambda: members_of(criteo) == {"spring": {"ada@example.com"}})
            first.kill()
            taking.post([entered("bob@example.com")])
            until(lambda: members_of(criteo) == {"spring": {"ada@example.com", "bob@example.com"}})
            assert owners(bench, store) == {"Criteo, spring": second.url}


def test_connections_are_spread_over_the_workers_and_come_back(
    bench: Bench, postgres_url: str
) -> None:
    files = [bench.connection]
    files += [other_connection(bench, f"Criteo {one}", f"client-{one}") for one in "abc"]

    def spread() -> list[int]:
        found = owners(bench, postgres_url)
        return sorted(Counter(one for one in found.values() if one).values())

    with Server(free()) as server, worker(bench, postgres_url, server.url, *files) as first:
        until(lambda: spread() == [4])
        with worker(bench, postgres_url, server.url, *files) as second:
            until(lambda: spread() == [2, 2])
            with worker(bench, postgres_url, server.url, *files):
                until(lambda: spread() in ([1, 1, 2], [2, 2]))
                first.kill()
                until(
                    lambda: (
                        spread() == [2, 2] and first.url not in owners(bench, postgres_url).values()
                    )
                )
            until(lambda: spread() == [4])
        assert set(owners(bench, postgres_url).values()) <= {None, second.url}


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--role", "intake"], "Missing option '--write-key'."),
        (["--role", "worker"], "Missing option '--connection' / '-c'."),
        (["--role", "intake", "--write-key", "k", "-c", "{c}"], "leave out --connection."),
        (
            ["--role", "worker", "-c", "{c}", "--write-key", "k", "--listen", "127.0.0.1:0"],
            "A worker takes no events: leave out --listen, --write-key.",
        ),
        (["-c", "{c}"], "Missing option '--write-key'."),
    ],
)
def test_options_that_a_role_lacks_or_does_not_use_are_refused(
    bench: Bench, options: list[str], problem: str
) -> None:
    given = [one.format(c=bench.connection) for one in options]
    done = bench.actions("relay", "--store", f"sqlite:{bench.folder / 'x.db'}", *given)
    assert done.exit_code == 2
    assert problem in done.stderr
