"""Commands start quickly because they import no more than they need; this is the list."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import pytest
from hatchling.version.source.regex import RegexSource

from framework import hookspecs
from framework.cli import installed
from framework.version import VERSION

Loaded: TypeAlias = Callable[..., set[str]]

ROOT = Path(__file__).parents[3]
CODE = """\
import atexit, os, sys
from framework.cli import main

def tell():
    with open(os.environ["LOADED"], "w") as file:
        file.write("\\n".join(name for name, module in sys.modules.items() if module))

atexit.register(tell)
main()
"""

PEOPLE = ("rich", "pygments", "httpx._main", "difflib")
"""For tables, colours and the nearest name."""

SERVERS = ("asyncio", "starlette", "uvicorn", "anyio.abc", "cheroot", "werkzeug")

LANGUAGES = ("jinja2", "liquid", "jsonschema", "framework.mapping.templates.jinja")
"""For those who use templates or schemas of events."""

CHECKS = (
    "framework.config.test_files",
    "framework.linting.catalogue",
    "framework.linting.connection_files",
    "framework.linting",
    "framework.definition.json_schema",
    "framework.definition.manifest",
    "framework.linting.counterfactual",
    "framework.linting.segment_differences",
    "framework.linting.satisfiability",
    "framework.linting.partial_evaluation",
)
"""What checks files before an event moves, and tells people what to change."""

ENGINE = ("httpx", "pluggy", "msgspec", "orjson", "yaml", "framework.definition")
BENCH = ("framework.sandbox.partner", "framework.testing.harness", "framework.tester")


@pytest.fixture
def loaded(site: Path, tmp_path: Path) -> Loaded:
    """Run a command in a new process and return the names of the modules it imported."""

    def run(*arguments: object, **variables: str) -> set[str]:
        told = tmp_path / "loaded"
        paths = os.pathsep.join([str(site), str(ROOT)])
        environment = {"PYTHONPATH": paths, "SHOP_KEY": "sesame", "LOADED": str(told), **variables}
        command = [sys.executable, "-c", CODE, *map(str, arguments)]
        done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return set(told.read_text().split())

    return run


def within(names: Sequence[str], found: set[str]) -> list[str]:
    """List those of *names* that are among the modules found, alone or with inner ones."""
    return [
        name for name in names if any(one == name or one.startswith(f"{name}.") for one in found)
    ]


def test_the_version_needs_nothing(loaded: Loaded) -> None:
    found = loaded("--version")
    own = {name for name in found if name.partition(".")[0] == "framework"}
    assert own == {"framework", "framework.cli", "framework.version"}
    assert within(["click", "dataclasses", "importlib.metadata", "inspect"], found) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("run", "--help"),
        ("show", "--help"),
        ("relay", "--help"),
        ("status", "--help"),
        ("dead-letters", "list", "--help"),
    ],
)
def test_help_needs_no_engine(loaded: Loaded, arguments: Sequence[str]) -> None:
    found = loaded(*arguments)
    assert within([*ENGINE, *PEOPLE, *SERVERS, *LANGUAGES, *BENCH], found) == []


@pytest.mark.parametrize("ending", ["yaml", "json"])
def test_a_run_loads_what_delivers(
    loaded: Loaded, connection: Path, tmp_path: Path, ending: str
) -> None:
    """Neither what checks files nor what people read, whatever the connection is written in."""
    if ending == "json":
        connection = tmp_path / "shop.connection.json"
        connection.write_text(
            '{"destination": "shop", "settings": {"customer": "us", "key": "sesame"},'
            ' "subscriptions": [{"partnerAction": "order"}]}'
        )
    events = tmp_path / "events.ndjson"
    events.write_text("")
    found = loaded("run", "--connection", connection, "--events", events, "--quiet")
    assert within([*PEOPLE, *SERVERS, *LANGUAGES, *CHECKS], found) == []
    assert within(["httpcore", "tenacity", "framework.tester"], found) == []
    assert within(["httpx", "pluggy", "msgspec"], found) == ["httpx", "pluggy", "msgspec"]


def test_checking_needs_nothing_that_delivers(loaded: Loaded, connection: Path) -> None:
    found = loaded("validate", connection)
    absent = ("rich", "pygments", "msgspec", "framework.delivery", "framework.relay")
    assert within([*absent, *SERVERS, *LANGUAGES, "framework.tester"], found) == []


def test_checking_a_connection_to_criteo_needs_nothing_that_sends(
    loaded: Loaded, install: Callable[..., None], site: Path, tmp_path: Path
) -> None:
    """Neither does the definition of the destination."""
    install(
        tmp_path, "criteo", "1.0", {"actions-criteo-audiences": "destinations.criteo_audiences"}
    )
    connection = tmp_path / "criteo.connection.yaml"
    connection.write_text(
        """\
