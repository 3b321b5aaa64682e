"""Identifiers of the current call are masked by value, however they are written."""

from __future__ import annotations

import json
import threading
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.delivery import Redactor
from framework.delivery.identifier_mask import MASK, mask_identifiers, masking

PHONE, DEVICE, LINK = "+15550100123", "38400000-8cf0-11bd-b23e-10b96e40000d", "XY_12/34aBc-=="


@pytest.mark.parametrize(
    "text",
    [
        f"Cannot use {PHONE}.",
        f"Cannot use {PHONE[1:]}",
        "Cannot use +1 (555) 010-0123, sorry",
        "Cannot use 1.555.010.0123",
        "Cannot use 1\u2011555\u2011010\u20110123",
        f"phone={quote(PHONE)}",
        f"id=70001 {PHONE[1:]}",
        f"id=700012 {PHONE[1:]}",
        r'{"phone": "\u002B15550100123"}',
        f"<b>{PHONE}</b>",
        f"x{PHONE[1:]}",
        f"Cannot use {DEVICE.upper()}",
        f"Cannot use {DEVICE};{DEVICE}",
        f"Cannot use {LINK}",
        f"Cannot use {quote(LINK, safe='')}",
        f"Cannot use {json.dumps(LINK)}",
    ],
)
def test_identifiers_are_masked(text: str) -> None:
    with masking([None, "", PHONE, DEVICE, LINK]):
        shown = mask_identifiers(text)
    assert MASK in shown
    for secret in ("5550100123", "0123", "8cf0", "34aBc"):
        assert secret.casefold() not in shown.casefold()


@pytest.mark.parametrize(
    "text",
    ["Contact list 70001, 1 identifiers", "trace ID 5b1e77", "15550100124", "k-1"],
)
def test_other_text_stays(text: str) -> None:
    with masking([PHONE, DEVICE, LINK, "k-1"]):
        assert mask_identifiers(text) == text


def test_other_calls_and_threads_have_other_identifiers() -> None:
    found: list[str] = []
    with masking([PHONE]):
        other = threading.Thread(target=lambda: found.append(mask_identifiers(PHONE)))
        other.start()
        other.join()
        with masking([DEVICE]):
            assert mask_identifiers(f"{PHONE} {DEVICE}") == f"{PHONE} {MASK}"
        assert mask_identifiers(PHONE) == MASK
    assert [*found, mask_identifiers(PHONE)] == [PHONE, PHONE]


def test_a_redactor_masks_them_after_addresses_and_secrets() -> None:
    with masking(["ada@example.com", PHONE]):
        text = Redactor(["s3cret"]).text(f"s3cret ada@example.com {PHONE}")
    assert text == f"<redacted> <address> {MASK}"


IDENTIFIERS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9/+=_.:-]{6,30}[A-Za-z0-9]", fullmatch=True)


@given(
    identifiers=st.lists(IDENTIFIERS, min_size=1, max_size=20),
    written=st.sampled_from([str, str.upper, quote, quote_plus, json.dumps]),
    around=st.sampled_from(["{}", "Cannot use {}.", "<i>{}</i>", "a={}&b=1", "({})", '"{}"']),
)
def test_no_identifier_stays_in_a_text(
    identifiers: list[str], written: object, around: str
) -> None:
    assert callable(written)
    with masking(identifiers):
        for one in identifiers:
            shown = mask_identifiers(around.format(written(one)))
            assert one.casefold() not in shown.casefold()
            assert str(written(one)).casefold() not in shown.casefold()
