"""The option `--log-format`, and logs in the form that it names."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from framework.cli import exits
from framework.errors import FrameworkError

_logger = logging.getLogger("action_destinations")

log_format_option = click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Format of standard error: text, or one JSON object a line.",
)


@contextmanager
def logs(form: str) -> Iterator[None]:
    """Write standard error as *form* says until the block ends, its exception included."""
    from framework.monitoring import (  # noqa: PLC0415 - heavy, imported at first use
        json_logs,
        thread_ends_logged,
    )

    if form == "text":
        with thread_ends_logged():
            yield
        return
    with thread_ends_logged(), json_logs(sys.stderr):
        try:
            yield
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            known = isinstance(error, FrameworkError)
            text = str(error) if known else f"An unexpected error occurred: {type(error).__name__}."
            _logger.log(logging.ERROR, "%s", text, exc_info=None if known else error)
            raise click.exceptions.Exit(exits.code_of(error)) from error
