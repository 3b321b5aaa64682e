"""Identifiers in the form in which they are sent to Criteo, or the reason for the rejection.

Addresses are trimmed and lower-cased before hashing, and not normalized further, as Criteo asks.
A value that is already a hash (32 or 64 hexadecimal digits) is only trimmed and lower-cased.
"""

from __future__ import annotations

import hashlib
import re
import string
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from typing import TypeAlias, cast

from destinations.criteo_audiences.phone_numbers import read_phone_number
from framework import Aliases, Failed

IdentifierReader: TypeAlias = Callable[[str | None], str | Failed]
_Digest: TypeAlias = Callable[[Iterable[bytes]], list[str]]

EMAIL_FORMS = ("plain", "md5", "sha256", "sha256_of_md5")
"""Forms in which an address may be sent; Criteo recognizes the form by the value itself."""

NO_EMAIL = Failed(400, "NO_IDENTIFIER", "Field `email` is empty. An email address is required.")
MALFORMED_EMAIL = Failed(
    400,
    "MALFORMED_IDENTIFIER",
    "Field `email` must be an email address, or an MD5 or SHA-256 hash of one.",
)
NO_IDENTIFIER = Failed(
    400, "NO_IDENTIFIER", "Field `identifier` is empty. An identifier is required."
)

_BLOCK = 512

# White space, invisible characters, and characters that an address may only hold in quotes.
_NEVER = (
    r"\s@\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060\ufeff\ud800-\udfff"
    r"()<>\[\],;:\"\\"
)
_is_address = re.compile(rf"[^{_NEVER}]++@(?:[^.{_NEVER}]++\.)++[^.{_NEVER}]++").fullmatch
_is_hash = re.compile(r"(?:[0-9a-f]{32}){1,2}").fullmatch
_is_sha256 = re.compile(r"[0-9a-f]{64}").fullmatch
_is_mobile_id = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE).fullmatch
_is_opaque = re.compile(r"[^\s\x00-\x1f\x7f\ud800-\udfff]+").fullmatch

# Many ordinary addresses at once: with letters, digits, - and _ removed, each leaves `@.` or
# similar; with line ends and @ replaced by dots, two dots in a row show that a part is empty.
_PLAIN = (string.ascii_lowercase + string.digits + "-_").encode()
_HEXADECIMAL = string.hexdigits.encode()
_ONE = rb"[!#$%&'*+/=?^`{|}~.]*+@\.++"
_are_addresses = re.compile(_ONE + rb"(?:\n" + _ONE + rb")*+").fullmatch
_ENDS_AS_DOTS = bytes.maketrans(b"\n@", b"..")


def sha256_of_python() -> Callable[[bytes], hashlib._Hash]:
    """Return Python's own SHA-256; for short texts OpenSSL's takes twice as long."""
    for name in ("_sha2", "_sha256"):
        try:
            made: Callable[[bytes], hashlib._Hash] = import_module(name).sha256
        except ImportError:  # named differently in this version, or left out of this build
            continue
        return made
    return hashlib.sha256


_sha256_of = sha256_of_python()


def _unhashed(texts: Iterable[bytes]) -> list[str]:
    return [text.decode() for text in texts]


def _md5(texts: Iterable[bytes]) -> list[str]:
    return [hashlib.md5(text, usedforsecurity=False).hexdigest() for text in texts]


def _sha256(texts: Iterable[bytes]) -> list[str]:
    return [_sha256_of(text).hexdigest() for text in texts]


def _sha256_of_md5(texts: Iterable[bytes]) -> list[str]:
    return _sha256(text.encode() for text in _md5(texts))


_DIGESTS: dict[str, _Digest] = {
    "plain": _unhashed,
    "md5": _md5,
    "sha256": _sha256,
    "sha256_of_md5": _sha256_of_md5,
}


_WITHOUT_VALUE = [b"", b"null", b"undefined", b"none", b"nan"]
NOBODY = frozenset(hashed for digest in _DIGESTS.values() for hashed in digest(_WITHOUT_VALUE)) | {
    digit * length for digit in "0f" for length in (32, 64)
}
"""Hashes that were made without an address or a number; all who lack one would be one user."""

HASH_OF_NOTHING = Failed(
    400,
    "MALFORMED_IDENTIFIER",
    "The identifier is the hash of an empty text or of a placeholder such as `null`.",
)


