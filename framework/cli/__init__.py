"""The `actions` command: one module per subcommand, imported on first use."""

from __future__ import annotations

import gc
import signal
import sys
from types import ModuleType

from framework.version import VERSION

__all__ = ["main"]

_INTERRUPTED = 130  # as in framework.cli.exits, which is not imported yet
_USAGE = 2  # the same


def main() -> None:
    """Run the command line; the process exits with a code from `framework.cli.exits`."""
    if sys.version_info < (3, 11):  # noqa: UP036 - from a checkout, nothing else says so
        _refuse(
            f"Python 3.11 or newer is needed, and `{sys.executable}` is Python "
            f"{sys.version.split()[0]}. Make the environment with a newer one: python3.11 -m venv "
            ".venv"
        )
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"actions {VERSION}\n")
        return
    gc.set_threshold(200_000, 20, 50)  # most objects created at startup live on
    _leave_out("httpx._main")  # httpx's own command line, with all of rich and pygments
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like Ctrl-C from now on
    try:
        try:
            from framework.cli.app import actions  # noqa: PLC0415 - imports click
        except ModuleNotFoundError as error:
            if error.name != "click":
                raise
            _refuse(
                f"The package `click` is not installed for `{sys.executable}`. Activate the "
                "environment of this program, or install what it needs: pip install ."
            )
        actions(prog_name="actions")
    except KeyboardInterrupt:  # while the command is imported
        sys.exit(_INTERRUPTED)
    finally:
        offline = sys.modules.get("framework.delivery.offline")
        if offline:
            offline.seal()


def _refuse(problem: str) -> None:
    """End the process because of a problem with its Python."""
    sys.stderr.write(f"Error: {problem}\n")
    sys.exit(_USAGE)


def _leave_out(module: str) -> None:
    """Make imports of the optional *module* fail in this process, as if it were not installed."""
    modules: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]
    modules.setdefault(module, None)
