"""Audience segments: search, create, update, delete, sizes."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias, TypeVar

import orjson

from destinations.criteo_audiences.sandbox.responses import (
    Problem,
    Visit,
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
_NOT_FOUND = ("segment-not-found", "there is no such segment")

Complaint: TypeAlias = tuple[str, str]
"""Why an item of a bulk call is refused: code and title."""

Item = TypeVar("Item")


def search(visit: Visit) -> SandboxResponse:
    """Give one page of the segments that pass all filters."""
    limit = _page_number(visit, "limit", 50, most=100)
    offset = _page_number(visit, "offset", 0, most=None)
    found = _found(visit, _read_filters(visit))
    page = [_entity(segment) for segment in found[offset : offset + limit]]
    meta = {"totalItems": len(found), "limit": limit, "offset": offset}
    note = {"limit": limit, "offset": offset, "found": len(found)}
    return SandboxResponse(
        body={"meta": meta, "data": page, "errors": [], "warnings": []}, note=note
    )


def _page_number(visit: Visit, name: str, default: int, most: int | None) -> int:
    text = visit.request.query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal()) or (most is not None and int(text) > most):
        raise refused(visit, 400, "invalid", f"{name} is out of range")
    return int(text)


def _read_filters(visit: Visit) -> dict[str, frozenset[str]]:
    attributes = read_attributes(visit, read_data(visit, dict))
    filters = {}
    for name in _FILTERS:
        values = attributes.get(name)
        if values is None:
            continue
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise refused(visit, 400, "invalid", f"{name} must be a list of texts")
        filters[name] = frozenset(values)
    if filters.get("audienceSegmentTypes", frozenset()) - TYPES:
        raise refused(visit, 400, "invalid", "audienceSegmentTypes has an unknown value")
    return filters


def _found(visit: Visit, filters: Mapping[str, frozenset[str]]) -> list[Segment]:
    world, known = visit.world, visit.app.advertisers
    asked = filters.get("advertiserIds", known)
    if asked - known and world.knobs.search_without_consent == "forbidden":
        raise no_consent(visit)
    ids, kinds = filters.get("audienceSegmentIds"), filters.get("audienceSegmentTypes")
    found = [
        segment
        for segment in world.segments.values()
        if segment.advertiser in asked & known
        and (ids is None or segment.id in ids)
        and (kinds is None or segment.kind in kinds)
    ]
    world.searches += 1
    order = world.knobs.search_order
    if order == "descending" or (order == "changing" and world.searches % 2 == 0):
        found.reverse()
    return found


def create(visit: Visit) -> SandboxResponse:
    """Create segments; items that are wrong are reported, the others are created."""
    items = [_item_attributes(item) for item in _read_items(visit)]
    for attributes in items:
        advertiser = attributes.get("advertiserId")
        if isinstance(advertiser, str) and advertiser not in visit.app.advertisers:
            raise no_consent(visit)
    taken = _names(visit)

    def complain(attributes: dict[str, Any]) -> Complaint | None:
        advertiser = attributes.get("advertiserId")
        if not isinstance(advertiser, str):
            return "required-field", "advertiserId is required"
        if len(KINDS.keys() & attributes.keys()) != 1:
            return "required-field", "one kind of segment is required"
        if not isinstance(attributes.get("description"), str | None):
            return "invalid", "the description must be a text"
        return _name_complaint(visit, advertiser, attributes.get("name"), taken)

    good, problems = _sort_out(visit, items, complain)
    made = [_make(visit, attributes) for attributes in good]
    note = {"created": len(made), "refused": len(problems)}
    return _bulk_answer(visit, [_entity(segment) for segment in made], problems, note)


def _make(visit: Visit, attributes: Mapping[str, Any]) -> Segment:
    (attribute,) = KINDS.keys() & attributes.keys()
    return visit.world.add_segment(
        attributes["advertiserId"],
        attributes["name"],
        attributes.get("description"),
        KINDS[attribute],
    )


def update(visit: Visit) -> SandboxResponse:
    """Change names and descriptions; items that are wrong are reported."""
    taken = _names(visit)

    def complain(item: dict[str, Any]) -> Complaint | None:
        segment = _own(visit, item)
        if segment is None:
            return _NOT_FOUND
        attributes = _item_attributes(item)
        wrapped = attributes.get("description") or {}
        if not isinstance(wrapped, dict) or not isinstance(wrapped.get("value"), str | None):
            return "invalid", "the description must be wrapped in an object"
        if "name" not in attributes:
            return None
        others = taken - {(segment.advertiser, visit.world.comparable(segment.name))}
        return _name_complaint(visit, segment.advertiser, attributes["name"], others)

    good, problems = _sort_out(visit, _read_items(visit), complain)
    changed = [_change(visit, item) for item in good]
    note = {"updated": len(changed), "refused": len(problems)}
    return _bulk_answer(visit, [_entity(segment) for segment in changed], problems, note)


def _change(visit: Visit, item: Mapping[str, Any]) -> Segment:
    segment = visit.world.segments[item["id"]]
    attributes = _item_attributes(item)
    segment.name = attributes.get("name", segment.name)
    if attributes.get("description") is not None:
        segment.description = attributes["description"].get("value")
    segment.updated = visit.now
    return segment


def delete(visit: Visit) -> SandboxResponse:
    """Delete segments; unknown ones are reported."""
    seen: set[str] = set()

    def complain(item: dict[str, Any]) -> Complaint | None:
        segment = _own(visit, item)
        if segment is None or segment.id in seen:
            return _NOT_FOUND
        seen.add(segment.id)
        return None

    good, problems = _sort_out(visit, _read_items(visit), complain)
    for item in good:
        del visit.world.segments[item["id"]]
    data = [{"id": item["id"], "type": "AudienceSegment"} for item in good]
    note = {"deleted": len(good), "refused": len(problems)}
    return _bulk_answer(visit, data, problems, note)


def compute_sizes(visit: Visit) -> SandboxResponse:
    """Tell how many people existing segments reach; those that cannot be sized are reported."""

    def complain(item: dict[str, Any]) -> Complaint | None:
        return None if _own(visit, item) else _NOT_FOUND

    good, problems = _sort_out(visit, _read_items(visit), complain)
    data = []
    for item in good:
        size = visit.world.matches(visit.world.segments[item["id"]])
        entity = {"id": item["id"], "type": "AudienceSegmentSize", "attributes": {"size": size}}
        data.append(entity)
    return SandboxResponse(body={"data": data, "errors": problems, "warnings": []})


def estimate_size(visit: Visit) -> SandboxResponse:
    """Tell how many people a segment would reach: any number, but the same for the same segment."""
    attributes = read_attributes(visit, read_data(visit, dict))
    advertiser = attributes.get("advertiserId")
    if not isinstance(advertiser, str) or advertiser not in visit.app.advertisers:
        raise no_consent(visit)
    if len({"inMarket", "location"} & attributes.keys()) != 1:
        raise refused(visit, 400, "required-field", "one of inMarket and location is required")
    size = zlib.crc32(orjson.dumps(attributes, option=orjson.OPT_SORT_KEYS)) % 1_000_000
    return success({"type": "AudienceSegmentSizeEstimation", "attributes": {"size": size}})


def _read_items(visit: Visit) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = read_data(visit, list)
    if not all(isinstance(item, dict) for item in items):
        raise refused(visit, 400, "invalid", "every item of data must be an object")
    return items


def _item_attributes(item: Mapping[str, Any]) -> dict[str, Any]:
    attributes = item.get("attributes")
    return attributes if isinstance(attributes, dict) else {}


def _own(visit: Visit, item: Mapping[str, Any]) -> Segment | None:
    number = item.get("id")
    segment = visit.world.segments.get(number) if isinstance(number, str) else None
    return segment if segment and segment.advertiser in visit.app.advertisers else None


def _names(visit: Visit) -> set[tuple[str, str]]:
    """Give advertiser and name of all segments, as names are compared."""
    world = visit.world
    return {(one.advertiser, world.comparable(one.name)) for one in world.segments.values()}


def _name_complaint(
    visit: Visit, advertiser: str, name: object, taken: set[tuple[str, str]]
) -> Complaint | None:
    """Say what is wrong with a new name, or take it."""
    if name is None:
        return "required-field", "name is required"
    if not isinstance(name, str) or not name.strip():
        return "name-must-not-be-empty", "the name is empty"
    if len(name) > visit.world.knobs.max_name:
        return "invalid", f"the name is longer than {visit.world.knobs.max_name} characters"
    key = (advertiser, visit.world.comparable(name))
    if key in taken:
        return "name-must-be-unique", "the name is taken"
    taken.add(key)
    return None


def _sort_out(
    visit: Visit, items: Iterable[Item], complain: Callable[[Item], Complaint | None]
) -> tuple[list[Item], list[Problem]]:
    """Part *items* into those to do and problems; one problem leaves none to do if knobs say so."""
    good, problems = [], []
    for at, item in enumerate(items):
        complaint = complain(item)
        if complaint is None:
            good.append(item)
        else:
            code, title = complaint
            problems.append(problem(visit.world, "validation", code, f"@data/{at}", title))
    nothing = problems and visit.world.knobs.refused_items == "status-400"
    return ([] if nothing else good), problems


def _bulk_answer(
    visit: Visit, data: list[dict[str, Any]], problems: list[Problem], note: dict[str, Any]
) -> SandboxResponse:
    form = visit.world.knobs.refused_items
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
