"""The installed plugins, which print to standard error: standard output is the command's."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, redirect_stdout
from typing import TYPE_CHECKING

import click

from framework.errors import UnknownNameError

if TYPE_CHECKING:
    from framework.plugins import Plugin, Registry


def installed() -> Registry:
    """Load the installed plugins."""
    from framework.plugins import load_plugins  # noqa: PLC0415 - heavy, imported at first use

    with plugins_print_to_stderr():
        return load_plugins()


def find_installed(slug: str) -> Plugin:
    """Return an installed destination.

    Raises UnknownNameError after a warning about every plugin that was left out: it may be one.
    """
    registry = installed()
    try:
        return registry.get(slug)
    except UnknownNameError:
        warn_of_problems(registry)
        raise


def plugins_print_to_stderr() -> AbstractContextManager[object]:
    """Return the context in which plugins are imported and their hooks are called."""
    return redirect_stdout(sys.stderr)


def warn_of_problems(registry: Registry) -> None:
    """Print on standard error why plugins were left out."""
    for problem in registry.problems:
        click.echo(f"Warning: {problem.message}", err=True)
