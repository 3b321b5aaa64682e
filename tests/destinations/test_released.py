"""Saved connections keep working: the manifests of a release against the current definitions.

A new version gets files of its own in `tests/cases/released/`, written by `actions show --json`.
"""

from __future__ import annotations

import json
from pathlib import Path

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
