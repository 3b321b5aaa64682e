"""Certification: healthy plugins pass, and mistakes that authors make are found."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner

from framework import (
    Action,
    ChangeMapping,
    Destination,
    Field,
    Migration,
    RemoveField,
    RenameAction,
    RenameField,
    hookimpl,
    open_plugin,
)
from framework.cli.app import actions
from framework.errors import UnknownNameError
from framework.testing import Certificate, CertificateFinding, certify

HERE = Path(__file__).parent
PLUGINS = Path(__file__).parents[3] / "plugins"
WEBHOOK = {
    "url": "https://webhook.example/in",
    "sharedSecret": "webhook-secret",
    "delete_url": "https://webhook.example/users/{user_id}",
}
HEALTHY = ("acme_crm", "acme_webhook", "webhook", "criteo_audiences")
MOST_MISSED = 2
"""Seeded bugs that certification may miss."""


@pytest.fixture(scope="module")
def bugs() -> Any:
    sys.path.insert(0, str(HERE))
    try:
        yield importlib.import_module("seeded_bugs")
    finally:
        sys.path.remove(str(HERE))


def healthy(name: str) -> ModuleType:
    if name in {"webhook", "criteo_audiences"}:
        return importlib.import_module(f"destinations.{name}")
    place = str(PLUGINS / name)
    if place not in sys.path:
        sys.path.append(place)
    return importlib.import_module(name)


def settings_of(name: str) -> dict[str, Any] | None:
    return WEBHOOK if name == "webhook" else None


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_destinations_are_certified(name: str) -> None:
    """Every check runs, and each within its time."""
    found = certify(healthy(name), settings_of(name))
    assert [one for one in found.findings if not one.warning] == []
    assert found.certified, "\n".join(found.lines())
    good, applicable = found.score
    assert good == applicable


def test_seeded_bugs_are_found(
    bugs: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of at least forty mistakes at most two are missed, by the checks that are about them."""
    known = {name: findings_of(name, certify) for name in HEALTHY}
    missed = [bug.name for bug in bugs.BUGS if not found_in(bug, tmp_path, known)]
    capsys.readouterr()
    assert len(bugs.BUGS) >= 40
    assert len({bug.check for bug in bugs.BUGS}) >= 20
    assert len(missed) <= MOST_MISSED, missed


def findings_of(name: str, run: Callable[..., Certificate]) -> set[CertificateFinding]:
    checks = ["texts", "defaults", "mappings", "fields", "outputs", "answers", "batching"]
    return set(run(healthy(name), settings_of(name), only=checks).findings)


def found_in(bug: Any, folder: Path, known: dict[str, set[CertificateFinding]]) -> bool:
    """Return whether the check of a bug finds what it does not find in the healthy plugin."""
    base = {"acme_crm_sandbox": "acme_crm", "criteo_api": "criteo_audiences"}
    name = base.get(bug.file, bug.file)
    found = certify(bug.plugin(folder), settings_of(name), only=[bug.check])
    return bool({*found.findings} - known[name])


def shifted(mapping: dict[str, Any]) -> dict[str, Any]:
    return {**mapping, "count": mapping.get("count", 0) + 1}


def emptied(mapping: dict[str, Any]) -> dict[str, Any]:
    mapping.clear()
    return mapping


def failing(mapping: dict[str, Any]) -> dict[str, Any]:
    return {"text": mapping["old"]}


MIGRATIONS: dict[str, tuple[list[Any], str]] = {
    "healthy": ([RenameField("old", "text"), RemoveField("gone"), RenameAction("post")], ""),
    "changes its own result": (
        [ChangeMapping(shifted, "It counts.")],
        "A migration of an empty mapping changes its own result when it is applied again.",
    ),
    "fails for some mappings": (
        [ChangeMapping(failing, "It renames.")],
        "From an empty mapping: A migration of the mapping failed with KeyError: It renames.",
    ),
    "leads to an unknown field": (
        [ChangeMapping(lambda _: {"texts": 1}, "It renames.")],
        "Migrations of an empty mapping lead to `texts`, which is not a field.",
    ),
    "leads to an invalid mapping": (
        [ChangeMapping(lambda _: {"text": {"@nothing": 1}}, "It renames.")],
        "Migrations make an empty mapping invalid.",
    ),
    "changes what is current": (
        [ChangeMapping(emptied, "It forgets.")],
        "Migrations change a current mapping: It forgets.",
    ),
}


@pytest.mark.parametrize(("steps", "finding"), MIGRATIONS.values(), ids=MIGRATIONS)
def test_migrations_are_tried(steps: list[Any], finding: str) -> None:
    """What older mappings become is valid, and stays when it is migrated again."""

    class Post:
        @hookimpl
        def destination(self) -> Destination:
            fields = {"text": Field("Text"), "count": Field("Count", type="integer")}
            action = Action(
                slug="send", title="Send", payload=fields, migrations=[Migration(1, steps)]
            )
            return Destination(slug="post", name="Post", actions=[action])

        @hookimpl
        def perform(self, payload: Any) -> None:
            """Send nothing."""

    (check,) = certify(open_plugin(Post()), only=["migrations"]).checks
    assert check.verdict == ("failed" if finding else "passed")
    found = [one.message for one in check.findings]
    assert any(message.startswith(finding) for message in found) if finding else found == []


def test_the_command_reports() -> None:
    """As text and JSON, with an exit code for failures."""
    only = ["--only", "texts", "--only", "retry classes"]
    told = CliRunner().invoke(actions, ["certify", "criteo", *only])
    assert told.exit_code == 0, told.output
    assert (
        told.output.splitlines()[-1] == "actions-criteo-audiences: certified, 2 of 2 checks passed"
    )
    told = CliRunner().invoke(actions, ["certify", "criteo", "--json", *only[:2]])
    assert json.loads(told.output) == {
        "destination": "actions-criteo-audiences",
        "certified": True,
        "score": {"passed": 1, "of": 1},
        "checks": [
            {
                "name": "texts",
                "promises": "everything is named and described",
                "verdict": "passed",
                "findings": [],
            }
        ],
    }
    told = CliRunner().invoke(
        actions,
        ["certify", "criteo", "--only", "generated events", "--settings", '{"advertiser_id": "7"}'],
    )
    assert told.exit_code == 1


def test_an_unknown_check_is_reported() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean `texts`"):
        certify(healthy("acme_crm"), only=["text"])
