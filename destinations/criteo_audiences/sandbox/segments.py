"""Endpoints of audience segments: search, create, update, delete, sizes."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias, TypeVar

import orjson

from destinations.criteo_audiences.sandbox.responses import (
    ApiCall,
    Problem,
    no_consent,
    problem,
    read_attributes,
    read_data,
    refused,
    seven_digits,
    success,
)
from destinations.criteo_audiences.sandbox.state import CONTACT_LIST, KINDS, Segment
from framework.sandbox import SandboxResponse

TYPES: Final = frozenset({*KINDS.values(), "Unknown", "Behavioral"})
_FILTERS = ("advertiserIds", "audienceSegmentIds", "audienceSegmentTypes")
_NOT_FOUND = ("segment-not-found", "the segment does not exist")

Complaint: TypeAlias = tuple[str, str]
"""Why an item of a bulk request is rejected: code and title."""

Item = TypeVar("Item")


def search(call: ApiCall) -> SandboxResponse:
    """Return one page of the segments that match all filters."""
    limit = _page_number(call, "limit", 50, most=100)
    offset = _page_number(call, "offset", 0, most=None)
    found = _found(call, _read_filters(call))
    page = [_entity(segment) for segment in found[offset : offset + limit]]
    meta = {"totalItems": len(found), "limit": limit, "offset": offset}
    note = {"limit": limit, "offset": offset, "found": len(found)}
    return SandboxResponse(
        body={"meta": meta, "data": page, "errors": [], "warnings": []}, note=note
    )


def _page_number(call: ApiCall, name: str, default: int, most: int | None) -> int:
    text = call.request.query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal()) or (most is not None and int(text) > most):
        raise refused(call, 400, "invalid", f"{name} is out of range")
    return int(text)


def _read_filters(call: ApiCall) -> dict[str, frozenset[str]]:
    attributes = read_attributes(call, read_data(call, dict))
    filters = {}
    for name in _FILTERS:
        values = attributes.get(name)
        if values is None:
            continue
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise refused(call, 400, "invalid", f"{name} must be a list of strings")
        filters[name] = frozenset(values)
    if filters.get("audienceSegmentTypes", frozenset()) - TYPES:
        raise refused(call, 400, "invalid", "audienceSegmentTypes has an unknown value")
    return filters


def _found(call: ApiCall, filters: Mapping[str, frozenset[str]]) -> list[Segment]:
    state, known = call.state, call.app.advertisers
    asked = filters.get("advertiserIds", known)
    if asked - known and state.options.search_without_consent == "forbidden":
        raise no_consent(call)
    ids, kinds = filters.get("audienceSegmentIds"), filters.get("audienceSegmentTypes")
    found = [
        segment
        for segment in state.segments.values()
        if segment.advertiser in asked & known
        and (ids is None or segment.id in ids)
        and (kinds is None or segment.kind in kinds)
    ]
    state.searches += 1
    order = state.options.search_order
    if order == "descending" or (order == "changing" and state.searches % 2 == 0):
        found.reverse()
    return found


def create(call: ApiCall) -> SandboxResponse:
    """Create segments; invalid items are reported, all others are created."""
    items = [_item_attributes(item) for item in _read_items(call)]
    for attributes in items:
        advertiser = attributes.get("advertiserId")
        if isinstance(advertiser, str) and advertiser not in call.app.advertisers:
            raise no_consent(call)
    taken = _names(call)

    def complain(attributes: dict[str, Any]) -> Complaint | None:
        advertiser = attributes.get("advertiserId")
        if not isinstance(advertiser, str):
            return "required-field", "advertiserId is required"
        if len(KINDS.keys() & attributes.keys()) != 1:
            return "required-field", "one kind of segment is required"
        if not isinstance(attributes.get("description"), str | None):
            return "invalid", "the description must be a string"
        return _name_complaint(call, advertiser, attributes.get("name"), taken)

    good, problems = _sort_out(call, items, complain)
    made = [_make(call, attributes) for attributes in good]
    note = {"created": len(made), "refused": len(problems)}
    return _bulk_answer(call, [_entity(segment) for segment in made], problems, note)


def _make(call: ApiCall, attributes: Mapping[str, Any]) -> Segment:
    (attribute,) = KINDS.keys() & attributes.keys()
    return call.state.add_segment(
        attributes["advertiserId"],
        attributes["name"],
        attributes.get("description"),
        KINDS[attribute],
    )


def update(call: ApiCall) -> SandboxResponse:
    """Change names and descriptions; invalid items are reported."""
    taken = _names(call)

    def complain(item: dict[str, Any]) -> Complaint | None:
        segment = _own(call, item)
        if segment is None:
            return _NOT_FOUND
        attributes = _item_attributes(item)
        wrapped = attributes.get("description") or {}
        if not isinstance(wrapped, dict) or not isinstance(wrapped.get("value"), str | None):
            return "invalid", "the description must be wrapped in an object"
        if "name" not in attributes:
            return None
        others = taken - {(segment.advertiser, call.state.comparable(segment.name))}
        return _name_complaint(call, segment.advertiser, attributes["name"], others)

    good, problems = _sort_out(call, _read_items(call), complain)
    changed = [_change(call, item) for item in good]
    note = {"updated": len(changed), "refused": len(problems)}
    return _bulk_answer(call, [_entity(segment) for segment in changed], problems, note)


def _change(call: ApiCall, item: Mapping[str, Any]) -> Segment:
    segment = call.state.segments[item["id"]]
    attributes = _item_attributes(item)
    segment.name = attributes.get("name", segment.name)
    if attributes.get("description") is not None:
        segment.description = attributes["description"].get("value")
    segment.updated = call.now
    return segment


def delete(call: ApiCall) -> SandboxResponse:
    """Delete segments; unknown ones are reported."""
    seen: set[str] = set()

    def complain(item: dict[str, Any]) -> Complaint | None:
        segment = _own(call, item)
        if segment is None or segment.id in seen:
            return _NOT_FOUND
        seen.add(segment.id)
        return None

    good, problems = _sort_out(call, _read_items(call), complain)
    for item in good:
        del call.state.segments[item["id"]]
    data = [{"id": item["id"], "type": "AudienceSegment"} for item in good]
    note = {"deleted": len(good), "refused": len(problems)}
    return _bulk_answer(call, data, problems, note)


def compute_sizes(call: ApiCall) -> SandboxResponse:
    """Return how many users segments match; unknown segments are reported."""

    def complain(item: dict[str, Any]) -> Complaint | None:
        return None if _own(call, item) else _NOT_FOUND

    good, problems = _sort_out(call, _read_items(call), complain)
    data = []
    for item in good:
        size = call.state.matches(call.state.segments[item["id"]])
        entity = {"id": item["id"], "type": "AudienceSegmentSize", "attributes": {"size": size}}
        data.append(entity)
    return SandboxResponse(body={"data": data, "errors": problems, "warnings": []})


def estimate_size(call: ApiCall) -> SandboxResponse:
    """Return how many users a segment would match: an arbitrary but stable number."""
    attributes = read_attributes(call, read_data(call, dict))
    advertiser = attributes.get("advertiserId")
    if not isinstance(advertiser, str) or advertiser not in call.app.advertisers:
        raise no_consent(call)
    if len({"inMarket", "location"} & attributes.keys()) != 1:
        raise refused(call, 400, "required-field", "one of inMarket and location is required")
    size = zlib.crc32(orjson.dumps(attributes, option=orjson.OPT_SORT_KEYS)) % 1_000_000
    return success({"type": "AudienceSegmentSizeEstimation", "attributes": {"size": size}})


def _read_items(call: ApiCall) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = read_data(call, list)
    if not all(isinstance(item, dict) for item in items):
        raise refused(call, 400, "invalid", "every item of data must be an object")
    return items


def _item_attributes(item: Mapping[str, Any]) -> dict[str, Any]:
    attributes = item.get("attributes")
    return attributes if isinstance(attributes, dict) else {}


def _own(call: ApiCall, item: Mapping[str, Any]) -> Segment | None:
    number = item.get("id")
    segment = call.state.segments.get(number) if isinstance(number, str) else None
    return segment if segment and segment.advertiser in call.app.advertisers else None


def _names(call: ApiCall) -> set[tuple[str, str]]:
    """Return advertiser and name of all segments, in the form used to compare names."""
    state = call.state
    return {(one.advertiser, state.comparable(one.name)) for one in state.segments.values()}


def _name_complaint(
    call: ApiCall, advertiser: str, name: object, taken: set[tuple[str, str]]
) -> Complaint | None:
    """Return why a new name is rejected; add it to *taken* if it is not."""
    if name is None:
        return "required-field", "name is required"
    if not isinstance(name, str) or not name.strip():
        return "name-must-not-be-empty", "the name is empty"
    if len(name) > call.state.options.max_name:
        return "invalid", f"the name is longer than {call.state.options.max_name} characters"
    key = (advertiser, call.state.comparable(name))
    if key in taken:
        return "name-must-be-unique", "the name is taken"
    taken.add(key)
    return None


def _sort_out(
    call: ApiCall, items: Iterable[Item], complain: Callable[[Item], Complaint | None]
) -> tuple[list[Item], list[Problem]]:
    """Split *items* into accepted ones and problems; the options may reject all for one problem."""
    good, problems = [], []
    for at, item in enumerate(items):
        complaint = complain(item)
        if complaint is None:
            good.append(item)
        else:
            code, title = complaint
            problems.append(problem(call.state, "validation", code, f"@data/{at}", title))
    nothing = problems and call.state.options.refused_items == "status-400"
    return ([] if nothing else good), problems


def _bulk_answer(
    call: ApiCall, data: list[dict[str, Any]], problems: list[Problem], note: dict[str, Any]
) -> SandboxResponse:
    form = call.state.options.refused_items
    body = {"data": data, "errors": problems, "warnings": []}
    if form == "warnings":
        body = {"data": data, "errors": [], "warnings": problems}
    return SandboxResponse(400 if problems and form == "status-400" else 200, body, note=note)


def _entity(segment: Segment) -> dict[str, Any]:
    kind = {"contactList": {"isReadOnly": segment.read_only}}
    attributes = {
        "name": segment.name,
        "description": segment.description,
        "type": segment.kind,
        "advertiserId": segment.advertiser,
        "createdAt": seven_digits(segment.created) + "Z",
        "updatedAt": seven_digits(segment.updated) + "Z",
        **(kind if segment.kind == CONTACT_LIST else {}),
    }
    return {"id": segment.id, "type": "AudienceSegment", "attributes": attributes}
