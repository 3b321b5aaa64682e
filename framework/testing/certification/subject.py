"""The destination under test: its settings, sample events, connections and what they do."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import httpx

from framework.clock import FrozenClock
from framework.definition import Action, Field, Subscription
from framework.delivery import (
    Connection,
    Implementation,
    KeptAudiences,
    OfflinePlugin,
    Report,
    Retry,
    connect,
)
from framework.paths import JSON, Event
from framework.plugins import Plugin
from framework.results import Delivered, Failed, Result
from framework.samples import EVERY_EVENT, generate_payload
from framework.sandbox import Sandbox, SandboxTransport
from framework.testing.certification.sample_events import SampleEvents
from framework.testing.certification.scripted_partner import (
    AcceptingPartner,
    Script,
    ScriptedPartner,
    SeenRequest,
    TooManyRequestsError,
)

DEFECTS: Final = frozenset({"INTERNAL_ERROR", "RESULT_COUNT", "RESULT_TYPE", "HALTED"})
"""Codes of failures that are mistakes of the destination, whatever event and partner did."""

MOST_POLLS: Final = 30
"""Questions for a job that a partner may need to finish it."""

_NOT_MAPPED: Final[JSON] = {"@path": "$.not-mapped"}
_OTHERS: Final = frozenset({"httpx", "httpcore", "asyncio"})


class AbandonedCheckError(Exception):
    """The check took too long, and nobody waits for it."""


@dataclass
class Captured:
    """What a destination wrote by itself: prints, and records of loggers other than its own."""

    printed: io.StringIO = field(default_factory=io.StringIO)
    records: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All of it."""
        return "\n".join([self.printed.getvalue(), *self.records])


@dataclass
class Outcome:
    """What a delivery did: a result per event in order, requests, report and seconds it took.

    The first requests, *submitted* of them, sent the events; those after them asked for jobs.
    """

    results: list[Result | None]
    partner: ScriptedPartner
    report: Report
    seconds: float
    captured: Captured
    submitted: int

    @property
    def effects(self) -> list[tuple[str, str, bytes]]:
        """What the requests said that are not for a token, without headers."""
        return [one.effect for one in self.partner.calls]

    @property
    def identifiers(self) -> list[str | None]:
        """The identifiers of the events, where they have one."""
        return [item.identifier for item in self.report.items]

    @property
    def all_delivered(self) -> bool:
        """Whether every event was delivered."""
        return all(isinstance(one, Delivered) for one in self.results)

    @property
    def defects(self) -> Iterator[Failed]:
        """The failures that are mistakes of the destination."""
        for result in self.results:
            if isinstance(result, Failed) and result.code in DEFECTS:
                yield result


