"""Requests go over the network by libcurl, and everything is as httpx's own transport has it.

What is promised of both is tested on both.
"""

from __future__ import annotations

import contextlib
import gzip
import itertools
import logging
import signal
import socket
import ssl
import threading
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.delivery import curl, http_messages
from framework.delivery.curl import CurlTransport
from framework.delivery.http_messages import ResponseTooLargeError
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


@pytest.fixture(params=[CurlTransport, theirs])
def transport(request: pytest.FixtureRequest) -> Iterator[httpx.BaseTransport]:
    """Give each of the two transports."""
    with request.param() as made:
        yield made


@pytest.fixture
def ours() -> Iterator[CurlTransport]:
    """Give our transport."""
    with CurlTransport() as made:
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
        (Turn(b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nok"), httpx.RemoteProtocolError),
        (Turn(b"SSH-2.0-OpenSSH_9.2\r\n", "ends"), httpx.RemoteProtocolError),
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


@pytest.mark.parametrize(
    ("method", "size"),
    [
        *itertools.product(("GET", "POST", "PUT", "PATCH", "DELETE", "QUERY"), (0, 5, 2_000_000)),
        ("HEAD", 0),
    ],
)
def test_a_request_is_written_as_httpx_writes_it(method: str, size: int) -> None:
    content = {"content": b"x" * size} if size else {}
    answer = b"HTTP/1.1 204 No Content\r\n\r\n"
    with talking(answer, answer) as talker:
        for transport in (CurlTransport(), theirs()):
            with transport:
                ask(transport, talker, method, headers=[("X-a", "1"), ("Empty", "")], **content)
    ours, others = (sent.replace(b"Empty: \r\n", b"Empty:\r\n") for sent in talker.requests)
    assert ours == others
    assert ours.startswith(f"{method} /v1/x?y=%20z HTTP/1.1\r\nHost: localhost:".encode())


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
def test_a_length_that_is_not_the_bodys_is_refused(ours: CurlTransport, length: str) -> None:
    with talking() as talker, pytest.raises(httpx.LocalProtocolError) as caught:
        ask(ours, talker, "POST", content=b"ab", headers={"Content-Length": length})
    assert str(caught.value) == "The header `Content-Length` does not tell the body's."
    assert talker.requests == []


def test_a_body_may_stream(transport: httpx.BaseTransport) -> None:
    with talking() as talker:
        assert ask(transport, talker, "POST", content=iter([b"a", b"", b"b"])).content == b"ok"
        assert ask(transport, talker, "POST", files={"f": b"of known length"}).content == b"ok"
    head, _, body = talker.requests[0].partition(b"\r\n\r\n")
    chunks = body.split(b"\r\n")
    assert b"\r\nTransfer-Encoding: chunked" in head
    assert b"".join(chunks[1::2]) == b"ab"
    assert b"of known length" in talker.requests[1]


def test_a_body_that_fails_to_stream_sends_nothing(ours: CurlTransport) -> None:
    def parts() -> Iterator[bytes]:
        yield b"a"
        raise KeyError("mine")

    with talking() as talker:
        with pytest.raises(KeyError):
            ask(ours, talker, "POST", content=parts())
        assert ask(ours, talker).content == b"ok"
    assert len(talker.requests) == 1


def test_a_head_request_has_no_body(ours: CurlTransport) -> None:
    with talking() as talker, pytest.raises(httpx.LocalProtocolError) as caught:
        ask(ours, talker, "HEAD", content=b"ab")
    assert str(caught.value) == "A HEAD request has no body."
    assert talker.requests == []


@pytest.mark.parametrize("address", ["ftp://localhost/", "unix:///x"])
def test_other_schemes_are_not_known(transport: httpx.BaseTransport, address: str) -> None:
    with pytest.raises(httpx.UnsupportedProtocol):
        transport.handle_request(httpx.Request("GET", address))


def test_a_body_is_complete_and_need_not_be_read(ours: CurlTransport) -> None:
    """The connection serves again, read or not."""
    large = said(b"Content-Length: 3000000\r\n", b"x" * 3_000_000)
    with talking(large, large) as talker:
        request = httpx.Request("GET", talker.origin)
        ours.handle_request(request).close()
        read = ours.handle_request(request)
        assert sum(map(len, read.iter_bytes())) == 3_000_000
        assert ask(ours, talker).content == b"ok"
        assert talker.connections == 1


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
    for make in (CurlTransport, theirs):
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


def test_what_follows_an_answer_is_not_the_next_answer(ours: CurlTransport) -> None:
    """A partner that says more than it was asked for is not trusted with the connection."""
    with talking(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", OK + b"junk") as talker:
        assert [ask(ours, talker).content for _ in range(3)] == [b"ok"] * 3
        assert talker.connections == 3


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok",
    ],
)
def test_answers_that_may_be_read_in_two_ways_are_refused(ours: CurlTransport, raw: bytes) -> None:
    with talking(raw) as talker, pytest.raises(httpx.RemoteProtocolError):
        ask(ours, talker)


def test_a_connection_is_kept(ours: CurlTransport) -> None:
    with talking() as talker, talking() as other:
        for partner in (talker, other, talker, other):
            ask(ours, partner)
        assert (talker.connections, other.connections) == (1, 1)


def test_threads_that_come_and_go_use_the_same_connections(
    ours: CurlTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as were in use at once, and no more are kept than is good."""
    monkeypatch.setattr(curl, "_KEPT_HANDLES", 2)
    with talking() as talker:
        for _ in range(4):
            with ThreadPoolExecutor(1) as pool:
                assert pool.submit(ask, ours, talker).result().content == b"ok"
        assert talker.connections == 1
        with ThreadPoolExecutor(3) as pool:
            assert {ask_ok(ours, talker, pool) for _ in range(4)} == {b"okokok"}
    assert len(ours._idle) <= 2


def ask_ok(transport: httpx.BaseTransport, talker: Talker, pool: ThreadPoolExecutor) -> bytes:
    """Send three requests at once."""
    return b"".join(pool.map(lambda _: ask(transport, talker).content, range(3)))


def test_connections_and_answers_are_logged_for_those_who_debug(
    ours: CurlTransport, caplog: pytest.LogCaptureFixture
) -> None:
    refused = said(b"Content-Length: 0\r\n", status=b"404 Not Found")
    with (
        talking(OK, refused) as talker,
        caplog.at_level(logging.DEBUG, logger="action_destinations"),
    ):
        ask(ours, talker)
        ask(ours, talker)
    assert [one.getMessage() for one in caplog.records] == [
        f"localhost:{talker.port} answered 200 on a new connection.",
        f"localhost:{talker.port} answered 404 on a kept connection.",
    ]


def test_threads_get_their_own_answers(ours: CurlTransport) -> None:
    sizes = [*range(1, 40), *range(20_000, 20_040)]
    with talking(*map(_sized, sizes)) as talker, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: len(ask(ours, talker).content), sizes))
    assert sorted(answers) == sizes


def _sized(number: int) -> bytes:
    return said(b"Content-Length: %d\r\n" % number, b"x" * number)


def test_a_closed_transport_keeps_and_sends_nothing() -> None:
    with talking() as talker:
        with CurlTransport() as ours:
            ask(ours, talker)
        assert ours._idle == []
        with pytest.raises(RuntimeError):
            ask(ours, talker)
        assert len(talker.requests) == 1


def test_closing_ends_calls_under_way() -> None:
    with CurlTransport() as ours, socket.create_server(("127.0.0.1", 0)) as server:
        request = httpx.Request("GET", f"http://127.0.0.1:{server.getsockname()[1]}")
        with ThreadPoolExecutor(1) as pool:
            asking = pool.submit(ours.handle_request, request)
            sock, _ = server.accept()
            with sock:
                assert sock.recv(1000)
                ours.close()
                with pytest.raises(httpx.ReadError, match="abort"):
                    asking.result()
        assert ours._idle == []


def partner_certificate() -> ssl.SSLContext:
    """Give what a partner needs to speak TLS as `localhost`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)
    return context


@pytest.fixture(params=[CurlTransport, httpx.HTTPTransport], ids=["ours", "theirs"])
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


def test_errors_tell_what_is_behind_them(ours: CurlTransport) -> None:
    with talking(trust=partner_certificate()) as talker, pytest.raises(httpx.ConnectError) as bad:
        ask(ours, talker)
    assert isinstance(bad.value.__cause__, ssl.SSLCertVerificationError)
    with pytest.raises(httpx.ConnectError) as refused:
        ask(ours, talker)
    assert isinstance(refused.value.__cause__, ConnectionRefusedError)


def test_a_handshake_that_is_not_answered_times_out(
    make: Callable[[], httpx.BaseTransport],
) -> None:
    with talking(STALLS) as talker, make() as transport:
        secure = talker.origin.replace("http:", "https:")
        request = httpx.Request("GET", secure, extensions={"timeout": {"connect": 0.05}})
        with pytest.raises(httpx.ConnectTimeout):
            transport.handle_request(request)


def test_certificates_are_not_read_before_they_are_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A file that does not exist is noticed by https only, before anything is sent."""
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such/file")
    with (
        talking(trust=partner_certificate()) as talker,
        talking() as plain,
        CurlTransport() as ours,
    ):
        assert ask(ours, plain).content == b"ok"
        with pytest.raises(httpx.ConnectError) as caught:
            ask(ours, talker)
    assert type(caught.value) is httpx.ConnectError
    assert talker.requests == []


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 30), max_size=20), st.booleans())
def test_an_answer_may_come_in_any_pieces(sizes: list[int], chunked: bool) -> None:  # noqa: FBT001 - drawn
    body = b"5\r\nhello\r\n6\r\n world\r\n0\r\nT: x\r\n\r\n" if chunked else b"hello world"
    framing = CHUNKED if chunked else b"Content-Length: 11\r\n"
    turn = Turn(said(b"X-Long: a b\r\n" + framing, body, b"200 Very well"), cuts=tuple(sizes))
    with talking(turn, turn) as talker, CurlTransport() as ours:
        for _ in range(2):
            answer = ask(ours, talker)
            assert (answer.status_code, answer.reason_phrase) == (200, "Very well")
            assert answer.headers.raw[0] == (b"X-Long", b"a b")
            assert (len(answer.headers), answer.content) == (2, b"hello world")
        assert talker.connections == 1


BOUND = 1_000_000
SPACES = b" " * (BOUND + 1)


@pytest.fixture
def bounded(monkeypatch: pytest.MonkeyPatch) -> int:
    """Lower the bound on bodies, so that exceeding it takes no time."""
    monkeypatch.setattr(curl, "MAX_BODY", BOUND)
    monkeypatch.setattr(http_messages, "MAX_BODY", BOUND)
    return BOUND


def deflated(body: bytes, window: int) -> bytes:
    """Pack *body* with the header that belongs to *window*."""
    packer = zlib.compressobj(wbits=window)
    return packer.compress(body) + packer.flush()


def encoded(coding: bytes, body: bytes) -> bytes:
    return said(b"Content-Encoding: %b\r\nContent-Length: %d\r\n" % (coding, len(body)), body)


GZIP, DEFLATE, RAW = (deflated(SPACES, window) for window in (31, 15, -15))


@pytest.mark.parametrize(
    ("turn", "error"),
    [
        (Turn(said(b"Content-Length: %d\r\n" % len(SPACES), SPACES)), ResponseTooLargeError),
        (Turn(said(b"", SPACES), "stalls"), ResponseTooLargeError),
        (
            Turn(said(CHUNKED, b"%x\r\n%b\r\n" % (len(SPACES), SPACES)), "stalls"),
            ResponseTooLargeError,
        ),
        (Turn(encoded(b"gzip", GZIP)), ResponseTooLargeError),
        (Turn(encoded(b"deflate", DEFLATE)), ResponseTooLargeError),
        (Turn(encoded(b"deflate", RAW)), ResponseTooLargeError),
        (Turn(encoded(b"gzip, gzip", gzip.compress(GZIP))), httpx.DecodingError),
        (Turn(encoded(b"br", b"\x1b")), httpx.DecodingError),
        (Turn(encoded(b"zstd", b"(")), httpx.DecodingError),
        (Turn(encoded(b"gzip", b"no gzip")), httpx.DecodingError),
        (Turn(said(b"X: %b\r\n" % (b"x" * 200_000))), httpx.ReadError),
        (Turn(said(b"X: y\r\n" * 12_000)), httpx.ReadError),
        (
            Turn(said(b"X: %b\r\n" % (b"x" * 1000) * 70 + b"Content-Length: 0\r\n")),
            ResponseTooLargeError,
        ),
        (Turn(said(b"", status=b"100 Continue") * 100_000), httpx.ReadError),
        (Turn(said(CHUNKED, b"xyz\r\n"), "stalls"), httpx.ReadError),
    ],
    ids=itertools.count(),
)
@pytest.mark.usefixtures("bounded")
def test_an_answer_has_bounds(ours: CurlTransport, turn: Turn, error: type[Exception]) -> None:
    """And the next one is read as if nothing had been."""
    with talking(turn) as talker:
        with pytest.raises(error):
            ask(ours, talker)
        assert ask(ours, talker).content == b"ok"


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (encoded(b"gzip", deflated(b" " * BOUND, 31)), b" " * BOUND),
        (encoded(b"deflate", deflated(b" " * BOUND, -15)), b" " * BOUND),
        (encoded(b"identity", b"ok"), b"ok"),
        (encoded(b"utf-8", b"ok"), b"ok"),
        (said(b"Content-Length: %d\r\n" % BOUND, b" " * BOUND), b" " * BOUND),
    ],
    ids=itertools.count(),
)
@pytest.mark.usefixtures("bounded")
def test_what_is_within_the_bounds_is_read(ours: CurlTransport, raw: bytes, body: bytes) -> None:
    with talking(raw) as talker:
        assert ask(ours, talker).content == body


def test_a_bomb_takes_bounded_memory(ours: CurlTransport) -> None:
    """400 MB in 0.4 MB."""
    bomb = encoded(b"gzip", gzip.compress(b" " * 400_000_000, 1))
    with talking(bomb) as talker:
        tracemalloc.start()
        try:
            with pytest.raises(ResponseTooLargeError):
                ask(ours, talker)
            assert tracemalloc.get_traced_memory()[1] < 3 * http_messages.MAX_BODY
        finally:
            tracemalloc.stop()


def test_the_length_of_a_body_that_does_not_come_is_no_matter(ours: CurlTransport) -> None:
    huge = said(b"Content-Length: 99999999999\r\n")
    with talking(
        huge, said(b"Content-Length: 99999999999\r\n", status=b"304 Not Modified")
    ) as talker:
        assert ask(ours, talker, "HEAD").headers["Content-Length"] == "99999999999"
        assert ask(ours, talker).status_code == 304


@pytest.mark.parametrize("end", [ENDS, RESETS])
def test_a_request_with_effects_is_not_sent_twice(ours: CurlTransport, end: Turn) -> None:
    """A kept connection that ends before a response may have delivered the request."""
    with talking(OK, end) as talker:
        ask(ours, talker, "POST", content=b"first")
        with pytest.raises(httpx.ReadError):
            ask(ours, talker, "POST", content=b"second")
        ask(ours, talker, "POST", content=b"third")
        assert [sent[-5:] for sent in talker.requests] == [b"first", b"econd", b"third"]


@pytest.mark.parametrize(
    ("method", "extensions"), [("PATCH", {}), ("GET", {}), ("POST", {"idempotent": True})]
)
def test_a_kept_connection_that_ends_is_replaced_once_for_a_repeatable_request(
    ours: CurlTransport, method: str, extensions: dict[str, Any]
) -> None:
    with talking(OK, ENDS, OK, ENDS, ENDS) as talker:
        ask(ours, talker, method)
        assert ask(ours, talker, method, extensions=extensions).content == b"ok"
        assert (len(talker.requests), talker.connections) == (3, 2)
        with pytest.raises(httpx.RemoteProtocolError):
            ask(ours, talker, method, extensions=extensions)
        assert len(talker.requests) == 5


def test_what_may_have_been_sent_is_never_called_unsent(ours: CurlTransport) -> None:
    """The kept connection ends with the request, and the new one is refused."""
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        request = httpx.Request("PATCH", address, content=b"x")
        asking = pool.submit(lambda: [ours.handle_request(request) for _ in range(2)])
        sock, _ = server.accept()
        with sock:
            assert sock.recv(1000)
            server.close()
            sock.sendall(OK)
            assert sock.recv(1000)
        with pytest.raises(httpx.ReadError):
            asking.result()


@contextlib.contextmanager
def interrupting(handler: Callable[..., None], answer: Callable[[], bytes]) -> Iterator[str]:
    """Give the address of a partner that answers once this thread has been sent a signal."""
    main = threading.get_ident()
    before = signal.signal(signal.SIGUSR1, handler)

    def talk(server: socket.socket) -> None:
        sock, _ = server.accept()
        with sock:
            sock.recv(1000)
            signal.pthread_kill(main, signal.SIGUSR1)
            sock.sendall(answer())

    try:
        with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
            pool.submit(talk, server)
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs signals of POSIX")
def test_signals_are_handled_while_a_partner_is_silent(ours: CurlTransport) -> None:
    handled = threading.Event()

    def answer() -> bytes:
        assert handled.wait(10)
        return OK

    with interrupting(lambda *_: handled.set(), answer) as address:
        assert ours.handle_request(httpx.Request("GET", address)).read() == b"ok"


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs signals of POSIX")
def test_an_interruption_ends_a_call(ours: CurlTransport) -> None:
    over = threading.Event()

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def answer() -> bytes:
        assert over.wait(10)
        return b""

    with interrupting(interrupt, answer) as address:
        with pytest.raises(KeyboardInterrupt):
            ours.handle_request(httpx.Request("GET", address))
        over.set()
    assert ours._idle == []


def test_a_forked_process_leaves_the_connections_alone(ours: CurlTransport) -> None:
    with talking() as talker:
        ask(ours, talker)
        ours.disown()
        ask(ours, talker)
        assert talker.connections == 2


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Give what sets the proxies of the environment."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)

    def to(talker: Talker, **more: str) -> None:
        proxy = f"http://me:p%40ss@localhost:{talker.port}"
        for name, value in {"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy, **more}.items():
            monkeypatch.setenv(name, value)

    return to


def test_a_proxy_is_given_its_credentials(proxied: Callable[..., None]) -> None:
    with talking() as talker:
        proxied(talker)
        with CurlTransport() as ours:
            request = httpx.Request("POST", "http://api.test:81/a%2fb", content=b"x")
            assert ours.handle_request(request).status_code == 200
    (sent,) = talker.requests
    assert sent == (
        b"POST http://api.test:81/a%2fb HTTP/1.1\r\nHost: api.test:81\r\n"
        b"Proxy-Authorization: Basic bWU6cEBzcw==\r\nContent-Length: 1\r\n\r\nx"
    )


def test_a_host_that_is_exempt_is_asked_itself(proxied: Callable[..., None]) -> None:
    with talking() as talker, talking() as proxy:
        proxied(proxy, NO_PROXY="localhost")
        with CurlTransport() as ours:
            ask(ours, talker)
    assert (len(talker.requests), proxy.requests) == (1, [])


@pytest.mark.parametrize(
    ("turn", "error"),
    [
        (said(b"Content-Length: 0\r\n", status=b"407 Proxy Authentication Required"), "ProxyError"),
        (said(b"Content-Length: 0\r\n", status=b"503 Sorry"), "ProxyError"),
        (Turn(said(b""), "ends"), "ConnectError"),
        (ENDS, "ConnectError"),
    ],
)
def test_a_proxy_that_does_not_let_through_is_an_error_before_anything_is_sent(
    proxied: Callable[..., None], turn: Turn | bytes, error: str
) -> None:
    with talking(turn) as talker:
        proxied(talker)
        headers = {"Authorization": "Bearer a-token"}
        request = httpx.Request("GET", "https://api.test/x", headers=headers)
        with CurlTransport() as ours, pytest.raises(httpx.TransportError) as caught:
            ours.handle_request(request)
    assert type(caught.value).__name__ == error
    assert talker.requests[0].startswith(b"CONNECT api.test:443 HTTP/1.1\r\n")
    assert b"a-token" not in b"".join(talker.requests)


def test_a_tunnel_gives_the_answer_behind_it(
    proxied: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(PEM))
    with talking(trust=partner_certificate()) as talker, tunnel(talker.port) as port:
        proxied(talker, HTTPS_PROXY=f"http://127.0.0.1:{port}")
        with CurlTransport() as ours:
            answers = [ask(ours, talker) for _ in range(2)]
    assert [one.headers.raw for one in answers] == [[(b"Content-Length", b"2")]] * 2
    assert talker.connections == 1


def test_a_given_proxy_replaces_those_of_the_environment(proxied: Callable[..., None]) -> None:
    """It is asked for every host, also for those that the environment exempts."""
    with talking() as talker, talking() as other:
        proxied(other, NO_PROXY="api.test")
        with CurlTransport(proxy=f"http://us:se%40cret@localhost:{talker.port}") as ours:
            assert ours.handle_request(httpx.Request("GET", "http://api.test/x")).read() == b"ok"
    (sent,) = talker.requests
    assert sent == (
        b"GET http://api.test/x HTTP/1.1\r\nHost: api.test\r\n"
        b"Proxy-Authorization: Basic dXM6c2VAY3JldA==\r\n\r\n"
    )
    assert other.requests == []


def test_no_proxy_at_all_may_be_asked_for(proxied: Callable[..., None]) -> None:
    with talking() as talker, talking() as proxy:
        proxied(proxy)
        with CurlTransport(proxy="none") as ours:
            ask(ours, talker)
    assert (len(talker.requests), proxy.requests) == (1, [])


def test_given_certificates_replace_those_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such/file")
    with talking(trust=partner_certificate()) as talker, CurlTransport(ca_file=PEM) as ours:
        assert ask(ours, talker).content == b"ok"


def test_given_certificates_are_trusted_of_a_proxy_too() -> None:
    with talking(trust=partner_certificate()) as talker:
        with CurlTransport(proxy=talker.origin, ca_file=PEM) as ours:
            assert ours.handle_request(httpx.Request("GET", "http://api.test/x")).read() == b"ok"
        with CurlTransport(proxy=talker.origin) as ours, pytest.raises(httpx.ConnectError):
            ours.handle_request(httpx.Request("GET", "http://api.test/y"))
    (sent,) = talker.requests
    assert sent == b"GET http://api.test/x HTTP/1.1\r\nHost: api.test\r\n\r\n"


@contextlib.contextmanager
def tunnel(port: int) -> Iterator[int]:
    """Give the port of a proxy that lets one connection through to *port*."""
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(3) as pool:

        def pump(source: socket.socket, target: socket.socket) -> None:
            while piece := source.recv(65536):
                target.sendall(piece)
            target.shutdown(socket.SHUT_WR)

        def open_up() -> None:
            near, _ = server.accept()
            with near, socket.create_connection(("127.0.0.1", port)) as far:
                near.recv(1000)
                near.sendall(said(b"Via: proxy\r\n", status=b"200 Connection established"))
                back = pool.submit(pump, far, near)
                pump(near, far)
                back.result()

        opened = pool.submit(open_up)
        yield server.getsockname()[1]
        opened.result()


PARTS = st.sampled_from(
    [
        *(b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 204 No\r\n", b"HTTP/1.0 500\r\n", b"HTTP/2 200\r\n"),
        *(b"HTTP/1.1 103 Early\r\n", b"HTTP/1.1 999 \xff\r\n", b"HTTP/1.1 000 x\r\n", b"HTTP/"),
        *(b"Content-Length: 2\r\n", b"Content-Length: 3\r\n", b"Content-Length: -1\r\n"),
        *(
            CHUNKED,
            b"Transfer-Encoding: gzip\r\n",
            b"Content-Encoding: gzip\r\n",
            b"Location: /\r\n",
        ),
        *(b"Set-Cookie: a=b\r\n", b"X : y\r\n", b" folded\r\n", b": \r\n", b"\x00\r\n", b"X\r\n"),
        *(b"\r\n", b"\n", b"\r", b"ok", b"2\r\nok\r\n0\r\n\r\n", b"ffffffffffffffff1\r\n", ZIPPED),
    ]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(PARTS, max_size=9).map(b"".join), st.sampled_from(["GET", "POST", "HEAD"]))
def test_a_hostile_partner_gets_an_answer_or_an_error_and_nothing_more(
    raw: bytes, method: str
) -> None:
    """Nothing but httpx's errors comes of it, and the next request gets its own answer."""
    with talking(Turn(raw, "ends")) as talker, CurlTransport() as ours:
        try:
            answer = ask(ours, talker, method)
        except (httpx.TransportError, httpx.DecodingError):
            pass
        else:
            assert 200 <= answer.status_code <= 999
        talker.turns.clear()
        assert ask(ours, talker).content == b"ok"
