"""The options of stores, and opening the store that `--store` names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from framework.errors import ConfigurationError, how_to_install
from framework.quantities import read_size

if TYPE_CHECKING:
    from framework.relay import EventStore, PostgresStore

    _Type = click.ParamType[Any]
else:  # generic from click 8.3 on
    _Type = click.ParamType


F = TypeVar("F", bound=Callable[..., Any])


class StoreAddress(NamedTuple):
    """Where a store is: an SQLite database at *path*, or one of PostgreSQL at *url*."""

    path: Path | None
    url: str = ""

    @property
    def is_shared(self) -> bool:
        """Whether processes on many machines may use it."""
        return self.path is None

    def open(
        self,
        *,
        max_bytes: int | None = None,
        max_events: int | None = None,
        create: bool = True,
    ) -> EventStore:
        """Open the store; without *create*, it has to exist.

        Raises ConfigurationError, also without the extra that it needs, and StorageError.
        """
        if self.path is None:
            store = _postgres()
            return store(self.url, max_bytes=max_bytes, max_events=max_events, create=create)
        from framework.relay import SQLiteStore  # noqa: PLC0415 - heavy, imported at first use

        if not create and not self.path.exists():
            raise ConfigurationError(
                f"There is no store `{self.path}`. `actions relay` creates one when it starts."
            )
        return SQLiteStore(self.path, max_bytes=max_bytes, max_events=max_events)


def _postgres() -> type[PostgresStore]:
    try:
        from framework.relay import PostgresStore  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigurationError(
            f"A PostgreSQL store needs the package `psycopg` ({error}). Install it: "
            f"{how_to_install('postgres')}"
        ) from None
    return PostgresStore


def _read_store(
    _: click.Context, parameter: click.Parameter, value: str | None
) -> StoreAddress | None:
    if value is None:
        return None
    kind, colon, rest = value.partition(":")
    if kind in {"postgresql", "postgres"} and rest.startswith("//"):
        return StoreAddress(None, value)
    if kind != "sqlite" or not colon or not rest:
        # Not repeated if it may hold a password.
        path = f" For a file, write sqlite:{value}." if value and not {*":@"} & {*value} else ""
        raise click.BadParameter(
            f"A store is sqlite:PATH or postgresql://USER@HOST/DATABASE.{path}", param=parameter
        )
    return StoreAddress(Path(rest))


def store_option(
    name: str = "--store", *, required: bool = True, use: str = "The store of events: "
) -> Callable[[F], F]:
    """Return the decorator that adds the option; its value is a `StoreAddress`.

    *use* says first what the command uses it for.
    """
    return click.option(
        name,
        required=required,
        metavar="STORE",
        callback=_read_store,
        help=f"{use}sqlite:PATH for a database on a local disk, or "
        "postgresql://USER@HOST/DATABASE, which many machines may share.",
    )


def ledger_option(command: F) -> F:
    """Add the option that leaves the ledger of memberships alone."""
    return click.option(
        "--no-ledger",
        "ledger",
        is_flag=True,
        flag_value=False,
        default=True,
        help="Send events that change nobody's membership, too, and keep no memberships; those "
        "that the store knows for this connection no longer count.",
    )(command)


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


def open_store(address: StoreAddress) -> EventStore:
    """Open a store that has to exist; raises ConfigurationError, StorageError."""
    return address.open(create=False)
