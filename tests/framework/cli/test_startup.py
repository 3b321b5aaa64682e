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

    def run(*arguments: object) -> set[str]:
        told = tmp_path / "loaded"
        paths = os.pathsep.join([str(site), str(ROOT)])
        environment = {"PYTHONPATH": paths, "SHOP_KEY": "sesame", "LOADED": str(told)}
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
