"""The connections of `actions relay`: their files, and the routes to them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from framework.cli import exits
from framework.cli.connections import Opened, disabled, name_of, open_connection, with_outputs
from framework.cli.delivery_options import patience_of
from framework.cli.relay_options import RelayOptions
from framework.cli.terminal import echo
from framework.errors import ConfigurationError

if TYPE_CHECKING:
    from framework.config import ConnectionFile
    from framework.delivery import Connection, RateStores
    from framework.relay import RelayRoute
    from framework.sandbox import Sandbox
    from framework.state_store import StateStore


def open_all(paths: Sequence[str], *, offline: bool, failed: bool) -> list[Opened]:
    """Read and check all connection files; show the errors of all of them.

    *failed* is whether something else is wrong, so that nothing can be returned.
    """
    opened: list[Opened] = []
    for path in paths:
        try:
            opened.append(open_connection(path, offline=offline))
        except click.exceptions.Exit:
            failed = True
        except ConfigurationError as error:
            echo(f"Error: {error}", err=True)
            failed = True
    problems = _misnamed(opened)
    if failed:
        for problem in problems:
            echo(f"Error: {problem}", err=True)
        raise click.exceptions.Exit(exits.USAGE)
    if problems:
        raise ConfigurationError("\n".join(problems), problems)
    return opened


def _misnamed(opened: Sequence[Opened]) -> list[str]:
    """Return a problem for each connection that is disabled or has the name of another."""
    names: dict[str, str] = {}
    problems = []
    for one in opened:
        name, path = name_of(one), one.file.file
        if text := disabled(one):
            problems.append(text)
        if name in names:
            problems.append(
                f"The connections `{names[name]}` and `{path}` have the same name, `{name}`. "
                "Give each a `name` of its own."
            )
        names[name] = path
    return problems


def route_of(
    options: RelayOptions, opened: Opened, stream: str, sandboxes: dict[str, Sandbox]
) -> RelayRoute:
    """Return the route from *stream* to a connection; its sandbox is added to *sandboxes*."""
    from framework.delivery import (  # noqa: PLC0415 - heavy
        KeptAudiences,
        KeptTokens,
        PluginStore,
        Retry,
        connect,
        make_transport,
    )
    from framework.relay import RelayRoute  # noqa: PLC0415 - heavy

    name, plugin = name_of(opened), opened.plugin
    sandbox = _sandbox(opened) if options.sandbox else None
    if sandbox:
        sandboxes[name] = sandbox
    files, scope = [opened.file], (plugin.definition.slug, options.sent_to, name)

    def open_connection_anew(rates: RateStores, state: StateStore) -> Connection:
        file = files.pop() if files else _read_again(opened)
        delivery = options.delivery_of(file)
        if sandbox is None:
            transport = make_transport(redirect=options.endpoints, options=delivery)
        else:
            from framework.sandbox import SandboxTransport  # noqa: PLC0415 - heavy

            transport = SandboxTransport(sandbox)
        return connect(
            plugin,
            file.settings,
            file.subscriptions,
            **file.arguments,
            store=None if sandbox else PluginStore(state, *scope),
            options=delivery,
            transport=transport,
            retry=Retry(attempts=2, total=15.0),  # further tries are the relay's
            rates=rates,
            name=name,
            tokens=None if sandbox else KeptTokens(state, options.sent_to),
            audiences=None if sandbox else KeptAudiences(state, options.sent_to),
            offline=sandbox is not None,
        )

    return RelayRoute(
        name=name,
        stream=stream,
        open_connection=open_connection_anew,
        sent_to=options.sent_to,
        threads=options.threads,
        patience=patience_of(options.delivery_of(opened.file), math.inf),
        ledger=options.ledger,
        starts_empty=sandbox is not None,
    )


def _read_again(opened: Opened) -> ConnectionFile:
    """Read a connection file again; raises ConfigurationError if it has errors now."""
    from framework.config import read_connection  # noqa: PLC0415 - heavy, imported at first use

    reading = read_connection(opened.file.file)
    if reading.connection is None:
        raise ConfigurationError(f"`{opened.file.file}` has errors; see `actions validate`.")
    return with_outputs(reading.connection, opened.plugin)


def _sandbox(opened: Opened) -> Sandbox:
    if not opened.plugin.implements("sandbox"):
        raise ConfigurationError(
            f"{opened.plugin.definition.name} has no sandbox. Leave out --sandbox."
        )
    sandbox: Sandbox = opened.plugin.call("sandbox")
    sandbox.admit(opened.file.settings)
    return sandbox
