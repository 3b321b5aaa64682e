"""The options of `actions relay`, and reading their values."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

import click

from framework.cli.alert_options import AlertOptions
from framework.cli.connections import origins_text
from framework.cli.delivery_options import RELAY_DEFAULTS
from framework.cli.stores import StoreAddress

if TYPE_CHECKING:
    from framework.cli.command_log import LogOptions
    from framework.config import ConnectionFile
    from framework.delivery_options import DeliveryOptions

Role: TypeAlias = Literal["all", "intake", "worker"]
"""What a process does: it takes events, delivers them, or both."""

_STREAM: Final = re.compile(r"([A-Za-z0-9_.-]+)=(.+)", re.DOTALL)
_ADDRESS: Final = re.compile(r"(?:(.*):)?(\d{1,5})", re.DOTALL)
_DEFAULT_STREAM: Final = "events"

_INTAKE_ONLY: Final = {
    "listen": "--listen",
    "write_keys": "--write-key",
    "allow_hosts": "--allow-host",
    "allow_origins": "--allow-origin",
}


class RelayOptions(NamedTuple):
    """What the command line says."""

    role: Role
    connections: Sequence[tuple[str, str]]
    store: StoreAddress
    listen: tuple[str, int]
    write_keys: Sequence[str]
    allow_hosts: Sequence[str]
    allow_origins: Sequence[str]
    metrics: tuple[str, int] | None
    endpoints: Mapping[str, str]
    sandbox: bool
    threads: int
    keep_dead_letters: float
    from_start: bool
    stop_within: float
    max_size: int | None
    max_events: int | None
    delivery: DeliveryOptions
    alert_lag: str | None
    alert_dead_letters: str | None
    alert_rejected: str | None
    alert_command: str | None
    alert_url: str | None
    log: LogOptions
    log_format: str
    otlp_endpoint: str | None
    ledger: bool

    def delivery_of(self, file: ConnectionFile) -> DeliveryOptions:
        """Return the options of a delivery, those of the connection file where none is given."""
        return self.delivery.over(file.delivery).over(RELAY_DEFAULTS)

    @property
    def alerts(self) -> AlertOptions:
        """The options of alerts."""
        return AlertOptions(
            self.alert_lag,
            self.alert_dead_letters,
            self.alert_rejected,
            self.alert_command,
            self.alert_url,
        )

    @property
    def sent_to(self) -> str:
        """What receives the requests; empty for the partner."""
        if self.sandbox:
            return "the sandbox"
        return origins_text(self.endpoints)


def read_connections(
    _: click.Context, parameter: click.Parameter, values: Sequence[str]
) -> list[tuple[str, str]]:
    """Return stream and path of each connection; a callback of click."""
    found = []
    missing = []
    for value in values:
        named = None if Path(value).exists() else _STREAM.fullmatch(value)
        stream, path = (named[1], named[2]) if named else (_DEFAULT_STREAM, value)
        if not Path(path).is_file():
            what = "is a directory" if Path(path).is_dir() else "does not exist"
            missing.append(f"File `{path}` {what}.")
        found.append((stream, path))
    if missing:
        raise click.BadParameter("\n".join(missing), param=parameter)
    return found


def read_address(
    _: click.Context, parameter: click.Parameter, value: str | None
) -> tuple[str, int] | None:
    """Return host and port; a callback of click."""
    if value is None:
        return None
    match = _ADDRESS.fullmatch(value)
    if match is None or int(match[2]) > 65_535:
        raise click.BadParameter(
            f"`{value}` must be HOST:PORT, like 127.0.0.1:8080.", param=parameter
        )
    return (match[1] or "127.0.0.1").strip("[]"), int(match[2])


class Seconds(click.FloatRange):
    """A number of seconds in a range; `nan` is in none."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number."""
        seconds = float(super().convert(value, param, ctx))
        if math.isnan(seconds):
            self.fail(f"`{value}` is not a number of seconds.", param, ctx)
        return seconds


def check_role(context: click.Context, options: Mapping[str, Any]) -> None:
    """Raise UsageError if options are missing that a role needs, or given that it does not use."""
    role = options["role"]
    parameters = {one.name: one for one in context.command.params}
    missing = [
        name
        for name, without in (("connections", "intake"), ("write_keys", "worker"))
        if role != without and not options[name]
    ]
    if missing:
        raise click.MissingParameter(ctx=context, param=parameters[missing[0]])
    if role == "intake" and options["connections"]:
        raise click.UsageError("An intake delivers nothing: leave out --connection.")
    given = [
        option
        for name, option in _INTAKE_ONLY.items()
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    ]
    if role == "worker" and given:
        raise click.UsageError(f"A worker takes no events: leave out {', '.join(given)}.")
