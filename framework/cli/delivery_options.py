"""The delivery options on the command line; they win over those of the connection file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from framework.delivery_options import (
    OPTIONS,
    DeliveryOption,
    DeliveryOptions,
    UnusableOptionError,
)

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from framework.delivery import Patience

    _Type = click.ParamType[Any]
else:  # generic from click 8.3 on
    _Type = click.ParamType

F = TypeVar("F", bound=Callable[..., Any])

RUN_DEFAULTS: Final = DeliveryOptions(
    retry_for=10.0, tries=8, give_up_after=4 * 3600.0, rate_share=1.0
)
"""The defaults of a run over files, which may use the whole rate limit."""

RELAY_DEFAULTS: Final = DeliveryOptions(tries=8, give_up_after=4 * 3600.0, rate_share=0.9)
"""The defaults of a relay, which leaves a part of the rate limit to others."""

_FROM_ENVIRONMENT: Final = "env:"
_ENVIRONMENT_HELP: Final = " env:NAME instead keeps its credentials off the command line."
_METAVARS: Final = {
    "duration": "TIME",
    "count": "N",
    "share": "NUMBER",
    "proxy": "URL",
    "file": "FILE",
}


class OptionValue(_Type):
    """A value of a delivery option; a proxy may be the name of an environment variable."""

    def __init__(self, option: DeliveryOption) -> None:
        self.name = option.kind
        self._option = option

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value, converted; raises BadParameter, which shows no URL of a proxy."""
        if self.name == "proxy" and value.startswith(_FROM_ENVIRONMENT):
            variable = value.removeprefix(_FROM_ENVIRONMENT)
            value = os.environ.get(variable, "")
            if not value:
                self.fail(f"The environment variable `{variable}` is not set.", param, ctx)
        try:
            return self._option.read(value, Path())
        except UnusableOptionError as error:
            shown = "The value" if self.name in {"proxy", "file"} else f"`{value}`"
            self.fail(f"{shown} {error.problem}. {error.hint}".rstrip(), param, ctx)


def delivery_options(**defaults: str) -> Callable[[F], F]:
    """Return the decorator that adds the options that *defaults* names, with these defaults."""

    def add(command: F) -> F:
        for option in reversed(OPTIONS):
            if option.name in defaults:
                default = f"that of the connection file, or {defaults[option.name]}"
                more = _ENVIRONMENT_HELP if option.kind == "proxy" else ""
                command = click.option(
                    f"--{option.name.replace('_', '-')}",
                    option.name,
                    type=OptionValue(option),
                    metavar=_METAVARS[option.kind],
                    help=f"{option.description}{more}  [default: {default}]",
                )(command)
        return command

    return add


def take_delivery_options(given: MutableMapping[str, Any]) -> DeliveryOptions:
    """Remove the delivery options from those that a command was *given*, and return them."""
    names = [option.name for option in OPTIONS if option.name in given]
    return DeliveryOptions(**{name: given.pop(name) for name in names})


def patience_of(options: DeliveryOptions, run_for: float) -> Patience:
    """Return when a batch is given up, for a delivery that retries for *run_for* seconds."""
    from framework.delivery import Patience  # noqa: PLC0415 - heavy, imported at first use

    assert options.tries is not None
    assert options.give_up_after is not None
    return Patience(tries=options.tries, total=options.give_up_after, run_for=run_for)
