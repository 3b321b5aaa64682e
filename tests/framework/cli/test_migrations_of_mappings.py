"""Older mappings in connection files: every command migrates them and says so once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from click.testing import Result

from framework.cli import exits

Actions: TypeAlias = Callable[..., Result]
Install: TypeAlias = Callable[..., None]

PRESS = """\
import httpx

from framework import (
    Action, ChangeMapping, Destination, Migration, Payload, RemoveField, RenameAction, RenameField,
    field, hookimpl,
)
from framework.sandbox import Sandbox, SandboxResponse


class Page(Payload):
    text: str = field("Text", required=True)
    paper: str = field("Paper", default="plain")


def louder(mapping):
    text = mapping.get("text")
    return {**mapping, "text": text.upper()} if isinstance(text, str) else mapping


@hookimpl
def destination():
    migrations = [
        Migration(1, [RenameField("words", "text"), RemoveField("seal")]),
        Migration(2, [RenameAction("press"), ChangeMapping(louder, "Texts are written louder.")]),
    ]
    action = Action(
        slug="print", title="Print", description="Print.", trigger='type = "track"', payload=Page,
        migrations=migrations,
    )
    return Destination(slug="press", name="Press", description="Prints.", actions=[action])


@hookimpl
def perform(client: httpx.Client, payload: Page):
    return client.post("https://press.example", json={"text": payload.text, "on": payload.paper})


class PressSandbox(Sandbox):
    origins = ("https://press.example",)

    def answer(self, request):
        return SandboxResponse(200, {})


@hookimpl
def sandbox():
    return PressSandbox()
"""
OLD = """\
destination: press # the old one
subscriptions:
  - partnerAction: press # as it was called
    mapping:
      # what is printed
      words: hello # loudly
      seal: {"@path": $.properties.seal}
"""
NEW = """\
destination: press # the old one
subscriptions:
  - partnerAction: print # as it was called
    mapping:
      # what is printed
      text: HELLO # loudly
    name: press
    mappingVersion: 2
