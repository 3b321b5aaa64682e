"""Texts without what must not be read: secrets by value, however encoded, and personal data."""

from __future__ import annotations

import base64
import itertools
import json
import logging
import re
import threading
import weakref
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TypeAlias
from urllib.parse import unquote_plus

from msgspec import Struct

from framework.controls import visible
from framework.delivery.encodings import hide_encoded
from framework.delivery.identifier_mask import mask_identifiers

Headers: TypeAlias = Iterable[tuple[bytes, bytes]]
"""Names and values as they travel."""

REDACTED = "<redacted>"
SHORTEST_SECRET = 4
"""Characters; a shorter value cannot be told from ordinary text and is left alone."""

_KEPT_TOKENS = 64
_KEPT_CONFIDED = 1_000
_SENSITIVE_HEADERS = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "cookie",
        "set-cookie",
        "www-authenticate",
        "proxy-authenticate",
        "x-csrf-token",
        "x-xsrf-token",
        "x-api-key",
        "x-client-id",
        "x-uid",
        "x-requested-with",
        "x-forwarded-for",
        "x-real-ip",
        "x-amz-security-token",
        "x-amz-content-sha256",
        "x-amz-date",
        "x-amz-user-agent",
    }
)
_CREDENTIAL_HEADERS = frozenset({b"authorization", b"proxy-authorization", b"x-api-key"})
_TELLING_WORDS = ("token", "secret", "assertion", "password")
_TELLING_KEYS = "access_token|refresh_token|id_token|client_secret|client_assertion|password"
_TOKENS = re.compile(
    rf'"(?:{_TELLING_KEYS})"\s*:\s*"((?:[^"\\]|\\.)+)|(?:^|[&?])(?:{_TELLING_KEYS})=([^&\s]+)'
)
_JSON_ESCAPES = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f"}
_HTML = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;|&#34;",
    "'": "&#x27;|&apos;|&#39;",
}


class Mask(Struct, frozen=True):
    """A kind of personal data: how it looks, and what is shown in its place."""

    pattern: re.Pattern[str]
    shown: str


ADDRESSES = Mask(
    re.compile(r"[^\s@<>\"'(),:;\[\]\\/=&?|`]{1,64}(?:@|%40)\w+(?:[.-]+\w+)*"), "<address>"
)
"""E-mail addresses, and whatever looks like one."""

PHONES = Mask(
    re.compile(
        r"(?<![\w+])(?:(?:\+|%2[bB]|00)\d(?:[-. ()/]{0,2}\d){6,15}"
        r"|\(\d{2,5}\)[-. ]?\d(?:[-. ]?\d){5,8}|\d{3}[-. ]\d{3}[-. ]\d{4})(?!\w)"
    ),
    "<phone>",
)
"""Phone numbers: international ones, and national ones written in groups."""

HASHES = Mask(re.compile(r"\b(?:[0-9a-fA-F]{64}|[0-9a-fA-F]{32})\b"), "<hash>")
"""Hexadecimal identifiers as long as MD5 or SHA-256; many trace ids look the same."""


