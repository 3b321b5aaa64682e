"""`actions dead-letters`: list, show, replay and drop events that failed permanently."""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from framework.cli import exits
from framework.cli.command_log import logged
from framework.cli.connections import (
    endpoint_option,
    kept_audiences,
    name_of,
    open_enabled,
    origins_text,
    plugin_store,
    rotated_tokens,
)
from framework.cli.installed import plugins_print_to_stderr
from framework.cli.stores import StoreAddress, open_store, store_option
from framework.cli.tables import print_table
from framework.cli.terminal import echo, print_json

if TYPE_CHECKING:
    from framework.delivery import Connection
    from framework.relay import (
        ClaimedLedger,
        DeadLetter,
        DeadLetterFile,
        DeadLetterFilter,
        DeadLetters,
        EventStore,
    )
    from framework.results import Result

F = TypeVar("F", bound=Callable[..., Any])

_TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"]
_FILTERS = (
    click.option("--id", "ids", multiple=True, metavar="ID", help="Only this one; repeatable."),
    click.option("--connection-name", metavar="NAME", help="Only of this connection."),
    click.option("--subscription", metavar="NAME", help="Only of this subscription."),
    click.option(
        "--reason", metavar="TEXT", default="", help="Only with this code, or text in the message."
    ),
    click.option(
        "--since", type=click.DateTime(_TIMES), help="Only failed at this time (UTC) or later."
    ),
    click.option(
        "--until", type=click.DateTime(_TIMES), help="Only failed before this time (UTC)."
    ),
    click.option("--message-id", metavar="ID", help="Only of the event with this ID."),
)


def _letters_options(command: F) -> F:
    """Add FILE, --store and the options that filter; pass the file or store, and its letters."""

    @wraps(command)
    def called(**options: Any) -> Any:
        with _opened(options.pop("file"), options.pop("store")) as letters:
            reason = options.pop("reason").casefold()
            chosen, filtered = _filter(options)
            found = sorted(
                letters.list(chosen, most=sys.maxsize), key=lambda one: (one.at, one.line)
            )
            found = [one for one in found if _is_for(one, reason)]
            filtered = filtered or bool(reason)
            return command(letters=letters, found=found, filtered=filtered, **options)

    call: Any = called
    for option in reversed(_FILTERS):
        call = option(call)
    path = click.Path(exists=True, dir_okay=False, path_type=Path)
    call = store_option(required=False)(call)
    decorated: F = click.argument("file", type=path, required=False)(call)
    return decorated


@contextmanager
def _opened(
    file: Path | None, store: StoreAddress | None
) -> Iterator[DeadLetters | DeadLetterFile]:
    """Open the dead letters of a file run or of a store; raises UsageError unless one is given."""
    if (file is None) == (store is None):
        raise click.UsageError(
            "Name either a FILE of dead letters, which a run keeps next to its events "
            "(EVENTS.NAME-DIGEST.dead-letters.ndjson), or a --store."
        )
    if store is not None:
        with open_store(store) as opened:
            yield opened.dead_letters
        return
    from framework.relay import DeadLetterFile  # noqa: PLC0415 - heavy, imported at first use

    assert file is not None
    yield DeadLetterFile(file)


def _filter(options: dict[str, Any]) -> tuple[DeadLetterFilter, bool]:
    """Remove the filter from *options*; return it, and whether any of its options is given."""
    from framework.relay import DeadLetterFilter  # noqa: PLC0415 - heavy, imported at first use

    given = {
        "ids": list(map(_number, options.pop("ids"))) or None,
        "connection": options.pop("connection_name"),
        "subscription": options.pop("subscription"),
        "since": _unix(options.pop("since")),
        "until": _unix(options.pop("until")),
        "message_id": options.pop("message_id"),
    }
    return DeadLetterFilter(**given), any(one is not None for one in given.values())


def _number(shown: str) -> int:
    try:
        return int(shown, 16)
    except ValueError:
        raise click.UsageError(f"`{shown}` is not the ID of a dead letter.") from None


def _is_for(letter: DeadLetter, reason: str) -> bool:
    message = str(letter.outcome.get("message", ""))
    return reason == letter.code.casefold() or reason in message.casefold()


