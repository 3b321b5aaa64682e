"""`actions audience mirror` for destinations that take the whole list of an audience."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext

import click

from framework.cli import exits
from framework.cli.audience_connection import connected
from framework.cli.audience_options import end_command, print_malformed
from framework.cli.connections import Opened
from framework.cli.delivery_options import RUN_DEFAULTS, patience_of
from framework.cli.installed import plugins_print_to_stderr
from framework.cli.progress import interruptions
from framework.cli.stores import StoreAddress
from framework.cli.terminal import confirm, echo
from framework.errors import ConfigurationError


def takes_full_lists(opened: Opened) -> bool:
    """Return whether the partner replaces the members of an audience by a list."""
    rules = opened.plugin.definition.audience
    return rules is not None and rules.full_sync


def send_full_list(  # noqa: PLR0913 - each is an option of the command
    ctx: click.Context,
    opened: Opened,
    store: StoreAddress | None,
    endpoints: Mapping[str, str],
    *,
    name: str,
    given: str,
    column: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Send everybody in a list, which becomes the audience; exit with the code of the results.

    Nothing is sent if a line is malformed: the partner would remove that person.
    """
    from framework.audiences import (  # noqa: PLC0415 - heavy, imported at first use
        IdentifierList,
        check_list,
        send_list,
    )
    from framework.delivery import FullList  # noqa: PLC0415 - heavy, imported at first use

    with (
        plugins_print_to_stderr(),
        store.open() if store else nullcontext() as kept,
        connected(opened, kept, endpoints) as connection,
        IdentifierList(given, column) as people,
    ):
        whole = FullList(connection, name)
        number, malformed = check_list(whole, people)
        if malformed.number:
            print_malformed(malformed, err=True)
            text = "Nothing was sent, as the partner would remove the people in these lines."
            echo(text, err=True)
            ctx.exit(exits.FAILED)
        if not number:
            raise ConfigurationError(f"The list `{people.name}` is empty. Nothing was sent.")
        text = f"Replace the members of `{name}` by the {number:,} people in the list?"
        confirm(text, yes=yes)
        options = opened.file.delivery.over(RUN_DEFAULTS)
        patience = patience_of(options, options.retry_for or 0.0)
        with interruptions() as stopping:
            sent = send_list(whole, people, number, patience=patience, stopping=stopping)
    if sent.failures or sent.left:
        echo("The list was not completed, so nobody is removed. Run the command again.", err=True)
    end_command(ctx, sent, 0, as_json=as_json)
