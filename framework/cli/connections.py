"""Reading connection files for commands, with all findings shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from framework.cli import exits
from framework.cli.findings import show_findings
from framework.cli.installed import find_installed, plugins_print_to_stderr
from framework.errors import ConfigurationError, UnknownNameError

if TYPE_CHECKING:
    import httpx

    from framework.config import ConnectionFile, Diagnostic, Reading
    from framework.definition import Destination
    from framework.delivery import Connection, KeptAudiences, KeptTokens, PluginStore
    from framework.plugins import Plugin
    from framework.relay import EventStore

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
    help="Send requests for ORIGIN to URL instead; repeatable.",
)


sandbox_option = click.option(
    "--sandbox", is_flag=True, help="Ask the destination's sandbox in place of the partner."
)


_ABOUT_FILES = frozenset({"AD207", "AD305"})
"""Warnings about the file rather than a delivery, which only `actions validate` gives."""


class Opened(NamedTuple):
    """A valid connection file and its destination."""

    file: ConnectionFile
    plugin: Plugin


def name_of(opened: Opened) -> str:
    """Return the name of a connection: its `name`, otherwise that of its file."""
    return opened.file.name or Path(opened.file.file).name.partition(".")[0]


def open_connection(path: str, *, offline: bool = False) -> Opened:
    """Read and check the connection file at *path*; show every error and warning.

    Where *offline*, plugins cannot reach the outside while they are loaded. Raises click's Exit
    with code 2 if there are errors.
    """
    from framework.config import read_connection  # noqa: PLC0415 - heavy, imported at first use

    return check_reading(read_connection(path), offline=offline)


def open_enabled(path: str, *, offline: bool = False) -> Opened:
    """Read a connection file as `open_connection` does, to deliver over it.

    Raises ConfigurationError if the connection is disabled.
    """
    opened = open_connection(path, offline=offline)
    if text := disabled(opened):
        raise ConfigurationError(text)
    return opened


def disabled(opened: Opened) -> str:
    """Return the sentence that refuses a connection which is disabled; otherwise no text."""
    if opened.file.enabled:
        return ""
    return f"The connection `{opened.file.file}` is disabled. Set `enabled: true` to use it."


def check_reading(reading: Reading, *, offline: bool = False) -> Opened:
    """Check *reading* as `actions validate` does and show every error and warning.

    Where *offline*, plugins cannot reach the outside while they are loaded. Raises click's Exit
    with code 2 if there are errors.
    """
    if offline:
        from framework.delivery import no_network  # noqa: PLC0415 - heavy, for dry runs only

        with no_network():
            plugin = _plugin(reading)
    else:
        plugin = _plugin(reading)
    if plugin is not None:
        _check(reading, plugin.definition)
    _show(reading)
    file = reading.connection
    if file is None or plugin is None or errors_in(reading.diagnostics):
        raise click.exceptions.Exit(exits.USAGE)
    return Opened(with_outputs(_current(file, plugin.definition), plugin), plugin)


def name_connection(path: str) -> Opened:
    """Read the connection file at *path* and show what `open_connection` shows.

    Raises click's Exit with code 2 only if the file is unreadable or its destination is unknown.
    """
    from framework.config import read_connection  # noqa: PLC0415 - heavy, imported at first use

    reading = read_connection(path)
    plugin, file = _plugin(reading), reading.connection
    readable = not errors_in(reading.diagnostics)
    if plugin is not None:
        _check(reading, plugin.definition)
    _show(reading)
    if file is None or plugin is None or not readable:
        raise click.exceptions.Exit(exits.USAGE)
    return Opened(_current(file, plugin.definition), plugin)


@contextmanager
def to_partner(
    opened: Opened,
    *,
    sandbox: bool,
    endpoints: Mapping[str, str],
    network: httpx.BaseTransport | None = None,
) -> Iterator[Connection]:
    """Open a connection without subscriptions, to ask the partner or its sandbox something.

    *network* replaces the network. What the plugin prints goes to standard error until the context
    ends. Raises ConfigurationError
    if there is no sandbox.
    """
    from framework.delivery import connect, make_transport  # noqa: PLC0415 - heavy

    file, plugin = opened
    with plugins_print_to_stderr():
        transport = (
            _to_sandbox(opened)
            if sandbox
            else make_transport(redirect=endpoints, options=file.delivery, network=network)
        )
        with connect(
            plugin,
            file.settings,
            (),
            **file.arguments,
            options=file.delivery,
            transport=transport,
            tokens=None if sandbox else rotated_tokens(opened, origins_text(endpoints)),
            audiences=None if sandbox else kept_audiences(opened, origins_text(endpoints)),
            offline=sandbox,
        ) as connection:
            yield connection


def _to_sandbox(opened: Opened) -> httpx.BaseTransport:
    from framework.sandbox import SandboxTransport  # noqa: PLC0415 - heavy

    if not opened.plugin.implements("sandbox"):
        raise ConfigurationError(
            f"{opened.plugin.definition.name} has no sandbox. Leave out --sandbox."
        )
    partner = opened.plugin.call("sandbox")
    partner.admit(opened.file.settings)
    return SandboxTransport(partner)


def rotated_tokens(opened: Opened, sent_to: str = "") -> KeptTokens | None:
    """Return where refresh tokens that the partner replaces are kept: beside the connection file.

    Raises ConfigurationError if others can read that file.
    """
    if not opened.plugin.implements("auth") or not Path(opened.file.file).is_file():
        return None
    from framework import relay  # noqa: PLC0415 - heavy, imported at first use

    return relay.rotated_tokens(opened.file.file, sent_to)


def kept_audiences(opened: Opened, sent_to: str = "") -> KeptAudiences | None:
    """Return where IDs of audiences are kept: beside the connection file."""
    if opened.plugin.definition.audience is None or not Path(opened.file.file).is_file():
        return None
    from framework.delivery import KeptAudiences  # noqa: PLC0415 - heavy, imported at first use
    from framework.relay import StateFile, state_path  # noqa: PLC0415 - heavy

    return KeptAudiences(StateFile(state_path(opened.file.file)), sent_to)


def plugin_store(
    opened: Opened, sent_to: str = "", store: EventStore | None = None
) -> PluginStore | None:
    """Return where the destination keeps values: in *store*, else beside the connection file.

    Raises ConfigurationError if others can read that file.
    """
    from framework.delivery import PluginStore, keeps_state  # noqa: PLC0415 - heavy, at first use

    slug = opened.plugin.definition.slug
    if not keeps_state(opened.plugin):
        return None
    if store:
        return PluginStore(store.state, slug, sent_to, name_of(opened))
    if not Path(opened.file.file).is_file():
        return None
    from framework.relay import StateFile, state_path  # noqa: PLC0415 - heavy

    state = StateFile(state_path(opened.file.file))
    state.keys("plugin")
    return PluginStore(state, slug, sent_to)


def origins_text(endpoints: Mapping[str, str]) -> str:
    """Return what receives the requests in the partner's place; empty for the partner."""
    return ", ".join(f"`{origin}` at `{url}`" for origin, url in sorted(endpoints.items()))


