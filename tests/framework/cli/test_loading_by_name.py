"""A command about one destination imports that plugin, and no other."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from framework.errors import UnknownNameError
from framework.plugins import load_plugins
from framework.results import Delivered
from framework.testing import Harness, certify
from tests.framework.cli.conftest import Actions

PLUGIN = '''\
"""A destination that leaves a mark when it is imported."""
from pathlib import Path
from framework import *
from framework.testing import Sandbox, SandboxResponse

MARKS = Path(__file__).parent / "marks"
MARKS.write_text((MARKS.read_text() if MARKS.exists() else "") + __name__ + " ")
print("noise: imported", __name__)

class Line(Payload):
    text: str = field("Text", mapping={{"@path": "$.event"}}, dynamic=True)

class Pretended(Sandbox):
    """Accept everything."""
    origins = ("https://mark.test",)

    def answer(self, request):
        print("noise: answered")
        return SandboxResponse(200, {{}})

def find(call):
    print("noise: asked for choices")
    return Choices([Choice("One", "1")])

{before}
@hookimpl
def destination():
    send = Action(slug="send", title="Send", trigger='type = "track"', payload=Line,
                  dynamic={{"text": find}})
    return Destination(slug="{slug}", name="{slug}", actions=[send])

@hookimpl
def perform(client, payload):
    print("noise: performed")
    return client.post("https://mark.test/", json={{"text": payload.text}})

@hookimpl
def check_authentication(client):
    print("noise: checked")

@hookimpl
def sandbox():
    return Pretended()
'''
EXTENSION = '''\
"""An extension that wraps every destination."""
from framework import Delivered, hookimpl

@hookimpl(wrapper=True)
def perform():
    result = yield
    return Delivered(body="wrapped")

@hookimpl
def batch_finished(report):
    with open("heard", "a") as file:
        file.write(f"{report.subscription} {report.action} {len(report.results)}\\n")
'''
OURS = "action_destinations"

Install: TypeAlias = Callable[..., None]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that modules are imported from."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def add(place: Path) -> Iterator[Install]:
    """Yield what installs a plugin into the folder, as a distribution of its own."""
    known = set(sys.modules)

    def write(
        name: str, slug: str = "", *, module: str = "", before: str = "", extension: bool = False
    ) -> None:
        module = module or f"mark_{name.replace('-', '_')}"
        text = EXTENSION if extension else PLUGIN.format(slug=slug or name, before=before)
        (place / f"{module}.py").write_text(text)
        info = place / f"dist_{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: dist-{module}\nVersion: 1.0\n"
        )
        group = f"{OURS}.extensions" if extension else OURS
        (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {module}\n")

    yield write
    for name in set(sys.modules) - known:
        if name.startswith("mark_"):
            del sys.modules[name]


def imported(place: Path) -> list[str]:
    """Return the modules that were imported, in order."""
    marks = place / "marks"
    return marks.read_text().split() if marks.exists() else []


CONNECTION = (
    "destination: {}\nsubscriptions:\n  - partnerAction: send\n    subscribe: type != null\n"
)
EVENT = '{"type": "track", "event": "Signed Up"}\n'
ABOUT_ONE: dict[str, list[str]] = {
    "show": ["show", "light", "--json"],
    "part": ["show", "lig-ht", "--json"],
    "docs": ["docs", "light"],
    "validate": ["validate", "c.yaml", "--format", "json"],
    "run": ["run", "-c", "c.yaml", "-e", "e.ndjson", "--dry-run", "--json"],
    "explain": ["explain", "-c", "c.yaml", "--event", "e.ndjson", "--sandbox", "--json"],
    "check-auth": ["check-auth", "-c", "c.yaml"],
    "choices": ["choices", "-c", "c.yaml", "--sandbox", "send", "text", "--json"],
    "generated": ["show", "--generated", "c.yaml"],
    "sandbox": ["sandbox", "light", "--help"],
    "diff": ["diff", "light", "light"],
}


@pytest.mark.parametrize("command", ABOUT_ONE)
def test_a_command_about_one_destination_imports_no_other(
    place: Path, add: Install, run_actions: Actions, command: str
) -> None:
    """Whatever else is installed costs nothing, and prints are not part of what it prints."""
    add("light" if command != "part" else "acme-lig-ht-x", module="mark_light")
    add("heavy")
    (place / "c.yaml").write_text(CONNECTION.format("light"))
    (place / "e.ndjson").write_text(EVENT)
    result = run_actions(*ABOUT_ONE[command])
    assert result.exit_code == 0, result.output
    assert imported(place) == ["mark_light"]
    assert "noise: imported mark_light" in result.stderr
    assert "noise" not in result.stdout
    if "json" in ABOUT_ONE[command] or "--json" in ABOUT_ONE[command]:
        json.loads(result.stdout)


def test_a_harness_and_a_certificate_import_no_other(place: Path, add: Install) -> None:
    add("light")
    add("heavy")
    assert Harness("light").plugin.definition.slug == "light"
    assert certify("light", only=["texts"]).destination == "light"
    assert imported(place) == ["mark_light"]


def test_without_a_slug_all_are_imported(place: Path, add: Install) -> None:
    add("light")
    add("heavy")
    assert {"heavy", "light"} <= set(load_plugins().destinations)
    assert sorted(imported(place)) == ["mark_heavy", "mark_light"]


def test_another_name_is_found_among_all_and_told_with_the_fix(
    place: Path, add: Install, run_actions: Actions
) -> None:
    """An entry point with another name than its slug works, and `list` says what that costs."""
    add("other", "light")
    add("heavy")
    assert run_actions("show", "light").exit_code == 0
    assert sorted(imported(place)) == ["mark_heavy", "mark_other"]
    told = run_actions("list")
    assert (
        "Warning: Entry point `other` of dist-mark_other 1.0 defines `light`: commands about it "
        "import all plugins to find it. Call the entry point `light`.\n"
    ) in told.stderr
    assert "light" in told.stdout


def test_the_name_of_an_entry_point_is_no_slug(add: Install) -> None:
    """What is called `light` and defines another slug does not answer to it."""
    add("light", "else")
    add("other", "light")
    found = load_plugins(slug="light").get("light")
    assert (found.name, found.definition.slug) == ("other", "light")
    assert load_plugins(slug="else").get("else").name == "light"


def test_what_fits_no_or_several_names_is_sought_among_all(add: Install) -> None:
    add("acme-web")
    add("acme-mail")
    for slug in ("acme", "nothing"):
        with pytest.raises(UnknownNameError, match=r"Known destinations: .*acme-mail, acme-web"):
            load_plugins(slug=slug).get(slug)
    assert load_plugins(slug="web").get("web").definition.slug == "acme-web"


def test_one_that_is_broken_is_told_and_costs_no_other(add: Install, run_actions: Actions) -> None:
    add("light")
    add("broken", before="raise ValueError('no')")
    assert "broken" not in run_actions("show", "light").output
    told = run_actions("show", "broken")
    assert told.exit_code != 0
    assert "Plugin `broken` of dist-mark_broken 1.0 is left out: " in told.stderr
    assert "ValueError: no" in told.stderr
    assert "Traceback" not in told.stderr
    assert "Traceback" in run_actions("--debug", "show", "broken").stderr


@pytest.mark.parametrize(("one", "two"), [("light", "light"), ("one", "two")])
def test_two_of_one_slug_are_left_out_and_both_named(
    place: Path, add: Install, run_actions: Actions, one: str, two: str
) -> None:
    add(one, "light", module="mark_one")
    add(two, "light", module="mark_two")
    (place / "c.yaml").write_text(CONNECTION.format("light"))
    reason = (
        f"Plugins `{one}` of dist-mark_one 1.0 and `{two}` of dist-mark_two 1.0 define "
        "`light`; none of them is available. Uninstall the others."
    )
    text = f'There is no destination "light". {reason}'
    for command in (["show", "light"], ["certify", "light"], ["serve", "light"]):
        told = run_actions(*command)
        assert told.exit_code != 0
        assert told.stderr.count(reason) == 1
        assert f"Error: {text}\n" in told.stderr
    assert run_actions("list").stderr.count(f"Warning: {reason}\n") == 1
    for options in (["validate", "c.yaml"], ["run", "-c", "c.yaml", "--sandbox", "-e", "-"]):
        told = run_actions(*options)
        assert told.exit_code != 0
        assert f"error[AD401]: {text}\n" in told.output
    with pytest.raises(UnknownNameError, match=re.escape(reason)):
        certify("light")


@pytest.mark.parametrize("command", [["show"], ["serve"], ["docs"], ["certify"]])
def test_why_one_is_left_out_is_part_of_the_error(
    add: Install, run_actions: Actions, command: list[str]
) -> None:
    add("broken", before="raise ValueError('no')")
    told = run_actions(*command, "broken").stderr
    assert (
        'Error: There is no destination "broken". Plugin `broken` of dist-mark_broken 1.0' in told
    )
    assert told.count("ValueError: no") == 1


def test_the_slug_is_that_of_the_entry_point_called_like_it(add: Install) -> None:
    """Loaded alone or with all others, the same one is available."""
    add("light", module="mark_right")
    add("another", "light", module="mark_wrong")
    assert load_plugins(slug="light").get("light").origin == "dist-mark_right 1.0"
    registry = load_plugins()
    assert registry.get("light").origin == "dist-mark_right 1.0"
    assert [one.message for one in registry.problems if one.name == "another"] == [
        (
            "Plugins `another` of dist-mark_wrong 1.0 and `light` of dist-mark_right 1.0 define "
            "`light`; only `light` of dist-mark_right 1.0 is available. Uninstall the others."
        )
    ]


def test_extensions_are_loaded_with_the_one(place: Path, add: Install) -> None:
    add("light")
    add("heavy")
    add("wrapping", extension=True)
    with Harness(load_plugins(slug="light").get("light")) as harness:
        result = harness.run_action("send", {"type": "track", "event": "a"}, defaults=True)
    assert result.results[0] == Delivered(body="wrapped")
    assert imported(place) == ["mark_light"]


def test_an_extension_hears_of_the_batches_of_a_run(
    place: Path, add: Install, run_actions: Actions
) -> None:
    add("light")
    add("listening", extension=True)
    (place / "c.yaml").write_text(CONNECTION.format("light"))
    (place / "e.ndjson").write_text(EVENT * 2)
    result = run_actions("run", "-c", "c.yaml", "-e", "e.ndjson", "--sandbox")
    assert result.exit_code == 0, result.output
    assert (place / "heard").read_text() == "send send 1\n" * 2


def test_the_framework_is_not_counted_as_the_import_of_the_first_plugin() -> None:
    code = (
        "import sys\nfrom importlib.metadata import EntryPoint\nimport framework.plugins as it\n"
        "it.load_plugins([EntryPoint('one', 'nowhere', 'action_destinations')])\n"
        "assert {'httpx', 'framework.delivery'} <= {*sys.modules}\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("seconds", [0.0, 3600.0])
def test_slow_imports_are_listed(
    add: Install, run_actions: Actions, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    monkeypatch.setattr("framework.plugins.SLOW_IMPORT", seconds)
    add("light")
    told = run_actions("list").stderr
    assert ("Warning: Plugin `light` of dist-mark_light 1.0 takes 0." in told) is (seconds == 0)
