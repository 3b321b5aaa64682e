"""Relays whose connections belong to one application of the partner's share its token."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from destinations.criteo_audiences.sandbox import CriteoSandbox
from framework.sandbox import Server
from tests.deliveries import members_of
from tests.proof.conftest import ACCESS, Bench
from tests.proof.test_relay import actions, command, counted, entered, free, other_connection, start
from tests.relaying import RelayProcess, until

if TYPE_CHECKING:
    from pathlib import Path
    from wsgiref.types import StartResponse, WSGIEnvironment

NAMES = ("Criteo, spring", "Criteo, autumn")


def files(bench: Bench) -> list[Path]:
    """Return the files of two connections of one application."""
    return [bench.connection, other_connection(bench, NAMES[1], ACCESS["CRITEO_CLIENT_ID"])]


def delivered(relay: RelayProcess, number: int = 1) -> bool:
    """Return whether both connections have delivered so many results since the relay started."""
    return all(
        counted(relay, "actions_results_total", connection=name, outcome="delivered") == number
        for name in NAMES
    )


def test_connections_of_one_application_share_a_token_that_outlives_the_relay(
    bench: Bench,
) -> None:
    """No output, metric or file but the store holds it."""
    criteo = free()
    shown = ""
    with Server(criteo) as server:
        for email in ("ada@example.com", "bob@example.com"):
            with start(bench, server.url, files=files(bench)) as relay:
                relay.post([entered(email)])
                until(lambda: delivered(relay))
                shown += str(relay.metrics())
                code, output, errors = relay.terminate()
                assert code == 0, errors
                shown += output + errors
    assert members_of(criteo) == {"spring": {"ada@example.com", "bob@example.com"}}
    assert criteo.calls["token"] == 1
    where = f"sqlite:{bench.folder / 'events.db'}"
    shown += actions(bench, "status", "--store", where)
    shown += actions(bench, "status", "--store", where, "--json")
    assert "sandbox.token" not in shown
    others = [one for one in bench.written() if one.is_file() and "events.db" not in one.name]
    assert not any(b"sandbox.token" in one.read_bytes() for one in others)


def test_a_changed_secret_makes_a_new_token(bench: Bench) -> None:
    criteo = free()
    with Server(criteo) as server:
        with start(bench, server.url) as relay:
            relay.post([entered("ada@example.com")])
            until(lambda: members_of(criteo) == {"spring": {"ada@example.com"}})
            assert relay.terminate()[0] == 0
        bench.configure({"client_secret": "changed-secret"})
        criteo.admit({**criteo.settings(), "client_secret": "changed-secret"})
        with start(bench, server.url) as relay:
            relay.post([entered("bob@example.com")])
            until(lambda: len(members_of(criteo)["spring"]) == 2)
    assert criteo.calls["token"] == 2


class Expiring:
    """A partner that lets the token expire while both connections change a list with it."""

    def __init__(self, criteo: CriteoSandbox) -> None:
        self._criteo = criteo
        self._both = threading.Barrier(2)
        self.expires = False

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if self.expires and environ["PATH_INFO"].endswith("/contact-list"):
            token = environ["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
            if token == "sandbox.token.1":
                self._both.wait(30)
                self._criteo._state.expire(token)
        return self._criteo(environ, start_response)


def test_a_token_that_both_connections_were_refused_is_renewed_once(bench: Bench) -> None:
    criteo = free()
    partner = Expiring(criteo)
    with Server(partner) as server, start(bench, server.url, files=files(bench)) as relay:
        relay.post([entered("ada@example.com")])
        until(lambda: delivered(relay))
        partner.expires = True
        relay.post([entered("bob@example.com")])
        until(lambda: delivered(relay, 2))
        assert counted(relay, "actions_results_total", outcome="failed") == 0
    assert criteo.calls["token"] == 2


def test_relays_on_one_store_share_a_token(bench: Bench) -> None:
    criteo = free()
    with Server(criteo) as server, ExitStack() as stack:
        relays = [
            stack.enter_context(start(bench, server.url, files=[file])) for file in files(bench)
        ]
        for relay, email in zip(relays, ("ada@example.com", "bob@example.com"), strict=True):
            relay.post([entered(email)])
        for relay in relays:
            until(lambda: counted(relay, "actions_results_total", outcome="delivered") == 2)  # noqa: B023 - waits here
    assert criteo.calls["token"] == 1


def test_sandboxes_have_tokens_of_their_own(bench: Bench) -> None:
    """Each connection has a sandbox of its own, and so has each relay."""
    for number in range(2):
        line = command(bench, "--sandbox", files=files(bench))
        with RelayProcess(line, bench.environment) as relay:
            relay.post([entered(f"{number}@example.com")])
            until(lambda: delivered(relay))
            assert counted(relay, "actions_partner_requests_total", status="401") == 0
            assert relay.terminate()[0] == 0
