"""The client raises, repeats, waits, records and stays silent about secrets."""

from __future__ import annotations

import gzip
import json
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Generator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from framework.delivery.client import Client
from framework.delivery.exchanges import Redactor
from framework.delivery.http_errors import describe_error, json_body
from framework.delivery.http_messages import ResponseTooLargeError
from framework.delivery.retries import Retry
from framework.delivery.throttle import Throttle
from framework.errors import (
    APIError,
    IntegrationError,
    InvalidAuthenticationError,
    RetryableError,
)
from tests.framework.delivery.clocks import STARTED, FakeClock, Rate

URL = "https://api.test/v1/items"


class Partner(httpx.MockTransport):
    """Gives prepared answers in turn, the last one again and again, and keeps the requests."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        super().__init__(self.answer)
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def refused(response: httpx.Response, method: str = "GET", **options: Any) -> IntegrationError:
    """Give the error that a single attempt ends with."""
    options = {"retry": Retry.never(), "clock": FakeClock(), **options}
    with Client(transport=Partner(response), **options) as client:
        with pytest.raises(IntegrationError) as caught:
            client.request(method, URL, params={"key": "s3cret-1"})
        assert caught.value.response is not None
        assert caught.value.response.status_code == response.status_code
    return caught.value


@pytest.mark.parametrize(
    ("status", "kind", "code", "text"),
    [
        (401, InvalidAuthenticationError, "INVALID_AUTHENTICATION", "401 Unauthorized"),
        (408, RetryableError, "REQUEST_TIMEOUT", "408 Request Timeout"),
        (423, RetryableError, "LOCKED", "423 Locked"),
        (429, RetryableError, "TOO_MANY_REQUESTS", "429 Too Many Requests"),
        (500, RetryableError, "INTERNAL_SERVER_ERROR", "500 Internal Server Error"),
        (503, RetryableError, "SERVICE_UNAVAILABLE", "503 Service Unavailable"),
        (599, RetryableError, "UNKNOWN_ERROR", "599"),
        (302, APIError, "FOUND", "302 Found"),
        (400, APIError, "BAD_REQUEST", "400 Bad Request"),
        (404, APIError, "NOT_FOUND", "404 Not Found"),
        (413, APIError, "PAYLOAD_TOO_LARGE", "413 Request Entity Too Large"),
        (499, APIError, "CANCELLED", "499"),
        (501, APIError, "NOT_IMPLEMENTED", "501 Not Implemented"),
    ],
)
def test_every_unsuccessful_status_raises_its_error(
    status: int, kind: type[IntegrationError], code: str, text: str
) -> None:
    error = refused(httpx.Response(status))
    assert type(error) is kind
    assert (error.status, error.code) == (status, code)
    assert str(error) == f"`GET api.test/v1/items` answered {text}."


@pytest.mark.parametrize("status", [600, 777, 999])
def test_a_status_that_http_does_not_have_is_a_bad_gateway(status: int) -> None:
    """It says nothing about the events, so they are not failed for it."""
    error = refused(httpx.Response(status))
    assert type(error) is RetryableError
    assert (error.status, error.code) == (502, "BAD_GATEWAY")
    assert str(error) == f"`GET api.test/v1/items` answered {status}."


@pytest.mark.parametrize(
    ("body", "code", "text"),
    [
        ({"errors": [{"code": "no-such-list", "title": "unknown"}]}, "no-such-list", "unknown"),
        ({"errors": [{"detail": "Too long."}]}, None, "Too long"),
        ({"error": "invalid_scope", "error_description": "No."}, "invalid_scope", "No"),
        ({"error": {"code": "E-7", "message": "Broken"}}, "E-7", "Broken"),
        ({"error": {"code": 7}, "message": "Broken"}, None, "Broken"),
        ({"type": "about:blank", "title": "Teapot"}, None, "Teapot"),
        ({"error": "Something is wrong"}, None, "Something is wrong"),
        ({"message": "two\nlines  here"}, None, "two lines here"),
        ({"message": "m" * 300}, None, "m" * 200 + " ..."),
        ({"message": "No user ada@example.com."}, None, "No user <address>"),
        ({"code": "s3cret-1", "message": "Bad key s3cret-1"}, None, "Bad key <redacted>"),
        ({"errors": []}, None, ""),
        ([1], None, ""),
        ("text", None, ""),
    ],
)
def test_an_error_says_what_the_partner_says(body: Any, code: str | None, text: str) -> None:
    """The code and text of common error bodies are shown, short and without what must not."""
    error = refused(httpx.Response(404, json=body), redactor=Redactor(["s3cret-1"]))
    detail = " ".join(part for part in (text, f"({code})" if code else "") if part)
    answered = "`GET api.test/v1/items` answered 404 Not Found"
    assert str(error) == (f"{answered}: {detail}." if detail else f"{answered}.")
    assert error.code == (code or "NOT_FOUND")


def test_a_destination_may_read_its_errors_itself() -> None:
    def reader(response: httpx.Response) -> tuple[str, str] | None:
        return ("odd-code", response.json()["odd"]["why"])

    error = refused(httpx.Response(400, json={"odd": {"why": "Because"}}), error_reader=reader)
    assert str(error) == "`GET api.test/v1/items` answered 400 Bad Request: Because (odd-code)."
    assert error.code == "odd-code"


def test_a_reader_that_fails_does_not_hide_the_refusal(caplog: pytest.LogCaptureFixture) -> None:
    def reader(response: httpx.Response) -> tuple[str, str] | None:
        return ("x", response.json()["missing"])

    error = refused(httpx.Response(400, json={"message": "No"}), error_reader=reader)
    assert str(error) == "`GET api.test/v1/items` answered 400 Bad Request: No."
    assert caplog.messages == ["Reading an error of `GET api.test/v1/items` raised KeyError."]


def test_describe_error_finds_nothing_in_a_web_page() -> None:
    assert describe_error(httpx.Response(500, html="<h1>Sorry</h1>")) is None


@pytest.mark.parametrize(
    ("status", "headers", "least", "most"),
    [
        (429, {"Retry-After": "20"}, 20, 22),
        (429, {"Retry-After": "Fri, 15 Jan 2027 08:00:40 GMT"}, 40, 44),
        (429, {"x-ratelimit-reset": str(int(STARTED) + 30)}, 30, 33),
        (429, {"x-ratelimit-reset": str(int(STARTED) - 30)}, 1, 1.1),
        (429, {"Retry-After": "99999"}, 3600, 3605),
        (503, {"Retry-After": "5"}, 5, 5.5),
    ],
)
def test_a_pause_that_was_asked_for_is_on_the_error(
    status: int, headers: dict[str, str], least: float, most: float
) -> None:
    """Never shorter than asked, at least a second, at most an hour, a little longer by chance."""
    error = refused(httpx.Response(status, headers=headers))
    assert isinstance(error, RetryableError)
    assert error.pause is not None
    assert least <= error.pause <= most


def test_without_a_word_there_is_no_pause() -> None:
    error = refused(httpx.Response(503))
    assert isinstance(error, RetryableError)
    assert error.pause is None


TRANSPORT_CASES = [
    (httpx.ConnectTimeout, 504, "CONNECT_TIMEOUT", "could not be reached in time"),
    (httpx.ReadTimeout, 504, "READ_TIMEOUT", "did not answer in time"),
    (httpx.WriteTimeout, 504, "WRITE_TIMEOUT", "did not take the request in time"),
    (httpx.PoolTimeout, 503, "POOL_TIMEOUT", "had to wait too long for a free connection"),
    (httpx.ProxyError, 503, "PROXY_ERROR", "could not be reached through the proxy"),
    (httpx.ConnectError, 503, "CONNECT_ERROR", "could not be reached"),
    (ResponseTooLargeError, 502, "RESPONSE_TOO_LARGE", "sent a response that is too large"),
    (httpx.ReadError, 503, "READ_ERROR", "broke off the connection"),
    (httpx.WriteError, 503, "WRITE_ERROR", "broke off the connection"),
    (httpx.CloseError, 503, "TRANSPORT_ERROR", "failed"),
    (httpx.RemoteProtocolError, 503, "PROTOCOL_ERROR", "did not answer in proper HTTP"),
    (httpx.LocalProtocolError, 400, "INVALID_REQUEST", "has a header that HTTP does not allow"),
    (httpx.UnsupportedProtocol, 400, "UNSUPPORTED_PROTOCOL", "is not an http or https address"),
]


@pytest.mark.parametrize(("kind", "status", "code", "text"), TRANSPORT_CASES)
def test_a_request_without_an_answer_raises_what_went_wrong(
    kind: type[httpx.TransportError], status: int, code: str, text: str
) -> None:
    transport = Partner(kind("s3cret"))
    with (
        Client(transport=transport, retry=Retry.never()) as client,
        pytest.raises(IntegrationError) as caught,
    ):
        client.get(URL)
    error = caught.value
    assert type(error) is (RetryableError if status > 500 else APIError)
    assert (error.status, error.code) == (status, code)
    assert str(error) == f"`GET api.test/v1/items` {text}."


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (ConnectionRefusedError(111, "s3cret"), ": the connection was refused"),
        (socket.gaierror(-2, "s3cret"), ": its name was not found"),
        (ssl.SSLCertVerificationError(1, "s3cret"), ": its certificate is not trusted"),
        (ssl.SSLError(1, "s3cret"), ": it does not speak TLS as is needed"),
        (ConnectionResetError(104, "s3cret"), ": the connection was broken off"),
        (OSError(113, "s3cret"), ""),
    ],
)
def test_why_nobody_was_reached_is_told(cause: OSError, reason: str) -> None:
    """The system's own error tells it, through however many others; its text is never quoted."""
    between = httpx.NetworkError("s3cret")
    between.__context__ = cause
    error = httpx.ConnectError("s3cret")
    error.__cause__ = between
    with (
        Client(transport=Partner(error), retry=Retry.never()) as client,
        pytest.raises(RetryableError) as caught,
    ):
        client.get(URL)
    assert str(caught.value) == f"`GET api.test/v1/items` could not be reached{reason}."


