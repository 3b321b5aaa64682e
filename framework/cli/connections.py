"""Reading connection files for commands, with all findings shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import click

from framework.cli import exits
from framework.cli.findings import show_findings
from framework.cli.installed import find_installed
from framework.errors import SettingsError, UnknownNameError

if TYPE_CHECKING:
    from framework.config import ConnectionFile, DiagnosticList, Reading
    from framework.plugins import Plugin

connection_option = click.option(
    "--connection",
    "-c",
    "path",
    required=True,
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False),
    help="Connection file (YAML or JSON): destination, settings, subscriptions.",
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
    help="Send requests for ORIGIN to URL instead; may be repeated.",
)


class Opened(NamedTuple):
    """A valid connection file and its destination."""

    file: ConnectionFile
    plugin: Plugin


def open_connection(path: str) -> Opened:
    """Read the connection file at *path*, check its settings and show every finding.

    Raises click's Exit with code 2 where there are errors, StorageError where it cannot be read.
    """
    from framework.config import read_connection  # noqa: PLC0415 - heavy, imported at first use

    return check_reading(read_connection(path))


def check_reading(reading: Reading) -> Opened:
    """Check the settings of *reading* and show every finding; raises Exit if there are errors."""
    plugin = _plugin(reading)
    if reading.connection is not None and plugin is not None:
        _check_settings(reading.connection, plugin, reading.findings)
    return _opened(reading, plugin)


def name_connection(path: str) -> Opened:
    """Read the connection file at *path* like `open_connection`, but do not check its settings."""
    from framework.config import read_connection  # noqa: PLC0415 - heavy, imported at first use

    reading = read_connection(path)
    return _opened(reading, _plugin(reading))


def _plugin(reading: Reading) -> Plugin | None:
    """Return the file's destination, or None; add a finding where it is unknown."""
    file = reading.connection
    if file is None:
        return None
    try:
        return find_installed(file.destination)
    except UnknownNameError as error:
        reading.findings.error("AD401", file.node.at("destination").spot, str(error))
        return None


def _check_settings(file: ConnectionFile, plugin: Plugin, findings: DiagnosticList) -> None:
    """Add findings for invalid settings, as `actions validate` does."""
    from framework.definition import shape_settings  # noqa: PLC0415 - heavy, at first use

    try:
        shape_settings(plugin.definition.settings, file.settings)
    except SettingsError:
        from framework.linting import check_settings  # noqa: PLC0415 - heavy, seldom needed

        check_settings(file, plugin.definition, findings)


def _opened(reading: Reading, plugin: Plugin | None) -> Opened:
    found, file = reading.diagnostics, reading.connection
    show_findings(found)
    if file is None or plugin is None or any(each.severity == "error" for each in found):
        raise click.exceptions.Exit(exits.USAGE)
    return Opened(replace(file, destination=plugin.definition.slug), plugin)
