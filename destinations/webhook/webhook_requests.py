"""The parts of a request: its address, its headers and its body."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, unquote

import httpx

from destinations.webhook.hashing import hash_values
from destinations.webhook.payloads import BODY, WebhookRequest, WebhookSettings
from framework import Failed, PayloadValidationError

_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_OF_CONNECTION: Final = {"connection", "content-length", "host", "transfer-encoding"}
_TYPES: Final = {False: "application/json", True: "application/x-ndjson"}


def address(settings: WebhookSettings, target: str | None) -> httpx.URL:
    """Return the address of a request: *target* if it is one, or else a path below the setting.

    Raises PayloadValidationError for one that may not be called; the message never holds it, since
    it may hold a secret.
    """
    if target and _ABSOLUTE.match(target):
        found = _read(target, settings)
        if settings.url and _origin(found) != _origin(_read(settings.url, settings)):
            raise PayloadValidationError(
                f"The URL leads to `{found.host}`, which is not the host, scheme and port of the "
                "setting `url`.",
                "FOREIGN_URL",
            )
        return found
    if not settings.url:
        raise PayloadValidationError(
            "There is no address: set `url` in the settings, or map the field `url`.", "NO_URL"
        )
    whole = _joined(settings.url.partition("#")[0], settings.secret_path or "", target or "")
    found = _read(whole, settings)
    base = _read(settings.url, settings).raw_path.partition(b"?")[0].rstrip(b"/")
    steps = unquote(found.raw_path.partition(b"?")[0].decode("ascii")).split("/")
    if not found.raw_path.startswith(base) or not {".", ".."}.isdisjoint(steps):
        raise PayloadValidationError("The path leads out of the setting `url`.", "INVALID_URL")
    return found


def _joined(*parts: str) -> str:
    """Return addresses or paths as one address; queries are joined, too."""
    paths, queries = [], []
    for part in parts:
        path, _, query = part.partition("?")
        paths += [path] if path.strip("/") else []
        queries += [query] if query else []
    first, *others = paths
    whole = "/".join([first.rstrip("/") if others else first, *(one.lstrip("/") for one in others)])
    return "?".join([whole, "&".join(queries)] if queries else [whole])


def _read(text: str, settings: WebhookSettings) -> httpx.URL:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        raise PayloadValidationError("The URL is invalid.", "INVALID_URL") from None
    if url.scheme not in {"http", "https"} or not url.host:
        raise PayloadValidationError("The URL must begin with `https://`.", "INVALID_URL")
    if url.userinfo:
        raise PayloadValidationError(
            "The URL holds a password. Use the setting `secret_headers`.", "INVALID_URL"
        )
    if url.scheme == "http" and not (settings.allow_http or _is_loopback(url.host)):
        raise PayloadValidationError(
            f"`{url.host}` would be called without encryption. Use `https://`, or the setting "
            "`allow_http`.",
            "INSECURE_URL",
        )
    return url.copy_with(fragment=None)


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def headers_of(
    settings: WebhookSettings, own: Mapping[str, Any] | None, *, lines: bool
) -> httpx.Headers:
    """Return the headers of a request without its signature, with its *own* ones.

    *lines* says that its body is NDJSON.

    Raises PayloadValidationError for headers that a request cannot have, or if there are secret
    ones without the setting `url`, so that an event could decide who receives them.
    """
    if settings.secret_headers and not settings.url:
        raise PayloadValidationError("`secret_headers` need the setting `url`.", "NO_URL")
    found = httpx.Headers({"content-type": _TYPES[lines]})
    for given in (settings.headers, own, settings.secret_headers):
        for name, value in (given or {}).items():
            if value is not None:
                _check(name, value)
                found[name] = value if isinstance(value, str) else json.dumps(value)
    return found


def _check(name: str, value: Any) -> None:
    text = value if isinstance(value, str) else ""
    valid = name.isascii() and text.isascii() and "\n" not in text and "\r" not in text
    if not valid or not name.strip() or isinstance(value, dict | list):
        raise PayloadValidationError(
            "A header must have a name and a text of ASCII characters in one line.",
            "INVALID_HEADER",
        )
    if name.lower() in _OF_CONNECTION:
        raise PayloadValidationError(
            f"The header `{name.lower()}` is set by the program.", "INVALID_HEADER"
        )


def prepare(request: WebhookRequest) -> Mapping[str, Any] | Failed:
    """Return what is sent of an event, or why its values cannot be hashed."""
    places = request.hash_fields or ()
    try:
        return hash_values(request.data, places, request.hash_algorithm, clean=request.hash_clean)
    except PayloadValidationError as error:
        return Failed.from_error(error, "framework")


def body_of(request: WebhookRequest, sent: Sequence[Any], *, batched: bool) -> bytes:
    """Return the body for the data of events that are sent like *request*."""
    if not batched:
        return json_bytes(_in_envelope(request.envelope, sent[0]))
    if request.batch_format == "ndjson":
        return b"".join(json_bytes(_in_envelope(request.envelope, one)) + b"\n" for one in sent)
    return json_bytes(_in_envelope(request.envelope, list(sent)))


def _in_envelope(envelope: Any, data: Any) -> Any:
    if envelope is None:
        return data
    return _filled(envelope, data)


def _filled(part: Any, data: Any) -> Any:
    if part == BODY:
        return data
    if isinstance(part, dict):
        return {key: _filled(value, data) for key, value in part.items()}
    return [_filled(value, data) for value in part] if isinstance(part, list) else part


def json_bytes(value: Any) -> bytes:
    """Return a JSON value in its shortest form."""
    return json.dumps(value, separators=(",", ":")).encode()


def deletion_address(
    settings: WebhookSettings, user_id: str | None, anonymous_id: str | None
) -> httpx.URL:
    """Return the address for a request to delete a user, with the user's IDs in it."""
    target = settings.delete_url or ""
    for name, value in (("user_id", user_id), ("anonymous_id", anonymous_id)):
        target = target.replace(f"{{{name}}}", quote(value or "", safe=""))
    return address(settings, target)
