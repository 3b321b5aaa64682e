"""New destinations pass linters, type checks, their tests and certification as they are written."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from framework.cli.app import actions
from framework.errors import ConfigurationError
from framework.scaffolding import AUTH_KINDS, KIND_NAMES, NewAction, NewDestination
from framework.testing import certify

ROOT = Path(__file__).parents[3]
PAIRS = [(kind, auth) for kind in KIND_NAMES if kind != "other" for auth in AUTH_KINDS]
PAIRS += [("other", "none")] * 2
TESTS = ("pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", "-k")
TOOLS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy", "--strict"),
    (*TESTS, "not certified"),
    (*TESTS, "certified"),
)
CERTIFIED = {
    ("plain", "none"),
    ("batch", "basic"),
    ("audience", "api-key"),
    ("job", "client-credentials"),
    ("plain", "oauth"),
    ("other", "none"),
}
"""Each kind and each way to sign in once; certifying all pairs takes minutes."""


def run(*arguments: str) -> str:
    told = CliRunner().invoke(actions, ["new", *arguments])
    assert told.exit_code == 0, told.output
    return told.output


def name_of(place: int) -> str:
    return f"a{place}-{'destination' * 2}"[:24] if place % 2 else f"a{place}"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a destination of each kind and way to sign in.

    They have a further action, and names that are short, or as long as they may be.
    """
    folder = tmp_path_factory.mktemp("written")
    for place, (kind, auth) in enumerate(PAIRS):
        name = name_of(place)
        run(name, "--kind", kind, "--auth", auth, "--no-input", "--folder", str(folder / name))
        action = "addLongNotesToIt" if place // 2 % 2 else "note"
        run("action", action, "--folder", str(folder / name))
    return folder


