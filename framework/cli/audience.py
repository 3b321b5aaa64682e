"""`actions audience`: who is in which audience, by the ledger of a store, and how to change it."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import click

from framework.cli.audience_connection import audience_connection, named
from framework.cli.audience_mirror import mirror
from framework.cli.audience_repair import drift, plan, repair
from framework.cli.connections import connection_option, endpoint_option, open_connection
from framework.cli.external_audience import create, get, unlink
from framework.cli.installed import plugins_print_to_stderr
from framework.cli.stores import StoreAddress, open_store, store_option
from framework.cli.tables import print_table
from framework.cli.terminal import echo, print_json
from framework.errors import ConfigurationError

_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_connection_name = click.option(
    "--connection-name", metavar="NAME", help="Only audiences of this connection."
)


@click.group()
def audience() -> None:
    """Show who is in which audience by a store's ledger, and correct what the partner has.

    The ledger knows people by keyed digests, never by identifiers. It holds what was sent, and
    whether the partner confirmed it; the partner's members are never read.
    """


@audience.command("list")
@store_option()
@_connection_name
@_json_option
def list_(store: StoreAddress, connection_name: str | None, *, as_json: bool) -> None:
    """List the audiences, with the numbers of people.

    People are pending until the partner has confirmed that they were added or removed.
    """
    from framework.audiences import audience_to_json, kind_of  # noqa: PLC0415 - heavy, at first use

    with open_store(store) as opened:
        found = opened.ledger.audiences(connection_name)
    if as_json:
        document = {"audiences": [audience_to_json(one) for one in found]}
        print_json(document)
        return
    rows = [
        (
            one.audience.name,
            one.audience.naming,
            kind_of(one.audience),
            one.connection,
            f"{one.members:,}",
            f"{one.pending:,}",
            "yes" if one.shared or one.ambiguous else "no",
        )
        for one in found
    ]
    titles = ("Audience", "Named by", "Kind", "Connection", "Members", "Pending", "Shared")
    print_table(titles, rows, empty="The ledger has no audiences.")


@audience.command(short_help="Show an audience: people, states, times.")
@click.argument("name")
@store_option()
@_connection_name
@_json_option
def show(name: str, store: StoreAddress, connection_name: str | None, *, as_json: bool) -> None:
    """Show an audience: how many people are in it, since when, and what is confirmed."""
    from framework.audiences import (  # noqa: PLC0415 - heavy, imported at first use
        audience_to_json,
        kind_of,
        read_members,
        state_counts,
        why_sent,
    )

    with open_store(store) as opened:
        ledger = opened.ledger
        found = [
            (one, state_counts(member for _, member in read_members(ledger, one)))
            for one in named(ledger.audiences(connection_name), name)
        ]
    if as_json:
        document = {"audiences": [{**audience_to_json(one), **counts} for one, counts in found]}
        print_json(document)
        return
    for number, (one, counts) in enumerate(found):
        echo("\n" if number else "", nl=False)
        rows = [
            ("Named by", one.audience.naming),
            ("Kind", kind_of(one.audience)),
            ("Connection", one.connection),
            ("Members", f"{one.members:,}"),
            ("Confirmed in", f"{counts['confirmedIn']:,}"),
            ("Confirmed out", f"{counts['confirmedOut']:,}"),
            ("To be added", f"{counts['pendingIn']:,}"),
            ("To be removed", f"{counts['pendingOut']:,}"),
            ("First change", counts["firstChange"] or ""),
            ("Last change", counts["lastChange"] or ""),
            ("Unchanged events", "are sent" if why_sent(one) else "are not sent"),
        ]
        print_table(("Audience", one.audience.name), rows)
        if why := why_sent(one):
            echo(why)


@audience.command()
@click.argument("person")
@connection_option
@store_option()
@endpoint_option
@_json_option
def who(
    person: str, path: str, store: StoreAddress, endpoints: Mapping[str, str], *, as_json: bool
) -> None:
    """Show in which audiences PERSON is, and since when.

    PERSON is an identifier in any form in which the connection may send it, such as an address or
    its hash; `-` reads it from standard input, which keeps it off the command line. It is neither
    stored nor logged.
    """
    from framework.audiences import (  # noqa: PLC0415 - heavy, imported at first use
        audience_place,
        member_to_json,
        moment_text,
    )

    text = sys.stdin.readline() if person == "-" else person
    opened = open_connection(path)
    with (
        plugins_print_to_stderr(),
        open_store(store) as kept,
        audience_connection(opened, kept, endpoints) as here,
    ):
        ledger = kept.ledger
        audiences = [one.audience for one in ledger.audiences()]
        identities = here.members.identities(audiences, text.strip())
        if audiences and not identities:
            raise ConfigurationError(
                f"PERSON is no identifier that {opened.plugin.definition.name} knows. Write it as "
                "in an event: for example an address, or its hash."
            )
        found = ledger.person(ledger.digests(identities)) if identities else []
    if as_json:
        rows = [{**audience_place(one), **member_to_json(member)} for one, _, member in found]
        print_json({"audiences": rows})
        return
    table = [
        (
            one.audience.name,
            one.connection,
            "yes" if member.wanted else "no",
            "yes" if member.confirmed else "no",
            moment_text(member.since) or "",
        )
        for one, _, member in found
    ]
    titles = ("Audience", "Connection", "Member", "Confirmed", "Since")
    print_table(titles, table, empty="The ledger does not know this person.")


@audience.command(short_help="Let nothing count as confirmed.")
@click.argument("name")
@store_option()
@_connection_name
def clear(name: str, store: StoreAddress, connection_name: str | None) -> None:
    """Let nothing count as confirmed in an audience, after it was edited elsewhere.

    Who shall be in it stays known. From then on every event is sent again, until the partner has
    confirmed it; `actions audience repair` sends what is known now.
    """
    with open_store(store) as opened:
        found = named(opened.ledger.audiences(connection_name), name)
        for one in found:
            number = opened.ledger.clear(one.id)
            echo(f"`{name}` of `{one.connection}`: {number:,} people are to be confirmed again.")


for one in (create, get, unlink):
    audience.add_command(one)
audience.add_command(plan)
audience.add_command(repair)
audience.add_command(mirror)
audience.add_command(drift)
