"""The `actions` command: one module per command group."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    raise SystemExit("The command line is not built yet.")
