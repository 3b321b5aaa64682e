"""Endpoints of contact lists: add and remove members, clear, statistics."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import filterfalse, islice
from typing import Any, Final

from destinations.criteo_audiences.sandbox.responses import (
    ApiCall,
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
"""Predicates for well-formed identifiers, by type."""


def amend(call: ApiCall) -> SandboxResponse:
    """Add or remove identifiers of one type."""
    segment = contact_list(call)
    data = read_data(call, dict)
    attributes = read_attributes(call, data)
    operation, kind = _read_amendment(call, data, attributes)
    identifiers = _read_identifiers(call, attributes)
    _check_writable(call, segment)
    if call.state.options.duplicates == "once":
        identifiers = list(dict.fromkeys(identifiers))
    valid = _well_formed(kind, identifiers)
    invalid = len(identifiers) - len(valid)
    segment.amend(operation, kind, valid, call.now)
    sample = islice(filterfalse(WELL_FORMED[kind], identifiers), call.state.options.invalid_sample)
    amended = {
        "contactListId": int(segment.id),
        "operation": operation,
        "requestDate": seven_digits(call.now) + "+00:00",
        "identifierType": kind,
        "nbValidIdentifiers": len(valid),
        "nbInvalidIdentifiers": invalid,
        "sampleInvalidIdentifiers": list(sample) if invalid else [],
    }
    note = {"segment": segment.id, operation: len(identifiers), "type": kind, "invalid": invalid}
    return success({"type": "ContactlistAmendment", "attributes": amended}, note)


def _well_formed(kind: str, identifiers: list[str]) -> list[str]:
    """Return the well-formed identifiers; a list of hashes only is checked as a whole."""
    lengths = set(map(len, identifiers))
    if kind == "email" and lengths <= {32, 64}:
        text = "".join(identifiers).encode()
        if not text.translate(None, _DIGITS):
            return identifiers
    return list(filter(WELL_FORMED[kind], identifiers))


def _read_amendment(
    call: ApiCall, data: Mapping[str, Any], attributes: Mapping[str, Any]
) -> tuple[str, str]:
    """Return operation and identifier type, by default `email`."""
    if data.get("type") is None:
        raise refused(call, 400, "required-field", "type is required")
    operation = attributes.get("operation")
    if operation is None:
        raise refused(call, 400, "required-field", "operation is required")
    kind = attributes.get("identifierType") or "email"
    if data["type"] != "ContactlistAmendment" or operation not in ("add", "remove"):
        raise refused(call, 400, "invalid", "type or operation has an unknown value")
    if not isinstance(kind, str) or kind not in WELL_FORMED:
        raise refused(call, 400, "invalid", "identifierType has an unknown value")
    if kind == "gum" and not isinstance(attributes.get("gumCallerId"), int):
        raise refused(call, 400, "required-field", "gumCallerId is required for gum")
    return operation, kind


def _read_identifiers(call: ApiCall, attributes: Mapping[str, Any]) -> list[str]:
    options = call.state.options
    identifiers = attributes.get("identifiers")
    if identifiers is None or (not identifiers and options.empty_identifiers == "refused"):
        raise refused(call, 400, "required-field", "identifiers are required")
    if not isinstance(identifiers, list) or set(map(type, identifiers)) - {str}:
        raise refused(call, 400, "invalid", "identifiers must be a list of strings")
    if options.too_many_identifiers == "refused" and len(identifiers) > options.max_identifiers:
        raise refused(call, 400, "invalid", f"more than {options.max_identifiers} identifiers")
    return identifiers


def clear(call: ApiCall) -> SandboxResponse:
    """Remove all identifiers."""
    segment = contact_list(call)
    _check_writable(call, segment)
    segment.clear(call.now)
    return success({"id": segment.id, "type": "AudienceContactlist"}, {"segment": segment.id})


def statistics(call: ApiCall) -> SandboxResponse:
    """Return the numbers of members and matches when the list was last processed."""
    segment = contact_list(call)
    size, matches = call.state.processed_size(segment), call.state.matches(segment)
    whole = 100 if call.state.options.match_rate_scale == "percent" else 1
    attributes = {
        "numberOfIdentifiers": size,
        "numberOfMatches": matches,
        "matchRate": whole * matches / size if size else 0.0,
    }
    data = {"id": segment.id, "type": "ContactListStatistics", "attributes": attributes}
    return success(data, {"segment": segment.id, "identifiers": size})


def contact_list(call: ApiCall) -> Segment:
    """Return the contact list in the path; raises RefusedError without access to it."""
    number, options = call.names["segment"], call.state.options
    segment = call.state.segments.get(number)
    if segment is None or segment.kind != CONTACT_LIST:
        title = f"{number} is not a contact list"
        raise refused(call, options.unknown_segment, "audience-invalid", title)
    if segment.advertiser in call.app.advertisers:
        return segment
    if options.foreign_segment == 403:
        raise no_consent(call)
    title = f"{number} is not a contact list of this app's advertisers"
    raise refused(call, 404, "audience-invalid", title)


def _check_writable(call: ApiCall, segment: Segment) -> None:
    if segment.read_only:
        status = call.state.options.read_only_list
        raise refused(call, status, "audience-invalid", f"{segment.id} is read-only")