"""
NOTES = (
    "The mapping is of an older version of action `print`. `words` is called `text` now. `seal` is "
    "left out: the action no longer has it. The action `press` is called `print` now. Texts are "
    "written louder."
)
EVENT = {"type": "track", "messageId": "1", "event": "Read"}


@pytest.fixture
def press(tmp_path: Path, install: Install, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install the press; return a connection file of an older version of it."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "press_destination.py").write_text(PRESS)
    install(site, "press", "1.0", {"press": "press_destination"})
    monkeypatch.syspath_prepend(str(site))
    path = tmp_path / "press.connection.yaml"
    path.write_text(OLD)
    return path


def test_validate_reports_the_new_form_in_its_place(run_actions: Actions, press: Path) -> None:
    result = run_actions("validate", press, "--format", "json")
    (found,) = [one for one in json.loads(result.stdout) if one["code"] == "AD405"]
    assert (found["line"], found["column"], found["severity"]) == (6, 7, "warning")
    assert found["message"] == NOTES
    assert found["hint"] == (
        "Run `actions validate --fix` to save the new form: "
        '{"mappingVersion": 2, "partnerAction": "print", "mapping": {"text": "HELLO"}}.'
    )
    assert result.exit_code == exits.DONE
    assert press.read_text() == OLD


def test_fix_saves_the_new_form_and_nothing_else(run_actions: Actions, press: Path) -> None:
    """Comments stay, and the subscription keeps the name that it had by its action."""
    result = run_actions("validate", press, "--fix")
    assert press.read_text() == NEW
    assert result.stderr == f"`{press}`: the mapping of `press` is saved in its new form.\n"
    assert result.stdout == "No problems found.\n"
    again = run_actions("validate", press, "--fix")
    assert (again.output, press.read_text()) == ("No problems found.\n", NEW)


def test_fix_leaves_a_file_alone_that_it_cannot_change_in_place(
    run_actions: Actions, press: Path
) -> None:
    text = OLD.replace("    mapping:\n", "    mapping: &first\n")
    text += "  - {name: other, partnerAction: print, mapping: *first}\n"
    press.write_text(text)
    result = run_actions("validate", press, "--fix")
    assert result.exit_code == exits.USAGE
    assert "cannot be changed in place" in result.output
    assert press.read_text() == text


@pytest.mark.parametrize("options", [(), ("--processes", "2")])
def test_a_run_delivers_and_says_so_once(
    run_actions: Actions, press: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    events = tmp_path / "events.ndjson"
    events.write_text("".join(json.dumps(EVENT) + "\n" for _ in range(20)))
    done = run_actions("run", "-c", press, "-e", events, "--sandbox", *options, "--json")
    assert json.loads(done.stdout)["outcomes"] == {"delivered": 20}
    assert done.stderr.count(NOTES) == 1
    assert done.stderr.count("older version") == 1
    run_actions("validate", press, "--fix")
    quiet = run_actions("run", "-c", press, "-e", events, "--sandbox", *options)
    assert "older version" not in quiet.output


def test_explain_and_tests_of_mappings_use_the_new_form(
    run_actions: Actions, press: Path, tmp_path: Path
) -> None:
    event = tmp_path / "event.json"
    event.write_text(json.dumps(EVENT))
    found = run_actions("explain", "-c", press, "--event", event, "--json")
    told = json.loads(found.stdout)
    assert '"text": "HELLO"' in json.dumps(told)
    assert found.stderr.count(NOTES) == 1
    cases = tmp_path / "press.test.yaml"
    cases.write_text(
        "connection: press.connection.yaml\ntests:\n"
        f"  - name: prints\n    events: [{json.dumps(EVENT)}]\n"
        "    expect: [{press: {payload: {text: HELLO, paper: plain}}}]\n"
    )
    tested = run_actions("test", cases)
    assert tested.exit_code == exits.DONE, tested.output
    assert (tested.exit_code, tested.stderr.count(NOTES)) == (exits.DONE, 1)


def test_a_mapping_of_a_later_version_is_refused(run_actions: Actions, press: Path) -> None:
    press.write_text(NEW.replace("mappingVersion: 2", "mappingVersion: 3"))
    result = run_actions("validate", press)
    assert "error[AD406]: The mapping has version 3, but action `print`" in result.stdout
    assert ":8:21\n" in result.stdout
    assert result.exit_code == exits.FAILED
    events = press.with_name("events.ndjson")
    events.write_text(json.dumps(EVENT) + "\n")
    run = run_actions("run", "-c", press, "-e", events, "--sandbox")
    assert "error[AD406]" in run.stderr
    assert run.exit_code == exits.USAGE


def test_a_wrong_mark_is_a_finding(run_actions: Actions, press: Path) -> None:
    press.write_text(NEW.replace("mappingVersion: 2", "mappingVersion: 0"))
    result = run_actions("validate", press)
    expected = "`subscriptions[0].mappingVersion` must be a whole number from 1, got 0."
    assert f"error[AD201]: {expected}" in result.stdout


def test_new_files_are_marked(run_actions: Actions, press: Path, tmp_path: Path) -> None:
    """What `import` writes for the current definition needs no migration."""
    manifest = tmp_path / "metadata.json"
    manifest.write_text(run_actions("show", "press", "--json").stdout)
    out = tmp_path / "imported"
    assert run_actions("import", manifest, "--out", out).exit_code == exits.DONE
    text = (out / "press.connection.yaml").read_text()
    assert "    mappingVersion: 2\n" in text
    assert press.exists()


def test_diff_calls_a_migrated_change_a_note(
    run_actions: Actions, press: Path, tmp_path: Path
) -> None:
    """The same change without the migration is breaking."""
    current: dict[str, Any] = json.loads(run_actions("show", "press", "--json").stdout)
    action = current["actions"]["print"]
    fields = {"words": action["fields"]["text"], "paper": action["fields"]["paper"]}
    fields["seal"] = {**fields["paper"], "label": "Seal"}
    migrations = action.pop("migrations")
    old = {**current, "actions": {"press": {**action, "fields": fields}}}
    before = tmp_path / "old.json"
    before.write_text(json.dumps(old))
    result = run_actions("diff", before, "press")
    assert result.exit_code == exits.DONE, result.output
    assert result.stdout == (
        "note: `/actions/press` is called `print` now. A migration changes saved subscriptions.\n"
        "note: `/actions/print/fields/words` is called `text` now. A migration changes saved "
        "mappings.\n"
        "note: `/actions/print/fields/seal` is no longer a field of an action. A migration removes "
        "it from saved mappings.\n"
        "compatible: `/actions/print/migrations` has the new version 1.\n"
        "compatible: `/actions/print/migrations` has the new version 2.\n"
        "Changes: 3 note, 2 compatible.\n"
    )
    after = tmp_path / "new.json"
    after.write_text(json.dumps({**current, "actions": {"print": action}}))
    broken = run_actions("diff", before, after)
    assert broken.exit_code == exits.FAILED
    assert (
        "breaking: `/actions/press` is no longer an action.\n"
        "  = A migration with RenameAction would keep saved mappings: docs/migrations.md.\n"
    ) in broken.stdout
    assert migrations[0]["version"] == 1
    assert press.exists()


def test_a_run_is_resumed_after_the_new_form_was_saved(
    run_actions: Actions, press: Path, tmp_path: Path
) -> None:
    """The checkpoint is that of the migrated mapping, saved or not."""
    events = tmp_path / "events.ndjson"
    events.write_text("".join(json.dumps(EVENT) + "\n" for _ in range(3)))
    closed = ("--endpoint", "https://press.example=http://127.0.0.1:9", "--retry-for", "0")
    stopped = run_actions("run", "-c", press, "-e", events, *closed)
    assert stopped.exit_code == exits.UNAVAILABLE
    run_actions("validate", press, "--fix")
    assert press.read_text() == NEW
    resumed = run_actions("run", "-c", press, "-e", events, *closed)
    assert resumed.exit_code == exits.UNAVAILABLE
    assert "This run" not in stopped.output
    assert "This run" in resumed.output