class Subject(SampleEvents):
    """A destination with settings, ready to be tried in every way; nothing reaches the network."""

    def __init__(self, plugin: Plugin, settings: Mapping[str, Any] | None, seed: int) -> None:
        super().__init__(plugin.definition, seed)
        self.plugin = plugin
        self.abandoned = False
        self._said = ""
        self._given = settings

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """The settings given, those of the sandbox, or generated ones."""
        if self._given is not None:
            return self._given
        if self.plugin.implements("sandbox"):
            return dict(self.sandbox().settings())
        found = generate_payload(self.definition.settings_fields, self.seed)
        secrets = dict(self._secret_fields(self.definition.settings_fields))
        for key, entry in secrets.items():
            if entry.type in {"string", "password", "text"} and not entry.choices:
                found[key] = f"certified-secret-{key}"
        return found

    @cached_property
    def secrets(self) -> list[str]:
        """The values of secret settings."""
        fields = self._secret_fields(self.definition.settings_fields)
        values = [self.settings.get(key) for key, _ in fields]
        texts = [value for value in values if isinstance(value, str)]
        for value in values:
            if isinstance(value, Mapping):
                texts += [one for one in value.values() if isinstance(one, str)]
        return [text for text in texts if len(text) >= 4]

    @property
    def module(self) -> str:
        """The name of the package that implements the destination."""
        hook = self.plugin.manager.hook.destination.get_hookimpls()[-1]
        return str(hook.function.__module__)

    def sandbox(self) -> Sandbox:
        """Return a new sandbox, which accepts the settings that were given."""
        found: Sandbox = self.plugin.call("sandbox")
        if self._given is not None:
            found.admit(self._given)
        return found

    @cached_property
    def has_resource(self) -> bool:
        """Whether the sandbox replaces what the destination opens."""
        implemented = self.plugin.implements("sandbox")
        return implemented and type(self.sandbox()).resource is not Sandbox.resource

    def partner(
        self, script: Script | None = None, clock: FrozenClock | None = None
    ) -> ScriptedPartner:
        """Return a new partner: the destination's sandbox, or one that accepts everything."""
        clock = clock or FrozenClock()
        if not self.plugin.implements("sandbox"):
            return ScriptedPartner(AcceptingPartner(clock), script)
        sandbox = self.sandbox()
        sandbox.clock = clock
        resource = sandbox.resource if self.has_resource else None
        return ScriptedPartner(SandboxTransport(sandbox), script, resource)

    def connect(  # noqa: PLR0913 - each replaces one part of the connection
        self,
        partner: ScriptedPartner,
        action: Action | None = None,
        clock: FrozenClock | None = None,
        settings: Mapping[str, Any] | None = None,
        *,
        blank: Collection[str] = (),
        audiences: KeptAudiences | None = None,
        dry: bool = False,
        plugin: Implementation | None = None,
    ) -> Connection:
        """Return a connection for one action, or for none.

        The mapping leaves the fields *blank* empty. In a *dry* run, a destination with a resource
        is not called. *plugin* is another view of the destination.
        """
        chosen: list[Subscription] = []
        if action is not None:
            chosen = [
                Subscription(
                    action=action.slug,
                    trigger=EVERY_EVENT,
                    mapping={**self.mapping(action), **dict.fromkeys(blank, _NOT_MAPPED)},
                    mapping_version=action.mapping_version,
                )
            ]
        by_client = self.definition.transport == "http"
        used = plugin or self.plugin
        with self.capture() as captured:
            connection = connect(
                used if by_client or dry else OfflinePlugin(used),
                self.settings if settings is None else settings,
                chosen,
                transport=partner,
                retry=Retry.never(),
                clock=clock or FrozenClock(),
                audiences=audiences,
                resource=partner.opener,
                offline=by_client or dry,
            )
        self._said = captured.text
        return connection

    def deliver(
        self,
        action: Action,
        events: Sequence[Event],
        script: Script | None = None,
        settings: Mapping[str, Any] | None = None,
        *,
        blank: Collection[str] = (),
    ) -> Outcome:
        """Deliver events on a connection of its own, to a partner of its own."""
        clock = FrozenClock()
        partner = self.prepared(action, events, script, clock)
        with self.connect(partner, action, clock, settings, blank=blank) as connection:
            return self.deliver_on(connection, events, partner)

    def prepared(
        self,
        action: Action,
        events: Sequence[Event],
        script: Script | None = None,
        clock: FrozenClock | None = None,
    ) -> ScriptedPartner:
        """Return a new partner; before an action that removes, it has the people of *events*."""
        clock = clock or FrozenClock()
        partner = self.partner(None, clock)
        adding = self._adding(action)
        if adding is not None and events:
            with self.connect(partner, adding, clock) as connection:
                self.deliver_on(connection, events, partner)
        partner.seen.clear()
        partner.script = script
        return partner

    def _adding(self, action: Action) -> Action | None:
        """Return the action that adds to the audiences from which *action* removes."""
        if action.membership is not False or action.batching is None:
            return None
        for other in self.definition.actions:
            if other.membership and other.batching and other.batching.lane == action.batching.lane:
                return other
        return None

    def deliver_on(
        self, connection: Connection, events: Sequence[Event], partner: ScriptedPartner
    ) -> Outcome:
        """Deliver events on a connection, and ask for jobs until they are finished."""
        begun = time.perf_counter()
        with self.capture() as captured:
            report = connection.deliver(copy.deepcopy(list(events)))
            submitted = len(partner.calls)
            for _ in range(MOST_POLLS):
                if not connection.number_of_jobs:
                    break
                connection.poll()
        seconds = time.perf_counter() - begun
        captured.records.append(self._said)
        return Outcome(report.results, partner, report, seconds, captured, submitted)

    @contextlib.contextmanager
    def capture(self) -> Iterator[Captured]:
        """Capture what the destination prints and logs by itself.

        Raises AbandonedCheckError if nobody waits for the check any more.
        """
        if self.abandoned:
            raise AbandonedCheckError
        captured = Captured()
        handler = _Collecting(captured.records)
        root = logging.getLogger()
        level = root.level
        root.addHandler(handler)
        root.setLevel(logging.DEBUG)
        printed = captured.printed
        try:
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
                yield captured
        finally:
            root.removeHandler(handler)
            root.setLevel(level)

    def baseline(self, action: Action) -> Outcome:
        """Return what a delivery of three events does that nothing disturbs."""
        known = self._baselines.get(action.slug)
        if known is None:
            known = self._baselines[action.slug] = self.deliver(action, self.events(action, 3))
        return known

    @cached_property
    def _baselines(self) -> dict[str, Outcome]:
        return {}

    @staticmethod
    def _secret_fields(fields: Mapping[str, Field]) -> Iterator[tuple[str, Field]]:
        for key, entry in fields.items():
            if entry.secret or entry.type == "password":
                yield key, entry


