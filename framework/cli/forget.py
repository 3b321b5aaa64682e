"""`actions forget`: remove a connection from a store of events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from framework.cli.stores import StoreAddress, open_store, store_option
from framework.cli.terminal import echo
from framework.errors import ConfigurationError, UnknownNameError

if TYPE_CHECKING:
    from framework.relay import CursorStatus, EventStore


@click.command()
@click.argument("connection", metavar="NAME")
@store_option()
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def forget(connection: str, store: StoreAddress, yes: bool) -> None:  # noqa: FBT001 - click's signature
    """Remove the connection NAME from a store of events.

    Its undelivered events are given up, and its dead letters are deleted. Events that no other
    connection waits for are deleted, too.
    """
    from framework.relay import DeadLetterFilter  # noqa: PLC0415 - heavy, imported at first use

    with open_store(store) as opened:
        waiting = _found(opened, connection).waiting
        letters = opened.dead_letters.count(DeadLetterFilter(connection=connection))
        if (waiting or letters) and not yes:
            click.confirm(
                f"Give up {waiting:,} events that `{connection}` has not delivered, and delete "
                f"{letters:,} dead letters?",
                abort=True,
                err=True,
            )
        opened.drop(connection)
    echo(f"Removed the connection `{connection}`.")


def _found(store: EventStore, name: str) -> CursorStatus:
    cursors = {one.connection: one for one in store.cursors()}
    if name not in cursors:
        raise UnknownNameError.of("connection", name, [*cursors])
    if cursors[name].owned:
        raise ConfigurationError(
            f"A process works for the connection `{name}`. Stop its relay first."
        )
    return cursors[name]
