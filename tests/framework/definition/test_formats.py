"""Formats accept what ajv-formats accepts in its strict mode."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from framework.definition.formats import COMMON, PREDICATES

CASES = {
    "date": (["2024-02-29", "0000-02-29"], ["2023-02-29", "1900-02-29", "20240305", "2024-13-01"]),
    "time": (["06:07:08", "06:07:08.5Z", "06:07:08+01", "23:59:60z"], ["6:07:08Z", "22:59:60Z"]),
    "date-time": (
        ["2024-03-05T06:07:08Z", "2024-03-05 06:07:08", "2024-03-05t06:07:08+0530"],
        ["2024-03-05", "2024-02-30T00:00:00Z", "2024-03-05T06:07:08Z T", "2024-03-05T06:07Z"],
    ),
    "uri": (
        ["https://x.y/z?q=1#f", "mailto:a@b.c", "https://", "a:/", "http://u:p@[::1]:80/", "a:b"],
        [
            "x.y",
            "http://a b",
            "http://[::1",
            "http://[12345::]/",
            "mailto:",
            "//x",
            "a:%zz",
            "a://é",
        ],
    ),
    "uri-reference": (
        ["/rel?x", "#f", "", "//h/p", "a", 'x"y', "http://x"],
        ["a b", "\\", "a:[", "%1"],
    ),
    "uri-template": (["/x/{id}", "{?a,b*}", "{a:10}", "", "%20"], ["{", "{}", "{a:0}", "a b", "<"]),
    "email": (
        ["a@b.co", "a.b+c@d-e.f.gh", "A@B.CO", "!#$@x.y"],
        ["", "a b@c.d", "a@b..c", "a@b", "a.@b.c", "a@-b.c", "a@b-.c", "é@b.co", "a@b.co\n"],
    ),
    "hostname": (
        ["x.y", "x", "a-b.c.", "0", "a" * 63],
        ["-x.y", "x-", "é.com", "a" * 64, "", ".", "a..b", ".".join(["a" * 60] * 5)],
    ),
    "ipv4": (
        ["1.2.3.4", "0.1.0.0", "255.255.255.255", "01.2.3.4"],
        ["1.2.3", "256.1.1.1", "1.2.3.4.5"],
    ),
    "ipv6": (["::1", "::ffff:1.2.3.4", "1:2:3:4:5:6:7::"], ["1.2.3.4", "12345::", "::1%eth0", ""]),
    "uuid": (
        [
            "123e4567-e89b-12d3-a456-426614174000",
            "urn:uuid:123E4567-e89b-12d3-a456-426614174000",
        ],
        ["x", "123e4567e89b12d3a456426614174000"],
    ),
    "regex": (
        ["^a+$", "(?<n>a)\\k<n>", "a{", "\\y", "(?<=a+)b", "\\1", ""],
        ["[a-z", "(?P<n>a)", "a++", "(?i)a", "a**", "(", "(?#x)", "a\\\\Z"],
    ),
    "password": (["", "anything"], []),
    "text": (["", "anything"], []),
}


@pytest.mark.parametrize(
    ("name", "text"), [(name, text) for name, (right, _) in CASES.items() for text in right]
)
def test_right_texts_are_accepted(name: str, text: str) -> None:
    assert PREDICATES[name](text)


@pytest.mark.parametrize(
    ("name", "text"), [(name, text) for name, (_, wrong) in CASES.items() for text in wrong]
)
def test_invalid_strings_are_refused(name: str, text: str) -> None:
    assert not PREDICATES[name](text)


def test_every_format_has_cases() -> None:
    assert {*CASES, "date-like"} == set(PREDICATES)


ATOM = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+"
LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
EMAIL = re.compile(rf"{ATOM}(\.{ATOM})*@({LABEL}\.)+{LABEL}", re.ASCII | re.IGNORECASE)


@given(st.text("aZ0.@-+\n\u0131\u212a", max_size=12))
@example("a@b.c" + "d" * 250)
@example("a@b." + "c" * 250)
def test_addresses_are_those_of_a_plain_pattern(text: str) -> None:
    """Letters that fold to an ASCII letter are not valid in an address."""
    right = bool(EMAIL.fullmatch(text))

    assert bool(PREDICATES["email"](text)) is right
    assert bool(COMMON["email"](text)) is (right and len(text) <= 254)


def test_quick_tests_hold_for_nothing_else() -> None:
    for name, common in COMMON.items():
        for text in [text for cases in CASES.get(name, ()) for text in cases]:
            assert not common(text) or PREDICATES[name](text)
