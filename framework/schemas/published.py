"""The published schema files: building, writing and comparing them."""

from __future__ import annotations

import json
from pathlib import Path

from framework.definition import Destination, to_document, to_manifest
from framework.paths import JSON
from framework.plugins import Registry
from framework.schemas.case_file_schema import case_file_schema
from framework.schemas.certificates import certificate_schema
from framework.schemas.connection_schema import connection_schema, subscription_schema
from framework.schemas.event_schema import event_schema
from framework.schemas.manifest_schema import manifest_schema
from framework.schemas.mapping_schema import mapping_schema
from framework.schemas.reports import report_schema
from framework.schemas.schema_parts import document
from framework.storage import storage


def schema_files(registry: Registry) -> dict[str, JSON]:
    """Return all published documents by file name.

    These are the schemas of events, mappings, subscriptions, connections, files of tests,
    manifests, reports and certificates; and for each destination its manifest, and the schemas of
    its settings and of each action.
    """
    definitions = [plugin.definition for _, plugin in sorted(registry.destinations.items())]
    files = {
        "certificate.schema.json": certificate_schema(),
        "connection.schema.json": connection_schema(definitions),
        "destination.schema.json": manifest_schema(),
        "event.schema.json": event_schema(),
        "mapping.schema.json": mapping_schema(),
        "report.schema.json": report_schema(),
        "subscription.schema.json": subscription_schema(),
        "test.schema.json": case_file_schema(),
    }
    for definition in definitions:
        files |= _files_of(definition)
    return files


def write_schemas(folder: Path, registry: Registry) -> list[str]:
    """Write missing and stale files in *folder*; return the names of the files written, sorted.

    Files that are no longer published are kept; `stale_schemas` names them. Raises StorageError.
    """
    files = schema_files(registry)
    written = [name for name in stale_schemas(folder, registry) if name in files]
    for name in written:
        path = folder / name
        with storage("The schema", path, "written"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_text(files[name]), encoding="utf-8", newline="\n")
    return written


def stale_schemas(folder: Path, registry: Registry) -> list[str]:
    """Return the names of files that are missing, stale or no longer published, sorted."""
    texts = {name: _text(content) for name, content in schema_files(registry).items()}
    present = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.json")}
    superfluous = present.keys() - texts.keys()
    differing = {
        name
        for name, text in texts.items()
        if name not in present or present[name].read_bytes() != text.encode()
    }
    return sorted(superfluous | differing)


def _files_of(definition: Destination) -> dict[str, JSON]:
    folder = f"destinations/{definition.slug}"
    files: dict[str, JSON] = {
        f"{folder}/manifest.json": to_manifest(definition),
        f"{folder}/settings.schema.json": document(
            f"Settings of {definition.name}",
            f"The `settings` of a connection to `{definition.slug}`.",
            to_document(definition.settings_fields),
        ),
    }
    for action in definition.actions:
        files[f"{folder}/actions/{action.slug}.schema.json"] = document(
            f"{action.title} ({definition.name})",
            f"The payload of action `{action.slug}`. {action.description}".strip(),
            to_document(action.fields),
        )
    return files


def _text(content: JSON) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