def _shown(letter: DeadLetter) -> dict[str, Any]:
    from framework.relay import letter_to_json  # noqa: PLC0415 - heavy, imported at first use

    return letter_to_json(letter)


def _unix(time: datetime | None) -> float | None:
    return time.replace(tzinfo=UTC).timestamp() if time else None


@click.group("dead-letters")
def dead_letters() -> None:
    """List, show, replay or drop events that failed permanently.

    A run adds them to EVENTS.NAME-DIGEST.dead-letters.ndjson, next to its checkpoint; a relay keeps
    them in its store. They hold whole events, which are personal data.
    """


@dead_letters.command("list")
@_letters_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines, without the events.")
def list_(
    letters: DeadLetters | DeadLetterFile,
    found: Sequence[DeadLetter],
    *,
    filtered: bool,
    as_json: bool,
) -> None:
    """List dead letters, the oldest first."""
    del letters, filtered
    if as_json:
        for one in found:
            echo(json.dumps(_shown(one), ensure_ascii=False))
        return
    rows = [
        (
            shown["id"], shown["failedAt"], one.subscription, f"{one.line:,}", one.code,
            str(shown.get("message", "")),
        )
        for one in found
        for shown in [_shown(one)]
    ]  # fmt: skip
    columns = ("ID", "Failed", "Subscription", "Line", "Code", "Message")
    print_table(columns, rows, empty="No dead letters.")


@dead_letters.command("show")
@_letters_options
def show(
    letters: DeadLetters | DeadLetterFile, found: Sequence[DeadLetter], *, filtered: bool
) -> None:
    """Print dead letters with their events, as JSON."""
    del letters, filtered
    for one in found:
        shown = {**_shown(one), "event": json.loads(one.event)}
        print_json(shown)


@dead_letters.command("drop")
@_letters_options
@click.option("--all", "every", is_flag=True, help="Drop all; needed without a filter.")
def drop(
    letters: DeadLetters | DeadLetterFile,
    found: Sequence[DeadLetter],
    *,
    filtered: bool,
    every: bool,
) -> None:
    """Drop dead letters, so that they are not listed or replayed any more."""
    if not (filtered or every):
        raise click.UsageError("Name what to drop, for example with --reason, or use --all.")
    _drop(letters, found)
    echo(f"Dropped {len(found):,}.")


@dead_letters.command("replay")
@_letters_options
@click.option(
    "--connection",
    "-c",
    "path",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False),
    help="Connection file; required for dead letters of a file.",
)
@endpoint_option
@store_option(
    "--ledger",
    required=False,
    use="The store that the run was given, for dead letters of a file: its ledger of memberships "
    "learns what the partner confirms. ",
)
@click.option("--json", "as_json", is_flag=True, help="Print the outcomes as JSON lines.")
@logged
@click.pass_context
def replay(  # noqa: PLR0913 - each is an option of its own
    ctx: click.Context,
    /,
    letters: DeadLetters | DeadLetterFile,
    found: Sequence[DeadLetter],
    *,
    filtered: bool,
    path: str | None,
    endpoints: Mapping[str, str],
    ledger: StoreAddress | None,
    as_json: bool,
) -> None:
    """Deliver dead letters again, each in the subscription in which it failed.

    What is delivered or skipped is dropped. The order is not kept: a replayed event is sent after
    newer ones about the same person, and may undo their effect. Dead letters of a store are
    delivered by the relay that works on it, those of a file by this command over a --connection.
    """
    del filtered
    from framework.relay import DeadLetterFile  # noqa: PLC0415 - heavy, at first use

    if not isinstance(letters, DeadLetterFile):
        if ledger:
            raise click.UsageError("The relay keeps its ledger itself; leave out --ledger.")
        _request(letters, found)
        return
    if path is None:
        raise click.UsageError(
            "Name the --connection over which the dead letters of a file are delivered."
        )
    from framework.delivery import connect, make_transport  # noqa: PLC0415 - heavy, at first use

    opened = open_enabled(path)
    file = opened.file
    echo("Replayed events are sent after newer ones about the same person.", err=True)
    sent_to = origins_text(endpoints)
    with (
        open_store(ledger) if ledger else nullcontext() as store,
        plugins_print_to_stderr(),
        connect(
            opened.plugin,
            file.settings,
            file.subscriptions,
            **file.arguments,
            store=plugin_store(opened, sent_to, store),
            options=file.delivery,
            transport=make_transport(redirect=endpoints, options=file.delivery),
            tokens=rotated_tokens(opened, sent_to),
            audiences=kept_audiences(opened, sent_to),
        ) as connection,
        _members(store, connection, name_of(opened), sent_to) as members,
    ):
        results = _replayed(connection, found, members)
        if members:
            members.save()
    settled = [letter for letter, result in results if _is_settled(result)]
    _drop(letters, settled)
    _report(results, len(found), as_json=as_json)
    if len(settled) < len(found):
        ctx.exit(exits.FAILED)


