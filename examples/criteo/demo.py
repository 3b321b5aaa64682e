"""Deliver a generated file of events to the Criteo sandbox, and verify the audiences.

`make demo` runs this. The sandbox is a separate process on the loopback address; nothing leaves the
machine.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import IO

HERE = Path(__file__).parent
FOLDER = Path("demo")
ACTIONS = (sys.executable, "-m", "framework")
ACCESS = {"CRITEO_CLIENT_ID": "demo-app", "CRITEO_CLIENT_SECRET": "demo-secret"}


def history(file: Path) -> dict[str, set[str]]:
    """Return the expected members of each audience, by applying the events one at a time.

    Members are hashed addresses, as the connection file configures.
    """
    members: dict[str, set[str]] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            event = json.loads(line)
            name, traits = event["event"], event["context"]["traits"]
            email, audience = traits["email"].strip().lower(), event["properties"]["audience_key"]
        except (ValueError, KeyError, TypeError):
            continue
        local, _, domain = email.partition("@")
        if not local or " " in email or "." not in domain or "@" in domain:
            continue
        of_audience = members.setdefault(audience, set())
        sent = hashlib.sha256(email.encode()).hexdigest()
        (of_audience.add if name == "Audience Entered" else of_audience.discard)(sent)
    return members


def members_at(url: str) -> dict[str, set[str]]:
    """Return the members in the sandbox, by audience."""
    with urllib.request.urlopen(f"{url}/__sandbox/state?detail=members") as answer:  # noqa: S310
        state = json.load(answer)
    return {
        segment["name"]: {one for kind in segment["members"].values() for one in kind}
        for segment in state["segments"]
    }


def start_sandbox() -> tuple[subprocess.Popen[str], str]:
    """Start the sandbox; return its process and its URL."""
    process = subprocess.Popen(
        [*ACTIONS, "sandbox", "criteo", "--port", "0", "--advertiser", "12345",
         "--client-id", ACCESS["CRITEO_CLIENT_ID"],
         "--client-secret", ACCESS["CRITEO_CLIENT_SECRET"]],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    return process, address(process.stdout)


def address(lines: IO[str]) -> str:
    """Return the first loopback URL in the output of a server."""
    for line in lines:
        for word in line.split():
            if word.startswith("http://127.0.0.1:"):
                return word.rstrip("/.,;")
    raise SystemExit("The sandbox did not start.")


def deliver(events: Path, url: str) -> int:
    """Run the delivery as an operator would; return its exit code."""
    command = [
        *ACTIONS, "run", "--connection", os.path.relpath(HERE / "criteo.connection.yaml"),
        "--events", str(events), "--endpoint", f"https://api.criteo.com={url}",
        "--outcomes", str(FOLDER / "outcomes.ndjson"),
        "--checkpoint", str(FOLDER / "events.checkpoint"), "--restart",
    ]  # fmt: skip
    print("$ actions", *command[3:], "\n", flush=True)
    return subprocess.run(command, env={**os.environ, **ACCESS}, check=False).returncode


def main() -> None:
    """Generate events, deliver them and verify the audiences."""
    FOLDER.mkdir(exist_ok=True)
    events = FOLDER / "events.ndjson"
    subprocess.run(
        [sys.executable, HERE / "make_events.py", "--count", "100000", "--out", events], check=True
    )
    print(f"Wrote 100,000 lines of events to {events}.\n")
    process, url = start_sandbox()
    try:
        print(f"The Criteo sandbox runs at {url} (open it to watch the audiences grow).\n")
        status = deliver(events, url)
        print(f"\n(Exit code {status}: the file contains invalid lines on purpose, see the table.)")
        expected, found = history(events), members_at(url)
        if expected != found:
            raise SystemExit("\nThe audiences differ from the history of events.")
        print("\nVerified: the audiences match the history of events exactly:")
        for audience, people in sorted(found.items()):
            print(f"  {audience}: {len(people):,} members")
        print(f"\nResults by event and subscription: {FOLDER / 'outcomes.ndjson'}")
        if sys.stdin.isatty():
            input(f"Sandbox page: {url} - press Enter to stop the sandbox. ")
        else:
            print(f"The sandbox page was at {url}; run `make demo` in a terminal to view it.")
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
