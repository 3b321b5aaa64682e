"""What `docs/name-clashes.md` says of folders with the names of our packages is true."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from framework.version import VERSION

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "name-clashes.md").read_text(encoding="utf-8")
PYTHON = sys.executable
CODE = "import sys; from framework.cli import main; sys.argv[0] = 'actions'; main()"
ACTIONS = [PYTHON, "-P", "-c", CODE]
"""What the command `actions` does: its own folder is first on the path, not the current one."""
WORKS = f"actions {VERSION}\n"


def run(command: list[str], folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        command,
        cwd=folder,
        env={**kept, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Return a project with a package `framework`, and a test of it."""
    (tmp_path / "framework").mkdir()
    (tmp_path / "framework" / "__init__.py").write_text("OWN = 1\n")
    test = "from framework import OWN\n\n\ndef test_own() -> None:\n    assert OWN == 1\n"
    (tmp_path / "test_own.py").write_text(test)
    return tmp_path


def namespace(folder: Path) -> Path:
    """Return the same project with a folder `framework` that is not a regular package."""
    (folder / "framework" / "__init__.py").rename(folder / "framework" / "own.py")
    return folder


SAFE = [PYTHON, "-P", "-m", "framework", "--version"]
PLAIN = [PYTHON, "-m", "framework", "--version"]
ISOLATED = [PYTHON, "-I", "-m", "framework", "--version"]


@pytest.mark.parametrize(
    ("command", "variables"),
    [
        ([*ACTIONS, "--version"], {}),
        (SAFE, {}),
        (PLAIN, {"PYTHONSAFEPATH": "1"}),
        (ISOLATED, {"PYTHONPATH": "."}),
    ],
)
def test_these_use_the_installed_package(
    own: Path, command: list[str], variables: dict[str, str]
) -> None:
    done = run(command, own, **variables)
    assert (done.stdout, done.returncode) == (WORKS, 0), done.stderr


@pytest.mark.parametrize(
    ("command", "variables", "reason"),
    [
        (PLAIN, {}, "No module named framework.__main__"),
        ([*ACTIONS, "--version"], {"PYTHONPATH": "."}, "No module named 'framework.cli'"),
        (SAFE, {"PYTHONPATH": "."}, "No module named framework.__main__"),
    ],
)
def test_these_use_the_folder(
    own: Path, command: list[str], variables: dict[str, str], reason: str
) -> None:
    done = run(command, own, **variables)
    assert done.returncode == 1
    assert reason in done.stderr


@pytest.mark.parametrize("variables", [{}, {"PYTHONPATH": "."}])
def test_a_folder_that_is_no_regular_package_hides_nothing(
    own: Path, variables: dict[str, str]
) -> None:
    done = run(PLAIN, namespace(own), **variables)
    assert (done.stdout, done.returncode) == (WORKS, 0), done.stderr


def test_the_page_shows_how_to_see_which_one_is_imported(own: Path) -> None:
    (line,) = re.findall(r'python -c "(.*)"', PAGE)
    assert run([PYTHON, "-c", line], own).stdout == f"{own / 'framework' / '__init__.py'}\n"


def test_pytest_starts_beside_a_framework(own: Path) -> None:
    done = run([PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider"], own)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_fixtures_are_there_for_those_who_ask(tmp_path: Path) -> None:
    (line,) = re.findall(r"^pytest_plugins = .*$", PAGE, re.MULTILINE)
    (tmp_path / "conftest.py").write_text(f"{line}\n")
    (tmp_path / "test_it.py").write_text("def test_it(make_harness) -> None:\n    pass\n")
    done = run([PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider"], tmp_path)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_a_folder_destinations_is_one_more_part(tmp_path: Path) -> None:
    (tmp_path / "destinations").mkdir()
    (tmp_path / "destinations" / "acme.py").write_text("")
    code = "import destinations.acme, destinations.criteo_audiences"
    assert run([PYTHON, "-c", code], tmp_path).returncode == 0


def test_a_regular_package_destinations_hides_the_others(tmp_path: Path) -> None:
    (tmp_path / "destinations").mkdir()
    (tmp_path / "destinations" / "__init__.py").write_text("")
    (warning,) = re.findall(r"^Warning: .*$", PAGE, re.MULTILINE)

    done = run([PYTHON, "-m", "framework", "list"], tmp_path)

    assert warning.replace("0.1.0", VERSION) in " ".join(done.stderr.split())
    assert "actions-criteo-audiences" in run([*ACTIONS, "list"], tmp_path).stdout


def test_the_page_names_only_commands_that_were_tried() -> None:
    shown = {*re.findall(r"`(python -[PIm][^`]*|PYTHON[A-Z]+=?[^`]*)`", PAGE)}
    assert shown == {
        "PYTHONPATH",
        "PYTHONPATH=.",
        "PYTHONSAFEPATH=1",
        "python -I -m framework",
        "python -P -m framework",
        "python -m framework",
        "python -m framework list",
        "python -m pytest",
    }
