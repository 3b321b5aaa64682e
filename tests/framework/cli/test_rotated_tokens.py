"""A refresh token that the partner replaces survives the process, in a file of its own."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from click.testing import Result

from framework.plugins import load_plugins
from framework.sandbox import SandboxRequest, SandboxResponse, serve

Actions: TypeAlias = Callable[..., Result]
SETTINGS = {"client_id": "c", "client_secret": "secret-31", "refresh_token": "refresh-0"}


@pytest.fixture
def crm(run_actions: Actions, install: Callable[..., None], tmp_path: Path) -> Iterator[Path]:
    """Install the destination, and return the path of a connection to it."""
    del run_actions  # which has the project itself on the path
    plugin = Path(__file__).parent / "plugin" / "crm_destination.py"
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / plugin.name).write_text(plugin.read_text())
    install(folder, "crm", "1.0", {"crm": "crm_destination"})
    sys.path.insert(0, str(folder))
    path = tmp_path / "crm.yaml"
    write(path, SETTINGS)
    yield path
    sys.path.remove(str(folder))
    sys.modules.pop("crm_destination", None)


def write(path: Path, settings: dict[str, str]) -> None:
    subscriptions = [{"name": "Contacts", "partnerAction": "upsert"}]
    document = {"destination": "crm", "settings": settings, "subscriptions": subscriptions}
    path.write_text(json.dumps(document))


def events(folder: Path, *emails: str) -> Path:
    path = folder / f"{'-'.join(emails)}.ndjson"
    rows = [{"type": "track", "properties": {"email": one}} for one in emails]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_replaced_token_serves_the_next_command(crm: Path, run_actions: Actions) -> None:
    """The configured token is spent after the first; one renewal serves all commands."""
    sandbox: Any = load_plugins().get("crm").call("sandbox")
    with serve(sandbox) as server:
        to = ["--endpoint", f"https://crm.test={server.url}"]
        assert run_actions("check-auth", "-c", crm, *to).exit_code == 0
        for email in ("a@x.com", "b@x.com"):
            told = run_actions("run", "-c", crm, "--events", events(crm.parent, email), *to)
            assert told.exit_code == 0, told.output
    assert sandbox.contacts == ["a@x.com", "b@x.com"]
    assert (sandbox.revoked, sandbox.number) == (False, 1)
    assert (crm.parent / "crm.state.json").stat().st_mode & 0o777 == 0o600


def test_a_new_configured_token_replaces_the_kept_one(crm: Path, run_actions: Actions) -> None:
    sandbox: Any = load_plugins().get("crm").call("sandbox")
    with serve(sandbox) as server:
        to = ["--endpoint", f"https://crm.test={server.url}"]
        assert run_actions("check-auth", "-c", crm, *to).exit_code == 0
        sandbox.current = "refresh-new"
        write(crm, {**SETTINGS, "refresh_token": "refresh-new"})
        assert run_actions("check-auth", "-c", crm, *to).exit_code == 0
    assert (sandbox.revoked, sandbox.number) == (False, 2)


def test_no_output_holds_a_kept_token(crm: Path, run_actions: Actions) -> None:
    sandbox: Any = load_plugins().get("crm").call("sandbox")
    with serve(sandbox) as server:
        to = ["--endpoint", f"https://crm.test={server.url}"]
        run_actions("check-auth", "-c", crm, *to)
        sandbox.revoked = True
        sandbox.number = 7  # so that the kept access token is refused, and its renewal too
        told = run_actions("check-auth", "-c", crm, *to)
    assert told.exit_code == 4
    assert "refresh-1" not in told.output
    assert "access-1" not in told.output


def test_a_token_that_is_refused_after_its_renewal_stops_the_run(
    crm: Path, run_actions: Actions
) -> None:
    """One renewal, one repetition, exit code 4; the events stay open and are sent later."""
    sandbox: Any = load_plugins().get("crm").call("sandbox")
    answer, refusing = sandbox.answer, [True]

    def refuse(request: SandboxRequest) -> SandboxResponse:
        answered: SandboxResponse = answer(request)
        refused = refusing[0] and "token" not in request.path
        return SandboxResponse(401, {"error": "no"}) if refused else answered

    sandbox.answer = refuse
    with serve(sandbox) as server:
        run = ["run", "-c", crm, "--events", events(crm.parent, "a@x.com", "b@x.com")]
        run += ["--endpoint", f"https://crm.test={server.url}"]
        told = run_actions(*run)
        assert told.exit_code == 4, told.output
        calls = sandbox.calls.total()
        tokens = sum(number for name, number in sandbox.calls.items() if "token" in name)
        assert (tokens, calls) == (2, 4)
        refusing[0] = False
        sandbox.contacts.clear()
        assert run_actions(*run).exit_code == 0
    assert sandbox.contacts == ["a@x.com", "b@x.com"]
