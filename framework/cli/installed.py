"""Loading installed plugins, with their output on standard error: stdout is the command's."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, redirect_stdout
from typing import TYPE_CHECKING

import click

from framework.cli.terminal import echo
from framework.errors import UnknownNameError

if TYPE_CHECKING:
    from framework.plugins import Plugin, Registry

_DESTINATIONS = "action_destinations"  # as in framework.hookspecs, which is not imported yet


def installed(slug: str = "") -> Registry:
    """Return the installed plugins; their prints go to standard error.

    With *slug*, no more than a command about that destination needs is imported.
    """
    from framework.plugins import load_plugins  # noqa: PLC0415 - heavy, imported at first use

    with plugins_print_to_stderr():
        return load_plugins(slug=slug)


def complete_destination(
    _: click.Context, __: click.Parameter | None, incomplete: str
) -> list[str]:
    """Return the names of installed destinations that begin with *incomplete*; import none."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - heavy, imported at first use

    names = entry_points(group=_DESTINATIONS).names
    return sorted(name for name in names if name.startswith(incomplete))


def find_installed(slug: str) -> Plugin:
    """Return the installed destination *slug*.

    Raises UnknownNameError, which says why it was left out, after warnings about the other
    unusable plugins, of which one may have been to define it.
    """
    registry = installed(slug)
    try:
        return registry.get(slug)
    except UnknownNameError as error:
        warn_of_problems(registry, told=str(error))
        raise


def plugins_print_to_stderr() -> AbstractContextManager[object]:
    """Return a context in which prints of plugins go to standard error."""
    return redirect_stdout(sys.stderr)


def warn_of_problems(registry: Registry, told: str = "") -> None:
    """Print the reasons for unusable plugins on standard error, with `--debug` the tracebacks.

    Reasons that *told* contains are left out.
    """
    context = click.get_current_context(silent=True)
    debug = context is not None and context.find_root().params.get("debug")
    for message, trace in {one.message: one.trace for one in registry.problems}.items():
        if debug:
            echo(trace, err=True, nl=False)
        if message not in told:
            echo(f"Warning: {message}", err=True)
