"""`actions check-auth` checks all that a delivery needs, and sends no event."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from framework.cli import exits
from framework.cli.app import actions
from framework.cli.origin_checks import CheckedOrigin, ObservedTransport, check_origin, remedy_of
from framework.delivery_options import DeliveryOptions
from framework.plugins import load_plugins
from framework.sandbox import Fault, serve
from tests.framework.delivery.talker import PEM
from tests.middlemen import behind_tls

CONNECTION = """
destination: actions-criteo-audiences
settings: {advertiser_id: "12345", client_id: an-app, client_secret: "${env:SECRET}"}
subscriptions: [{partnerAction: addUserToAudience}]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SECRET", "open sesame")
    (tmp_path / "c.yaml").write_text(CONNECTION, encoding="utf-8")
    return tmp_path


@pytest.fixture
def partner() -> Any:
    found: Any = load_plugins().get("criteo").call("sandbox")
    found.admit({"advertiser_id": "12345", "client_id": "an-app", "client_secret": "open sesame"})
    return found


@pytest.fixture
def secure(partner: Any) -> Iterator[str]:
    """Yield the partner's address behind a certificate that no public authority has signed."""
    with serve(partner) as server, behind_tls(server.url) as origin:
        yield origin


def check(*options: str) -> tuple[int, dict[str, tuple[str, str]], str]:
    """Return the exit code, state and text of each check by its name, and all output."""
    command = ["check-auth", "-c", "c.yaml", "--json", *options]
    result = CliRunner().invoke(actions, command)
    found = json.loads(result.stdout)
    assert found["exitCode"] == result.exit_code
    checks = {one["name"]: (one["state"], one["text"]) for one in found["checks"]}
    return result.exit_code, checks, result.output


def test_everything_is_checked_and_no_event_is_sent(
    folder: Path, partner: Any, secure: str
) -> None:
    trust(folder)
    partner.add_segment("Spring")
    partner.add_segment("Fixed", read_only=True)
    code, checks, output = check("--endpoint", f"https://api.criteo.com={secure}")
    assert (code, set(checks)) == (
        exits.DONE,
        {"connection file", "name", "certificate", "clock", "budget", "credentials",
         "contact lists"},
    )  # fmt: skip
    assert {state for state, _ in checks.values()} == {"ok"}
    assert checks["contact lists"][1] == "Advertiser 12345 has 2 contact lists, 1 read-only."
    assert "sesame" not in output
    paths = {(request.method, request.path.split("/")[-1]) for request in partner.requests}
    assert paths == {("POST", "token"), ("GET", "me"), ("POST", "search")}


def trust(folder: Path) -> None:
    text = f"{CONNECTION}delivery: {{ca_file: {PEM}}}\n"
    (folder / "c.yaml").write_text(text, encoding="utf-8")


@pytest.mark.usefixtures("folder")
def test_a_certificate_that_is_not_trusted_is_named(secure: str) -> None:
    code, checks, _ = check("--endpoint", f"https://api.criteo.com={secure}")
    assert code == exits.UNAVAILABLE
    state, text = checks["certificate"]
    assert state == "failed"
    assert text.startswith("localhost has a certificate that is not valid: ")
    assert text.endswith("issued it, name that in `delivery.ca_file`.")
    assert checks["credentials"][0] == "failed"


