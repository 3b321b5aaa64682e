"""`actions run`: deliver a file of events to where a connection file says."""

from __future__ import annotations

import gc
import json
from collections.abc import Mapping
from contextlib import ExitStack
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
from framework.cli.progress import interruptions, progress_bar
from framework.cli.summaries import conclusion, print_panels, print_summary
from framework.cli.tables import print_table
from framework.errors import ConfigurationError

if TYPE_CHECKING:
    from framework.relay import Summary
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
    checkpoint: Path | None
    restart: bool
    limit: int | None
    threads: int
    processes: int
    max_line: int
    as_json: bool
    quiet: bool

    @property
    def pretends(self) -> bool:
        """Whether nothing leaves this process."""
        return self.dry_run or self.sandbox


SHOWN_CALLS = 100
"""Calls that a dry run lists."""

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(epilog=_EPILOG)
@connection_option
@click.option(
    "--events",
    "-e",
    required=True,
    metavar="FILE",
    help="The events, one JSON object a line (NDJSON, plain or gzip); - reads standard input.",
)
@click.option("--dry-run", is_flag=True, help="Send nothing; show what would be sent.")
@click.option(
    "--sandbox", is_flag=True, help="Deliver to the destination's pretend partner; show its state."
)
@endpoint_option
@click.option(
    "--outcomes",
    type=_FILE,
    metavar="FILE",
    help="Write a JSON line there for each event and subscription; an older file is replaced.",
)
@click.option(
    "--checkpoint",
    type=_FILE,
    metavar="FILE",
    help="Where to keep how far the run has come [default: EVENTS.checkpoint, with --endpoint "
    "EVENTS.HOST-PORT.checkpoint; none for standard input, --dry-run and --sandbox].",
)
@click.option("--restart", is_flag=True, help="Forget the checkpoint and deliver from the start.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Read N more lines at most.")
@click.option(
    "--threads",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    metavar="N",
    help="Make so many calls at a time, where they are about different audiences or the like.",
)
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    metavar="N",
    help="Decode and map in so many processes beside this one, which sends. For plain files "
    "without --limit.",
)
@click.option(
    "--max-line",
    type=click.IntRange(1),
    default=1_000_000,
    show_default=True,
    metavar="BYTES",
    help="Refuse longer lines.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.option("--quiet", "-q", is_flag=True, help="Show no progress and no summary.")
@click.pass_context
def run(ctx: click.Context, /, **options: Any) -> None:
    """Deliver a file of events, and go on where an earlier run stopped.

    How far a run has come is kept beside the events file. After a crash, an interruption or an
    outage of the partner, the same command goes on from there; events are delivered at least once
    and in the order of the file.
    """
    chosen = _Options(**options)
    _check_paths(chosen)
    opened = open_connection(chosen.path)
    if not opened.file.enabled:
        raise ConfigurationError(
            f"The connection `{chosen.path}` is switched off. Write `enabled: true` to use it."
        )
    pretend = _pretend(chosen, opened)
    summary = _deliver(chosen, opened, pretend)
    if chosen.as_json or not chosen.quiet:
        _print(summary, chosen, opened, pretend)
    ctx.exit(exits.code_of_summary(summary))


def _check_paths(options: _Options) -> None:
    """Refuse to write where something is read from."""
    reads = {"--events": Path(options.events), "--connection": Path(options.path)}
    writes = {"--outcomes": options.outcomes, "--checkpoint": options.checkpoint}
    taken = {path.resolve(): flag for flag, path in reads.items()}
    for flag, path in writes.items():
        if path is None:
            continue
        if path.resolve() in taken:
            other = taken[path.resolve()]
            raise click.UsageError(f"{flag} and {other} name the same file, `{path}`.")
        taken[path.resolve()] = flag


def _pretend(options: _Options, opened: Opened) -> Sandbox | None:
    """Return the pretend partner that answers this run, if one does."""
    if not options.pretends:
        return None
    if not opened.plugin.implements("sandbox"):
        if options.sandbox:
            text = f"{opened.plugin.definition.name} has no sandbox; --dry-run works without one."
            raise click.UsageError(text)
        return None
    pretend: Sandbox = opened.plugin.call("sandbox")
    pretend.admit(opened.file.settings)
    return pretend


def _transport(options: _Options, pretend: Sandbox | None) -> Any:
    from framework.delivery import DryRun, make_transport  # noqa: PLC0415 - heavy

    if pretend is not None:
        from framework.sandbox import SandboxTransport  # noqa: PLC0415 - heavy

        return SandboxTransport(pretend)
    return DryRun() if options.dry_run else make_transport(redirect=options.endpoints)


def _deliver(options: _Options, opened: Opened, pretend: Sandbox | None) -> Summary:
    from framework.delivery import connect  # noqa: PLC0415 - heavy, imported at first use
    from framework.relay import EventFile, forget, hold, run_file  # noqa: PLC0415 - heavy

    with ExitStack() as stack:
        transport = _transport(options, pretend)
        file = opened.file
        connection = stack.enter_context(
            connect(opened.plugin, file.settings, file.subscriptions, transport=transport)
        )
        source = stack.enter_context(EventFile(options.events, options.max_line))
        shows = not (options.quiet or options.as_json)
        show = stack.enter_context(progress_bar()) if shows else lambda _: None
        stopping = stack.enter_context(interruptions())
        checkpoint = _checkpoint(options)
        if checkpoint:
            stack.enter_context(hold(checkpoint))
            if options.restart:
                forget(checkpoint)
        gc.freeze()  # what has been made so far stays, and is not looked at again
        gc.set_threshold(50_000, 20, 50)
        return run_file(
            connection,
            source,
            checkpoint=checkpoint,
            outcomes=options.outcomes,
            limit=options.limit,
            threads=0 if options.pretends else options.threads,
            processes=options.processes,
            on_progress=show,
            stopping=stopping,
        )


def _checkpoint(options: _Options) -> Path | None:
    """Return where the checkpoint is kept; what only tries something never shares the real one."""
    from framework.relay import default_path  # noqa: PLC0415 - heavy, imported at first use

    if options.checkpoint or options.pretends:
        return options.checkpoint
    hosts = [urlsplit(url).netloc for url in options.endpoints.values()]
    return default_path(options.events, "-".join(hosts).replace(":", "-"))


def _print(summary: Summary, options: _Options, opened: Opened, pretend: Sandbox | None) -> None:
    if options.as_json:
        document = {
            "connection": opened.file.name,
            "destination": opened.file.destination,
            **summary.to_json(),
            "exitCode": exits.code_of_summary(summary),
            **({"sandbox": pretend.state()} if pretend else {}),
        }
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    print_summary(summary)
    if options.sandbox and pretend:
        print_panels(pretend.panels())
    if options.dry_run:
        click.echo("\nA dry run: nothing was sent.")
        if pretend:
            _print_calls(pretend)
    click.echo(f"\n{conclusion(summary, resumable=_checkpoint(options) is not None)}")


def _print_calls(pretend: Sandbox) -> None:
    """Print the calls that would be made, in order; the pretend partner stood in for the real."""
    calls = pretend.requests
    click.echo("It would have made these calls to a partner that holds nothing yet:\n")
    rows = [
        (str(number), f"{call.method} {call.path}", f"{call.size:,}", _noted(call.note))
        for number, call in enumerate(calls[:SHOWN_CALLS], 1)
    ]
    print_table(("", "Call", "Bytes", "What"), rows, empty="None.")
    if len(calls) > SHOWN_CALLS:
        click.echo(f"... and {len(calls) - SHOWN_CALLS:,} more.")


def _noted(note: Mapping[str, Any]) -> str:
    shown = {key: value for key, value in note.items() if key != "client_id"}
    return ", ".join(f"{key} {value}" for key, value in shown.items())
