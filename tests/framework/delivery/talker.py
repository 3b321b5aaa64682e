"""A partner on a real socket, which says exactly the bytes that it is told to say."""

from __future__ import annotations

import contextlib
import itertools
import socket
import ssl
import struct
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Self

SOON_GONE = struct.pack("ii", 1, 5)
"""Closing returns when the other side knows that the connection has ended, or after 5 seconds."""

PEM = Path(__file__).with_name("localhost.pem")
"""A certificate for `localhost` that signs itself, and its key; for tests only."""

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass(frozen=True, slots=True)
class Turn:
    """What happens for one request.

    *early* answers before the body is read; *cuts* are the sizes of the pieces that an answer is
    sent in, the rest in one. Afterwards the connection is kept, or it `ends` with
    a FIN, is `reset`, or nothing more happens on it (`stalls`).
    """

    says: bytes = OK
    then: str = "keeps"
    early: bool = False
    cuts: tuple[int, ...] = ()

    def pieces(self) -> Iterator[bytes]:
        """Yield what is said in its pieces."""
        rest = self.says
        for size in self.cuts:
            yield rest[:size]
            rest = rest[size:]
        yield rest


ENDS = Turn(b"", "ends")
RESETS = Turn(b"", "reset")
STALLS = Turn(b"", "stalls")


@dataclass
class Talker:
    """Takes its turns in the order of the requests, whichever connection they come on.

    When there are no more turns it says OK. `requests` holds the bytes of each request,
    `connections` counts.
    """

    turns: deque[Turn]
    trust: ssl.SSLContext | None = None
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._lock = threading.Lock()
        self._open: list[tuple[socket.socket, threading.Thread]] = []
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    @property
    def origin(self) -> str:
        """Where the partner is."""
        scheme = "https" if self.trust else "http"
        return f"{scheme}://localhost:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._accepting.join()
        self.hang_up()

    def hang_up(self) -> None:
        """End every connection from this side, so that the other side knows."""
        with self._lock:
            taken = list(self._open)
        for sock, thread in taken:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            thread.join()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listening.accept()
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, SOON_GONE)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                thread = threading.Thread(target=self._talk, args=(sock,))
                with self._lock:
                    self.connections += 1
                    self._open.append((sock, thread))
                    thread.start()

    def _talk(self, plain: socket.socket) -> None:
        with plain, contextlib.suppress(OSError):
            sock = self.trust.wrap_socket(plain, server_side=True) if self.trust else plain
            with sock, sock.makefile("rb") as file:
                while head := _head(file):
                    turn = self.turns.popleft() if self.turns else Turn()
                    if turn.early:
                        _say(sock, turn)
                    self.requests.append(head + _body(head, file))
                    if not turn.early:
                        _say(sock, turn)
                    if turn.then == "reset":
                        linger = struct.pack("ii", 1, 0)
                        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    if turn.then in {"ends", "reset"}:
                        return
                    if turn.then == "stalls":
                        file.read()
                        return


def _say(sock: socket.socket, turn: Turn) -> None:
    for piece in turn.pieces():
        sock.sendall(piece)


def _head(file: BinaryIO) -> bytes:
    """Read to the empty line that ends the headers, or to the end of everything."""
    lines = itertools.takewhile(bool, iter(file.readline, b"\r\n"))
    found = b"".join(lines)
    return found and found + b"\r\n"


def _body(head: bytes, file: BinaryIO) -> bytes:
    """Read the body, chunks as they were sent."""
    lines = head.lower().split(b"\r\n")
    if b"transfer-encoding: chunked" in lines:
        return b"".join(iter(file.readline, b"0\r\n")) + b"0\r\n" + file.readline()
    return file.read(sum(int(line[15:]) for line in lines if line.startswith(b"content-length:")))


@contextlib.contextmanager
def talking(*turns: Turn | bytes, trust: ssl.SSLContext | None = None) -> Iterator[Talker]:
    """Give a partner that takes *turns*; bytes are said, and the connection is kept."""
    taken = deque(turn if isinstance(turn, Turn) else Turn(turn) for turn in turns)
    with Talker(taken, trust) as talker:
        yield talker
