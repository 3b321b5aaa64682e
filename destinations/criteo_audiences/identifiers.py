"""Identifiers in exactly the form in which Criteo gets them, or why there is none.

Addresses are trimmed and lower-cased before hashing, and nothing else: Criteo asks for no more.
What is a hash already (32 or 64 hexadecimal digits) is lower-cased and otherwise left alone.
"""

from __future__ import annotations

import hashlib
import re
import string
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from typing import TypeAlias, cast

from framework import Failed

IdentifierReader: TypeAlias = Callable[[str | None], str | Failed]
_Digest: TypeAlias = Callable[[Iterable[bytes]], list[str]]

EMAIL_FORMS = ("plain", "md5", "sha256", "sha256_of_md5")
"""How an address may be sent; nothing in a request names the form, Criteo tells it by its shape."""

NO_EMAIL = Failed(400, "NO_IDENTIFIER", "Field `email` is empty: there is nobody to add or remove.")
MALFORMED_EMAIL = Failed(
    400,
    "MALFORMED_IDENTIFIER",
    "Field `email` holds neither an e-mail address nor an MD5 or SHA-256 hash of one.",
)
NO_IDENTIFIER = Failed(
    400, "NO_IDENTIFIER", "Field `identifier` is empty: there is nobody to add or remove."
)

_BLOCK = 512

# White space, invisible characters, and what an address may hold only between quotes.
_NEVER = (
    r"\s@\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060\ufeff\ud800-\udfff"
    r"()<>\[\],;:\"\\"
)
_is_address = re.compile(rf"[^{_NEVER}]++@(?:[^.{_NEVER}]++\.)++[^.{_NEVER}]++").fullmatch
_is_hash = re.compile(r"(?:[0-9a-f]{32}){1,2}").fullmatch
_is_sha256 = re.compile(r"[0-9a-f]{64}").fullmatch
_is_mobile_id = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE).fullmatch
_is_phone_number = re.compile(r"\+?[0-9]{6,15}").fullmatch
_is_opaque = re.compile(r"[^\s\x00-\x1f\x7f\ud800-\udfff]+").fullmatch
_NOT_OF_A_NUMBER = dict.fromkeys(map(ord, " -.()/\u00a0"))

# Many ordinary addresses at once: without letters, digits, - and _ each leaves `@.` and the like,
# and with . for line ends and @ two dots in a row show that a part is empty.
_PLAIN = (string.ascii_lowercase + string.digits + "-_").encode()
_HEXADECIMAL = string.hexdigits.encode()
_ONE = rb"[!#$%&'*+/=?^`{|}~.]*+@\.++"
_are_addresses = re.compile(_ONE + rb"(?:\n" + _ONE + rb")*+").fullmatch
_ENDS_AS_DOTS = bytes.maketrans(b"\n@", b"..")


def sha256_of_python() -> Callable[[bytes], hashlib._Hash]:
    """Give SHA-256 as Python itself has it; for texts this short OpenSSL's takes twice as long."""
    for name in ("_sha2", "_sha256"):
        try:
            made: Callable[[bytes], hashlib._Hash] = import_module(name).sha256
        except ImportError:  # a Python of another version, or one that is told to have none
            continue
        return made
    return hashlib.sha256


_sha256_of = sha256_of_python()


def _as_they_are(texts: Iterable[bytes]) -> list[str]:
    return [text.decode() for text in texts]


def _md5(texts: Iterable[bytes]) -> list[str]:
    return [hashlib.md5(text, usedforsecurity=False).hexdigest() for text in texts]


def _sha256(texts: Iterable[bytes]) -> list[str]:
    return [_sha256_of(text).hexdigest() for text in texts]


def _sha256_of_md5(texts: Iterable[bytes]) -> list[str]:
    return _sha256(text.encode() for text in _md5(texts))


_DIGESTS: dict[str, _Digest] = {
    "plain": _as_they_are,
    "md5": _md5,
    "sha256": _sha256,
    "sha256_of_md5": _sha256_of_md5,
}


