"""The tester on a local address, served by uvicorn."""

from __future__ import annotations

import secrets
import socket
import threading
from typing import TYPE_CHECKING, Any, Final, Self

from framework.errors import ConfigurationError
from framework.sandbox import LOOPBACK_NAMES

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_GRACE: Final = 1
"""Seconds in which streams must end when the server stops."""


def new_token() -> str:
    """Return a random token."""
    return secrets.token_urlsafe(24)


def host_names(host: str) -> frozenset[str]:
    """Return the accepted host names of a server on *host*: loopback has several."""
    own = {host.strip("[]").lower(), socket.gethostname().lower()}
    return LOOPBACK_NAMES if host in LOOPBACK_NAMES else LOOPBACK_NAMES | own


class LocalServer:
    """An ASGI app on *host* and *port* (0 lets the system choose); bound when constructed.

    As a context manager it serves from a thread of its own until the block ends; `run` serves
    until it is interrupted. Raises ConfigurationError if the address is in use.
    """

    def __init__(self, app: ASGIApp, *, host: str = "127.0.0.1", port: int = 0) -> None:
        import uvicorn  # noqa: PLC0415 - heavy, imported at first use

        self._socket = _bound(host, port)
        self._host = f"[{host}]" if ":" in host else host
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            app,
            log_level="critical",  # streams that end with the server are not errors
            access_log=False,  # addresses contain tokens
            lifespan="off",
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=_GRACE,
        )
        self._server: Any = uvicorn.Server(config)

    @property
    def url(self) -> str:
        """The server's address: `http://` with host and port, without a trailing slash."""
        return f"http://{self._host}:{self.port}"

    def run(self) -> None:
        """Serve until the process is interrupted."""
        try:
            self._server.run(sockets=[self._socket])
        except KeyboardInterrupt:
            pass
        finally:
            self.close()

    def close(self) -> None:
        """Free the address of a server that is not to run."""
        self._socket.close()

    def __enter__(self) -> Self:
        self._server.config.load()
        self._thread = threading.Thread(target=self.run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.should_exit = True
        self._thread.join()


def usable_port(host: str, port: int) -> int:
    """Return a port that is free now, for 0 one that the system chooses.

    Raises ConfigurationError if the address is in use.
    """
    with _bound(host, port) as tried:
        found: int = tried.getsockname()[1]
        return found


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With its protocol named, asyncio sends each response at once instead of waiting for an ACK.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(128)  # so that requests wait until the server accepts them
    except OSError as error:
        bound.close()
        raise ConfigurationError(
            f"The address {host}:{port} cannot be used: {error.strerror}. Try `--port 0`."
        ) from None
    return bound
