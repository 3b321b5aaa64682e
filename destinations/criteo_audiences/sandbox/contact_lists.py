"""Members of a contact list: add, remove, clear, count."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import filterfalse, islice
from typing import Any, Final

from destinations.criteo_audiences.sandbox.responses import (
    Visit,
    no_consent,
    read_attributes,
    read_data,
    refused,
    seven_digits,
    success,
)
from destinations.criteo_audiences.sandbox.state import CONTACT_LIST, Segment
from framework.sandbox import SandboxResponse

_HASH = r"[0-9a-fA-F]{64}"
_DIGITS = b"0123456789abcdefABCDEF"
_OPAQUE = re.compile(r"\S+").fullmatch
WELL_FORMED: Final[Mapping[str, Callable[[str], object]]] = {
    "email": re.compile(
        rf"{_HASH}|[0-9a-fA-F]{{32}}|[^@\s]++@[^@\s.]++(?:\.[^@\s.]++)++"
    ).fullmatch,
    "madid": re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}").fullmatch,
    "identityLink": _OPAQUE,
    "gum": _OPAQUE,
    "phoneNumber": re.compile(rf"{_HASH}|\+?[0-9]{{6,15}}").fullmatch,
}
"""What is well formed, by identifier type; says nothing about whether anybody is matched."""


def amend(visit: Visit) -> SandboxResponse:
    """Add or remove identifiers of one type."""
    segment = contact_list(visit)
    data = read_data(visit, dict)
    attributes = read_attributes(visit, data)
    operation, kind = _read_amendment(visit, data, attributes)
    identifiers = _read_identifiers(visit, attributes)
    _check_writable(visit, segment)
    if visit.world.knobs.duplicates == "once":
        identifiers = list(dict.fromkeys(identifiers))
    valid = _well_formed(kind, identifiers)
    invalid = len(identifiers) - len(valid)
    segment.amend(operation, kind, valid, visit.now)
    sample = islice(filterfalse(WELL_FORMED[kind], identifiers), visit.world.knobs.invalid_sample)
    answer = {
        "contactListId": int(segment.id),
        "operation": operation,
        "requestDate": seven_digits(visit.now) + "+00:00",
        "identifierType": kind,
        "nbValidIdentifiers": len(valid),
        "nbInvalidIdentifiers": invalid,
        "sampleInvalidIdentifiers": list(sample) if invalid else [],
    }
    note = {"segment": segment.id, operation: len(identifiers), "type": kind, "invalid": invalid}
    return success({"type": "ContactlistAmendment", "attributes": answer}, note)


def _well_formed(kind: str, identifiers: list[str]) -> list[str]:
    """Give the identifiers that are well formed; for hashes alone, without looking at each."""
    lengths = set(map(len, identifiers))
    if kind == "email" and lengths <= {32, 64}:
        text = "".join(identifiers).encode()
        if not text.translate(None, _DIGITS):
            return identifiers
    return list(filter(WELL_FORMED[kind], identifiers))


def _read_amendment(
    visit: Visit, data: Mapping[str, Any], attributes: Mapping[str, Any]
) -> tuple[str, str]:
    """Read operation and identifier type; a call that names no type means addresses."""
    if data.get("type") is None:
        raise refused(visit, 400, "required-field", "type is required")
    operation = attributes.get("operation")
    if operation is None:
        raise refused(visit, 400, "required-field", "operation is required")
    kind = attributes.get("identifierType") or "email"
    if data["type"] != "ContactlistAmendment" or operation not in ("add", "remove"):
        raise refused(visit, 400, "invalid", "type or operation has an unknown value")
    if not isinstance(kind, str) or kind not in WELL_FORMED:
        raise refused(visit, 400, "invalid", "identifierType has an unknown value")
    if kind == "gum" and not isinstance(attributes.get("gumCallerId"), int):
        raise refused(visit, 400, "required-field", "gumCallerId is required for gum")
    return operation, kind


def _read_identifiers(visit: Visit, attributes: Mapping[str, Any]) -> list[str]:
    knobs = visit.world.knobs
    identifiers = attributes.get("identifiers")
    if identifiers is None or (not identifiers and knobs.empty_identifiers == "refused"):
        raise refused(visit, 400, "required-field", "identifiers are required")
    if not isinstance(identifiers, list) or set(map(type, identifiers)) - {str}:
        raise refused(visit, 400, "invalid", "identifiers must be a list of texts")
    if knobs.too_many_identifiers == "refused" and len(identifiers) > knobs.max_identifiers:
        raise refused(visit, 400, "invalid", f"more than {knobs.max_identifiers} identifiers")
    return identifiers


def clear(visit: Visit) -> SandboxResponse:
    """Remove all identifiers."""
    segment = contact_list(visit)
    _check_writable(visit, segment)
    segment.clear(visit.now)
    return success({"id": segment.id, "type": "AudienceContactlist"}, {"segment": segment.id})


def statistics(visit: Visit) -> SandboxResponse:
    """Count members and matches, as they were when the list was last processed."""
    segment = contact_list(visit)
    size, matches = visit.world.processed_size(segment), visit.world.matches(segment)
    whole = 100 if visit.world.knobs.match_rate_scale == "percent" else 1
    attributes = {
        "numberOfIdentifiers": size,
        "numberOfMatches": matches,
        "matchRate": whole * matches / size if size else 0.0,
    }
    data = {"id": segment.id, "type": "ContactListStatistics", "attributes": attributes}
    return success(data, {"segment": segment.id, "identifiers": size})


def contact_list(visit: Visit) -> Segment:
    """Give the contact list that the path names, if the app may know of it."""
    number, knobs = visit.names["segment"], visit.world.knobs
    segment = visit.world.segments.get(number)
    if segment is None or segment.kind != CONTACT_LIST:
        title = f"{number} is not a contact list"
        raise refused(visit, knobs.unknown_segment, "audience-invalid", title)
    if segment.advertiser in visit.app.advertisers:
        return segment
    if knobs.foreign_segment == 403:
        raise no_consent(visit)
    title = f"{number} is not a contact list of this app's advertisers"
    raise refused(visit, 404, "audience-invalid", title)


def _check_writable(visit: Visit, segment: Segment) -> None:
    if segment.read_only:
        status = visit.world.knobs.read_only_list
        raise refused(visit, status, "audience-invalid", f"{segment.id} is read-only")
