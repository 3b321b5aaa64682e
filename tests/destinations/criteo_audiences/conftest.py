"""The Criteo sandbox, and a record of all requests to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import httpx
import pytest

from destinations import criteo_audiences
from destinations.criteo_audiences.actions import (
    CriteoSettings,
    Membership,
    auth,
    describe_error,
    identify,
    perform_batch,
)
from destinations.criteo_audiences.api import Criteo
from destinations.criteo_audiences.refusals import describe
from destinations.criteo_audiences.sandbox import CriteoSandbox
from framework import (
    Action,
    Columns,
    Connection,
    Failed,
    Result,
    Subscription,
    connect,
    open_plugin,
)
from framework.definition import values_of
from framework.delivery import Cache, Client, Retry
from framework.sandbox import FrozenClock, SandboxTransport

Answer: TypeAlias = tuple[int, Any]
"""Status and body: JSON, or a text as it is."""


class Time:
    """The sandbox's clock for deliveries; sleeping takes no time."""

    def __init__(self, clock: FrozenClock) -> None:
        self._clock = clock
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self._clock.time()

    def time(self) -> float:
        return self._clock.time()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._clock.move(seconds)


class Wire(httpx.BaseTransport):
    """Carries requests to the sandbox and keeps them: `calls` as short texts, `bodies` as JSON."""

    def __init__(self, sandbox: CriteoSandbox) -> None:
        self.requests: list[httpx.Request] = []
        self.serve(sandbox)

    def serve(self, sandbox: CriteoSandbox) -> None:
        """Send requests to *sandbox* from now on."""
        self._transport = SandboxTransport(sandbox)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        return self._transport.handle_request(request)

    @property
    def calls(self) -> list[str]:
        """All requests except for tokens, without version and common path."""
        common = "/marketing-solutions/audience-segments/"
        return [
            f"{request.method} {target.partition(common)[2] or target}"
            for request in self.requests
            if (target := request.url.raw_path.decode()) != "/oauth2/token"
        ]

    @property
    def tokens(self) -> int:
        """The number of token requests."""
        return sum(request.url.path == "/oauth2/token" for request in self.requests)

    @property
    def amendments(self) -> list[dict[str, Any]]:
        """The attributes of every amendment."""
        return [
            json.loads(request.content)["data"]["attributes"]
            for request in self.requests
            if request.url.path.endswith("/contact-list")
        ]

    @property
    def sent(self) -> list[tuple[str, list[str]]]:
        """Operation and identifiers of every amendment."""
        return [(one["operation"], one["identifiers"]) for one in self.amendments]


class Script(httpx.BaseTransport):
    """Scripted responses in order, and the requests that they answered."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.requests: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        status, body = self._answers.pop(0)
        content = body if isinstance(body, str) else json.dumps(body)
        return httpx.Response(status, content=content.encode())

    @property
    def offsets(self) -> list[str]:
        """The offset of every search."""
        return [request.url.params["offset"] for request in self.requests]


Speak: TypeAlias = Callable[..., tuple[Criteo, Script]]


class Bench:
    """The destination's functions with a real client and no pipeline; only time is simulated."""

    def __init__(self, criteo: CriteoSandbox, wire: Wire, time: Time) -> None:
        self.criteo, self.wire, self.time = criteo, wire, time
        self.cache = Cache(time.monotonic)
        self.forgotten = 0
        self.connect(CriteoSettings(**criteo.settings()))

    def connect(self, settings: CriteoSettings) -> None:
        """Use other settings with a new client."""
        self.settings = settings
        credentials = auth(settings)
        credentials._clock = self.time  # type: ignore[attr-defined]  # ages with the sandbox
        self.client = Client(
            auth=credentials,
            transport=self.wire,
            retry=Retry(attempts=2),
            clock=self.time,
            error_reader=describe_error,
        )

    def forget_members(self) -> None:
        """Count the times at which the members of a list are forgotten."""
        self.forgotten += 1

    def perform(self, action: Action, *emails: str, **fields: Any) -> list[Result]:
        """Send one batch of *emails* to the audience `spring` and return its results."""
        common = {"audience_key": "spring", **fields}
        return self.send(action, [Membership(email=email, **common) for email in emails])

    def send(self, action: Action, payloads: list[Membership]) -> list[Result]:
        """Send one batch and return its results."""
        columns = Columns(action, len(payloads), objects=list(map(values_of, payloads)))
        identifiers = [one for one in identify(columns) if not isinstance(one, Failed)]
        assert len(identifiers) == len(payloads)
        assert action.batching
        ((values, _),) = columns.runs(*action.batching.keys)
        key = dict(zip(action.batching.keys, values, strict=True))
        found = perform_batch(
            action, self.client, self.settings, identifiers, key, self.cache, self.forget_members
        )
        return found if isinstance(found, list) else [found] * len(payloads)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def time(clock: FrozenClock) -> Time:
    return Time(clock)


@pytest.fixture
def criteo(clock: FrozenClock) -> CriteoSandbox:
    return CriteoSandbox(clock=clock)


@pytest.fixture
def wire(criteo: CriteoSandbox) -> Wire:
    return Wire(criteo)


@pytest.fixture
def bench(criteo: CriteoSandbox, wire: Wire, time: Time) -> Iterator[Bench]:
    opened = Bench(criteo, wire, time)
    yield opened
    opened.client.close()


@pytest.fixture
def speak() -> Iterator[Speak]:
    """Open an API whose responses are scripted; nothing is retried."""
    clients = []

    def opened(*answers: Answer) -> tuple[Criteo, Script]:
        script = Script(*answers)
        clients.append(Client(transport=script, retry=Retry.never(), error_reader=describe))
        return Criteo(clients[-1], "2026-07"), script

    yield opened
    for client in clients:
        client.close()


Connect: TypeAlias = Callable[..., Connection]


def connection(
    criteo: CriteoSandbox, wire: Wire, time: Time, *subscriptions: Subscription
) -> Connection:
    """Open a whole connection, by default with the preset subscriptions."""
    plugin = open_plugin(criteo_audiences)
    chosen = subscriptions or None
    return connect(plugin, criteo.settings(), chosen, transport=wire, clock=time, strict=True)


@pytest.fixture
def connected(criteo: CriteoSandbox, wire: Wire, time: Time) -> Iterator[Connect]:
    """Open connections, which are closed afterwards."""
    opened = []

    def open_one(*subscriptions: Subscription) -> Connection:
        opened.append(connection(criteo, wire, time, *subscriptions))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()
