"""A digest is made once, in lower-case hexadecimal digits, and never of nothing."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.errors import DefinitionError, PayloadValidationError
from framework.normalize import METHODS, DigestMethod, digest, is_digest

SHA256 = "542d240129883c019e106e3b1b2d3f3cb3537c43c425364de8e951d5a3083345"
TEXTS = st.text(st.characters(codec=None, categories=None))


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("md5", "900150983cd24fb0d6963f7d28e17f72"),
        ("sha1", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ],
)
def test_the_published_vectors(method: DigestMethod, expected: str) -> None:
    assert digest("abc", method) == expected
    assert is_digest(expected, method)


@pytest.mark.parametrize("text", ["", " ", "\t\n", "\u00a0"])
def test_what_is_empty_stays_empty(text: str) -> None:
    assert digest(text) == ""


def test_a_hash_is_kept_in_lower_case_without_outer_white_space() -> None:
    assert digest(f" {SHA256.upper()}\n") == SHA256


def test_a_hash_is_refused_without_being_shown() -> None:
    with pytest.raises(PayloadValidationError) as caught:
        digest(SHA256, already="refuse")
    assert str(caught.value) == "The value is a hash (sha256) already."


def test_a_hash_may_be_hashed_again() -> None:
    assert digest(SHA256, already="hash") == hashlib.sha256(SHA256.encode()).hexdigest()


@pytest.mark.parametrize("other", ["a" * 32, "a" * 40, "a" * 63, "g" * 64, "\u0663" * 64])
def test_only_a_hash_by_the_same_method_is_kept(other: str) -> None:
    assert digest(other) == hashlib.sha256(other.encode()).hexdigest()


@pytest.mark.parametrize(("method", "already"), [("sha384", "keep"), ("sha256", "drop")])
def test_other_words_are_mistakes_of_the_author(method: Any, already: Any) -> None:
    with pytest.raises(DefinitionError) as caught:
        digest("abc", method, already=already)
    assert str(caught.value) == (
        "A digest needs one of md5, sha1, sha256, sha512 and one of keep, refuse, hash,"
        f' got "{method}" and "{already}".'
    )


@given(TEXTS, st.sampled_from(METHODS))
def test_every_text_has_a_digest_that_is_kept(text: str, method: DigestMethod) -> None:
    made = digest(text, method)
    assert re.fullmatch("[0-9a-f]*", made)
    assert is_digest(made, method) or not text.strip()
    assert digest(made, method) == made