class Cover:
    """The secrets known at one moment, as a pattern that finds them in texts."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = sorted(secrets, key=len, reverse=True)
        forms = [form for secret in self._secrets for form in _forms(secret)]
        # Without secrets the pattern matches nothing.
        self._hidden = re.compile("|".join(forms) or r"(?!)")

    def hide(self, text: str) -> str:
        """Return *text* without secrets; personal data stays, because a tester needs to see it."""
        if not self._secrets:
            return text
        return self._hidden.sub(REDACTED, hide_encoded(text, self._hidden.search, REDACTED))

    def headers(self, raw: Headers) -> dict[str, str]:
        """Return headers with lower-case names; those with a sensitive name lose their value."""
        shown: dict[str, str] = {}
        for name, value in raw:
            key = _read(name).lower()
            clean = REDACTED if key in _SENSITIVE_HEADERS else self.hide(_read(value))
            shown[key] = f"{shown[key]}, {clean}" if key in shown else clean
        return shown

    def longest(self) -> int:
        """Return the number of characters that the longest secret may take in a text."""
        # An octet takes nine characters when percent-encoded over and over; base64 adds a third.
        return max((len(_octets(secret)) * 20 for secret in self._secrets), default=0)


_redactors: weakref.WeakSet[Redactor] = weakref.WeakSet()


def hide_known(text: str) -> str:
    """Return *text* without the secrets of any redactor in use, for an error of unknown origin."""
    for redactor in list(_redactors):
        text = redactor.hide(text)
    return text


def clean_known(text: str) -> str:
    """Return *text* fit for logs, by all redactors in use and without addresses in any case."""
    for redactor in list(_redactors):
        text = redactor.text(text)
    return text


class Redactor:
    """Takes secrets and personal data out of texts; safe under threads.

    A secret is found as it is, percent-encoded, JSON- or HTML-escaped (in any mixture, and several
    times over), in base64 and in hexadecimal, alone or inside a longer text. *masks* are the kinds
    of personal data that `text` hides, in addition to phone numbers and the identifiers of a call.
    As a filter of a logger it cleans the messages of its records.
    """

    def __init__(self, secrets: Iterable[str] = (), masks: tuple[Mask, ...] = (ADDRESSES,)) -> None:
        self._lock = threading.Lock()
        self._declared = frozenset(filter(_long_enough, secrets))
        self._met: deque[str] = deque(maxlen=_KEPT_TOKENS)
        self._passed: deque[str] = deque(maxlen=_KEPT_TOKENS)
        self._confided: dict[str, None] = {}
        self._masks = masks
        _redactors.add(self)
        self._cover: Cover | None = None
        self._protected: bytes | None = None

    def protect(self, value: str) -> None:
        """Treat *value* as a secret from now on, such as a new token.

        The latest 64 of these are remembered, the declared ones always.
        """
        with self._lock:
            if _long_enough(value) and value not in self._declared and value not in self._met:
                self._met.append(value)
                self._cover = self._protected = None

    def pass_on(self, value: str) -> None:
        """Treat *value* as a secret, such as a signature; the latest 64 of these are remembered."""
        with self._lock:
            if value in self._passed:
                self._passed.remove(value)  # to become the latest
                self._passed.append(value)
            elif _long_enough(value) and value not in self._declared:
                self._passed.append(value)
                self._cover = None

    def confide(self, text: str) -> None:
        """Treat *text* as a secret from now on; the latest 1,000 of these are remembered."""
        if not isinstance(text, str):
            raise TypeError(f"A secret must be a text, got {type(text).__name__}.")
        with self._lock:
            if _long_enough(text) and text not in self._declared and text not in self._confided:
                self._confided[text] = None
                if len(self._confided) > _KEPT_CONFIDED:
                    del self._confided[next(iter(self._confided))]
                self._cover = None

    def learn(self, text: str) -> None:
        """Protect the tokens that a body in JSON or form encoding names as such."""
        for word in _TELLING_WORDS:
            if word in text:
                self._learn(text)
                return

    def _learn(self, text: str) -> None:
        for found in _TOKENS.finditer(text):
            self.protect(_unescaped(found[1]) if found[1] else unquote_plus(found[2]))

    @property
    def cover(self) -> Cover:
        """The secrets as they are known now."""
        return self._cover or self._renewed()

    def hide(self, text: str) -> str:
        """Return *text* without secrets; personal data stays, because a tester needs to see it."""
        return self.cover.hide(text)

    def text(self, text: str) -> str:
        """Return *text* fit for errors, results and logs.

        It has no secrets, no personal data and no characters that control a terminal.
        """
        text = visible(self.hide(text))
        for mask in self._masks:
            text = mask.pattern.sub(mask.shown, text)
        return PHONES.pattern.sub(PHONES.shown, mask_identifiers(text))

    def protect_credentials(self, raw: Headers) -> None:
        """Protect the credentials that a request's headers carry."""
        for name, value in raw:
            if name.lower() in _CREDENTIAL_HEADERS and value != self._protected:
                self.protect(_read(value).rpartition(" ")[2])
                self._protected = value

    def filter(self, record: logging.LogRecord) -> bool:
        """Clean a log record in place and let it pass."""
        record.msg, record.args = self.text(record.getMessage()), None
        return True

    def _renewed(self) -> Cover:
        with self._lock:
            known = {*self._declared, *self._met, *self._passed, *self._confided}
            self._cover = Cover(known)
            return self._cover


