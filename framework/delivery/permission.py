"""Whether an event may be sent: its `integrations` object and its consent preferences say so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from framework.codegen import EventReader, SourceCode
from framework.errors import ConfigurationError
from framework.paths import MISSING, Event, Path
from framework.results import Skipped

TYPE: Final = Path(("type",))
_INTEGRATIONS: Final = Path(("integrations",))
_CONSENT: Final = Path(("context", "consent"))
_ALL: Final = ("All", "all")


def is_deletion(event: Event) -> bool:
    """Return whether an event asks to delete a user; subscriptions never see such events."""
    return isinstance(event, dict) and event.get("type") == "delete"


class Permission(Struct, frozen=True):
    """The rules of a connection: the *names* of its destination, and the consent it needs.

    Consent is needed for all *categories*. An event without consent preferences is sent; in
    preferences, a category that is absent or not true is refused. In the object `integrations`, a
    name of the destination decides before `All`; only false refuses, an object is an option.
    """

    names: tuple[str, ...]
    categories: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[Path, ...]:
        """The paths of an event that are read."""
        return (_INTEGRATIONS, _CONSENT) if self.categories else (_INTEGRATIONS,)

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

    def emit(self, code: SourceCode, reader: EventReader) -> str:
        """Write the lines that load what is read; return the condition for an event to be sent."""
        reader.load(self.paths)
        read = reader.read(_INTEGRATIONS)
        excludes = code.literal(self._excluding_key, "excludes")
        parts = [f"({read} is MISSING or not {read} or {excludes}({read}) is None)"]
        if self.categories:
            read = reader.read(_CONSENT)
            refused = code.literal(self._refused_categories, "refused")
            parts.append(f"({read} is MISSING or not {refused}({read}))")
        return " and ".join(parts)

    def _excluding_key(self, integrations: Any) -> str | None:
        """Return the key that excludes the destination; None if it is included."""
        if not isinstance(integrations, dict) or not integrations:
            return None
        own = {name: integrations[name] for name in self.names if name in integrations}
        own = {name: value for name, value in own.items() if value is not None}
        if own:
            return next((name for name, value in own.items() if value is False), None)
        return next((key for key in _ALL if integrations.get(key) is False), None)

    def _refused_categories(self, consent: Any) -> list[str]:
        """Return the categories without consent."""
        preferences = consent.get("categoryPreferences") if isinstance(consent, dict) else None
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
