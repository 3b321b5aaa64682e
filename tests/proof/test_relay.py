"""The relay as a process, between clients that post events and Criteo's sandbox."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from destinations.criteo_audiences.sandbox import CriteoOptions, CriteoSandbox
from framework.relay import DeadLetter, SQLiteStore
from framework.sandbox import Fault, Server
from tests.deliveries import event, members_of
from tests.proof.conftest import ORIGIN, SETTINGS, Bench
from tests.relaying import KEY, RelayProcess, connection_file, until

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path
    from wsgiref.types import StartResponse, WSGIEnvironment

NAME = "Criteo, spring"
_number = itertools.count()


def command(bench: Bench, *more: object, files: Sequence[Path | str] = ()) -> list[str]:
    """Return the command line of a relay on free ports."""
    chosen: list[object] = ["relay", "--store", f"sqlite:{bench.folder / 'events.db'}"]
    for file in files or [bench.connection]:
        chosen += ["-c", file]
    chosen += ["--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--write-key", KEY]
    return [sys.executable, "-m", "framework", *map(str, chosen), *map(str, more)]


def start(bench: Bench, url: str, *more: object, files: Sequence[Path | str] = ()) -> RelayProcess:
    """Start a relay that delivers to a partner at *url*."""
    line = command(bench, "--endpoint", f"{ORIGIN}={url}", *more, files=files)
    return RelayProcess(line, bench.environment)


def entered(email: str, audience: str = "spring", *, enters: bool = True) -> dict[str, Any]:
    """Return an event with a messageId of its own."""
    return {**event(email, audience, enters=enters), "messageId": f"m{next(_number)}"}


def other_connection(bench: Bench, name: str, client: str) -> Path:
    """Write a connection file for another application of the partner's."""
    document = json.loads(bench.connection.read_text())
    settings = {**SETTINGS, "client_id": client}
    path = bench.folder / f"{client}.connection.yaml"
    return connection_file(path, {**document, "name": name, "settings": settings})


def free() -> CriteoSandbox:
    """Return a partner without a rate limit to speak of."""
    return CriteoSandbox(options=CriteoOptions(rate_limit=1_000_000))


class Refusing:
    """A partner that refuses to change lists, until it does not."""

    def __init__(self, criteo: CriteoSandbox) -> None:
        self.refuses = True
        self._criteo = criteo

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not (self.refuses and environ["PATH_INFO"].endswith("/contact-list")):
            return self._criteo(environ, start_response)
        environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        start_response("400 Bad Request", [("Content-Type", "application/json")])
        return [b'{"errors": [{"code": "no", "title": "No."}]}']


def waiting(name: str = "Criteo, spring") -> str:
    """Return the metric of a connection's waiting lines."""
    return f'actions_waiting_lines{{connection="{name}",stream="events"}}'


def counted(relay: RelayProcess, metric: str, **labels: str) -> float:
    """Return the sum of a metric over all labels but those given."""
    wanted = [f'{key}="{value}"' for key, value in labels.items()]
    found = relay.metrics().items()
    return sum(
        number
        for name, number in found
        if name.partition("{")[0] == metric and all(one in name for one in wanted)
    )


def test_posted_events_reach_the_partner_and_an_idle_relay_stops_within_a_second(
    bench: Bench,
) -> None:
    criteo = free()
    with Server(criteo) as server, start(bench, server.url) as relay:
        relay.post([entered("ada@example.com"), entered("bob@example.com")])
        relay.post([entered("ada@example.com", enters=False)])
        until(lambda: members_of(criteo) == {"spring": {"bob@example.com"}})
        until(lambda: relay.metrics()[waiting()] == 0)
        assert counted(relay, "actions_events_accepted_total", stream="events") == 3
        assert counted(relay, "actions_results_total", outcome="failed") == 0
        health = httpx.get(relay.metrics_url.replace("/metrics", "/healthz"), trust_env=False)
        assert (health.status_code, health.json()) == (200, {"status": "ok"})
        begun = time.monotonic()
        code, _, errors = relay.terminate()
        # With the end of the interpreter, on a busy machine; what hangs takes ten seconds.
        assert time.monotonic() - begun < 5.0
    assert code == 0, errors