def test_a_header_that_http_refuses_is_not_quoted_by_the_cause() -> None:
    """The protocol's own error shows the header's value, which may be a key."""
    with (
        Client(transport=Partner(httpx.LocalProtocolError("b'k3y\\n'"))) as client,
        pytest.raises(APIError) as caught,
    ):
        client.get(URL)
    assert caught.value.__cause__ is None


def test_an_answer_that_cannot_be_decoded_may_be_asked_for_again() -> None:
    broken = httpx.Response(
        200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(b"no gzip")
    )
    with (
        Client(transport=Partner(broken), retry=Retry.never()) as client,
        client.recorder.recording() as exchanges,
        pytest.raises(RetryableError) as caught,
    ):
        client.get(URL)
    assert (caught.value.status, caught.value.code) == (502, "DECODING_ERROR")
    assert exchanges[0].response_body == "<not decodable>"


def test_endless_redirects_are_refused() -> None:
    transport = Partner(httpx.Response(302, headers={"Location": URL}))
    with (
        Client(transport=transport, follow_redirects=True) as client,
        pytest.raises(APIError) as caught,
    ):
        client.get(URL)
    assert str(caught.value) == "`GET api.test/v1/items` redirects without end."


BUSY = httpx.Response(503)
DONE = httpx.Response(200, json={"done": True})


