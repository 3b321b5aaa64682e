"""Phone numbers for Criteo: in E.164, or the reason for the rejection."""

from __future__ import annotations

from framework import Failed
from framework.normalize import NOT_A_NUMBER, Unusable, read_e164

NO_PHONE_NUMBER = Failed(
    400,
    "MALFORMED_IDENTIFIER",
    "Field `identifier` must be a phone number or its SHA-256 hash.",
)


def read_phone_number(text: str) -> str | Failed:
    """Return a phone number in E.164, or the reason why its number cannot be known."""
    found = read_e164(text)
    if not isinstance(found, Unusable):
        return found
    if found is NOT_A_NUMBER:
        return NO_PHONE_NUMBER
    return Failed(
        400,
        "MALFORMED_IDENTIFIER",
        f"The phone number in field `identifier` {found.reason}. "
        "Give it with `+` and country code, such as +91 98765 43210.",
    )
