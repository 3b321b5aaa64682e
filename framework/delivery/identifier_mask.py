"""The identifiers of the call that a thread is making, masked by value in texts.

Partners repeat identifiers in error messages. Most cannot be recognized by their look, but those
of the call are known.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextvars import ContextVar
from functools import cached_property

MASK = "<identifier>"
SHORTEST_IDENTIFIER = 4
"""Characters; a shorter identifier cannot be told from ordinary text and is left alone."""

_word = re.compile(r"[^\W_]+")
_escape = re.compile(r"%[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|&#[0-9]+;")
_number = re.compile(r"\+?[0-9](?:[ .()/\u00a0\u2010-\u2015\u2212-]{0,3}[0-9]){5,}")
_is_number = re.compile(r"\+?[0-9]{6,}").fullmatch


class masking:  # noqa: N801 - a context manager
    """Has `mask_identifiers` mask *identifiers* within the block, in this thread."""

    def __init__(self, identifiers: Sequence[str | None]) -> None:
        self._identifiers = _Identifiers(identifiers)

    def __enter__(self) -> None:
        self._token = _current.set(self._identifiers)

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)


def mask_identifiers(text: str) -> str:
    """Return *text* without the identifiers of the current call, however they are escaped."""
    current = _current.get()
    return text if current is None else current.mask(text)


class _Identifiers:
    """The identifiers of a call; they are indexed when the first text is masked."""

    def __init__(self, identifiers: Sequence[str | None]) -> None:
        self._identifiers = identifiers

    def mask(self, text: str) -> str:
        text = _number.sub(self._mask_number, text)
        words = _word.findall(_escape.sub(" ", text))
        for word in dict.fromkeys(found.casefold() for found in words):
            for identifier in self._by_word.get(word, ()):
                text = re.sub(_escaped(identifier), MASK, text, flags=re.IGNORECASE)
        return text

    def _mask_number(self, found: re.Match[str]) -> str:
        """Return the mask for a known number, else the text without known ones in one piece."""
        digits = re.sub(r"[^0-9]", "", found[0])
        if digits in self._numbers:
            return MASK
        return re.sub(
            r"\+?([0-9]+)", lambda one: MASK if one[1] in self._numbers else one[0], found[0]
        )

    @cached_property
    def _by_word(self) -> dict[str, list[str]]:
        """The identifiers by the longest word in each."""
        found: dict[str, list[str]] = {}
        for one in self._identifiers:
            if one and len(one) >= SHORTEST_IDENTIFIER:
                words = _word.findall(one)
                if words:
                    found.setdefault(max(words, key=len).casefold(), []).append(one)
        return found

    @cached_property
    def _numbers(self) -> frozenset[str]:
        """The digits of the identifiers that are numbers."""
        return frozenset(
            one.removeprefix("+") for one in self._identifiers if one and _is_number(one)
        )


def _escaped(identifier: str) -> str:
    """Return a pattern for an identifier whose punctuation may be escaped."""
    return "".join(
        char
        if char.isalnum()
        else rf"(?:\\?{re.escape(char)}|%{ord(char):02x}|\\u{ord(char):04x}|&#{ord(char)};)"
        for char in identifier
    )


_current: ContextVar[_Identifiers | None] = ContextVar("identifiers", default=None)
