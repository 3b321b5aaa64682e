"""How a connection delivers: the options of connection files and of commands, declared once."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from math import inf, isfinite
from pathlib import Path
from typing import Any, Final, Literal, Self, TypeAlias
from urllib.parse import SplitResult, unquote, urlsplit

from framework.quantities import read_duration

OptionKind: TypeAlias = Literal["duration", "count", "share", "proxy", "file"]
"""A duration is in seconds, a share a part of 1, a file one of trusted certificates."""

NO_PROXY: Final = "none"
"""The proxy of a connection that uses none, whatever the environment names."""

MAX_CERTIFICATES: Final = 10_000_000
"""Bytes of the largest file of certificates."""

_DURATION_HINT: Final = "Write seconds, or a unit: `90`, `0.5s`, `15m`, `4h`, `2d`."
_PROXY_HINT: Final = (
    "Write it like `http://proxy.example.com:3128`, with its port and with special characters of "
    "credentials percent-encoded, or `none` for no proxy."
)
_CERTIFICATES_HINT: Final = (
    "Name a file of certificates in PEM format, with `-----BEGIN CERTIFICATE-----`, or leave the "
    "option out to trust public authorities."
)
_PROXY_SCHEMES: Final = frozenset({"http", "https"})


class UnusableOptionError(Exception):
    """The value of an option cannot be used: *problem* continues its name, *hint* corrects it."""

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(f"{problem}. {hint}".rstrip())
        self.problem = problem
        self.hint = hint


@dataclass(frozen=True, slots=True)
class DeliveryOption:
    """One option: a key of `delivery` in connection files, an option of commands.

    *description* is an imperative or a noun phrase; numbers are from *least* to *most*.
    """

    name: str
    kind: OptionKind
    description: str
    least: float = 0.0
    most: float = inf

    def read(self, value: object, folder: Path) -> Any:
        """Return a value that a file or a command gives, converted; raises UnusableOptionError.

        Paths are relative to *folder*. Messages show paths, but no URLs, which may hold secrets.
        """
        if self.kind == "proxy":
            return _proxy(value)
        if self.kind == "file":
            return _certificates(value, folder)
        number = _number(value, self.kind)
        if not self.least <= number <= self.most:
            raise UnusableOptionError(f"must be {self._range()}")
        return int(number) if self.kind == "count" else number

    def _range(self) -> str:
        unit = " seconds" if self.kind == "duration" else ""
        if self.most == inf:
            return f"at least {self.least:g}{unit}"
        return f"from {self.least:g} to {self.most:g}{unit}"


OPTIONS: Final = (
    DeliveryOption(
        "retry_for",
        "duration",
        "How long a run retries temporary failures; 0 leaves them to the next run.",
    ),
    DeliveryOption(
        "tries",
        "count",
        "Number of tries after which a batch fails permanently, once it is time to give up.",
        least=1,
    ),
    DeliveryOption(
        "give_up_after",
        "duration",
        "Time to give up, from the first of these tries on, also before a restart; such as 90s, "
        "15m, 4h or 2d.",
    ),
    DeliveryOption(
        "time_limit",
        "duration",
        "Maximum time of a request, from connecting to the end of the response.",
        least=0.1,
        most=3600,
    ),
    DeliveryOption(
        "max_age",
        "duration",
        "Age at which a waiting batch of a stream is sent before larger ones.",
        least=0.1,
        most=86_400,
    ),
    DeliveryOption(
        "linger",
        "duration",
        "Time that events of a stream wait for others of their batch.",
        most=3600,
    ),
    DeliveryOption(
        "rate_share",
        "share",
        "Share of the partner's rate limit to use, from 0.01 to 1.",
        least=0.01,
        most=1,
    ),
    DeliveryOption(
        "proxy",
        "proxy",
        "Proxy for all requests, such as http://proxy.example.com:3128; `none` for no proxy.",
    ),
    DeliveryOption(
        "ca_file",
        "file",
        "PEM file of the certificate authorities to trust instead of the public ones.",
    ),
)
"""All options, in the order of documentation."""


@dataclass(frozen=True, slots=True)
class DeliveryOptions:
    """The values of the options, None where nothing was said; times are in seconds."""

    retry_for: float | None = None
    tries: int | None = None
    give_up_after: float | None = None
    time_limit: float | None = None
    max_age: float | None = None
    linger: float | None = None
    rate_share: float | None = None
    proxy: str | None = field(default=None, repr=False)
    ca_file: Path | None = None

    def over(self, other: DeliveryOptions) -> Self:
        """Return these options, and those of *other* where nothing was said here."""
        unsaid = [one.name for one in fields(self) if getattr(self, one.name) is None]
        return replace(self, **{name: getattr(other, name) for name in unsaid})

    @property
    def secrets(self) -> tuple[str, ...]:
        """The credentials of the proxy, as they are and as they are written in its URL."""
        parts = urlsplit(self.proxy or "")
        if parts.username is None:
            return ()
        written = parts.netloc.rpartition("@")[0]
        # A user without a password is a token.
        secret = parts.password if parts.password is not None else parts.username
        return tuple(dict.fromkeys((secret, unquote(secret), written, unquote(written))))


def has_credentials(proxy: str) -> bool:
    """Return whether the URL of a proxy contains a user or a password."""
    return "@" in proxy


def _number(value: object, kind: OptionKind) -> float:
    if isinstance(value, str) and kind == "duration":
        seconds = read_duration(value)
        if seconds is None:
            raise UnusableOptionError("is not a duration", _DURATION_HINT)
        return seconds
    if isinstance(value, str):
        try:
            value = int(value) if kind == "count" else float(value)
        except ValueError:
            value = None
    right = isinstance(value, int if kind == "count" else int | float)
    if not right or isinstance(value, bool) or not isfinite(value):  # type: ignore[arg-type]
        if kind == "duration":
            raise UnusableOptionError("is not a duration", _DURATION_HINT)
        raise UnusableOptionError(
            "must be a whole number" if kind == "count" else "must be a number"
        )
    return value  # type: ignore[return-value]


def _proxy(value: object) -> str:
    if value == NO_PROXY:
        return NO_PROXY
    if not isinstance(value, str) or not _is_proxy(value):
        raise UnusableOptionError("is not the URL of a proxy", _PROXY_HINT)
    return value


def _is_proxy(text: str) -> bool:
    if not text.isascii() or not text.isprintable() or " " in text:
        return False
    try:
        parts = urlsplit(text)
        return _names_a_place(parts) and bool(parts.port)
    except ValueError:
        return False


def _names_a_place(parts: SplitResult) -> bool:
    extra = parts.query or parts.fragment or parts.path not in {"", "/"}
    return parts.scheme in _PROXY_SCHEMES and bool(parts.hostname) and not extra


def _certificates(value: object, folder: Path) -> Path:
    if not isinstance(value, str) or not value:
        raise UnusableOptionError("must be the path of a file", _CERTIFICATES_HINT)
    path = folder / value
    why = _why_unusable(path)
    if why:
        raise UnusableOptionError(f"names `{value}`, which {why}", _CERTIFICATES_HINT)
    return path.absolute()


def _why_unusable(path: Path) -> str:
    """Return why a file cannot be used as one of certificates; empty if it can be."""
    import ssl  # noqa: PLC0415 - takes a while to load, seldom needed

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if not path.is_file():
            return "is not a file" if path.exists() else "does not exist"
        path.open("rb").close()
        if path.stat().st_size > MAX_CERTIFICATES:
            return f"is larger than {MAX_CERTIFICATES // 1_000_000} MB"
        context.load_verify_locations(cafile=path)
    except ssl.SSLError:
        return "has no readable certificate"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    except ValueError:
        return "is not the name of a file"
    return "" if context.cert_store_stats()["x509"] else "has no readable certificate"
