"""The state of a tester: the destinations, the connection file, the sandboxes and the examples."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, Protocol, TypeAlias

import httpx

from framework.config import Case, ConnectionFile, parse_connection
from framework.definition import (
    Destination,
    DestinationFilter,
    Subscription,
    read_filters,
    secret_texts,
    starting_subscriptions,
    subscription_from_wire,
)
from framework.delivery import (
    Connection,
    DryRun,
    KeptAudiences,
    KeptTokens,
    PluginStore,
    Redactor,
    Retry,
    Throttle,
    connect,
    keeps_state,
    make_transport,
)
from framework.delivery_options import DeliveryOptions
from framework.errors import FrameworkError, UnknownNameError
from framework.explain import CaseResult, run_case
from framework.paths import JSON, Event
from framework.plugins import Plugin, Registry
from framework.relay import (
    EventStore,
    StateFile,
    keep_outputs,
    outputs_key,
    rotated_tokens,
    state_path,
    with_kept_outputs,
)
from framework.sandbox import Sandbox, SandboxTransport
from framework.tester.problems_json import ApiRefusal

Mode: TypeAlias = Literal["sandbox", "dry", "live"]

MAX_EXAMPLES: Final = 200


@dataclass(frozen=True)
class Setup:
    """The options of the tester.

    *destination* is the slug of the first destination, *file* the connection file, *examples* the
    file of saved events, *follows* the outcome file of a followed run, *store* that of a relay.
    """

    registry: Registry
    destination: str | None = None
    file: ConnectionFile | None = field(default=None, repr=False)
    examples: Path | None = None
    follows: Path | None = None
    reload: bool = False
    store: EventStore | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Chosen:
    """The connection of a request, with missing secrets filled in."""

    plugin: Plugin
    settings: Mapping[str, Any] = field(repr=False)
    subscriptions: tuple[Subscription, ...]
    redactor: Redactor = field(repr=False)
    consent: tuple[str, ...] = ()
    filters: tuple[DestinationFilter, ...] = ()
    features: Mapping[str, Any] = field(default_factory=dict)
    audience_settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)

    def run(self, case: Case) -> CaseResult:
        """Deliver the events of a test to a new sandbox; see `run_case`."""
        return run_case(
            self.plugin,
            self.settings,
            self.subscriptions,
            case,
            consent=self.consent,
            filters=self.filters,
            audience_settings=self.audience_settings,
            features=self.features,
        )

    @property
    def slug(self) -> str:
        """The destination's slug."""
        return self.plugin.definition.slug


class Closing(Protocol):
    """What is open until it is closed."""

    def close(self) -> None:
        """Close it."""


class KnownFile(NamedTuple):
    """The connection file: path, *text*, digest, and its content with what hooks returned.

    If the text has *problems*, the content is that of an earlier text.
    """

    path: Path
    text: str
    digest: str
    with_outputs: ConnectionFile
    problems: tuple[str, ...] = ()


