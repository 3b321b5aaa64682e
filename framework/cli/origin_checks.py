"""Checks of the addresses that a connection calls: name, certificate, clock and budget."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Final, Literal, TypeAlias
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from framework.delivery import RateHeaders, trusted_certificates
from framework.delivery_options import DeliveryOptions
from framework.results import ConnectionCheck

CLOCK_TOLERANCE: Final = 60.0
"""Seconds by which clocks may differ; tokens and signatures are mostly valid for minutes."""

EXPIRY_NOTICE: Final = 14
"""Days before the end of a certificate at which a check warns."""

_CONNECT: Final = 10.0
"""Seconds to wait for a connection when the certificate is read."""

_DAY: Final = 86_400.0
_HOUR: Final = 3_600.0

State: TypeAlias = Literal["ok", "warning", "failed"]


@dataclass(slots=True)
class CheckedOrigin:
    """What the responses of an origin, such as `https://api.example.com`, have told.

    *ahead* is the number of seconds by which the local clock is ahead of the partner's, *remaining*
    the number of requests that the partner still allows, *reset* the seconds until it allows more;
    each is None if no response says it.
    """

    origin: str
    ahead: float | None = None
    remaining: int | None = None
    reset: float | None = None


@dataclass(slots=True)
class ObservedTransport(httpx.BaseTransport):
    """A transport that notes each origin that is called, and what its responses tell."""

    transport: httpx.BaseTransport
    origins: dict[str, CheckedOrigin] = field(default_factory=dict)
    now: Callable[[], float] = time.time

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request* on; note its origin before, and the response's headers after."""
        url = request.url
        origin = str(url.copy_with(raw_path=b"/", fragment=None)).rstrip("/")
        found = self.origins.setdefault(origin, CheckedOrigin(origin))
        before = self.now()
        response = self.transport.handle_request(request)
        after = self.now()
        if sent := _date(response.headers.get("date")):
            # A date has whole seconds: the clocks agree if it is within the call's own duration.
            found.ahead = 0.0 if before - 1 < sent <= after else (before + after) / 2 - sent - 0.5
        told = RateHeaders.read(response.headers, after)
        if told.remaining is not None:
            found.remaining, found.reset = told.remaining, told.reset
        return response

    def close(self) -> None:
        """Close the transport within."""
        self.transport.close()


def check_origin(found: CheckedOrigin, options: DeliveryOptions) -> Iterator[ConnectionCheck]:
    """Yield a check of the origin's name, certificate and clock, and of the requests it allows.

    The name and the certificate are read directly; a proxy of *options* or of the environment reads
    them itself, and they are left out.
    """
    parts = urlsplit(found.origin)
    host, port = parts.hostname or "", parts.port or {"http": 80}.get(parts.scheme, 443)
    if not _has_proxy(host, parts.scheme, options):
        name = _check_name(host, port)
        yield name
        if parts.scheme == "https" and name.state == "ok":
            yield _check_certificate(host, port, trusted_certificates(options))
    if found.ahead is not None:
        yield _check_clock(host, found.ahead)
    if found.remaining is not None:
        yield _check_budget(host, found.remaining, found.reset)


def _has_proxy(host: str, scheme: str, options: DeliveryOptions) -> bool:
    if options.proxy is None:
        return scheme in getproxies() and not proxy_bypass(host)
    return options.proxy != "none"


def _check_name(host: str, port: int) -> ConnectionCheck:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        return ConnectionCheck("name", f"{host} has no address: {error.strerror}.", "failed")
    number = len({address[4][0] for address in found})
    return ConnectionCheck("name", f"{host} has {number} address{'es' if number > 1 else ''}.")


def remedy_of(code: int) -> str:
    """Return what to do about a certificate that OpenSSL refuses with a code."""
    if code in {9, 10}:  # not yet valid, expired
        return "If the clock of this machine is right, the server needs a new one."
    if code in {62, 64}:  # another name, another address
        return "Check the address in the settings."
    return "If an authority of your own issued it, name that in `delivery.ca_file`."


def _check_certificate(host: str, port: int, trusted: str) -> ConnectionCheck:
    context = ssl.create_default_context(cafile=trusted)
    try:
        with (
            socket.create_connection((host, port), timeout=_CONNECT) as plain,
            context.wrap_socket(plain, server_hostname=host) as secured,
        ):
            certificate = secured.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        reason = error.verify_message.rstrip(".")
        text = (
            f"{host} has a certificate that is not valid: {reason}. {remedy_of(error.verify_code)}"
        )
        return ConnectionCheck("certificate", text, "failed")
    except OSError as error:
        text = f"{host} cannot be reached: {error.strerror or type(error).__name__}."
        return ConnectionCheck("certificate", text, "failed")
    days = int((ssl.cert_time_to_seconds(str(certificate["notAfter"])) - time.time()) // _DAY)
    state: State = "ok" if days >= EXPIRY_NOTICE else "warning"
    return ConnectionCheck("certificate", f"{host} has a valid one for {days} more days.", state)


def _check_clock(host: str, ahead: float) -> ConnectionCheck:
    seconds = round(abs(ahead))
    if seconds <= CLOCK_TOLERANCE:
        return ConnectionCheck("clock", f"{host} has the time of this machine.")
    side = "ahead of" if ahead > 0 else "behind"
    text = f"This machine is {_rounded(seconds)} {side} {host}; set its clock."
    return ConnectionCheck("clock", text, "warning")


def _rounded(seconds: int) -> str:
    """Return a duration in the largest unit of which it has at least two."""
    for unit, name in ((_DAY, "days"), (_HOUR, "hours")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:,.0f} {name}"
    return f"{seconds} s"


def _check_budget(host: str, remaining: int, reset: float | None) -> ConnectionCheck:
    until = "" if reset is None else f" for the next {round(reset)} s"
    text = f"{host} allows {remaining} more requests{until}."
    return ConnectionCheck("budget", text, "ok" if remaining else "warning")


def _date(text: str | None) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp() if text else None
    except ValueError:
        return None
