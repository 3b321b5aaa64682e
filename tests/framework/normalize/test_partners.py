"""Each profile against the examples that its partner publishes, and against any text."""

from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.normalize import (
    CRITEO,
    GOOGLE_ADS,
    META,
    MICROSOFT,
    PINTEREST,
    PROFILES,
    REDDIT,
    SNAP,
    TIKTOK,
    UID2,
    Profile,
    Rule,
    X,
)

RULES = [
    pytest.param(rule, id=f"{profile.name} {field}")
    for profile in PROFILES
    for field, rule in profile
]
FIELDS = {
    "email",
    "phone",
    "first_name",
    "last_name",
    "city",
    "region",
    "country",
    "postcode",
    "birthday",
    "gender",
    "external_id",
}
TEXTS = st.text(st.characters(codec=None, categories=None), max_size=40)
LIKELY = st.sampled_from(
    [
        "Jane.Doe+news@Gmail.com",
        "\u0130@Example.com",
        "\ufb01n@example.com",
        "+44 (0)20 7946 0958",
        "+39 06 698 57 701",
        "0016505551212",
        "94035-1234",
        "2/16/1997",
        "19970216",
        "New York",
        "\u00c9vian-les-Bains",
        "O\u2019Brien",
        "f",
        "us",
        "- -",
        "\ufeff \u200b",
        "\u0391\u03a3-\u0391",
    ]
)


def rules() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("rule", RULES)


