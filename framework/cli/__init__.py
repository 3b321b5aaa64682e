"""The `actions` command: one module per command, imported when it is called for."""

from __future__ import annotations

import gc
import sys
from types import ModuleType

from framework.version import VERSION

__all__ = ["main"]


def main() -> None:
    """Run the command line and exit with one of the documented codes."""
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"actions {VERSION}\n")
        return
    gc.set_threshold(200_000, 20, 50)  # most of what is made at the start stays
    _leave_out("httpx._main")  # httpx's own command line, with all of rich and pygments
    from framework.cli.app import actions  # noqa: PLC0415 - imports click

    actions(prog_name="actions")


def _leave_out(module: str) -> None:
    """Let *module*, which is optional where it is used, count as not installed in this process."""
    modules: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]
    modules.setdefault(module, None)
