"""Exchanges on record: kept once from a real partner, without secrets, and played again.

A cassette is a JSON file: `{"exchanges": [{"request": {...}, "response": {...}}, ...]}`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx

from framework.delivery import Redactor, make_transport
from framework.errors import ConfigurationError
from framework.explain import hidden

_KEPT_HEADERS: Final = frozenset({"content-type", "retry-after", "link", "location"})


class Recording(httpx.BaseTransport):
    """Carries requests to *transport* (the network) and keeps what is exchanged in a file.

    *secrets* are taken out wherever they stand, and so are tokens and the values of sensitive
    headers. The file is written when the block ends without an error.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        secrets: Iterable[str] = (),
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.path = Path(path)
        self._redactor = Redactor(secrets)
        self._transport = transport or make_transport()
        self._kept: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self._transport.close()
        if exc_value is None:
            self.save()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request* on and keep what comes of it."""
        request.read()
        response = self._transport.handle_request(request)
        response.read()
        self._kept.append(self._exchange(request, response))
        return httpx.Response(
            response.status_code,
            headers=[(k, v) for k, v in response.headers.multi_items() if k != "content-encoding"],
            content=response.content,
        )

    def _exchange(self, request: httpx.Request, response: httpx.Response) -> dict[str, Any]:
        self._redactor.protect_credentials(request.headers.raw)
        sent = request.content.decode("utf-8", "replace")
        for text in (sent, response.text):
            self._redactor.learn(text)
        return {
            "request": {
                "method": request.method,
                "url": str(request.url),
                "headers": _kept_headers(request.headers),
                "body": sent,
            },
            "response": {
                "statusCode": response.status_code,
                "headers": _kept_headers(response.headers),
                "body": _body(response.text),
            },
        }

    def save(self) -> None:
        """Write what was exchanged so far."""
        # Only now all tokens are known; one may have been used before it was learnt.
        told = {"exchanges": hidden(self._kept, self._redactor.hide)}
        text = json.dumps(told, indent=2, ensure_ascii=False) + "\n"
        self.path.write_text(text, encoding="utf-8", newline="\n")


class Replay(httpx.BaseTransport):
    """Answers requests from a cassette, each exchange once and in their order.

    A request is known by its method, address and body, without the secrets in them. A request
    that is not on record ends in an AssertionError that says what is.
    """

    def __init__(self, path: str | Path, *, secrets: Iterable[str] = ()) -> None:
        self.path = Path(path)
        self._redactor = Redactor(secrets)
        self._left = _read(self.path)

    @property
    def left(self) -> list[str]:
        """The requests on record that nobody has made, as `POST https://...`."""
        return [_place(one["request"]) for one in self._left]

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer *request* from the record."""
        request.read()
        wanted = self._known(request)
        for place, exchange in enumerate(self._left):
            if _same(exchange["request"], wanted):
                del self._left[place]
                return _response(exchange["response"])
        raise AssertionError(self._missing(wanted))

    def _known(self, request: httpx.Request) -> dict[str, str]:
        body = request.content.decode("utf-8", "replace")
        self._redactor.protect_credentials(request.headers.raw)
        self._redactor.learn(body)
        hide = self._redactor.hide
        return {"method": request.method, "url": hide(str(request.url)), "body": hide(body)}

    def _missing(self, wanted: Mapping[str, str]) -> str:
        about = f" with the body {wanted['body']}" if wanted["body"] else ""
        waiting = "\n".join(f"  {place}" for place in self.left) or "  none"
        return (
            f"`{_place(wanted)}`{about} is not on record in {self.path.name}. "
            f"Requests on record that were not made yet:\n{waiting}"
        )


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["exchanges"]
        assert all({"request", "response"} <= one.keys() for one in found)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, AssertionError):
        raise ConfigurationError(
            f"`{path}` is no cassette. Record one with `framework.testing.Recording`."
        ) from None
    return list(found)


def _place(request: Mapping[str, Any]) -> str:
    return f"{request['method']} {request['url']}"


def _same(kept: Mapping[str, Any], wanted: Mapping[str, str]) -> bool:
    return _place(kept) == _place(wanted) and _body(kept["body"]) == _body(wanted["body"])


def _body(text: Any) -> Any:
    """Return a body for comparing: JSON by its value, other texts as they are."""
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return text


def _response(kept: Mapping[str, Any]) -> httpx.Response:
    body = kept["body"]
    content = body if isinstance(body, str) else json.dumps(body)
    return httpx.Response(kept["statusCode"], headers=kept["headers"], text=content)


def _kept_headers(headers: httpx.Headers) -> dict[str, str]:
    return {key: value for key, value in headers.items() if key in _KEPT_HEADERS}
