"""One difference between two definitions, and what it means for what users have saved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

ChangeLevel: TypeAlias = Literal["breaking", "note", "compatible"]
"""What a change means for saved connections.

`breaking`: some are refused, fail events that succeeded, or deliver other events than before.
`note`: they are accepted as before, but what they send may differ. `compatible`: neither.
"""

LEVELS: tuple[ChangeLevel, ...] = ("breaking", "note", "compatible")
"""The levels, the most important one first."""


@dataclass(frozen=True, slots=True)
class DefinitionChange:
    """A change between two definitions.

    *place* is the JSON pointer of what changed, in the new manifest or, for something removed, in
    the old one; *text* is a sentence without its subject; *code* names the kind, for programs.
    """

    level: ChangeLevel
    code: str
    place: str
    text: str

    @property
    def message(self) -> str:
        """The change as a sentence."""
        return f"`{self.place or '/'}` {self.text}"

    def to_json(self) -> dict[str, str]:
        """Return the change as a JSON object."""
        return {
            "level": self.level,
            "code": self.code,
            "place": self.place,
            "message": self.message,
        }


class ManifestPlace(NamedTuple):
    """Where something is in a manifest; `at` leads to what is in it."""

    pointer: str = ""

    def at(self, *keys: str) -> ManifestPlace:
        """Return the position that *keys* lead to from here."""
        steps = (key.replace("~", "~0").replace("/", "~1") for key in keys)
        return ManifestPlace("".join([self.pointer, *(f"/{step}" for step in steps)]))

    def breaking(self, code: str, text: str) -> DefinitionChange:
        """Return a breaking change here."""
        return DefinitionChange("breaking", code, self.pointer, text)

    def note(self, code: str, text: str) -> DefinitionChange:
        """Return a change here that saved connections survive, perhaps with another result."""
        return DefinitionChange("note", code, self.pointer, text)

    def compatible(self, code: str, text: str) -> DefinitionChange:
        """Return a change here that no saved connection notices."""
        return DefinitionChange("compatible", code, self.pointer, text)
