"""What stands between a client and a server on this machine: a proxy, TLS, and a pooler."""

from __future__ import annotations

import base64
import contextlib
import http.client
import http.server
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus
from itertools import takewhile
from urllib.parse import urlsplit

from tests.framework.delivery.talker import PEM

_OWN = {"proxy-authorization", "proxy-connection", "connection", "host"}
WITHIN = 30.0


class ForwardProxy:
    """A forward proxy on a free port; `requests` holds method and target of each request.

    Requests without *credentials* (`user:password`) are refused with 407.
    """

    def __init__(self, credentials: str = "") -> None:
        self.requests: list[tuple[str, str]] = []
        self.refused: list[tuple[str, str]] = []
        self._wanted = f"Basic {base64.b64encode(credentials.encode()).decode()}"
        self._free = not credentials
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.address = f"127.0.0.1:{self._server.server_port}"

    @contextlib.contextmanager
    def running(self) -> Iterator[ForwardProxy]:
        """Serve meanwhile."""
        thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def admits(self, method: str, target: str, given: str | None) -> bool:
        """Note a request; return whether its credentials are right."""
        admitted = self._free or given == self._wanted
        (self.requests if admitted else self.refused).append((method, target))
        return admitted


def _handler(proxy: ForwardProxy) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline()
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            given = self.headers.get("Proxy-Authorization")
            if not proxy.admits(self.command, self.path, given):
                self._answer(HTTPStatus.PROXY_AUTHENTICATION_REQUIRED, {}, b"")
            elif self.command == "CONNECT":
                self._open_tunnel()
            else:
                self._forward(body)

        def _forward(self, body: bytes) -> None:
            parts = urlsplit(self.path)
            client = http.client.HTTPConnection(parts.netloc, timeout=WITHIN)
            headers = {name: one for name, one in self.headers.items() if name.lower() not in _OWN}
            target = self.path.partition(parts.netloc)[2] or "/"
            client.request(self.command, target, body, {**headers, "Connection": "close"})
            response = client.getresponse()
            kept = {
                name: one for name, one in response.getheaders() if name.lower() != "connection"
            }
            self._answer(HTTPStatus(response.status), kept, response.read())
            client.close()

        def _answer(self, status: HTTPStatus, headers: dict[str, str], body: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                if name.lower() not in {"content-length", "transfer-encoding"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _open_tunnel(self) -> None:
            host, _, port = self.path.rpartition(":")
            with socket.create_connection((host, int(port)), WITHIN) as far:
                self.send_response_only(HTTPStatus.OK)
                self.end_headers()
                _join(self.connection, far)
            self.close_connection = True

    return Handler


@contextlib.contextmanager
def behind_tls(url: str) -> Iterator[str]:
    """Yield the HTTPS origin, as `localhost`, of a server that answers HTTP at *url*."""
    port = urlsplit(url).port or 80
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)

    def serve(plain: socket.socket) -> None:
        with contextlib.suppress(OSError), plain:
            secure = context.wrap_socket(plain, server_side=True)
            with secure, secure.makefile("rb") as file:
                while head := b"".join(takewhile(_is_header, iter(file.readline, b""))):
                    _pass_on(head, file.read(_length(head)), secure, port)

    with _accepting(serve) as own:
        yield f"https://localhost:{own}"


def _is_header(line: object) -> bool:
    return line != b"\r\n"


def _pass_on(head: bytes, body: bytes, secure: ssl.SSLSocket, port: int) -> None:
    """Send a request on, over a connection of its own, and its response back."""
    with socket.create_connection(("127.0.0.1", port), WITHIN) as far:
        far.sendall(head + b"\r\n" + body)
        response = http.client.HTTPResponse(far)
        response.begin()
        content = response.read()
        lines = [f"HTTP/1.1 {response.status} {response.reason}"]
        lines += [f"{name}: {value}" for name, value in response.getheaders()
                  if name.lower() not in {"content-length", "transfer-encoding"}]  # fmt: skip
        lines += [f"Content-Length: {len(content)}", "", ""]
        secure.sendall("\r\n".join(lines).encode("latin-1") + content)


@contextlib.contextmanager
def pooling(port: int) -> Iterator[int]:
    """Yield the port of a pooler of a PostgreSQL server, which numbers sessions itself."""

    def serve(near: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", port), WITHIN) as far, near:
            back = threading.Thread(target=_renumber, args=(far, near), daemon=True)
            back.start()
            with contextlib.suppress(OSError):
                while data := near.recv(65_536):
                    far.sendall(data)
                far.shutdown(socket.SHUT_WR)
            back.join()

    with _accepting(serve) as own:
        yield own


def _renumber(source: socket.socket, sink: socket.socket) -> None:
    """Pass a server's messages on, with another number of the session."""
    key = re.compile(rb"(K\x00\x00\x00\x0c)....", re.DOTALL)
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(key.sub(lambda found: found[1] + bytes(4), data, count=1))
        sink.shutdown(socket.SHUT_WR)


def _length(head: bytes) -> int:
    lines = head.lower().split(b"\r\n")
    return sum(int(line[15:]) for line in lines if line.startswith(b"content-length:"))


@contextlib.contextmanager
def _accepting(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Yield the port on which a thread for each connection serves it."""
    threads: list[threading.Thread] = []
    opened: list[socket.socket] = []

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listening.accept()
                opened.append(sock)
                threads.append(threading.Thread(target=serve, args=(sock,), daemon=True))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield listening.getsockname()[1]
        finally:
            with contextlib.suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            accepting.join()


def _join(near: socket.socket, far: socket.socket) -> None:
    """Pass bytes on in both directions until both sides have ended."""

    def pump(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65_536):
                target.sendall(piece)
            target.shutdown(socket.SHUT_WR)

    back = threading.Thread(target=pump, args=(far, near))
    back.start()
    pump(near, far)
    back.join()
