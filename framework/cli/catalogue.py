"""`actions list` and `actions show`: installed destinations, and the details of one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from framework.cli.connections import open_connection
from framework.cli.installed import (
    complete_destination,
    find_installed,
    installed,
    plugins_print_to_stderr,
    warn_of_problems,
)
from framework.cli.tables import TableRow, print_source, print_table
from framework.cli.terminal import echo, print_json

if TYPE_CHECKING:
    from framework.definition import Action, Destination, Field
    from framework.delivery import InputKind


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(as_json: bool) -> None:  # noqa: FBT001 - click's signature
    """List installed destinations; report unusable and slow ones on standard error."""
    registry = installed()
    warn_of_problems(registry)
    for text in registry.warnings:
        echo(f"Warning: {text}", err=True)
    found = [plugin.definition for plugin in registry.destinations.values()]
    if as_json:
        print_json([_headline(definition) for definition in found])
        return
    rows = [(d.slug, d.name, ", ".join(a.slug for a in d.actions)) for d in found]
    print_table(("Destination", "Name", "Actions"), rows, empty="No destinations are installed.")


@click.command()
@click.argument("destination", required=False, shell_complete=complete_destination)
@click.option("--json", "as_json", is_flag=True, help="Print the whole definition as JSON.")
@click.option(
    "--generated",
    "connection",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False),
    help="Print the function generated for a connection file instead.",
)
@click.option(
    "--form",
    type=click.Choice(["structs", "json"]),
    default="structs",
    show_default=True,
    help="With --generated: the function for lines of a file, or for JSON events.",
)
def show(
    destination: str | None,
    as_json: bool,  # noqa: FBT001 - click's signature
    connection: str | None,
    form: InputKind,
) -> None:
    """Show the settings, actions and fields of DESTINATION.

    With --generated, show a connection's triggers, mappings and fields as one Python function. It
    holds no settings.
    """
    if (destination is None) == (connection is None):
        raise click.UsageError("Give either a destination or --generated FILE.")
    if connection is not None:
        _show_generated(connection, form)
    else:
        assert destination is not None
        _show_definition(find_installed(destination).definition, as_json=as_json)


def _show_generated(path: str, form: InputKind) -> None:
    from framework.delivery import DryRun, connect  # noqa: PLC0415 - heavy, at first use

    opened = open_connection(path)
    settings, subscriptions = opened.file.settings, opened.file.subscriptions
    with plugins_print_to_stderr():
        found = connect(
            opened.plugin,
            settings,
            subscriptions,
            **opened.file.arguments,
            transport=DryRun(),
        )
    with found:
        print_source(found.generated(form))


def _show_definition(definition: Destination, *, as_json: bool) -> None:
    if as_json:
        from framework.definition import to_manifest  # noqa: PLC0415 - heavy, seldom needed

        print_json(to_manifest(definition))
        return
    echo(f"{definition.name} ({definition.slug})\n{definition.description}\n")
    _print_fields("Settings", definition.settings_fields)
    for action in definition.actions:
        _print_action(action)


def _headline(definition: Destination) -> dict[str, Any]:
    return {
        "slug": definition.slug,
        "name": definition.name,
        "description": definition.description,
        "actions": [action.slug for action in definition.actions],
    }


def _print_action(action: Action) -> None:
    echo(f"\n{action.title} ({action.slug})\n{action.description}")
    echo(f"Default trigger: {action.trigger or 'none'}")
    if action.batching:
        size = f"{action.batching.max_size:,}"
        keys = ", ".join(action.batching.keys)
        echo(f"Batches: up to {size} events{f' that agree in {keys}' if keys else ''}")
    echo()
    _print_fields("Fields", action.fields)


def _print_fields(title: str, fields: Mapping[str, Field]) -> None:
    shown = {key: field for key, field in fields.items() if not field.hidden}
    print_table(
        (title, "Label", "Type", "Required", "Default"),
        [_field_row(key, field) for key, field in shown.items()],
        empty=f"{title}: none.",
    )


def _field_row(key: str, field: Field) -> TableRow:
    kind = f"list of {field.type}" if field.multiple else field.type
    if field.choices:
        kind = f"{kind}: {' | '.join(str(choice.value) for choice in field.choices)}"
    return key, field.label, kind, _required(field), _default(field)


def _required(field: Field) -> str:
    if isinstance(field.required, bool):
        return "yes" if field.required else ""
    return "sometimes"


def _default(field: Field) -> str:
    if field.mapping is not None:
        simple = isinstance(field.mapping, dict) and set(field.mapping) == {"@path"}
        return str(field.mapping["@path"]) if simple else json.dumps(field.mapping)
    return "" if field.default is None else json.dumps(field.default)
