"""Which version this is."""

from __future__ import annotations


def version() -> str:
    """Give the installed version as `actions --version` shows it."""
    # Heavy, and seldom needed.
    from importlib.metadata import PackageNotFoundError  # noqa: PLC0415 - the same
    from importlib.metadata import version as installed  # noqa: PLC0415 - the same

    try:
        return f"actions {installed('action-destinations')}"
    except PackageNotFoundError:
        return "actions, from a checkout that is not installed"
