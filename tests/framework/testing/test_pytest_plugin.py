"""The pytest plugin: fixtures that a third-party author's tests get by installing the framework."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
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
    (folder / "test_it.py").write_text(text)
    plugin = "framework.testing.pytest_plugin"
    # The entry point is the installer's matter; loading it twice would be an error.
    switches = ["-p", "no:action_destinations", "-p", plugin, "-p", "no:cacheprovider"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *switches, *options, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
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