def answer_of(
    connection: Connection,
    name: str,
    function: Callable[[Any], Any],
    call: Any,
    action: Action | None = None,
) -> Any:
    """Return what a function of a destination returns, or the exception that it raises.

    It is called as deliveries call it, with the client that the connection gives it.
    """
    answers: list[Any] = []

    def answering(given: Any) -> Any:
        try:
            answers.append(function(given))
        except BaseException as error:
            answers.append(error)
            raise
        return answers[-1]

    try:
        found = connection.hook_runner.call_renewing(name, answering, call, action=action)
    except TooManyRequestsError as error:
        return error
    return answers[-1] if answers else found


class _Collecting(logging.Handler):
    """Collects the records of loggers that the framework does not clean."""

    def __init__(self, records: list[str]) -> None:
        super().__init__(logging.DEBUG)
        self._records = records

    def emit(self, record: logging.LogRecord) -> None:
        """Collect a record, unless it is the framework's or a library's."""
        name = record.name.partition(".")[0]
        if name not in _OTHERS and name != "action_destinations":
            self._records.append(record.getMessage())


def shown(text: object, most: int = 160) -> str:
    """Return the beginning of a text, on one line."""
    line = " ".join(str(text).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def every_text(value: Any) -> Iterator[str]:
    """Yield all texts in a JSON value, long enough to be recognised."""
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from every_text(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from every_text(inner)
    elif isinstance(value, str) and len(value) >= 6:
        yield value


def json_response(body: JSON, status: int = 200, **headers: str) -> httpx.Response:
    """Return a response with a JSON body."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    content = json.dumps(body).encode()
    return httpx.Response(
        status, content=content, headers={"Content-Type": "application/json", **named}
    )


def failing_from(place: int, status: int, **headers: str) -> Script:
    """Return a script that answers each call from the *place*-th on with an error."""

    def script(seen: SeenRequest) -> httpx.Response | None:
        if seen.is_for_token or seen.place < place:
            return None
        return json_response({"error": "certification"}, status, **headers)

    return script
