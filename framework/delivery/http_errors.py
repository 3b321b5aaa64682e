"""Errors from HTTP: an unsuccessful response or a failed request as an IntegrationError."""

from __future__ import annotations

import logging
import re
import socket
import ssl
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final, TypeAlias

import httpx

from framework.delivery.http_messages import ResponseTooLargeError
from framework.delivery.redaction import Redactor
from framework.errors import (
    RETRYABLE_STATUSES,
    APIError,
    ErrorDescription,
    IntegrationError,
    InvalidAuthenticationError,
    RetryableError,
    Scope,
    code_of,
)
from framework.nesting import read_json

ErrorReader: TypeAlias = Callable[[httpx.Response], tuple[str, str] | ErrorDescription | None]
"""Reads code, text and scope of an error from a response; returns None if it contains none."""

REDIRECTED = "redirected"
"""The extension of a request with the origin that it was sent to instead of its own."""

_LONGEST_TEXT = 200
_LONGEST_READ = 10_000
_CODE = re.compile(r"[A-Za-z][\w.-]{0,63}", re.ASCII)
_OWN_CODE = re.compile(r"\w[\w.-]{0,63}", re.ASCII)
_CODE_KEYS = ("code", "error", "type")
_TEXT_KEYS = ("error_description", "message", "detail", "title", "description")
_logger = logging.getLogger("action_destinations")

# Refusals of access, payment, proxy or rate, and moved APIs: at any address of the connection's.
_OF_CONNECTION = frozenset({301, 302, 303, 307, 308, 401, 402, 403, 407, 429})
# These concern the connection only at addresses that are the same for all events.
_OF_ADDRESS = frozenset({404, 405, 410, 501})
_SCOPES = (None, "event", "connection")

# What keeps every request from being sent.
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)

_LAST_STATUS: Final = 599

# Failures without a response: the first class that fits, its status, code and text.
_FAILURES: tuple[tuple[type[httpx.RequestError], int, str, str], ...] = (
    (httpx.ConnectTimeout, 504, "CONNECT_TIMEOUT", "could not be reached in time"),
    (httpx.ReadTimeout, 504, "READ_TIMEOUT", "did not answer in time"),
    (httpx.WriteTimeout, 504, "WRITE_TIMEOUT", "did not take the request in time"),
    (httpx.PoolTimeout, 503, "POOL_TIMEOUT", "had to wait too long for a free connection"),
    (httpx.ProxyError, 503, "PROXY_ERROR", "could not be reached through the proxy"),
    (httpx.ConnectError, 503, "CONNECT_ERROR", "could not be reached"),
    (ResponseTooLargeError, 502, "RESPONSE_TOO_LARGE", "sent a response that is too large"),
    (httpx.ReadError, 503, "READ_ERROR", "broke off the connection"),
    (httpx.WriteError, 503, "WRITE_ERROR", "broke off the connection"),
    (httpx.RemoteProtocolError, 503, "PROTOCOL_ERROR", "did not answer in proper HTTP"),
    (httpx.DecodingError, 502, "DECODING_ERROR", "answered in an encoding that cannot be read"),
)
_REASONS: tuple[tuple[type[OSError], str], ...] = (
    (socket.gaierror, "its name was not found"),
    (ConnectionRefusedError, "the connection was refused"),
    (ssl.SSLCertVerificationError, "its certificate is not trusted"),
    (ssl.SSLError, "it does not speak TLS as is needed"),
    (ConnectionResetError, "the connection was broken off"),
)
_REFUSED: tuple[tuple[type[httpx.RequestError], str, str], ...] = (
    (httpx.UnsupportedProtocol, "UNSUPPORTED_PROTOCOL", "is not an http or https address"),
    (httpx.LocalProtocolError, "INVALID_REQUEST", "has a header that HTTP does not allow"),
    (httpx.TooManyRedirects, "TOO_MANY_REDIRECTS", "redirects without end"),
)


