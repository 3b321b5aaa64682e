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
    HASH_OF_NOTHING,
    MALFORMED_EMAIL,
    NO_EMAIL,
    NO_IDENTIFIER,
    READERS,
    by_form,
    form_of,
    read_emails,
    received,
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


LONDON = "+442079460018"


@pytest.mark.parametrize(
    "value",
    [
        LONDON,
        "+44 20 7946 0018",
        "+44 (0)20 7946 0018",
        "+44 (0) 20 7946 0018",
        "+44 020 7946 0018",
        "+44(020)7946-0018",
        "(+44) 20 7946 0018",
        "0044 20 7946 0018",
        "0044 (0)20 7946 0018",
        "(0044) 20.7946.0018",
        "00 44 / 20 / 7946 0018",
        "\u202a+44\u00a020\u202f7946\u20070018\u202c",
        "\uff0b\uff14\uff14 20 7946 0018",
        "+\u0664\u0664 20 7946 0018",
        "+44\u00ad20\u200b7946\ufeff0018",
        *(f"+44 20{dash}7946{dash}0018" for dash in "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"),
        "+44\u30fc20\uff0d7946\ufe580018",
    ],
)
def test_a_phone_number_has_one_form(value: str) -> None:
    assert READERS["phoneNumber"](value) == LONDON


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("+39 06 6982", "+39066982"),
        ("+39 (0)6 6982", "+39066982"),
        ("+225 01 23 45 67 89", "+2250123456789"),
        ("+7 (495) 123-45-67", "+74951234567"),
        ("+1 (202) 555-0123", "+12025550123"),
        ("+290 22222", "+29022222"),
    ],
)
def test_the_zero_of_a_country_is_kept_where_it_is_part_of_the_number(
    value: str, expected: str
) -> None:
    assert READERS["phoneNumber"](value) == expected


NO_COUNTRY = "has no country code, so it may belong to several people"
PLACEHOLDER = "is a placeholder"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("+0000000000", "has a country code that does not exist"),
        ("0000000000", "has a country code that does not exist"),
        ("+0044 20 7946 0018", "has a country code that does not exist"),
        ("020 7946 0018", NO_COUNTRY),
        ("98765 43210", NO_COUNTRY),
        ("442079460018", NO_COUNTRY),
        ("+44 000000000", PLACEHOLDER),
        ("+1 111 111 1111", PLACEHOLDER),
        ("+91 99999 99999", PLACEHOLDER),
        ("+1234567890", PLACEHOLDER),
        ("+44 0020 7946 0018", "begins with zeros behind the country code"),
        ("+44 20", "has 4 digits instead of 7 to 15"),
        ("+44 20 7946 0018 0018 0018", "has 20 digits instead of 7 to 15"),
    ],
)
def test_a_phone_number_that_may_be_of_anybody_is_refused(value: str, why: str) -> None:
    refused = READERS["phoneNumber"](value)
    assert refused == Failed(
        400,
        "MALFORMED_IDENTIFIER",
        f"The phone number in field `identifier` {why}. "
        "Give it with `+` and country code, such as +91 98765 43210.",
    )


@pytest.mark.parametrize(
    "value", ["+44 20 7946 0018 ext. 2", "tel:+442079460018", "++44", "+", "(0", "+44+20", "\u0bf0"]
)
def test_what_is_no_phone_number_is_refused(value: str) -> None:
    assert READERS["phoneNumber"](value) == malformed("a phone number or its SHA-256 hash")


SEPARATORS = st.sampled_from(
    ["", " ", "-", ".", "/", "\u00a0", "\u2011", "\u2212", "\u200e", "\u2009", " - "]
)


@given(
    code=st.sampled_from(["1", "7", "33", "44", "49", "91", "353", "420", "971"]),
    national=st.from_regex(r"[1-9][0-9]{6,9}", fullmatch=True),
    prefix=st.sampled_from(["+", "00", "(+", "(00"]),
    trunk=st.sampled_from(["", "(0)", "0"]),
    data=st.data(),
)
@settings(max_examples=500)
def test_however_a_phone_number_is_written_it_has_one_form_or_is_refused(
    code: str, national: str, prefix: str, trunk: str, data: st.DataObject
) -> None:
    plain = READERS["phoneNumber"](f"+{code}{national}")
    digits = "".join(digit + data.draw(SEPARATORS) for digit in national)
    closing = ")" if prefix.startswith("(") else ""
    assert READERS["phoneNumber"](f"{prefix}{code}{closing} {trunk}{digits}") == plain


USERS = [f"user.{number}@example.com" for number in range(4)]


@given(
    users=st.lists(st.tuples(st.sampled_from(USERS), st.sampled_from(EMAIL_FORMS)), max_size=12),
)
def test_what_criteo_receives_is_one_for_an_address_and_its_hash(
    users: list[tuple[str, str]],
) -> None:
    sent = [str(read_emails([user], form)[0]) for user, form in users]
    kinds = [(user, form in {"plain", "sha256"}) for user, form in users]
    hashed = received(sent)
    assert len(set(zip(kinds, hashed, strict=True))) == len(set(kinds)) == len(set(hashed))


def test_the_form_of_many_identifiers() -> None:
    long = "a" * (64 - len("@example.com")) + "@example.com"
    assert form_of([ADA, long]) == "plain"
    assert form_of([MD5, MD5]) == "md5"
    assert form_of([SHA256]) == "sha256"
    for others in ([ADA, MD5], [MD5, SHA256], ["+442079460018"]):
        assert form_of(others) is None
    assert received([DEVICE]) == received([DEVICE.lower()])
    assert received(["k-abc"]) != received(["K-abc"])


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


@pytest.mark.parametrize("text", ["", "null", "undefined", "None"])
@pytest.mark.parametrize("form", EMAIL_FORMS[1:])
def test_the_hash_of_nothing_is_refused(text: str, form: str) -> None:
    """Systems that hash what they have send it for everyone without an address."""
    md5 = hashlib.md5(text.lower().encode(), usedforsecurity=False).hexdigest()
    hashed = {
        "md5": md5,
        "sha256": hashlib.sha256(text.lower().encode()).hexdigest(),
        "sha256_of_md5": hashlib.sha256(md5.encode()).hexdigest(),
    }[form]
    good = "a1" * 32
    assert read_emails([good, hashed.upper()], "plain") == [good, HASH_OF_NOTHING]
    assert read_emails([hashed, "a@b.example"], "plain") == [HASH_OF_NOTHING, "a@b.example"]
    if form == "sha256":
        assert READERS["phoneNumber"](hashed) == HASH_OF_NOTHING
    assert read_emails(["0" * 64, "f" * 32], "sha256") == [HASH_OF_NOTHING] * 2
