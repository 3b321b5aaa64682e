"""Cassettes: exchanges recorded once with a real partner, without secrets, and replayed.

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
    """Sends requests through *transport* (by default the network) and records them in a file.

    *secrets*, tokens and values of sensitive headers are redacted everywhere. The file is written
    when the block ends without an error.
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
        """Send *request* and record it with its response; raises what the transport raises."""
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
        """Write all exchanges so far to the file; raises OSError."""
        # Redact only now, when all tokens are known: one may be used before it is learned.
        document = {"exchanges": hidden(self._kept, self._redactor.hide)}
        text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        self.path.write_text(text, encoding="utf-8", newline="\n")


class Replay(httpx.BaseTransport):
    """Responds to requests from a cassette, with each exchange once and in order.

    Requests are matched by method, URL and body, with secrets redacted. A request that was not
    recorded raises AssertionError, which lists the recorded ones. Raises ConfigurationError if the
    file is not a cassette.
    """

    def __init__(self, path: str | Path, *, secrets: Iterable[str] = ()) -> None:
        self.path = Path(path)
        self._redactor = Redactor(secrets)
        self._left = _read(self.path)

    @property
    def left(self) -> list[str]:
        """The recorded requests that have not been made, as `POST https://...`."""
        return [_line(one["request"]) for one in self._left]

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the recorded response to *request*; raises AssertionError if there is none."""
        request.read()
        wanted = self._known(request)
        for index, exchange in enumerate(self._left):
            kept = exchange["request"]
            if _line(kept) == _line(wanted) and _body(kept["body"]) == _body(wanted["body"]):
                del self._left[index]
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
        waiting = "\n".join(f"  {line}" for line in self.left) or "  none"
        return (
            f"`{_line(wanted)}`{about} is not recorded in {self.path.name}. "
            f"Recorded requests that have not been made:\n{waiting}"
        )


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["exchanges"]
        assert all({"request", "response"} <= one.keys() for one in found)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, AssertionError):
        raise ConfigurationError(
            f"`{path}` is not a cassette. Record one with `framework.testing.Recording`."
        ) from None
    return list(found)


def _line(request: Mapping[str, Any]) -> str:
    return f"{request['method']} {request['url']}"


def _body(text: Any) -> Any:
    """Return a body for comparison: JSON by value, other text unchanged."""
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
