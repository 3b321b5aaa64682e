"""Requests go straight to their origin, and everything is as httpx's own transport has it.

What is promised of both is tested on both.
"""

from __future__ import annotations

import gzip
import itertools
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.delivery import direct, lines
from framework.delivery.direct import Direct
from tests.framework.delivery.talker import ENDS, OK, PEM, RESETS, STALLS, Talker, Turn, talking

ZIPPED = gzip.compress(b"hello")
SOON = {"timeout": {"read": 0.05, "write": 0.05}}


@cache
def trust() -> ssl.SSLContext:
    """Give what httpx's transport trusts, read once because that takes a while."""
    return httpx.create_ssl_context()


def theirs() -> httpx.HTTPTransport:
    """Give httpx's own transport."""
    return httpx.HTTPTransport(verify=trust())


@pytest.fixture(params=[Direct, theirs])
def transport(request: pytest.FixtureRequest) -> Iterator[httpx.BaseTransport]:
    """Give each of the two transports."""
    with request.param() as made:
        yield made


@pytest.fixture
def ours() -> Iterator[Direct]:
    """Give our transport."""
    with Direct() as made:
        yield made


def ask(
    transport: httpx.BaseTransport, talker: Talker, method: str = "GET", **options: object
) -> httpx.Response:
    """Send a request and read its answer."""
    request = httpx.Request(method, f"{talker.origin}/v1/x?y=%20z", **options)  # type: ignore[arg-type]
    response = transport.handle_request(request)
    response.request = request
    response.read()
    return response


def said(headers: bytes, body: bytes = b"", status: bytes = b"200 OK") -> bytes:
    """Give an answer as it goes over the wire."""
    return b"HTTP/1.1 " + status + b"\r\n" + headers + b"\r\n" + body


CHUNKED = b"Transfer-Encoding: chunked\r\n"
HINTS = said(b"", status=b"100 Continue") + said(b"Link: x\r\n", status=b"103 Early Hints")
COOKIES = b"Set-Cookie: a=1\r\nSet-Cookie:   b=2 \t\r\nEmpty:\r\nContent-Length: 0\r\n"
PACKED = b"Content-Encoding: gzip\r\nContent-Length: %d\r\n" % len(ZIPPED)
MOVED = b"Location: /y\r\nContent-Length: 0\r\n"