@pytest.mark.parametrize(
    ("status", "code", "offer"),
    [
        (401, exits.REFUSED, "Check the credentials and the other settings of the connection."),
        (429, exits.UNAVAILABLE, "The partner allows no more requests for now: try again later."),
        (503, exits.UNAVAILABLE, "The partner has a fault of its own: try again later."),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_to_do_about_an_answer(status: int, code: int, offer: str) -> None:
    with answering(status) as url:
        command = ["check-auth", "-c", "c.yaml", "--endpoint", f"https://api.criteo.com={url}"]
        result = CliRunner().invoke(actions, command)
    assert result.exit_code == code
    assert result.stderr.endswith(f" {offer}\n")


@contextmanager
def answering(status: int) -> Iterator[str]:
    """Yield the address of a partner that answers everything with a status."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        serving = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            serving.join()


@pytest.mark.usefixtures("folder")
def test_a_name_without_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    code, checks, _ = check("--endpoint", "https://api.criteo.com=https://no-such-host.invalid")
    assert code == exits.UNAVAILABLE
    assert checks["name"][0] == "failed"
    assert "certificate" not in checks


def test_what_a_failing_check_of_the_destination_says(
    folder: Path, partner: Any, secure: str
) -> None:
    trust(folder)
    partner.inject(Fault(kind="html", route="search"))
    code, checks, _ = check("--endpoint", f"https://api.criteo.com={secure}")
    assert code == exits.FAILED
    assert checks["partner"][0] == "failed"
    assert checks["credentials"][0] == "ok"


@pytest.mark.usefixtures("folder")
def test_addresses_of_settings_are_checked_where_a_destination_asks_nothing(
    folder: Path, secure: str
) -> None:
    text = (
        "destination: actions-webhook\n"
        f"settings: {{url: '{secure}/hooks/T0KEN'}}\n"
        f"delivery: {{ca_file: {PEM}}}\n"
        "subscriptions: [{partnerAction: send, subscribe: 'type = \"track\"'}]\n"
    )
    (folder / "c.yaml").write_text(text, encoding="utf-8")
    code, checks, output = check()
    assert (code, checks["name"][0], checks["certificate"][0]) == (exits.DONE, "ok", "ok")
    assert "T0KEN" not in output


def observed(now: float, headers: dict[str, str]) -> CheckedOrigin:
    answer = httpx.MockTransport(lambda _: httpx.Response(200, headers=headers))
    transport = ObservedTransport(answer, now=lambda: now)
    httpx.Client(transport=transport).get("https://api.acme.test/a?b")
    (found,) = transport.origins.values()
    return found


@pytest.mark.parametrize(
    ("ahead", "expected"),
    [
        (0.0, ("ok", "api.acme.test has the time of this machine.")),
        (59.0, ("ok", "api.acme.test has the time of this machine.")),
        (300.0, ("warning", "This machine is 300 s ahead of api.acme.test; set its clock.")),
        (-300.0, ("warning", "This machine is 300 s behind api.acme.test; set its clock.")),
        (10_800.0, ("warning", "This machine is 3 hours ahead of api.acme.test; set its clock.")),
        (-1e7, ("warning", "This machine is 116 days behind api.acme.test; set its clock.")),
    ],
)
def test_clocks(ahead: float, expected: tuple[str, str]) -> None:
    now = float(int(time.time()))
    found = observed(now + ahead + 0.5, {"Date": formatdate(now, usegmt=True)})
    checks = {one.name: (one.state, one.text) for one in check_origin(found, THROUGH_A_PROXY)}
    assert checks == {"clock": expected}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x-ratelimit-remaining": "7"}, ("ok", "api.acme.test allows 7 more requests.")),
        (
            {"ratelimit-remaining": "0", "ratelimit-reset": "30"},
            ("warning", "api.acme.test allows 0 more requests for the next 30 s."),
        ),
    ],
)
def test_budgets(headers: dict[str, str], expected: tuple[str, str]) -> None:
    found = observed(1000.0, headers)
    checks = {one.name: (one.state, one.text) for one in check_origin(found, THROUGH_A_PROXY)}
    assert checks == {"budget": expected}


THROUGH_A_PROXY = DeliveryOptions(proxy="http://proxy.test:3128")
"""Names and certificates are the proxy's concern."""


@pytest.mark.parametrize(
    ("code", "remedy"),
    [(10, "the server needs a new one"), (62, "Check the address"), (19, "`delivery.ca_file`")],
)
def test_a_refused_certificate_has_a_remedy(code: int, remedy: str) -> None:
    """By OpenSSL's code: expired, of another name, of an unknown authority."""
    assert remedy in remedy_of(code)
