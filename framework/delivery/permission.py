"""Whether an event may be sent: its `integrations` object and its consent preferences say so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final

from msgspec import Struct

from framework.codegen import JSONReader, SourceCode
from framework.errors import ConfigurationError
from framework.paths import MISSING, Event, Path
from framework.results import Skipped

TYPE: Final = Path(("type",))
_INTEGRATIONS: Final = Path(("integrations",))
_CONSENT: Final = Path(("context", "consent"))
_ALL: Final = ("All", "all")
"""Keys for all destinations; the npm package `segmentio-facade` reads the second one, too."""


def is_deletion(event: Event) -> bool:
    """Return whether an event asks to delete a user; subscriptions never see such events."""
    return isinstance(event, dict) and event.get("type") == "delete"


class Permission(Struct, frozen=True):
    """The rules of a connection: the *names* of its destination, and the consent it needs.

    Consent is needed for all *categories*. An event without consent preferences is sent; in
    preferences, a category that is absent or not true is refused, and preferences of a wrong kind,
    such as `"consent": "denied"`, refuse all. In the object `integrations`, the
    first of *names* that is there decides, else `All`, else `all`; only false refuses, an object is
    an option.
    """

    names: tuple[str, ...]
    categories: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[Path, ...]:
        """The paths of an event that are read to tell whether it may be sent."""
        return (*self._flags, _CONSENT) if self.categories else self._flags

    @property
    def _flags(self) -> tuple[Path, ...]:
        """The paths of the keys that are looked at."""
        return tuple(Path((*_INTEGRATIONS.parts, key)) for key in (*self.names, *_ALL))

    def refusal(self, event: Event) -> Skipped | None:
        """Return the result of an event that may not be sent, else None; consent comes first."""
        if self.categories:
            missing = self._refused_categories(_CONSENT.get(event))
            if missing:
                return _no_consent(tuple(missing))
        return self.exclusion(event)

    def exclusion(self, event: Event) -> Skipped | None:
        """Return the result of an event whose `integrations` exclude the destination, else None."""
        key = self._excluding_key(_INTEGRATIONS.get(event))
        if key is None:
            return None
        reason = f"`integrations` of the event excludes this destination: `{key}` is false."
        return Skipped("INTEGRATION_DISABLED", reason)

    def emit(self, code: SourceCode, reader: JSONReader, refusal: str) -> None:
        """Write the lines that read an event and run *refusal* if it may not be sent.

        They may run it too often: `refusal` has the last word.
        """
        first, *others = self._flags
        reader.load([first])
        named = reader.read(first)
        with code.block(f"if {named} is not True:"):  # mostly it is, or there is no name
            branch = reader.branch()
            branch.load(others)
            excludes = f"{branch.read(others[-1])} is False"
            for path in (*reversed(others[:-1]), first):
                read = branch.read(path)
                excludes = (
                    f"{read} is False or ({read} is MISSING or {read} is None) and ({excludes})"
                )
            code.line(f"if {excludes}: {refusal}")
        if self.categories:
            reader.load([_CONSENT])
            read, refused = reader.read(_CONSENT), code.literal(self._refused_categories, "refused")
            code.line(f"if {read} is not MISSING and {refused}({read}): {refusal}")

    def _excluding_key(self, integrations: Any) -> str | None:
        """Return the key that excludes the destination; None if it is included."""
        if not isinstance(integrations, dict) or not integrations:
            return None
        for key in chain(self.names, _ALL):
            flag = integrations.get(key)
            if flag is not None:
                return key if flag is False else None
        return None

    def _refused_categories(self, consent: Any) -> list[str]:
        """Return the categories without consent."""
        if consent is None or consent is MISSING:
            return []
        preferences = consent.get("categoryPreferences") if isinstance(consent, dict) else consent
        if preferences is None:
            return []
        if not isinstance(preferences, dict):
            return [*self.categories]
        return [one for one in self.categories if preferences.get(one) is not True]


def read_categories(categories: Sequence[str]) -> tuple[str, ...]:
    """Return the categories that a connection needs consent for; raises ConfigurationError."""
    problems = list(_category_problems(categories))
    if problems:
        raise ConfigurationError(" ".join(problems), problems)
    return tuple(categories)


def _category_problems(categories: Any) -> Iterator[str]:
    if isinstance(categories, str) or not isinstance(categories, Sequence):
        yield "Consent categories must be a list of texts."
        return
    for place, one in enumerate(categories):
        if not isinstance(one, str) or not one.strip():
            yield f"Consent category {place + 1} must be a text that is not empty."
        elif one in categories[:place]:
            yield f"Consent category `{one}` is given twice."


def _no_consent(missing: tuple[str, ...]) -> Skipped:
    named = ", ".join(f"`{one}`" for one in missing)
    return Skipped("NO_CONSENT", f"The event has no consent for {named}, which is required.")


def deletion_request(event: Mapping[str, Any]) -> DeletionRequest:
    """Return the request of an event of type `delete`."""
    return DeletionRequest(_text(event, "userId"), _text(event, "anonymousId"), event)


class DeletionRequest(Struct, frozen=True):
    """A request to delete a user: at least one of *user_id* and *anonymous_id*, and the *event*."""

    user_id: str | None
    anonymous_id: str | None
    event: Mapping[str, Any]

    @property
    def names_nobody(self) -> bool:
        """Whether there is no ID of a user."""
        return self.user_id is None and self.anonymous_id is None


def _text(event: Mapping[str, Any], key: str) -> str | None:
    value = event.get(key, MISSING)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value.strip() else None
