"""Access tokens in a state store, shared by all connections with the same credentials."""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from framework.state_store import StateStore

TOKEN: Final = re.compile(r"[\x21-\x7e]+")
"""An access token that fits into a header."""

_KIND: Final = "token"

_PATIENCE: Final = 150.0
"""Seconds to wait for a renewal elsewhere: its wait for the rate limit and its request."""


@dataclass(frozen=True, slots=True)
class KeptToken:
    """A token as it is kept, requested *asked* seconds after 1970.

    *life* is the lifetime in seconds that the partner declared, if any. *refresh_token* obtains
    the next token, if the partner has replaced the configured one or not.
    """

    access_token: str = field(repr=False)
    asked: float
    life: float | None = None
    refresh_token: str | None = field(default=None, repr=False)


class TokenEntry:
    """The place of one token in a state store. All methods may raise StorageError."""

    def __init__(self, state: StateStore, key: str) -> None:
        self._state = state
        self._key = key

    def read(self) -> KeptToken | None:
        """Return the token, or None if there is none or the entry is damaged."""
        try:
            found = msgspec.convert(self._state.get(_KIND, self._key), KeptToken)
        except (msgspec.ValidationError, OverflowError):
            return None
        return found if TOKEN.fullmatch(found.access_token) else None

    def write(self, token: KeptToken) -> None:
        """Replace the token; it is durable when this returns."""
        self._state.put(_KIND, self._key, msgspec.to_builtins(token))

    def lock(self) -> AbstractContextManager[None]:
        """Hold the right to renew the token until the context ends."""
        return self._state.lock(f"{_KIND} {self._key}", _PATIENCE)


class KeptTokens:
    """The tokens in *state*, each bound to the configured credentials.

    *sent_to* names what receives the requests in the partner's place, since its tokens are others.
    With *only_rotated*, only tokens whose refresh token a partner may replace are kept: such a one
    cannot be obtained again.
    """

    def __init__(self, state: StateStore, sent_to: str = "", *, only_rotated: bool = False) -> None:
        self._state = state
        self._sent_to = sent_to
        self.only_rotated = only_rotated

    def entry(self, configured: Any) -> TokenEntry:
        """Return the entry for *configured*, the JSON of all that a first token depends on.

        Its key is a digest, so that other credentials have another entry.
        """
        text = json.dumps([self._sent_to, configured], sort_keys=True)
        return TokenEntry(self._state, hashlib.sha256(text.encode("ascii")).hexdigest())
