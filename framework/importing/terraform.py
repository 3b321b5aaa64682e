"""Terraform resources of the provider `segmentio/segment`: `.tf.json`, state, and `show -json`.

Sources of the shapes: the schemas and models of `segmentio/terraform-provider-segment`
(`internal/provider/destination_resource.go`, `destination_subscription_resource.go`,
`destination_filter_resource.go`, and `models/`), and Terraform's documentation of its JSON
configuration syntax, state format 4 and JSON output.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from framework.importing.exported import Export, HostExpression, object_of, objects_of, text_of
from framework.importing.public_api import (
    add_destination,
    add_filter,
    add_metadata,
    add_subscription,
)
from framework.paths import JSON

_PREFIX: Final = "segment_"
_READ: Final = frozenset(
    {"segment_destination", "segment_destination_subscription", "segment_destination_filter"}
)
_METADATA: Final = "segment_destination_metadata"
_REFERENCE: Final = re.compile(
    r"\$\{\s*(data\.)?(segment_[a-z_]+)\.([\w-]+)(?:\[[^\]]*\])?\.(\w+)\s*\}"
)
_ENCODED: Final = re.compile(r"\$\{\s*jsonencode\((.*)\)\s*\}", re.DOTALL)
_EXPRESSION: Final = re.compile(r"(?<!\$)\$\{|(?<!%)%\{")
_MAX_MODULES: Final = 64


class _Resource(NamedTuple):
    """A resource or data source: its type, name and attributes; *written* if it is configuration.

    Values in configuration may be expressions.
    """

    kind: str
    name: str
    values: Mapping[str, Any]
    written: bool


def read_terraform(document: Mapping[str, JSON], source: str, export: Export) -> bool:
    """Add the Segment resources of a document to *export*; return whether it is Terraform's.

    *source* names the file in notes.
    """
    if not _is_terraform(document):
        return False
    found = [*_resources(document)]
    for one in found:
        if one.kind == _METADATA:
            add_metadata(one.values, source, export)
    for one in found:
        if one.kind in _READ:
            _add(one, found, f"{source}, {one.kind}.{one.name}", export)
    others = sorted({one.kind for one in found} - _READ - {_METADATA})
    for kind in others:
        if kind.startswith(_PREFIX):
            text = f"Resources of type `{kind}` are not taken over."
            export.note("left out", source, text)
    return True


def _is_terraform(document: Mapping[str, JSON]) -> bool:
    written = any(isinstance(document.get(key), dict | list) for key in ("resource", "data"))
    if written and "terraform_version" not in document:
        kinds = [key for part in ("resource", "data") for one in objects_of(document.get(part))
                 for key in one]  # fmt: skip
        return any(kind.startswith(_PREFIX) for kind in kinds)
    return "terraform_version" in document or (
        "format_version" in document and "values" in document
    )


def _resources(document: Mapping[str, JSON]) -> Iterator[_Resource]:
    if "format_version" in document:
        yield from _shown(object_of(object_of(document.get("values")).get("root_module")))
    elif "terraform_version" in document:
        for one in objects_of(document.get("resources")):
            for number, instance in enumerate(objects_of(one.get("instances"))):
                name = f"{text_of(one.get('name'))}{f'[{number}]' if number else ''}"
                values = object_of(instance.get("attributes"))
                yield _Resource(text_of(one.get("type")), name, values, written=False)
    else:
        for part in ("resource", "data"):
            for block in objects_of(document.get(part)):
                yield from _blocks(block)


def _blocks(block: Mapping[str, JSON]) -> Iterator[_Resource]:
    for kind, named in block.items():
        for group in objects_of(named):
            for name, bodies in group.items():
                for body in objects_of(bodies):
                    yield _Resource(kind, name, body, written=True)


def _shown(module: Mapping[str, JSON], level: int = 0) -> Iterator[_Resource]:
    """Yield the resources of a module and of those in it."""
    for one in objects_of(module.get("resources")):
        values = object_of(one.get("values"))
        yield _Resource(text_of(one.get("type")), text_of(one.get("name")), values, written=False)
    if level < _MAX_MODULES:
        for inner in objects_of(module.get("child_modules")):
            yield from _shown(inner, level + 1)


def _add(one: _Resource, found: list[_Resource], source: str, export: Export) -> None:
    """Add a resource in the form of the Public API."""
    values = {key: _resolved(value, one, found) for key, value in one.values.items()}
    settings = _decoded(one.values.get("settings"), one, source, export)
    if one.kind == "segment_destination":
        metadata = _metadata(values.get("metadata"), one, found)
        identifier = text_of(values.get("id")) or _address(one)
        add_destination(
            {**values, "id": identifier, "metadata": metadata, "settings": settings},
            source,
            export,
        )
        return
    common = {
        "destinationId": values.get("destination_id"),
        "enabled": values.get("enabled"),
    }
    if one.kind == "segment_destination_filter":
        listed = objects_of(one.values.get("actions"))
        actions = [_action(action, one, source, export) for action in listed]
        kept = {key: values.get(key) for key in ("title", "description", "if")}
        add_filter({**kept, **common, "actions": actions}, source, export)
        return
    add_subscription(
        {
            **common,
            "name": values.get("name"),
            "settings": settings,
            "actionSlug": values.get("action_slug"),
            "actionId": values.get("action_id"),
            "trigger": values.get("trigger"),
            "modelId": values.get("model_id"),
            "reverseETLSchedule": values.get("reverse_etl_schedule"),
        },
        source,
        export,
    )


def _address(one: _Resource) -> str:
    return f"{one.kind}.{one.name}"


def _metadata(given: JSON, one: _Resource, found: list[_Resource]) -> dict[str, Any]:
    metadata = next(iter(objects_of(given)), {})
    return {key: _resolved(value, one, found) for key, value in metadata.items()}


def _resolved(value: JSON, one: _Resource, found: list[_Resource]) -> JSON:
    """Return a written value with a reference replaced and escapes undone.

    A reference to the ID of a destination without one in the document is its address.
    """
    if not one.written or not isinstance(value, str):
        return _unescaped(value) if one.written else value
    match = _REFERENCE.fullmatch(value.strip())
    if match:
        _, kind, name, attribute = match.groups()
        target = next((each for each in found if (each.kind, each.name) == (kind, name)), None)
        if target and attribute in target.values:
            return target.values[attribute]
        return f"{kind}.{name}" if target and attribute == "id" else value
    return _unescaped(value)


def _unescaped(value: JSON) -> Any:
    """Return a written value with escapes undone, and texts that are expressions marked."""
    if isinstance(value, dict):
        return {str(_unescaped(key)): _unescaped(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_unescaped(one) for one in value]
    if not isinstance(value, str):
        return value
    if _EXPRESSION.search(value):
        return HostExpression(value)
    return value.replace("$${", "${").replace("%%{", "%{")


def _decoded(value: JSON, one: _Resource, source: str, export: Export) -> dict[str, Any]:
    """Return an object that is written as JSON text, or in `jsonencode`."""
    try:
        if isinstance(value, str):
            match = _ENCODED.fullmatch(value.strip()) if one.written else None
            value = json.loads(match[1] if match else value)
        return object_of(_unescaped(value) if one.written else value)
    except (ValueError, RecursionError):
        text = "`settings` is an expression that only Terraform can compute. Give the state file."
        export.note("left out", source, text)
        return {}


def _action(
    action: Mapping[str, Any], one: _Resource, source: str, export: Export
) -> dict[str, Any]:
    """Return an action of a filter; its fields are written as JSON text."""
    fields = action.get("fields")
    decoded = fields if fields is None else _decoded(fields, one, source, export)
    return {**action, "fields": decoded}
