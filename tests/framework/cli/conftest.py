"""An environment with one installed destination, and a command line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from click.testing import CliRunner, Result

from framework.cli.app import actions
from framework.plugins import load_plugins
from framework.sandbox import Sandbox, serve

Actions: TypeAlias = Callable[..., Result]
Start: TypeAlias = Callable[..., "subprocess.Popen[str]"]
"""Starts `actions run --follow` with further options."""

CONNECTION = """\
destination: shop
name: Spring sale
settings: {customer: us, key: "${env:SHOP_KEY}"}
subscriptions:
  - name: Orders
    partnerAction: order
"""


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder of installed packages: this one without a destination, and the shop."""
    folder = tmp_path_factory.mktemp("site")
    plugin = Path(__file__).parent / "plugin" / "shop_destination.py"
    (folder / plugin.name).write_text(plugin.read_text())
    _install(folder, "action-destinations", "0.1.0", {})
    _install(folder, "shop", "1.0", {"shop": "shop_destination"})
    return folder


def _install(folder: Path, name: str, version: str, points: dict[str, str]) -> None:
    """Write the metadata that an installer writes for a distribution with entry points."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    rows = [f"{key} = {module}\n" for key, module in points.items()]
    (info / "entry_points.txt").write_text("[action_destinations]\n" + "".join(rows))


@pytest.fixture
def install() -> Callable[..., None]:
    """Return a function that writes an installed distribution into a folder."""
    return _install


@pytest.fixture
def run_actions(site: Path, monkeypatch: pytest.MonkeyPatch) -> Actions:
    """Run the command in this process and return its result."""
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("SHOP_KEY", "sesame")

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(actions, [str(one) for one in arguments], prog_name="actions")

    return run


@pytest.fixture
def connection(tmp_path: Path) -> Path:
    path = tmp_path / "shop.connection.yaml"
    path.write_text(CONNECTION)
    return path


@pytest.fixture
def write_events(tmp_path: Path) -> Callable[..., Path]:
    """Write an events file: strings are ordered things, other values are events."""

    def write(things: Iterable[Any]) -> Path:
        path = tmp_path / "events.ndjson"
        events = [
            {"type": "track", "messageId": f"m{number}", "properties": {"thing": thing}}
            if isinstance(thing, str)
            else thing
            for number, thing in enumerate(things, 1)
        ]
        path.write_text("".join(json.dumps(event) + "\n" for event in events))
        return path

    return write


@pytest.fixture
def shop_sandbox(site: Path, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """Return the shop's sandbox."""
    monkeypatch.syspath_prepend(str(site))
    sandbox: Sandbox = load_plugins().get("shop").call("sandbox")
    return sandbox


@pytest.fixture
def shop(shop_sandbox: Sandbox) -> Iterator[str]:
    """Serve the shop's sandbox on the loopback address; yield the value of `--endpoint`."""
    with serve(shop_sandbox) as server:
        yield f"{shop_sandbox.origins[0]}={server.url}"


@pytest.fixture
def start(connection: Path, site: Path, shop: str) -> Iterator[Start]:
    """Yield what starts runs that follow; they are killed at the end."""
    started: list[subprocess.Popen[str]] = []

    def run(*options: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "framework", "run", "-c", connection,
             "--endpoint", shop, "--follow", *map(str, options)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={"PYTHONPATH": f"{site}:.", "SHOP_KEY": "sesame"},
        )  # fmt: skip
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()