class Workspace:
    """The state of one tester; thread-safe."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.file = setup.file
        self._lock = threading.Lock()
        self._sandboxes: dict[str, Sandbox] = {}
        self._audiences: dict[str, SandboxAudiences] = {}
        self._runs: dict[str, Closing] = {}

    def plugin(self, slug: str) -> Plugin:
        """Return a destination; raises ApiRefusal 404."""
        try:
            return self.setup.registry.get(slug)
        except UnknownNameError as error:
            raise ApiRefusal.of(404, "UNKNOWN_DESTINATION", error) from None

    def choose(self, raw: Mapping[str, Any], *, kept: bool = True) -> Chosen:
        """Read the connection of a request; raises ApiRefusal.

        Unless *kept*, the secrets of the connection file are not filled in.
        """
        plugin = self.plugin(raw["destination"])
        given = raw.get("settings", {})
        settings = self._settings(plugin.definition, given) if kept else dict(given)
        redactor = Redactor(secret_texts(plugin.definition.settings_fields, settings))
        if "subscriptions" in raw:
            subscriptions = tuple(read_subscriptions(raw["subscriptions"], redactor))
        else:
            subscriptions = starting_subscriptions(plugin.definition)
        consent = tuple(raw.get("consent", {}).get("categories", ()))
        filters = read_given_filters(raw.get("filters", ()), redactor)
        features = self.file.features if self.file else {}
        audiences = self.file.audiences if self.file else {}
        return Chosen(
            plugin, settings, subscriptions, redactor, consent, filters, features, audiences
        )

    @contextmanager
    def open(self, chosen: Chosen, mode: Mode) -> Iterator[Connection]:
        """Open a connection in a mode; raises ApiRefusal with every problem."""
        try:
            connection = self.connect(chosen, mode, self.transport(chosen, mode))
        except FrameworkError as error:
            texts = map(chosen.redactor.hide, getattr(error, "problems", (str(error),)))
            message = chosen.redactor.hide(str(error))
            raise ApiRefusal(400, "INVALID_CONNECTION", message, texts) from None
        with connection:
            yield connection

    def connect(self, chosen: Chosen, mode: Mode, transport: httpx.BaseTransport) -> Connection:
        """Return an open connection without retries, and with rate limits in live mode only.

        Raises SettingsError or ConfigurationError with every problem.
        """
        return connect(
            chosen.plugin,
            chosen.settings,
            chosen.subscriptions,
            filters=chosen.filters,
            consent=chosen.consent,
            options=self._delivery,
            audience_settings=chosen.audience_settings,
            features=chosen.features,
            store=self._plugin_store(chosen, mode),
            transport=transport,
            retry=Retry.never(),
            throttle=None if mode == "live" else Throttle(),
            tokens=self._tokens() if mode == "live" else None,
            audiences=self._kept_audiences(chosen.plugin.definition, mode),
            offline=mode != "live",
        )

    def _tokens(self) -> KeptTokens | None:
        """Return where refresh tokens that the partner replaces are kept, if there is a file."""
        file = self.file
        if file is None or not Path(file.file).is_file():
            return None
        return rotated_tokens(file.file)

    def rate(self, store: EventStore) -> dict[str, float] | None:
        """Return the rate limit of the tester's connection in a store, and the wait for a call."""
        file = self.file
        if file is None:
            return None
        plugin = self.plugin(file.destination)
        limit = plugin.definition.rate
        with connect(
            plugin,
            file.settings,
            (),
            transport=DryRun(),
            clock=store.clock,
            rates=store.rates,
            name=file.name,
            offline=True,
        ) as connection:
            wait = round(connection.hook_runner.client.wait, 1)
        return {"wait": wait, **({"calls": limit.calls, "seconds": limit.seconds} if limit else {})}

    def known_file(self, slug: str) -> KnownFile | None:
        """Return the connection file as it is now, if the tester has one of this destination.

        A file that cannot be read now counts as it was read last. Raises ApiRefusal 409 if that is
        impossible, or if what is kept beside it cannot be read.
        """
        if self.file is None or self.file.destination != slug:
            return None
        path = Path(self.file.file).absolute()
        definition = self.plugin(slug).definition
        try:
            content = path.read_bytes()
            reading = parse_connection(content.decode("utf-8-sig"), str(path), path.parent)
            problems = tuple(one.message for one in reading.diagnostics if one.severity == "error")
            if reading.connection and not self._is_for(reading.connection, slug):
                problems = (f"It is not for `{slug}` any more.",)
            elif reading.connection:
                self.file = replace(reading.connection, destination=slug)
            whole = with_kept_outputs(self.file, definition)
        except FrameworkError as error:
            raise ApiRefusal.of(409, "NOT_KEPT", error) from None
        except (OSError, ValueError):
            message = f"The connection file `{path}` cannot be read."
            raise ApiRefusal(409, "NO_FILE", message) from None
        digest = hashlib.sha256(content).hexdigest()
        return KnownFile(path, content.decode("utf-8-sig"), digest, whole, problems)

    def _is_for(self, file: ConnectionFile, slug: str) -> bool:
        try:
            return self.setup.registry.get(file.destination).definition.slug == slug
        except UnknownNameError:
            return False

    def _kept_audiences(self, definition: Destination, mode: Mode) -> KeptAudiences | None:
        """Return where IDs of audiences are kept: beside the file, or with the sandbox."""
        if definition.audience is None or mode == "dry":
            return None
        if mode == "sandbox":
            return self._audiences.setdefault(definition.slug, SandboxAudiences())
        file = self.file
        if file is None or file.destination != definition.slug or not Path(file.file).is_file():
            return None
        return KeptAudiences(StateFile(state_path(file.file)))

    def _plugin_store(self, chosen: Chosen, mode: Mode) -> PluginStore | None:
        """Return where live calls with the settings of the file keep values: beside it."""
        file, slug = self.file, chosen.slug
        if mode != "live" or not keeps_state(chosen.plugin) or file is None:
            return None
        if file.destination != slug or chosen.settings != file.settings:
            return None
        return PluginStore(StateFile(state_path(file.file)), slug, "")

    def keep_outputs(
        self, chosen: Chosen, subscription: Subscription, outputs: Mapping[str, Any]
    ) -> bool:
        """Keep what hooks returned beside the connection file, if the subscription is in it.

        Raises ApiRefusal 409 if that is not possible.
        """
        file, definition = self.file, chosen.plugin.definition
        if file is None or file.destination != definition.slug:
            return False
        key = outputs_key(definition, subscription)
        if key not in [outputs_key(definition, one) for one in file.subscriptions]:
            return False
        try:
            keep_outputs(file.file, definition, subscription, outputs)
        except FrameworkError as error:
            raise ApiRefusal.of(409, "NOT_KEPT", error) from None
        return True

    def reset(self, slug: str) -> None:
        """Reset the sandbox of a destination, and forget the audiences that it has created."""
        self.sandbox(slug).reset()
        self._audiences.pop(slug, None)

    def sandbox(self, slug: str) -> Sandbox:
        """Return the sandbox of a destination; raises ApiRefusal 409 if there is none."""
        plugin = self.plugin(slug)
        with self._lock:
            if slug not in self._sandboxes:
                self._sandboxes[slug] = self._start(plugin)
            return self._sandboxes[slug]

    def _start(self, plugin: Plugin) -> Sandbox:
        definition, file = plugin.definition, self.file
        if not plugin.implements("sandbox"):
            raise ApiRefusal(
                409, "NO_SANDBOX", f"{definition.name} has no sandbox; a dry run works without one."
            )
        sandbox: Sandbox = plugin.call("sandbox")
        if file is not None and file.destination == definition.slug:
            admit(sandbox, file.settings)
        return sandbox

    @property
    def _delivery(self) -> DeliveryOptions | None:
        """The delivery options of the connection file, if there is one."""
        return self.file.delivery if self.file else None

    def default_mode(self, slug: str) -> Mode:
        """Return the default mode of requests."""
        return "sandbox" if self.plugin(slug).implements("sandbox") else "dry"

    def kept(self, definition: Destination) -> dict[str, Any]:
        """Return the secret settings of a destination in the connection file."""
        file = self.file
        if file is None or file.destination != definition.slug:
            return {}
        fields = definition.settings_fields
        return {
            key: value
            for key, value in file.settings.items()
            if key in fields and fields[key].secret and value
        }

    def _settings(self, definition: Destination, given: Mapping[str, Any]) -> dict[str, Any]:
        said = {key: value for key, value in given.items() if value not in ("", None)}
        return {**given, **self.kept(definition), **said}

    def keep_run(self, name: str, run: Closing) -> None:
        """Keep a run that is not finished, in place of an earlier one, which is closed."""
        with self._lock:
            former, self._runs = self._runs, {name: run}
        for one in former.values():
            one.close()

    def take_run(self, name: str) -> Closing | None:
        """Return a run that is not finished, which is not kept any more; None if it is unknown."""
        with self._lock:
            return self._runs.pop(name, None)

    def admit(self, slug: str, settings: Mapping[str, Any]) -> Sandbox:
        """Make the sandbox of a destination accept *settings*."""
        sandbox = self.sandbox(slug)
        admit(sandbox, self._settings(self.plugin(slug).definition, settings))
        return sandbox

    def transport(self, chosen: Chosen, mode: Mode) -> httpx.BaseTransport:
        """Return the transport of a mode; raises ApiRefusal 409 if there is no sandbox."""
        if mode == "sandbox":
            return SandboxTransport(self.sandbox(chosen.slug))
        return DryRun() if mode == "dry" else make_transport(options=self._delivery)

    def examples(self) -> dict[str, list[Event]]:
        """Return the saved events by name."""
        path = self.setup.examples
        try:
            found = json.loads(path.read_text(encoding="utf-8")) if path else {}
        except (OSError, ValueError):
            return {}
        usable = isinstance(found, dict) and all(isinstance(one, list) for one in found.values())
        return found if usable else {}

    def save(self, name: str, events: Sequence[Event]) -> None:
        """Save events under a name; raises ApiRefusal if that is not possible."""
        with self._lock:
            known = self.examples()
            if len(known) >= MAX_EXAMPLES and name not in known:
                raise ApiRefusal(409, "TOO_MANY", f"There are already {MAX_EXAMPLES} examples.")
            self._write({**known, name: list(events)})

    def forget(self, name: str) -> None:
        """Delete the events under a name; raises ApiRefusal 404."""
        with self._lock:
            known = self.examples()
            if name not in known:
                error = UnknownNameError.of("example", name, known)
                raise ApiRefusal.of(404, "UNKNOWN_EXAMPLE", error)
            del known[name]
            self._write(known)

    def _write(self, examples: Mapping[str, JSON]) -> None:
        path = self.setup.examples
        if path is None:
            raise ApiRefusal(409, "NO_PLACE", "The tester was started without a file for examples.")
        draft = path.with_name(f"{path.name}.new")
        try:
            draft.write_text(json.dumps(examples, indent=2) + "\n", encoding="utf-8")
            draft.replace(path)
        except OSError as error:
            message = f"The examples cannot be written to {path.name}: {error.strerror}."
            raise ApiRefusal(409, "NO_PLACE", message) from None


