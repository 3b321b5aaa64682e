"""Exchanges are recorded without secrets, and texts lose secrets and personal data."""

from __future__ import annotations

import base64
import html
import json
import logging
import re
import threading
from collections.abc import Callable
from urllib.parse import quote, quote_plus, urlencode

import httpx
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from framework.delivery.exchanges import (
    ADDRESSES,
    HASHES,
    REDACTED,
    Exchange,
    ReceivedResponse,
    Recorder,
    Redactor,
    SentRequest,
)

ENCODINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "quote": lambda value: quote(value, safe=""),
    "quote, path": quote,
    "quote, lower case": lambda value: re.sub(
        "%..", lambda escape: escape[0].lower(), quote(value, safe="")
    ),
    "quote_plus": quote_plus,
    "quote twice": lambda value: quote(quote(value, safe=""), safe=""),
    "form": lambda value: urlencode({"key": value}),
    "httpx query": lambda value: str(httpx.URL("https://a.test", params={"key": value})),
    "httpx path": lambda value: str(httpx.URL("https://a.test").join(quote(value))),
    "json": json.dumps,
    "json, not ascii": lambda value: json.dumps(value, ensure_ascii=False),
    "json with slashes": lambda value: json.dumps(value).replace("/", "\\/"),
    "json in json": lambda value: json.dumps(json.dumps({"key": value})),
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64, url-safe": lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
    "base64 in a form": lambda value: quote(base64.b64encode(value.encode()).decode(), safe=""),
}
SECRETS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=4, max_size=24
)


PRINTED: dict[str, Callable[[str], str]] = {"html": html.escape, "repr": repr}


def check_hidden(secret: str, written: str, before: str, after: str) -> None:
    shown = Redactor([secret]).hide(f"{before}{written}{after}")
    assert "<redacted>" in shown
    assert written not in shown or written in before + after
    assert secret not in shown or secret in before + after


@pytest.mark.parametrize("encoding", ENCODINGS)
@settings(max_examples=40, deadline=None)
@given(secret=SECRETS, before=st.text(max_size=5), after=st.text(max_size=5))
@example(secret='a"\\/+& <é\n😀', before="\\", after="%")
@example(secret="\\\\\\\\", before="", after="")
@example(secret="p+q/r=s==", before="=", after="+")
def test_no_secret_survives_in_any_encoding(
    encoding: str, secret: str, before: str, after: str
) -> None:
    """However a secret is written, neither it nor what it was written as is left in the text."""
    assume(secret not in "<redacted>")
    check_hidden(secret, ENCODINGS[encoding](secret), before, after)


@pytest.mark.parametrize("encoding", PRINTED)
@settings(max_examples=40, deadline=None)
@given(secret=st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=4))
def test_no_printed_secret_survives(encoding: str, secret: str) -> None:
    """Web pages and Python's own texts show secrets in ways of their own."""
    assume(secret not in "<redacted>")
    check_hidden(secret, PRINTED[encoding](secret), "x", "y")


@pytest.mark.parametrize("prefix", ["", "u", "us", "user:", "client-7:"])
@pytest.mark.parametrize("secret", ["s3cr%t+/=", "långt hemligt", "abcdefgh"])
def test_a_secret_inside_a_longer_base64_text_is_found(prefix: str, secret: str) -> None:
    """Basic credentials hold the secret at any of three alignments."""
    written = base64.b64encode(f"{prefix}{secret}:more".encode()).decode()
    shown = Redactor([secret]).hide(written)
    assert "<redacted>" in shown
    assert len(shown.replace("<redacted>", "")) <= len(written) - len(secret)


def test_the_longer_of_two_secrets_goes_first() -> None:
    assert Redactor(["abcd", "abcdefgh"]).hide("x abcdefgh abcd") == "x <redacted> <redacted>"


@pytest.mark.parametrize("value", ["", "a", "abc"])
def test_values_too_short_to_be_told_from_text_stay(value: str) -> None:
    redactor = Redactor([value])
    redactor.protect(value)
    assert redactor.text("abc a") == "abc a"


def test_a_value_met_later_is_protected_from_then_on() -> None:
    redactor = Redactor(["declared"])
    assert redactor.text("token-1 declared") == "token-1 <redacted>"
    redactor.protect("token-1")
    assert redactor.text("token-1 declared") == "<redacted> <redacted>"