def with_outputs(file: ConnectionFile, plugin: Plugin) -> ConnectionFile:
    """Return the file with what `actions save-mapping` has kept for its mappings beside it."""
    if not any(one.hooks for one in plugin.definition.actions):
        return file
    from framework.relay import with_kept_outputs  # noqa: PLC0415 - heavy, imported at first use

    return with_kept_outputs(file, plugin.definition)


def _current(file: ConnectionFile, definition: Destination) -> ConnectionFile:
    """Return the file with the destination's slug, and mappings as its migrations leave them."""
    named = replace(file, destination=definition.slug)
    if not any(action.migrations for action in definition.actions):
        return named
    from framework.definition import migrate  # noqa: PLC0415 - for few destinations

    items = []
    for item in named.items:
        try:
            current = migrate(definition, item.subscription).subscription
        except ConfigurationError:  # reported, and the file is only shown
            current = item.subscription
        items.append(replace(item, subscription=current))
    return replace(named, items=tuple(items))


def errors_in(findings: Iterable[Diagnostic]) -> bool:
    """Return whether there are errors among *findings*."""
    return any(found.severity == "error" for found in findings)


def _plugin(reading: Reading) -> Plugin | None:
    """Return the file's destination, or None; add the findings where it is unknown."""
    draft = reading.draft
    if draft is None:
        return None
    if draft.destination:
        try:
            return find_installed(draft.destination)
        except UnknownNameError as error:
            reading.findings.error("AD401", draft.node.at("destination").spot, str(error))
    from framework import linting  # noqa: PLC0415 - heavy, not needed for plain files

    linting.check_without_destination(reading, linting.model_from_spec())
    return None


def _check(reading: Reading, destination: Destination) -> None:
    """Add the findings of `actions validate` for *destination*."""
    with plugins_print_to_stderr():
        if reading.connection is not None and not reading.diagnostics:
            from framework.cli.clearance import is_plain  # noqa: PLC0415 - not for `--help`

            if is_plain(reading.connection, destination):
                return
        from framework import linting  # noqa: PLC0415 - heavy, not needed for plain files

        linting.validate(reading, destination, linting.model_from_spec())


def _show(reading: Reading) -> None:
    """Show what concerns the delivery: errors, and warnings but those about the file itself."""
    show_findings(
        found
        for found in reading.diagnostics
        if found.severity != "hint" and found.code not in _ABOUT_FILES
    )