def attempts(
    method: str, *answers: httpx.Response | Exception, **options: Any
) -> tuple[int, FakeClock]:
    """Give how many requests went out, and the clock that was slept by."""
    clock, partner = FakeClock(), Partner(*answers)
    with Client(transport=partner, clock=clock) as client:
        try:
            client.request(method, URL, **options)
        except RetryableError:
            return -len(partner.requests), clock
    return len(partner.requests), clock


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"])
def test_safe_requests_are_repeated(method: str) -> None:
    assert attempts(method, BUSY, BUSY, DONE)[0] == 3


def test_a_request_with_effects_is_not_repeated() -> None:
    assert attempts("POST", BUSY, DONE)[0] == -1


def test_a_request_that_says_so_is_repeated() -> None:
    assert attempts("POST", BUSY, DONE, extensions={"idempotent": True})[0] == 2


@pytest.mark.parametrize(
    "failed",
    [httpx.Response(429), httpx.ConnectError(""), httpx.ConnectTimeout(""), httpx.PoolTimeout("")],
)
def test_what_was_not_taken_in_is_always_repeated(failed: httpx.Response | Exception) -> None:
    """After 429 and before the connection stands, nothing can have happened yet."""
    assert attempts("POST", failed, DONE)[0] == 2


@pytest.mark.parametrize("failed", [httpx.ReadTimeout(""), httpx.RemoteProtocolError("")])
def test_what_may_have_been_taken_in_is_not_repeated(failed: Exception) -> None:
    assert attempts("POST", failed, DONE)[0] == -1
    assert attempts("PATCH", failed, DONE)[0] == 2


