"""Requests go where they are told to go."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from wsgiref.types import StartResponse, WSGIEnvironment

import httpx
import pytest

from framework.delivery.client import Client
from framework.delivery.retries import Retry
from framework.delivery.transports import DryRun, Network, make_transport
from framework.errors import APIError, ConfigurationError, RetryableError


class Named(BaseHTTPRequestHandler):
    """Answers with the request line's target and the Host header."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{self.path} {self.headers['Host']}".encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    """Give host and port of a real server on this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Named) as running:
        thread = threading.Thread(target=lambda: running.serve_forever(poll_interval=0.01))
        thread.start()
        yield f"127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def app(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    """Answer with the path and the body, in this process."""
    start("200 OK", [("Content-Type", "text/plain")])
    return [environ["PATH_INFO"].encode(), b" ", environ["wsgi.input"].read()]


def test_an_origin_is_replaced_and_the_path_is_kept(server: str) -> None:
    transport = make_transport(redirect={"https://api.test": f"http://{server}"})
    with Client(transport=transport) as client:
        answer = client.get("https://api.test/v1/a%20b?c=d")
    assert answer.text == f"/v1/a%20b?c=d {server}"
    assert str(answer.request.url) == "https://api.test/v1/a%20b?c=d"


def test_errors_name_the_origin_that_was_meant() -> None:
    target = httpx.MockTransport(lambda _: httpx.Response(404))
    transport = make_transport(redirect={"https://api.test": "http://b.test"}, network=target)
    with Client(transport=transport) as client, pytest.raises(APIError) as caught:
        client.get("https://api.test/v1")
    assert str(caught.value) == "`GET api.test/v1` answered 404 Not Found."


@pytest.mark.parametrize(
    ("url", "reached"),
    [
        ("https://api.test/x", "http://other.test:81/x"),
        ("https://api.test:443/x", "http://other.test:81/x"),
        ("https://api.test:444/x", "https://api.test:444/x"),
        ("http://api.test/x", "http://api.test/x"),
        ("https://API.test/x", "http://other.test:81/x"),
        ("https://apiatest/x", "https://apiatest/x"),
    ],
)
def test_only_the_named_origin_is_replaced(url: str, reached: str) -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(200)

    transport = make_transport(
        redirect={"https://api.test/": "http://other.test:81"}, network=httpx.MockTransport(answer)
    )
    with Client(transport=transport) as client:
        client.get(url)
    assert seen == [reached]


def test_an_app_of_this_process_answers_for_an_origin() -> None:
    elsewhere = httpx.MockTransport(lambda _: httpx.Response(200, text="elsewhere"))
    transport = make_transport(apps={"https://api.test": app}, network=elsewhere)
    with Client(transport=transport) as client:
        assert client.post("https://api.test/v1", content=b"hello").text == "/v1 hello"
        assert client.get("https://b.test/").text == "elsewhere"


def test_a_redirected_origin_may_be_an_app() -> None:
    transport = make_transport(
        redirect={"https://api.test": "http://app.test"}, apps={"http://app.test": app}
    )
    with Client(transport=transport) as client:
        assert client.post("https://api.test/v1", content=b"hello").text == "/v1 hello"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "api.test",
        "ftp://api.test",
        "https://",
        "https://api.test/v1",
        "https://api.test?x=1",
        "https://user@api.test",
        "https://api.test:port",
        "https://[",
    ],
)
def test_what_is_not_an_origin_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make_transport(redirect={"https://good.test": text}, apps={"bad": app})
    assert caught.value.problems == (
        f"`{text}` is not an origin; write it like `https://api.example.com`.",
        "`bad` is not an origin; write it like `https://api.example.com`.",
    )


def test_a_dry_run_keeps_the_requests_and_sends_nothing() -> None:
    transport = DryRun()
    with Client(transport=transport) as client:
        assert client.put("https://api.test/v1", json={"a": 1}).json() == {}
    assert [(sent.method, str(sent.url), sent.content) for sent in transport.requests] == [
        ("PUT", "https://api.test/v1", b'{"a":1}')
    ]


def test_a_dry_run_may_be_told_what_to_answer() -> None:
    transport = DryRun(lambda request: httpx.Response(200, text=request.url.path))
    with Client(transport=transport) as client:
        assert client.get("https://api.test/v1").text == "/v1"


def test_the_network_keeps_to_the_proxies_of_the_environment(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy is asked with the whole address, except for hosts that are exempt."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("HTTP_PROXY", server)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Client(transport=Network()) as client:
        assert client.get("http://api.test/v1").text == "http://api.test/v1 api.test"
        assert client.get(f"http://{server}/v1").text == f"/v1 {server}"


def test_a_client_reads_certificates_only_when_it_needs_them(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither making it nor a call without TLS waits for them."""
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such/file")
    with Client(retry=Retry.never()) as client:
        assert client.get(f"http://{server}/v1").status_code == 200
        with pytest.raises(RetryableError) as caught:
            client.get(f"https://{server}/v1")
    assert str(caught.value) == f"`GET {server}/v1` could not be reached."