def test_only_the_latest_tokens_are_remembered() -> None:
    redactor = Redactor(["declared"])
    for number in range(100):
        redactor.protect(f"token-{number:03}")
    assert redactor.text("token-000 token-099 declared") == "token-000 <redacted> <redacted>"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Unknown user ada.lovelace+x@example.co.uk.", "Unknown user <address>."),
        ("<ada@example.com>, 'bob@host'", "<<address>>, '<address>'"),
        ("email=ada%40example.com&x=1", "email=<address>&x=1"),
        ("/v1/users/ada@example.com/orders", "/v1/users/<address>/orders"),
        ("Ädä@exämple.com", "<address>"),
        ("instance @data/0 at 10", "instance @data/0 at 10"),
        ("a" * 200 + "@example.com", "a" * 136 + "<address>"),
        ("e814ff3dc480a94c7ce9334062ec4733", "e814ff3dc480a94c7ce9334062ec4733"),
    ],
)
def test_addresses_do_not_leave(text: str, shown: str) -> None:
    redactor = Redactor()
    assert redactor.text(text) == shown
    assert redactor.hide(text) == text


def test_hashed_identifiers_do_not_leave_when_asked() -> None:
    md5, sha = "2b9150605ac374d671a306b5fcee60a0", "E814ff" + "0" * 58
    redactor = Redactor(masks=(ADDRESSES, HASHES))
    text = f"{md5}, {sha}, {md5}0, a@b.c"
    assert redactor.text(text) == f"<hash>, <hash>, {md5}0, <address>"


def test_a_long_text_without_anything_is_left_alone() -> None:
    text = "abc-" * 50_000
    assert Redactor(["secret"]).text(text) == text


def test_a_redactor_cleans_log_records() -> None:
    record = logging.LogRecord("x", 20, "x.py", 1, "GET %s for %s", ("/?k=s3cret", "a@b.c"), None)
    assert Redactor(["s3cret"]).filter(record)
    assert record.getMessage() == "GET /?k=<redacted> for <address>"


def recorded(redactor: Redactor, request: SentRequest, answer: ReceivedResponse | str) -> Exchange:
    recorder = Recorder(redactor, limit=100)
    with recorder.recording() as exchanges:
        recorder.add(request, answer)
    return exchanges[0]


def test_an_exchange_has_the_shape_of_the_reference() -> None:
    request = SentRequest(
        "POST",
        "https://api.test/v1?key=s3cret%2B1",
        ((b"Authorization", b"Bearer tok-12345"), (b"X-Custom", b"s3cret+1"), (b"Accept", b"a/b")),
        b'{"secret": "s3cret+1", "token": "tok-12345"}',
    )
    answer = ReceivedResponse(
        200, "OK", ((b"Set-Cookie", b"a=1"), (b"Via", b"1"), (b"via", b"2")), '{"echo": "s3cret+1"}'
    )
    assert recorded(Redactor(["s3cret+1"]), request, answer).to_json() == {
        "request": {
            "url": "https://api.test/v1?key=<redacted>",
            "method": "POST",
            "headers": {
                "authorization": "<redacted>",
                "x-custom": "<redacted>",
                "accept": "a/b",
            },
            "body": '{"secret": "<redacted>", "token": "<redacted>"}',
        },
        "response": {
            "statusCode": 200,
            "statusMessage": "OK",
            "headers": {"set-cookie": "<redacted>", "via": "1, 2"},
            "body": {"echo": "<redacted>"},
        },
    }


@pytest.mark.parametrize("written", ["utf-8", "latin-1"])
def test_headers_are_shown_however_they_are_encoded(written: str) -> None:
    request = SentRequest("GET", "https://api.test/", [(b"X-Town", "Köln".encode(written))], b"")
    assert recorded(Redactor(), request, "timeout").request_headers == {"x-town": "Köln"}


def test_an_exchange_without_an_answer_says_why() -> None:
    request = SentRequest("GET", "https://api.test/", (), b"")
    shown = recorded(Redactor(["s3cret"]), request, "ConnectError: no way to s3cret").to_json()
    assert shown["response"] is None
    assert shown["error"] == "ConnectError: no way to <redacted>"
    assert shown["request"]["body"] == ""