def test_a_response_that_is_too_large_is_not_asked_for_again() -> None:
    assert attempts("PATCH", ResponseTooLargeError(""), DONE)[0] == -1


def test_a_call_that_closing_ends_is_not_made_again() -> None:
    def ended(_: httpx.Request) -> httpx.Response:
        client.close()
        raise httpx.ReadError("s3cret")

    client = Client(transport=httpx.MockTransport(ended), clock=FakeClock())
    with pytest.raises(RetryableError):
        client.patch(URL)


def test_a_body_that_streams_is_sent_once() -> None:
    assert attempts("PUT", BUSY, DONE, content=iter([b"once"]))[0] == -1


def test_the_partners_pause_is_kept_before_the_next_attempt() -> None:
    limited = httpx.Response(429, headers={"x-ratelimit-reset": str(int(STARTED) + 40)})
    count, clock = attempts("PATCH", limited, DONE)
    assert count == 2
    assert 40 <= clock.reading - 1000 <= 44


def test_attempts_end() -> None:
    assert attempts("GET", BUSY)[0] == -4


def test_the_same_body_goes_out_again() -> None:
    partner = Partner(BUSY, DONE)
    with Client(transport=partner, clock=FakeClock()) as client:
        assert client.put(URL, json={"a": 1}).json() == {"done": True}
    assert [request.content for request in partner.requests] == [b'{"a":1}'] * 2


def test_calls_keep_to_the_rate() -> None:
    clock = FakeClock()
    throttle = Throttle(Rate(1, 10), clock=clock)
    with Client(transport=Partner(DONE), clock=clock, throttle=throttle) as client:
        for _ in range(3):
            client.get(URL)
    assert clock.slept == pytest.approx([10.01, 10.01])


@pytest.mark.parametrize(
    "headers",
    [
        {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(STARTED) + 12)},
        {"X-Rate-Limit-Remaining": "0", "X-Rate-Limit-Reset": "12"},
        {"RateLimit": "limit=100, remaining=0, reset=12"},
        {"RateLimit": '"hour";r=0;t=12', "RateLimit-Policy": '"hour";q=100;w=3600'},
    ],
)
def test_success_with_nothing_left_holds_the_next_call(headers: dict[str, str]) -> None:
    clock = FakeClock()
    with Client(transport=Partner(httpx.Response(200, headers=headers), DONE), clock=clock) as one:
        one.get(URL)
        one.get(URL)
    assert clock.slept == [12.0]


def test_defaults_are_sane() -> None:
    partner = Partner(DONE)
    with Client(transport=partner, headers={"X-A": "1"}) as client:
        client.get(URL)
    sent = partner.requests[0]
    assert sent.extensions["timeout"] == {"connect": 10, "read": 30, "write": 30, "pool": 30}
    assert sent.headers["user-agent"] == "action-destinations"
    assert sent.headers["x-a"] == "1"


def test_successful_answers_stream() -> None:
    with (
        Client(transport=Partner(httpx.Response(200, content=b"a\nb"))) as client,
        client.stream("GET", URL) as response,
    ):
        assert list(response.iter_lines()) == ["a", "b"]


