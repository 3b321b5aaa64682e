"""Runs against the Criteo sandbox: events, connections and expected results."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import httpx

from destinations import criteo_audiences
from destinations.criteo_audiences.sandbox import CriteoSandbox
from framework import Connection, Subscription, connect, open_plugin
from framework.delivery import Cache, Client, Throttle
from framework.events import EventFile
from framework.relay import Summary, run_file
from framework.sandbox import FrozenClock, SandboxTransport

ADD, REMOVE = "Add users to Audience", "Remove users from Audience"
Members: TypeAlias = dict[str, set[str]]
Outcome: TypeAlias = tuple[int, str | None]
"""The line of an event and the subscription that it has an outcome of."""


class Time:
    """The sandbox's clock for deliveries; sleeping takes no time."""

    def __init__(self, clock: FrozenClock) -> None:
        self._clock = clock

    def monotonic(self) -> float:
        return self._clock.time()

    def time(self) -> float:
        return self._clock.time()

    def sleep(self, seconds: float, /) -> None:
        self._clock.move(seconds)


def event(email: Any, audience: Any = "spring", *, enters: bool = True) -> dict[str, Any]:
    """Return the event of a user who enters or leaves an audience."""
    return {
        "type": "track",
        "event": "Audience Entered" if enters else "Audience Exited",
        "messageId": f"{audience}-{email}",
        "context": {"traits": {"email": email}},
        "properties": {"audience_key": audience},
    }


def write(path: Path, lines: Iterable[Any]) -> Path:
    """Write events as JSON lines, and bytes unchanged."""
    path.write_bytes(
        b"".join(
            (line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n"
            for line in lines
        )
    )
    return path


def subscriptions(**mapping: Any) -> list[Subscription]:
    """Return both subscriptions of a new connection, with additions to their mappings."""
    return [
        Subscription(action=action, name=name, mapping=mapping)
        for action, name in (("addUserToAudience", ADD), ("removeUserFromAudience", REMOVE))
    ]


def opened(
    criteo: CriteoSandbox,
    transport: httpx.BaseTransport | None = None,
    settings: Mapping[str, Any] | None = None,
    **mapping: Any,
) -> Connection:
    """Open a connection to *criteo* with the sandbox's clock; *mapping* applies to all actions."""
    assert isinstance(criteo.clock, FrozenClock)
    return connect(
        open_plugin(criteo_audiences),
        {**criteo.settings(), **(settings or {})},
        subscriptions(**mapping),
        transport=transport or SandboxTransport(criteo),
        clock=Time(criteo.clock),
        strict=True,
    )


def reopened(
    connection: Connection, criteo: CriteoSandbox, wire: httpx.BaseTransport
) -> Connection:
    """Return a connection as a new process has it, without compiling its subscriptions again."""
    assert isinstance(criteo.clock, FrozenClock)
    plugin, time = connection.plugin, Time(criteo.clock)
    client = Client(
        auth=plugin.call("auth", settings=connection.settings),
        transport=wire,
        throttle=Throttle(plugin.definition.rate, clock=time),
        clock=time,
        redactor=connection.redactor,
        error_reader=lambda response: plugin.call("describe_error", response=response),
    )
    hook_runner = replace(connection.hook_runner, client=client, cache=Cache(time.monotonic))
    return Connection(plugin, connection.settings, connection.subscriptions, hook_runner)


def run(connection: Connection, events: str | Path, **options: Any) -> Summary:
    """Deliver the events of a file over *connection*."""
    with EventFile(events) as source:
        return run_file(connection, source, **options)


def members_of(criteo: CriteoSandbox) -> Members:
    """Return the members of all contact lists that are not empty, by name."""
    segments = criteo.describe("members")["segments"]
    held = {one["name"]: set(one["members"].get("email", ())) for one in segments}
    return {name: people for name, people in held.items() if people}


def members_after(events: Iterable[Any]) -> Members:
    """Return the members of audiences after applying well-formed *events* one at a time."""
    held: Members = {}
    for one in events:
        people = held.setdefault(one["properties"]["audience_key"], set())
        email = one["context"]["traits"]["email"].strip().lower()
        (people.add if one["event"] == "Audience Entered" else people.discard)(email)
    return {name: people for name, people in held.items() if people}


def rows_of(outcomes: Path) -> list[dict[str, Any]]:
    """Return the lines of an outcome file."""
    return [json.loads(line) for line in outcomes.read_bytes().splitlines()]


def counted(outcomes: Path) -> Counter[Outcome]:
    """Count the outcomes in a file by subscription and kind."""
    return Counter((row["line"], row["subscription"]) for row in rows_of(outcomes))


def each_once(events: Iterable[int], rejected: Iterable[int] = ()) -> Counter[Outcome]:
    """Count what an outcome file must hold: *events* and *rejected* are numbers of lines."""
    wanted: Counter[Outcome] = Counter((line, name) for line in events for name in (ADD, REMOVE))
    wanted.update((line, None) for line in rejected)
    return wanted