def read_emails(values: Sequence[str | None], form: str) -> list[str | Failed]:
    """Give each address in *form* (one of EMAIL_FORMS), or why it cannot be sent."""
    digest = _DIGESTS[form]
    found: list[str | Failed] = []
    for start in range(0, len(values), _BLOCK):
        block = values[start : start + _BLOCK]
        found += _read_ordinary(block, digest) or [_read_email(one, digest) for one in block]
    return found


def _read_email(value: str | None, digest: _Digest) -> str | Failed:
    text = value.strip().lower() if value else ""
    if "@" in text:
        return digest([text.encode()])[0] if _is_address(text) else MALFORMED_EMAIL
    if _is_hash(text):
        return text
    return MALFORMED_EMAIL if text else NO_EMAIL


def _read_ordinary(block: Sequence[str | None], digest: _Digest) -> list[str] | None:
    """Read a block of nothing but ordinary addresses, or nothing but hashes; None for any other.

    Takes less than `_read_email` and never reads it otherwise; it is there for speed alone.
    """
    try:
        given = "\n".join(block)  # type: ignore[arg-type]  # None is what the except is for
        raw = (text := given.lower()).encode("ascii")
    except (TypeError, UnicodeEncodeError):
        return None
    if raw.count(b"\n") != len(block) - 1:
        return None
    if _are_addresses(raw.translate(None, _PLAIN)):
        if b".." in b".%b." % raw.translate(_ENDS_AS_DOTS):
            return None
        plain = cast("list[str]", block) if text == given else text.split("\n")
        return plain if digest is _as_they_are else digest(raw.split(b"\n"))
    if raw.translate(None, _HEXADECIMAL).strip(b"\n"):
        return None
    lines = text.split("\n")
    return lines if {32, 64}.issuperset(map(len, lines)) else None


def _read_mobile_id(value: str | None) -> str | Failed:
    text = value.strip() if value else ""
    if not text:
        return NO_IDENTIFIER
    if not _is_mobile_id(text):
        return _malformed("a mobile advertising id: 32 hexadecimal digits in five groups")
    if not text.strip("0-"):
        return _malformed("the id of one device: all zeros stand for everybody who opted out")
    return text


def _read_phone_number(value: str | None) -> str | Failed:
    text = value.strip().lower() if value else ""
    if not text:
        return NO_IDENTIFIER
    if _is_sha256(text):
        return text
    number = text.translate(_NOT_OF_A_NUMBER)
    return number if _is_phone_number(number) else _malformed("a phone number or its SHA-256 hash")


def _read_opaque(value: str | None) -> str | Failed:
    text = value.strip() if value else ""
    if not text:
        return NO_IDENTIFIER
    return text if _is_opaque(text) else _malformed("one identifier: it has blanks inside")


def _malformed(what: str) -> Failed:
    return Failed(400, "MALFORMED_IDENTIFIER", f"Field `identifier` does not hold {what}.")


READERS: dict[str, IdentifierReader] = {
    "madid": _read_mobile_id,
    "identityLink": _read_opaque,
    "gum": _read_opaque,
    "phoneNumber": _read_phone_number,
}
"""How an identifier of each type other than `email` is read."""


def by_form(identifier_type: str, identifiers: Sequence[str]) -> list[list[str]]:
    """Give the identifiers of one type in groups of one form: plain, 32 or 64 digits.

    Criteo promises nothing for calls that mix them.
    """
    if identifier_type not in {"email", "phoneNumber"} or _are_plain(identifiers):
        return [list(identifiers)]
    groups: dict[int, list[str]] = {}
    for identifier in identifiers:
        hashed = len(identifier) if "@" not in identifier and len(identifier) >= 32 else 0
        groups.setdefault(hashed, []).append(identifier)
    return list(groups.values())


def _are_plain(identifiers: Sequence[str]) -> bool:
    """Tell whether all are addresses, each of which has one `@`."""
    return "".join(identifiers).count("@") == len(identifiers)