def read_emails(values: Sequence[str | None], form: str) -> list[str | Failed]:
    """Return each address in *form* (one of EMAIL_FORMS), or the Failed result for it; aligned.

    Hashes are returned in lower case, whatever the form.
    """
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
        return HASH_OF_NOTHING if text in NOBODY else text
    return MALFORMED_EMAIL if text else NO_EMAIL


def _read_ordinary(block: Sequence[str | None], digest: _Digest) -> list[str] | None:
    """Read a block that holds only ordinary addresses, or only hashes; None for any other.

    For speed alone: it accepts less than `_read_email` and reads what it accepts the same way.
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
        return plain if digest is _unhashed else digest(raw.split(b"\n"))
    if raw.translate(None, _HEXADECIMAL).strip(b"\n"):
        return None
    lines = text.split("\n")
    are_hashes = {32, 64}.issuperset(map(len, lines)) and NOBODY.isdisjoint(lines)
    return lines if are_hashes else None


def _read_mobile_id(value: str | None) -> str | Failed:
    text = value.strip() if value else ""
    if not text:
        return NO_IDENTIFIER
    if not _is_mobile_id(text):
        return _malformed("a mobile advertising ID: 32 hexadecimal digits in five groups")
    if not text.strip("0-"):
        return _malformed("the ID of a device: all zeros mean that the user opted out")
    return text


def _read_phone_number(value: str | None) -> str | Failed:
    text = value.strip().lower() if value else ""
    if not text:
        return NO_IDENTIFIER
    if _is_sha256(text):
        return HASH_OF_NOTHING if text in NOBODY else text
    return read_phone_number(text)


def _read_opaque(value: str | None) -> str | Failed:
    text = value.strip() if value else ""
    if not text:
        return NO_IDENTIFIER
    return text if _is_opaque(text) else _malformed("one identifier without spaces")


def _malformed(what: str) -> Failed:
    return Failed(400, "MALFORMED_IDENTIFIER", f"Field `identifier` must be {what}.")


READERS: dict[str, IdentifierReader] = {
    "madid": _read_mobile_id,
    "identityLink": _read_opaque,
    "gum": _read_opaque,
    "phoneNumber": _read_phone_number,
}
"""Functions that read one identifier, by type; `email` is read by `read_emails`."""


def form_of(identifiers: Sequence[str]) -> str | None:
    """Return the form that all identifiers of one type have, or None if they differ or are empty.

    Of identifiers in one form, only equal ones are about the same user.
    """
    text = "".join(identifiers)
    if "@" in text:
        return "plain" if text.count("@") == len(identifiers) else None
    lengths = set(map(len, identifiers))
    if lengths in ({32}, {64}) and not text.encode().translate(None, _HEXADECIMAL):
        return "md5" if lengths == {32} else "sha256"
    return None


def received(identifiers: Sequence[str]) -> list[str]:
    """Return for each identifier what Criteo knows it as: the SHA-256 hash of what is no such hash.

    So an address and its SHA-256 hash are one user, and an MD5 hash and its SHA-256 hash are. The
    case of mobile advertising IDs does not matter.
    """
    found = []
    for one in identifiers:
        text = one.lower() if _is_mobile_id(one) else one
        found.append(text if _is_sha256(text) else _sha256_of(text.encode()).hexdigest())
    return found


ALIASES = Aliases(form_of=form_of, canonical=received)
"""The forms of one identifier."""


def by_form(identifier_type: str, identifiers: Sequence[str]) -> list[list[str]]:
    """Return the identifiers of one type in groups of one form: plain, 32 or 64 digits.

    Criteo does not specify what happens in requests that mix them.
    """
    if identifier_type not in {"email", "phoneNumber"}:
        return [list(identifiers)]
    text = "".join(identifiers)
    plain = "@" in text and text.count("@") == len(identifiers)
    if plain or ("@" not in text and len(set(map(len, identifiers))) == 1):
        return [list(identifiers)]
    groups: dict[int, list[str]] = {}
    for identifier in identifiers:
        hashed = len(identifier) if "@" not in identifier and len(identifier) >= 32 else 0
        groups.setdefault(hashed, []).append(identifier)
    return list(groups.values())
