"""`actions run`: deliver events from a file to the destination of a connection file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from framework.cli import exits
from framework.cli.command_log import LogOptions, command_log, log_options
from framework.cli.connections import (
    Opened,
    connection_option,
    endpoint_option,
    open_enabled,
)
from framework.cli.delivery_options import delivery_options, take_delivery_options
from framework.cli.durations import Moment
from framework.cli.event_files import unpack_option
from framework.cli.file_deliveries import (
    FileDeliveries,
    FileDelivery,
    deliver,
    kept_offline,
    select,
)
from framework.cli.followed_deliveries import follow
from framework.cli.installed import plugins_print_to_stderr
from framework.cli.run_options import RunOptions, dead_letters_of
from framework.cli.stores import ledger_option, store_option
from framework.cli.summaries import (
    conclusion,
    failures_advice,
    not_started,
    print_panels,
    print_summary,
)
from framework.cli.table_options import table_options, take_table_reading
from framework.cli.tables import print_table
from framework.cli.terminal import echo, note, print_json

if TYPE_CHECKING:
    from framework.delivery import MetricKey, Preview
    from framework.relay import ConnectionIdentity
    from framework.sandbox import Sandbox

_EXITS = "\n".join(f"  {code:<4} {text}" for code, text in exits.EXIT_CODES.items())
_EPILOG = f"\b\nExit codes:\n{_EXITS}"


MAX_LISTED = 100
"""Number of requests that a dry run lists."""

_FILE = click.Path(path_type=Path)


@click.command(epilog=_EPILOG)
@connection_option
@click.option(
    "--events",
    "-e",
    required=True,
    multiple=True,
    metavar="FILE",
    help="Events, one JSON object per line (NDJSON, plain or gzip), or one JSON document of up to "
    "64 MB; - reads standard input. May be repeated, and name folders and quoted patterns such as "
    "'day-*.ndjson', whose files are read by name. With --key, a table or a database.",
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
    help="Write a JSON line per event and subscription to FILE; a new run replaces the file. A "
    "folder gets a file for each events file; several of these need a folder.",
)
@click.option(
    "--dead-letters",
    type=_FILE,
    metavar="FILE",
    help="File to which events that fail permanently are added  [default: next to the default "
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
@click.option(
    "--from-line",
    type=click.IntRange(1),
    metavar="N",
    help="Deliver from line N on; lines before it count as read. For one file.",
)
@click.option(
    "--since",
    type=Moment(),
    metavar="TIME",
    help="Skip events whose `timestamp` is before TIME, such as 2026-03-09 or "
    "2026-03-09T12:00:00Z; events without one are delivered.",
)
@click.option(
    "--follow",
    is_flag=True,
    help="Continue as lines are appended to files and as files appear in folders, also with files "
    "that replace others, until stopped by a signal. Without --outcomes.",
)
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Stop after N lines.")
@click.option(
    "--threads",
    type=click.IntRange(1, 64),
    show_default="1; 4 for streams and --follow",
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
@delivery_options(
    retry_for="10s",
    tries="8",
    give_up_after="4h",
    time_limit="30s",
    max_age="10s",
    linger="0.1s",
    rate_share="1",
    proxy="that of the environment",
    ca_file="public authorities",
)
@store_option(
    required=False,
    use="Keep in this store who is in which audience, and leave out what changes nothing. Its rate "
    "limits and tokens are shared, too. ",
)
@ledger_option
@click.option(
    "--wait/--no-wait",
    default=True,
    help="Whether the run waits for jobs that the partner finishes later  [default: --wait]. What "
    "is not finished is left for the next run, and the exit code is 3.",
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
    help="Read a last line that has no line end and is not a complete JSON object, which is "
    "otherwise left for the next run, as it may still be written.",
)
@unpack_option
@table_options
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@log_options
@click.pass_context
def run(ctx: click.Context, /, **options: Any) -> None:
    """Deliver events from a file; resume an earlier run.

    A checkpoint is saved next to the events file, one for each connection. After a crash, an
    interruption or an outage of the partner, the same command resumes from it. Events are delivered
    at least once and in the order of the file.
    """
    log = LogOptions.take(options)
    delivery, table = take_delivery_options(options), take_table_reading(options)
    chosen = RunOptions(delivery=delivery, table=table, log=log, **options)
    with command_log(log, results=False):
        ctx.exit(_run(chosen))


def _run(chosen: RunOptions) -> int:
    """Deliver as *chosen* and report it; return the exit code."""
    selection = select(chosen)
    single = selection.single and not chosen.follow
    opened = open_enabled(chosen.path, offline=chosen.offline)
    with plugins_print_to_stderr(), kept_offline(chosen, opened):
        sandbox = _sandbox(chosen, opened)
        if chosen.follow:
            only = selection.names[0] if selection.single else None
            deliveries = follow(chosen, only, opened, sandbox)
        else:
            deliveries = deliver(chosen, selection.names, opened, sandbox)
    _note_ends(deliveries)
    if chosen.as_json:
        _print_json(deliveries, opened, sandbox, single=single)
    elif not chosen.log.quiet:
        _print(deliveries, chosen, sandbox, single=single)
    if deliveries.error:
        raise deliveries.error
    deliveries.mark_reported()
    return deliveries.exit_code


def _note_ends(deliveries: FileDeliveries) -> None:
    """Add to the log how the run over each file ended, with the numbers of outcomes."""
    for one in deliveries.runs:
        counts: Counter[str] = Counter()
        for kind, number in one.summary.counts.items():
            counts[kind.outcome] += number
        numbers = ", ".join(f"{number:,} {outcome}" for outcome, number in counts.items())
        end = conclusion(one.summary, resumable=one.checkpoint is not None)
        note(f"{one.events}: {numbers or 'no outcomes'}. {end}", shown=False)


def _sandbox(options: RunOptions, opened: Opened) -> Sandbox | None:
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


def _print(
    deliveries: FileDeliveries, options: RunOptions, sandbox: Sandbox | None, *, single: bool
) -> None:
    for number, one in enumerate(deliveries.runs):
        if not single:
            echo(f"\n{one.events}\n" if number else f"{one.events}\n")
        print_summary(one.summary, "standard input" if one.events == "-" else one.events)
        if not single:
            echo(f"\n{conclusion(one.summary, resumable=one.checkpoint is not None)}")
    if options.sandbox and sandbox:
        print_panels(sandbox.panels())
    if options.dry_run:
        echo("\nDry run: nothing was sent.")
        if sandbox:
            _print_requests(sandbox)
    _print_previews(deliveries.previews)
    _print_metrics(deliveries.metrics)
    _print_end(deliveries, single=single)
    for one in deliveries.runs:
        _print_advice(one, options, deliveries.serves)


def _print_advice(
    one: FileDelivery, options: RunOptions, serves: ConnectionIdentity | None
) -> None:
    """Print where to look at the events of a file that failed, if any."""
    kept = dead_letters_of(options, one.place or one.events, serves) if serves else None
    if kept is None and (options.table or options.unpack):
        return  # `explain` would need the same options
    if advice := failures_advice(one.summary, one.events, str(options.path), kept):
        echo(advice)


def _print_end(deliveries: FileDeliveries, *, single: bool) -> None:
    """Print how the only file ended, or what is to be known about several beside their own."""
    if single:
        (only,) = deliveries.runs
        echo(f"\n{conclusion(only.summary, resumable=only.checkpoint is not None)}")
        return
    if deliveries.left_out:
        echo(f"\n{deliveries.left_out:,} other files were completed before these.")
    if deliveries.interrupted:
        echo("\nInterrupted. Run the same command again to resume.")
    if deliveries.not_started:
        stopped = deliveries.runs[-1].summary.stopped if deliveries.runs else ""
        overtakes = stopped in {"unavailable", "refused"}
        echo(f"\n{not_started(deliveries.not_started, overtakes=overtakes)}")


def _print_json(
    deliveries: FileDeliveries, opened: Opened, sandbox: Sandbox | None, *, single: bool
) -> None:
    """Print the summary of the only file, or those of several in the member `files`."""
    files = [
        {"events": one.events, **one.summary.to_json(), "exitCode": one.exit_code}
        for one in deliveries.runs
    ]
    document = {
        "connection": opened.file.name,
        "destination": opened.file.destination,
        **(deliveries.runs[0].summary.to_json() if single else {"files": files}),
        **({} if single else {"notStarted": [*deliveries.not_started]}),
        **({"metrics": _metrics(deliveries.metrics)} if deliveries.metrics else {}),
        "exitCode": deliveries.exit_code,
        **({"sandbox": sandbox.state()} if sandbox else {}),
    }
    print_json(document)


def _metrics(metrics: Mapping[MetricKey, int]) -> list[dict[str, Any]]:
    return [
        {"name": name, "labels": dict(labels), "count": number}
        for (name, labels), number in sorted(metrics.items())
    ]


def _print_metrics(metrics: Mapping[MetricKey, int]) -> None:
    """Print what the destination has counted, if anything."""
    if metrics:
        from framework.delivery import metric_text  # noqa: PLC0415 - seldom needed

        rows = [(metric_text(key), f"{number:,}") for key, number in sorted(metrics.items())]
        echo()
        print_table(("Counted by the destination", "Count"), rows)


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
