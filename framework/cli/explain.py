"""`actions explain`: why an event is delivered or not, stage by stage."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import click

from framework.cli import exits
from framework.cli.connections import connection_option, open_connection
from framework.cli.event_files import EventSample, unpack_option
from framework.cli.installed import plugins_print_to_stderr
from framework.cli.table_options import table_options, take_table_reading
from framework.cli.terminal import echo

if TYPE_CHECKING:
    from framework.cli.connections import Opened
    from framework.config import ConnectionFile, Spot
    from framework.delivery import Connection

_MARKS = {True: ("✓", "green"), False: ("✗", "red"), None: ("?", "yellow")}
_OUTCOMES = {
    "delivered": "green",
    "failed": "red",
    "skipped": "yellow",
    "unconfirmed": "red",
    "accepted": "yellow",
}
WIDTH = 160
"""Maximum number of characters shown of a value."""


@click.command()
@connection_option
@click.option(
    "--event",
    "source",
    required=True,
    metavar="FILE",
    help="File with a JSON event, a list of events, or one event per line; - reads standard input.",
)
@click.option(
    "--line",
    "lines",
    multiple=True,
    type=click.IntRange(1),
    metavar="N",
    help="Show only the event in line N of the file, on its own. May be repeated.",
)
@unpack_option
@table_options
@click.option(
    "--sandbox",
    is_flag=True,
    help="Show the requests to the sandbox, its responses and the outcome.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the traces as JSON.")
@click.pass_context
def explain(  # noqa: PLR0913 - click passes options as arguments
    ctx: click.Context,
    /,
    *,
    path: str,
    source: str,
    lines: tuple[int, ...],
    as_json: bool,
    sandbox: bool,
    **reading: Any,
) -> None:
    """Show how each subscription processes an event, without contacting the partner.

    Shows, for each subscription, every condition of the trigger with the value it reads, every
    field with its value and source, the problems of the payload, and its batch. If no
    subscription matches, shows the closest one and the smallest change that makes it match.
    A file is read whole, in portions of 10,000 events or more, each of which ends the batches
    before it. Exits with 1 if an event fails or a line is not an event.
    """
    table = take_table_reading(reading)
    opened = open_connection(path, offline=True)
    sample = EventSample(source, table=table, **reading)
    failed = False
    before = "[\n  "
    for trace in _traces(opened, sample, frozenset(lines), sandbox=sandbox):
        failed = failed or trace["outcome"] == "failed"
        if as_json:
            text = json.dumps(trace, indent=2, ensure_ascii=False)
            echo(before + text.replace("\n", "\n  "), nl=False)
            before = ",\n  "
        else:
            echo("\n".join(_event_lines(trace, path, requests=sandbox)))
    if as_json:
        echo("\n]")
    ctx.exit(exits.FAILED if failed or sample.rejected else exits.DONE)


def _traces(
    opened: Opened, sample: EventSample, lines: frozenset[int], *, sandbox: bool
) -> Iterator[dict[str, Any]]:
    """Yield the trace of each event as a JSON object, with its line."""
    from framework.explain import iterate_traces  # noqa: PLC0415 - heavy

    events = batches = 0
    with _connected(opened, sandbox=sandbox) as connection:
        for portion in sample.portions(lines):
            with plugins_print_to_stderr():
                report = connection.deliver(portion.events)
            traces = iterate_traces(connection, portion.events, report)
            for line, trace in zip(portion.lines, traces, strict=True):
                shown = _numbered_on(trace.to_json(), events, batches)
                yield {"line": line, **_located(shown, opened.file)}
            events += len(portion.events)
            batches += len(report.batches)


def _numbered_on(trace: dict[str, Any], events: int, batches: int) -> dict[str, Any]:
    """Return the trace of an event of a portion after so many *events* and *batches*."""
    trace["position"] += events
    for part in (*trace["legs"], trace["deletion"]):
        if part and (batch := part["batch"]):
            batch["index"] += batches
            batch["mates"] = [position + events for position in batch["mates"]]
    return trace


def _located(trace: dict[str, Any], file: ConnectionFile) -> dict[str, Any]:
    """Return the trace with the place in the connection file of what it reports."""
    for step in trace.get("filters", ()):
        for one in file.filter_items:
            same = one.filter.condition == step["condition"]
            if same and one.filter.title in {"", step["filter"]}:
                step.setdefault("place", _place(one.spot()))
    enabled = [item for item in file.items if item.subscription.enabled]
    for item, part in zip(enabled, trace["legs"], strict=False):
        for problem in part["problems"]:
            path = problem["field"].partition(".")[0].partition("[")[0]
            problem["place"] = _place(item.spot("mapping", *([path] if path else [])))
        if trace["nearest"] and trace["nearest"]["subscription"] == part["subscription"]:
            trace["nearest"]["place"] = _place(item.spot("trigger"))
    return trace


def _place(spot: Spot) -> dict[str, int]:
    return {"line": spot.line, "column": spot.column}


@contextmanager
def _connected(opened: Opened, *, sandbox: bool) -> Iterator[Connection]:
    """Yield the connection, whose requests go to a sandbox or nowhere."""
    from framework.delivery import DryRun, Retry, connect, no_network  # noqa: PLC0415 - heavy
    from framework.sandbox import SandboxTransport  # noqa: PLC0415 - heavy

    plugin, file = opened.plugin, opened.file
    transport: Any = DryRun()
    with ExitStack() as stack:
        with plugins_print_to_stderr():
            if plugin.implements("sandbox"):
                partner = plugin.call("sandbox")
                partner.admit(file.settings)
                transport = SandboxTransport(partner)
            elif sandbox:
                name = plugin.definition.name
                raise click.UsageError(f"{name} has no sandbox. Leave out --sandbox.")
            stack.enter_context(no_network(plugin.definition.slug))
            connection = stack.enter_context(
                connect(
                    plugin,
                    file.settings,
                    file.subscriptions,
                    **file.arguments,
                    transport=transport,
                    retry=Retry.never(),
                    offline=True,
                )
            )
            if plugin.implements("sandbox"):
                connection.check_authentication()
        yield connection


def _event_lines(trace: dict[str, Any], file: str, *, requests: bool) -> Iterator[str]:
    name = trace["messageId"] or f"in line {trace['line']:,}"
    yield click.style(f"Event {name}", bold=True)
    for step in trace.get("filters", ()):
        yield from _filter_lines(step, file)
    for subscription in trace["legs"]:
        yield from _subscription_lines(subscription, file, requests=requests)
    if trace["deletion"]:
        yield "  This event asks to delete a user; subscriptions do not see it."
        yield from _request_lines(trace["deletion"], requests=requests)
    if trace["nearest"]:
        yield f"  No subscription matches. {trace['nearest']['text']}"
        yield f"    --> {_written(file, trace['nearest'])}"
    yield ""


def _filter_lines(step: dict[str, Any], file: str) -> Iterator[str]:
    mark, color = _MARKS[step["matched"]]
    effect = step["effect"] or "The condition is not met."
    yield f"  {click.style(mark, fg=color)} filter {step['filter']}: {step['type']}   ({effect})"
    if step["effect"] and "place" in step:
        yield f"    --> {_written(file, step)}"


def _subscription_lines(trace: dict[str, Any], file: str, *, requests: bool) -> Iterator[str]:
    verdict = "matches" if trace["trigger"]["matched"] else "does not match"
    action = f" ({trace['action']})" if trace["action"] != trace["subscription"] else ""
    yield f"  {click.style(trace['subscription'], bold=True)}{action} {verdict}"
    yield from _condition_lines(trace["trigger"]["tree"], "    ")
    for mapped in trace["mapping"] or ():
        yield f"    {_field_line(mapped)}"
    for problem in trace["problems"]:
        yield f"    {click.style('!', fg='red')} {problem['message']}"
        yield f"      --> {_written(file, problem)}"
        if "elsewhere" in problem and _is_path(trace["mapping"], problem["field"]):
            directive = json.dumps({"@path": problem["elsewhere"]}, ensure_ascii=False)
            yield f"      = To read it, write `{problem['field']}: {directive}`."
    if trace["batch"]:
        keys = ", ".join(f"{key} {_short(value)}" for key, value in trace["batch"]["key"].items()
                         if value is not None)  # fmt: skip
        yield f"    batch of {trace['batch']['size']}{f' by {keys}' if keys else ''}"
        if "preview" in trace["batch"]:
            yield f"    would send {_short(trace['batch']['preview'])}"
    if trace["trigger"]["matched"]:
        yield from _request_lines(trace, requests=requests)


def _written(file: str, part: dict[str, Any]) -> str:
    return f"{file}:{part['place']['line']}:{part['place']['column']}"


def _is_path(mapping: list[dict[str, Any]], name: str) -> bool:
    """Return whether a field is read from one path, or not mapped."""
    written = next((one["mapping"] for one in mapping if one["field"] == name), None)
    return written is None or (isinstance(written, dict) and set(written) == {"@path"})


def _condition_lines(tree: dict[str, Any], indent: str) -> Iterator[str]:
    mark, color = _MARKS[tree["truth"]]
    saw = ", ".join(
        f"`{one['field']}` is {_short(one['value']) if 'value' in one else 'missing'}"
        for one in tree.get("saw", ())
    )
    text = tree["condition"] if "saw" in tree else tree["join"]
    yield f"{indent}{click.style(mark, fg=color)} {text}{f'   ({saw})' if saw else ''}"
    for part in tree.get("parts", ()):
        yield from _condition_lines(part, f"{indent}  ")


def _field_line(mapped: dict[str, Any]) -> str:
    value = _short(mapped["value"]) if "value" in mapped else "nothing"
    places = ", ".join(source["path"] for source in mapped["sources"])
    return f"{mapped['field']} = {value}{f'   from {places}' if places else ''}"


def _request_lines(trace: dict[str, Any], *, requests: bool) -> Iterator[str]:
    """Yield the requests and the outcome; without *requests*, only an outcome but success."""
    for exchange in trace["exchanges"] if requests else ():
        request, response = exchange["request"], exchange["response"]
        status = response["statusCode"] if response else exchange["error"]
        yield f"    {request['method']} {request['url']} -> {status}"
        if request["body"]:
            yield f"      sent {_cut(request['body'])}"
        if response:
            yield f"      got {_short(response['body'])}"
    if requests and trace["batch"] and trace["batch"]["others"] and not trace["exchanges"]:
        yield "    requests: shown with the first events of the batch"
    result = trace["result"]
    outcome = click.style(result["outcome"], fg=_OUTCOMES.get(result["outcome"]))
    code = f" {result['code']}" if "code" in result else ""
    if requests or "trigger" not in trace or not trace["batch"] or _went_wrong(result):
        yield f"    outcome: {outcome}{code}{_reason(result)}"


def _went_wrong(result: dict[str, Any]) -> bool:
    """Return whether an event has an outcome that is known although nothing was sent."""
    return result["outcome"] not in {"delivered", "accepted"}


def _reason(result: dict[str, Any]) -> str:
    return f": {result['message']}" if "message" in result else ""


def _short(value: Any) -> str:
    return _cut(json.dumps(value, ensure_ascii=False))


def _cut(text: str) -> str:
    return text if len(text) <= WIDTH else f"{text[:WIDTH]}…"
