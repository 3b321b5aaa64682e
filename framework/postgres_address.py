"""The address of a PostgreSQL database, and what errors of its driver say, without secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import psycopg
from psycopg.conninfo import conninfo_to_dict

from framework.errors import ConfigurationError

_SECRET: Final = frozenset({"password", "sslpassword"})
_LITERAL_AT: Final = re.compile(r"postgres(?:ql)?://[^/?#]*/[^?#]*@")


class PostgresAddress(NamedTuple):
    """A URL of libpq: its *given* parts by their names there, the first two also as lists."""

    given: dict[str, Any]
    hosts: list[str]
    ports: list[str]

    @property
    def shown(self) -> str:
        """The address without what is secret.

        Without the user, as the two together look like an e-mail address, which logs do not show.
        """
        ports = self.ports * len(self.hosts) if len(self.ports) == 1 else self.ports
        pairs = zip(self.hosts, ports, strict=False)
        places = ",".join(f"{host}:{port}" if port else host for host, port in pairs)
        service = f"?service={self.given['service']}" if "service" in self.given else ""
        return f"postgresql://{places}/{self.database}{service}"

    @property
    def database(self) -> str:
        """The name of the database, empty where the URL leaves it to libpq."""
        return str(self.given.get("dbname", ""))

    @property
    def secrets(self) -> list[str]:
        """The values that are shown nowhere."""
        return [str(value) for name, value in self.given.items() if name in _SECRET and value]


def read_address(url: str, what: str) -> PostgresAddress:
    """Return the parts of a URL, `postgresql://USER@HOST/DATABASE`; *what* has it, for messages.

    Raises ConfigurationError for a URL that cannot be read; its text is not repeated, as it may
    hold a password.
    """
    try:
        given: dict[str, Any] = conninfo_to_dict(url)
    except psycopg.Error:
        raise _unreadable(what) from None
    hosts = str(given.get("host", "")).split(",")
    ports = str(given.get("port", "")).split(",")
    misread = any("@" in host for host in hosts) or _LITERAL_AT.match(url)
    if misread or not all(re.fullmatch(r"\d*", port) for port in ports):
        raise _unreadable(what)
    return PostgresAddress(given, hosts, ports)


def reason_of_server(error: psycopg.Error, secrets: Iterable[str] = ()) -> str:
    """Return what an error says, without *secrets*.

    Never the values of a row, which the server adds as details.
    """
    text = error.diag.message_primary or str(error).strip().partition("\n")[0]
    for secret in secrets:
        text = text.replace(secret, "...")
    return text.strip().rstrip(".") or type(error).__name__


def _unreadable(what: str) -> ConfigurationError:
    return ConfigurationError(
        f"The address of {what} cannot be read. Write postgresql://USER@HOST:PORT/DATABASE, and "
        "`@`, `:`, `/`, `?` and `#` in a user or a password as %40, %3A, %2F, %3F and %23. The "
        "password may also be in PGPASSWORD or PGPASSFILE."
    )
