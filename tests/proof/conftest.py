"""The real command against sandboxes, in this process or a separate one."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from framework.cli.app import actions
from framework.clock import SystemClock

ROOT = Path(__file__).parents[2]
ORIGIN = "https://api.criteo.com"
SETTINGS = {
    "advertiser_id": "12345",
    "client_id": "${env:CRITEO_CLIENT_ID}",
    "client_secret": "${env:CRITEO_CLIENT_SECRET}",
}
ACCESS = {"CRITEO_CLIENT_ID": "sandbox-client", "CRITEO_CLIENT_SECRET": "sandbox-secret"}


@dataclass(frozen=True)
class Bench:
    """A folder with a connection file, in which the command is run."""

    folder: Path
    site: Path
    options: tuple[str, ...] = ()

    @property
    def events(self) -> Path:
        return self.folder / "events.ndjson"

    @property
    def outcomes(self) -> Path:
        return self.folder / "outcomes.ndjson"

    @property
    def connection(self) -> Path:
        return self.folder / "criteo.connection.yaml"

    def configure(self, settings: Mapping[str, Any] | None = None, **mapping: Any) -> None:
        """Write the connection file; JSON is YAML, too."""
        document = {
            "destination": "actions-criteo-audiences",
            "name": "Criteo, spring",
            "settings": {**SETTINGS, **(settings or {})},
            "subscriptions": [
                {"name": name, "partnerAction": action, "mapping": mapping}
                for action, name in (
                    ("addUserToAudience", "Add users to Audience"),
                    ("removeUserFromAudience", "Remove users from Audience"),
                )
            ],
        }
        self.connection.write_text(json.dumps(document, indent=2), encoding="utf-8")

    def arguments(self, url: str, *more: object) -> list[str]:
        """Return the arguments of `actions` for a run that is delivered to *url*."""
        chosen = ["run", "-c", self.connection, "-e", self.events, "--outcomes", self.outcomes]
        return [str(one) for one in (*chosen, "--endpoint", f"{ORIGIN}={url}", *more)]

    def command(self, url: str, *more: object) -> list[str]:
        """Return the command line of such a run as a separate process."""
        return [sys.executable, "-m", "framework", *self.arguments(url, *more)]

    def run(self, url: str, *more: object) -> Result:
        """Run in this process."""
        return self.actions(*self.arguments(url, *more))

    def check(self, url: str) -> Result:
        """Check the credentials in this process."""
        return self.actions("check-auth", "-c", self.connection, "--endpoint", f"{ORIGIN}={url}")

    def actions(self, *arguments: object) -> Result:
        """Run any command in this process."""
        given = [*self.options, *map(str, arguments)]
        return CliRunner().invoke(actions, given, prog_name="actions")

    def written(self) -> list[Path]:
        """List every file in the folder but the connection file."""
        return [path for path in self.folder.iterdir() if path != self.connection]

    @property
    def environment(self) -> dict[str, str]:
        """The environment of such a process."""
        return {**os.environ, **ACCESS, "PYTHONPATH": f"{self.site}{os.pathsep}{ROOT}"}


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create a folder with installer metadata for this project's destinations."""
    folder = tmp_path_factory.mktemp("site")
    details = folder / "action_destinations-0.1.0.dist-info"
    details.mkdir()
    (details / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: action-destinations\nVersion: 0.1.0\n"
    )
    (details / "entry_points.txt").write_text(
        "[action_destinations]\nactions-criteo-audiences = destinations.criteo_audiences\n"
    )
    return folder


@pytest.fixture
def bench(tmp_path: Path, site: Path) -> Bench:
    made = Bench(tmp_path, site)
    made.configure()
    return made


@pytest.fixture
def here(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Return a bench for runs in this process, in which sleeping takes no time."""
    monkeypatch.syspath_prepend(str(bench.site))
    for name, value in ACCESS.items():
        monkeypatch.setenv(name, value)
    slept = [0.0]
    monkeypatch.setattr(SystemClock, "sleep", lambda _, seconds: slept.append(seconds))
    for name, clock in (("monotonic", time.monotonic), ("time", time.time)):
        monkeypatch.setattr(SystemClock, name, lambda _, clock=clock: clock() + sum(slept))
    return bench
