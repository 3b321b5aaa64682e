"""PostgreSQL for tests: a server of the Debian package, or one that already answers."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

if TYPE_CHECKING:
    from pwd import struct_passwd

    import psycopg

GIVEN = "ACTIONS_TEST_POSTGRES"
"""The environment variable with the URL of a server that already answers."""

_USER = "postgres"


def programs() -> Path | None:
    """Return the folder with `initdb` and `pg_ctl` of the newest version, None without any."""
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    folders = sorted(versions, key=lambda one: float(one.parent.name), reverse=True)
    with suppress(OSError, subprocess.CalledProcessError):
        told = subprocess.run(["pg_config", "--bindir"], check=True, capture_output=True, text=True)  # noqa: S607 - found on PATH
        folders.append(Path(told.stdout.strip()))
    if on_path := shutil.which("initdb"):
        folders.append(Path(on_path).parent)
    wanted = ("initdb", "pg_ctl", "pg_basebackup")
    return next((one for one in folders if all((one / name).exists() for name in wanted)), None)


class Server:
    """A server in a folder of its own, with a free port; its files are not synced to the disk."""

    def __init__(self, folder: Path, bin_: Path, *, fsync: bool = False) -> None:
        self.folder, self._bin = folder, bin_
        self.port = _free_port()
        self._fsync = "on" if fsync else "off"
        self._data = folder / "data"

    @property
    def url(self) -> str:
        return f"postgresql://{_USER}@127.0.0.1:{self.port}/postgres"

    def create(self) -> None:
        self.run("initdb", "-U", _USER, "-A", "trust", "-E", "UTF8", "--locale=C", "-N")

    def copy_of(self, primary: Server) -> None:
        """Become a standby of another server."""
        source = f"host=127.0.0.1 port={primary.port} user={_USER}"
        self.run("pg_basebackup", "-R", "-X", "stream", "-c", "fast", "-N", "-d", source)

    def start(self, **more: str) -> None:
        options = {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.folder),
            "fsync": self._fsync,
            "max_connections": "200",
            **more,
        }
        given = " ".join(f"-c {name}='{value}'" for name, value in options.items())
        self.run("pg_ctl", "-w", "-l", str(self.folder / "log"), "-o", given, "start")

    def stop(self, mode: str = "fast") -> None:
        self.run("pg_ctl", "-w", "-m", mode, "stop")

    def promote(self) -> None:
        self.run("pg_ctl", "-w", "promote")

    def execute(self, query: str) -> list[tuple[object, ...]]:
        """Return the rows of a query in a session of its own."""
        with _connect(self.url) as session:
            cursor = session.execute(query.encode())
            return cursor.fetchall() if cursor.description else []

    @property
    def process(self) -> int:
        return int((self._data / "postmaster.pid").read_text().split()[0])

    def run(self, program: str, *arguments: str) -> None:
        command = [str(self._bin / program), "-D", str(self._data), *arguments]
        root = os.geteuid() == 0  # the server refuses to be started by root
        done = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if program != "pg_ctl" else subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            user=_USER if root else None,
            group=_owner().pw_gid if root else None,
            extra_groups=[] if root else None,
            env={**os.environ, "LC_ALL": "C"},
        )
        if done.returncode:
            log = self.folder / "log"
            told = done.stdout or (log.read_text() if log.exists() else "")
            raise RuntimeError(f"{program} failed: {told}")


@contextmanager
def new_server(*, fsync: bool = False) -> Iterator[Server]:
    """Yield a server that is not created yet; it is killed, and its folder removed, at the end."""
    bin_ = programs()
    if bin_ is None:
        pytest.skip("There is no PostgreSQL here: no initdb, pg_ctl and pg_basebackup.")
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        if os.geteuid() == 0:
            try:
                owner = _owner()
            except KeyError:
                pytest.skip(f"PostgreSQL refuses to be started by root, and has no user {_USER}.")
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        server = Server(folder, bin_, fsync=fsync)
        try:
            yield server
        finally:
            with suppress(OSError, ValueError, IndexError):
                os.kill(server.process, signal.SIGQUIT)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running_server(*, fsync: bool = False, **options: str) -> Iterator[Server]:
    """Yield a server that runs."""
    with new_server(fsync=fsync) as server:
        server.create()
        server.start(**options)
        yield server


@contextmanager
def answering_url() -> Iterator[str]:
    """Yield the URL of a database, of a server that is given or of one for this session."""
    if given := os.environ.get(GIVEN):
        yield given
        return
    with running_server() as server:
        yield server.url


@contextmanager
def own_schema(url: str) -> Iterator[str]:
    """Yield the URL of a new store in the database, which is dropped at the end."""
    name = f"test_{secrets.token_hex(6)}"
    sign = "&" if "?" in url else "?"
    try:
        yield f"{url}{sign}options={quote(f'-csearch_path={name}')}"
    finally:
        with _connect(url) as session:
            session.execute(f'drop schema if exists "{name}" cascade'.encode())


def executed(url: str, statements: str) -> None:
    """Execute statements in a session of their own."""
    with _connect(url) as session:
        session.execute(statements.encode())


def _connect(url: str) -> psycopg.Connection[tuple[Any, ...]]:
    import psycopg  # noqa: PLC0415 - of the extra, which not every Python of the tests has

    return psycopg.connect(url, autocommit=True)


def _owner() -> struct_passwd:
    """Return the user who starts the server; raises KeyError if there is none."""
    import pwd  # noqa: PLC0415 - not on every system that imports this module

    return pwd.getpwnam(_USER)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
