"""Hashes as hexadecimal text, made once: what is a hash already is recognized."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Final, Literal, TypeAlias, get_args

from framework.errors import DefinitionError, PayloadValidationError

DigestMethod: TypeAlias = Literal["md5", "sha1", "sha256", "sha512"]
"""The hash functions that partners accept."""

Already: TypeAlias = Literal["keep", "refuse", "hash"]
"""What becomes of a value that is a hash already."""

METHODS: Final[tuple[DigestMethod, ...]] = get_args(DigestMethod)

_MADE: Final = {
    "md5": hashlib.md5,
    "sha1": hashlib.sha1,
    "sha256": hashlib.sha256,
    "sha512": hashlib.sha512,
}
_DIGITS: Final[Mapping[str, int]] = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}
_HEXADECIMAL: Final[Mapping[str, Callable[[str], re.Match[str] | None]]] = {
    method: re.compile(rf"[0-9A-Fa-f]{{{digits}}}").fullmatch for method, digits in _DIGITS.items()
}


def is_digest(value: str, method: DigestMethod = "sha256") -> bool:
    """Return whether *value*, without outer white space, looks like a hash made by *method*."""
    return _HEXADECIMAL[method](value.strip()) is not None


def digest(value: str, method: DigestMethod = "sha256", *, already: Already = "keep") -> str:
    """Return the hash of *value* in lower-case hexadecimal digits; the value is not normalized.

    White space only becomes the empty text, so that those without a value do not share a hash.
    A value with the length and digits of a hash by *method* is kept, in lower case, refused with a
    PayloadValidationError, or hashed again, as *already* says. A hash by another method is a text.

    Raises DefinitionError for another *method* or *already*.
    """
    if method not in _DIGITS or already not in get_args(Already):
        raise DefinitionError(
            f"A digest needs one of {', '.join(METHODS)} and one of {', '.join(get_args(Already))},"
            f' got "{method}" and "{already}".'
        )
    text = value.strip()
    if not text:
        return ""
    if already != "hash" and _HEXADECIMAL[method](text) is not None:
        if already == "refuse":
            raise PayloadValidationError(f"The value is a hash ({method}) already.")
        return text.lower()
    made = _MADE[method](value.encode("utf-8", "surrogatepass"), usedforsecurity=False)
    return made.hexdigest()