def place(request: httpx.Request) -> str:
    """Name a request in a message: method, host and path, never the query."""
    return place_of(request.method, request.url.netloc, request.url.raw_path)


def place_of(method: str, netloc: bytes, target: bytes) -> str:
    """Name a request by its parts."""
    path = target.partition(b"?")[0]
    return f"{method} {netloc.decode('ascii')}{path.decode('ascii')}"


def error_from_response(
    response: httpx.Response,
    redactor: Redactor,
    reader: ErrorReader | None = None,
    addresses: Collection[str] = (),
) -> IntegrationError:
    """Return the error for an unsuccessful response, which is its `response`.

    401 is an InvalidAuthenticationError; 408, 423, 429 and 5xx except 501 are RetryableErrors;
    everything else is an APIError. The code is the partner's if it sends one, else the name of the
    status. Unless *reader* says so, status and address decide whether the error concerns the
    connection: it does for every token request, for refused access, and for 404, 405, 410 and 501
    at an origin's root or one of *addresses*.
    """
    status = response.status_code
    if status > _LAST_STATUS:  # no status of HTTP, so that it says nothing about the events
        status = int(httpx.codes.BAD_GATEWAY)
    redactor.protect_credentials(response.request.headers.raw)
    code, text, scope = _read(response, redactor, reader)
    message = redactor.text(_sentence(response, code, text))
    error: IntegrationError
    if status == 401:
        error = InvalidAuthenticationError(message, code)
    elif status in RETRYABLE_STATUSES:
        error = RetryableError(message, code or code_of(status), status)
    else:
        error = APIError(message, code or code_of(status), status)
    error.scope = scope or _scope(response.request, status, addresses)
    error.response = response
    return error


def _scope(request: httpx.Request, status: int, addresses: Collection[str]) -> Scope:
    """Return what a refusal concerns, as far as status and address show."""
    if status in _OF_CONNECTION or "token" in request.extensions:
        return "connection"
    if status in _OF_ADDRESS and (request.url.path == "/" or address_of(request.url) in addresses):
        return "connection"
    return "event"


def address_of(url: httpx.URL) -> str:
    """Return *url* without its query, for comparison."""
    return f"{url.scheme}://{url.netloc.decode('ascii')}{url.path.rstrip('/')}"


def error_from_transport(error: httpx.RequestError, redactor: Redactor) -> IntegrationError:
    """Return the error for a request without a response; its code names the failure.

    Retryable (503 or 504), unless the request itself can never be sent. It concerns the connection
    if no request can be sent, or if it was a request for a token.
    """
    found = _unanswered(error, redactor)
    if isinstance(error, _NEVER_SENT) or "token" in error.request.extensions:
        found.scope = "connection"
    return found


def _unanswered(error: httpx.RequestError, redactor: Redactor) -> IntegrationError:
    where = f"`{place(error.request)}`{_detour(error.request)}"
    for kind, code, did in _REFUSED:
        if isinstance(error, kind):
            return APIError(redactor.text(f"{where} {did}."), code)
    for kind, status, code, did in _FAILURES:
        if isinstance(error, kind):
            return RetryableError(redactor.text(f"{where} {did}{_reason(error)}."), code, status)
    return RetryableError(redactor.text(f"{where} failed."), "TRANSPORT_ERROR", 503)


def _detour(request: httpx.Request) -> str:
    """Return the origin that a request was sent to, if it is not its own, for a message."""
    origin = request.extensions.get(REDIRECTED)
    return f" (sent to `{origin}`)" if origin else ""


def _reason(error: httpx.RequestError) -> str:
    """Return the reason of a failed connection from the system's error, which is never quoted."""
    cause: BaseException | None = error if isinstance(error, httpx.ConnectError) else None
    while cause is not None:
        for kind, why in _REASONS:
            if isinstance(cause, kind):
                return f": {why}"
        cause = cause.__cause__ or cause.__context__
    return ""


