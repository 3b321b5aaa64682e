"""`actions relay`: take events over HTTP, keep them, and deliver them to connections."""

from __future__ import annotations

import logging
import math
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from framework.cli import exits
from framework.cli.alert_options import AlertOptions, alert_options
from framework.cli.connections import (
    Opened,
    endpoint_option,
    open_connection,
    origins_text,
    with_outputs,
)
from framework.cli.delivery_options import (
    RELAY_DEFAULTS,
    delivery_options,
    patience_of,
    take_delivery_options,
)
from framework.cli.durations import Duration
from framework.cli.installed import plugins_print_to_stderr
from framework.cli.logs import log_format_option, logs
from framework.cli.monitoring import Monitoring, check_otlp_option, otlp_option
from framework.cli.progress import interruptions
from framework.cli.stores import limit_options, store_option
from framework.cli.summaries import print_panels
from framework.cli.terminal import echo
from framework.errors import ConfigurationError, StorageError

if TYPE_CHECKING:
    from framework.config import ConnectionFile
    from framework.delivery import Connection, RateStore
    from framework.delivery_options import DeliveryOptions
    from framework.intake import IntakeOptions, IntakeServer, WriteKeys
    from framework.relay import Relay, RelayRoute
    from framework.sandbox import Sandbox
    from framework.state_store import StateStore

_STREAM: Final = re.compile(r"([A-Za-z0-9_.-]+)=(.+)", re.DOTALL)
_ADDRESS: Final = re.compile(r"(?:(.*):)?(\d{1,5})", re.DOTALL)
_DEFAULT_STREAM: Final = "events"
_COUNT_EVERY: Final = 60.0
"""Seconds between two log lines with the counts of a connection."""

_LOOK: Final = 0.1
"""Seconds between two looks at the parts of the relay."""

_INTAKE_SHARE: Final = 0.5
"""Share of the deadline for requests to the intake."""

_logger = logging.getLogger("action_destinations")


class _Options(NamedTuple):
    connections: Sequence[tuple[str, str]]
    store: Path
    listen: tuple[str, int]
    write_keys: Sequence[str]
    allow_hosts: Sequence[str]
    allow_origins: Sequence[str]
    metrics: tuple[str, int] | None
    endpoints: Mapping[str, str]
    sandbox: bool
    threads: int
    keep_dead_letters: float
    from_start: bool
    stop_within: float
    max_size: int | None
    max_events: int | None
    delivery: DeliveryOptions
    alert_lag: str | None
    alert_dead_letters: str | None
    alert_rejected: str | None
    alert_command: str | None
    alert_url: str | None
    log_format: str
    otlp_endpoint: str | None

    def delivery_of(self, file: ConnectionFile) -> DeliveryOptions:
        """Return the options of a delivery, those of the connection file where none is given."""
        return self.delivery.over(file.delivery).over(RELAY_DEFAULTS)

    @property
    def alerts(self) -> AlertOptions:
        """The options of alerts."""
        return AlertOptions(
            self.alert_lag,
            self.alert_dead_letters,
            self.alert_rejected,
            self.alert_command,
            self.alert_url,
        )

    @property
    def sent_to(self) -> str:
        """What receives the requests; empty for the partner."""
        if self.sandbox:
            return "the sandbox"
        return origins_text(self.endpoints)


def _read_connections(
    _: click.Context, parameter: click.Parameter, values: Sequence[str]
) -> list[tuple[str, str]]:
    """Return stream and path of each connection."""
    found = []
    missing = []
    for value in values:
        named = None if Path(value).exists() else _STREAM.fullmatch(value)
        stream, path = (named[1], named[2]) if named else (_DEFAULT_STREAM, value)
        if not Path(path).is_file():
            missing.append(f"File `{path}` does not exist.")
        found.append((stream, path))
    if missing:
        raise click.BadParameter("\n".join(missing), param=parameter)
    return found