def test_what_is_recorded_is_what_happened() -> None:
    """Every attempt is an exchange; the answer reaches the caller unharmed."""
    body = gzip.compress(b'{"seen": "s3cret-1"}')
    zipped = httpx.Response(
        200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(body)
    )
    partner = Partner(httpx.ReadError("broken"), httpx.Response(503, text="busy"), zipped)
    with (
        Client(transport=partner, clock=FakeClock(), redactor=Redactor(["s3cret-1"])) as client,
        client.recorder.recording() as exchanges,
    ):
        answer = client.put(URL, params={"k": "s3cret-1"}, json={"k": "s3cret-1"})
    assert answer.json() == {"seen": "s3cret-1"}
    assert [exchange.status for exchange in exchanges] == [None, 503, 200]
    assert exchanges[0].error == "ReadError: broken"
    last = exchanges[2].to_json()
    assert last["request"]["url"] == "https://api.test/v1/items?k=<redacted>"
    assert last["request"]["body"] == '{"k":"<redacted>"}'
    assert last["response"]["statusMessage"] == "OK"
    assert last["response"]["body"] == {"seen": "<redacted>"}


def test_credentials_of_any_auth_are_kept_out_of_errors() -> None:
    error = refused(
        httpx.Response(403, json={"message": "Key dTpwdy1zM2NyZXQ= may not"}),
        auth=httpx.BasicAuth("u", "pw-s3cret"),
    )
    assert str(error) == ("`GET api.test/v1/items` answered 403 Forbidden: Key <redacted> may not.")


def test_what_an_auth_flow_raises_is_cleaned_too() -> None:
    class Refusing(httpx.Auth):
        def auth_flow(
            self, request: httpx.Request
        ) -> Generator[httpx.Request, httpx.Response, None]:
            if request.url.path:
                raise InvalidAuthenticationError("Key s3cret-1 of ada@example.com is void.")
            yield request

    with (
        Client(transport=Partner(DONE), auth=Refusing(), redactor=Redactor(["s3cret-1"])) as client,
        pytest.raises(InvalidAuthenticationError) as caught,
    ):
        client.get(URL)
    assert str(caught.value) == "Key <redacted> of <address> is void."


def test_the_library_logs_no_secrets(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "httpx")
    with Client(transport=Partner(DONE), redactor=Redactor(["s3cret-1"])) as client:
        client.get(URL, params={"key": "s3cret-1"})
    assert caplog.messages == [
        'HTTP Request: GET https://api.test/v1/items?key=<redacted> "HTTP/1.1 200 OK"'
    ]
    assert client.redactor not in logging.getLogger("httpx").filters


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        (
            {"Deprecation": "true", "Sunset": "Wed, 20 Jan 2027 00:00:00 GMT"},
            (
                "`GET api.test/2026-01/lists/{id}/users` is deprecated"
                " and goes away on Wed, 20 Jan 2027 00:00:00 GMT."
            ),
        ),
        ({"Deprecation": "@1800000000"}, "`GET api.test/2026-01/lists/{id}/users` is deprecated."),
    ],
)
def test_a_deprecated_endpoint_is_named_once(
    caplog: pytest.LogCaptureFixture, headers: dict[str, str], text: str
) -> None:
    partner = Partner(httpx.Response(200, headers=headers))
    with Client(transport=partner) as client:
        client.get("https://api.test/2026-01/lists/70001/users")
        client.get("https://api.test/2026-01/lists/70002/users")
    assert caplog.messages == [text]
    record = caplog.records[0]
    assert (record.levelname, record.name) == ("WARNING", "action_destinations")
    assert record.__dict__["endpoint"] == "GET api.test/2026-01/lists/{id}/users"
    assert record.__dict__["sunset"] == headers.get("Sunset")


