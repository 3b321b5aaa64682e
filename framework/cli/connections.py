"""From the name of a connection file to everything that is needed to open the connection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from framework.cli import exits
from framework.cli.findings import show_findings
from framework.errors import UnknownNameError

if TYPE_CHECKING:
    from framework.config import ConnectionFile
    from framework.plugins import Plugin

connection_option = click.option(
    "--connection",
    "-c",
    "path",
    required=True,
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False),
    help="The connection file (YAML or JSON): destination, settings, subscriptions.",
)


def _read_endpoints(
    _: click.Context, parameter: click.Parameter, values: Sequence[str]
) -> dict[str, str]:
    for value in values:
        if "=" not in value:
            raise click.BadParameter(
                f"`{value}` must be ORIGIN=URL, like https://api.example.com=http://localhost:8010.",
                param=parameter,
            )
    return dict(value.split("=", 1) for value in values)


endpoint_option = click.option(
    "--endpoint",
    "endpoints",
    multiple=True,
    metavar="ORIGIN=URL",
    callback=_read_endpoints,
    help="Call URL where the destination would call ORIGIN; may be given several times.",
)


@dataclass(frozen=True)
class Opened:
    """A connection file that can be used, and the destination that it names."""

    file: ConnectionFile
    plugin: Plugin


def open_connection(path: str) -> Opened:
    """Give what the connection file at *path* says; shows every finding.

    Ends the command where there are errors, or where the connection is switched off.
    """
    from framework.config import read_connection  # noqa: PLC0415 - heavy, imported at first use
    from framework.plugins import load_plugins  # noqa: PLC0415 - heavy, imported at first use

    reading = read_connection(path)
    file, plugin = reading.connection, None
    if file is not None:
        try:
            plugin = load_plugins().get(file.destination)
        except UnknownNameError as error:
            spot = file.node.at("destination").spot
            reading.findings.error("AD401", spot, str(error))
    show_findings(reading.diagnostics)
    if file is None or plugin is None:
        raise click.exceptions.Exit(exits.USAGE)
    return Opened(file, plugin)
