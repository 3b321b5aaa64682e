"""What the commands about audiences of a connection share: options, and how they end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from framework.cli import exits
from framework.cli.audience_connection import AudienceConnection, audience_connection
from framework.cli.connections import Opened, connection_option, endpoint_option, open_connection
from framework.cli.installed import plugins_print_to_stderr
from framework.cli.stores import StoreAddress, open_store, store_option
from framework.cli.tables import print_table
from framework.cli.terminal import echo, print_json

if TYPE_CHECKING:
    from framework.audiences import ListComparison, MalformedLines, SentChanges

F = TypeVar("F", bound=Callable[..., Any])

_SHOWN: Final = 10
"""Malformed lines that are shown."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
column_option = click.option(
    "--column",
    metavar="NAME",
    help="Column of the lists, which are CSV files with a header then; otherwise each line is an "
    "identifier.",
)


def connected_options(command: F) -> F:
    """Add the options that name a connection and a store."""
    for option in (endpoint_option, store_option(), connection_option):
        command = option(command)
    return command


@contextmanager
def opened_connection(
    path: str | Opened,
    store: StoreAddress,
    endpoints: Mapping[str, str],
    *,
    create: bool = False,
) -> Iterator[tuple[Opened, AudienceConnection, ExitStack]]:
    """Open a connection over a store, with a stack for what else is opened.

    With *create*, the store need not exist.
    """
    opened = open_connection(path) if isinstance(path, str) else path
    with ExitStack() as stack:
        stack.enter_context(plugins_print_to_stderr())
        kept = stack.enter_context(store.open() if create else open_store(store))
        yield opened, stack.enter_context(audience_connection(opened, kept, endpoints)), stack


def print_malformed(malformed: MalformedLines, *, err: bool) -> None:
    """Print the first malformed lines of a list, with reasons."""
    for one in malformed.first[:_SHOWN]:
        echo(f"{one.name}:{one.line}: {one.reason}", err=err)
    if malformed.number > _SHOWN:
        echo(f"... and {malformed.number - _SHOWN:,} more malformed lines.", err=err)


def lines_of(malformed: MalformedLines) -> dict[str, Any]:
    """Return the number of malformed lines and the first of them, as JSON."""
    return {
        "count": malformed.number,
        "first": [{"list": one.name, "line": one.line} for one in malformed.first],
    }


def end_command(
    ctx: click.Context,
    sent: SentChanges | None,
    missing: int,
    *,
    as_json: bool,
    compared: tuple[ListComparison, MalformedLines] | None = None,
) -> None:
    """Print the results, and exit with the code that they have.

    *missing* is the number of people whose identifiers are not known. *compared* are the numbers
    of a list and its malformed lines.
    """
    code = exits.DONE
    if missing or (compared and compared[1].number) or (sent and sent.failures):
        code = exits.FAILED
    if sent and sent.left:
        code = exits.INTERRUPTED
        if sent.halted:
            code = exits.UNAVAILABLE if sent.halted.retryable else exits.REFUSED
    if as_json:
        names = ("listed", "repeated", "members", "added", "removed", "unchanged", "again")
        list_part: dict[str, Any] = {}
        if compared:
            list_part = {name: getattr(compared[0], name) for name in names}
            list_part["malformed"] = lines_of(compared[1])
        document = {**list_part, **_sent_json(sent, missing), "exitCode": code}
        print_json(document)
    elif sent is None:
        echo("There is nothing to send.")
    else:
        _print_sent(sent)
    ctx.exit(code)


def _sent_json(sent: SentChanges | None, missing: int) -> dict[str, Any]:
    return {
        "withoutIdentifier": missing,
        "results": [
            {
                "change": "add" if kind.wanted else "remove",
                "outcome": kind.outcome,
                "code": kind.code,
                "reason": kind.reason,
                "people": number,
            }
            for kind, number in (sorted(sent.counts.items()) if sent else ())
        ],
        "failedLines": sent.failed_lines if sent else [],
        "left": sent.left if sent else 0,
    }


def _print_sent(sent: SentChanges) -> None:
    rows = [
        (
            "add" if kind.wanted else "remove",
            kind.outcome,
            f"{number:,}",
            kind.code,
            kind.reason,
        )
        for kind, number in sorted(sent.counts.items(), reverse=True)
    ]
    print_table(("Change", "Outcome", "People", "Code", "Reason"), rows, empty="Nothing was sent.")
    if sent.failed_lines:
        echo(f"Lines that failed: {', '.join(f'{one:,}' for one in sent.failed_lines)}.")
    if sent.left:
        why = f" {sent.halted.message}" if sent.halted else ""
        echo(f"{sent.left:,} changes have no result yet.{why} Run the same command again.")
