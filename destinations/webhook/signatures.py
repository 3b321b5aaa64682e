"""Signatures of requests: an HMAC of the body, also with a timestamp and a message ID.

- `body`: the HMAC of the body in a header of choice, as GitHub's `X-Hub-Signature-256` and
  Segment's `X-Signature`.
- `timestamped`: `t=TIME,v1=HMAC` of `TIME.BODY`, as Stripe's `Stripe-Signature`.
- `standard`: the three headers of Standard Webhooks, with the HMAC of `ID.TIME.BODY`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Final

from destinations.webhook.payloads import WebhookSettings

_PREFIX: Final = "whsec_"


def signature_headers(
    settings: WebhookSettings, body: bytes, *, message_id: str, now: float
) -> dict[str, str]:
    """Return the headers that sign *body*; none without a secret.

    *now* is a Unix time. Raises ValueError if the secret of a standard signature is not base64.
    """
    if not settings.sharedSecret:
        return {}
    return _SCHEMES[settings.signature](settings, body, message_id, str(int(now)))


def _of_body(settings: WebhookSettings, body: bytes, _id: str, _time: str) -> dict[str, str]:
    key = (settings.sharedSecret or "").encode()
    digest = hmac.new(key, body, settings.signature_algorithm).digest()
    base = settings.signature_encoding == "base64"
    text = base64.b64encode(digest).decode() if base else digest.hex()
    return {settings.signature_header: f"{settings.signature_prefix}{text}"}


def _timestamped(settings: WebhookSettings, body: bytes, _id: str, time: str) -> dict[str, str]:
    key = (settings.sharedSecret or "").encode()
    digest = hmac.new(key, f"{time}.".encode() + body, hashlib.sha256).hexdigest()
    return {settings.signature_header: f"t={time},v1={digest}"}


def _standard(settings: WebhookSettings, body: bytes, id_: str, time: str) -> dict[str, str]:
    key = standard_key(settings.sharedSecret or "")
    digest = hmac.new(key, f"{id_}.{time}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": id_,
        "webhook-timestamp": time,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def standard_key(secret: str) -> bytes:
    """Return the key of a secret of Standard Webhooks: base64, usually behind `whsec_`.

    Raises ValueError if it is not.
    """
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("The secret of a standard signature must be base64.") from None


_SCHEMES: Final[Mapping[str, Callable[[WebhookSettings, bytes, str, str], dict[str, str]]]] = {
    "body": _of_body,
    "timestamped": _timestamped,
    "standard": _standard,
}
