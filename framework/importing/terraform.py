"""Terraform resources of the provider `segmentio/segment`: `.tf.json`, state, and `show -json`.

Sources of the shapes: the schemas and models of `segmentio/terraform-provider-segment`
(`internal/provider/destination_resource.go`, `destination_subscription_resource.go`,
`destination_filter_resource.go`, and `models/`), and Terraform's documentation of its JSON
configuration syntax, state format 4 and JSON output.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from framework.importing.exported import (
    Export,
    HostExpression,
    TerraformResource,
    object_of,
    objects_of,
    switch_of,
    text_of,
)
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


def read_terraform(document: Mapping[str, JSON], source: str, export: Export) -> bool:
    """Add the Segment resources of a document to *export*; return whether it is Terraform's.

    *source* names the file in notes. `resolve_terraform` makes destinations of the resources, when
    all files are read.
    """
    if not _is_terraform(document):
        return False
    found = [one for one in _resources(document, source) if one.kind.startswith(_PREFIX)]
    export.resources += [one for one in found if one.kind in {*_READ, _METADATA}]
    for kind in sorted({one.kind for one in found} - _READ - {_METADATA}):
        export.note("left out", source, f"Resources of type `{kind}` are not taken over.")
    return True


def resolve_terraform(export: Export) -> None:
    """Add what the resources of all files mean to *export*.

    Configuration may refer to resources of other files. Of a resource that is in a state, too, the
    state is taken, since it has what Segment has.
    """
    found = sorted(export.resources, key=lambda one: one.written)
    export.resources = []
    stored = {(one.kind, one.name) for one in found if not one.written}
    for one in found:
        if one.kind == _METADATA:
            add_metadata(one.values, one.source, export)
    for one in found:
        if one.kind in _READ and not (one.written and (one.kind, one.name) in stored):
            _add(one, found, f"{one.source}, {one.kind}.{one.name}", export)


def _is_terraform(document: Mapping[str, JSON]) -> bool:
    written = any(isinstance(document.get(key), dict | list) for key in ("resource", "data"))
    if written and "terraform_version" not in document:
        kinds = [key for part in ("resource", "data") for one in objects_of(document.get(part))
                 for key in one]  # fmt: skip
        return any(kind.startswith(_PREFIX) for kind in kinds)
    return "terraform_version" in document or (
        "format_version" in document and "values" in document
    )


def _resources(document: Mapping[str, JSON], source: str) -> Iterator[TerraformResource]:
    if "format_version" in document:
        values = object_of(document.get("values") or document.get("planned_values"))
        yield from _shown(object_of(values.get("root_module")), source)
    elif "terraform_version" in document:
        for one in objects_of(document.get("resources")):
            for number, instance in enumerate(objects_of(one.get("instances"))):
                name = f"{text_of(one.get('name'))}{f'[{number}]' if number else ''}"
                values = object_of(instance.get("attributes"))
                if values:
                    yield TerraformResource(
                        text_of(one.get("type")), name, values, written=False, source=source
                    )
    else:
        for part in ("resource", "data"):
            for block in objects_of(document.get(part)):
                yield from _blocks(block, source)


def _blocks(block: Mapping[str, JSON], source: str) -> Iterator[TerraformResource]:
    for kind, named in block.items():
        for group in objects_of(named):
            for name, bodies in group.items():
                for body in objects_of(bodies):
                    yield TerraformResource(kind, name, body, written=True, source=source)


def _shown(module: Mapping[str, JSON], source: str, level: int = 0) -> Iterator[TerraformResource]:
    """Yield the resources of a module and of those in it."""
    for one in objects_of(module.get("resources")):
        kind, name = text_of(one.get("type")), text_of(one.get("name"))
        values = object_of(one.get("values"))
        yield TerraformResource(kind, name, values, written=False, source=source)
    if level < _MAX_MODULES:
        for inner in objects_of(module.get("child_modules")):
            yield from _shown(inner, source, level + 1)


def _add(
    one: TerraformResource, found: Sequence[TerraformResource], source: str, export: Export
) -> None:
    """Add a resource in the form of the Public API."""
    number = _instances(one)
    if number == 0:
        return
    values = {key: _resolved(value, one, found) for key, value in one.values.items()}
    settings = _decoded(one.values.get("settings"), one, source, export)
    enabled = values.get("enabled")
    if number is None:
        text = "Terraform makes several of it (`count`, `for_each`). Give the state file."
        export.note("disabled", source, text)
        enabled = False
    if one.kind == "segment_destination":
        metadata = _metadata(values.get("metadata"), one, found)
        given = {
            **values,
            "id": text_of(values.get("id")) or _address(one),
            "enabled": enabled,
            "metadata": metadata,
            "settings": settings or {},
        }
        add_destination(given, source, export)
        return
    common = {"id": values.get("id"), "destinationId": values.get("destination_id")}
    if one.kind == "segment_destination_filter":
        listed = objects_of(one.values.get("actions"))
        actions = [_action(action, one, source, export) for action in listed]
        kept = {key: values.get(key) for key in ("title", "description", "if")}
        switch = switch_of(values.get("enabled"))
        # A filter that may exist is missed; `conversion` refuses its expressions.
        kept |= {"enabled": switch is not False, "actions": actions}
        if number is None or switch is None:
            kept["if"] = HostExpression(text_of(kept["if"]))
        add_filter({**kept, **common}, source, export)
        return
    slug = values.get("action_slug")
    add_subscription(
        {
            **common,
            "enabled": False if settings is None else enabled,
            "name": values.get("name"),
            "settings": settings or {},
            "actionSlug": None if isinstance(slug, HostExpression) else slug,
            "actionId": values.get("action_id"),
            "trigger": values.get("trigger"),
            "modelId": values.get("model_id"),
            "reverseETLSchedule": values.get("reverse_etl_schedule"),
        },
        source,
        export,
    )


def _instances(one: TerraformResource) -> int | None:
    """Return how many instances there are of a resource; None if it is not known, or several."""
    given = one.values.get("count", one.values.get("for_each", 1)) if one.written else 1
    if given in (0, "0", {}, []):
        return 0
    return 1 if given in (1, "1") else None


def _address(one: TerraformResource) -> str:
    return f"{one.kind}.{one.name}"


def _metadata(
    given: JSON, one: TerraformResource, found: Sequence[TerraformResource]
) -> dict[str, Any]:
    metadata = next(iter(objects_of(given)), {})
    return {key: _resolved(value, one, found) for key, value in metadata.items()}


def _resolved(value: JSON, one: TerraformResource, found: Sequence[TerraformResource]) -> JSON:
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
        return f"{kind}.{name}" if target and attribute == "id" else HostExpression(value)
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


def _decoded(
    value: JSON, one: TerraformResource, source: str, export: Export
) -> dict[str, Any] | None:
    """Return an object that is written as JSON text or in `jsonencode`, or None if unknown."""
    try:
        if isinstance(value, str):
            match = _ENCODED.fullmatch(value.strip()) if one.written else None
            value = json.loads(match[1] if match else value)
        return object_of(_unescaped(value) if one.written else value)
    except (ValueError, RecursionError):
        text = "A value is an expression that only Terraform can compute. Give the state file."
        export.note("left out", source, text)
        return None


def _action(
    action: Mapping[str, Any], one: TerraformResource, source: str, export: Export
) -> dict[str, Any]:
    """Return an action of a filter; its fields are written as JSON text, its share may be."""
    made = {key: _unescaped(value) if one.written else value for key, value in action.items()}
    if action.get("fields") is not None:
        decoded = _decoded(action["fields"], one, source, export)
        made["fields"] = HostExpression() if decoded is None else decoded
    if one.written and isinstance(made.get("percent"), str):
        with suppress(ValueError):
            made["percent"] = float(made["percent"])
    return made
