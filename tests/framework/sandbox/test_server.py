"""A sandbox on loopback: the partner's API, the control API and the page."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from framework.sandbox import Fault, SandboxTransport, Server, serve
from framework.sandbox.page import render
from tests.framework.sandbox.bell import Bell


@pytest.fixture
def bell() -> Bell:
    return Bell(limit=1000)


@pytest.fixture
def server(bell: Bell) -> Iterator[Server]:
    with serve(bell) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=5) as client:
        yield client


def test_it_listens_on_loopback_only(server: Server) -> None:
    assert server.url == f"http://127.0.0.1:{server.port}"
    assert server.port > 0


def test_the_partner_answers_and_the_connection_is_kept(bell: Bell, client: httpx.Client) -> None:
    first, second = client.post("/ring"), client.post("/ring", content=iter([b"in ", b"chunks"]))
    streams = [answer.extensions["network_stream"] for answer in (first, second)]
    ports = {stream.get_extra_info("client_addr") for stream in streams}
    assert (first.json(), second.json(), len(ports)) == ({"rings": 1}, {"rings": 2}, 1)
    assert bell.seen[-1].body == b"in chunks"


def test_a_body_over_the_limit_is_read_to_its_end(bell: Bell, client: httpx.Client) -> None:
    """Otherwise a client that is still sending would get a broken pipe instead of the response."""
    assert client.post("/ring", content=b"x" * 3_000_000).json() == {"rings": 1}
    assert client.post("/ring", content=iter([b"x" * 2000])).json() == {"rings": 2}
    assert [(one.size, one.body) for one in bell.seen] == [(3_000_000, b""), (2000, b"")]


@pytest.mark.parametrize(("kind", "rings"), [("drop-before", 0), ("drop-after", 1)])
def test_a_dropped_connection_is_closed_without_an_answer(
    bell: Bell, client: httpx.Client, kind: str, rings: int
) -> None:
    client.get("/nothing")
    bell.inject(Fault(kind))
    with pytest.raises(httpx.RemoteProtocolError) as caught:
        client.post("/ring", content=b"x" * 100_000)
    assert str(caught.value) == "Server disconnected without sending a response."
    assert bell.rings == rings
    assert client.post("/ring").json() == {"rings": rings + 1}


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "[::1", ""])
def test_a_request_under_another_name_is_refused(client: httpx.Client, host: str) -> None:
    """A web page whose name resolves to this machine must not reach the sandbox."""
    for path in ("/", "/ring", "/__sandbox/state"):
        answer = client.get(path, headers={"Host": host})
        assert answer.status_code == 421
        assert answer.json() == {"error": "This server accepts only requests to its own host name."}


@pytest.mark.parametrize("host", ["127.0.0.1:1", "LOCALHOST", "[::1]:9"])
def test_loopback_has_several_names(client: httpx.Client, host: str) -> None:
    assert client.get("/__sandbox/state", headers={"Host": host}).status_code == 200


def test_names_can_be_given(bell: Bell) -> None:
    with serve(bell, names=frozenset({"bell.test"})) as server:
        assert httpx.get(server.url, headers={"Host": "bell.test"}).status_code == 200
        assert httpx.get(server.url).status_code == 421


def test_a_port_can_be_chosen(bell: Bell) -> None:
    with socket.socket() as kept:  # for us: nobody else is given a port that is bound
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind(("127.0.0.1", 0))
        port = kept.getsockname()[1]
        with serve(bell, port=port) as server:
            assert httpx.get(f"http://127.0.0.1:{port}/__sandbox/state").json() == bell.state()
        assert server.port == port


def test_it_runs_as_a_process_of_its_own_until_interrupted() -> None:
    root = Path(__file__).parents[3]
    script = (
        "from framework.testing import serve; from tests.framework.sandbox.bell import Bell; "
        "server = serve(Bell()); print(server.url, flush=True); server.run()"
    )
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert httpx.post(f"{url}/ring").json() == {"rings": 1}
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(timeout=10) == 0
        finally:
            process.kill()
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


def test_the_state_is_shown_on_request(bell: Bell, client: httpx.Client) -> None:
    client.post("/ring")
    assert client.get("/__sandbox/state").json() == bell.state()
    assert client.get("/__sandbox/state?detail=members").json() == bell.state("members")


def test_the_control_api_injects_moves_and_resets(bell: Bell, client: httpx.Client) -> None:
    fault = Fault("jammed", call=2)
    answer = client.post("/__sandbox/faults", json=fault.to_json()).json()
    assert answer == {"known": bell.faults, "pending": [fault.to_json()]}
    assert client.get("/__sandbox/faults").json() == answer
    assert [client.post("/ring").status_code for _ in range(3)] == [200, 503, 200]
    assert client.post("/__sandbox/clock", json={"move": 900}).json() == {"now": 1.8e9 + 900}
    assert client.post("/__sandbox/reset", json={}).json() == bell.state()
    assert (bell.rings, bell.clock.time()) == (0, 1.8e9 + 900)


def test_control_calls_are_not_the_partners(bell: Bell, client: httpx.Client) -> None:
    client.get("/")
    client.get("/__sandbox/state")
    assert bell.requests == ()


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("faults", b"{", 400, "The body must be JSON."),
        ("faults", b"[]", 400, 'A fault must be an object with a "kind".'),
        ("clock", b'{"move": "1"}', 400, "`move` must be a number of seconds."),
        ("clock", b'{"move": NaN}', 400, "`move` must be a number of seconds."),
        ("clock", b"[]", 400, "`move` must be a number of seconds."),
        (
            "stop",
            b"{}",
            404,
            (
                "Unknown control endpoint. Known endpoints: GET /, GET /__sandbox/fault, "
                "POST /__sandbox/fault, GET /__sandbox/state, GET /__sandbox/faults, "
                "POST /__sandbox/faults, POST /__sandbox/clock, POST /__sandbox/reset."
            ),
        ),
    ],
)
def test_a_wrong_control_call_is_refused_with_the_reason(
    client: httpx.Client, path: str, body: bytes, status: int, message: str
) -> None:
    headers = {"Content-Type": "application/json"}
    answer = client.post(f"/__sandbox/{path}", content=body, headers=headers)
    assert (answer.status_code, answer.json()) == (status, {"error": message})


def test_forms_of_other_pages_control_nothing(bell: Bell, client: httpx.Client) -> None:
    """Posting JSON across origins requires permission, which is never given."""
    client.post("/ring")
    answer = client.post("/__sandbox/reset", data={"a": "b"})
    assert answer.status_code == 415
    assert answer.json() == {"error": "The Content-Type must be `application/json`."}
    assert bell.rings == 1


def test_faults_are_injected_on_the_page(bell: Bell, client: httpx.Client) -> None:
    """By a form without scripts, which reloads nothing while it is filled in."""
    client.post("/ring")
    page = client.get("/__sandbox/fault").text
    assert "http-equiv" not in page
    assert "<option>drop-before</option>" in page
    assert '<option value="ring">ring</option>' in page
    own = {"Origin": str(client.base_url).rstrip("/")}
    form = {"kind": "html", "route": "ring", "call": "2", "times": "3", "seconds": "0.5"}
    answer = client.post("/__sandbox/fault", data=form, headers=own)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert list(bell.pending_faults()) == [Fault("html", "ring", 2, 3, 0.5)]
    for wrong, told in (("x", "must be numbers"), ("0", "must be a whole number from 1")):
        refused = client.post("/__sandbox/fault", data={**form, "times": wrong}, headers=own)
        assert (refused.status_code, told in refused.text) == (400, True)
    other = {**form, "kind": "<img>"}
    assert "&lt;img&gt;" in client.post("/__sandbox/fault", data=other, headers=own).text


@pytest.mark.parametrize("headers", [{}, {"Origin": "null"}, {"Origin": "https://evil.test"}])
def test_the_form_of_another_page_injects_nothing(
    bell: Bell, client: httpx.Client, headers: dict[str, str]
) -> None:
    answer = client.post("/__sandbox/fault", data={"kind": "html"}, headers=headers)
    assert (answer.status_code, [*bell.pending_faults()]) == (403, [])


def test_the_page_is_self_contained_and_escapes_everything(
    bell: Bell, client: httpx.Client
) -> None:
    client.post("/ring")
    client.get("/<img>")
    bell.inject(Fault("html"))
    answer = client.get("/")
    page = answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert '<meta http-equiv="refresh" content="2">' in page
    assert "<h1>Bell &lt;b&gt; sandbox</h1>" in page
    assert "<h2>Tones &amp; such</h2>" in page
    assert "&lt;script&gt;" in page
    assert "/&lt;img&gt;" in page
    assert "n &lt;i&gt;" in page
    assert '<td class="number">1,234,567</td>' in page
    for text in ("<script", "<img", "<i>", "http://", "https://"):
        assert text not in page


def test_the_page_shows_outcomes_and_what_is_empty() -> None:
    bell = Bell()
    assert "No requests yet." in render(bell)
    assert "Nothing yet." in render(bell)
    with httpx.Client(transport=SandboxTransport(bell), base_url="https://bell.example") as client:
        client.post("/ring")
        bell.inject(Fault("jammed"))
        client.post("/ring")
    page = render(bell)
    assert '<td class="good">200</td>' in page
    assert '<td class="bad">503 (jammed)</td>' in page
    assert page.index("503 (jammed)") < page.index('<td class="good">200</td>')


def test_a_connection_that_ends_before_its_answer_leaves_nothing_to_write(bell: Bell) -> None:
    """Python 3.13 prints an error when a file with something to write is collected."""
    inner = serve(bell)._server
    near, far = socket.socketpair()
    connection = inner.ConnectionClass(inner, near)
    connection.wfile._write_buf.extend(b"answer")
    far.close()

    connection.close()

    assert connection.wfile.closed
    inner.stop()
