"""Delivery options of a connection, by what the partner receives and when."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from framework.definition import Batching, Destination, Rate
from framework.delivery import Connection, make_transport
from framework.delivery_options import DeliveryOptions
from framework.results import DELIVERED, Failed
from tests.framework.delivery.bench import SEND, Partner, connected, plugin, said
from tests.framework.delivery.clocks import FakeClock
from tests.framework.delivery.talker import PEM, STALLS, talking
from tests.framework.delivery.test_curl import partner_certificate

ORIGIN = "https://partner.test"
ALONE = replace(SEND, batching=Batching(max_size=1))


def perform_batch(payloads: list[Any], client: httpx.Client) -> None:
    client.post(f"{ORIGIN}/messages", json=[one.text for one in payloads])


def result(connection: Connection) -> Any:
    (item,) = connection.deliver([said()]).items
    return item.result


def test_a_request_ends_at_its_time_limit() -> None:
    options = DeliveryOptions(time_limit=0.2)
    with talking(STALLS) as talker:
        transport = make_transport(redirect={ORIGIN: talker.origin}, options=options)
        with connected(
            plugin(SEND, perform_batch=perform_batch), partner=transport, options=options
        ) as connection:
            begun = time.monotonic()
            failed = result(connection)
            assert time.monotonic() - begun < 5  # without the option: 30
    assert isinstance(failed, Failed)
    assert (failed.status, failed.code) == (504, "READ_TIMEOUT")
    assert len(talker.requests) == 1


@pytest.mark.parametrize(("share", "reading"), [(None, 1006.006), (1.0, 1006.006), (0.5, 1012.012)])
def test_requests_take_their_share_of_the_rate(share: float | None, reading: float) -> None:
    """The second of ten requests in a minute goes out after 6 seconds, of five after 12."""
    clock, partner = FakeClock(), Partner()

    def destination() -> Destination:
        return Destination(slug="partner", name="Partner", rate=Rate(calls=10, seconds=60))

    opened = plugin(ALONE, destination=destination, perform_batch=perform_batch)
    options = DeliveryOptions(rate_share=share)
    with connected(opened, partner=partner, clock=clock, options=options) as connection:
        connection.deliver([said(), said()])
    assert len(partner.requests) == 2
    assert clock.reading == pytest.approx(reading)


def streamed(options: DeliveryOptions, *, until: int) -> int:
    """Stream an event, look for requests twice and on until there are some; return their number."""
    partner = Partner()
    with connected(
        plugin(SEND, perform_batch=perform_batch), partner=partner, options=options
    ) as connection:
        sender = connection.stream(ready=True)
        completions = [*sender.add([(1, said())]), *sender.flush_due(), *sender.flush_due()]
        while len(partner.requests) < until:
            completions += sender.flush_due()
    return len(partner.requests)


def test_a_stream_lingers_as_long_as_asked() -> None:
    assert streamed(DeliveryOptions(linger=3600.0, max_age=3600.0), until=0) == 0
    assert streamed(DeliveryOptions(linger=0.0), until=0) == 1


def test_the_age_of_batches_replaces_that_of_the_action() -> None:
    assert streamed(DeliveryOptions(linger=3600.0, max_age=0.1), until=1) == 1


def test_certificates_and_proxy_are_those_of_the_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    options = DeliveryOptions(ca_file=Path(PEM), proxy="none")
    with talking(trust=partner_certificate()) as talker:
        transport = make_transport(redirect={ORIGIN: talker.origin}, options=options)
        with connected(
            plugin(SEND, perform_batch=perform_batch), partner=transport, options=options
        ) as connection:
            assert result(connection) == DELIVERED
    assert talker.requests[0].startswith(b"POST /messages HTTP/1.1\r\n")


def test_credentials_of_the_proxy_are_in_no_text() -> None:
    options = DeliveryOptions(proxy="http://me:hunter%2B22@127.0.0.1:9")
    with connected(plugin(SEND, perform_batch=perform_batch), options=options) as connection:
        for text in ("hunter+22", "hunter%2B22", "bWU6aHVudGVyKzIy", "me:hunter+22"):
            assert connection.redactor.text(f"seen {text} here") == "seen <redacted> here"


def test_options_do_not_change_whom_a_checkpoint_serves() -> None:
    plain = connected(plugin(SEND, perform_batch=perform_batch))
    given = connected(
        plugin(SEND, perform_batch=perform_batch),
        options=DeliveryOptions(
            max_age=1.0, rate_share=0.5, time_limit=5.0, proxy="none", ca_file=PEM
        ),
    )
    assert (plain.label, plain.settings_digest) == (given.label, given.settings_digest)