class SandboxAudiences(KeptAudiences):
    """The IDs of audiences that a sandbox has created, for as long as the tester runs."""

    def __init__(self) -> None:
        self.sent_to = "sandbox"
        self._ids: dict[str, str] = {}
        self._held = threading.Lock()

    def get(self, entry: str) -> str | None:
        """Return a kept ID."""
        return self._ids.get(entry)

    def put(self, entry: str, external_id: str) -> None:
        """Keep an ID."""
        self._ids[entry] = external_id

    def delete(self, entry: str) -> bool:
        """Forget an ID; return whether there was one."""
        return self._ids.pop(entry, None) is not None

    def lock(self, entry: str) -> AbstractContextManager[Any]:
        """Hold the right to create an audience until the context ends."""
        del entry
        return self._held


def admit(sandbox: Sandbox, settings: Mapping[str, Any]) -> None:
    """Accept connections with *settings*, with the sandbox's values for missing ones."""
    known = sandbox.settings()
    said = {key: value for key, value in settings.items() if key in known and value}
    sandbox.admit({**known, **said})


def read_subscriptions(raw: Sequence[Any], redactor: Redactor) -> Iterator[Subscription]:
    """Read subscriptions in wire form; raises ApiRefusal."""
    for number, one in enumerate(raw, 1):
        try:
            yield subscription_from_wire(one)
        except FrameworkError as error:
            message = redactor.hide(f"Subscription {number}: {error}")
            raise ApiRefusal(400, "INVALID_CONNECTION", message) from None


def read_given_filters(raw: Sequence[Any], redactor: Redactor) -> tuple[DestinationFilter, ...]:
    """Read destination filters in the form of connection files; raises ApiRefusal."""
    try:
        return read_filters(raw)
    except FrameworkError as error:
        raise ApiRefusal(400, "INVALID_CONNECTION", redactor.hide(str(error))) from None
