"""`actions forget`: remove a connection from a store of events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from framework.cli.stores import StoreAddress, open_store, store_option
from framework.cli.terminal import confirm, echo
from framework.errors import ConfigurationError, UnknownNameError

if TYPE_CHECKING:
    from framework.relay import EventStore


@click.command()
@click.argument("connection", metavar="NAME")
@store_option()
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def forget(connection: str, store: StoreAddress, yes: bool) -> None:  # noqa: FBT001 - click's signature
    """Remove the connection NAME from a store of events.

    Its undelivered events are given up, and its dead letters and its memberships are deleted: a
    ledger that begins anew sends every event, and removes only people that it knows. Events that
    no other connection waits for are deleted, too.
    """
    from framework.relay import DeadLetterFilter  # noqa: PLC0415 - heavy, imported at first use

    with open_store(store) as opened:
        waiting, audiences = _kept(opened, connection)
        claim = opened.claim(connection)
        if claim is None:
            raise ConfigurationError(
                f"A process works for the connection `{connection}`. Stop its relay first."
            )
        try:
            letters = opened.dead_letters.count(DeadLetterFilter(connection=connection))
            lost = {"waiting event": waiting, "dead letter": letters, "audience": audiences}
            kept = [_counted(number, what) for what, number in lost.items() if number]
            if kept:
                question = f"Remove `{connection}` with {' and '.join(kept)}, which are lost then?"
                confirm(question, yes=yes)
            opened.drop(connection)
        finally:
            claim.release()
    echo(f"Removed the connection `{connection}`.")


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _kept(store: EventStore, name: str) -> tuple[int, int]:
    """Return the number of events that wait for a connection, and that of its audiences."""
    cursors = {one.connection: one for one in store.cursors()}
    every = store.ledger.audiences()
    known = {*cursors, *(one.connection for one in every)}
    if name not in known:
        raise UnknownNameError.of("connection", name, sorted(known))
    cursor = cursors.get(name)
    return (cursor.waiting if cursor else 0), sum(one.connection == name for one in every)
