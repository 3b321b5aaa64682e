"""The digests by which a ledger knows people, keyed so that an identifier cannot be guessed."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from functools import cached_property
from typing import Final

from framework.state_store import StateStore

_BYTES: Final = 16


class MemberDigests:
    """Digests with a key that belongs to the store of *state*, made at first use."""

    def __init__(self, state: StateStore) -> None:
        self._state = state

    def digests(self, identities: Sequence[str]) -> list[bytes]:
        """Return the keyed digest of each canonical identity, 16 bytes, aligned."""
        key, digest = self._key, hmac.digest
        return [
            digest(key, identity.encode("utf-8", "surrogatepass"), "sha256")[:_BYTES]
            for identity in identities
        ]

    @cached_property
    def _key(self) -> bytes:
        self._state.create("ledger", "key", secrets.token_hex(32))
        return bytes.fromhex(self._state.get("ledger", "key"))
