"""Which destination an export means, and what is known of its settings and actions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from framework.definition import (
    Destination,
    Subscription,
    read_manifest,
    resolve_slug,
    starting_subscriptions,
)
from framework.importing.exported import (
    CatalogueEntry,
    Export,
    ExportedDestination,
    ExportedSubscription,
    object_of,
)
from framework.paths import JSON


@dataclass(frozen=True, slots=True)
class KnownDestination:
    """A destination's *definition*; *manifest* is the document to validate with, if needed.

    It is None for installed destinations, which need none.
    """

    definition: Destination
    manifest: JSON = None


class KnownDestinations:
    """Finds definitions: the *installed* ones, then manifests and the catalogue of an export."""

    def __init__(self, installed: Mapping[str, Destination], export: Export) -> None:
        self._installed = installed
        self._export = export
        self._by_id = {one.id: one for one in export.catalogue if one.id and one.slug}

    def slug_of(self, destination: ExportedDestination, given: str = "") -> str:
        """Return the slug of a destination, or nothing; *given* wins over what is exported."""
        entry = self._by_id.get(destination.catalogue_id)
        return given or destination.slug or (entry.slug if entry else "")

    def find(self, slug: str, *, exact: bool = True) -> KnownDestination | None:
        """Return what is known about a slug, or unless *exact* about an unambiguous part of one."""
        found = slug if exact else resolve_slug(slug, self._installed) or slug
        if found in self._installed:
            return KnownDestination(self._installed[found])
        if slug in self._export.manifests:
            return _read(self._export.manifests[slug])
        entry = next((one for one in self._export.catalogue if one.slug == slug), None)
        return _read(manifest_of(entry)) if entry and entry.actions else None

    def taken_for(self, slug: str) -> str:
        """Return the installed destination of which a slug is a short name, or nothing."""
        return resolve_slug(slug, self._installed) or ""

    def fields_of(self, slug: str, action: str) -> frozenset[str]:
        """Return the keys of the fields that an action has at the host; none if not known."""
        manifest = object_of(self._export.manifests.get(slug))
        fields = object_of(object_of(object_of(manifest.get("actions")).get(action)).get("fields"))
        entries = (one for one in self._export.catalogue if one.slug == slug)
        actions = (one for entry in entries for one in entry.actions if one.slug == action)
        return frozenset(fields).union(*(one.fields for one in actions))

    def action_of(
        self, subscription: ExportedSubscription, definition: Destination | None
    ) -> tuple[str, str]:
        """Return the slug of a subscription's action, and what it was guessed from.

        An ID is looked up in the catalogue; without it, the title of an action or preset with the
        name of the subscription decides, or the only action with all the fields of the mapping.
        """
        if subscription.action_slug:
            return subscription.action_slug, ""
        for entry in self._export.catalogue:
            for action in entry.actions:
                if action.id and action.id == subscription.action_id:
                    return action.slug, ""
        return _guessed(subscription, definition) if definition else ("", "")


def _read(manifest: JSON) -> KnownDestination | None:
    destination = read_manifest(manifest).destination
    return KnownDestination(destination, manifest) if destination else None


def manifest_of(entry: CatalogueEntry) -> JSON:
    """Return an entry of a catalogue as a manifest.

    A catalogue says less than `metadata.json`: conditions, formats and nested fields are missing.
    """
    return {
        "slug": entry.slug,
        "name": entry.name,
        "mode": "cloud",
        "description": entry.description,
        "authentication": {"scheme": "custom", "fields": dict(entry.options)},
        "actions": {
            one.slug: {
                "title": one.name,
                "description": one.description,
                "defaultSubscription": one.trigger or None,
                "hidden": one.hidden,
                "fields": dict(one.fields),
            }
            for one in entry.actions
            if one.slug
        },
        "presets": [],
    }


def _guessed(subscription: ExportedSubscription, definition: Destination) -> tuple[str, str]:
    titles = {action.title: action.slug for action in definition.actions}
    presets: Mapping[str, Subscription] = {
        one.name: one for one in starting_subscriptions(definition)
    }
    if subscription.name in titles:
        return titles[subscription.name], "its name"
    if subscription.name in presets:
        return presets[subscription.name].action, "the preset with its name"
    keys = {key for key in subscription.mapping if not key.startswith("__")}
    fitting = [one.slug for one in definition.actions if keys and keys <= one.fields.keys()]
    return (fitting[0], "the fields of its mapping") if len(fitting) == 1 else ("", "")
