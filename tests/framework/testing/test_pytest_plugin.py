"""The pytest plugin: fixtures that the tests of a third-party author opt in to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

ROOT = Path(__file__).parents[3]
CONFTEST = 'pytest_plugins = ["framework.testing.pytest_plugin"]\n'
TESTS = """
from destinations import criteo_audiences
from framework.testing import generate_event, make_audience_event, requests_of


def test_requests(make_harness, snapshots):
    harness = make_harness(criteo_audiences)
    event = make_audience_event(entered=True)
    ran = harness.run_action("addUserToAudience", event, defaults=True)
    snapshots.check(requests_of(ran)[1:])
"""
INERT = """
import sys


def test_nothing_is_loaded():
    assert "framework.testing.harness" not in sys.modules
    assert "httpx" not in sys.modules
"""


def run(folder: Path, text: str, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_it.py").write_text(text)
    return pytest_in(folder, *options, PYTHONPATH=str(ROOT))


def pytest_in(folder: Path, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **variables},
    )


def test_snapshots_of_requests(tmp_path: Path) -> None:
    """They fail where there is none, are written on request, and hold from then on."""
    first = run(tmp_path, TESTS)
    assert "There is no snapshot test_it-test_requests.json." in first.stdout
    assert run(tmp_path, TESTS, "--snapshot-update").returncode == 0
    kept = json.loads((tmp_path / "snapshots" / "test_it-test_requests.json").read_text())
    assert [one["method"] for one in kept] == ["POST", "POST", "PATCH"]
    assert all(one["headers"]["authorization"] == "<redacted>" for one in kept)
    again = run(tmp_path, TESTS)
    assert again.returncode == 0, again.stdout


def test_the_plugin_is_inert(tmp_path: Path) -> None:
    """Tests that use none of it load none of it."""
    found = run(tmp_path, INERT)
    assert found.returncode == 0, found.stdout


def test_nothing_is_loaded_that_was_not_asked_for(tmp_path: Path) -> None:
    """A project with a folder `framework` of its own runs pytest although ours is installed."""
    points = distribution("action-destinations").entry_points
    assert [point.name for point in points if point.group == "pytest11"] == []
    (tmp_path / "framework").mkdir()
    (tmp_path / "framework" / "__init__.py").touch()
    (tmp_path / "test_it.py").write_text("def test_nothing():\n    pass\n")
    found = pytest_in(tmp_path, PYTEST_DISABLE_PLUGIN_AUTOLOAD="")
    assert found.returncode == 0, found.stdout + found.stderr
