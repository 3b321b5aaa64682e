"""Signatures, against values of other programs."""

from __future__ import annotations

from typing import Any

import pytest

from destinations.webhook.payloads import WebhookSettings
from destinations.webhook.signatures import signature_headers, standard_key

STANDARD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def signed(body: bytes, *, message_id: str = "m", now: float = 0.0, **settings: Any) -> Any:
    return signature_headers(WebhookSettings(**settings), body, message_id=message_id, now=now)


SHA512 = "3H2KankmBZ6YaX71SmX3Rdkk/D4TwRdoedzchOrEgLrjd/oG0evMb6sTdc2b1hGhiZaUzEyn3A9inYuBM8XIPQ=="


def test_the_body_is_signed() -> None:
    """By `openssl dgst -hmac key`; the first form is that of Segment's webhook."""
    assert signed(b'{"a":1}', sharedSecret="key") == {
        "X-Signature": "b5557a4b8f3cc308d19eb4f69f336392a31eef7b"
    }
    longer = signed(
        b'{"a":1}',
        sharedSecret="key",
        signature_algorithm="sha512",
        signature_encoding="base64",
    )
    assert longer == {"X-Signature": SHA512}


def test_the_body_is_signed_as_github_does() -> None:
    """The example of GitHub's page about validating deliveries."""
    found = signed(
        b"Hello, World!",
        sharedSecret="It's a Secret to Everybody",
        signature_header="X-Hub-Signature-256",
        signature_algorithm="sha256",
        signature_prefix="sha256=",
    )
    assert found == {
        "X-Hub-Signature-256": (
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        )
    }


def test_a_timestamp_is_signed_as_stripe_does() -> None:
    """By `openssl dgst -sha256 -hmac`, of time, dot and body."""
    found = signed(
        b'{"a":1}',
        now=1492774577.9,
        sharedSecret="whsec_x",
        signature="timestamped",
        signature_header="Stripe-Signature",
    )
    assert found == {
        "Stripe-Signature": (
            "t=1492774577,v1=7a28fbfc36c628ce9f7d6170dd03bb463257a7395cb164a8cd6ab7ef053f7598"
        )
    }


@pytest.mark.parametrize("secret", [STANDARD, STANDARD.removeprefix("whsec_")])
def test_standard_webhooks(secret: str) -> None:
    """The value is that of the library `standardwebhooks` 1.1.0."""
    found = signed(
        b'{"test": 2432232314}',
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        now=1614265330,
        sharedSecret=secret,
        signature="standard",
    )
    assert found == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize("secret", ["whsec_%", "not base64!", "abc"])
def test_the_secret_of_standard_webhooks_is_base64(secret: str) -> None:
    with pytest.raises(ValueError, match="must be base64") as caught:
        standard_key(secret)
    assert str(caught.value) == "The secret of a standard signature must be base64."


def test_nothing_is_signed_without_a_secret() -> None:
    assert signed(b"{}") == {}
    assert signed(b"{}", sharedSecret=None, signature="standard") == {}
