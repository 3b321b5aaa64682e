"""`actions audience plan`, `repair` and `drift`: what the partner has, and what it should have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import click

from framework.cli.audience_connection import AudienceConnection, send_changes
from framework.cli.audience_options import (
    column_option,
    connected_options,
    end_command,
    json_option,
    lines_of,
    opened_connection,
    print_malformed,
    yes_option,
)
from framework.cli.command_log import logged
from framework.cli.connections import open_enabled
from framework.cli.stores import StoreAddress
from framework.cli.tables import print_table
from framework.cli.terminal import confirm, echo, print_json
from framework.errors import ConfigurationError

if TYPE_CHECKING:
    from framework.audiences import Changes, MalformedLines, PeopleReader, PeopleSource
    from framework.relay import AudienceStatus

_list_option = click.option(
    "--list",
    "given",
    multiple=True,
    metavar="FILE",
    help="List of identifiers, plain or gzip, of people that the ledger may know; - reads standard "
    "input. Repeatable.",
)


@click.command(short_help="Show what the partner has not confirmed.")
@click.argument("name", required=False)
@connected_options
@_list_option
@column_option
@json_option
@logged
def plan(  # noqa: PLR0913, PLR0917 - each is an option of its own
    name: str | None,
    path: str,
    store: StoreAddress,
    endpoints: Mapping[str, str],
    given: Sequence[str],
    column: str | None,
    *,
    as_json: bool,
) -> None:
    """Show what the partner has not confirmed, in all audiences or in NAME.

    To send it, identifiers are needed, which the ledger does not have: they come from the dead
    letters, the events that are still in the store, and a --list.
    """
    with opened_connection(path, store, endpoints) as (_, here, stack):
        planned = _plan(here, here.statuses(name), given, column, stack)
        rows = planned.rows()
    _print_plan(planned, rows, as_json=as_json)


@click.command(short_help="Send what the partner has not confirmed.")
@click.argument("name", required=False)
@connected_options
@_list_option
@column_option
@yes_option
@json_option
@logged
@click.pass_context
def repair(  # noqa: PLR0913, PLR0917 - each is an option of its own
    ctx: click.Context,
    /,
    name: str | None,
    path: str,
    store: StoreAddress,
    endpoints: Mapping[str, str],
    given: Sequence[str],
    column: str | None,
    *,
    yes: bool,
    as_json: bool,
) -> None:
    """Send what the partner has not confirmed, in all audiences or in NAME.

    First shows what `actions audience plan` shows, and asks. The exit code is 1 if somebody's
    identifier is not known, or something failed. No relay may work for the connection meanwhile.
    """
    from framework.audiences import orders_of  # noqa: PLC0415 - heavy, imported at first use

    with opened_connection(open_enabled(path), store, endpoints) as (_, here, stack):
        claim = here.claim(stack)
        planned = _plan(here, here.statuses(name), given, column, stack)
        _print_plan(planned, planned.rows(), as_json=False, err=True)
        known = sum(one.taken for one in planned.changes.counts())
        sent = None
        if known:
            confirm(f"Send {known:,} changes to the partner?", yes=yes)
            planned.changes.restore()
            audiences = [one.audience for one in planned.statuses]
            orders = orders_of(planned.changes, planned.reader, planned.sources)
            sent = send_changes(here, claim, audiences, orders)
        missing = sum(one.number for one in planned.changes.counts()) - known
    if missing:
        echo(
            f"{missing:,} changes cannot be sent, as nothing holds the identifiers. Name lists "
            "that do by --list.",
            err=True,
        )
    end_command(ctx, sent, missing, as_json=as_json)


class _Plan(NamedTuple):
    """What is not confirmed in audiences, and where identifiers are known from.

    *nothing* is the text if there is nothing.
    """

    statuses: Sequence[AudienceStatus]
    changes: Changes
    reader: PeopleReader
    sources: Sequence[PeopleSource]
    malformed: MalformedLines
    nothing: str

    def rows(self) -> list[_PlanRow]:
        """Return the numbers of people in each audience."""
        counts: dict[int, dict[bool, tuple[int, int]]] = {}
        for one in self.changes.counts():
            counts.setdefault(one.audience, {})[one.wanted] = one.number, one.taken
        return [
            (self.statuses[place].audience.name, some.get(True, (0, 0)), some.get(False, (0, 0)))
            for place, some in counts.items()
        ]


_PlanRow: TypeAlias = tuple[str, tuple[int, int], tuple[int, int]]
"""An audience with the people to add and those to remove: their number, and how many are known."""


def _plan(
    here: AudienceConnection,
    statuses: Sequence[AudienceStatus],
    given: Sequence[str],
    column: str | None,
    stack: ExitStack,
) -> _Plan:
    """Return what is not confirmed in audiences; what is known by identifier is taken."""
    from framework.audiences import (  # noqa: PLC0415 - heavy, imported at first use
        Changes,
        IdentifierList,
        ListedPeople,
        add_pending,
        take_known,
    )

    changes = stack.enter_context(Changes())
    add_pending(changes, here.store.ledger, statuses)
    reader = here.reader([one.audience for one in statuses])
    lists = [stack.enter_context(IdentifierList(one, column)) for one in given]
    sources: list[PeopleSource] = [*map(ListedPeople, lists), here.events()]
    take_known(changes, reader, sources)
    nothing = "The partner has confirmed everything." if statuses else here.nothing_known()
    return _Plan(statuses, changes, reader, sources, reader.take_malformed(), nothing)


def _print_plan(
    planned: _Plan, found: Sequence[_PlanRow], *, as_json: bool, err: bool = False
) -> None:
    malformed = planned.malformed
    if as_json:
        rows = [
            {
                "audience": name,
                "add": {"people": added[0], "known": added[1]},
                "remove": {"people": removed[0], "known": removed[1]},
            }
            for name, added, removed in found
        ]
        print_json({"audiences": rows, "malformed": lines_of(malformed)})
        return
    table = [
        (name, f"{added[0]:,}", f"{removed[0]:,}", f"{added[1] + removed[1]:,}")
        for name, added, removed in found
    ]
    titles = ("Audience", "To add", "To remove", "Identifiers known")
    print_table(titles, table, empty=planned.nothing, err=err)
    print_malformed(malformed, err=err)


@click.command(short_help="Compare the numbers with the partner's.")
@click.argument("name", required=False)
@connected_options
@json_option
@logged
def drift(
    name: str | None, path: str, store: StoreAddress, endpoints: Mapping[str, str], *, as_json: bool
) -> None:
    """Compare the numbers of members with those that the partner counts.

    A difference is no error: partners count with a delay, and only what they could use. It is a
    hint if it stays. Members are not read.
    """
    with opened_connection(path, store, endpoints) as (opened, here, _):
        if not opened.plugin.implements("audience_size"):
            raise ConfigurationError(
                f"{opened.plugin.definition.name} cannot say how many people are in an audience: "
                "it has no hook `audience_size`."
            )
        sums: dict[tuple[str, str], int] = {}
        for one in here.statuses(name):
            key = one.audience.name, one.audience.naming
            sums[key] = sums.get(key, 0) + one.members
        found = [(key, ours, here.size(*key)) for key, ours in sums.items()]
        nothing = here.nothing_known()
    if as_json:
        rows = [
            {
                "audience": called,
                "naming": naming,
                "members": ours,
                "partner": size.members,
                "difference": None if size.members is None else size.members - ours,
                "delay": size.delay,
            }
            for (called, naming), ours, size in found
        ]
        print_json({"audiences": rows})
        return
    table = [
        (
            called,
            naming,
            f"{ours:,}",
            "none" if size.members is None else f"{size.members:,}",
            "" if size.members is None else f"{size.members - ours:+,}",
            size.delay,
        )
        for (called, naming), ours, size in found
    ]
    titles = ("Audience", "Named by", "Members", "Partner", "Difference", "Counted late by")
    print_table(titles, table, empty=nothing)
