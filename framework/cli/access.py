"""`actions check-auth`: check the credentials of a connection."""

from __future__ import annotations

import click

from framework.cli import exits
from framework.cli.connections import (
    connection_option,
    endpoint_option,
    open_connection,
    to_partner,
)
from framework.cli.terminal import echo
from framework.errors import IntegrationError

_OFFERS = {
    exits.REFUSED: "Check the credentials and the other settings of the connection.",
    exits.UNAVAILABLE: "Check the network and the address, and try again later.",
}


@click.command("check-auth")
@connection_option
@endpoint_option
def check_auth(path: str, endpoints: dict[str, str]) -> None:
    """Check a connection's credentials with the partner; send no event.

    Exits with 0 when they are valid, 4 when access is denied, 3 when the partner is unavailable.
    """
    opened = open_connection(path)
    name = opened.plugin.definition.name
    if not opened.plugin.implements("check_authentication"):
        echo(f"{name} has no credentials check; the first delivery shows whether they are valid.")
        return
    with to_partner(opened, sandbox=False, endpoints=endpoints) as connection:
        try:
            connection.check_authentication()
        except IntegrationError as error:
            offer = _OFFERS.get(exits.code_of(error), "")
            error.args = (f"{error} {offer}".rstrip(),)
            raise
    echo(f"{name} accepts the credentials.")
