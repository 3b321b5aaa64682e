"""`actions choices`: ask the partner for the choices of a dynamic field."""

from __future__ import annotations

import json
from typing import Any

import click

from framework.cli import exits
from framework.cli.connections import (
    connection_option,
    endpoint_option,
    open_connection,
    sandbox_option,
    to_partner,
)
from framework.cli.json_values import ObjectOption
from framework.cli.tables import print_table
from framework.cli.terminal import echo

SETTINGS = "settings"


@click.command()
@connection_option
@click.argument("action")
@click.argument("place")
@click.option("--search", metavar="TEXT", help="What the user has typed.")
@click.option("--page", metavar="PAGE", help="A page as the one before names it.")
@click.option(
    "--payload", type=ObjectOption(), default={}, help="Values of fields so far, as JSON."
)
@click.option("--key", metavar="KEY", help="The key of an object whose values are asked for.")
@click.option("--index", type=int, metavar="N", help="The place of an item in a list, from 0.")
@click.option("--hook", metavar="KIND", help="The hook among whose inputs the field is.")
@sandbox_option
@endpoint_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def choices(  # noqa: PLR0913 - click passes options as arguments
    ctx: click.Context,
    /,
    *,
    path: str,
    action: str,
    place: str,
    search: str | None,
    page: str | None,
    payload: dict[str, Any],
    key: str | None,
    index: int | None,
    hook: str | None,
    sandbox: bool,
    endpoints: dict[str, str],
    as_json: bool,
) -> None:
    """Ask the partner for the choices of the dynamic field at PLACE of ACTION.

    PLACE is the key of a field, such as `list_id`, `address.country` or `items[].sku`. For a
    dynamic setting, write `settings` in place of ACTION. Exits with 1 if the partner answers with
    an error.
    """
    from framework.delivery import ChoicesQuery  # noqa: PLC0415 - heavy, imported at first use

    opened = open_connection(path, offline=sandbox)
    query = ChoicesQuery(
        payload=payload, page=page, search=search, selected_key=key, selected_index=index
    )
    of = None if action == SETTINGS else action
    with to_partner(opened, sandbox=sandbox, endpoints=endpoints) as connection:
        found = connection.choices(of, place, query, hook=hook)
        hide = connection.redactor.hide
    if as_json:
        echo(hide(json.dumps(found.to_json(), indent=2, ensure_ascii=False)))
    elif found.error is None:
        rows = [(hide(one["label"]), hide(str(one["value"]))) for one in found.to_json()["choices"]]
        print_table(("Label", "Value"), rows, empty="There are no choices.")
        if found.next_page:
            echo(f"More: --page {found.next_page}")
    if found.error is not None:
        if not as_json:
            echo(f"Error: {found.error.message} ({found.error.code})", err=True)
        ctx.exit(exits.FAILED)