# Published by the partner where a comment says so, otherwise made from the words of its page.
EXAMPLES = [
    (META.email, "John_Smith@gmail.com", "john_smith@gmail.com"),  # published
    (META.email, " Jane.Doe+news@Gmail.com\n", "jane.doe+news@gmail.com"),
    (META.phone, "+1 (650)555-1212", "16505551212"),  # published, there without country code
    (META.phone, "+44 (0)20 7946 0958", "442079460958"),
    (META.phone, "0049.30/901820", "4930901820"),
    (META.phone, "+39 06 698 57 701", "390669857701"),
    (META.phone, "(650)555-1212", None),
    (META.first_name, "Mary", "mary"),  # published
    (META.first_name, "\uc815", "\uc815"),  # published
    (META.first_name, "Val\u00e9ry", "val\u00e9ry"),  # published
    (META.last_name, "O\u2019Brien-Smith Jr.", "obriensmith jr"),
    (META.city, "New York", "newyork"),  # published
    (META.city, "M\u00fcnchen", "m\u00fcnchen"),
    (META.city, "\u6771\u4eac", "\u6771\u4eac"),
    (META.region, "AZ", "az"),  # published
    (META.region, "New York", "ny"),
    (META.region, "\u00cele-de-France", "\u00eeledefrance"),
    (META.postcode, "94035", "94035"),  # published
    (META.postcode, "94035-1234", "94035"),
    (META.postcode, "M1 1AE", "m11ae"),  # published
    (META.postcode, "01310-100", "01310100"),
    (META.country, " US ", "us"),
    (META.country, "United States", None),
    (META.birthday, "2/16/1997", "19970216"),  # published
    (META.birthday, "1997-02-16T08:00:00Z", "19970216"),
    (META.birthday, "1997-2-6", "19970206"),
    (META.birthday, "2/6/1997", None),
    (META.birthday, "1997-02-30", None),
    (META.birthday, "1899-02-16", None),
    (META.gender, "Female", "f"),
    (META.gender, "x", None),
    (META.external_id, " Ab-1 ", "Ab-1"),
    (GOOGLE_ADS.email, "cloudy.sanfrancisco+shopping@gmail.com", "cloudysanfrancisco@gmail.com"),
    (GOOGLE_ADS.email, "user.name+NYC@Example.com", "user.name+nyc@example.com"),  # both published
    (GOOGLE_ADS.email, "jane.m.doe @googlemail.com", "janemdoe@googlemail.com"),
    (GOOGLE_ADS.email, "+x@gmail.com", None),
    (GOOGLE_ADS.phone, "+1 (800)555-0100", "+18005550100"),  # published
    (GOOGLE_ADS.first_name, " Jos\u00e9 Luis ", "jos\u00e9 luis"),
    (GOOGLE_ADS.country, "us", "US"),
    (GOOGLE_ADS.postcode, " 94043-1351 ", "94043-1351"),
    (SNAP.email, "Person@Example.com", "person@example.com"),  # published
    (SNAP.phone, "+44 844 412 4653", "448444124653"),  # published
    (SNAP.phone, "0044 844 412 4653", "448444124653"),
    (SNAP.city, "Menlo Park", "menlopark"),  # published
    (SNAP.region, "California", "ca"),  # published as ca
    (SNAP.region, "Bavaria", None),
    (SNAP.birthday, "1997-12-26", "19971226"),  # published
    (SNAP.postcode, "94035-1234", "94035"),
    (PINTEREST.gender, "non-binary", "n"),
    (PINTEREST.phone, "+1 650 555 1212", "16505551212"),
    (PINTEREST.city, "Saint-Denis", "saintdenis"),
    (PINTEREST.postcode, "94035-1234", "940351234"),
    (PINTEREST.postcode, "M1 1AE", None),
    (TIKTOK.phone, "+1 (213) 373-4253", "+12133734253"),
    (TIKTOK.phone, "+491234567890123", "+491234567890123"),
    (TIKTOK.last_name, "O'Brien", "obrien"),
    (REDDIT.email, "Al.ice$+Apple@Example.Com", "alice@example.com"),  # published
    (REDDIT.email, "jane_doe-1@example.com", "janedoe1@example.com"),
    (REDDIT.email, "+@example.com", None),
    (MICROSOFT.email, "name+withplus@outlook.com", "name@outlook.com"),  # published
    (MICROSOFT.email, "ex.ample@outlook.com", "example@outlook.com"),  # published
    (MICROSOFT.email, "Ren\u00e9e @Example.com", "renee@example.com"),
    (UID2.email, "JANE.SAOIRSE@gmail.com", "janesaoirse@gmail.com"),  # published
    (UID2.email, "JaneSaoirse+Work@gmail.com", "janesaoirse@gmail.com"),  # published
    (UID2.email, "JaneSaoirse+Work@example.com", "janesaoirse+work@example.com"),  # published
    (UID2.email, "Jane.Saoirse@googlemail.com", "jane.saoirse@googlemail.com"),
    (UID2.email, "\u00c4rger@Example.com", "\u00c4rger@example.com"),
    (UID2.phone, "+1 (234) 567-8902", "+12345678902"),
    (UID2.phone, "+376 312 345", "+376312345"),
    (X.email, " Support@X.com", "support@x.com"),
    (CRITEO.email, "  Ada.Lovelace@Example.com ", "ada.lovelace@example.com"),
    (CRITEO.phone, "+91 98765 43211", "+919876543211"),
]


@pytest.mark.parametrize(("rule", "text", "expected"), EXAMPLES)
def test_the_normal_form(rule: Rule, text: str, expected: str | None) -> None:
    assert rule(text) == expected
    assert (rule.reason(text) is None) is (expected is not None)


@pytest.mark.parametrize(
    ("rule", "text", "hashed"),
    [
        (
            META.email,
            "John_Smith@gmail.com",
            "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f",
        ),
        (
            META.phone,
            "+1 (650)555-1212",
            "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176",
        ),
        (
            META.first_name,
            "\uc815",
            "8fa8cd9c440be61d0151429310034083132b35975c4bea67fdd74158eb51db14",
        ),
        (
            META.birthday,
            "2/16/1997",
            "01acdbf6ec7b4f478a225f1a246e5d6767eeab1a7ffa17f025265b5b94f40f0c",
        ),
        (
            META.country,
            "US",
            "79adb2a2fce5c6ba215fe5f27f532d4e7edbac4b6a5e09e1ef3a08084a904621",
        ),
        (
            REDDIT.email,
            "Al.ice$+Apple@Example.Com",
            "ff8d9819fc0e12bf0d24892e45987e249a28dce836a85cad60e28eaaa8c6d976",
        ),
        (UID2.email, "Jane.Saoirse@gmail.com", "ku4mBX7Z3qJTXWyLFB1INzkyR2WZGW4ANSJUiW21iI8="),
        (
            CRITEO.email,
            "  Ada.Lovelace@Example.com ",
            "e814ff3dc480a94c7ce9334062ec4733c75a002f4bcec0197f62ffea64059e2f",
        ),
    ],
)
def test_the_hashes_that_partners_publish(rule: Rule, text: str, hashed: str) -> None:
    """Criteo publishes none; its row pins ours."""
    assert rule.sent(text) == hashed


