"""Proxy, certificates and limits of a delivery, given in the connection file or by options."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from destinations.criteo_audiences.sandbox import CriteoSandbox
from framework.cli import exits
from framework.sandbox import Server
from tests.deliveries import event, members_of, write
from tests.framework.delivery.talker import PEM, STALLS, talking
from tests.middlemen import ForwardProxy, behind_tls
from tests.proof.conftest import ORIGIN, Bench
from tests.proof.test_relay import Refusing, entered, free, start
from tests.relaying import until

PASSWORD = "hunter%2B22"
CREDENTIALS = "me:hunter+22"
ADA = {"spring": {"ada@example.com"}}


@pytest.fixture
def criteo() -> CriteoSandbox:
    return free()


@pytest.fixture
def secure(criteo: CriteoSandbox) -> Iterator[str]:
    """Yield the origin of the partner, with a certificate that no public authority signed."""
    with Server(criteo) as server, behind_tls(server.url) as origin:
        yield origin


@pytest.fixture
def proxy() -> Iterator[ForwardProxy]:
    with ForwardProxy(CREDENTIALS).running() as running:
        yield running


def url_of(proxy: ForwardProxy, password: str = PASSWORD) -> str:
    return f"http://me:{password}@{proxy.address}"


def configure(bench: Bench, **delivery: Any) -> None:
    """Add delivery options to the connection file, and an event to the events file."""
    document = json.loads(bench.connection.read_text())
    bench.connection.write_text(json.dumps({**document, "delivery": delivery}, indent=2))
    write(bench.events, [event("ada@example.com")])


def holds_no_password(folder: Path, *texts: str) -> bool:
    files = [one.read_text("latin-1") for one in folder.iterdir() if one.is_file()]
    return not any("hunter" in text or "aHVudGVy" in text for text in (*files, *texts))


def test_a_run_goes_through_the_proxy_of_its_connection_file(
    here: Bench, criteo: CriteoSandbox, secure: str, proxy: ForwardProxy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("PROXY_URL", url_of(proxy))
    (here.folder / "own.pem").write_bytes(PEM.read_bytes())
    configure(here, proxy="${env:PROXY_URL}", ca_file="own.pem")
    ran = here.run(secure)
    assert ran.exit_code == exits.DONE, ran.output
    assert members_of(criteo) == ADA
    assert {*proxy.requests} == {("CONNECT", secure.removeprefix("https://"))}
    assert holds_no_password(here.folder, ran.output)


def test_options_win_over_the_connection_file(
    here: Bench, criteo: CriteoSandbox, secure: str, proxy: ForwardProxy
) -> None:
    configure(here, proxy="http://127.0.0.1:9")
    refused = here.run(secure, "--ca-file", PEM, "--retry-for", "0")
    assert refused.exit_code == exits.UNAVAILABLE, refused.output
    direct = here.run(secure, "--ca-file", PEM, "--proxy", "none")
    assert direct.exit_code == exits.DONE, direct.output
    assert members_of(criteo) == ADA
    assert proxy.requests == []


def test_a_proxy_is_named_by_a_variable(
    here: Bench, criteo: CriteoSandbox, proxy: ForwardProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without TLS, the proxy is asked with the whole address."""
    configure(here)
    monkeypatch.setenv("PROXY_URL", url_of(proxy))
    with Server(criteo) as server:
        ran = here.run(server.url, "--proxy", "env:PROXY_URL")
    assert ran.exit_code == exits.DONE, ran.output
    assert members_of(criteo) == ADA
    assert ("POST", f"{server.url}/oauth2/token") in proxy.requests
    missing = here.run(server.url, "--proxy", "env:NO_SUCH_URL")
    assert missing.exit_code == exits.USAGE
    assert "The environment variable `NO_SUCH_URL` is not set." in missing.output


def test_a_proxy_that_refuses_its_credentials_shows_none_of_them(
    here: Bench, criteo: CriteoSandbox, secure: str, proxy: ForwardProxy
) -> None:
    configure(here)
    wrong = url_of(proxy, "hunter%2B23")
    ran = here.run(secure, "--proxy", wrong, "--ca-file", PEM, "--retry-for", "0")
    assert ran.exit_code == exits.UNAVAILABLE, ran.output
    assert "could not be reached through the proxy" in ran.output
    assert (members_of(criteo), proxy.requests, bool(proxy.refused)) == ({}, [], True)
    assert holds_no_password(here.folder, ran.output)


