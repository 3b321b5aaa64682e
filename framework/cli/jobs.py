"""`actions jobs`: list the jobs of a connection that the partner has not finished."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from framework.cli.connections import connection_option, name_of, open_connection
from framework.cli.stores import store_option
from framework.cli.tables import print_table
from framework.cli.terminal import print_json

if TYPE_CHECKING:
    from framework.cli.stores import StoreAddress


@click.command()
@connection_option
@store_option(required=False, use="List what a relay, or runs with --store, keep in it. ")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def jobs(*, path: str, store: StoreAddress | None, as_json: bool) -> None:
    """List the jobs of a connection that the partner has not finished.

    Each is listed with the number of events in it, and the ticket by which the partner knows it. A
    job without a ticket is being submitted, or was when its process ended: the next run finds out.
    """
    from framework.relay import StateFile, kept_jobs, state_path  # noqa: PLC0415 - heavy

    opened = open_connection(path)
    with store.open() if store else nullcontext() as found:
        state = found.state if found else StateFile(state_path(path))
        kept = kept_jobs(state, name_of(opened) if found else None)
    if as_json:
        rows = [
            {
                "action": one.action,
                "ticket": one.ticket,
                "events": one.size,
                "begun": one.begun,
                "accepted": one.accepted,
                "idempotencyKey": one.idempotency_key,
            }
            for one in kept
        ]
        print_json(rows)
        return
    print_table(
        ("Action", "Ticket", "Events", "Accepted"),
        [(one.action, one.ticket or "", f"{one.size:,}", _time(one.accepted)) for one in kept],
        empty="There are no jobs.",
    )


def _time(seconds: float | None) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds") if seconds else ""
