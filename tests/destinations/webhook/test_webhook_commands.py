"""The webhook by command: a run over a file, its preview, and the checks before it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from click.testing import CliRunner, Result

from destinations.webhook.receiver import WebhookReceiver
from framework.cli import exits
from framework.cli.app import actions
from framework.sandbox import Server, serve

Actions: TypeAlias = Callable[..., Result]

CONNECTION = """\
destination: webhook
settings:
  url: URL
  secret_headers: {authorization: "Bearer ${env:TOKEN}"}
  sharedSecret: ${env:SECRET}
  signature: standard
  delete_url: forget
subscriptions:
  - partnerAction: addToAudience
    mapping:
      url: add
      audience: vip
      data: {email: {"@path": $.context.traits.email}}
      hash_fields: [email]
      enable_batching: true
  - partnerAction: removeFromAudience
    mapping:
      url: remove
      audience: vip
      data: {email: {"@path": $.context.traits.email}}
      hash_fields: [email]
      enable_batching: true
"""


def event(number: int, name: str, user: str) -> dict[str, Any]:
    return {
        "type": "track",
        "event": f"Audience {name}",
        "messageId": f"m-{number}",
        "userId": user,
        "context": {"traits": {"email": f"{user}@example.org"}},
    }


@pytest.fixture
def receiver() -> WebhookReceiver:
    return WebhookReceiver()


@pytest.fixture
def server(receiver: WebhookReceiver) -> Iterator[Server]:
    with serve(receiver) as server:
        yield server


@pytest.fixture
def folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, receiver: WebhookReceiver, server: Server
) -> Path:
    """Give a folder with a connection to the receiver, and events."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOKEN", "T0KEN-of-ours")
    monkeypatch.setenv("SECRET", "whsec_c2VzYW1lLXNlc2FtZQ==")
    Path("hook.yaml").write_text(CONNECTION.replace("URL", f"{server.url}/v1"))
    events = [event(n, "Entered", f"u{n}") for n in range(1500)]
    events += [event(1500, "Exited", "u1499"), {"type": "delete", "userId": "u1"}]
    Path("events.ndjson").write_text("".join(f"{json.dumps(one)}\n" for one in events))
    Path("event.json").write_text(json.dumps(events[0]))
    receiver.admit({"sharedSecret": "whsec_c2VzYW1lLXNlc2FtZQ==", "signature": "standard"})
    return tmp_path


@pytest.fixture
def run(folder: Path) -> Actions:
    del folder

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(actions, arguments)

    return invoke


FILES = ("--connection", "hook.yaml", "--events", "events.ndjson")


def test_a_file_is_delivered(run: Actions, receiver: WebhookReceiver) -> None:
    """Over plain HTTP, since the receiver is on this machine; who leaves again is only removed."""
    result = run("run", *FILES, "--outcomes", "outcomes.ndjson", "--json")
    assert result.exit_code == exits.DONE, result.output
    paths = [one.path for one in receiver.received]
    assert paths == ["/v1/add", "/v1/add", "/v1/remove", "/v1/forget"]
    sizes = [len(one.payloads) for one in receiver.received]
    assert sorted(sizes) == [1, 1, 499, 1000]
    assert all(one.signed for one in receiver.received)
    assert all(len(row["email"]) == 64 for row in receiver.received[0].payloads)
    written = Path("outcomes.ndjson").read_text() + result.output
    assert "T0KEN" not in written
    assert "example.org" not in written


def test_a_dry_run_shows_the_requests_and_sends_none(
    run: Actions, receiver: WebhookReceiver
) -> None:
    result = run("explain", "--connection", "hook.yaml", "--event", "event.json", "--sandbox")
    assert result.exit_code == exits.DONE, result.output
    assert "/v1/add" in result.output
    assert "T0KEN" not in result.output
    dry = run("run", *FILES, "--dry-run")
    assert dry.exit_code == exits.DONE, dry.output
    assert receiver.received == []


def test_the_connection_is_checked(run: Actions, receiver: WebhookReceiver) -> None:
    assert run("validate", "hook.yaml").exit_code == exits.DONE
    assert run("check-auth", "--connection", "hook.yaml").exit_code == exits.DONE
    assert receiver.received == []
    text = Path("hook.yaml").read_text()
    Path("plain.yaml").write_text(text.replace("http://127.0.0.1", "http://plain.example"))
    refused = run("check-auth", "--connection", "plain.yaml")
    assert refused.exit_code == exits.REFUSED
    assert "`plain.example` would be called without encryption." in refused.output
    Path("slip.yaml").write_text(text.replace("[email]", "[emial]", 1))
    slip = run("validate", "slip.yaml")
    assert slip.exit_code == exits.FAILED
    assert "`hash_fields` names `emial`, which `data` does not have." in slip.output


def test_the_page_of_the_webhook_hides_no_setting(run: Actions) -> None:
    result = run("docs", "webhook")
    assert "| Secret Headers | `secret_headers` | object |" in result.output
    assert "- Events of type `delete` delete the user at the partner." in result.output
