"""A store that a relay and a run have filled, with the connection file of the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from framework.cli.app import actions
from framework.plugins import load_plugins
from framework.relay import DeadLetter, SQLiteStore
from framework.sandbox import serve

CONNECTION = """\
destination: actions-criteo-audiences
name: spring
settings: {advertiser_id: "12345", client_id: an-app, client_secret: any}
subscriptions:
  - {name: Add, partnerAction: addUserToAudience}
  - {name: Remove, partnerAction: removeUserFromAudience}
"""
ADA = "ada@example.com"


def member(email: str, *, entered: bool = True) -> dict[str, Any]:
    """Return the event by which somebody enters the audience `spring_sale`, or exits."""
    return {
        "type": "track",
        "event": f"Audience {'Entered' if entered else 'Exited'}",
        "context": {"traits": {"email": email}},
        "properties": {"audience_key": "spring_sale"},
    }


def fill(folder: Path) -> None:
    """Create `spring.connection.yaml`, and `events.db` with an audience and a dead letter."""
    file, events = folder / "spring.connection.yaml", folder / "events.ndjson"
    file.write_text(CONNECTION, encoding="utf-8")
    people = [member(ADA), member("alan@example.com"), member("alan@example.com", entered=False)]
    events.write_text("".join(f"{json.dumps(one)}\n" for one in people), encoding="utf-8")
    pretend = load_plugins().get("criteo").call("sandbox")
    pretend.admit({"advertiser_id": "12345", "client_id": "an-app", "client_secret": "any"})
    with SQLiteStore(folder / "events.db") as store:
        store.append("live", [json.dumps(member(ADA)).encode()], [None])
        owner = store.own("relayed", "live", from_start=True)
        assert owner
        letter = DeadLetter(
            connection="relayed",
            line=1,
            subscription="Add",
            event=json.dumps(member(ADA)).encode(),
            code="NO_LIST",
            outcome={"outcome": "failed", "status": 404, "code": "NO_LIST", "message": "Gone."},
            message_id="m1",
        )
        owner.save(0, b"", [letter])
        owner.release()
    with serve(pretend) as server:
        command = ["run", "-c", file, "-e", events, "--store", f"sqlite:{folder / 'events.db'}"]
        endpoint = ["--endpoint", f"https://api.criteo.com={server.url}", "--quiet"]
        ran = CliRunner().invoke(actions, [*map(str, command), *endpoint])
    assert ran.exit_code == 0, ran.output
