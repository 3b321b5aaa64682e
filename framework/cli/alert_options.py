"""The options of alerts: bounds, and what is run or called when one is passed."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import click

from framework.cli.durations import Duration
from framework.errors import ConfigurationError

if TYPE_CHECKING:
    from framework.monitoring import AlertBounds, AlertNotice

F = TypeVar("F", bound=Callable[..., Any])

_NUMBER: Final = re.compile(r"\d{1,9}", re.ASCII)
_SHARE: Final = re.compile(r"(\d{1,3}(?:\.\d{1,6})?)(%?)", re.ASCII)


class AlertOptions(NamedTuple):
    """The options as they were written."""

    lag: str | None
    dead_letters: str | None
    rejected: str | None
    command: str | None
    url: str | None

    def read(self) -> tuple[AlertBounds | None, list[AlertNotice]]:
        """Return the bounds, None without any, and where alerts are sent.

        Raises ConfigurationError with all problems.
        """
        from framework.monitoring import AlertBounds  # noqa: PLC0415 - heavy

        problems: list[str] = []

        def parsed(read: Callable[[str], Any], text: str | None) -> Any:
            try:
                return None if text is None else read(text.strip())
            except ConfigurationError as error:
                problems.extend(error.problems)
                return None

        bounds = AlertBounds(
            lag=parsed(_lag, self.lag),
            dead_letters=parsed(_dead_letters, self.dead_letters),
            rejected=parsed(_share, self.rejected),
        )
        notices = [parsed(_command, self.command), parsed(_url, self.url)]
        given = self.lag, self.dead_letters, self.rejected
        if given == (None, None, None):
            problems += [
                f"{option} needs a bound: --alert-lag, --alert-dead-letters or --alert-rejected."
                for option, text in (("--alert-command", self.command), ("--alert-url", self.url))
                if text is not None
            ]
        if problems:
            raise ConfigurationError("\n".join(problems), problems)
        return bounds if bounds.by_kind() else None, [one for one in notices if one]


def alert_options(command: F) -> F:
    """Add the options to *command*, as `alert_lag` and so on."""
    options = (
        click.option(
            "--alert-lag",
            metavar="TIME",
            help="Alert if the oldest waiting event is older, such as 15m.",
        ),
        click.option(
            "--alert-dead-letters",
            metavar="N",
            help="Alert if a connection has more dead letters.",
        ),
        click.option(
            "--alert-rejected",
            metavar="SHARE",
            help="Alert if a larger share of the last 5 minutes' events failed or was invalid, "
            "such as 5%; at least 20 events.",
        ),
        click.option(
            "--alert-command",
            metavar="COMMAND",
            help="Run this for each alert, with JSON on standard input; no shell.",
        ),
        click.option(
            "--alert-url",
            metavar="URL",
            help="Post JSON to this URL for each alert; env:NAME keeps it off the command line.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _lag(text: str) -> float:
    try:
        seconds = Duration().convert(text, None, None)
    except click.BadParameter as error:
        raise ConfigurationError(f"--alert-lag: {error.message}") from None
    if not seconds:
        raise ConfigurationError("--alert-lag must be longer than 0, as every event waits a while.")
    return seconds


def _dead_letters(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise ConfigurationError(f"--alert-dead-letters: `{text}` must be a whole number, like 0.")
    return int(text)


def _share(text: str) -> float:
    match = _SHARE.fullmatch(text)
    share = float(match[1]) / (100 if match[2] else 1) if match else 1.0
    if share >= 1:
        raise ConfigurationError(
            f"--alert-rejected: `{text}` must be a share below 1, like 0.05 or 5%."
        )
    return share


def _command(text: str) -> AlertNotice:
    from framework.monitoring import AlertCommand  # noqa: PLC0415 - heavy

    try:
        arguments = shlex.split(text)
    except ValueError as error:
        raise ConfigurationError(f"--alert-command cannot be split into words: {error}.") from None
    if not arguments:
        raise ConfigurationError("--alert-command must name a program.")
    if shutil.which(arguments[0]) is None:
        raise ConfigurationError(
            f"--alert-command: There is no program `{arguments[0]}`. Write its path, or put it on "
            "PATH and make it executable."
        )
    return AlertCommand(arguments)


def _url(text: str) -> AlertNotice:
    from framework.monitoring import AlertURL  # noqa: PLC0415 - heavy

    if text.startswith("env:"):
        name = text.removeprefix("env:")
        text = os.environ.get(name, "").strip()
        if not text:
            raise ConfigurationError(
                f"--alert-url: The environment variable `{name}` holds no URL. Set it, or write "
                "the URL."
            )
    try:
        return AlertURL(text)
    except ConfigurationError as error:
        raise ConfigurationError(f"--alert-url: {error}") from None
