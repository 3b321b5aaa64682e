"""A secret is found in whatever form it is written: encodings, alone, mixed and nested."""

from __future__ import annotations

import base64
import html
import json
import random
import time
from collections.abc import Callable
from typing import Final
from urllib.parse import quote, quote_plus

import pytest

from framework.delivery import Redactor

Encode = Callable[[str], str]

ALPHABET: Final = (
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    "-._~+/=&%?#<>\"'\\ !$*,;:@|{}[]()`^\u00e9\u00df\u4e2d\U0001f511"
)


def octets(pattern: str) -> Encode:
    return lambda text: "".join(pattern.format(octet) for octet in text.encode())


def units(pattern: str) -> Encode:
    def encode(text: str) -> str:
        raw = text.encode("utf-16-be")
        pairs = (raw[at : at + 2] for at in range(0, len(raw), 2))
        return "".join(pattern.format(int.from_bytes(pair)) for pair in pairs)

    return encode


def points(pattern: str) -> Encode:
    return lambda text: "".join(pattern.format(ord(char)) for char in text)


def base64_of(before: str = "", *, url: bool = False, padded: bool = True) -> Encode:
    def encode(text: str) -> str:
        encoder = base64.urlsafe_b64encode if url else base64.b64encode
        found = encoder((before + text).encode()).decode()
        return found if padded else found.rstrip("=")

    return encode


ENCODINGS: Final[dict[str, Encode]] = {
    "plain": str,
    "percent": lambda text: quote(text, safe=""),
    "percent of a path": quote,
    "form": quote_plus,
    "every octet": octets("%{:02x}"),
    "every octet, upper case": octets("%{:02X}"),
    "JSON": json.dumps,
    "JSON without escapes": lambda text: json.dumps(text, ensure_ascii=False),
    "JSON with slashes": lambda text: json.dumps(text).replace("/", "\\/"),
    "units": units("\\u{:04x}"),
    "units, upper case": units("\\u{:04X}"),
    "braces": points("\\u{{{:x}}}"),
    "octets of Python": octets("\\x{:02x}"),
    "HTML": html.escape,
    "decimal entities": points("&#{};"),
    "hexadecimal entities": points("&#x{:x};"),
    "hexadecimal entities, upper case": points("&#X{:04X};"),
    "base64": base64_of(),
    "base64 without padding": base64_of(padded=False),
    "base64url": base64_of(url=True),
    "base64url without padding": base64_of(url=True, padded=False),
    "Basic": base64_of("user:"),
    "Basic of another user": base64_of("someone else:"),
    "base64 in JSON": base64_of('{"k":"'),
    "hexadecimal": lambda text: text.encode().hex(),
    "hexadecimal, upper case": lambda text: text.encode().hex().upper(),
}
ALONE: Final[dict[str, Encode]] = {
    "hexadecimal with spaces": lambda text: text.encode().hex(" "),
    "hexadecimal with colons": lambda text: text.encode().hex(":"),
    "ASCII of Python": ascii,
    "bytes of Python": lambda text: repr(text.encode()),
    "JSON in JSON in JSON": lambda text: json.dumps(json.dumps(json.dumps(text))),
    "SQL": lambda text: text.replace("'", "''"),
    "CSV": lambda text: text.replace('"', '""'),
}
"""Found as they are; inside of other encodings they are not."""
CONTEXTS: Final = (
    "{}",
    "The key {} is not known.",
    '{{"error": "{}"}}',
    "https://api.test/v1/{}/lists?key={}&page=1",
    "Authorization: Basic {}",
    "key='{}', other=1",
    "<b>{}</b>",
)


def secret_of(numbers: random.Random) -> str:
    return "".join(numbers.choices(ALPHABET, k=numbers.randint(6, 40)))


@pytest.mark.parametrize("name", ENCODINGS)
def test_every_encoding_is_found(name: str) -> None:
    """Of forty secrets in seven places, and nothing of the text around is lost."""
    numbers = random.Random(name)  # noqa: S311 - test data
    for _ in range(40):
        secret = secret_of(numbers)
        redactor = Redactor([secret])
        written = ENCODINGS[name](secret)
        for context in CONTEXTS:
            text = context.format(*[written] * context.count("{}"))
            hidden = redactor.hide(text)
            assert written not in hidden, (secret, text)
            assert "<redacted>" in hidden, (secret, text)
            assert hidden.startswith(context.partition("{}")[0].format()[:4].rstrip("{/"))


@pytest.mark.parametrize("seed", range(12))
def test_encodings_of_encodings_are_found(seed: int) -> None:
    """Pairs of encodings: fifty for each seed, of a secret that each of the two changes."""
    numbers = random.Random(seed)  # noqa: S311 - test data
    for _ in range(50):
        secret = secret_of(numbers)
        inner, outer = numbers.choices(list(ENCODINGS), k=2)
        written = ENCODINGS[outer](ENCODINGS[inner](secret))
        hidden = Redactor([secret]).hide(f"It is {written} here.")
        assert "<redacted>" in hidden, (secret, inner, outer, written)
        assert hidden.startswith("It is ")
        assert hidden.endswith(" here.")


def test_random_escapes_are_found() -> None:
    """Each character is written in its own way, in a thousand mixtures.

    With double escapes among them, the characters that begin escapes would be ambiguous.
    """
    numbers = random.Random(7)  # noqa: S311 - test data
    ways: list[Encode] = [
        str,
        octets("%{:02x}"),
        units("\\u{:04x}"),
        points("&#{};"),
        octets("%25{:02X}"),
    ]
    for _ in range(1_000):
        secret = secret_of(numbers)
        secret = secret.translate(dict.fromkeys(map(ord, "%&\\"), "x"))
        written = "".join(numbers.choice(ways)(char) for char in secret)
        assert "<redacted>" in Redactor([secret]).hide(written), (secret, written)


def test_other_texts_stay() -> None:
    """Encoded texts without a secret are as they were, 2,000 times."""
    numbers = random.Random(3)  # noqa: S311 - test data
    redactor = Redactor(["hush/hush+secret", "p\u00e4ss-w\u00f6rd 17"])
    for _ in range(2_000):
        written = ENCODINGS[numbers.choice(list(ENCODINGS))](secret_of(numbers))
        assert redactor.hide(written) == written


@pytest.mark.parametrize(
    "text",
    [
        "%41" * 60_000,
        "&amp;" * 40_000,
        "\\" * 200_000,
        "\\u0041" * 30_000,
        "QUJD" * 50_000,
        "ab" * 100_000,
        "%25" * 60_000,
        "&#x41" * 40_000,
        ("0123456789abcdef" * 4 + " ") * 3_000,
    ],
    ids=lambda text: text[:6],
)
def test_long_texts_take_bounded_time(text: str) -> None:
    redactor = Redactor(["hush/hush+secret"] * 5)
    start = time.process_time()
    assert redactor.hide(text) == text
    assert time.process_time() - start < 5


@pytest.mark.parametrize("name", ALONE)
@pytest.mark.parametrize("secret", ["sesame-open-42", 'op\u00e9n/"it" o\'\\n+\u4e2d\U0001f511 now'])
def test_a_secret_is_found_in_what_programs_print(name: str, secret: str) -> None:
    written = ALONE[name](secret)
    text = Redactor([secret]).text(f"It is {written} here.")
    assert "<redacted>" in text
    assert written not in text