destination: actions-criteo-audiences
settings: {advertiser_id: "12345", client_id: an id, client_secret: "${env:SHOP_KEY}"}
subscriptions:
  - {partnerAction: addUserToAudience, subscribe: type = "track"}
"""
    )
    found = loaded(
        "validate", connection, PYTHONPATH=os.pathsep.join(map(str, [tmp_path, site, ROOT]))
    )
    assert "destinations.criteo_audiences.actions" in found
    assert within(["httpx", "msgspec", *PEOPLE, *SERVERS, *LANGUAGES], found) == []
    assert {name for name in found if name.startswith("framework.delivery.")} == {
        "framework.delivery.cache",
        "framework.delivery.columns",
    }


@pytest.mark.parametrize(
    "words", ["actions ", "actions show s", "actions sandbox s", "actions run --co"]
)
def test_completion_imports_no_plugin(loaded: Loaded, words: str) -> None:
    position = str(words.count(" "))
    found = loaded(COMP_WORDS=words, COMP_CWORD=position, _ACTIONS_COMPLETE="bash_complete")
    assert within(["shop_destination", *ENGINE, *PEOPLE, *SERVERS, *LANGUAGES, *BENCH], found) == []


def test_completing_commands_imports_none(loaded: Loaded) -> None:
    found = loaded(COMP_WORDS="actions ", COMP_CWORD="1", _ACTIONS_COMPLETE="bash_complete")
    own = {name for name in found if name.startswith("framework.cli.")}
    assert own == {"framework.cli.app", "framework.cli.exits", "framework.cli.terminal"}


def test_what_authors_import_needs_nothing_that_sends() -> None:
    code = (
        "import sys\n"
        "from framework import Action, Batching, Destination, Payload, Settings, field, hookimpl\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    found = set(done.stdout.split())
    absent = ("httpx", "msgspec", "orjson", "yaml", "click", "framework.delivery")
    assert within([*absent, *PEOPLE, *SERVERS, *LANGUAGES, *CHECKS, *BENCH], found) == []


def test_the_package_imports_none_of_its_modules() -> None:
    code = "import sys, framework; print(*(n for n in sys.modules if n.startswith('framework')))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["framework"]


def test_completion_knows_the_group_of_destinations() -> None:
    """The command names it once more, as it imports no hooks to complete a name."""
    assert installed._DESTINATIONS == hookspecs.PROJECT


def test_only_the_command_of_httpx_is_left_out() -> None:
    """It counts as not installed; httpx itself works."""
    code = (
        "import sys; sys.argv = ['actions', 'list', '--json']\n"
        "from framework.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "import httpx; print(httpx.Client, 'rich' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.endswith("<class 'httpx.Client'> False\n")


def test_the_version_is_that_of_the_project_file() -> None:
    """What builds the distribution finds the version where the command finds it."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    source = settings["tool"]["hatch"]["version"]["path"]
    found = RegexSource(str(ROOT), {"path": source}).get_version_data()
    assert settings["project"]["dynamic"] == ["version"]
    assert found["version"] == VERSION


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("module", ["click", "framework.cli.run", "framework.config"])
def test_a_signal_while_a_command_starts_ends_it_as_interrupted(
    module: str, number: signal.Signals, site: Path, tmp_path: Path
) -> None:
    code = f"""\
import os, sys
from framework.cli import main

class Importing:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), {int(number)})

sys.meta_path.insert(0, Importing())
main()
"""
    connection = tmp_path / "c.json"
    connection.write_text("{}")
    finished = subprocess.run(
        [sys.executable, "-c", code, "run", "-c", connection, "-e", "-"],
        env={**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{ROOT}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert (finished.returncode, finished.stderr.decode()) == (130, "")
    assert b"Error" not in finished.stderr
