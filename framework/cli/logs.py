"""The option `--log-format`, and logs in the form that it names."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import click

from framework.cli import exits
from framework.cli.command_log import LogFile, LogOptions, command_log, levels
from framework.cli.terminal import reported
from framework.errors import FrameworkError

_logger = logging.getLogger("action_destinations")

log_format_option = click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Format of standard error and of the log file: text, or one JSON object a line.",
)


@contextmanager
def logs(form: str, options: LogOptions) -> Iterator[None]:
    """Keep the log of a command in the form that is given, in the block, its exception included.

    As text it is that of `command_log`; otherwise standard error and the log file have one JSON
    object a line.
    """
    from framework.monitoring import thread_ends_logged  # noqa: PLC0415 - heavy, at first use

    log = command_log(options) if form == "text" else _json_log(options)
    with thread_ends_logged(), log:
        yield


@contextmanager
def _json_log(options: LogOptions) -> Iterator[None]:
    from framework.monitoring import json_logs  # noqa: PLC0415 - heavy, imported at first use

    with ExitStack() as stack:
        level = logging.WARNING if options.quiet else logging.INFO
        stack.enter_context(json_logs(sys.stderr, level))
        stack.enter_context(reported(None, results=True, quiet=options.quiet))
        try:
            if options.path:
                stack.enter_context(json_logs(stack.enter_context(LogFile.opened(options.path))))
            with levels(verbose=options.verbose):
                yield
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            known = isinstance(error, FrameworkError)
            text = str(error) if known else f"An unexpected error occurred: {type(error).__name__}."
            _logger.log(logging.ERROR, "%s", text, exc_info=None if known else error)
            raise click.exceptions.Exit(exits.code_of(error)) from error
