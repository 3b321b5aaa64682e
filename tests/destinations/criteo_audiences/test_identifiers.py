"""Identifiers in exactly the form that is sent to Criteo."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from destinations.criteo_audiences import identifiers
from destinations.criteo_audiences.identifiers import (
    EMAIL_FORMS,
    MALFORMED_EMAIL,
    NO_EMAIL,
    NO_IDENTIFIER,
    READERS,
    by_form,
    read_emails,
    sha256_of_python,
)
from framework import Failed

ADA = "ada.lovelace@example.com"
MD5 = "2b9150605ac374d671a306b5fcee60a0"
SHA256 = "e814ff3dc480a94c7ce9334062ec4733c75a002f4bcec0197f62ffea64059e2f"
SHA256_OF_MD5 = "c4621ab1cf52f07221c228fd84f7c9feb092e73500a5f18981328e838bc3ccae"
FORMS = {"plain": ADA, "md5": MD5, "sha256": SHA256, "sha256_of_md5": SHA256_OF_MD5}


@pytest.mark.parametrize("form", EMAIL_FORMS)
def test_an_address_is_trimmed_and_lower_cased_before_hashing(form: str) -> None:
    assert read_emails(["  Ada.Lovelace@Example.com "], form) == [FORMS[form]]


@pytest.mark.parametrize("form", EMAIL_FORMS)
@pytest.mark.parametrize("hashed", [MD5, SHA256])
def test_what_is_hashed_already_is_never_hashed_again(form: str, hashed: str) -> None:
    assert read_emails([f" {hashed.upper()}\n", hashed], form) == [hashed, hashed]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (ADA, ADA),
        ("ADA@EXAMPLE.COM", "ada@example.com"),
        ("\tada@example.com\r\n", "ada@example.com"),
        ("\u00a0ada@example.com\u3000", "ada@example.com"),
        ("a.d.a+news@gmail.com", "a.d.a+news@gmail.com"),
        ("o'hara_1-2@mail.example.co.uk", "o'hara_1-2@mail.example.co.uk"),
        ("Zoë@Exämple.de", "zoë@exämple.de"),
        ("ada@123.example", "ada@123.example"),
        (None, NO_EMAIL),
        ("", NO_EMAIL),
        (" \t\n", NO_EMAIL),
        ("ada", MALFORMED_EMAIL),
        ("ada@example", MALFORMED_EMAIL),
        ("ada@.example.com", MALFORMED_EMAIL),
        ("ada@example..com", MALFORMED_EMAIL),
        ("ada@example.com.", MALFORMED_EMAIL),
        ("@example.com", MALFORMED_EMAIL),
        ("ada@", MALFORMED_EMAIL),
        ("ada@@example.com", MALFORMED_EMAIL),
        ("ada@bob@example.com", MALFORMED_EMAIL),
        ("ada@example.com,bob@example.com", MALFORMED_EMAIL),
        ("ada lovelace@example.com", MALFORMED_EMAIL),
        ("Ada <ada@example.com>", MALFORMED_EMAIL),
        ("mailto:ada@example.com", MALFORMED_EMAIL),
        ("ada\u200b@example.com", MALFORMED_EMAIL),
        ("ada@example.com\nbob@example.com", MALFORMED_EMAIL),
        ("ada\x00@example.com", MALFORMED_EMAIL),
        ("ada\ud800@example.com", MALFORMED_EMAIL),
        (MD5[:-1], MALFORMED_EMAIL),
        (SHA256 + "0", MALFORMED_EMAIL),
        ("g" * 32, MALFORMED_EMAIL),
    ],
)
def test_normalisation_of_addresses(value: str | None, expected: str | Failed) -> None:
    assert read_emails([value], "plain") == [expected]
    assert read_emails([ADA, value, ADA], "plain") == [ADA, expected, ADA]


def test_the_messages_name_the_field_and_never_the_value() -> None:
    told = [NO_EMAIL, MALFORMED_EMAIL, NO_IDENTIFIER]
    assert [(one.status, one.code, one.message) for one in told] == [
        (400, "NO_IDENTIFIER", "Field `email` is empty. An email address is required."),
        (
            400,
            "MALFORMED_IDENTIFIER",
            "Field `email` must be an email address, or an MD5 or SHA-256 hash of one.",
        ),
        (400, "NO_IDENTIFIER", "Field `identifier` is empty. An identifier is required."),
    ]


def test_a_large_batch_keeps_its_order_with_bad_values_in_it() -> None:
    values: list[str | None] = [f"User.{number}@Example.com" for number in range(2_000)]
    values[700] = None
    expected: list[str | Failed] = [f"user.{number}@example.com" for number in range(2_000)]
    expected[700] = NO_EMAIL
    assert read_emails(values, "plain") == expected
    digests = [
        one if isinstance(one, Failed) else hashlib.sha256(one.encode()).hexdigest()
        for one in expected
    ]
    assert read_emails(values, "sha256") == digests


PARTS = st.text(st.sampled_from("aZ09.@-_+' \nİßé\u200b,"), max_size=12)
ADDRESSES = st.builds("{}@{}.{}".format, PARTS, PARTS, PARTS)


@given(
    st.lists(
        ADDRESSES | PARTS | st.sampled_from([ADA, MD5, SHA256.upper(), MD5 * 3]) | st.none(),
        max_size=8,
    )
)
@settings(max_examples=300)
def test_many_at_once_read_as_each_alone(values: list[str | None]) -> None:
    """The fast path for ordinary addresses always agrees with the general one."""
    assert read_emails(values, "plain") == [read_emails([one, None], "plain")[0] for one in values]


ZEROS = "00000000-0000-0000-0000-000000000000"
DEVICE = "7A3CBEA0-BDF5-11E4-8DFC-AA07A5B093DB"


def malformed(what: str) -> Failed:
    return Failed(400, "MALFORMED_IDENTIFIER", f"Field `identifier` must be {what}.")


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("madid", f" {DEVICE} ", DEVICE),
        ("madid", DEVICE.lower(), DEVICE.lower()),
        ("madid", "", NO_IDENTIFIER),
        ("madid", None, NO_IDENTIFIER),
        (
            "madid",
            "device-1",
            malformed("a mobile advertising ID: 32 hexadecimal digits in five groups"),
        ),
        (
            "madid",
            ZEROS,
            malformed("the ID of a device: all zeros mean that the user opted out"),
        ),
        ("identityLink", " XY1234aBc- ", "XY1234aBc-"),
        ("identityLink", "two words", malformed("one identifier without spaces")),
        ("gum", "k-abc_DEF", "k-abc_DEF"),
        ("gum", "  ", NO_IDENTIFIER),
        ("phoneNumber", "+91 98765-43210", "+919876543210"),
        ("phoneNumber", SHA256.upper(), SHA256),
        ("phoneNumber", None, NO_IDENTIFIER),
        ("phoneNumber", MD5, malformed("a phone number or its SHA-256 hash")),
        ("phoneNumber", "call me", malformed("a phone number or its SHA-256 hash")),
    ],
)
def test_other_identifiers(kind: str, value: str | None, expected: str | Failed) -> None:
    assert READERS[kind](value) == expected


def test_forms_are_never_mixed_in_a_call() -> None:
    long = "a" * 20 + "@example.com"
    assert len(long) == len(MD5)
    assert by_form("email", [ADA, MD5, long, SHA256, MD5.upper()]) == [
        [ADA, long],
        [MD5, MD5.upper()],
        [SHA256],
    ]
    assert by_form("phoneNumber", ["+919876543210", SHA256]) == [["+919876543210"], [SHA256]]
    assert by_form("gum", [MD5, "k-abc", SHA256]) == [[MD5, "k-abc", SHA256]]


@pytest.mark.parametrize("known", [[], ["_sha2"], ["_sha256"]])
def test_every_python_has_some_sha256(known: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Private modules of CPython may change; `hashlib` remains."""

    def find(name: str) -> Any:
        if name not in known:
            raise ImportError(name)
        return SimpleNamespace(sha256=hashlib.sha256)

    monkeypatch.setattr(identifiers, "import_module", find)
    assert sha256_of_python()(ADA.encode()).hexdigest() == SHA256
