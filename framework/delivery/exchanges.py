"""The record of what went over the wire: requests with their answers, without secrets."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from framework.delivery.redaction import ADDRESSES, HASHES, REDACTED, Mask, Redactor

__all__ = [
    "ADDRESSES",
    "HASHES",
    "REDACTED",
    "Answer",
    "Exchange",
    "Headers",
    "Mask",
    "Outgoing",
    "Recorder",
    "Redactor",
]

Headers: TypeAlias = Sequence[tuple[str, str]]

BODY_LIMIT = 65_536
"""Characters of a body that are kept."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request as it is about to be sent; *body* is None where it is not at hand."""

    method: str
    url: str
    headers: Headers
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it came in, its body decoded."""

    status: int
    reason: str
    headers: Headers
    body: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request with its answer, redacted and with bodies cut to a size.

    Without an answer *status* is None and *error* says why. Personal data is shown: an exchange
    is for those who may see the events themselves.
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
        """Give the exchange in the reference's shape.

        The request's body is text; the answer's body is JSON where it is that, else text. Without
        an answer `response` is null and `error` says why.
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


class _Open(threading.local):
    """The lists that the current thread records into."""

    lists: tuple[list[Exchange], ...] = ()


class Recorder:
    """Records the exchanges of a thread while it is asked to, and costs nothing otherwise."""

    def __init__(self, redactor: Redactor, limit: int = BODY_LIMIT) -> None:
        self._redactor = redactor
        self._limit = limit
        self._open = _Open()

    @property
    def active(self) -> bool:
        """Tell whether the current thread records."""
        return bool(self._open.lists)

    @contextmanager
    def recording(self) -> Iterator[list[Exchange]]:
        """Give a list that receives what the current thread exchanges within the block."""
        before, exchanges = self._open.lists, list[Exchange]()
        self._open.lists = (*before, exchanges)
        try:
            yield exchanges
        finally:
            self._open.lists = before

    def add(self, request: Outgoing, answer: Answer | str) -> None:
        """Record a *request* with its *answer*, or with the reason why there is none."""
        exchange = self._exchange(request, answer)
        for exchanges in self._open.lists:
            exchanges.append(exchange)

    def _exchange(self, request: Outgoing, answer: Answer | str) -> Exchange:
        redactor = self._redactor
        redactor.protect_credentials(request.headers)
        body = self._sent_body(request.body)
        received = answer.body if isinstance(answer, Answer) else ""
        for text in (body, received):
            redactor.learn(text[: self._limit])
        told = Exchange(
            request.method,
            redactor.hide(request.url),
            redactor.headers(request.headers),
            self._shown(body, f"{len(request.body or b'')} bytes"),
        )
        if isinstance(answer, str):
            return replace(told, error=redactor.hide(answer))
        return replace(
            told,
            status=answer.status,
            reason=redactor.hide(answer.reason),
            response_headers=redactor.headers(answer.headers),
            response_body=self._shown(received, f"{len(received)} characters"),
        )

    def _sent_body(self, body: bytes | None) -> str:
        if body is None:
            return "<streamed>"
        octets = 4 * (self._limit + self._redactor.longest() + 1)
        return body[:octets].decode("utf-8", "replace")

    def _shown(self, text: str, size: str) -> str:
        """Give *text* redacted and, where it is too long, cut so that no secret is cut in two."""
        longest = self._redactor.longest()
        if len(text) <= self._limit:
            return self._redactor.hide(text)
        reach = self._redactor.hide(text[: self._limit + longest])
        return f"{reach[: min(self._limit, len(reach) - longest)]}<truncated, {size} in all>"


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
