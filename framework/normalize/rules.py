"""Rules: the steps from a text to the normal form that a partner documents for a field."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from framework.normalize.digests import digest, is_digest

SentAs: TypeAlias = Literal["hex", "base64", "plain"]
"""How the normal form is sent: its SHA-256 hash in hexadecimal or Base64, or as it is."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """Why a text has no normal form, without the text: "has no country code"."""

    reason: str


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a rule: *words* describe it, *apply* must accept any text."""

    words: str
    apply: Callable[[str], str | Unusable]


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a rule is documented, and when that was read or last changed."""

    text: str
    date: str


@dataclass(frozen=True, slots=True)
class Rule:
    """The normal form of one field for one partner; *noun* names the field in reasons."""

    noun: str
    steps: tuple[Step, ...]
    citation: Citation
    sent_as: SentAs = "hex"
    note: str = ""

    def __call__(self, text: str) -> str | None:
        """Return the normal form, or None if *text* is empty or cannot be used."""
        found = self.read(text)
        return None if isinstance(found, Unusable) else found

    def read(self, text: str) -> str | Unusable:
        """Return the normal form, or why there is none."""
        for step in self.steps:
            found = step.apply(text) if text else Unusable("is empty")
            if isinstance(found, Unusable):
                return found
            text = found
        return text or Unusable("is empty")

    def reason(self, text: str) -> str | None:
        """Return why *text* has no normal form as a sentence without the text, None if it has."""
        found = self.read(text)
        return f"The {self.noun} {found.reason}." if isinstance(found, Unusable) else None

    def sent(self, text: str) -> str | None:
        """Return what the partner gets: the hash of the normal form, or the form if sent plain.

        A SHA-256 hash is returned as it is, in lower case. None if *text* cannot be used.
        """
        if self.sent_as != "plain" and is_digest(text):
            return self._encoded(digest(text))
        form = self(text)
        if form is None or self.sent_as == "plain":
            return form
        return self._encoded(hashlib.sha256(form.encode("utf-8", "surrogatepass")).hexdigest())

    def _encoded(self, hashed: str) -> str:
        if self.sent_as == "hex":
            return hashed
        return base64.b64encode(bytes.fromhex(hashed)).decode("ascii")


class Profile:
    """The rules of one partner, as attributes: one for each field that it documents."""

    name: str

    @property
    def rules(self) -> dict[str, Rule]:
        """The rules by field, in the order of their declaration."""
        found = vars(type(self)).items()
        return {field: rule for field, rule in found if isinstance(rule, Rule)}

    def __iter__(self) -> Iterator[tuple[str, Rule]]:
        return iter(self.rules.items())