@pytest.mark.parametrize(
    ("raw", "status", "headers", "body"),
    [
        (OK, 200, {"content-length": "2"}, b"ok"),
        (said(b"", status=b"204 No Content"), 204, {}, b""),
        (said(b"ETag: a\r\n", status=b"304 Not Modified"), 304, {"etag": "a"}, b""),
        (said(b"Content-Length: 1\r\n", b"x", b"404"), 404, {"content-length": "1"}, b"x"),
        (
            said(CHUNKED, b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"),
            200,
            {"transfer-encoding": "chunked"},
            b"hello",
        ),
        (
            said(CHUNKED + b"X: 1\r\n", b"1\r\na\r\n0\r\nY: 2\r\n\r\n"),
            200,
            {"transfer-encoding": "chunked", "x": "1"},
            b"a",
        ),
        (HINTS + OK, 200, {"content-length": "2"}, b"ok"),
        (
            said(COOKIES),
            200,
            {"set-cookie": "a=1, b=2", "empty": "", "content-length": "0"},
            b"",
        ),
        (
            said(PACKED, ZIPPED),
            200,
            {"content-encoding": "gzip", "content-length": str(len(ZIPPED))},
            b"hello",
        ),
        (said(MOVED, status=b"302 Found"), 302, {"location": "/y", "content-length": "0"}, b""),
        (
            said(b"X: \xe4\r\nContent-Length: 0\r\n"),
            200,
            {"x": "\xe4", "content-length": "0"},
            b"",
        ),
    ],
)
def test_answers_are_read_in_every_form(
    transport: httpx.BaseTransport, raw: bytes, status: int, headers: dict[str, str], body: bytes
) -> None:
    """Each is followed by another on the same connection, which shows that its end was found."""
    with talking(raw) as talker:
        answer = ask(transport, talker)
        assert (answer.status_code, dict(answer.headers), answer.content) == (status, headers, body)
        assert ask(transport, talker).content == b"ok"
        assert talker.connections == 1


def test_the_status_line_and_the_case_of_headers_are_kept(transport: httpx.BaseTransport) -> None:
    with talking(
        b"HTTP/1.1 200 All is well\r\nX-Trace-ID: A\r\nContent-Length: 0\r\n\r\n"
    ) as talker:
        answer = ask(transport, talker)
    assert (answer.http_version, answer.reason_phrase) == ("HTTP/1.1", "All is well")
    assert answer.headers.raw == [(b"X-Trace-ID", b"A"), (b"Content-Length", b"0")]


@pytest.mark.parametrize(
    "turn",
    [
        Turn(b"HTTP/1.1 200 OK\r\n\r\nok", "ends"),
        Turn(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", "ends"),
        Turn(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"),
        Turn(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        Turn(OK, "ends"),
    ],
)
def test_a_connection_that_is_over_is_not_used_again(
    transport: httpx.BaseTransport, turn: Turn
) -> None:
    with talking(turn) as talker:
        assert ask(transport, talker).content == b"ok"
        if turn.says == OK:  # its end may be still on its way
            talker.hang_up()
        assert ask(transport, talker).content == b"ok"
        assert talker.connections == 2


@pytest.mark.parametrize(
    ("turn", "error"),
    [
        (ENDS, httpx.RemoteProtocolError),
        (RESETS, httpx.ReadError),
        (Turn(b"HTTP/1.1 200 OK\r\nContent-Le", "ends"), httpx.RemoteProtocolError),
        (Turn(OK[:-1], "ends"), httpx.RemoteProtocolError),
        (Turn(OK[:-1], "reset"), httpx.ReadError),
        (
            Turn(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", "ends"),
            httpx.RemoteProtocolError,
        ),
        (
            Turn(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "ends"),
            httpx.RemoteProtocolError,
        ),
        (Turn(b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nok"), httpx.RemoteProtocolError),
        (Turn(b"SSH-2.0-OpenSSH_9.2\r\n", "ends"), httpx.RemoteProtocolError),
        (Turn(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000), httpx.RemoteProtocolError),
        (STALLS, httpx.ReadTimeout),
        (Turn(OK[:-1], "stalls"), httpx.ReadTimeout),
    ],
)
def test_an_answer_that_breaks_off_or_is_none_is_an_error(
    transport: httpx.BaseTransport, turn: Turn, error: type[httpx.TransportError]
) -> None:
    """What came of the request is unknown then; the next one gets a new connection."""
    with talking(turn) as talker:
        with pytest.raises(error):
            ask(transport, talker, extensions=SOON if turn.then == "stalls" else {})
        assert ask(transport, talker).content == b"ok"
        assert talker.connections == 2


def test_where_nobody_listens_nothing_is_sent(transport: httpx.BaseTransport) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        request = httpx.Request("GET", f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(httpx.ConnectError):
            transport.handle_request(request)


def test_a_connection_that_does_not_come_about_times_out(
    transport: httpx.BaseTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(*_: object, **__: object) -> None:
        raise TimeoutError("timed out")

    monkeypatch.setattr("socket.create_connection", connect)
    with talking() as talker, pytest.raises(httpx.ConnectTimeout):
        ask(transport, talker)


def test_a_request_that_is_not_taken_in_times_out(transport: httpx.BaseTransport) -> None:
    turn = Turn(b"HTTP/1.1 100 Continue\r\n\r\n", "stalls", early=True)
    body = b"x" * 30_000_000
    with talking(turn) as talker:
        plain = httpx.Request(
            "PUT",
            talker.origin,
            content=body,
            headers={"Content-Length": str(len(body))},
            extensions=SOON,
        )
        talker.turns[0] = turn
        with pytest.raises((httpx.WriteTimeout, httpx.ReadTimeout)):
            transport.handle_request(plain)


def test_an_answer_before_the_end_of_the_request_is_read(transport: httpx.BaseTransport) -> None:
    """A partner that refuses a large body may say so and hang up, without reading it."""
    refused = b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno"
    with talking(Turn(refused, "ends", early=True)) as talker:
        answer = ask(transport, talker, "POST", content=b"x" * 1000)
    assert (answer.status_code, answer.content) == (413, b"no")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
@pytest.mark.parametrize("size", [0, 5, 100_000])
def test_a_request_is_written_as_httpx_writes_it(method: str, size: int) -> None:
    content = {"content": b"x" * size} if size else {}
    wrote = []
    answer = b"HTTP/1.1 204 No Content\r\n\r\n"
    with talking(answer, answer) as talker:
        for transport in (Direct(), theirs()):
            with transport:
                ask(transport, talker, method, headers=[("X-a", "1"), ("Empty", "")], **content)
        wrote = talker.requests
    assert wrote[0] == wrote[1]
    assert wrote[0].startswith(f"{method} /v1/x?y=%20z HTTP/1.1\r\nHost: localhost:".encode())


@pytest.mark.parametrize(
    "headers",
    [
        {"X": "a\r\nY: b"},
        {"X": "a\nb"},
        {"X": " a"},
        {"X": "a\x00"},
        {"X: a\r\nY": "b"},
        {"X y": "b"},
        {"X:": "b"},
        {"": "b"},
    ],
)
def test_headers_that_http_does_not_allow_are_refused(
    transport: httpx.BaseTransport, headers: dict[str, str]
) -> None:
    with talking() as talker, pytest.raises(httpx.LocalProtocolError):
        ask(transport, talker, headers=headers)
    assert talker.requests == []


@pytest.mark.parametrize("length", ["1", "3", "two"])
def test_a_length_that_is_not_the_bodys_is_refused(ours: Direct, length: str) -> None:
    with talking() as talker, pytest.raises(httpx.LocalProtocolError) as caught:
        ask(ours, talker, "POST", content=b"ab", headers={"Content-Length": length})
    assert str(caught.value) == "The header `Content-Length` does not tell the body's."
    assert talker.requests == []


def test_a_body_may_stream(transport: httpx.BaseTransport) -> None:
    def parts() -> Iterator[bytes]:
        yield b"a"
        yield b"b"

    with talking(Turn(OK, "ends", early=True)) as talker:
        assert ask(transport, talker, "POST", content=parts()).content == b"ok"
    assert b"\r\nTransfer-Encoding: chunked\r\n" in talker.requests[0]


@pytest.mark.parametrize("address", ["ftp://localhost/", "unix:///x"])
def test_other_schemes_are_not_known(transport: httpx.BaseTransport, address: str) -> None:
    with pytest.raises(httpx.UnsupportedProtocol):
        transport.handle_request(httpx.Request("GET", address))


def test_a_body_is_read_as_it_comes_and_may_be_left(transport: httpx.BaseTransport) -> None:
    """The connection of an answer that was not read to its end is closed."""
    large = b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 3_000_000
    with talking(large, large) as talker:
        request = httpx.Request("GET", talker.origin)
        left = transport.handle_request(request)
        left.close()
        read = transport.handle_request(request)
        assert sum(map(len, read.iter_bytes())) == 3_000_000
        assert ask(transport, talker).content == b"ok"
        assert talker.connections == 2


@pytest.mark.parametrize("body", [b"", b"one\ntwo\nthree"])
@pytest.mark.parametrize(
    "read",
    [
        httpx.Response.read,
        lambda answer: list(answer.iter_bytes()),
        lambda answer: list(answer.iter_bytes(4)),
        lambda answer: list(answer.iter_raw()),
        lambda answer: list(answer.iter_text()),
        lambda answer: list(answer.iter_lines()),
    ],
)
def test_bodies_can_be_read_in_every_way(
    read: Callable[[httpx.Response], Any], body: bytes
) -> None:
    """Once, unless it is kept; and how much came in is told."""
    raw = said(b"Content-Length: %d\r\n" % len(body), body)
    found = []
    for make in (Direct, theirs):
        with talking(raw) as talker, make() as transport:
            request = httpx.Request("GET", talker.origin)
            answer = transport.handle_request(request)
            answer.request = request
            assert answer.num_bytes_downloaded == 0
            first = read(answer)
            try:
                again = read(answer)
            except httpx.StreamError as error:
                again = type(error)
            found.append((first, again, answer.num_bytes_downloaded, answer.is_closed))
    assert found[0] == found[1]


def test_a_closed_answer_cannot_be_read(transport: httpx.BaseTransport) -> None:
    with talking() as talker:
        answer = transport.handle_request(httpx.Request("GET", talker.origin))
        answer.request = httpx.Request("GET", talker.origin)
        answer.close()
        with pytest.raises(httpx.StreamClosed):
            answer.read()


def test_what_follows_an_answer_is_not_the_next_answer(ours: Direct) -> None:
    """A partner that says more than it was asked for is not trusted with the connection."""
    with talking(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", OK + b"junk") as talker:
        assert [ask(ours, talker).content for _ in range(3)] == [b"ok"] * 3
        assert talker.connections == 3


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ],
)
def test_answers_that_may_be_read_in_two_ways_are_refused(ours: Direct, raw: bytes) -> None:
    with talking(raw) as talker, pytest.raises(httpx.RemoteProtocolError):
        ask(ours, talker)


def test_a_connection_is_kept_for_a_while(ours: Direct, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(0.0, lines.LONGEST_IDLE)
    with talking() as talker:
        ask(ours, talker)
        ask(ours, talker)
        assert talker.connections == 1
        monkeypatch.setattr("time.monotonic", lambda: 1e9 + next(clock))
        ask(ours, talker)
        assert talker.connections == 2


def test_only_so_many_connections_are_kept_and_in_use(
    ours: Direct, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct, "MOST_IDLE", 2)
    ours._room = threading.Semaphore(3)
    slow = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
    with talking(slow, slow, slow) as talker:
        request = httpx.Request("GET", talker.origin)
        open_ones = [ours.handle_request(request) for _ in range(3)]
        request.extensions = {"timeout": {"pool": 0.05}}
        with pytest.raises(httpx.PoolTimeout):
            ours.handle_request(request)
        for one in open_ones:
            one.close()
        with ThreadPoolExecutor(3) as pool:
            assert {ask_ok(ours, talker, pool) for _ in range(4)} == {b"okokok"}
    assert sum(map(len, ours._idle.values())) <= 2


def ask_ok(transport: httpx.BaseTransport, talker: Talker, pool: ThreadPoolExecutor) -> bytes:
    """Send three requests at once."""
    return b"".join(pool.map(lambda _: ask(transport, talker).content, range(3)))


def test_connections_and_answers_are_logged_for_those_who_debug(
    ours: Direct, caplog: pytest.LogCaptureFixture
) -> None:
    with talking(OK, said(b"Content-Length: 0\r\n", status=b"404 Not Found")) as talker:
        with caplog.at_level(logging.DEBUG, logger="action_destinations"):
            ask(ours, talker)
            ask(ours, talker)
        talker.hang_up()
        with caplog.at_level(logging.DEBUG, logger="action_destinations"):
            ask(ours, talker)
    size = len(talker.requests[0])
    there = f"localhost:{talker.port}"
    assert [one.getMessage() for one in caplog.records] == [
        f"Connecting to {there}.",
        f"{there} got {size} bytes and answered 200.",
        f"{there} got {size} bytes and answered 404.",
        f"The connection to {there} is over.",
        f"Connecting to {there}.",
        f"{there} got {size} bytes and answered 200.",
    ]


def test_threads_get_their_own_answers(ours: Direct) -> None:
    sizes = [*range(1, 40), *range(20_000, 20_040)]
    with talking(*map(_sized, sizes)) as talker, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: len(ask(ours, talker).content), sizes))
    assert sorted(answers) == sizes


def _sized(number: int) -> bytes:
    return said(b"Content-Length: %d\r\n" % number, b"x" * number)


def test_closing_ends_idle_connections_now_and_the_others_later() -> None:
    ours = Direct()
    large = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1_000_000
    with talking(OK, large) as talker:
        ask(ours, talker)
        reading = ours.handle_request(httpx.Request("GET", talker.origin))
        ours.close()
        assert len(reading.read()) == 1_000_000
        assert ours._idle == {}


def partner_certificate() -> ssl.SSLContext:
    """Give what a partner needs to speak TLS as `localhost`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)
    return context


@pytest.fixture(params=[Direct, httpx.HTTPTransport], ids=["ours", "theirs"])
def make(request: pytest.FixtureRequest) -> Callable[[], httpx.BaseTransport]:
    """Give what makes each of the two transports, as trust is read then or at first use."""
    kind: Callable[[], httpx.BaseTransport] = request.param
    return kind


def test_a_certificate_that_is_trusted_opens_the_way(
    make: Callable[[], httpx.BaseTransport], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(PEM))
    with talking(trust=partner_certificate()) as talker, make() as transport:
        assert [ask(transport, talker).content for _ in range(2)] == [b"ok", b"ok"]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.2"])
def test_a_certificate_of_nobody_or_of_another_host_is_refused(
    make: Callable[[], httpx.BaseTransport], monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """Nothing of the request is sent."""
    if host == "localhost":
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    else:
        monkeypatch.setenv("SSL_CERT_FILE", str(PEM))
    with talking(trust=partner_certificate()) as talker, make() as transport:
        address = talker.origin.replace("localhost", host)
        with pytest.raises(httpx.ConnectError):
            transport.handle_request(httpx.Request("GET", address))
    assert talker.requests == []


def test_a_handshake_that_is_not_answered_times_out(
    make: Callable[[], httpx.BaseTransport],
) -> None:
    with talking(STALLS) as talker, make() as transport:
        secure = talker.origin.replace("http:", "https:")
        request = httpx.Request("GET", secure, extensions={"timeout": {"connect": 0.05}})
        with pytest.raises(httpx.ConnectTimeout):
            transport.handle_request(request)


def test_certificates_are_not_read_before_they_are_needed(
    ours: Direct, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading them takes longer than everything else at the start."""
    monkeypatch.setattr("httpx.create_ssl_context", lambda: pytest.fail("read"))
    with talking() as talker:
        assert ask(ours, talker).content == b"ok"


@given(st.lists(st.integers(1, 30), max_size=40), st.booleans())
def test_an_answer_may_come_in_any_pieces(sizes: list[int], chunked: bool) -> None:  # noqa: FBT001 - drawn
    framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: 11"
    body = b"5\r\nhello\r\n6\r\n world\r\n0\r\nT: x\r\n\r\n" if chunked else b"hello world"
    said = b"HTTP/1.1 200 Very well\r\nX-Long: a b\r\n" + framing + b"\r\n\r\n" + body
    answer = lines._Answer()
    for _ in range(2):
        answer.begin()
        rest, cuts = said, iter(sizes)
        while rest:
            size = next(cuts, len(rest))
            answer.feed(rest[:size])
            rest = rest[size:]
        assert (answer.status, answer.reason, answer.complete) == (200, b"Very well", True)
        assert answer.headers[0] == (b"X-Long", b"a b")
        assert len(answer.headers) == 2
        assert b"".join(answer.take()) == b"hello world"
        assert answer.lasting