def test_a_partner_with_an_unknown_certificate_receives_nothing(
    here: Bench, criteo: CriteoSandbox, secure: str
) -> None:
    configure(here)
    ran = here.run(secure, "--retry-for", "0")
    assert ran.exit_code == exits.UNAVAILABLE, ran.output
    assert (members_of(criteo), len(criteo.requests)) == ({}, 0)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--ca-file", "no.pem", "The value names `no.pem`, which does not exist."),
        (
            "--ca-file",
            __file__,
            f"The value names `{__file__}`, which has no readable certificate.",
        ),
        ("--proxy", "http://me:hunter@x", "The value is not the URL of a proxy."),
        ("--rate-share", "2", "`2` must be from 0.01 to 1."),
        ("--max-age", "soon", "`soon` is not a duration. Write seconds, or a unit:"),
        ("--linger", "-1", "`-1` is not a duration. Write seconds, or a unit:"),
        ("--time-limit", "0", "`0` must be from 0.1 to 3600 seconds."),
        ("--tries", "0", "`0` must be at least 1."),
        ("--tries", "many", "`many` must be a whole number."),
    ],
)
def test_an_unusable_option_is_refused_before_anything_is_sent(
    here: Bench, criteo: CriteoSandbox, option: str, value: str, message: str
) -> None:
    configure(here)
    with Server(criteo) as server:
        ran = here.run(server.url, option, value)
    assert ran.exit_code == exits.USAGE
    assert message in " ".join(ran.output.split())
    assert "hunter" not in ran.output
    assert len(criteo.requests) == 0


def test_an_unusable_certificate_of_the_file_is_refused_before_anything_is_sent(
    here: Bench, criteo: CriteoSandbox
) -> None:
    configure(here, ca_file="no.pem", tries=0)
    with Server(criteo) as server:
        ran = here.run(server.url)
    assert ran.exit_code == exits.USAGE
    text = " ".join(ran.output.split())
    assert "`delivery.ca_file` names `no.pem`, which does not exist." in text
    assert "or leave the option out to trust public authorities." in text
    assert "`delivery.tries` must be at least 1." in text
    assert len(criteo.requests) == 0


def test_the_check_of_credentials_uses_the_connection_file(
    here: Bench, secure: str, proxy: ForwardProxy
) -> None:
    configure(here, proxy=url_of(proxy), ca_file=str(PEM))
    checked = here.check(secure)
    assert checked.exit_code == exits.DONE, checked.output
    assert {*proxy.requests} == {("CONNECT", secure.removeprefix("https://"))}


def test_a_replay_uses_the_connection_file(
    here: Bench, criteo: CriteoSandbox, proxy: ForwardProxy
) -> None:
    configure(here, proxy=url_of(proxy), ca_file=str(PEM))
    partner = Refusing(criteo)
    with Server(partner) as server, behind_tls(server.url) as origin:
        assert here.run(origin).exit_code == exits.FAILED
        partner.refuses = False
        proxy.requests.clear()
        (letters,) = here.folder.glob("*.dead-letters.ndjson")
        options = ("-c", here.connection, "--endpoint", f"{ORIGIN}={origin}")
        replayed = here.actions("dead-letters", "replay", letters, *options)
    assert replayed.exit_code == exits.DONE, replayed.output
    assert members_of(criteo) == ADA
    assert {*proxy.requests} == {("CONNECT", origin.removeprefix("https://"))}


def test_a_run_ends_requests_at_their_time_limit(here: Bench) -> None:
    configure(here, time_limit=0.2)
    with talking(STALLS, STALLS) as talker:
        ran = here.run(talker.origin, "--retry-for", "0")
    assert ran.exit_code == exits.UNAVAILABLE, ran.output
    assert "did not answer in time" in ran.output


def test_a_relay_goes_through_a_proxy(
    bench: Bench, criteo: CriteoSandbox, secure: str, proxy: ForwardProxy
) -> None:
    configure(bench, ca_file=str(PEM))
    with start(bench, secure, "--proxy", url_of(proxy), "--linger", "0") as relay:
        relay.post([entered("ada@example.com")])
        until(lambda: members_of(criteo) == ADA)
        code, output, errors = relay.terminate()
    assert code == exits.DONE, errors
    assert {*proxy.requests} == {("CONNECT", secure.removeprefix("https://"))}
    assert "hunter" not in output + errors