def _read_address(
    _: click.Context, parameter: click.Parameter, value: str | None
) -> tuple[str, int] | None:
    if value is None:
        return None
    match = _ADDRESS.fullmatch(value)
    if match is None or int(match[2]) > 65_535:
        raise click.BadParameter(
            f"`{value}` must be HOST:PORT, like 127.0.0.1:8080.", param=parameter
        )
    return (match[1] or "127.0.0.1").strip("[]"), int(match[2])


class _Seconds(click.FloatRange):
    """A number of seconds in a range; `nan` is in none."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number."""
        seconds = float(super().convert(value, param, ctx))
        if math.isnan(seconds):
            self.fail(f"`{value}` is not a number of seconds.", param, ctx)
        return seconds


@click.command()
@click.option(
    "--connection",
    "-c",
    "connections",
    required=True,
    multiple=True,
    metavar="[STREAM=]FILE",
    callback=_read_connections,
    help="Connection file; repeatable. It reads the stream `events` unless it names another.",
)
@store_option()
@limit_options
@click.option(
    "--listen",
    default="127.0.0.1:8080",
    show_default=True,
    metavar="HOST:PORT",
    callback=_read_address,
    help="Address of the intake; port 0 selects a free port.",
)
@click.option(
    "--write-key",
    "write_keys",
    required=True,
    multiple=True,
    metavar="[STREAMS=]KEY",
    help="Accepted write key, and the streams that it feeds, `events` by default; env:NAME or "
    "file:PATH instead of the key keeps it off the command line. Repeatable.",
)
@click.option(
    "--allow-host",
    "allow_hosts",
    multiple=True,
    metavar="HOST",
    help="Host name of a TLS proxy in front of the intake; repeatable.",
)
@click.option(
    "--allow-origin",
    "allow_origins",
    multiple=True,
    metavar="ORIGIN",
    help="Origin of web pages that may send events, like https://www.example.com; repeatable.",
)
@click.option(
    "--metrics",
    metavar="HOST:PORT",
    callback=_read_address,
    help="Serve /metrics for Prometheus and /healthz at this address.",
)
@otlp_option
@alert_options
@log_format_option
@endpoint_option
@click.option("--sandbox", is_flag=True, help="Deliver to sandboxes and show their state.")
@click.option(
    "--threads",
    type=click.IntRange(1, 64),
    default=4,
    show_default=True,
    metavar="N",
    help="Maximum number of concurrent requests of each connection. Requests with equal batch "
    "keys stay in order. With 1, a request that gets no answer delays all others.",
)
@delivery_options(
    tries="8",
    give_up_after="4h",
    time_limit="30s",
    max_age="10s",
    linger="0.1s",
    rate_share="0.9",
    proxy="that of the environment",
    ca_file="public authorities",
)
@click.option(
    "--keep-dead-letters",
    type=Duration(),
    default="30d",
    show_default=True,
    metavar="TIME",
    help="Time after which dead letters are deleted.",
)
@click.option(
    "--from-start",
    is_flag=True,
    help="Begin new connections at the oldest event that is kept, not at the end.",
)
@click.option(
    "--stop-within",
    type=_Seconds(0, 3600),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="Time for requests under way when the relay is stopped.",
)
def relay(**options: Any) -> None:
    """Take events over HTTP, keep them, and deliver them to connections.

    Clients send events by Segment's tracking API. A request is answered when its events are
    durable; they are delivered at least once and in order. SIGTERM and Ctrl-C end the relay when
    requests under way are completed; a second one aborts them. The next relay on the same store
    resumes.
    """
    chosen = _Options(delivery=take_delivery_options(options), **options)
    with logs(chosen.log_format):
        _read_and_relay(chosen)


def _read_and_relay(chosen: _Options) -> None:
    parts, problems = _read_parts(chosen)
    for problem in problems:
        echo(f"Error: {problem}", err=True)
    paths = [path for _, path in chosen.connections]
    opened = _open_all(paths, offline=chosen.sandbox, failed=bool(problems))
    assert parts is not None
    _relay(chosen, opened, parts)


class _Parts(NamedTuple):
    """What options say about other things than connections."""

    keys: WriteKeys
    taken: IntakeOptions
    monitoring: Monitoring


