"""The option `--store`, and opening the store that it names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from framework.errors import ConfigurationError

if TYPE_CHECKING:
    from framework.relay import SQLiteStore


F = TypeVar("F", bound=Callable[..., Any])


def _read_store(_: click.Context, parameter: click.Parameter, value: str | None) -> Path | None:
    if value is None:
        return None
    kind, colon, path = value.partition(":")
    if kind != "sqlite" or not colon or not path:
        raise click.BadParameter(f"`{value}` must be sqlite:PATH.", param=parameter)
    return Path(path)


def store_option(*, required: bool = True) -> Callable[[F], F]:
    """Return the decorator that adds the option."""
    return click.option(
        "--store",
        required=required,
        metavar="sqlite:PATH",
        callback=_read_store,
        help="The store of events: an SQLite database on a local disk.",
    )


def open_store(path: Path) -> SQLiteStore:
    """Open the store at *path*, which has to exist; raises ConfigurationError, StorageError."""
    from framework.relay import SQLiteStore  # noqa: PLC0415 - heavy, imported at first use

    if not path.exists():
        raise ConfigurationError(
            f"There is no store `{path}`. `actions relay` creates one when it starts."
        )
    return SQLiteStore(path)
