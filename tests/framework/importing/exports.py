"""Exports of a workspace in each form, made from a destination's manifest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from framework.importing import Export, ImportedConnection, import_connections, read_document

Json: TypeAlias = dict[str, Any]

FORMS: Final = ("answers", "catalogue", "tf.json", "state", "show")


@dataclass(frozen=True)
class Workspace:
    """A destination with its manifest, settings, subscriptions and filters, as a host has them."""

    manifest: Json
    settings: Json = field(default_factory=dict)
    subscriptions: Sequence[Json] = ()
    filters: Sequence[Json] = ()
    name: str = "Spring"
    enabled: bool = True

    def documents(self, form: str) -> list[Json]:
        """Return the documents of an export."""
        entry = metadata_of(self.manifest)
        if form == "answers":
            return [
                {"data": {"destination": self._destination(entry)}},
                {"data": {"subscriptions": self._answers()}},
                {"data": {"filters": [{"destinationId": "d1", **one} for one in self.filters]}},
            ]
        if form == "catalogue":
            listed = [self._destination({"id": entry["id"]})]
            given = [{**one, "actionSlug": None} for one in self._answers()]
            return [
                {"data": {"destinations": listed, "pagination": {"current": "MA=="}}},
                {"data": {"subscriptions": given}},
                {"data": {"destinationsCatalog": [entry]}},
                {"data": {"filters": [{"destinationId": "d1", **one} for one in self.filters]}},
            ]
        if form == "tf.json":
            return [self._configuration(entry), {"data": {"destinationMetadata": entry}}]
        found = [*self._resources(entry)]
        if form == "state":
            resources = [
                {"mode": "managed", "type": kind, "name": name, "instances": [{"attributes": body}]}
                for kind, name, body in found
            ]
            return [{"version": 4, "terraform_version": "1.9.0", "resources": resources}]
        shown = [{"type": kind, "name": name, "values": body} for kind, name, body in found]
        module = {"resources": shown[:1], "child_modules": [{"resources": shown[1:]}]}
        return [{"format_version": "1.0", "values": {"root_module": module}}]

    def _destination(self, metadata: Json) -> Json:
        return {
            "id": "d1",
            "name": self.name,
            "enabled": self.enabled,
            "sourceId": "s1",
            "settings": self.settings,
            "metadata": metadata,
        }

    def _answers(self) -> list[Json]:
        return [self._answer(one, number) for number, one in enumerate(self.subscriptions)]

    @staticmethod
    def _answer(one: Json, number: int) -> Json:
        action = one["action"]
        return {
            "id": f"x{number}",
            "name": one["name"],
            "actionId": f"id-{action}",
            "actionSlug": action,
            "destinationId": "d1",
            "enabled": one.get("enabled", True),
            "trigger": one["trigger"],
            "settings": one["mapping"],
        }

    def _resources(self, entry: Json) -> list[tuple[str, str, Json]]:
        body: Json = {
            "id": "d1",
            "name": self.name,
            "enabled": self.enabled,
            "settings": json.dumps(self.settings),
            "metadata": _snake(entry),
        }
        return [
            ("segment_destination", "d", body),
            *(
                ("segment_destination_subscription", f"s{n}", {**_resource(one),
                 "destination_id": "d1", "action_slug": one["action"]})
                for n, one in enumerate(self.subscriptions)
            ),
            *(
                ("segment_destination_filter", f"f{n}", {**_filter(one), "destination_id": "d1"})
                for n, one in enumerate(self.filters)
            ),
        ]  # fmt: skip

    def _configuration(self, entry: Json) -> Json:
        refers = {"destination_id": "${segment_destination.d.id}"}
        resources: Json = {
            "segment_destination": {
                "d": {
                    "name": _escaped(self.name),
                    "enabled": self.enabled,
                    "settings": _escaped(json.dumps(self.settings)),
                    "metadata": {"id": entry["id"]},
                }
            }
        }
        if self.subscriptions:
            resources["segment_destination_subscription"] = {
                f"s{n}": {key: _escaped(value) for key, value in _resource(one).items()} | refers
                for n, one in enumerate(self.subscriptions)
            }
        if self.filters:
            resources["segment_destination_filter"] = [
                {f"f{n}": {key: _escaped(value) for key, value in _filter(one).items()} | refers}
                for n, one in enumerate(self.filters)
            ]
        return {"resource": resources}


def imported(
    workspace: Workspace, form: str, installed: Mapping[str, Any] | None = None
) -> list[ImportedConnection]:
    """Export and import a workspace."""
    return imported_documents(workspace.documents(form), installed)


def imported_documents(
    documents: Sequence[Any], installed: Mapping[str, Any] | None = None, destination: str = ""
) -> list[ImportedConnection]:
    """Import the documents of an export."""
    export = Export()
    for number, document in enumerate(documents):
        read_document(document, f"{number}.json", export)
    return import_connections(export, installed or {}, destination)


def metadata_of(manifest: Json) -> Json:
    """Return a manifest as an entry of the catalogue."""
    return {
        "id": f"meta-{manifest['slug']}",
        "slug": manifest["slug"],
        "name": manifest["name"],
        "description": "",
        "options": [
            {"name": key, "type": one["type"], "required": one.get("required") is True}
            for key, one in manifest["authentication"]["fields"].items()
        ],
        "actions": [_action(slug, one) for slug, one in manifest["actions"].items()],
    }


def _action(slug: str, one: Json) -> Json:
    return {
        "id": f"id-{slug}",
        "slug": slug,
        "name": one.get("title", slug),
        "hidden": False,
        "defaultTrigger": one.get("defaultSubscription"),
        "fields": [
            {
                "fieldKey": key,
                "type": each["type"].upper(),
                "label": each.get("label", key),
                "required": each.get("required") is True,
                "multiple": bool(each.get("multiple")),
                "allowNull": bool(each.get("allowNull")),
                "defaultValue": each.get("default"),
                "choices": each.get("choices"),
            }
            for key, each in one["fields"].items()
        ],
    }


def _snake(entry: Json) -> Json:
    """Return an entry of the catalogue with the keys of Terraform."""
    renamed = {"fieldKey": "field_key", "allowNull": "allow_null", "defaultValue": "default_value",
               "defaultTrigger": "default_trigger"}  # fmt: skip
    if isinstance(entry, list):
        return [_snake(one) for one in entry]
    if not isinstance(entry, dict):
        return entry
    return {renamed.get(key, key): _snake(value) for key, value in entry.items()}


def _resource(one: Json) -> Json:
    return {
        "name": one["name"],
        "enabled": one.get("enabled", True),
        "trigger": one["trigger"],
        "settings": json.dumps(one["mapping"]),
        "action_id": f"id-{one['action']}",
        "model_id": None,
        "reverse_etl_schedule": None,
    }


def _filter(one: Json) -> Json:
    actions = [
        {**action, "fields": json.dumps(action["fields"]) if "fields" in action else None}
        for action in one["actions"]
    ]
    return {"title": None, "description": None, "enabled": True, **one, "actions": actions}


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("${", "$${").replace("%{", "%%{")
    if isinstance(value, dict):
        return {key: _escaped(one) for key, one in value.items()}
    return [_escaped(one) for one in value] if isinstance(value, list) else value
