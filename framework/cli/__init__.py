"""The `actions` command: one module per command, imported when it is called for."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line and exit with one of the documented codes."""
    if sys.argv[1:] == ["--version"]:
        from framework.cli.version import version  # noqa: PLC0415 - answered without all the rest

        sys.stdout.write(f"{version()}\n")
        return
    from framework.cli.app import actions  # noqa: PLC0415 - imports click

    actions(prog_name="actions")
