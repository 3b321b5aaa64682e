"""`actions run`: deliver events from a file to the destination of a connection file."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import click

from framework.cli import exits
from framework.cli.connections import (
    Opened,
    connection_option,
    endpoint_option,
    open_connection,
)
from framework.cli.durations import Duration
from framework.cli.event_files import unpack_option
from framework.cli.installed import plugins_print_to_stderr
from framework.cli.progress import interruptions, progress_bar
from framework.cli.summaries import conclusion, print_panels, print_summary
from framework.cli.tables import print_table
from framework.cli.terminal import echo
from framework.errors import ConfigurationError

if TYPE_CHECKING:
    from framework.delivery import Preview
    from framework.relay import ConnectionIdentity, Summary
    from framework.sandbox import Sandbox

_EXITS = "\n".join(f"  {code:<4} {text}" for code, text in exits.EXIT_CODES.items())
_EPILOG = f"\b\nExit codes:\n{_EXITS}"


class _Options(NamedTuple):
    path: str
    events: str
    dry_run: bool
    sandbox: bool
    endpoints: Mapping[str, str]
    outcomes: Path | None
    dead_letters: Path | None
    checkpoint: Path | None
    restart: bool
    limit: int | None
    threads: int
    processes: int
    retry_for: float
    tries: int
    give_up_after: float
    max_line: int
    last_line: bool
    unpack: bool
    as_json: bool
    quiet: bool

    @property
    def resumable(self) -> bool:
        """Whether the run has a checkpoint: a given one, or the default one of a file."""
        return bool(self.checkpoint) or (not self.offline and Path(self.events).is_file())

    @property
    def sent_to(self) -> str:
        """What receives the requests; empty for the partner."""
        if self.offline:
            return "the sandbox" if self.sandbox else "a dry run"
        return ", ".join(f"`{origin}` at `{url}`" for origin, url in sorted(self.endpoints.items()))

    @property
    def offline(self) -> bool:
        """Whether no request leaves this process."""
        return self.dry_run or self.sandbox


MAX_LISTED = 100
"""Number of requests that a dry run lists."""

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(epilog=_EPILOG)
@connection_option
@click.option(
    "--events",
    "-e",
    required=True,
    metavar="FILE",
    help="Events, one JSON object per line (NDJSON, plain or gzip), or one JSON document of up to "
    "64 MB; - reads standard input.",
)
@click.option("--dry-run", is_flag=True, help="Send nothing; show the requests that would be sent.")
@click.option(
    "--sandbox", is_flag=True, help="Deliver to the destination's sandbox and show its state."
)
@endpoint_option
@click.option(
    "--outcomes",
    type=_FILE,
    metavar="FILE",
    help="Write a JSON line per event and subscription to FILE; a new run replaces the file.",
)
@click.option(
    "--dead-letters",
    type=_FILE,
    metavar="FILE",
    help="File to which events are added that fail for good  [default: next to the default "
    "checkpoint, EVENTS.NAME-DIGEST.dead-letters.ndjson; none for standard input, --dry-run and "
    "--sandbox]",
)
@click.option(
    "--checkpoint",
    type=_FILE,
    metavar="FILE",
    help="File from which the run resumes  [default: EVENTS.NAME-DIGEST.checkpoint, with the name "
    "of the connection and a digest of its settings; none for standard input, --dry-run and "
    "--sandbox]",
)
@click.option("--restart", is_flag=True, help="Ignore the checkpoint and start at the first line.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Stop after N lines.")
@click.option(
    "--threads",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    metavar="N",
    help="Maximum number of concurrent requests. Requests with equal batch keys stay in order.",
)
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    metavar="N",
    help="Number of worker processes for decoding and mapping; one process sends. Applies to "
    "plain files without --limit.",
)
@click.option(
    "--retry-for",
    type=Duration(),
    default="15m",
    show_default=True,
    metavar="TIME",
    help="How long this run tries again what fails for now; 0 leaves it to the next run.",
)
@click.option(
    "--tries",
    type=click.IntRange(1),
    default=8,
    show_default=True,
    metavar="N",
    help="Number of tries after which a batch fails for good, if --give-up-after has passed, too.",
)
@click.option(
    "--give-up-after",
    type=Duration(),
    default="4h",
    show_default=True,
    metavar="TIME",
    help="Time since the first of these tries, in whichever runs, such as 90s, 15m, 4h or 2d.",
)
@click.option(
    "--max-line",
    type=click.IntRange(1),
    default=1_000_000,
    show_default=True,
    metavar="BYTES",
    help="Maximum length of a line; longer lines are rejected.",
)
@click.option(
    "--last-line",
    is_flag=True,
    help="Read a last line that has no line end and is no whole JSON object; by default it is left "
    "for the next run, as it may still be written.",
)
@unpack_option
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.option("--quiet", "-q", is_flag=True, help="Show neither progress nor summary.")
@click.pass_context
def run(ctx: click.Context, /, **options: Any) -> None:
    """Deliver events from a file; resume an earlier run.

    A checkpoint is saved next to the events file, one for each connection. After a crash, an
    interruption or an outage of the partner, the same command resumes from it. Events are delivered
    at least once and in the order of the file.
    """
    chosen = _Options(**options)
    _check_paths(chosen)
    opened = open_connection(chosen.path, offline=chosen.offline)
    if not opened.file.enabled:
        raise ConfigurationError(
            f"The connection `{chosen.path}` is disabled. Set `enabled: true` to use it."
        )
    with plugins_print_to_stderr(), _offline(chosen, opened):
        sandbox = _sandbox(chosen, opened)
        summary, previews = _deliver(chosen, opened, sandbox)
    if chosen.as_json or not chosen.quiet:
        _print(summary, chosen, opened, sandbox)
        if not chosen.as_json:
            _print_previews(previews)
            echo(f"\n{conclusion(summary, resumable=chosen.resumable)}")
    ctx.exit(exits.code_of_summary(summary))


@contextmanager
def _offline(options: _Options, opened: Opened) -> Iterator[None]:
    """Keep plugins from reaching the outside in dry runs; worker processes may be started."""
    if not options.offline:
        yield
        return
    from framework.delivery import network_allowed, no_network  # noqa: PLC0415 - heavy

    with no_network(opened.plugin.definition.slug):
        if options.processes < 2:
            yield
            return
        with network_allowed():
            yield


def _check_paths(options: _Options) -> None:
    """Raise UsageError where an output file is also an input file or another output file."""
    reads = {"--events": Path(options.events), "--connection": Path(options.path)}
    writes = {
        "--outcomes": options.outcomes,
        "--checkpoint": options.checkpoint,
        "--dead-letters": options.dead_letters,
    }
    taken = {path.resolve(): flag for flag, path in reads.items()}
    for flag, path in writes.items():
        if path is None:
            continue
        if path.resolve() in taken:
            other = taken[path.resolve()]
            raise click.UsageError(f"{flag} and {other} name the same file, `{path}`.")
        taken[path.resolve()] = flag


def _sandbox(options: _Options, opened: Opened) -> Sandbox | None:
    """Return the sandbox that responds in this run, if any."""
    if not options.offline:
        return None
    if not opened.plugin.implements("sandbox"):
        if options.sandbox:
            text = f"{opened.plugin.definition.name} has no sandbox. Use --dry-run instead."
            raise click.UsageError(text)
        return None
    sandbox: Sandbox = opened.plugin.call("sandbox")
    sandbox.admit(opened.file.settings)
    return sandbox


def _transport(options: _Options, sandbox: Sandbox | None) -> Any:
    from framework.delivery import DryRun, make_transport  # noqa: PLC0415 - heavy

    if sandbox is not None:
        from framework.sandbox import SandboxTransport  # noqa: PLC0415 - heavy

        return SandboxTransport(sandbox)
    return DryRun() if options.dry_run else make_transport(redirect=options.endpoints)


def _deliver(
    options: _Options, opened: Opened, sandbox: Sandbox | None
) -> tuple[Summary, Sequence[Preview]]:
    """Return the summary of the run, and the previews of a dry run."""
    from framework.delivery import (  # noqa: PLC0415 - heavy, imported at first use
        Patience,
        Retry,
        connect,
    )
    from framework.events import EventFile  # noqa: PLC0415 - heavy
    from framework.relay import (  # noqa: PLC0415 - heavy
        ConnectionIdentity,
        discard,
        locked,
        run_file,
    )

    with ExitStack() as stack:
        transport = _transport(options, sandbox)
        file = opened.file
        connection = stack.enter_context(
            connect(
                opened.plugin,
                file.settings,
                file.subscriptions,
                consent=file.consent,
                transport=transport,
                retry=Retry(attempts=2, total=15.0),  # more tries are the run's
                offline=options.offline,
            )
        )
        source = stack.enter_context(
            EventFile(
                options.events,
                options.max_line,
                unpack=options.unpack,
                last_line=options.last_line,
            )
        )
        shows = not (options.quiet or options.as_json)
        show = stack.enter_context(progress_bar()) if shows else lambda _: None
        stopping = stack.enter_context(interruptions())
        serves = ConnectionIdentity.of(connection, file.name, options.sent_to)
        checkpoint = _checkpoint(options, serves)
        if checkpoint:
            stack.enter_context(locked(checkpoint))
            if options.restart:
                discard(checkpoint)
        gc.freeze()  # objects created so far live on; exclude them from collections
        gc.set_threshold(50_000, 20, 50)
        summary = run_file(
            connection,
            source,
            serves=serves,
            checkpoint=checkpoint,
            outcomes=options.outcomes,
            dead_letters=_dead_letters(options, serves),
            limit=options.limit,
            threads=0 if options.offline else options.threads,
            processes=options.processes,
            patience=Patience(
                tries=options.tries, total=options.give_up_after, run_for=options.retry_for
            ),
            on_progress=show,
            stopping=stopping,
        )
        return summary, connection.hook_runner.previews or ()


def _checkpoint(options: _Options, serves: ConnectionIdentity) -> Path | None:
    """Return the path of the checkpoint; dry runs and sandboxes have none by default.

    A new one is announced where another connection's might be meant.
    """
    from framework.relay import default_path, others, refuse_previous  # noqa: PLC0415 - heavy

    if options.checkpoint or options.offline:
        return options.checkpoint
    path = default_path(options.events, serves)
    if path is None or path.exists() or options.restart:
        return path
    hosts = [urlsplit(url).netloc for url in options.endpoints.values()]
    refuse_previous(options.events, "-".join(hosts).replace(":", "-"), serves)
    if known := others(path):
        echo(
            f"Starting at the first line: the checkpoint `{known[0]}` is for other settings or "
            "another address.",
            err=True,
        )
    return path


def _dead_letters(options: _Options, serves: ConnectionIdentity) -> Path | None:
    """Return the path of the dead letters; dry runs and sandboxes have none by default."""
    from framework.relay import default_path  # noqa: PLC0415 - heavy

    if options.dead_letters or options.offline:
        return options.dead_letters
    path = default_path(options.events, serves)
    return path and path.with_suffix(".dead-letters.ndjson")


def _print(summary: Summary, options: _Options, opened: Opened, sandbox: Sandbox | None) -> None:
    if options.as_json:
        document = {
            "connection": opened.file.name,
            "destination": opened.file.destination,
            **summary.to_json(),
            "exitCode": exits.code_of_summary(summary),
            **({"sandbox": sandbox.state()} if sandbox else {}),
        }
        echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    print_summary(summary, "standard input" if options.events == "-" else options.events)
    if options.sandbox and sandbox:
        print_panels(sandbox.panels())
    if options.dry_run:
        echo("\nDry run: nothing was sent.")
        if sandbox:
            _print_requests(sandbox)


def _print_previews(previews: Sequence[Preview]) -> None:
    """Print what destinations with another transport than HTTP would send."""
    if not previews:
        return
    echo("\nWhat would be sent:\n")
    rows = [
        (one.action, f"{one.size:,}", json.dumps(one.shown, ensure_ascii=False)) for one in previews
    ]
    print_table(("Action", "Events", "Preview"), rows)


def _print_requests(sandbox: Sandbox) -> None:
    """Print the requests that the sandbox received in place of the partner, in order."""
    calls = sandbox.requests
    echo("Requests that would be sent to a partner without existing data:\n")
    rows = [
        (str(number), f"{call.method} {call.path}", f"{call.size:,}", _noted(call.note))
        for number, call in enumerate(calls[:MAX_LISTED], 1)
    ]
    print_table(("", "Request", "Bytes", "Details"), rows, empty="None.")
    if len(calls) > MAX_LISTED:
        echo(f"... and {len(calls) - MAX_LISTED:,} more.")


def _noted(note: Mapping[str, Any]) -> str:
    shown = {key: value for key, value in note.items() if key != "client_id"}
    return ", ".join(f"{key} {value}" for key, value in shown.items())
