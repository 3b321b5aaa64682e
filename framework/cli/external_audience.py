"""`actions audience create`, `get` and `unlink`: the IDs by which the partner knows audiences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from framework.cli.connections import (
    connection_option,
    endpoint_option,
    open_connection,
    sandbox_option,
    to_partner,
)
from framework.cli.json_values import ObjectOption
from framework.cli.terminal import echo

if TYPE_CHECKING:
    from collections.abc import Mapping

_settings_option = click.option(
    "--settings", type=ObjectOption(), default={}, help="The settings of the audience, as JSON."
)


@click.command()
@connection_option
@click.option("--key", required=True, metavar="KEY", help="The key of the audience in events.")
@click.option("--name", metavar="NAME", help="Its name at the partner  [default: the key]")
@_settings_option
@sandbox_option
@endpoint_option
def create(  # noqa: PLR0913 - click passes options as arguments
    *,
    path: str,
    key: str,
    name: str | None,
    settings: dict[str, Any],
    sandbox: bool,
    endpoints: Mapping[str, str],
) -> None:
    """Create an audience at the partner, unless its ID is kept; print the ID.

    Later deliveries of events with this key and these settings use it.
    """
    opened = open_connection(path, offline=sandbox)
    with to_partner(opened, sandbox=sandbox, endpoints=endpoints) as connection:
        created = connection.create_audience(key, settings, name=name)
    echo(created)


@click.command()
@connection_option
@click.argument("external_id", metavar="ID")
@_settings_option
@sandbox_option
@endpoint_option
def get(
    *,
    path: str,
    external_id: str,
    settings: dict[str, Any],
    sandbox: bool,
    endpoints: Mapping[str, str],
) -> None:
    """Ask the partner for the audience ID; print the ID under which it is known there."""
    opened = open_connection(path, offline=sandbox)
    with to_partner(opened, sandbox=sandbox, endpoints=endpoints) as connection:
        found = connection.get_audience(external_id, settings)
    echo(found)


@click.command()
@connection_option
@click.option("--key", required=True, metavar="KEY", help="The key of the audience in events.")
@_settings_option
@endpoint_option
def unlink(*, path: str, key: str, settings: dict[str, Any], endpoints: Mapping[str, str]) -> None:
    """Forget the kept ID of an audience; the next event of it creates an audience anew.

    Nothing changes at the partner.
    """
    opened = open_connection(path)
    with to_partner(opened, sandbox=False, endpoints=endpoints) as connection:
        known = connection.unlink_audience(key, settings)
    echo(f"The ID of `{key}` is forgotten." if known else f"No ID is kept for `{key}`.")