def _read(raw: bytes) -> str:
    """Return the name or value of a header as text."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _long_enough(value: str) -> bool:
    return len(value) >= SHORTEST_SECRET


def _unescaped(text: str) -> str:
    """Return the value of a JSON string's content, or the text itself if it was cut short."""
    try:
        return str(json.loads(f'"{text}"'))
    except ValueError:
        return text


def _forms(secret: str) -> Iterator[str]:
    """Yield a pattern for each way in which *secret* may be written."""
    yield _tolerant(secret)
    encoded = _octets(secret)
    cores = {_core(encoded, offset) for offset in range(3)}
    for core in sorted(core for core in cores if len(core) > SHORTEST_SECRET):
        yield _tolerant(core) + "={0,2}"
        url_safe = core.replace("+", "-").replace("/", "_")
        if url_safe != core:
            yield _tolerant(url_safe) + "={0,2}"
    yield f"(?i:{'[ :-]?'.join(f'{octet:02x}' for octet in encoded)})"


def _core(encoded: bytes, offset: int) -> str:
    """Return the base64 characters that *encoded* alone determines after *offset* bytes."""
    written = base64.b64encode(b"\0" * offset + encoded).decode()
    return written[-(-offset * 8 // 6) : (offset + len(encoded)) * 8 // 6]


def _tolerant(value: str) -> str:
    """Return a pattern for *value* in which every character may be escaped in its own way."""
    runs = ((char, len(list(run))) for char, run in itertools.groupby(value))
    return "".join(_character(char, count) for char, count in runs)


def _character(char: str, count: int) -> str:
    if char.isascii() and char.isalnum():
        return char * count  # no encoding in use touches these
    if char == "\\":
        # Escaped backslashes double; a run is one repetition so that matching stays linear.
        return rf"(?:\\|{_percent(char)}|&#92;){{{count},{count * 8}}}"
    forms = [rf"\\{{0,8}}{re.escape(char)}", _percent(char), _unicode_escape(char)]
    if char in "'\"":
        forms.append(char * 2)  # SQL, CSV
    if not char.isascii():
        forms += _octet_escapes(char)
    if char == " ":
        forms.append(r"\+")
    if char in _JSON_ESCAPES:
        forms.append(rf"\\{{1,4}}{_JSON_ESCAPES[char]}")
    if char in _HTML:
        forms.append(_HTML[char])
    return f"(?:{'|'.join(forms)})" * count


def _percent(char: str) -> str:
    octets = _octets(char)
    return "".join(f"%(?:25){{0,3}}{_any_case(f'{octet:02x}')}" for octet in octets)


def _unicode_escape(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass").hex()
    pairs = (units[start : start + 4] for start in range(0, len(units), 4))
    return "".join(rf"\\{{1,4}}u{_any_case(pair)}" for pair in pairs)


def _octet_escapes(char: str) -> Iterator[str]:
    """Yield patterns for the escapes of Python and C: of octets, and of the character itself."""
    octets = _octets(char)
    yield "".join(rf"\\{{1,4}}x{_any_case(f'{octet:02x}')}" for octet in octets)
    yield "".join(rf"\\{{1,4}}{octet:03o}" for octet in octets)
    if ord(char) < 256:
        yield rf"\\{{1,4}}x{_any_case(f'{ord(char):02x}')}"
    if ord(char) > 0xFFFF:
        yield rf"\\{{1,4}}U{_any_case(f'{ord(char):08x}')}"


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _any_case(digits: str) -> str:
    return "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in digits)


_of_addresses = Redactor()  # is always in use