@pytest.mark.parametrize("tool", TOOLS, ids=["check", "format", "types", "tests", "certified"])
def test_what_is_written_is_complete(tool: tuple[str, ...], written: Path) -> None:
    """Whatever its kind is and however it signs in; its tests certify it."""
    folders = sorted(written.glob("a*"))
    assert len(folders) == len(PAIRS) == 22
    path = os.pathsep.join([str(ROOT), *map(str, folders)])
    environment = {**os.environ, "MYPYPATH": path, "PYTHONPATH": path}
    named = [str(folder / folder.name.replace("-", "_")) for folder in folders]
    certified = [written / name_of(PAIRS.index(pair)) for pair in sorted(CERTIFIED)]
    tested = certified if tool[-1] == "certified" else folders
    given = {"mypy": named, "pytest": [*map(str, tested)]}.get(tool[0], [])
    done = subprocess.run(
        [sys.executable, "-m", *tool, *given],
        cwd=written,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{tool}\n{done.stdout}\n{done.stderr}"


def test_a_description_says_all(tmp_path: Path) -> None:
    """Title, origin and actions come from a JSON file."""
    described = {
        "name": "acme",
        "auth": "api-key",
        "url": "https://api.acme.test",
        "actions": [{"name": "sendOrder", "trigger": 'event = "Order Completed"'}],
    }
    source = tmp_path / "acme.json"
    source.write_text(json.dumps(described))
    told = run("--from", str(source), "--folder", str(tmp_path / "acme"))
    assert f"Wrote {tmp_path / 'acme' / 'acme' / 'actions' / 'send_order.py'}" in told
    assert 'HOST = "https://api.acme.test"' in (tmp_path / "acme/acme/settings.py").read_text()


TRIGGERS = {
    'type = "track"': "$.properties",
    'event = "Order Completed"': "$.properties",
    'type = "page" or type = "screen"': "$.properties",
    'type = "identify"': "$.traits",
    'type = "group"': "$.traits",
    'type = "identify" or type = "alias"': "$.traits",
    'type = "alias"': "$.context",
}


def test_default_mappings_read_what_the_events_of_a_trigger_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a new destination is certified without a warning about them."""
    actions_of = [{"name": f"send{n}", "trigger": text} for n, text in enumerate(TRIGGERS)]
    source = tmp_path / "described.json"
    source.write_text(json.dumps({"name": "acme-traits", "actions": actions_of}))
    run("--from", str(source), "--folder", str(tmp_path / "acme"))
    for number, path in enumerate(TRIGGERS.values()):
        text = (tmp_path / f"acme/acme_traits/actions/send{number}.py").read_text()
        assert f'"More about the event.",\n        mapping={{"@path": "{path}"}}' in text
    monkeypatch.syspath_prepend(str(tmp_path / "acme"))
    found = certify(importlib.import_module("acme_traits"), only=["mappings"])
    assert next(found.lines()) == "ok   mappings: default mappings read what events have"


def test_problems_are_reported_together(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        NewDestination(name="Acme CRM", auth="bsic")
    assert len(caught.value.problems) == 2
    assert "Did you mean `basic`" in caught.value.problems[1]
    with pytest.raises(ConfigurationError, match="does not parse"):
        NewAction(name="sendEvent", trigger="type =")
    told = CliRunner().invoke(actions, ["new", "action", "addNote", "--folder", str(tmp_path)])
    assert told.exit_code == 2
    assert "There is no destination in" in told.output
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    told = CliRunner().invoke(actions, ["new", "action", "addNote", "--folder", str(tmp_path)])
    assert told.exit_code == 2
    assert "has no `actions/operation.py`, to which `actions new` adds actions." in told.output


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("class", "is a word of Python's language, which no package is called."),
        ("json", "`json` is the name of another package."),
        ("pluggy", "`pluggy` is the name of another package."),
        ("framework", "`framework` is the name of another package."),
        ("jinja2", "`jinja2` is the name of another package."),
    ],
)
def test_a_package_that_cannot_be_imported_is_not_written(name: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(problem)):
        NewDestination(name=name)


@pytest.mark.parametrize("name", ["class", "import", "operation", "operations"])
def test_a_module_that_cannot_be_imported_is_not_written(name: str) -> None:
    with pytest.raises(ConfigurationError):
        NewAction(name=name)


def test_names_that_only_resemble_others_are_free() -> None:
    """Among them words that are only in some places words of the language."""
    for name in ("json-lines", "match", "acme"):
        assert NewDestination(name=name).package == name.replace("-", "_")
    for name in ("match", "type", "json"):
        assert NewAction(name=name).module == name


def test_questions_are_asked(tmp_path: Path) -> None:
    """Unless there is nobody to answer."""
    told = CliRunner().invoke(
        actions,
        ["new", "acme", "--folder", str(tmp_path / "a")],
        input="Acme!\nSends.\nbatch\nbasic\n",
    )
    assert told.exit_code == 0, told.output
    assert 'name="Acme!"' in (tmp_path / "a" / "acme" / "__init__.py").read_text()


def test_without_answers_the_way_out_is_named(tmp_path: Path) -> None:
    told = CliRunner().invoke(actions, ["new", "acme", "--folder", str(tmp_path / "a")])
    assert told.exit_code == 2
    assert "There is no answer on standard input. Use --no-input for the defaults" in told.stderr
    assert not (tmp_path / "a").exists()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """Neither a folder nor a list of actions that was changed by hand."""
    folder = tmp_path / "acme"
    run("acme", "--no-input", "--folder", str(folder))
    again = CliRunner().invoke(actions, ["new", "acme", "--no-input", "--folder", str(folder)])
    assert again.exit_code == 5
    listing = folder / "acme" / "actions" / "__init__.py"
    listing.write_text(listing.read_text() + "\n# mine\n")
    told = CliRunner().invoke(actions, ["new", "action", "addNote", "--folder", str(folder)])
    assert told.exit_code == 2
    assert not (folder / "acme" / "actions" / "add_note.py").exists()