@contextmanager
def _members(
    store: EventStore | None, connection: Connection, name: str, sent_to: str
) -> Iterator[ClaimedLedger | None]:
    """Claim the connection in *store*, and yield its ledger, if there is one."""
    if store is None:
        yield None
        return
    from framework.relay import ConnectionIdentity, claimed_ledger  # noqa: PLC0415 - heavy

    serves = ConnectionIdentity.of(connection, name, sent_to)
    with claimed_ledger(store, name, connection, serves, otherwise="") as members:
        yield members


def _request(letters: DeadLetters, found: Sequence[DeadLetter]) -> None:
    from framework.relay import DeadLetterFilter  # noqa: PLC0415 - heavy, imported at first use

    number = letters.replay(DeadLetterFilter(ids=[one.id for one in found])) if found else 0
    echo("Replayed events are sent after newer ones about the same person.", err=True)
    echo(f"Requested for {number:,}; a running relay delivers them.")


def _drop(letters: DeadLetters | DeadLetterFile, found: Sequence[DeadLetter]) -> None:
    from framework.relay import DeadLetterFilter  # noqa: PLC0415 - heavy, imported at first use

    if found:
        letters.drop(DeadLetterFilter(ids=[one.id for one in found]))


def _replayed(
    connection: Connection, found: Sequence[DeadLetter], members: ClaimedLedger | None
) -> list[tuple[DeadLetter, Result]]:
    """Deliver letters, in order; return those of subscriptions that exist, with their results."""
    from framework.delivery import DELETIONS  # noqa: PLC0415 - heavy, imported at first use

    indexes = {one.name: index for index, one in enumerate(connection.subscriptions)}
    places: dict[int, list[tuple[int, DeadLetter]]] = defaultdict(list)
    events: list[tuple[int, Any]] = []
    for position, letter in enumerate(found):
        index = 0 if letter.subscription == DELETIONS else indexes.get(letter.subscription)
        if index is not None:
            places[position].append((index, letter))
            events.append((position, json.loads(letter.event)))
    wanted = {(position, index) for position, some in places.items() for index, _ in some}
    sender = connection.stream(ledger=members.ledger.sending_all() if members else None)
    results: list[tuple[DeadLetter, Result]] = []
    for steps in (sender.add(events, lambda at, index: (at, index) in wanted), sender.flush()):
        for completions in steps:
            for one in completions:
                results += [(found[position], one.result) for position in one.positions]
    return results


def _is_settled(result: Result) -> bool:
    from framework.results import Delivered, Skipped  # noqa: PLC0415 - with the other imports

    return isinstance(result, Delivered | Skipped)


def _report(results: Sequence[tuple[DeadLetter, Result]], number: int, *, as_json: bool) -> None:
    if as_json:
        for letter, result in results:
            shown = {
                "id": f"{letter.id:012x}",
                "subscription": letter.subscription,
                **result.to_json(),
            }
            print_json(shown, indent=None)
        return
    counts = Counter(
        (letter.subscription, shown["outcome"], shown.get("code", ""), shown.get("message", ""))
        for letter, result in results
        for shown in [result.to_json()]
    )
    rows = [(*kind[:2], f"{count:,}", *kind[2:]) for kind, count in sorted(counts.items())]
    columns = ("Subscription", "Outcome", "Count", "Code", "Reason")
    print_table(columns, rows, empty="No dead letters.")
    if left := number - len(results):
        echo(f"\n{left:,} are of subscriptions that the connection does not have.")
