"""`actions explain`: why an event is delivered, or why not, stage by stage."""

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
_OUTCOMES = {"delivered": "green", "failed": "red", "skipped": "yellow"}
WIDTH = 160
"""Characters of a value that are shown."""


@click.command()
@connection_option
@click.option(
    "--event",
    "source",
    required=True,
    type=click.File(encoding="utf-8"),
    metavar="FILE",
    help="The event as JSON, a list of events, or one event a line; - reads standard input.",
)
@click.option(
    "--sandbox", is_flag=True, help="Show the calls to the pretend partner, and what came of them."
)
@click.option("--json", "as_json", is_flag=True, help="Print the journeys as JSON.")
@click.pass_context
def explain(
    ctx: click.Context, /, *, path: str, source: TextIO, sandbox: bool, as_json: bool
) -> None:
    """Show what each subscription makes of an event, and send nothing.

    For each subscription: every condition of the trigger with the value it saw, every field with
    its value and where that came from, what is wrong with the payload, and the batch it would
    join. Where nothing matches: the nearest subscription and the smallest change that would match.
    """
    opened = open_connection(path)
    events = list(_events(source))
    with plugins_print_to_stderr():
        found = list(_journeys(opened, events, called=sandbox))
    if as_json:
        click.echo(json.dumps([one.to_json() for one in found], indent=2, ensure_ascii=False))
    else:
        for journey in found:
            click.echo("\n".join(_told(journey.to_json(), called=sandbox)))
    failed = any(journey.outcome == "failed" for journey in found)
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


def _journeys(
    opened: Opened, events: list[dict[str, Any]], *, called: bool
) -> Iterable[EventTrace]:
    from framework.delivery import DryRun, Retry, connect  # noqa: PLC0415 - heavy, at first use
    from framework.explain import trace_events  # noqa: PLC0415 - heavy
    from framework.sandbox import SandboxTransport  # noqa: PLC0415 - heavy

    plugin, file = opened.plugin, opened.file
    transport: Any = DryRun()
    if plugin.implements("sandbox"):
        pretend = plugin.call("sandbox")
        pretend.admit(file.settings)
        transport = SandboxTransport(pretend)
    elif called:
        raise click.UsageError(f"{plugin.definition.name} has no sandbox.")
    with connect(
        plugin, file.settings, file.subscriptions, transport=transport, retry=Retry.never()
    ) as connection:
        if plugin.implements("sandbox"):
            connection.check_authentication()
        return trace_events(connection, events, connection.deliver(events))


def _told(journey: dict[str, Any], *, called: bool) -> Iterator[str]:
    name = journey["messageId"] or f"number {journey['position'] + 1}"
    yield click.style(f"Event {name}", bold=True)
    for leg in journey["legs"]:
        yield from _leg(leg, called=called)
    if journey["nearest"]:
        yield f"  Nothing matches. {journey['nearest']['text']}"
    yield ""


def _leg(leg: dict[str, Any], *, called: bool) -> Iterator[str]:
    verdict = "matches" if leg["trigger"]["matched"] else "does not match"
    yield f"  {click.style(leg['subscription'], bold=True)} ({leg['action']}) {verdict}"
    yield from _conditions(leg["trigger"]["tree"], "    ")
    for mapped in leg["mapping"] or ():
        yield f"    {_field(mapped)}"
    for problem in leg["problems"]:
        yield f"    {click.style('!', fg='red')} {problem['message']}"
    if leg["batch"]:
        keys = ", ".join(f"{key} {_short(value)}" for key, value in leg["batch"]["key"].items()
                         if value is not None)  # fmt: skip
        yield f"    batch: {leg['batch']['size']} together{f' by {keys}' if keys else ''}"
    if called:
        yield from _calls(leg)


def _conditions(tree: dict[str, Any], indent: str) -> Iterator[str]:
    mark, colour = _MARKS[tree["truth"]]
    saw = ", ".join(
        f"`{one['field']}` is {_short(one['value']) if 'value' in one else 'missing'}"
        for one in tree.get("saw", ())
    )
    told = tree["condition"] if "saw" in tree else tree["join"]
    yield f"{indent}{click.style(mark, fg=colour)} {told}{f'   ({saw})' if saw else ''}"
    for part in tree.get("parts", ()):
        yield from _conditions(part, f"{indent}  ")


def _field(mapped: dict[str, Any]) -> str:
    value = _short(mapped["value"]) if "value" in mapped else "nothing"
    places = ", ".join(source["path"] for source in mapped["sources"])
    return f"{mapped['field']} = {value}{f'   from {places}' if places else ''}"


def _calls(leg: dict[str, Any]) -> Iterator[str]:
    for exchange in leg["exchanges"]:
        request, response = exchange["request"], exchange["response"]
        status = response["statusCode"] if response else exchange["error"]
        yield f"    {request['method']} {request['url']} -> {status}"
        if request["body"]:
            yield f"      sent {_cut(request['body'])}"
        if response:
            yield f"      got {_short(response['body'])}"
    result = leg["result"]
    outcome = click.style(result["outcome"], fg=_OUTCOMES.get(result["outcome"]))
    code = f" {result['code']}" if "code" in result else ""
    if leg["trigger"]["matched"]:
        yield f"    outcome: {outcome}{code}{_reason(result)}"


def _reason(result: dict[str, Any]) -> str:
    return f": {result['message']}" if "message" in result else ""


def _short(value: Any) -> str:
    return _cut(json.dumps(value, ensure_ascii=False))


def _cut(text: str) -> str:
    return text if len(text) <= WIDTH else f"{text[:WIDTH]}…"
