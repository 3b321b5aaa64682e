"""The server of the tester on its own."""

from __future__ import annotations

import socket
from collections.abc import Callable

from framework.tester import LocalServer


def test_responses_are_sent_at_once(serve: Callable[..., LocalServer]) -> None:
    """Otherwise a client that keeps its connection waits 40 ms for the second part of each."""
    server = serve()
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
        (held,) = server._server.server_state.connections
        accepted = held.transport.get_extra_info("socket")
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
