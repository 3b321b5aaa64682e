"""`actions audience mirror`: make an audience equal to a list, by sending what differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from framework.cli.audience_connection import choose_audience, send_changes
from framework.cli.audience_full_list import send_full_list, takes_full_lists
from framework.cli.audience_options import (
    column_option,
    end_command,
    json_option,
    opened_connection,
    print_malformed,
    yes_option,
)
from framework.cli.command_log import logged
from framework.cli.connections import connection_option, endpoint_option, open_enabled
from framework.cli.stores import StoreAddress, store_option
from framework.cli.tables import print_table
from framework.cli.terminal import confirm, echo
from framework.errors import ConfigurationError

if TYPE_CHECKING:
    from framework.audiences import ListComparison, MalformedLines, PeopleSource

    _Type = click.ParamType[Any]
else:  # generic from click 8.3 on
    _Type = click.ParamType


class Bound(_Type):
    """A number of people, or a percentage of the members so far: `500`, `10%`."""

    name = "bound"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> RemovalBound:
        """Return the bound; raises BadParameter."""
        if isinstance(value, RemovalBound):
            return value
        text = str(value).strip()
        number = text.removesuffix("%")
        try:
            bound = RemovalBound(text, float(number), share=text.endswith("%"))
        except ValueError:
            bound = RemovalBound(text, -1.0, share=False)
        if not 0 <= bound.number < float("inf"):
            self.fail(
                f"`{value}` is not a number of people like 500, or a share like 10%.", param, ctx
            )
        return bound


class RemovalBound(NamedTuple):
    """A bound on removals, as it was given: a number of people, or a *share* in percent."""

    text: str
    number: float
    share: bool

    def of(self, members: int) -> int:
        """Return the number of people that it allows to remove."""
        return int(members * self.number / 100) if self.share else int(self.number)


@click.command(short_help="Make an audience equal to a list.")
@connection_option
@store_option(required=False, use="Store of the ledger, not needed for whole lists: ")
@endpoint_option
@click.option("--name", required=True, metavar="NAME", help="The audience at the partner.")
@click.option(
    "--members",
    "given",
    required=True,
    metavar="FILE",
    help="List of everybody who shall be in the audience, plain or gzip; - reads standard input.",
)
@column_option
@click.option(
    "--previous",
    multiple=True,
    metavar="FILE",
    help="A former list, in which the identifiers of people are looked up who are to be removed. "
    "Repeatable.",
)
@click.option(
    "--max-removals",
    type=Bound(),
    default="10%",
    show_default=True,
    metavar="BOUND",
    help="Maximum number of members to remove, or their share; with more, nothing is sent.",
)
@click.option(
    "--naming", default="", metavar="NAMING", help="What NAME is, if there are several: id, name."
)
@click.option(
    "--kind",
    metavar="KIND",
    help="Kind of identifiers, such as email, if the connection sends several.",
)
@yes_option
@json_option
@logged
@click.pass_context
def mirror(  # noqa: PLR0913, PLR0917 - each is an option of its own
    ctx: click.Context,
    /,
    path: str,
    store: StoreAddress | None,
    endpoints: Mapping[str, str],
    name: str,
    given: str,
    column: str | None,
    previous: Sequence[str],
    max_removals: RemovalBound,
    naming: str,
    kind: str | None,
    *,
    yes: bool,
    as_json: bool,
) -> None:
    """Make an audience equal to a list, by sending only what differs from the ledger.

    A destination that takes whole lists gets all of it: everybody else is removed there, and
    --store is not needed.

    Shows what is to change, and asks. People who are removed are known by digest only: their
    identifiers are looked up in the list --previous, the dead letters, and the events that are
    still in the store. The exit code is 1 if some are not found, if lines are malformed, or if
    something failed. No relay may work for the connection meanwhile.
    """
    from framework.audiences import (  # noqa: PLC0415 - heavy, imported at first use
        Changes,
        IdentifierList,
        ListedPeople,
        compare,
        orders_of,
        read_members,
        take_known,
    )

    opened = open_enabled(path)
    if takes_full_lists(opened):
        send_full_list(
            ctx,
            opened,
            store,
            endpoints,
            name=name,
            given=given,
            column=column,
            yes=yes,
            as_json=as_json,
        )
    if store is None:
        raise click.UsageError("Missing option '--store'.")
    with opened_connection(opened, store, endpoints, create=True) as (_, here, stack):
        claim = here.claim(stack)
        audience = choose_audience(here, name, naming, kind)
        status = here.status(audience)
        changes = stack.enter_context(Changes())
        people = stack.enter_context(IdentifierList(given, column))
        reader = here.reader([audience])
        known = read_members(here.store.ledger, status) if status else ()
        found = compare(changes, reader, ListedPeople(people), known)
        malformed = reader.take_malformed()
        former = [stack.enter_context(IdentifierList(one, column)) for one in previous]
        sources: list[PeopleSource] = [*map(ListedPeople, former), here.events()]
        missing = take_known(changes, reader, sources)
        _print_comparison(name, found, malformed, missing)
        _check_removals(found, max_removals)
        to_send = sum(one.taken for one in changes.counts())
        sent = None
        if to_send:
            confirm(f"Send {to_send:,} changes to the partner?", yes=yes)
            changes.restore()
            orders = orders_of(changes, reader, sources, people)
            sent = send_changes(here, claim, [audience], orders)
    end_command(ctx, sent, missing, as_json=as_json, compared=(found, malformed))


def _check_removals(found: ListComparison, bound: RemovalBound) -> None:
    """Raise ConfigurationError if more people would be removed than the bound allows."""
    allowed = bound.of(found.members)
    if found.removed > allowed:
        raise ConfigurationError(
            f"{found.removed:,} of {found.members:,} members are not in the list, but "
            f"--max-removals {bound.text} allows to remove {allowed:,}. Nothing was sent. If the "
            f"list is right, write --max-removals {found.removed}."
        )


def _print_comparison(
    name: str, found: ListComparison, malformed: MalformedLines, missing: int
) -> None:
    """Print on standard error how a list and an audience differ."""
    rows = [
        ("Members so far", found.members),
        ("In the list", found.listed),
        ("To add", found.added),
        ("To remove", found.removed),
        ("Unchanged", found.unchanged),
        ("To confirm again", found.again),
        ("Repeated lines", found.repeated),
        ("Without identifier", missing),
    ]
    table = [(text, f"{number:,}") for text, number in rows]
    print_table((f"Audience `{name}`", "People"), table, err=True)
    print_malformed(malformed, err=True)
    if missing:
        echo(
            f"{missing:,} people cannot be removed, as nothing holds their identifiers. Name the "
            "former list by --previous.",
            err=True,
        )
