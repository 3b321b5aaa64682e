"""Saved connections keep working: the manifests of a release against the current definitions.

A new version gets files of its own in `tests/cases/released/`, written by `actions show --json`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from destinations import criteo_audiences, webhook
from framework.catalogue import changes_between
from framework.definition import from_manifest, to_manifest
from framework.plugins import open_plugin
from framework.version import VERSION

RELEASED = Path(__file__).parents[1] / "cases" / "released"
DESTINATIONS = {"actions-criteo-audiences": criteo_audiences, "actions-webhook": webhook}


@pytest.mark.parametrize("slug", DESTINATIONS)
def test_nothing_breaks_what_was_released(slug: str) -> None:
    """Whoever breaks saved connections on purpose says so in a new version, with a new manifest."""
    released = json.loads((RELEASED / f"{slug}-{VERSION}.json").read_text(encoding="utf-8"))
    current = from_manifest(to_manifest(open_plugin(DESTINATIONS[slug]).definition))
    changes = changes_between(from_manifest(released), current)
    assert [change.message for change in changes if change.level == "breaking"] == []


@pytest.mark.parametrize("slug", DESTINATIONS)
def test_the_comparison_bites(slug: str) -> None:
    """A setting, an action or a field that is removed, and a new demand, are breaking changes."""
    document = json.loads((RELEASED / f"{slug}-{VERSION}.json").read_text(encoding="utf-8"))
    released = from_manifest(document)
    for changed in _broken({**document, "presets": []}):
        levels = {one.level for one in changes_between(released, from_manifest(changed))}
        assert "breaking" in levels


def _broken(document: Any) -> Iterator[Any]:
    yield {**document, "authentication": {"scheme": "custom", "fields": {}}}
    for slug, action in document["actions"].items():
        yield {**document, "actions": _without(document["actions"], slug)}
        key, entry = next(one for one in action["fields"].items() if not one[1]["required"])
        demand = {**action["fields"], key: {**entry, "required": True, "default": None}}
        for fields in (_without(action["fields"], key), demand):
            changed = {**action, "fields": fields, "rules": [], "batching": None}
            yield {**document, "actions": {**document["actions"], slug: changed}}


def _without(members: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in members.items() if name != key}