def test_no_metric_holds_anything_of_an_event(bench: Bench) -> None:
    criteo = free()
    with Server(criteo) as server, start(bench, server.url) as relay:
        relay.post([entered("ada@example.com"), entered("no address")])
        until(lambda: counted(relay, "actions_dead_letters_written_total") == 1)
        text = httpx.get(relay.metrics_url, trust_env=False).text
        _, output, errors = relay.terminate()
    for word in ("ada", "example.com", "no address", "sandbox-secret", KEY):
        assert word not in text + output + errors


def test_both_servers_listen_on_ipv6(bench: Bench) -> None:
    line = [one.replace("127.0.0.1:0", "[::1]:0") for one in command(bench, "--sandbox")]
    with RelayProcess(line, bench.environment) as relay:
        assert relay.url.startswith("http://[::1]:")
        assert relay.metrics_url.startswith("http://[::1]:")
        relay.post([entered("a@example.com")])
        assert relay.metrics()['actions_events_accepted_total{stream="events"}'] == 1
        assert relay.terminate()[0] == 0


def test_one_connection_that_is_refused_holds_up_no_other(bench: Bench) -> None:
    """Access is denied to one until its file holds valid credentials; nothing of it is lost."""
    criteo = free()
    other = other_connection(bench, "Criteo, autumn", "unknown-client")
    with (
        Server(criteo) as server,
        start(bench, server.url, files=[bench.connection, other]) as relay,
    ):
        relay.post([entered("ada@example.com")])
        until(lambda: members_of(criteo) == {"spring": {"ada@example.com"}})
        until(lambda: counted(relay, "actions_connection_held", connection="Criteo, autumn") == 1)
        relay.post([entered("bob@example.com")])
        people = {"spring": {"ada@example.com", "bob@example.com"}}
        until(lambda: members_of(criteo) == people)
        assert relay.metrics()[waiting("Criteo, autumn")] == 2
        assert counted(relay, "actions_dead_letters") == 0
        assert relay.terminate()[0] == 0


def test_an_outage_is_outlasted(bench: Bench) -> None:
    criteo = free()
    criteo.inject(Fault("server-error", times=5))
    with Server(criteo) as server, start(bench, server.url) as relay:
        relay.post([entered("ada@example.com")])
        until(lambda: members_of(criteo) == {"spring": {"ada@example.com"}})
        assert counted(relay, "actions_partner_requests_total", status="500") == 5
        assert counted(relay, "actions_dead_letters") == 0


def test_what_fails_for_now_is_given_up_as_the_options_say(bench: Bench) -> None:
    criteo = free()
    criteo.inject(Fault("server-error", "amend", times=99))
    options = ("--tries", "2", "--give-up-after", "0")
    with Server(criteo) as server, start(bench, server.url, *options) as relay:
        relay.post([entered("ada@example.com")])
        until(lambda: counted(relay, "actions_dead_letters") == 1)
        assert counted(relay, "actions_results_total", outcome="failed") == 1
    assert members_of(criteo) == {}


def test_a_dead_letter_is_listed_and_replayed(bench: Bench) -> None:
    """Only the failed pair of event and subscription is delivered again."""
    criteo = free()
    partner = Refusing(criteo)
    store = f"sqlite:{bench.folder / 'events.db'}"
    with Server(partner) as server, start(bench, server.url) as relay:
        relay.post([entered("ada@example.com")])
        until(lambda: counted(relay, "actions_dead_letters") == 1)
        partner.refuses = False
        listed = actions(bench, "dead-letters", "list", "--store", store, "--json")
        (letter,) = map(json.loads, listed.splitlines())
        assert letter["subscription"] == "Add users to Audience"
        assert "ada@example.com" not in listed
        shown = actions(bench, "dead-letters", "show", "--store", store)
        assert json.loads(shown)["event"]["context"]["traits"]["email"] == "ada@example.com"
        assert members_of(criteo) == {}
        actions(bench, "dead-letters", "replay", "--store", store)
        until(lambda: members_of(criteo) == {"spring": {"ada@example.com"}})
        until(lambda: counted(relay, "actions_dead_letters") == 0)
    assert json.loads(actions(bench, "status", "--store", store, "--json")) == {
        "connections": [
            {
                "connection": "Criteo, spring", "stream": "events", "waiting": 0, "owned": False,
                "owner": None,
                "deadLetters": 0, "oldestSeconds": None, "doubts": 0,
            }
        ]
    }  # fmt: skip


