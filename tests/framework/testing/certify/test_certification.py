"""Certification: healthy plugins pass, and mistakes that authors make are found."""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

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
from framework.testing import CertificateFinding, certify
from framework.testing.certification.certifying import CHECK_NAMES
from tests.framework.testing.certify import seeded_bugs, seeded_bugs_of_features
from tests.framework.testing.certify.seeded_bug import Bug

BUGS = (*seeded_bugs.BUGS, *seeded_bugs_of_features.BUGS)
ROOT = Path(__file__).parents[4]
PLUGINS = ROOT / "tests" / "plugins"
WEBHOOK = {
    "url": "https://webhook.example/in",
    "sharedSecret": "webhook-secret",
    "delete_url": "https://webhook.example/users/{user_id}",
}
PARTNERS = sorted(folder.name for folder in PLUGINS.glob("acme_*") if folder.name != "acme_broken")
HEALTHY = (*PARTNERS, "webhook", "criteo_audiences")
MOST_MISSED = 2
"""Seeded bugs that certification may miss."""

EVERY_BUG = os.environ.get("SEEDED_BUGS") == "all"
"""Whether all seeded bugs are tried, as `make seeded-bugs` does, or every third one."""


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


def test_seeded_bugs_are_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of all of them at most two are missed, by the checks that are about them."""
    tried = BUGS if EVERY_BUG else BUGS[::3]
    known: dict[tuple[str, str], set[CertificateFinding]] = {}
    missed = [bug.name for bug in tried if not found_in(bug, tmp_path, known)]
    capsys.readouterr()
    assert len(missed) <= (MOST_MISSED if EVERY_BUG else 0), missed


def test_there_is_a_bug_for_every_kind_of_mistake() -> None:
    names = [bug.name for bug in BUGS]
    assert len({*names}) == len(names) >= 100
    assert len({bug.check for bug in BUGS}) >= 30


def found_in(bug: Bug, folder: Path, known: dict[tuple[str, str], set[CertificateFinding]]) -> bool:
    """Return whether the check of a bug finds what it does not find in the healthy plugin."""
    name, check = bug.plugin_name, bug.check
    settings = settings_of(name)
    if (name, check) not in known:
        known[name, check] = {*certify(healthy(name), settings, only=[check]).findings}
    found = certify(bug.plugin(folder), settings, only=[check])
    return bool({*found.findings} - known[name, check])


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


def test_the_page_lists_the_checks() -> None:
    """In the order in which they are run."""
    page = (ROOT / "docs" / "certify.md").read_text()
    rows = [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")]
    assert tuple(rows) == CHECK_NAMES


def test_the_report_has_a_published_schema() -> None:
    document = json.loads((ROOT / "schemas" / "certificate.schema.json").read_text())
    only = ["texts", "batching", "outputs", "deletion"]
    report = json.loads(json.dumps(certify(healthy("acme_webhook"), only=only).to_json()))
    assert [*Draft202012Validator(document).iter_errors(report)] == []
    report["checks"][0]["verdict"] = "good"
    assert [*Draft202012Validator(document).iter_errors(report)]


def test_an_unknown_check_is_reported() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean `texts`"):
        certify(healthy("acme_crm"), only=["text"])
