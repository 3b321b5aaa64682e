"""The options of `delivery` in connection files: their values, and every problem in its place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from framework.config import Reading, parse_connection, read_connection
from framework.delivery_options import DeliveryOptions
from tests.framework.delivery.talker import PEM

SUBSCRIPTION = "subscriptions: [{partnerAction: add}]\n"
UNREADABLE = "which has no readable certificate"
DURATION = "Write seconds, or a unit: `90`, `0.5s`, `15m`, `4h`, `2d`."
PROXY = (
    "`delivery.proxy` is not the URL of a proxy. Write it like `http://proxy.example.com:3128`, "
    "with its port and with special characters of credentials percent-encoded, or `none` for no "
    "proxy."
)
PEM_HINT = (
    "Name a file of certificates in PEM format, with `-----BEGIN CERTIFICATE-----`, or leave the "
    "option out to trust public authorities."
)


def parse(
    delivery: str, folder: Path = PEM.parent, environment: Mapping[str, str] | None = None
) -> Reading:
    text = f"destination: x\ndelivery: {delivery}\n{SUBSCRIPTION}"
    return parse_connection(text, "c.yaml", folder, environment or {})


def found(reading: Reading) -> list[str]:
    return [
        f"{one.code} {one.line}:{one.column} {one.message} {one.hint}".rstrip()
        for one in reading.diagnostics
    ]


def test_every_option_is_read() -> None:
    reading = parse(
        "{retry_for: 15m, tries: 5, give_up_after: 1d, time_limit: 60, max_age: '30', linger: "
        "250ms, rate_share: 0.5, proxy: 'https://me:p%40ss@proxy.test:3128', ca_file: "
        "localhost.pem}"
    )
    assert reading.connection is not None
    assert reading.connection.delivery == DeliveryOptions(
        retry_for=900.0,
        tries=5,
        give_up_after=86_400.0,
        time_limit=60.0,
        max_age=30.0,
        linger=0.25,
        rate_share=0.5,
        proxy="https://me:p%40ss@proxy.test:3128",
        ca_file=PEM.absolute(),
    )


@pytest.mark.parametrize("written", ["", "{}", "{tries: , proxy: null}"])
def test_what_is_left_out_is_not_set(written: str) -> None:
    reading = parse(written)
    assert reading.connection is not None
    assert reading.connection.delivery == DeliveryOptions()
    assert found(reading) == []


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("[tries]", "AD201 2:11 `delivery` must be an object, got a list."),
        ("{trys: 3}", "AD203 2:12 `delivery` has no key `trys`. Did you mean `tries`?"),
        ("{tries: 0}", "AD208 2:19 `delivery.tries` must be at least 1."),
        ("{tries: 1.5}", "AD208 2:19 `delivery.tries` must be a whole number."),
        ("{tries: true}", "AD208 2:19 `delivery.tries` must be a whole number."),
        ("{max_age: soon}", f"AD208 2:21 `delivery.max_age` is not a duration. {DURATION}"),
        ("{max_age: [1]}", f"AD208 2:21 `delivery.max_age` is not a duration. {DURATION}"),
        ("{max_age: true}", f"AD208 2:21 `delivery.max_age` is not a duration. {DURATION}"),
        ("{max_age: 0}", "AD208 2:21 `delivery.max_age` must be from 0.1 to 86400 seconds."),
        ("{linger: -1}", "AD208 2:20 `delivery.linger` must be from 0 to 3600 seconds."),
        ("{time_limit: 0}", "AD208 2:24 `delivery.time_limit` must be from 0.1 to 3600 seconds."),
        ("{retry_for: -1}", "AD208 2:23 `delivery.retry_for` must be at least 0 seconds."),
        ("{rate_share: 90%}", "AD208 2:24 `delivery.rate_share` must be a number."),
        ("{rate_share: nan}", "AD208 2:24 `delivery.rate_share` must be a number."),
        ("{rate_share: 0}", "AD208 2:24 `delivery.rate_share` must be from 0.01 to 1."),
        ("{rate_share: 1.1}", "AD208 2:24 `delivery.rate_share` must be from 0.01 to 1."),
        ("{proxy: 3128}", f"AD208 2:19 {PROXY}"),
        ("{proxy: 'proxy.test:3128'}", f"AD208 2:19 {PROXY}"),
        ("{proxy: 'ftp://proxy.test:3128'}", f"AD208 2:19 {PROXY}"),
        ("{proxy: 'http://proxy.test'}", f"AD208 2:19 {PROXY}"),
        ("{proxy: 'http://proxy.test:99999'}", f"AD208 2:19 {PROXY}"),
        ("{proxy: 'http://proxy.test:3128/x'}", f"AD208 2:19 {PROXY}"),
        ("{proxy: 'http://proxy. test:3128'}", f"AD208 2:19 {PROXY}"),
        ("{proxy: 'http://pröxy.test:3128'}", f"AD208 2:19 {PROXY}"),
        (
            "{proxy: '${env:PROXY}'}",
            (
                "AD301 2:19 The environment variable `PROXY` is not set. "
                "Set it, as in `export PROXY=...`, or use `${file:PATH}`."
            ),
        ),
        (
            "{ca_file: no.pem}",
            f"AD208 2:21 `delivery.ca_file` names `no.pem`, which does not exist. {PEM_HINT}",
        ),
        (
            "{ca_file: .}",
            f"AD208 2:21 `delivery.ca_file` names `.`, which is not a file. {PEM_HINT}",
        ),
        (
            "{ca_file: talker.py}",
            f"AD208 2:21 `delivery.ca_file` names `talker.py`, {UNREADABLE}. {PEM_HINT}",
        ),
        ("{ca_file: 7}", f"AD208 2:21 `delivery.ca_file` must be the path of a file. {PEM_HINT}"),
    ],
)
def test_what_is_unusable_is_refused_with_a_correction(written: str, problem: str) -> None:
    reading = parse(written)
    assert reading.connection is None
    assert found(reading) == [problem]


def test_all_problems_are_found_at_once() -> None:
    reading = parse("\n  tries: 0\n  max_age: soon\n  ca_file: no.pem\n  linger: 0.2")
    assert [(one.code, one.line) for one in reading.diagnostics] == [
        ("AD208", 3),
        ("AD208", 4),
        ("AD208", 5),
    ]
    assert reading.draft is not None
    assert reading.draft.delivery == DeliveryOptions(linger=0.2)


def test_references_are_replaced() -> None:
    environment = {"PROXY": "http://me:hunter22@proxy.test:3128", "AGE": "20s"}
    reading = parse("{proxy: '${env:PROXY}', max_age: '${env:AGE}'}", environment=environment)
    assert reading.connection is not None
    assert found(reading) == []
    options = reading.connection.delivery
    assert (options.proxy, options.max_age) == (environment["PROXY"], 20.0)
    assert "hunter22" not in repr(reading)


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs" / "own.pem").write_bytes(PEM.read_bytes())
    file = tmp_path / "c.yaml"
    file.write_text("destination: x\ndelivery: {ca_file: certs/own.pem}\n" + SUBSCRIPTION)
    connection = read_connection(file).connection
    assert connection is not None
    assert connection.delivery.ca_file == tmp_path / "certs" / "own.pem"


def test_a_file_of_certificates_has_a_maximum_size(tmp_path: Path) -> None:
    with (tmp_path / "own.pem").open("wb") as file:
        file.truncate(10_000_001)
    problem = f"names `own.pem`, which is larger than 10 MB. {PEM_HINT}"
    assert found(parse("{ca_file: own.pem}", tmp_path)) == [
        f"AD208 2:21 `delivery.ca_file` {problem}"
    ]


@pytest.mark.parametrize("url", ["http://me:hunter22@proxy.test:3128", "http://me:hunter22@x"])
def test_credentials_in_plain_text_are_a_warning_and_never_shown(url: str) -> None:
    reading = parse(f"\n  proxy: {url}")
    first = reading.diagnostics[0]
    assert (first.code, first.severity, first.message) == (
        "AD305",
        "warning",
        "`delivery.proxy` has credentials in plain text: anyone with the file can read them.",
    )
    assert "hunter22" not in repr(reading.diagnostics)


@pytest.mark.parametrize(
    "text",
    [
        "destination: x\ndelivery: {proxy: http://me:hunter22@proxy.test:3128, tries: 0}\n",
        "destination: x\ndelivery:\n  proxy: http://me:hunter22@proxy.test: 3128\n",
        'destination: x\ndelivery:\n  proxy: "http://me:hunter22@\n',
    ],
)
def test_no_excerpt_shows_credentials(text: str) -> None:
    reading = parse_connection(text, "c.yaml", Path(), {})
    assert reading.connection is None
    assert "hunter22" not in repr(reading.diagnostics)


@pytest.mark.parametrize(
    ("proxy", "secrets"),
    [
        (None, ()),
        ("none", ()),
        ("http://proxy.test:1", ()),
        ("http://a-token@proxy.test:1", ("a-token",)),
        ("http://me:p%40ss@proxy.test:1", ("p%40ss", "p@ss", "me:p%40ss", "me:p@ss")),
    ],
)
def test_the_credentials_of_a_proxy_are_its_secrets(proxy: Any, secrets: tuple[str, ...]) -> None:
    assert DeliveryOptions(proxy=proxy).secrets == secrets


def test_options_are_laid_over_others() -> None:
    command = DeliveryOptions(tries=2, linger=0.0)
    file = DeliveryOptions(tries=5, linger=1.0, max_age=3.0)
    assert command.over(file) == DeliveryOptions(tries=2, linger=0.0, max_age=3.0)