class Hanging:
    """A partner that does not answer while a list is changed, until it is released."""

    def __init__(self, criteo: CriteoSandbox) -> None:
        self.asked, self.released = threading.Event(), threading.Event()
        self._criteo = criteo

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"].endswith("/contact-list"):
            self.asked.set()
            self.released.wait(60)
        return self._criteo(environ, start_response)


def test_a_call_under_way_is_completed_before_the_relay_ends(bench: Bench) -> None:
    criteo = free()
    partner = Hanging(criteo)
    with Server(partner) as server, start(bench, server.url) as relay:
        relay.post([entered("ada@example.com")])
        assert partner.asked.wait(30)
        threading.Timer(1.5, partner.released.set).start()
        code, _, errors = relay.terminate()
        assert code == 0, errors
        store = f"sqlite:{bench.folder / 'events.db'}"
        found = json.loads(actions(bench, "status", "--store", store, "--json"))
        assert [one["waiting"] for one in found["connections"]] == [0]
    assert members_of(criteo) == {"spring": {"ada@example.com"}}


@pytest.mark.parametrize("signals", [1, 2])
def test_a_call_that_hangs_is_left_and_sent_again(bench: Bench, signals: int) -> None:
    """After the deadline, or at once at the second signal."""
    criteo = free()
    partner = Hanging(criteo)
    within = "1" if signals == 1 else "60"
    with Server(partner) as server:
        with start(bench, server.url, "--stop-within", within) as relay:
            relay.post([entered("ada@example.com")])
            assert partner.asked.wait(30)
            begun = time.monotonic()
            if signals == 2:
                relay.interrupt()
            code, _, errors = relay.terminate()
            assert time.monotonic() - begun < 10
        assert code == 130, errors
        partner.released.set()
        with start(bench, server.url) as again:
            until(lambda: members_of(criteo) == {"spring": {"ada@example.com"}})
            until(lambda: again.metrics()[waiting()] == 0)


def test_a_sandbox_shows_what_it_received(bench: Bench) -> None:
    with RelayProcess(command(bench, "--sandbox"), bench.environment) as relay:
        relay.post([entered("ada@example.com")])
        until(lambda: counted(relay, "actions_results_total", outcome="delivered") == 1)
        code, output, errors = relay.terminate()
    assert code == 0, errors
    assert "Criteo, spring" in output
    assert any(line.split()[:1] == ["spring"] for line in output.splitlines())


def test_a_connection_whose_stream_no_key_feeds_is_refused(bench: Bench) -> None:
    refused = finished(bench, command(bench, files=[f"web={bench.connection}"]))
    assert refused.returncode == 2
    assert refused.stderr == (
        f"Error: No write key feeds the stream `web` that `{bench.connection}` reads. Write "
        "--write-key web=KEY.\n"
    )


def test_the_status_of_a_store_that_is_missing_creates_none(bench: Bench) -> None:
    path = bench.folder / "missing.db"
    found = finished(
        bench, [sys.executable, "-m", "framework", "status", "--store", f"sqlite:{path}"]
    )
    assert found.returncode == 2
    assert found.stderr == (
        f"Error: There is no store `{path}`. `actions relay` creates one when it starts.\n"
    )
    assert not path.exists()


def test_a_second_relay_on_a_store_is_refused(bench: Bench) -> None:
    with Server(free()) as server, start(bench, server.url):
        line = command(bench, "--endpoint", f"{ORIGIN}={server.url}")
        refused = finished(bench, line)
    assert refused.returncode == 2
    assert refused.stderr == (
        "Error: Another process works for the connection `Criteo, spring` on this store. Stop it "
        "first, or name another --store.\n"
    )


def test_a_store_of_another_kind_is_refused(bench: Bench) -> None:
    path = bench.folder / "events.db"
    path.write_text("no database\n")
    path.chmod(0o600)
    refused = finished(bench, command(bench, "--sandbox"))
    assert refused.returncode == 2
    assert refused.stderr == (
        f"Error: `{path}` is not a store of events. Name a file that does not exist, or an "
        "existing store.\n"
    )


