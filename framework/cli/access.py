"""`actions check-auth`: check a whole connection without sending an event."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from itertools import chain
from typing import TYPE_CHECKING

import click

from framework.cli import exits
from framework.cli.connections import (
    Opened,
    connection_option,
    endpoint_option,
    open_connection,
    to_partner,
)
from framework.cli.tables import print_table
from framework.cli.terminal import print_json
from framework.errors import IntegrationError, code_of

if TYPE_CHECKING:
    from framework.cli.origin_checks import CheckedOrigin
    from framework.delivery import Connection
    from framework.results import ConnectionCheck

_ORIGIN = re.compile(r"https?://[^/?#@\s]+(?=[/?#]|$)", re.IGNORECASE)
"""The scheme, host and port of an address without a user and password."""

_OFFERS = {
    exits.REFUSED: "Check the credentials and the other settings of the connection.",
    exits.UNAVAILABLE: "Check the network and the address, and try again later.",
}


@click.command("check-auth")
@connection_option
@endpoint_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check_auth(path: str, endpoints: dict[str, str], as_json: bool) -> None:  # noqa: FBT001 - click
    """Check a whole connection with the partner; send no event.

    Reads the connection file, and checks the credentials, what the destination needs besides them,
    and of each address that was called the name, the certificate, the clock and how many requests
    are left.

    Exits with 0 when events can be delivered, 4 when access is denied, 3 when the partner is
    unavailable, 1 when another check fails.
    """
    from framework.cli.origin_checks import (  # noqa: PLC0415 - the same
        ObservedTransport,
        check_origin,
    )
    from framework.delivery import make_transport  # noqa: PLC0415 - heavy
    from framework.results import ConnectionCheck  # noqa: PLC0415 - the same

    opened = open_connection(path)
    network = ObservedTransport(make_transport(options=opened.file.delivery))
    with to_partner(opened, sandbox=False, endpoints=endpoints, network=network) as connection:
        error, found = _ask(opened, connection)
    file = ConnectionCheck("connection file", f"`{opened.file.file}` has no problems.")
    origins = [*network.origins.values()] or _named(opened.file.settings, endpoints)
    addresses = chain.from_iterable(
        check_origin(origin, opened.file.delivery) for origin in origins
    )
    checks = [file, *addresses, *found]
    failed = any(one.state == "failed" for one in checks)
    code = exits.code_of(error) if error else exits.FAILED if failed else exits.DONE
    _show(checks, code, as_json=as_json)
    if error and not as_json:
        raise error
    if code:
        raise click.exceptions.Exit(code)


def _named(settings: Mapping[str, object], endpoints: Mapping[str, str]) -> list[CheckedOrigin]:
    """Return the origins of the addresses in settings, for destinations that ask nothing."""
    from framework.cli.origin_checks import CheckedOrigin  # noqa: PLC0415 - heavy

    texts = (text for text in settings.values() if isinstance(text, str))
    found = (_ORIGIN.match(text) for text in texts)
    origins = dict.fromkeys(match[0].lower() for match in found if match)
    return [CheckedOrigin(endpoints.get(origin, origin)) for origin in origins]


def _ask(
    opened: Opened, connection: Connection
) -> tuple[IntegrationError | None, list[ConnectionCheck]]:
    """Return what the partner answers, and the error if it denies access or cannot be reached."""
    from framework.results import ConnectionCheck  # noqa: PLC0415 - heavy

    name = opened.plugin.definition.name
    if not opened.plugin.implements("check_authentication"):
        text = f"{name} has no credentials check; the first delivery shows whether they are valid."
        return None, [
            ConnectionCheck("credentials", text, "warning"),
            *connection.check_connection(),
        ]
    try:
        connection.check_authentication()
    except IntegrationError as error:
        failed = ConnectionCheck("credentials", str(error), "failed")
        offer = _offer(error)
        error.args = (f"{error} {offer}".rstrip(),)
        return error, [failed]
    accepted = ConnectionCheck("credentials", f"{name} accepts the credentials.")
    return None, [accepted, *connection.check_connection()]


def _offer(error: IntegrationError) -> str:
    """Return what to do about an error."""
    answered = error.code == code_of(error.status)
    if answered and error.status == HTTPStatus.TOO_MANY_REQUESTS:
        return "The partner allows no more requests for now: try again later."
    if answered and error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "The partner has a fault of its own: try again later."
    return _OFFERS.get(exits.code_of(error), "")


def _show(checks: Sequence[ConnectionCheck], code: int, *, as_json: bool) -> None:
    if as_json:
        document = {"checks": [each.to_json() for each in checks], "exitCode": code}
        print_json(document)
    else:
        rows = [(each.name, each.state, each.text) for each in checks]
        print_table(("Check", "State", "Found"), rows)
