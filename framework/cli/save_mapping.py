"""`actions save-mapping`: run the hook of a subscription's action and keep its outputs."""

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
from framework.cli.terminal import echo, print_json
from framework.errors import ConfigurationError, UnknownNameError

if TYPE_CHECKING:
    from framework.cli.connections import Opened
    from framework.definition import Subscription


@click.command("save-mapping")
@connection_option
@click.option(
    "--subscription", "name", required=True, metavar="NAME", help="The name of the subscription."
)
@click.option("--hook", "kind", metavar="KIND", help="The hook, if the action has several.")
@click.option("--inputs", type=ObjectOption(), default={}, help="The inputs of the hook, as JSON.")
@click.option(
    "--print",
    "only_print",
    is_flag=True,
    help="Print what a mapping holds, to put it into the connection file, and keep nothing.",
)
@sandbox_option
@endpoint_option
def save_mapping(  # noqa: PLR0913 - click passes options as arguments
    *,
    path: str,
    name: str,
    kind: str | None,
    inputs: dict[str, Any],
    only_print: bool,
    sandbox: bool,
    endpoints: dict[str, str],
) -> None:
    """Run the hook of a subscription's action, such as one that creates a list.

    Its outputs are kept beside the connection file, in NAME.state.json, for all later deliveries.
    What the mapping itself holds under the kind of the hook takes precedence.
    """
    from framework.definition import constant_fields  # noqa: PLC0415 - heavy, at first use
    from framework.relay import keep_outputs  # noqa: PLC0415 - heavy, at first use

    opened = open_connection(path, offline=sandbox)
    subscription = _subscription(opened, name)
    kind = kind or _only_kind(opened, subscription)
    with to_partner(opened, sandbox=sandbox, endpoints=endpoints) as connection:
        saved = connection.save_mapping(
            subscription.action, kind, inputs, payload=constant_fields(subscription.mapping)
        )
    if only_print:
        print_json({kind: saved.to_json()})
        return
    if sandbox:
        echo(f"{saved.message} Nothing is kept, as it was a sandbox.")
        return
    keep_outputs(path, opened.plugin.definition, subscription, {kind: saved.to_json()})
    echo(saved.message)


def _subscription(opened: Opened, name: str) -> Subscription:
    from framework.relay import outputs_key  # noqa: PLC0415 - heavy, at first use

    definition = opened.plugin.definition
    found = {outputs_key(definition, one): one for one in opened.file.subscriptions}
    if name not in found:
        raise UnknownNameError.of("subscription", name, found, "subscriptions")
    return found[name]


def _only_kind(opened: Opened, subscription: Subscription) -> str:
    action = opened.plugin.definition.action(subscription.action)
    kinds = [one.kind for one in action.hooks]
    if len(kinds) != 1:
        raise ConfigurationError(
            f"Name the hook: --hook {' or --hook '.join(kinds)}."
            if kinds
            else f"Action `{action.slug}` has no hooks that run when a mapping is saved."
        )
    return kinds[0]