def test_the_position_of_another_advertiser_is_refused_until_it_is_forgotten(
    bench: Bench,
) -> None:
    with Server(free()) as server, start(bench, server.url) as relay:
        relay.post([entered("ada@example.com")])
        until(lambda: relay.metrics()[waiting()] == 0)
        assert relay.terminate()[0] == 0
        bench.configure({"advertiser_id": "99"})
        refused = finished(bench, command(bench, "--endpoint", f"{ORIGIN}={server.url}"))
        assert refused.returncode == 2
        assert "was delivered to other settings before" in refused.stderr
        assert "actions forget --store STORE 'Criteo, spring'" in refused.stderr
        where = ("--store", f"sqlite:{bench.folder / 'events.db'}")
        asked = finished(bench, [sys.executable, "-m", "framework", "forget", *where, NAME])
        assert "Remove `Criteo, spring` with 1 audience, which are lost then?" in asked.stderr
        actions(bench, "forget", *where, NAME, "--yes")
        with start(bench, server.url) as again:
            held = [sys.executable, "-m", "framework", "forget", *where, "Criteo, spring"]
            assert finished(bench, held).stderr == (
                "Error: A process works for the connection `Criteo, spring`. Stop its relay "
                "first.\n"
            )
            assert again.terminate()[0] == 0


def test_errors_of_all_connection_files_are_shown_at_once(bench: Bench) -> None:
    broken = [bench.folder / f"{name}.yaml" for name in ("one", "two")]
    for path in broken:
        path.write_text("destination: nowhere\n")
    refused = finished(bench, command(bench, files=[*broken, bench.connection]))
    assert refused.returncode == 2
    assert all(str(path) in refused.stderr for path in broken)


def test_everything_that_is_wrong_is_shown_at_once(bench: Bench) -> None:
    missing = ["one.yaml", "two.yaml"]
    refused = finished(bench, command(bench, files=missing))
    assert refused.returncode == 2
    assert all(f"File `{one}` does not exist." in refused.stderr for one in missing)

    more = ["--write-key", "env:NOT_SET", "--write-key", "env:NOR_THIS", "--allow-host", "http://x"]
    more += ["--allow-origin", "www.example.com"]
    refused = finished(bench, command(bench, *more, files=[bench.connection] * 2))
    assert refused.returncode == 2
    wrong = ["`NOT_SET`", "`NOR_THIS`", "host `http://x`", "origin `www.example.com`", "same name"]
    assert [one for one in wrong if one not in refused.stderr] == []
    assert not (bench.folder / "events.db").exists()


def test_dead_letters_are_not_deleted_unasked(bench: Bench) -> None:
    path = bench.folder / "events.db"
    letter = DeadLetter(
        connection="ads", line=1, subscription="Send", event=b"{}", code="NO",
        outcome={"outcome": "failed"}, tries=1, first=0.0, message_id="m",
    )  # fmt: skip
    with SQLiteStore(path) as store:
        owner = store.own("ads", "events")
        assert owner
        owner.save(0, b"", [letter])
        owner.release()
    forget = [sys.executable, "-m", "framework", "forget", "--store", f"sqlite:{path}", "ads"]
    asked = finished(bench, forget)
    assert asked.returncode != 0
    assert "Remove `ads` with 1 dead letter, which are lost then?" in asked.stderr
    with SQLiteStore(path) as store:
        assert len(store.dead_letters.list()) == 1


def test_a_deadline_is_a_number(bench: Bench) -> None:
    refused = finished(bench, command(bench, "--stop-within", "nan"))
    assert refused.returncode == 2
    assert "`nan` is not a number of seconds" in refused.stderr


def finished(bench: Bench, line: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        line, env=bench.environment, check=False, capture_output=True, text=True, timeout=60
    )


def actions(bench: Bench, *arguments: str) -> str:
    """Run a command that succeeds; return what it prints."""
    found = finished(bench, [sys.executable, "-m", "framework", *arguments])
    assert found.returncode == 0, found.stderr
    return found.stdout
