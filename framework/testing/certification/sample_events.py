"""Sample events of a destination: different people in one batch, and in an audience."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from framework.definition import Action, Destination, Field, fields_of
from framework.errors import FrameworkError
from framework.linting import Change
from framework.paths import JSON, MISSING, Event, Path
from framework.samples import generate_event, generate_payload

AUDIENCE: Final = "certified_audience"
"""The key of the audience that sample events are about, if a destination has audiences."""

_PERSONAS: Final = Path(("context", "personas"))
_MEMBERS: Final = {"track": "properties", "identify": "traits"}


class SampleEvents:
    """The events of one destination that its default mappings read, the same for a *seed*."""

    def __init__(self, definition: Destination, seed: int) -> None:
        self.definition = definition
        self.seed = seed

    def mapping(self, action: Action) -> dict[str, JSON]:
        """Return the default mapping, with paths for what is required and has none."""
        found = dict(action.default_mapping)
        for key, entry in action.fields.items():
            if key not in found and entry.required is not False:
                found[key] = {"@path": f"$.properties.certified_{key}"}
        return found

    def events(self, action: Action, number: int, start: int = 0) -> list[Event]:
        """Return events about different people that belong to one batch."""
        mapping = self.mapping(action)
        found = [self._event(action, start + place, mapping) for place in range(number)]
        if action.batching is None or not found:
            return found
        first = self._event(action, 0, mapping)
        for key in action.batching.keys:
            path = self.path_of(mapping.get(key))
            if path is not None and (value := path.get(first)) is not MISSING:
                found = [Change(path, value).apply(event) for event in found]
        return found

    def in_audience(
        self, event: Event, key: str, *, member: bool | None = True, seed: int = 0
    ) -> Event:
        """Return an event about an audience, which adds to it, removes from it, or says neither."""
        rules = self.definition.audience
        chosen = generate_payload(fields_of(rules.settings), self.seed + seed) if rules else {}
        personas: dict[str, JSON] = {
            "computation_class": "audience",
            "computation_id": f"aud_{key}",
            "computation_key": key,
            "space_id": "spa_certified",
            "audience_settings": chosen,
        }
        event = Change(_PERSONAS, personas).apply(event)
        place = _MEMBERS.get(str(event.get("type")))
        if place is None:
            return event
        value: Any = MISSING if member is None else member
        return Change(Path((place, key)), value).apply(event)

    @staticmethod
    def path_of(expression: JSON) -> Path | None:
        """Return the path that an expression of a mapping reads, if it does nothing else."""
        text = expression.get("@path") if isinstance(expression, Mapping) else None
        return Path.parse(text) if isinstance(text, str) else None

    def fields_with_path(self, action: Action) -> dict[str, tuple[Field, Path]]:
        """Return the text fields that read one value of an event, but for keys of batches."""
        keys = action.batching.keys if action.batching else ()
        found = {}
        for key, expression in self.mapping(action).items():
            entry, path = action.fields[key], self.path_of(expression)
            texts = entry.type in {"string", "text"} and not entry.choices and not entry.multiple
            if path is not None and path.parts and texts and key not in keys:
                found[key] = (entry, path)
        return found

    def why_not(self, action: Action) -> str:
        """Return why no event can be generated for an action; an empty text if one can."""
        try:
            self.events(action, 1)
        except FrameworkError as error:
            return str(error)
        return ""

    def _event(self, action: Action, seed: int, mapping: Mapping[str, JSON]) -> Event:
        event = generate_event(action, self.seed * 10_000 + seed, "all", mapping=mapping)
        for name, sample in (("userId", "user-1"), ("anonymousId", "anonymous-1")):
            if event.get(name) == sample:
                event = {**event, name: f"{sample}-{seed}"}
        if str(event.get("messageId", "")).endswith("-1"):
            event = {**event, "messageId": f"message-{seed}"}
        if self.definition.audience is not None:
            event = self.in_audience(event, AUDIENCE, member=action.membership is not False)
        return event