def test_a_hash_is_sent_as_it_is() -> None:
    hashed = hashlib.sha256(b"jane@example.com").hexdigest()
    assert META.email.sent(f" {hashed.upper()} ") == hashed
    assert UID2.email.sent(hashed) == UID2.email.sent("jane@example.com")
    assert GOOGLE_ADS.postcode.sent(hashed) == hashed


def test_what_has_no_normal_form_is_not_sent() -> None:
    assert META.email.sent("Jane") is None
    assert META.email.sent(" ") is None
    assert GOOGLE_ADS.country.sent("us") == "US"
    assert GOOGLE_ADS.country.sent("USA") is None


@pytest.mark.parametrize(
    ("rule", "text", "reason"),
    [
        (META.email, " ", "The email address is empty."),
        (META.email, "Jane", "The email address is not of the form name@domain."),
        (GOOGLE_ADS.email, "+a@gmail.com", "The email address has no name before the @."),
        (META.phone, "x", "The phone number is not a phone number."),
        (
            META.phone,
            "650 555 1212",
            "The phone number has no country code, so it may belong to several people.",
        ),
        (META.phone, "+0 12345678", "The phone number has a country code that does not exist."),
        (
            META.phone,
            "+44 0020 7946",
            "The phone number begins with zeros behind the country code.",
        ),
        (META.phone, "+49 1111111", "The phone number is a placeholder."),
        (META.phone, "+1 65", "The phone number has 3 digits instead of 7 to 15."),
        (META.country, "USA", "The country is not a code of two letters."),
        (META.birthday, "soon", "The birthday is not a date such as 1997-02-16."),
        (META.birthday, "1997-13-01", "The birthday is a day that does not exist."),
        (META.birthday, "1850-01-01", "The birthday is before 1900."),
        (
            META.birthday,
            "1/2/1997",
            "The birthday has a day and a month that could be exchanged; begin with the year.",
        ),
        (META.gender, "d", "The gender is none of f, female, m, male."),
        (PINTEREST.postcode, "M1", "The postcode has characters that are not digits."),
        (SNAP.region, "Bavaria", "The region is not a code of two letters."),
    ],
)
def test_the_reason_why_there_is_none(rule: Rule, text: str, reason: str) -> None:
    assert rule.reason(text) == reason
    assert rule(text) is None


@rules()
@given(text=TEXTS | LIKELY)
def test_any_text_has_a_normal_form_or_a_reason(rule: Rule, text: str) -> None:
    form = rule(text)
    assert form != ""
    assert (form is None) is (rule.reason(text) is not None)
    sent = rule.sent(text)
    if rule.sent_as == "hex" and sent is not None:
        assert re.fullmatch("[0-9a-f]{64}", sent)


@rules()
@given(text=TEXTS | LIKELY)
def test_a_normal_form_is_its_own(rule: Rule, text: str) -> None:
    """Phone numbers without a plus sign apart: those need their country code again."""
    form = rule(text)
    if form is None:
        return
    if rule.steps[-1].words == "without the +":
        form = f"+{form}"
        assert rule(form) == form[1:]
    else:
        assert rule(form) == form


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_a_profile_names_its_fields_alike_and_cites_each(profile: Profile) -> None:
    assert profile.rules.keys() <= FIELDS
    for rule in profile.rules.values():
        assert rule.citation.text
        assert re.fullmatch(r"20[0-9]{2}-[0-9]{2}(-[0-9]{2})?", rule.citation.date)
        assert all(step.words for step in rule.steps)