def test_calls_are_counted_by_place() -> None:
    """Every attempt counts; ids in paths and secrets do not make places of their own."""
    with Client(
        transport=Partner(BUSY, DONE), clock=FakeClock(), redactor=Redactor(["s3cret-1"])
    ) as client:
        client.get("https://api.test/lists/70001/users?page=2")
        client.get("https://api.test/lists/70002/users")
        client.delete("https://api.test/lists/0d4f5a3e-9d0c-4e57-8f2f-6b1c3a1d2e4f")
        client.get("https://api.test/s3cret-1/2026-07")
        assert client.calls == {
            "GET api.test/lists/{id}/users": 3,
            "DELETE api.test/lists/{id}": 1,
            "GET api.test/<redacted>/2026-07": 1,
        }


def test_places_without_number_are_counted_together() -> None:
    with Client(transport=Partner(DONE)) as client:
        for number in range(210):
            client.get(f"https://api.test/name-{number}")
        assert client.calls["others"] == 10
        assert client.calls.total() == 210


def answered(**parts: Any) -> httpx.Response:
    return httpx.Response(200, request=httpx.Request("GET", URL), **parts)


def test_json_of_gives_the_value() -> None:
    assert json_body(answered(json=[1, {"a": None}])) == [1, {"a": None}]


@pytest.mark.parametrize("parts", [{"html": "oops"}, {"content": b"\n <!doctype html>"}])
def test_a_web_page_instead_of_json_may_pass(parts: dict[str, Any]) -> None:
    response = answered(**parts)
    with pytest.raises(RetryableError) as caught:
        json_body(response)
    error = caught.value
    assert str(error) == "`GET api.test/v1/items` answered 200 OK with a web page instead of JSON."
    assert (error.status, error.code) == (502, "HTML_INSTEAD_OF_JSON")
    assert error.response is response


@pytest.mark.parametrize("content", [b"", b"OK", b'{"cut": ', b"[" * 201 + b"]" * 201])
def test_other_bodies_that_are_not_json_are_final(content: bytes) -> None:
    with pytest.raises(APIError) as caught:
        json_body(answered(content=content))
    assert str(caught.value) == (
        "`GET api.test/v1/items` answered 200 OK with a body that is not JSON."
    )
    assert (caught.value.status, caught.value.code) == (400, "NOT_JSON")


class Echo(BaseHTTPRequestHandler):
    """Answers with what it got; drops the connection where the path says so."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/drop":
            self.close_connection = True
            return
        answer = json.dumps({"path": self.path, "body": body.decode()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def origin() -> Iterator[str]:
    """Give the origin of a real server on this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_real_server_is_reached_over_the_network(origin: str) -> None:
    with Client() as client:
        answer = client.post(f"{origin}/a?b=c", json=[1])
    assert answer.json() == {"path": "/a?b=c", "body": "[1]"}


def test_a_connection_that_a_real_server_drops_is_retryable(origin: str) -> None:
    with Client() as client, pytest.raises(RetryableError) as caught:
        client.post(f"{origin}/drop", json=[1])
    assert caught.value.code == "PROTOCOL_ERROR"


def test_a_server_that_is_not_there_is_asked_again_and_given_up() -> None:
    clock = FakeClock()
    with socket.socket() as taken, Client(clock=clock) as client:
        taken.bind(("127.0.0.1", 0))  # nobody listens there
        port = taken.getsockname()[1]
        with pytest.raises(RetryableError) as caught:
            client.post(f"http://127.0.0.1:{port}/", json=[1])
    assert caught.value.code == "CONNECT_ERROR"
    assert len(clock.slept) == 3


def test_the_client_is_shared_by_threads() -> None:
    """Each thread's exchanges are its own."""
    seen: dict[int, list[str]] = {}
    ready = threading.Barrier(4)

    def work(number: int, client: Client) -> Callable[[], None]:
        def run() -> None:
            with client.recorder.recording() as exchanges:
                ready.wait(10)
                for _ in range(5):
                    client.get(f"https://api.test/{number}")
            seen[number] = [exchange.url for exchange in exchanges]

        return run

    with Client(transport=httpx.MockTransport(lambda _: httpx.Response(200))) as client:
        threads = [threading.Thread(target=work(number, client)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert seen == {number: [f"https://api.test/{number}"] * 5 for number in range(4)}
