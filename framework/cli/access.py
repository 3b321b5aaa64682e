"""`actions check-auth`: ask whether the credentials of a connection are good."""

from __future__ import annotations

import click

from framework.cli import exits
from framework.cli.connections import connection_option, endpoint_option, open_connection
from framework.errors import IntegrationError

_OFFERS = {
    exits.REFUSED: "Check the settings that hold the credentials.",
    exits.UNAVAILABLE: "Check the network and the address, and ask again later.",
}


@click.command("check-auth")
@connection_option
@endpoint_option
def check_auth(path: str, endpoints: dict[str, str]) -> None:
    """Ask the partner whether the credentials of a connection are good; no event is sent.

    Exits with 0 when access is given, 4 when it is refused, 3 when the partner does not answer.
    """
    from framework.delivery import connect, make_transport  # noqa: PLC0415 - heavy, imported at first use

    opened = open_connection(path)
    name = opened.plugin.definition.name
    if not opened.plugin.implements("check_authentication"):
        click.echo(f"{name} has no check of its own; the first event will tell.")
        return
    transport = make_transport(redirect=endpoints)
    with connect(opened.plugin, opened.file.settings, (), transport=transport) as connection:
        try:
            connection.check_authentication()
        except IntegrationError as error:
            offer = _OFFERS.get(exits.code_of(error), "")
            error.args = (f"{error} {offer}".rstrip(),)
            raise
    click.echo(f"{name} accepts the credentials.")