def _read_parts(options: _Options) -> tuple[_Parts | None, list[str]]:
    """Return the parts, None if there are problems, and all of these."""
    from framework.intake import IntakeOptions, WriteKeys  # noqa: PLC0415 - heavy

    problems: list[str] = []

    def parsed(read: Callable[[], Any]) -> Any:
        try:
            return read()
        except ConfigurationError as error:
            problems.extend(error.problems)
            return None

    keys = parsed(lambda: WriteKeys.read(options.write_keys))
    if keys:
        problems += _unfed(options, keys.streams)
    taken = parsed(lambda: IntakeOptions(hosts=options.allow_hosts, origins=options.allow_origins))
    bounds, notices = parsed(options.alerts.read) or (None, ())
    parsed(lambda: check_otlp_option(options.otlp_endpoint))
    monitoring = Monitoring(options.metrics, options.otlp_endpoint, bounds, notices)
    return None if problems else _Parts(keys, taken, monitoring), problems


def _open_all(paths: Sequence[str], *, offline: bool, failed: bool) -> list[Opened]:
    """Read and check all connection files; show the errors of all of them.

    *failed* is whether something else is wrong, so that nothing can be returned.
    """
    opened: list[Opened] = []
    for path in paths:
        try:
            opened.append(open_connection(path, offline=offline))
        except click.exceptions.Exit:
            failed = True
        except ConfigurationError as error:
            echo(f"Error: {error}", err=True)
            failed = True
    problems = _misnamed(opened)
    if failed:
        for problem in problems:
            echo(f"Error: {problem}", err=True)
        raise click.exceptions.Exit(exits.USAGE)
    if problems:
        raise ConfigurationError("\n".join(problems), problems)
    return opened


def _misnamed(opened: Sequence[Opened]) -> list[str]:
    """Return a problem for each connection that is disabled or has the name of another."""
    names: dict[str, str] = {}
    problems = []
    for one in opened:
        name, path = _name(one), one.file.file
        if not one.file.enabled:
            problems.append(f"The connection `{path}` is disabled. Set `enabled: true` to use it.")
        if name in names:
            problems.append(
                f"The connections `{names[name]}` and `{path}` have the same name, `{name}`. "
                "Give each a `name` of its own."
            )
        names[name] = path
    return problems


def _name(opened: Opened) -> str:
    return opened.file.name or Path(opened.file.file).name.partition(".")[0]


def _relay(options: _Options, opened: Sequence[Opened], parts: _Parts) -> None:
    from framework.intake import IntakeServer  # noqa: PLC0415 - heavy
    from framework.monitoring import log_counts  # noqa: PLC0415 - heavy
    from framework.relay import Relay, SQLiteStore  # noqa: PLC0415 - heavy

    sandboxes: dict[str, Sandbox] = {}
    say = partial(echo, file=sys.stdout)  # which is redirected for plugins
    with ExitStack() as stack:
        stack.enter_context(plugins_print_to_stderr())
        store = stack.enter_context(
            SQLiteStore(options.store, max_bytes=options.max_size, max_events=options.max_events)
        )
        host, port = options.listen
        intake = IntakeServer(store, parts.keys, host=host, port=port, options=parts.taken)
        stack.callback(intake.stop, 0.0)
        routes = [
            _route(options, one, stream, sandboxes)
            for one, (stream, _) in zip(opened, options.connections, strict=True)
        ]
        running = Relay(store, routes, from_start=options.from_start)
        stack.enter_context(parts.monitoring.start(store, running, intake, say))
        stopping = stack.enter_context(interruptions())
        running.start()
        intake.start()
        say(f"Intake: {intake.url}")
        broken = _watch(running, intake, stopping, options.keep_dead_letters)
        end = time.monotonic() + options.stop_within
        running.request_stop()
        intake.stop(options.stop_within * _INTAKE_SHARE)
        complete = running.stop(end - time.monotonic())
        log_counts(running.workers())
    for name, sandbox in sandboxes.items():
        echo(f"\n{name}")
        print_panels(sandbox.panels())
    if broken:
        raise click.exceptions.Exit(exits.BUG)
    if not complete:
        _logger.warning("Some requests were not completed; the next relay sends them again.")
        raise click.exceptions.Exit(exits.INTERRUPTED)


