"""Answers of Segment's Public API: destinations, subscriptions, filters and the catalogue.

Sources of the shapes: the models of `segmentio/public-api-sdk-python` (`DestinationV1`,
`DestinationSubscription`, `Filter`, `DestinationMetadataV1` and the outputs that list them), for
`GET /destinations`, `/destinations/{id}`, `/destinations/{id}/subscriptions`,
`/destination/{id}/filters`, `/catalog/destinations` and `/catalog/destinations/{id}`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from framework.importing.exported import (
    CatalogueAction,
    CatalogueEntry,
    Export,
    ExportedDestination,
    ExportedFilter,
    ExportedSubscription,
    Page,
    object_of,
    objects_of,
    switch_of,
    text_of,
)
from framework.paths import JSON

_FILTER_KEYS: Final = frozenset({"title", "description", "if", "enabled", "actions"})
"""Keys of a filter that mean something in connection files."""
_TYPES: Final = {"HIDDEN": "string", "SELECT": "string", "MIXED": "object", "MAP": "object"}
_KNOWN_TYPES: Final = frozenset(
    {"boolean", "datetime", "integer", "number", "object", "password", "string", "text"}
)


def read_answer(document: Mapping[str, JSON], source: str, export: Export) -> bool:
    """Add what an answer of the API holds to *export*; return whether it is such an answer.

    *source* names the file in notes.
    """
    if isinstance(document.get("errors"), list) and "data" not in document:
        export.cannot_read(source, "The file is an error answer of the API.")
        return True
    data = object_of(document.get("data")) or document
    found = [key for key in _PARTS if isinstance(data.get(key), dict | list)]
    pagination = object_of(data.get("pagination"))
    for key in found:
        listed = objects_of(data[key])
        for number, one in enumerate(listed):
            _PARTS[key](one, f"{source}, {key} {number + 1}", export)
        if pagination:
            ids = frozenset(text_of(one.get("destinationId")) for one in listed)
            here, following = (text_of(pagination.get(name)) for name in ("current", "next"))
            export.pages.append(Page(key, ids, here, following, source))
    return bool(found)


def add_destination(one: Mapping[str, Any], source: str, export: Export) -> None:
    """Add a destination, and the catalogue entry in its metadata."""
    metadata = object_of(one.get("metadata"))
    if text_of(metadata.get("slug")):
        add_metadata(metadata, source, export)
    export.destinations.append(
        ExportedDestination(
            id=text_of(one.get("id")),
            name=text_of(one.get("name")) or text_of(metadata.get("name")),
            enabled=_enabled(one, source, export),
            settings=object_of(one.get("settings")),
            source=source,
            slug=text_of(metadata.get("slug")),
            catalogue_id=text_of(metadata.get("id")),
        )
    )


def add_subscription(one: Mapping[str, Any], source: str, export: Export) -> None:
    """Add a subscription."""
    schedule = one.get("reverseETLSchedule") or one.get("reverse_etl_schedule")
    export.subscriptions.append(
        ExportedSubscription(
            destination_id=text_of(one.get("destinationId")),
            name=text_of(one.get("name")),
            enabled=_enabled(one, source, export),
            mapping=object_of(one.get("settings")),
            source=source,
            action_slug=text_of(one.get("actionSlug")),
            action_id=text_of(one.get("actionId")),
            trigger=text_of(one.get("trigger")),
            id=text_of(one.get("id")),
            rows=bool(one.get("modelId") or one.get("reverseETLModelId")),
            schedule=bool(schedule),
        )
    )


def add_filter(one: Mapping[str, Any], source: str, export: Export) -> None:
    """Add a filter."""
    destination_id, identifier = text_of(one.get("destinationId")), text_of(one.get("id"))
    document = {key: value for key, value in one.items() if key in _FILTER_KEYS}
    export.filters.append(ExportedFilter(destination_id, document, source, identifier))


def _enabled(one: Mapping[str, Any], source: str, export: Export) -> bool:
    """Return whether something is enabled; what only Terraform can compute counts as not."""
    found = switch_of(one.get("enabled"))
    if found is None:
        export.note("disabled", source, "Whether it is enabled is not known (`enabled`).")
    return found is True


def add_metadata(one: Mapping[str, Any], source: str, export: Export) -> None:
    """Add an entry of the catalogue; keys may be those of Terraform, with underscores."""
    del source
    slug = text_of(one.get("slug"))
    export.catalogue.append(
        CatalogueEntry(
            id=text_of(one.get("id")),
            slug=slug,
            name=text_of(one.get("name")) or slug,
            description=text_of(one.get("description")),
            actions=tuple(map(_action, objects_of(one.get("actions")))),
            options=dict(map(_option, objects_of(one.get("options")))),
            presets=tuple(objects_of(one.get("presets"))),
        )
    )


_PARTS: Final[Mapping[str, Callable[[Mapping[str, Any], str, Export], None]]] = {
    "destination": add_destination,
    "destinations": add_destination,
    "subscription": add_subscription,
    "subscriptions": add_subscription,
    "destinationSubscription": add_subscription,
    "filter": add_filter,
    "filters": add_filter,
    "destinationMetadata": add_metadata,
    "destinationsCatalog": add_metadata,
}


def _action(one: Mapping[str, Any]) -> CatalogueAction:
    return CatalogueAction(
        id=text_of(one.get("id")),
        slug=text_of(one.get("slug")),
        name=text_of(one.get("name")) or text_of(one.get("slug")),
        description=text_of(one.get("description")),
        trigger=text_of(one.get("defaultTrigger") or one.get("default_trigger")),
        hidden=one.get("hidden") is True,
        fields=dict(_fields(one.get("fields"))),
    )


def _fields(listed: JSON) -> Iterator[tuple[str, JSON]]:
    """Yield the fields of an action by key, as in a manifest."""
    for one in objects_of(listed):
        key = text_of(one.get("fieldKey") or one.get("field_key"))
        if key:
            default = one.get("defaultValue", one.get("default_value"))
            yield (
                key,
                {
                    "label": text_of(one.get("label")) or key,
                    "description": text_of(one.get("description")),
                    "type": _type(one.get("type")),
                    "required": one.get("required") is True,
                    "multiple": one.get("multiple") is True,
                    "allowNull": one.get("allowNull", one.get("allow_null")) is True,
                    "default": default,
                    "choices": _choices(one.get("choices")),
                },
            )


def _choices(given: JSON) -> JSON:
    """Return choices as in a manifest: texts, or values with labels."""
    if not isinstance(given, list) or not given:
        return None
    return [
        one if isinstance(one, dict) and {"label", "value"} <= one.keys() else str(one)
        for one in given
    ]


def _option(one: Mapping[str, Any]) -> tuple[str, JSON]:
    """Return the key and the field of a setting."""
    key = text_of(one.get("name"))
    return key, {
        "label": text_of(one.get("label")) or key,
        "description": text_of(one.get("description")),
        "type": _type(one.get("type")),
        "required": one.get("required") is True,
    }


def _type(given: JSON) -> str:
    """Return the type of a field as a manifest writes it."""
    name = text_of(given)
    found = _TYPES.get(name.upper(), name.lower())
    return found if found in _KNOWN_TYPES else "string"
