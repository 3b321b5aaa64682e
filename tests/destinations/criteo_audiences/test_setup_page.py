"""The steps and switches of docs/criteo.md work as they are written."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from framework.cli.app import actions
from framework.plugins import load_plugins
from framework.sandbox import Sandbox, serve

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "criteo.md").read_text(encoding="utf-8")
SETUP = PAGE.partition("## Setup\n")[2].partition("\n## ")[0]
CONNECTION, _ = re.findall(r"```yaml\n(.*?)```", SETUP, re.DOTALL)
COMMANDS = re.findall(r"```console\n(.*?)```", SETUP, re.DOTALL)[0].splitlines()
SWITCHES = dict(re.findall(r"^\| ([^|]+) \| `(.+?)`", SETUP, re.MULTILINE))

Event = dict[str, Any]


def member(user: str, event: str = "Audience Entered", **more: Any) -> Event:
    """Return an event about a user and the audience `spring`."""
    traits = {"email": mail(user)}
    return {
        "type": "track", "event": event, "userId": user, "messageId": f"{user} {event}",
        "context": {"traits": traits, **more.pop("context", {})},
        "properties": {"audience_key": "spring"}, **more,
    }  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder in which the commands run, with the page's connection file."""
    monkeypatch.chdir(tmp_path)
    for name, value in {"CRITEO_CLIENT_ID": "an-app", "CRITEO_CLIENT_SECRET": "any"}.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "criteo.connection.yaml").write_text(CONNECTION, encoding="utf-8")
    write_events(member("ann"), member("bob"))
    return tmp_path


def write_events(*events: Event) -> None:
    lines = "".join(f"{json.dumps(event)}\n" for event in events)
    Path("events.ndjson").write_text(lines, encoding="utf-8")


@pytest.fixture
def sandbox() -> Iterator[tuple[Sandbox, str]]:
    """Yield a sandbox of Criteo and its address."""
    partner: Sandbox = load_plugins().get("criteo").call("sandbox")
    partner.admit({"advertiser_id": "12345", "client_id": "an-app", "client_secret": "any"})
    with serve(partner) as server:
        yield partner, server.url


def run(*arguments: str) -> str:
    result = CliRunner().invoke(actions, arguments)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.usefixtures("folder")
def test_the_steps_end_with_members_in_the_list(sandbox: tuple[Sandbox, str]) -> None:
    partner, url = sandbox
    for command in COMMANDS:
        program, *arguments = shlex.split(command)
        assert program == "actions"
        local = {"validate", "--sandbox", "--dry-run"} & set(arguments)
        run(*arguments, *([] if local else ["--endpoint", f"https://api.criteo.com={url}"]))
    assert members(partner) == {"spring": {mail("ann"), mail("bob")}}


def members(partner: Sandbox) -> dict[str, set[str]]:
    """Return the members of each contact list by its name, as the sandbox stores them."""
    found: Any = partner
    return {one["name"]: set(found.members(one["name"])) for one in partner.state()["segments"]}


def mail(user: str) -> str:
    return f"{user}@example.org"


def deliver(sandbox: tuple[Sandbox, str], *options: str) -> dict[str, set[str]]:
    partner, url = sandbox
    endpoint = f"https://api.criteo.com={url}"
    command = ["run", "-c", "criteo.connection.yaml", "--events", "events.ndjson"]
    run(*command, "--endpoint", endpoint, *options)
    return members(partner)


def switch(words: str) -> dict[str, Any]:
    (text,) = [code for to, code in SWITCHES.items() if to.startswith(words)]
    read: dict[str, Any] = yaml.safe_load(text)
    return read


def change(folder: Path, file: dict[str, Any], first: dict[str, Any], second: Any = None) -> None:
    """Add keys to the connection file and to its two subscriptions."""
    document = yaml.safe_load(CONNECTION)
    one, other = document["subscriptions"]
    one.update(first)
    other.update(first if second is None else second)
    path = folder / "criteo.connection.yaml"
    path.write_text(yaml.safe_dump({**document, **file}), encoding="utf-8")


@pytest.mark.parametrize(
    "command",
    [
        "run --events events.ndjson",
        "relay --store sqlite:events.db --listen 127.0.0.1:0 --write-key any",
        "audience mirror --store sqlite:events.db --name spring --members people.txt --yes",
        "audience repair --store sqlite:events.db --yes",
        "dead-letters replay letters.ndjson",
    ],
)
def test_stop_everything(folder: Path, sandbox: tuple[Sandbox, str], command: str) -> None:
    for name in ("people.txt", "letters.ndjson"):
        (folder / name).touch()
    change(folder, switch("stop everything"), {})
    endpoint = ["--endpoint", f"https://api.criteo.com={sandbox[1]}"]
    given = [*command.split(), "-c", "criteo.connection.yaml", *endpoint]
    result = CliRunner().invoke(actions, given)
    assert (result.exit_code, sandbox[0].requests) == (2, ())
    text = "The connection `criteo.connection.yaml` is disabled. Set `enabled: true` to use it."
    assert text in result.output


def test_deletions_are_not_stopped(folder: Path, sandbox: tuple[Sandbox, str]) -> None:
    deliver(sandbox, "--store", "sqlite:ledger.db")
    change(folder, switch("stop everything"), {})
    endpoint = f"https://api.criteo.com={sandbox[1]}"
    command = "delete -c criteo.connection.yaml --store sqlite:ledger.db --yes --identifier"
    run(*command.split(), mail("ann"), "--endpoint", endpoint)
    assert members(sandbox[0]) == {"spring": {mail("bob")}}


def test_only_add(folder: Path, sandbox: tuple[Sandbox, str]) -> None:
    change(folder, {}, {}, switch("only add"))
    write_events(member("ann"), member("ann", "Audience Exited"))
    assert deliver(sandbox) == {"spring": {mail("ann")}}


def test_hash_before_sending(folder: Path, sandbox: tuple[Sandbox, str]) -> None:
    change(folder, {}, switch("hash addresses"))
    digests = {hashlib.sha256(mail(user).encode()).hexdigest() for user in ("ann", "bob")}
    assert deliver(sandbox) == {"spring": digests}


def test_an_existing_list(folder: Path, sandbox: tuple[Sandbox, str]) -> None:
    partner: Any = sandbox[0]
    (existing,) = [str(partner.add_segment("Old name"))]
    mapping = switch("use a list")
    assert mapping == {"mapping": {"contact_list_id": "123"}}
    change(folder, {}, {"mapping": {"contact_list_id": existing}})
    assert deliver(sandbox) == {"Old name": {mail("ann"), mail("bob")}}


def test_consent_and_single_events(folder: Path, sandbox: tuple[Sandbox, str]) -> None:
    change(folder, switch("send only with consent"), {})
    refused = {"consent": {"categoryPreferences": {"Advertising": False}}}
    excluded = json.loads("{" + SWITCHES["leave out single events"] + "}")
    write_events(member("ann"), member("bob", context=refused), member("cid", **excluded))
    assert deliver(sandbox) == {"spring": {mail("ann")}}


@pytest.mark.usefixtures("folder")
def test_all_events_without_a_change(sandbox: tuple[Sandbox, str]) -> None:
    option = SWITCHES["send all events, also without a change"]
    deliver(sandbox, "--store", "sqlite:ledger.db")
    before = len(sandbox[0].requests)
    deliver(sandbox, "--store", "sqlite:ledger.db", "--restart")
    unchanged = len(sandbox[0].requests)
    deliver(sandbox, "--store", "sqlite:ledger.db", "--restart", option)
    assert unchanged == before < len(sandbox[0].requests)