def _watch(running: Relay, intake: IntakeServer, stopping: Callable[[], bool], keep: float) -> bool:
    """Wait until the relay shall stop, or a part of it ends; return whether one has."""
    from framework.monitoring import log_counts  # noqa: PLC0415 - heavy

    counted = time.monotonic()
    while not stopping():
        ended = [*running.ended(), *([] if intake.alive else ["The intake has ended."])]
        if ended:
            _logger.error("The relay stops. %s", " ".join(ended))
            return True
        _expire(running, keep)
        if time.monotonic() - counted >= _COUNT_EVERY:
            counted = time.monotonic()
            log_counts(running.workers())
        time.sleep(_LOOK)
    return False


def _expire(relay: Relay, keep: float) -> None:
    try:
        number = relay.expire_dead_letters(keep)
    except StorageError as error:  # the next attempt is made in an hour
        _logger.warning("Old dead letters were not deleted. %s", error)
        return
    if number:
        echo(f"Deleted {number:,} old dead letters.", err=True)


def _unfed(options: _Options, fed: Sequence[str]) -> list[str]:
    """Return a problem for each connection that no write key feeds."""
    return [
        f"No write key feeds the stream `{stream}` that `{path}` reads. Write "
        f"--write-key {stream}=KEY."
        for stream, path in options.connections
        if stream not in fed
    ]


def _route(
    options: _Options, opened: Opened, stream: str, sandboxes: dict[str, Sandbox]
) -> RelayRoute:
    from framework.delivery import (  # noqa: PLC0415 - heavy
        KeptTokens,
        Retry,
        connect,
        make_transport,
        rate_account,
    )
    from framework.relay import RelayRoute  # noqa: PLC0415 - heavy

    name, plugin = _name(opened), opened.plugin
    sandbox = _sandbox(opened) if options.sandbox else None
    if sandbox:
        sandboxes[name] = sandbox
    files = [opened.file]

    def open_connection_anew(rates: RateStore, state: StateStore) -> Connection:
        file = files.pop() if files else _read_again(opened)
        delivery = options.delivery_of(file)
        if sandbox is None:
            transport = make_transport(redirect=options.endpoints, options=delivery)
        else:
            from framework.sandbox import SandboxTransport  # noqa: PLC0415 - heavy

            transport = SandboxTransport(sandbox)
        return connect(
            plugin,
            file.settings,
            file.subscriptions,
            consent=file.consent,
            options=delivery,
            transport=transport,
            retry=Retry(attempts=2, total=15.0),  # further tries are the relay's
            rates=rates,
            tokens=None if sandbox else KeptTokens(state, options.sent_to),
            offline=sandbox is not None,
        )

    return RelayRoute(
        name=name,
        stream=stream,
        account=rate_account(plugin.definition, opened.file.settings, name),
        open_connection=open_connection_anew,
        sent_to=options.sent_to,
        threads=options.threads,
        patience=patience_of(options.delivery_of(opened.file), math.inf),
    )


def _read_again(opened: Opened) -> ConnectionFile:
    """Read a connection file again; raises ConfigurationError if it has errors now."""
    from framework.config import read_connection  # noqa: PLC0415 - heavy, imported at first use

    reading = read_connection(opened.file.file)
    if reading.connection is None:
        raise ConfigurationError(f"`{opened.file.file}` has errors; see `actions validate`.")
    return with_outputs(reading.connection, opened.plugin)


def _sandbox(opened: Opened) -> Sandbox:
    if not opened.plugin.implements("sandbox"):
        raise ConfigurationError(f"{opened.plugin.definition.name} has no sandbox.")
    sandbox: Sandbox = opened.plugin.call("sandbox")
    sandbox.admit(opened.file.settings)
    return sandbox
