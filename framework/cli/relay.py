"""`actions relay`: take events over HTTP, keep them, and deliver them to connections."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple

import click

from framework.cli import exits
from framework.cli.alert_options import alert_options
from framework.cli.command_log import PRINTED, LogOptions, log_options
from framework.cli.connections import Opened, endpoint_option
from framework.cli.delivery_options import delivery_options, take_delivery_options
from framework.cli.durations import Duration
from framework.cli.installed import plugins_print_to_stderr
from framework.cli.logs import log_format_option, logs
from framework.cli.monitoring import Monitoring, check_otlp_option, otlp_option
from framework.cli.progress import interruptions
from framework.cli.relay_options import (
    RelayOptions,
    Seconds,
    check_role,
    read_address,
    read_connections,
)
from framework.cli.relay_routes import open_all, route_of
from framework.cli.stores import ledger_option, limit_options, store_option
from framework.cli.summaries import print_panels
from framework.cli.terminal import echo, note
from framework.errors import ConfigurationError, StorageError

if TYPE_CHECKING:
    from framework.intake import IntakeOptions, IntakeServer, WriteKeys
    from framework.relay import EventStore, Relay
    from framework.sandbox import Sandbox

_COUNT_EVERY: Final = 60.0
"""Seconds between two log lines with the counts of a connection."""

_LOOK: Final = 0.1
"""Seconds between two looks at the parts of the relay."""

_INTAKE_SHARE: Final = 0.5
"""Share of the deadline for requests to the intake."""

_logger = logging.getLogger("action_destinations")


@click.command()
@click.option(
    "--role",
    type=click.Choice(["all", "intake", "worker"]),
    default="all",
    show_default=True,
    help="Take events, deliver them, or both. Any number of processes may share a store.",
)
@click.option(
    "--connection",
    "-c",
    "connections",
    multiple=True,
    metavar="[STREAM=]FILE",
    callback=read_connections,
    help="Connection file; repeatable. It reads the stream `events` unless it names another.",
)
@store_option()
@limit_options
@click.option(
    "--listen",
    default="127.0.0.1:8080",
    show_default=True,
    metavar="HOST:PORT",
    callback=read_address,
    help="Address of the intake; port 0 selects a free port.",
)
@click.option(
    "--write-key",
    "write_keys",
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
    callback=read_address,
    help="Serve /metrics for Prometheus and /healthz at this address.",
)
@otlp_option
@alert_options
@log_options
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
@ledger_option
@click.option(
    "--stop-within",
    type=Seconds(0, 3600),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="Time for requests under way when the relay is stopped.",
)
@click.pass_context
def relay(context: click.Context, /, **options: Any) -> None:
    """Take events over HTTP, keep them, and deliver them to connections.

    Clients send events by Segment's tracking API. A request is answered when its events are
    durable; they are delivered at least once and in order. SIGTERM and Ctrl-C end the relay when
    requests under way are completed; a second one aborts them. The next relay on the same store
    resumes.
    """
    check_role(context, options)
    log = LogOptions.take(options)
    chosen = RelayOptions(delivery=take_delivery_options(options), log=log, **options)
    with logs(chosen.log_format, log):
        _read_and_relay(chosen)


def _read_and_relay(chosen: RelayOptions) -> None:
    parts, problems = _read_parts(chosen)
    for problem in problems:
        echo(f"Error: {problem}", err=True)
    paths = [path for _, path in chosen.connections]
    opened = open_all(paths, offline=chosen.sandbox, failed=bool(problems))
    assert parts is not None
    _relay(chosen, opened, parts)


class _Parts(NamedTuple):
    """What options say about other things than connections; a worker has no *keys*."""

    keys: WriteKeys | None
    taken: IntakeOptions
    monitoring: Monitoring


def _read_parts(options: RelayOptions) -> tuple[_Parts | None, list[str]]:
    """Return the parts, None if there are problems, and all of these."""
    from framework.intake import IntakeOptions, WriteKeys  # noqa: PLC0415 - heavy

    problems: list[str] = []

    def parsed(read: Callable[[], Any]) -> Any:
        try:
            return read()
        except ConfigurationError as error:
            problems.extend(error.problems)
            return None

    taking = options.role != "worker"
    keys = parsed(lambda: WriteKeys.read(options.write_keys)) if taking else None
    if keys:
        problems += _unfed(options, keys.streams)
    taken = parsed(lambda: IntakeOptions(hosts=options.allow_hosts, origins=options.allow_origins))
    bounds, notices = parsed(options.alerts.read) or (None, ())
    parsed(lambda: check_otlp_option(options.otlp_endpoint))
    monitoring = Monitoring(options.metrics, options.otlp_endpoint, bounds, notices)
    return None if problems else _Parts(keys, taken, monitoring), problems


def _relay(options: RelayOptions, opened: Sequence[Opened], parts: _Parts) -> None:
    from framework.monitoring import log_counts  # noqa: PLC0415 - heavy
    from framework.relay import Relay, process_name  # noqa: PLC0415 - heavy

    sandboxes: dict[str, Sandbox] = {}
    say = partial(_say, out=None if options.log.quiet else sys.stdout)  # redirected for plugins
    with ExitStack() as stack:
        stack.enter_context(plugins_print_to_stderr())
        store = stack.enter_context(
            options.store.open(max_bytes=options.max_size, max_events=options.max_events)
        )
        intake = _intake(options, parts, store, stack)
        routes = [
            route_of(options, one, stream, sandboxes)
            for one, (stream, _) in zip(opened, options.connections, strict=True)
        ]
        waits = options.role == "worker" or options.store.is_shared
        running = Relay(store, routes, from_start=options.from_start, waits=waits)
        stack.enter_context(parts.monitoring.start(store, running, intake, say))
        stopping = stack.enter_context(interruptions())
        stack.enter_context(_stopped_if_it_fails(running))
        running.start()
        if intake:
            intake.start()
        say(f"Intake: {intake.url}" if intake else f"Worker: {process_name()}")
        broken = _watch(running, intake, stopping, options)
        end = time.monotonic() + options.stop_within
        running.request_stop()
        if intake:
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


@contextmanager
def _stopped_if_it_fails(running: Relay) -> Iterator[None]:
    """Stop a relay because of an exception in the block, before its store is closed."""
    try:
        yield
    except BaseException:
        running.stop(0.0)
        raise


def _say(text: str, out: IO[str] | None) -> None:
    """Print a line of the start, if there is an output, and log it."""
    if out:
        echo(text, file=out)
    _logger.info("%s", text, extra=PRINTED)


def _intake(
    options: RelayOptions, parts: _Parts, store: EventStore, stack: ExitStack
) -> IntakeServer | None:
    """Return the intake, None for a worker."""
    if parts.keys is None:
        return None
    from framework.intake import IntakeServer  # noqa: PLC0415 - heavy

    host, port = options.listen
    intake = IntakeServer(store, parts.keys, host=host, port=port, options=parts.taken)
    stack.callback(intake.stop, 0.0)
    return intake


def _watch(
    running: Relay,
    intake: IntakeServer | None,
    stopping: Callable[[], bool],
    options: RelayOptions,
) -> bool:
    """Wait until the relay shall stop, or a part of it ends; return whether one has."""
    from framework.monitoring import log_counts  # noqa: PLC0415 - heavy

    counted = time.monotonic()
    while not stopping():
        ended = running.ended()
        if intake and not intake.alive:
            ended.append("The intake has ended.")
        if ended:
            _logger.error("The relay stops. %s", " ".join(ended))
            return True
        _expire(running, options)
        if time.monotonic() - counted >= _COUNT_EVERY:
            counted = time.monotonic()
            log_counts(running.workers())
        time.sleep(_LOOK)
    return False


def _expire(relay: Relay, options: RelayOptions) -> None:
    try:
        number = relay.expire_dead_letters(options.keep_dead_letters)
    except StorageError as error:  # the next attempt is made in an hour
        _logger.warning("Old dead letters were not deleted. %s", error)
        return
    if number:
        note(f"Deleted {number:,} old dead letters.", shown=not options.log.quiet)


def _unfed(options: RelayOptions, fed: Sequence[str]) -> list[str]:
    """Return a problem for each connection that no write key feeds."""
    return [
        f"No write key feeds the stream `{stream}` that `{path}` reads. Write "
        f"--write-key {stream}=KEY."
        for stream, path in options.connections
        if stream not in fed
    ]
