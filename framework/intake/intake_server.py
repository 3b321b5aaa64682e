"""The HTTP server of an intake."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Self

from framework.errors import ConfigurationError
from framework.intake.arrivals import Arrivals
from framework.intake.front_gate import FrontGate
from framework.intake.tracking_app import IntakeOptions, tracking_app
from framework.intake.write_keys import WriteKeys

if TYPE_CHECKING:
    from framework.relay import EventStore

_BACKLOG: Final = 1024
"""Connections that wait until the server accepts them."""


class IntakeServer:
    """Takes events on *host* and *port* (0 lets the system choose) and keeps them in *store*.

    ::

        keys = WriteKeys.read(["web=env:WEB_WRITE_KEY"])
        with SQLiteStore("events.db") as store, IntakeServer(store, keys, port=8080) as intake:
            ...

    A request is answered with success when its events are durable in the streams that its write
    key feeds. The address is bound when the server is constructed; requests wait until it is
    started, and it serves from a thread of its own. It has no TLS: if *host* is not a loopback
    address, put a proxy with TLS in front of it.
    Raises ConfigurationError if the address cannot be used.
    """

    def __init__(
        self,
        store: EventStore,
        keys: WriteKeys,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        options: IntakeOptions | None = None,
    ) -> None:
        options = options or IntakeOptions()
        self._arrivals = Arrivals()
        self._socket = _bound(host, port)
        self._host = f"[{host}]" if ":" in host else host
        self.port: int = self._socket.getsockname()[1]
        app = tracking_app(store, keys, options, self._arrivals)
        hosts = (self._host, *options.hosts)
        self._app = FrontGate(app, hosts, options.origins, self._arrivals)
        self._server: Any = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The server's address: `http://` with host and port, without a trailing slash."""
        return f"http://{self._host}:{self.port}"

    @property
    def alive(self) -> bool:
        """Whether the server is running."""
        return self._thread is not None and self._thread.is_alive()

    def counts(self) -> Mapping[tuple[str, str], int]:
        """Return how many events were `accepted`, `repeated` and `invalid`, by stream.

        Requests that were `refused` are counted by the code of the response.
        """
        return self._arrivals.counts()

    def start(self) -> None:
        """Start serving."""
        import uvicorn  # noqa: PLC0415 - heavy, imported at first use

        config = uvicorn.Config(
            self._app,
            log_level="critical",  # lines of a server that stops are not errors
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            backlog=_BACKLOG,
        )
        config.load()
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="intake", daemon=True
        )
        self._thread.start()

    def stop(self, seconds: float = 10.0) -> None:
        """Take no more requests, complete those under way within *seconds*, and end.

        Further calls have no effect.
        """
        if self._thread is not None:
            self._server.config.timeout_graceful_shutdown = seconds
            self._server.should_exit = True
            self._thread.join(seconds + 5.0)
            self._thread = None
        self._socket.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With its protocol named, asyncio sends each response at once instead of waiting for an ACK.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(_BACKLOG)
    except OSError as error:
        bound.close()
        reason = error.strerror or str(error)
        raise ConfigurationError(
            f"The address {host}:{port} cannot be used: {reason}. Name another one with --listen; "
            "port 0 selects a free one."
        ) from None
    return bound
