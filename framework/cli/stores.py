"""The options of stores, and opening the store that `--store` names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from framework.errors import ConfigurationError
from framework.quantities import read_size

if TYPE_CHECKING:
    from framework.relay import SQLiteStore

    _Type = click.ParamType[Any]
else:  # generic from click 8.3 on
    _Type = click.ParamType


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


class Size(_Type):
    """A positive number of bytes, or of KB, MB, GB or TB with the unit behind it."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the size in bytes; raises BadParameter."""
        size = value if isinstance(value, int) else read_size(str(value))
        if not size:
            self.fail(
                f"`{value}` is not a size. Write it like `500MB`, `10GB` or `2GiB`.", param, ctx
            )
        return size


def limit_options(command: F) -> F:
    """Add the options that limit what a store keeps."""
    size = click.option(
        "--max-size",
        "max_size",
        type=Size(),
        metavar="SIZE",
        help="Maximum size of the store's database, such as 500MB or 10GB; beyond it, the intake "
        "refuses events with 429.  [default: the disk, of which 64 MB are left free]",
    )
    number = click.option(
        "--max-events",
        type=click.IntRange(1),
        metavar="N",
        help="Maximum number of events in the store; beyond it, the intake refuses events with "
        "429.  [default: unlimited]",
    )
    return size(number(command))


def open_store(path: Path) -> SQLiteStore:
    """Open the store at *path*, which has to exist; raises ConfigurationError, StorageError."""
    from framework.relay import SQLiteStore  # noqa: PLC0415 - heavy, imported at first use

    if not path.exists():
        raise ConfigurationError(
            f"There is no store `{path}`. `actions relay` creates one when it starts."
        )
    return SQLiteStore(path)
