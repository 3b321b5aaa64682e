"""Relays on several hosts with one PostgreSQL store: killed, frozen, cut off; its server lost."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from framework.relay import (
    PostgresStore,
    connection_statuses,
)
from framework.sandbox import Server as HttpServer
from tests.hosts import Host, Network, networks
from tests.postgres import Server, new_server
from tests.proof.conftest import ORIGIN, SETTINGS
from tests.relay_chaos import AUDIENCES, BROKEN, SETTLED, Chaos
from tests.relaying import KEY, RelayProcess, connection_file, until

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

WORKERS: Final = 2

FROZEN: Final = 6.5
"""Seconds that a worker is frozen or cut off: longer than the store waits for it."""

ENDS: Final = 30.0
"""Seconds for a worker to start or to end."""


class Cluster:
    """A primary and its synchronous standby, that hosts reach at *address*."""

    def __init__(self, primary: Server, standby: Server, address: str) -> None:
        self.primary, self.standby = primary, standby
        self._address = address
        self.promoted = False
        primary.create()
        trusted = f"host all all {address}/16 trust\nhost replication all {address}/16 trust\n"
        with (primary.folder / "data" / "pg_hba.conf").open("a") as file:
            file.write(trusted)
        primary.start(**self._options)
        standby.copy_of(primary)
        standby.start(**self._options)
        primary.stop()
        primary.start(**self._options, synchronous_standby_names="*")
        until(lambda: primary.execute("select 1 from pg_stat_replication") != [], ENDS)

    @property
    def url(self) -> str:
        """The address of whichever server takes changes."""
        places = ",".join(f"{self._address}:{one.port}" for one in (self.primary, self.standby))
        return f"postgresql://postgres@{places}/postgres?target_session_attrs=read-write"

    def crash(self) -> None:
        """Stop the server at once, as a power cut would, and start it again."""
        server = self.standby if self.promoted else self.primary
        server.stop("immediate")
        more = {} if self.promoted else {"synchronous_standby_names": "*"}
        server.start(**self._options, **more)

    def fail_over(self) -> None:
        """Lose the primary for ever; its standby takes its place."""
        self.primary.stop("immediate")
        self.standby.promote()
        self.promoted = True

    @property
    def _options(self) -> dict[str, str]:
        return {"listen_addresses": f"127.0.0.1,{self._address}"}


class Worker:
    """A relay with the role of a worker, on a host of its own."""

    def __init__(self, host: Host, arguments: Sequence[str], environment: dict[str, str]) -> None:
        self.host = host
        self._command = host.command([sys.executable, "-m", "framework", *arguments])
        self._environment = environment
        self.lost: list[str] = []
        self.frozen = False
        self.start()

    def start(self) -> None:
        """Start the process."""
        self._process = subprocess.Popen(
            self._command, env=self._environment, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stderr is not None
        reader = threading.Thread(target=self._read, args=(self._process.stderr,), daemon=True)
        reader.start()

    def _read(self, errors: IO[str]) -> None:
        with errors:
            self.lost += errors

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()
        self._process.wait(ENDS)

    def terminate(self) -> int:
        """Ask the process to stop; return its exit code."""
        self._process.terminate()
        return self._process.wait(ENDS)

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None


class ClusterChaos(Chaos):
    """An intake and workers on hosts of their own, with a store on a primary with its standby.

    Two connections deliver to different lists of one partner application. Workers are killed,
    frozen for longer than the store waits for them, also while the partner has their request and
    has not changed anything yet, and cut off from the store, the partner or both. The intake is
    killed, and the server stopped at once; in the middle the primary is lost.
    """

    def __init__(
        self, folder: Path, seed: int, cluster: Cluster, nets: Sequence[Network], hosts: list[Host]
    ) -> None:
        super().__init__(folder, seed, outage=0.0)
        self._cluster, self._hosts = cluster, hosts
        self._to_store, self._to_partner = nets
        self._files = self._connections()
        self._workers: list[Worker] = []
        self._trapped: dict[str, threading.Event] = {}
        self._late = threading.Lock()

    def run(self, incidents: int) -> None:
        """Let so many incidents happen, repair everything, let the relays finish; compare."""
        with HttpServer(self._partner, host=self._to_partner.address) as server, ExitStack() as end:
            self._workers = [self._worker(host, server.url) for host in self._hosts]
            for one in self._workers:
                end.callback(one.kill)
            intake = end.enter_context(self._intakes())
            client = threading.Thread(target=self._send, daemon=True)
            client.start()
            for number in range(incidents):
                time.sleep(self._moments.uniform(0.3, 2.0))
                self._start_again()
                if number == incidents // 2:
                    self.incidents["primary lost"] += 1
                    self._cluster.fail_over()
                else:
                    self._disturb(intake)
            time.sleep(1)
            self._start_again()
            self._stop.set()
            client.join(60)
            with PostgresStore(self._cluster.url) as store:
                until(lambda: _waiting(store) == 0, SETTLED)
                letters = store.dead_letters.list(most=1_000_000)
                self._count_lines()
                self._replay(store.dead_letters)
            for worker in self._workers:
                if worker.terminate():
                    self.wrong.append(f"a worker ended with {worker.lost[-3:]}")
        self._compare({one.message_id for one in letters})

    def _count_lines(self) -> None:
        """Compare the lines that the store has ever taken with the events acknowledged."""
        server = self._cluster.standby if self._cluster.promoted else self._cluster.primary
        ((stored,),) = server.execute(
            "select coalesce(sum(lines), 0)::bigint from action_destinations.streams"
        )
        if int(str(stored)) < len(self.acknowledged):
            self.wrong.append(f"{len(self.acknowledged) - int(str(stored))} events lost")

    def _connections(self) -> list[Path]:
        """Write a connection for each half of the audiences."""
        files = []
        for number, names in enumerate(((*AUDIENCES[:2],), (*AUDIENCES[2:], BROKEN))):
            chosen = " or ".join(f'properties.audience_key = "{name}"' for name in names)
            document = {
                "destination": "actions-criteo-audiences",
                "name": f"Criteo {number}",
                "settings": SETTINGS,
                "subscriptions": [
                    {
                        "name": action,
                        "partnerAction": action,
                        "subscribe": f'type = "track" and event = "{event}" and ({chosen})',
                        "mapping": {"batch_size": 5},
                    }
                    for action, event in (
                        ("addUserToAudience", "Audience Entered"),
                        ("removeUserFromAudience", "Audience Exited"),
                    )
                ],
            }
            path = self.bench.folder / f"criteo{number}.connection.yaml"
            files.append(connection_file(path, document))
        return files

    def _worker(self, host: Host, url: str) -> Worker:
        arguments = ["relay", "--role", "worker", "--from-start", "--store", self._cluster.url]
        for file in self._files:
            arguments += ["-c", str(file)]
        arguments += ["--endpoint", f"{ORIGIN}={url}", "--tries", "3", "--give-up-after", "3s"]
        return Worker(host, arguments, self.bench.environment)

    @contextmanager
    def _intakes(self) -> Iterator[list[RelayProcess]]:
        """Yield a list with the intake, which may be replaced."""
        running = [self._intake()]
        try:
            yield running
        finally:
            running[0].kill()

    def _intake(self) -> RelayProcess:
        arguments = [
            "relay", "--role", "intake", "--store", self._cluster.url, "--listen", "127.0.0.1:0",
            "--metrics", "127.0.0.1:0", "--write-key", KEY,
        ]  # fmt: skip
        relay = RelayProcess(
            [sys.executable, "-m", "framework", *arguments], self.bench.environment
        )
        self._url = relay.url
        return relay

    # Incidents

    def _disturb(self, intake: list[RelayProcess]) -> None:
        worker = self._moments.choice(self._workers)
        kinds = {
            "killed": 4,
            "frozen": 3,
            "frozen within a call": 4,
            "cut off from the store": 2,
            "cut off from the partner": 1,
            "cut off": 1,
            "intake killed": 1,
            "server stopped": 1,
        }
        (kind,) = self._moments.choices([*kinds], [*kinds.values()])
        self.incidents[kind] += 1
        if kind == "killed":
            worker.kill()
            time.sleep(self._moments.uniform(0, 1))
            worker.start()
        elif kind == "frozen":
            worker.send(signal.SIGSTOP)
            time.sleep(FROZEN)
            worker.send(signal.SIGCONT)
        elif kind == "frozen within a call":
            self._trap(worker)
        elif kind.startswith("cut off"):
            self._cut(worker.host, kind)
        elif kind == "intake killed":
            intake[0].kill()
            intake[0] = self._intake()
        else:
            self._cluster.crash()

    def _start_again(self) -> None:
        """Start the workers that have ended because they were started out of reach of the store."""
        for worker in self._workers:
            if not worker.is_running:
                self.incidents["started out of reach"] += 1
                worker.start()

    def _cut(self, host: Host, kind: str) -> None:
        nets = {
            "cut off from the store": [self._to_store],
            "cut off from the partner": [self._to_partner],
        }.get(kind, [self._to_store, self._to_partner])
        for net in nets:
            net.cut(host)
        time.sleep(FROZEN)
        for net in nets:
            net.mend(host)

    def _trap(self, worker: Worker) -> None:
        """Freeze a worker once the partner has its next change, which it makes much later."""
        address = self._to_partner.address_of(worker.host)
        caught = self._trapped[address] = threading.Event()
        if not caught.wait(10):
            self._trapped.pop(address, None)
            self.incidents["frozen within a call"] -= 1
            self.incidents["idle"] += 1
            return
        worker.send(signal.SIGSTOP)
        time.sleep(FROZEN)
        worker.send(signal.SIGCONT)
        time.sleep(1)

    def _partner(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Hold the request of a trapped worker until another one has taken over."""
        trap = None
        if environ["PATH_INFO"].endswith("/contact-list"):
            trap = self._trapped.pop(environ["REMOTE_ADDR"], None)
        if trap:
            trap.set()
            time.sleep(FROZEN - 0.5)
            self.calls["late"] += 1
        return super()._partner(environ, start_response)


def _waiting(store: PostgresStore) -> int:
    return sum(one.waiting for one in connection_statuses(store))


@contextmanager
def cluster_chaos(folder: Path, seed: int) -> Iterator[ClusterChaos]:
    """Yield a chaos on hosts of its own; raises OSError where there can be none."""
    with ExitStack() as stack:
        nets, hosts = stack.enter_context(networks(2, WORKERS))
        servers = [stack.enter_context(new_server(fsync=True)) for _ in range(2)]
        cluster = Cluster(servers[0], servers[1], nets[0].address)
        yield ClusterChaos(folder, seed, cluster, nets, hosts)
