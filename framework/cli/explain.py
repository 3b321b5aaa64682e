"""`actions explain`: why an event is delivered or not, stage by stage."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, TextIO

import click

from framework.cli import exits
from framework.cli.connections import connection_option, open_connection
from framework.cli.installed import plugins_print_to_stderr
from framework.errors import ConfigurationError
from framework.nesting import MAX_LEVELS, TOO_DEEP, is_too_deep

if TYPE_CHECKING:
    from framework.cli.connections import Opened
    from framework.explain import EventTrace

_MARKS = {True: ("✓", "green"), False: ("✗", "red"), None: ("?", "yellow")}
_OUTCOMES = {"delivered": "green", "failed": "red", "skipped": "yellow", "unconfirmed": "red"}
WIDTH = 160
"""Maximum number of characters shown of a value."""


@click.command()
@connection_option
@click.option(
    "--event",
    "source",
    required=True,
    type=click.File(encoding="utf-8"),
    metavar="FILE",
    help="File with a JSON event, a list of events, or one event per line; - reads standard input.",
)
@click.option(
    "--sandbox",
    is_flag=True,
    help="Show the requests to the sandbox, its responses and the outcome.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the traces as JSON.")
@click.pass_context
def explain(
    ctx: click.Context, /, *, path: str, source: TextIO, sandbox: bool, as_json: bool
) -> None:
    """Show how each subscription processes an event, without contacting the partner.

    Shows, for each subscription, every condition of the trigger with the value it reads, every
    field with its value and source, the problems of the payload, and its batch. If no
    subscription matches, shows the closest one and the smallest change that makes it match.
    """
    opened = open_connection(path)
    events = list(_events(source))
    with plugins_print_to_stderr():
        traces = list(_traces(opened, events, sandbox=sandbox))
    if as_json:
        click.echo(json.dumps([trace.to_json() for trace in traces], indent=2, ensure_ascii=False))
    else:
        for trace in traces:
            click.echo("\n".join(_event_lines(trace.to_json(), requests=sandbox)))
    failed = any(trace.outcome == "failed" for trace in traces)
    ctx.exit(exits.FAILED if failed else exits.DONE)


def _events(source: TextIO) -> Iterator[dict[str, Any]]:
    text = source.read()
    levels = MAX_LEVELS + text.lstrip().startswith("[")
    if is_too_deep(text.encode("utf-8", "surrogatepass"), levels):
        raise ConfigurationError(f"The event is {TOO_DEEP}.")
    try:
        value = json.loads(text)
        values = value if isinstance(value, list) else [value]
    except ValueError as error:
        try:
            values = [json.loads(line) for line in text.splitlines() if line.strip()]
        except ValueError:
            values = []
        if len(values) < 2:
            raise ConfigurationError(f"The event is not valid JSON: {error}.") from None
    for number, event in enumerate(values, 1):
        if not isinstance(event, dict):
            raise ConfigurationError(f"Event {number} must be an object.")
        yield event


def _traces(opened: Opened, events: list[dict[str, Any]], *, sandbox: bool) -> Iterable[EventTrace]:
    from framework.delivery import DryRun, Retry, connect  # noqa: PLC0415 - heavy, at first use
    from framework.explain import trace_events  # noqa: PLC0415 - heavy
    from framework.sandbox import SandboxTransport  # noqa: PLC0415 - heavy

    plugin, file = opened.plugin, opened.file
    transport: Any = DryRun()
    if plugin.implements("sandbox"):
        partner = plugin.call("sandbox")
        partner.admit(file.settings)
        transport = SandboxTransport(partner)
    elif sandbox:
        raise click.UsageError(f"{plugin.definition.name} has no sandbox. Leave out --sandbox.")
    with connect(
        plugin, file.settings, file.subscriptions, transport=transport, retry=Retry.never()
    ) as connection:
        if plugin.implements("sandbox"):
            connection.check_authentication()
        return trace_events(connection, events, connection.deliver(events))


def _event_lines(trace: dict[str, Any], *, requests: bool) -> Iterator[str]:
    name = trace["messageId"] or f"number {trace['position'] + 1}"
    yield click.style(f"Event {name}", bold=True)
    for subscription in trace["legs"]:
        yield from _subscription_lines(subscription, requests=requests)
    if trace["nearest"]:
        yield f"  No subscription matches. {trace['nearest']['text']}"
    yield ""


def _subscription_lines(trace: dict[str, Any], *, requests: bool) -> Iterator[str]:
    verdict = "matches" if trace["trigger"]["matched"] else "does not match"
    yield f"  {click.style(trace['subscription'], bold=True)} ({trace['action']}) {verdict}"
    yield from _condition_lines(trace["trigger"]["tree"], "    ")
    for mapped in trace["mapping"] or ():
        yield f"    {_field_line(mapped)}"
    for problem in trace["problems"]:
        yield f"    {click.style('!', fg='red')} {problem['message']}"
    if trace["batch"]:
        keys = ", ".join(f"{key} {_short(value)}" for key, value in trace["batch"]["key"].items()
                         if value is not None)  # fmt: skip
        yield f"    batch of {trace['batch']['size']}{f' by {keys}' if keys else ''}"
    if requests:
        yield from _request_lines(trace)


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


def _request_lines(trace: dict[str, Any]) -> Iterator[str]:
    for exchange in trace["exchanges"]:
        request, response = exchange["request"], exchange["response"]
        status = response["statusCode"] if response else exchange["error"]
        yield f"    {request['method']} {request['url']} -> {status}"
        if request["body"]:
            yield f"      sent {_cut(request['body'])}"
        if response:
            yield f"      got {_short(response['body'])}"
    result = trace["result"]
    outcome = click.style(result["outcome"], fg=_OUTCOMES.get(result["outcome"]))
    code = f" {result['code']}" if "code" in result else ""
    if trace["trigger"]["matched"]:
        yield f"    outcome: {outcome}{code}{_reason(result)}"


def _reason(result: dict[str, Any]) -> str:
    return f": {result['message']}" if "message" in result else ""


def _short(value: Any) -> str:
    return _cut(json.dumps(value, ensure_ascii=False))


def _cut(text: str) -> str:
    return text if len(text) <= WIDTH else f"{text[:WIDTH]}…"
