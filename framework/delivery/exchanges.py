"""The record of HTTP traffic: requests with their responses, without secrets."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple, overload

from framework.delivery.redaction import (
    ADDRESSES,
    HASHES,
    PHONES,
    REDACTED,
    Cover,
    Headers,
    Mask,
    Redactor,
)
from framework.nesting import read_json

__all__ = [
    "ADDRESSES",
    "HASHES",
    "PHONES",
    "REDACTED",
    "Exchange",
    "Exchanges",
    "Headers",
    "Mask",
    "ReceivedResponse",
    "Recorder",
    "Redactor",
    "SentRequest",
]

BODY_LIMIT = 65_536
"""Characters of a body that are kept."""

_SHORT = 4_096


class SentRequest(NamedTuple):
    """A request before it is sent; *body* is None if it is streamed.

    `str(url)` is the URL.
    """

    method: str
    url: object
    headers: Headers
    body: bytes | None


class ReceivedResponse(NamedTuple):
    """A response as received, its body decoded."""

    status: int
    reason: str
    headers: Headers
    body: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request with its response, redacted and with bodies cut to a maximum size.

    Without a response *status* is None and *error* is the reason. Personal data is shown: an
    exchange is for people who may see the events themselves.
    """

    method: str
    url: str
    request_headers: dict[str, str]
    request_body: str
    status: int | None = None
    reason: str = ""
    response_headers: dict[str, str] | None = None
    response_body: str = ""
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the exchange in the form of Segment's implementation.

        The request's body is text; the response's body is JSON if it is valid JSON, else text.
        Without a response `response` is null and `error` is the reason.
        """
        request = {
            "url": self.url,
            "method": self.method,
            "headers": self.request_headers,
            "body": self.request_body,
        }
        if self.status is None:
            return {"request": request, "response": None, "error": self.error}
        response = {
            "statusCode": self.status,
            "statusMessage": self.reason,
            "headers": self.response_headers,
            "body": _parsed(self.response_body),
        }
        return {"request": request, "response": response}


class Exchanges(Sequence[Exchange]):
    """Exchanges in the order they were made; each is built on first access."""

    def __init__(self) -> None:
        self._kept: list[Exchange | Callable[[], Exchange]] = []

    def add(self, exchange: Exchange | Callable[[], Exchange]) -> None:
        """Add an exchange, or the function that builds it on first access."""
        self._kept.append(exchange)

    def __len__(self) -> int:
        return len(self._kept)

    @overload
    def __getitem__(self, place: int) -> Exchange: ...

    @overload
    def __getitem__(self, place: slice) -> list[Exchange]: ...

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return list(self)[place]
        found = self._kept[place]
        if not isinstance(found, Exchange):
            found = self._kept[place] = found()
        return found

    def __repr__(self) -> str:
        return repr(list(self))


class _Open(threading.local):
    """The sequences that the current thread records into."""

    sequences: tuple[Exchanges, ...] = ()


class _Recording:
    """A block in which the current thread records."""

    def __init__(self, opened: _Open) -> None:
        self._open = opened
        self._before: tuple[Exchanges, ...] = ()

    def __enter__(self) -> Exchanges:
        exchanges = Exchanges()
        self._before = self._open.sequences
        self._open.sequences = (*self._before, exchanges)
        return exchanges

    def __exit__(self, *_: object) -> None:
        self._open.sequences = self._before


class Recorder:
    """Records the exchanges of a thread within `recording`, and costs nothing otherwise."""

    def __init__(self, redactor: Redactor, limit: int = BODY_LIMIT) -> None:
        self._redactor = redactor
        self._limit = limit
        self._open = _Open()

    @property
    def active(self) -> bool:
        """Return whether the current thread records."""
        return bool(self._open.sequences)

    def recording(self) -> AbstractContextManager[Exchanges]:
        """Return a sequence that receives the exchanges of the current thread within the block."""
        return _Recording(self._open)

    def add(
        self, request: SentRequest, answer: ReceivedResponse | str, *, token: bool = False
    ) -> None:
        """Record a *request* with its response, or with the reason for having no response.

        Secrets in it are protected at once. Short exchanges are built on first access, with the
        secrets that are known now; one about a *token* with those that are known then, since what
        reads the response finds the token in it.
        """
        received = answer.body if isinstance(answer, ReceivedResponse) else ""
        self._redactor.protect_credentials(request.headers)
        self._redactor.learn(_sent_body(request.body, self._limit)[: self._limit])
        self._redactor.learn(received[: self._limit])
        known = self._redactor.cover
        cover = (lambda: self._redactor.cover) if token else (lambda: known)
        making = partial(_exchange, request, answer, cover, self._limit)
        short = max(len(received), len(request.body or b"")) <= _SHORT
        exchange = _once(making) if short or token else making()
        for exchanges in self._open.sequences:
            exchanges.add(exchange)


def _once(make: Callable[[], Exchange]) -> Callable[[], Exchange]:
    """Return a function that builds an exchange once, for all sequences that hold it."""
    made: list[Exchange] = []

    def give() -> Exchange:
        if not made:
            made.append(make())
        return made[0]

    return give


def _exchange(
    request: SentRequest, answer: ReceivedResponse | str, known: Callable[[], Cover], limit: int
) -> Exchange:
    cover = known()
    reach = limit + cover.longest() + 1
    told = Exchange(
        request.method,
        cover.hide(str(request.url)),
        cover.headers(request.headers),
        _shown(_sent_body(request.body, reach), f"{len(request.body or b'')} bytes", cover, limit),
    )
    if isinstance(answer, str):
        return replace(told, error=cover.hide(answer))
    return replace(
        told,
        status=answer.status,
        reason=cover.hide(answer.reason),
        response_headers=cover.headers(answer.headers),
        response_body=_shown(answer.body, f"{len(answer.body)} characters", cover, limit),
    )


def _sent_body(body: bytes | None, characters: int) -> str:
    """Return a body as text, or at least its first *characters*."""
    return "<streamed>" if body is None else body[: 4 * characters].decode("utf-8", "replace")


def _shown(text: str, size: str, cover: Cover, limit: int) -> str:
    """Return *text* redacted and, if it is too long, cut so that no secret is cut in two."""
    longest = cover.longest()
    if len(text) <= limit:
        return cover.hide(text)
    reach = cover.hide(text[: limit + longest])
    return f"{reach[: min(limit, len(reach) - longest)]}<truncated, {size} in all>"


def _parsed(text: str) -> Any:
    try:
        return read_json(text)
    except ValueError:
        return text
