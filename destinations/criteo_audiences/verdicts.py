"""What Criteo's response to an amendment says about the identifiers in it.

Responses are read for what they are sure to say. An odd value, such as a count as text or one that
is larger than the request, never makes a rejection of what Criteo may have accepted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

_is_whole = re.compile(r"\s*([0-9]{1,15})(?:\.0*)?\s*").fullmatch


class Verdict(NamedTuple):
    """What Criteo said about the *size* identifiers of an amendment.

    *rejected* are those that it rejected by name, and *unnamed* is the number of further ones that
    it rejected; None if it is not known how many. *accepted* is the number of accepted ones if
    Criteo said it, and *counted* whether it gave any count or name at all.
    """

    size: int
    rejected: frozenset[str] = frozenset()
    unnamed: int | None = 0
    accepted: int = 0
    counted: bool = True

    @property
    def rejects_all(self) -> bool:
        """Whether every identifier was rejected."""
        return self.unnamed is not None and len(self.rejected) + self.unnamed >= self.size


def read_verdict(response: Mapping[str, Any], identifiers: Sequence[str]) -> Verdict:
    """Return the verdict of a successful response on *identifiers*."""
    attributes = _attributes(response.get("data"))
    size = len(identifiers)
    invalid = _count(attributes.get("nbInvalidIdentifiers"))
    valid = _count(attributes.get("nbValidIdentifiers"))
    accepted = valid if valid is not None and valid <= size else 0
    rejected = _named(attributes.get("sampleInvalidIdentifiers"), identifiers)
    if invalid is not None and invalid <= size:
        unnamed: int | None = max(0, invalid - len(rejected))
    elif valid is not None and valid <= size:
        unnamed = max(0, size - valid - len(rejected))
    else:
        # More rejected than sent: some were, but nobody can say how many.
        unnamed = None if invalid is not None else 0
    counted = bool(rejected) or invalid is not None or valid is not None
    return Verdict(size, rejected, unnamed, accepted, counted)


def _attributes(data: Any) -> Mapping[str, Any]:
    first = data[0] if isinstance(data, list) and data else data
    found = first.get("attributes") if isinstance(first, dict) else None
    return found if isinstance(found, dict) else {}


def _count(value: Any) -> int | None:
    """Return a whole number that is not negative, also one written as text; None for others."""
    if type(value) is int:
        return value if value >= 0 else None
    if isinstance(value, float):
        return int(value) if value >= 0 and value.is_integer() else None
    if not isinstance(value, str):
        return None
    found = _is_whole(value)
    return int(found[1]) if found else None


def _named(sample: Any, identifiers: Sequence[str]) -> frozenset[str]:
    """Return the identifiers in a sample; it may have them in other case, or be no list."""
    if not sample:
        return frozenset()
    values = sample if isinstance(sample, list) else [sample]
    names = {str(one).strip().casefold() for one in values if isinstance(one, str | int)}
    if not names:
        return frozenset()
    return frozenset(one for one in identifiers if one.casefold() in names)
