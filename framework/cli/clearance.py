"""Whether a connection file needs no checks: a proof by example that `validate` finds nothing.

Loading the checks takes longer than starting a run. Most files are plain: their triggers select
one event type, and maybe one event name, and their mappings are the actions' defaults. One event
of Segment's spec that such a subscription accepts proves that no field always fails. Every other
file is checked in full.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from framework.config import ConnectionFile
    from framework.definition import Action, Destination, Field, Subscription
    from framework.paths import Event, Path
    from framework.triggers import Trigger

_HASHED: Final = re.compile("hash|sha|md5", re.IGNORECASE)
_EMAIL: Final = "ada@example.com"


class _Selected(NamedTuple):
    """The events that a plain trigger selects, and the action that they run."""

    action: str
    type: str
    event: str | None

    def excludes(self, other: _Selected) -> bool:
        """Return whether no event is selected by both, or both run one action."""
        if self.action == other.action or self.type != other.type:
            return True
        return None not in {self.event, other.event} and self.event != other.event


def is_plain(file: ConnectionFile, destination: Destination) -> bool:
    """Return whether checks of a readable file would find neither errors nor warnings."""
    from framework.errors import FrameworkError  # noqa: PLC0415 - the command imports it anyway

    try:
        if not _has_plain_settings(file, destination):
            return False
        selected = [_selected(one, destination) for one in file.subscriptions]
    except FrameworkError:
        return False
    known = [one for one in selected if one is not None]
    pairs = itertools.combinations(known, 2)
    return len(known) == len(selected) and all(one.excludes(other) for one, other in pairs)


def _has_plain_settings(file: ConnectionFile, destination: Destination) -> bool:
    from framework.definition import shape_settings  # noqa: PLC0415 - heavy, at first use

    shape_settings(destination.settings, file.settings, destination.settings_rules)
    given = file.node.at("settings").members if "settings" in file.node.members else {}
    return given.keys() <= destination.settings_fields.keys()


def _selected(subscription: Subscription, destination: Destination) -> _Selected | None:
    """Return what a subscription selects, or None if it has to be checked."""
    from framework.mapping import compile_mapping  # noqa: PLC0415 - heavy, at first use
    from framework.triggers import parse  # noqa: PLC0415 - heavy, at first use

    if not subscription.enabled:
        return None
    action = destination.action(subscription.action)
    if not _is_current(subscription, action, destination):
        return None
    text = action.trigger if subscription.trigger is None else subscription.trigger
    if text is None or not _has_plain_mapping(subscription.mapping, action):
        return None
    trigger = parse(text)
    texts = dict(_equal_texts(trigger))
    mapping = compile_mapping({**action.default_mapping, **subscription.mapping})
    event = _example(texts, mapping.paths)
    if trigger.remarks or event is None or not trigger.matches(event) or mapping.faults:
        return None
    if not _accepts(action, mapping.interpret(event)):
        return None
    return _Selected(action.slug, event["type"], texts.get("event"))


def _is_current(subscription: Subscription, action: Action, destination: Destination) -> bool:
    if action.mapping_version == subscription.mapping_version:
        return True
    from framework.definition import migrate  # noqa: PLC0415 - for few destinations

    return not migrate(destination, subscription).notes


def _has_plain_mapping(own: Mapping[str, Any], action: Action) -> bool:
    """Return whether a mapping sets only switches and whole numbers that anybody may set."""
    hashed = any(_HASHED.search(str(value)) for value in action.default_mapping.values())
    if hashed and any("hash" in key for key in own):
        return False
    return all(
        type(value) in {bool, int} and key in action.fields and _is_free(action.fields[key])
        for key, value in own.items()
    )


def _is_free(field: Field) -> bool:
    bound = field.read_only or field.hidden or field.depends_on or field.disabled_input_methods
    return not (bound or field.category)


def _equal_texts(trigger: Trigger) -> Iterator[tuple[str, str]]:
    """Yield the fields `type` and `event` with the texts that a trigger wants; "" for all else."""
    from framework.triggers.language import (  # noqa: PLC0415 - heavy, at first use
        And,
        Comparison,
        ConstantNode,
        FieldNode,
    )

    parts = trigger.tree.parts if isinstance(trigger.tree, And) else (trigger.tree,)
    for part in parts:
        match part:
            case Comparison(FieldNode(path), "=", ConstantNode(str() as text)):
                yield path.parts[0], text
            case _:
                yield "", ""


def _example(texts: Mapping[str, str], paths: frozenset[Path]) -> Event | None:
    """Return an event of the spec with *texts* and a value at each of *paths* that may be there."""
    from framework.samples import make_event  # noqa: PLC0415 - not needed by most commands

    kind = texts.get("type", "")
    if not all(texts.values()) or texts.keys() - {"type", "event"} or kind in {"", "delete"}:
        return None
    if ("event" in texts) > (kind == "track"):
        return None
    event = make_event(**texts)
    traits = event["context"].setdefault("traits", {})
    places: dict[str, Any] = {"properties": event.get("properties"), "traits": event.get("traits")}
    for path in paths:
        match path.parts:
            case ("context", "traits", key):
                traits.setdefault(key, _EMAIL if key == "email" else "1")
            case (root, key) if places.get(root) is not None:
                places[root].setdefault(key, _EMAIL if key == "email" else "1")
    return event


def _accepts(action: Action, payload: Any) -> bool:
    from framework.definition import Shape  # noqa: PLC0415 - heavy, at first use

    return not Shape(action.fields).interpret(payload)[1]