@pytest.mark.parametrize(
    ("body", "token"),
    [
        ('{"access_token": "tok-1/2", "expires_in": 9}', "tok-1/2"),
        ('{"access_token":"tok-1\\/2"}', "tok-1/2"),
        ('{"refresh_token": "ref-999", "access_token": null}', "ref-999"),
        ('{"access_token": "tok-\\q"}', "tok-\\q"),
        ("grant_type=x&client_secret=s3cr%2Bet", "s3cr+et"),
    ],
)
def test_tokens_in_answers_become_secrets(body: str, token: str) -> None:
    redactor = Redactor()
    answer = ReceivedResponse(200, "OK", (), body)
    exchange = recorded(redactor, SentRequest("POST", "https://a.test/", (), b""), answer)
    assert token not in json.dumps(exchange.to_json())
    assert redactor.text(f"Refused {token}.") == "Refused <redacted>."


def test_personal_data_is_shown_in_exchanges() -> None:
    """An exchange is for those who may see the events; it would be useless without its data."""
    request = SentRequest("POST", "https://a.test/", (), b'{"email": "ada@example.com"}')
    body = recorded(Redactor(), request, "timeout").request_body
    assert body == '{"email": "ada@example.com"}'


def test_long_bodies_are_cut_and_say_so() -> None:
    request = SentRequest("POST", "https://a.test/", (), b"x" * 1000)
    exchange = recorded(Redactor(), request, ReceivedResponse(200, "OK", (), "y" * 500))
    assert exchange.request_body == "x" * 100 + "<truncated, 1000 bytes in all>"
    assert exchange.response_body == "y" * 100 + "<truncated, 500 characters in all>"


@settings(max_examples=60, deadline=None)
@given(start=st.integers(0, 140), count=st.integers(1, 4))
def test_a_cut_never_leaves_half_a_secret(start: int, count: int) -> None:
    secret = "0123456789abcdef"
    body = "-" * start + secret * count + "-" * 400
    request = SentRequest("POST", "https://a.test/", (), body.encode())
    shown = recorded(Redactor([secret]), request, "timeout").request_body
    assert not any(secret[:size] in shown for size in range(4, 17))


def test_a_streamed_body_is_not_read() -> None:
    request = SentRequest("POST", "https://a.test/", (), None)
    assert recorded(Redactor(), request, "timeout").request_body == "<streamed>"


def test_only_the_thread_that_asks_records() -> None:
    recorder = Recorder(Redactor())
    request = SentRequest("GET", "https://a.test/", (), b"")
    active: list[bool] = []
    with recorder.recording() as outer:
        thread = threading.Thread(target=lambda: active.append(recorder.active))
        thread.start()
        thread.join()
        with recorder.recording() as inner:
            recorder.add(request, "one")
        recorder.add(request, "two")
    assert active == [False]
    assert [exchange.error for exchange in outer] == ["one", "two"]
    assert [exchange.error for exchange in inner] == ["one"]
    assert not recorder.active


@pytest.mark.parametrize("size", [10, 10_000])
def test_an_exchange_is_written_down_with_the_secrets_of_its_time(size: int) -> None:
    """Whenever it is looked at, and however many tokens came since; short or long."""
    redactor = Redactor()
    recorder = Recorder(redactor)
    redactor.protect("an-old-token")
    request = SentRequest("POST", "https://a.test/", (), b"an-old-token" + b"x" * size)
    with recorder.recording() as outer, recorder.recording() as exchanges:
        recorder.add(request, ReceivedResponse(200, "OK", (), "the answer to an-old-token"))
    for number in range(100):
        redactor.protect(f"token-number-{number}")
    assert redactor.hide("an-old-token") == "an-old-token"
    (exchange,) = exchanges
    assert exchange.request_body == REDACTED + "x" * size
    assert exchange.response_body == f"the answer to {REDACTED}"
    assert outer[0] is exchanges[0] is exchange
    assert exchanges[:] == [exchange]
    assert "an-old-token" not in repr(exchanges)


def test_a_token_in_a_short_exchange_is_protected_at_once() -> None:
    redactor = Redactor()
    recorder = Recorder(redactor)
    with recorder.recording():
        request = SentRequest(
            "POST", "https://a.test/", [(b"Authorization", b"Bearer t0ken-1")], b""
        )
        recorder.add(request, ReceivedResponse(200, "OK", (), '{"access_token": "t0ken-2"}'))
    assert redactor.text("t0ken-1 t0ken-2") == f"{REDACTED} {REDACTED}"
