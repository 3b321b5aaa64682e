"""`actions status`: what waits in a store of events, by connection."""

from __future__ import annotations

import click

from framework.cli.stores import StoreAddress, open_store, store_option
from framework.cli.tables import print_table
from framework.cli.terminal import print_json


@click.command()
@store_option()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(store: StoreAddress, as_json: bool) -> None:  # noqa: FBT001 - click's signature
    """Show what waits in a store of events, by connection.

    The owner is the process that works for a connection, as host/number. The age is that of the
    oldest waiting event. Doubts are people for which a call of a former owner may have arrived
    late; the owner sends their state again.
    """
    from framework.relay import connection_statuses  # noqa: PLC0415 - heavy, imported at first use

    with open_store(store) as opened:
        found = connection_statuses(opened)
    if as_json:
        document = {"connections": [one.to_json() for one in found]}
        print_json(document)
        return
    rows = [
        (
            one.connection,
            one.stream,
            f"{one.waiting:,}",
            "" if one.oldest is None else f"{one.oldest:,.0f} s",
            f"{one.dead_letters:,}",
            f"{one.doubts:,}",
            one.owner or ("yes" if one.owned else "no"),
        )
        for one in found
    ]
    titles = ("Connection", "Stream", "Waiting", "Age", "Dead letters", "Doubts", "Owner")
    print_table(titles, rows, empty="No connection has been relayed from this store.")