def json_body(response: httpx.Response) -> Any:
    """Return the JSON value of a response's body.

    Raises RetryableError (502, `HTML_INSTEAD_OF_JSON`) for a web page, which gateways under
    maintenance send, and APIError (`NOT_JSON`) for anything else that is not JSON.
    """
    try:
        return read_json(response.content)
    except ValueError:
        where = f"`{place(response.request)}` answered {_status(response.status_code)}"
        error: IntegrationError
        if _is_page(response):
            message = f"{where} with a web page instead of JSON."
            error = RetryableError(message, "HTML_INSTEAD_OF_JSON", 502)
        else:
            error = APIError(f"{where} with a body that is not JSON.", "NOT_JSON")
        error.response = response
        raise error from None


def describe_error(response: httpx.Response) -> tuple[str, str] | None:
    """Return code and text of an error from the fields of common APIs.

    Reads `error` and `error_description` (OAuth), lists of `errors`, and objects with `code`,
    `type`, `message`, `detail` or `title`; returns None without any of these.
    """
    try:
        body = read_json(response.content)
    except ValueError:
        return None
    for found in _objects(body):
        code = next(_texts(found, _CODE_KEYS), "")
        text = next(_texts(found, _TEXT_KEYS), "")
        if code or text:
            return code, text
    return None


def _objects(body: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the objects of a body that may describe an error, the most specific first."""
    if not isinstance(body, dict):
        return
    errors = body.get("errors")
    for inner in (body.get("error"), *(errors if isinstance(errors, list) else [errors])):
        if isinstance(inner, dict):
            yield inner
    yield body


def _texts(found: Mapping[str, Any], keys: tuple[str, ...]) -> Iterator[str]:
    for key in keys:
        value = found.get(key)
        if isinstance(value, str) and value.strip():
            yield value


def _read(
    response: httpx.Response, redactor: Redactor, reader: ErrorReader | None
) -> tuple[str | None, str, Scope | None]:
    found = _described(response, reader) if reader else ErrorDescription()
    raw_code, raw_text, scope = found
    form = _OWN_CODE
    if not (raw_code or raw_text):
        form = _CODE
        raw_code, raw_text = describe_error(response) or ("", "")
    code, text = redactor.text(raw_code[:_LONGEST_READ]), redactor.text(raw_text[:_LONGEST_READ])
    return (code, text, scope) if form.fullmatch(code) else (None, text or code, scope)


def _described(response: httpx.Response, reader: ErrorReader) -> ErrorDescription:
    """Return what *reader* reads; nothing if it raises or returns something else."""
    try:
        found = ErrorDescription(*(reader(response) or ()))
    except Exception as error:  # noqa: BLE001 - the partner's refusal matters more than its reader
        kind = type(error).__name__
        _logger.warning("Reading an error of `%s` raised %s.", place(response.request), kind)
        return ErrorDescription()
    if not (isinstance(found.code, str) and isinstance(found.text, str) and found.scope in _SCOPES):
        _logger.warning("Hook `describe_error` must return code and text, and may add a scope.")
        return ErrorDescription()
    if found.code and not _OWN_CODE.fullmatch(found.code):
        _logger.warning(
            "Hook `describe_error` returned a code that is left out: a code has at most 64 "
            "letters, digits, `_`, `.` and `-`."
        )
    return found


def _sentence(response: httpx.Response, code: str | None, text: str) -> str:
    said = " ".join(text.split()).rstrip(".")
    if len(said) > _LONGEST_TEXT:
        said = f"{said[:_LONGEST_TEXT].rstrip()} ..."
    answered = f"`{place(response.request)}` answered {_status(response.status_code)}"
    return f"{answered}{f': {said}' if said else ''}{f' ({code})' if code else ''}."


def _status(status: int) -> str:
    return f"{status} {httpx.codes.get_reason_phrase(status)}".rstrip()


def _is_page(response: httpx.Response) -> bool:
    html = "text/html" in response.headers.get("content-type", "")
    return html or response.content.lstrip()[:1] == b"<"
