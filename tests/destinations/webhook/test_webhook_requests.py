"""Addresses, headers and bodies of requests, and what is refused without naming secrets."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from destinations.webhook.payloads import Message, WebhookSettings
from destinations.webhook.webhook_requests import (
    address,
    body_of,
    deletion_address,
    headers_of,
    prepare,
)
from framework import Failed, PayloadValidationError

BASE = "https://api.example.com/v1"


def made(**values: Any) -> Message:
    return Message(**values)


def settings_of(**values: Any) -> WebhookSettings:
    return WebhookSettings(**values)


@pytest.mark.parametrize(
    ("settings", "target", "expected"),
    [
        ({"url": BASE}, None, BASE),
        ({"url": f"{BASE}/"}, None, f"{BASE}/"),
        ({"url": BASE}, "", BASE),
        ({"url": BASE}, "lists/7", f"{BASE}/lists/7"),
        ({"url": f"{BASE}/"}, "/lists/7/", f"{BASE}/lists/7/"),
        ({"url": f"{BASE}?a=1"}, "x?b=2", f"{BASE}/x?a=1&b=2"),
        ({"url": BASE}, "x?to=https://b.example", f"{BASE}/x?to=https://b.example"),
        ({"url": BASE}, "//b.example/x", f"{BASE}/b.example/x"),
        ({"url": f"{BASE}/a%2Fb"}, "c%20d", f"{BASE}/a%2Fb/c%20d"),
        ({"url": f"{BASE}#top"}, None, BASE),
        ({"url": BASE, "secret_path": "T0/B0"}, None, f"{BASE}/T0/B0"),
        ({"url": BASE, "secret_path": "bot1"}, "send", f"{BASE}/bot1/send"),
        ({"url": BASE, "secret_path": "?key=1"}, None, f"{BASE}?key=1"),
        ({"url": BASE}, "https://api.example.com/other", "https://api.example.com/other"),
        (
            {"url": BASE, "secret_path": "T0"},
            "https://api.example.com/x",
            "https://api.example.com/x",
        ),
        ({}, "https://other.example/in", "https://other.example/in"),
        ({}, "http://127.0.0.1:8010/in", "http://127.0.0.1:8010/in"),
        ({}, "http://127.9.9.9/", "http://127.9.9.9/"),
        ({}, "http://[::1]:1/", "http://[::1]:1/"),
        ({}, "http://localhost/", "http://localhost/"),
        ({"allow_http": True}, "http://plain.example/in", "http://plain.example/in"),
    ],
)
def test_an_address(settings: dict[str, Any], target: str | None, expected: str) -> None:
    assert str(address(settings_of(**settings), target)) == expected


@pytest.mark.parametrize(
    ("settings", "target", "code"),
    [
        ({}, None, "NO_URL"),
        ({}, "lists/7", "NO_URL"),
        ({}, "http://plain.example/in", "INSECURE_URL"),
        ({}, "http://localhost.evil.example/", "INSECURE_URL"),
        ({}, "http://10.0.0.1/", "INSECURE_URL"),
        ({}, "ftp://host/x", "INVALID_URL"),
        ({}, "https:///x", "INVALID_URL"),
        ({}, "https://[::1/x", "INVALID_URL"),
        ({}, "https://me:sesame@host/x", "INVALID_URL"),
        ({"url": BASE}, "https://evil.example/v1", "FOREIGN_URL"),
        ({"url": BASE}, "https://api.example.com:8443/v1", "FOREIGN_URL"),
        ({"url": BASE}, "https://api.example.com.evil.example/v1", "FOREIGN_URL"),
        ({"url": BASE}, "../admin", "INVALID_URL"),
        ({"url": BASE}, "a/../../admin", "INVALID_URL"),
        ({"url": BASE}, "%2e%2e/admin", "INVALID_URL"),
        ({"url": "http://plain.example"}, "x", "INSECURE_URL"),
    ],
)
def test_an_address_that_is_refused(
    settings: dict[str, Any], target: str | None, code: str
) -> None:
    with pytest.raises(PayloadValidationError) as caught:
        address(settings_of(**settings), target)
    assert caught.value.code == code
    assert "sesame" not in str(caught.value)


@given(st.text(max_size=20))
def test_a_path_of_an_event_never_leaves_the_setting(target: str) -> None:
    try:
        found = address(settings_of(url=BASE), target)
    except PayloadValidationError:
        return
    assert found.host == "api.example.com"
    assert found.raw_path == b"/v1" or found.raw_path.startswith((b"/v1/", b"/v1?"))


def test_the_messages_of_refused_addresses() -> None:
    def message(target: str | None, **settings: Any) -> str:
        with pytest.raises(PayloadValidationError) as caught:
            address(settings_of(**settings), target)
        return str(caught.value)

    assert message(None) == (
        "There is no address: set `url` in the settings, or map the field `url`."
    )
    assert message("http://plain.example/secret") == (
        "`plain.example` would be called without encryption. Use `https://`, or the setting "
        "`allow_http`."
    )
    assert message("https://evil.example/secret", url=BASE) == (
        "The URL leads to `evil.example`, which is not the host, scheme and port of the setting "
        "`url`."
    )
    assert message("x://") == "The URL must begin with `https://`."
    assert message("https://[::1/x") == "The URL is invalid."
    assert message("https://a:b@c") == (
        "The URL holds a password. Use the setting `secret_headers`."
    )
    assert message("../x", url=BASE) == "The path leads out of the setting `url`."


def test_headers_replace_each_other_whatever_their_case() -> None:
    settings = settings_of(
        url=BASE,
        headers={"X-One": "settings", "Content-Type": "application/vnd.x+json", "X-Number": 5},
        secret_headers={"authorization": "Bearer sesame"},
    )
    own = {"x-one": "mapping", "Authorization": "guess", "X-None": None, "X-Flag": True}
    assert dict(headers_of(settings, own, lines=False)) == {
        "content-type": "application/vnd.x+json",
        "x-one": "mapping",
        "x-number": "5",
        "x-flag": "true",
        "authorization": "Bearer sesame",
    }


@pytest.mark.parametrize(
    ("lines", "kind"), [(True, "application/x-ndjson"), (False, "application/json")]
)
def test_the_content_type_follows_the_form(lines: bool, kind: str) -> None:  # noqa: FBT001 - a column
    assert dict(headers_of(settings_of(), None, lines=lines)) == {"content-type": kind}


TEXT = "A header must have a name and a text of ASCII characters in one line."


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ({"Host": "x"}, "The header `host` is set by the program."),
        ({"Transfer-Encoding": "chunked"}, "The header `transfer-encoding` is set by the program."),
        ({"": "x"}, TEXT),
        ({"X-Ä": "x"}, TEXT),
        ({"X": "ä"}, TEXT),
        ({"X": "a\r\nb: c"}, TEXT),
        ({"X": {}}, TEXT),
        ({"X": []}, TEXT),
    ],
)
def test_headers_that_are_refused(headers: dict[str, Any], text: str) -> None:
    with pytest.raises(PayloadValidationError) as caught:
        headers_of(settings_of(), headers, lines=False)
    assert (str(caught.value), caught.value.code) == (text, "INVALID_HEADER")


def test_secret_headers_need_to_know_where_they_go() -> None:
    """Otherwise an event could decide who receives them."""
    with pytest.raises(PayloadValidationError) as caught:
        headers_of(settings_of(secret_headers={"a": "b"}), None, lines=False)
    assert str(caught.value) == "`secret_headers` need the setting `url`."


@pytest.mark.parametrize(
    ("options", "batched", "expected"),
    [
        ({}, False, b'{"n":1}'),
        ({}, True, b'[{"n":1},{"n":2}]'),
        ({"batch_format": "ndjson"}, False, b'{"n":1}'),
        ({"batch_format": "ndjson"}, True, b'{"n":1}\n{"n":2}\n'),
        ({"envelope": {"user": "<payloads>", "v": 1}}, False, b'{"user":{"n":1},"v":1}'),
        ({"envelope": {"a": {"b": ["<payloads>"]}}}, True, b'{"a":{"b":[[{"n":1},{"n":2}]]}}'),
        (
            {"envelope": {"add": "<payloads>"}, "batch_format": "ndjson"},
            True,
            b'{"add":{"n":1}}\n{"add":{"n":2}}\n',
        ),
        ({"envelope": {}}, True, b"{}"),
    ],
)
def test_a_body(options: dict[str, Any], batched: bool, expected: bytes) -> None:  # noqa: FBT001 - a column
    request = made(data={}, **options)
    assert body_of(request, [{"n": 1}, {"n": 2}], batched=batched) == expected


def hashed(data: dict[str, Any], *places: str, **options: Any) -> Any:
    return prepare(made(data=data, hash_fields=list(places), **options))


SHA256 = "a54e71f0fae6f3a9e8b7d1c3f2e5b4a6c8d7e9f0a1b2c3d4e5f6a7b8c9d0e1f2"


@pytest.mark.parametrize(
    ("value", "options", "expected"),
    [
        (" A@b.co ", {}, "hex:a@b.co"),
        (" A@b.co ", {"hash_clean": False}, "hex: A@b.co "),
        (49123, {}, "hex:49123"),
        (SHA256.upper(), {}, SHA256),
        ("", {}, ""),
        ("  ", {}, ""),
        (None, {}, None),
        (["a", "b"], {}, ["hex:a", "hex:b"]),
        ("\ud800", {}, "hex:\ud800"),
    ],
)
@pytest.mark.parametrize("algorithm", ["sha256", "sha512", "sha1", "md5"])
def test_a_value_is_hashed(value: Any, options: Any, expected: Any, algorithm: str) -> None:
    import hashlib  # noqa: PLC0415 - the reference, apart from what is tested

    def meant(text: Any) -> Any:
        if isinstance(text, list):
            return [meant(one) for one in text]
        if not isinstance(text, str) or not text.startswith("hex:"):
            return text
        raw = text.removeprefix("hex:").encode("utf-8", "surrogatepass")
        return hashlib.new(algorithm, raw).hexdigest()

    if value == SHA256.upper() and algorithm != "sha256":
        expected = f"hex:{SHA256}"
    found = hashed({"email": value, "kept": value}, "email", hash_algorithm=algorithm, **options)
    assert found == {"email": meant(expected), "kept": value}


def test_values_within_objects_and_lists_are_hashed() -> None:
    data = {"users": [{"mail": {"home": "a"}}, {"name": "b"}], "mail": "c"}
    found = hashed(data, "users.mail.home", "missing.place")
    assert found["users"][0]["mail"]["home"] != "a"
    assert len(found["users"][0]["mail"]["home"]) == 64
    assert (found["users"][1], found["mail"]) == ({"name": "b"}, "c")
    assert data["users"][0] == {"mail": {"home": "a"}}


@pytest.mark.parametrize(("value", "kind"), [({}, "an object"), (True, "a boolean")])
def test_what_cannot_be_hashed_is_not_sent(value: Any, kind: str) -> None:
    found = hashed({"user": value}, "user")
    assert isinstance(found, Failed)
    assert (found.status, found.code, found.reporter) == (400, "NOT_HASHABLE", "framework")
    assert found.message == (
        f"`user` in `data` is {kind} and cannot be hashed. Name the values that it holds."
    )


def test_the_address_of_a_deletion() -> None:
    settings = settings_of(url=BASE, delete_url="users/{user_id}?anonymous={anonymous_id}")
    assert str(deletion_address(settings, "a/b c", None)) == f"{BASE}/users/a%2Fb%20c?anonymous="


def test_every_json_value_can_be_sent() -> None:
    data = {"big": 10**30, "text": "ä\ud800", "none": None}
    assert json.loads(body_of(made(data=data), [data], batched=False)) == data
