"""The rules of fields that editors enforce, of batches, and of what is hashed already."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from framework.definition import (
    SYNC_MODE_KEY,
    Action,
    Conditions,
    Field,
    condition_text,
    same,
    tests_of,
    top_pruner_of,
)
from framework.linting.issues import DocumentPath, Issue, Severity, suggestion
from framework.linting.work_budget import WorkBudget
from framework.paths import JSON, MISSING, Path

_HIGH: Final = frozenset(
    {"anonymousId", "email", "ip", "messageId", "originalTimestamp", "phone", "receivedAt",
     "sentAt", "timestamp", "userId"}
)  # fmt: skip
_HASH_WORD: Final = re.compile(r"(?i)sha_?-?256|md5|hashed|(?<![a-z])hash(?![a-z])")
_HASH_VALUE: Final = re.compile(r"[0-9a-f]{64}|[0-9a-f]{32}", re.IGNORECASE)


@dataclass(frozen=True)
class EffectiveMapping:
    """An action with the *mapping* that is in force, of which *own* keys are the subscription's."""

    action: Action
    mapping: Mapping[str, JSON]
    own: frozenset[str]

    def fault(
        self, code: str, severity: Severity, place: DocumentPath, message: str, hint: str = ""
    ) -> Issue:
        """Make a fault about a place of the mapping; about the action where a default is meant."""
        if place and place[0] in self.own:
            return Issue(code, severity, "mapping", message, hint, place)
        return Issue(code, severity, "action", message, hint)

    def verdict(self, conditions: Conditions) -> bool | None:
        """Tell whether conditions hold for every event, for none, or (None) for some perhaps."""
        truths = [self._truth(key, test) for key, test in tests_of(conditions, self.action.fields)]
        decisive = conditions.match == "any"
        if decisive in truths:
            return decisive
        return None if None in truths else not decisive

    def _truth(self, key: str | None, test: Any) -> bool | None:
        if key is None:
            mode = self.action.sync_mode
            given = self.mapping.get(SYNC_MODE_KEY, mode.default if mode else MISSING)
            return bool(test(given)) if mode else bool(test(MISSING))
        value = self.mapping.get(key, MISSING)
        if is_computed(value):
            return None
        field = self.action.fields.get(key)
        return bool(test(top_pruner_of(field)(value) if field else value))


def is_computed(value: JSON) -> bool:
    """Tell whether a part of a mapping holds a directive."""
    if isinstance(value, dict):
        return any(key[:1] == "@" for key in value) or any(map(is_computed, value.values()))
    return isinstance(value, list) and any(map(is_computed, value))


def check_rules(filled: EffectiveMapping) -> Iterator[Issue]:
    """Find what an editor would not have let pass."""
    for key, field in filled.action.fields.items():
        if key in filled.own:
            yield from _check_field(filled, key, field)


def _check_field(filled: EffectiveMapping, key: str, field: Field) -> Iterator[Issue]:
    value = filled.mapping[key]
    start = field.mapping if field.mapping is not None else field.default
    if field.read_only and not same(value, start):
        hint = "Leave it out: its default is used." if start is not None else "Leave it out."
        message = f"Field `{key}` is read-only: no value of its own is expected."
        yield filled.fault("AD521", "warning", (key,), message, hint)
    elif field.hidden and not same(value, start):
        message = f"Field `{key}` is hidden: it is not meant to be mapped."
        yield filled.fault("AD522", "hint", (key,), message)
    if field.depends_on and filled.verdict(field.depends_on) is False:
        joint = " and " if field.depends_on.match == "all" else " or "
        when = joint.join(map(condition_text, field.depends_on.conditions))
        message = f"Field `{key}` has no meaning here: it is for when {when}."
        yield filled.fault("AD523", "hint", (key,), message)
    method = _method(value, field)
    if method in field.disabled_input_methods:
        message = f"Field `{key}` does not take {_METHODS[method]}."
        yield filled.fault("AD524", "warning", (key,), message)


def _method(value: JSON, field: Field) -> str:
    """Say how a value was put in, in the words of `disabled_input_methods`."""
    if not isinstance(value, dict) or not is_computed(value):
        choices = [choice.value for choice in field.choices]
        return "freeform" if choices and value not in choices else "literal"
    return "variable" if "@path" in value or "@template" in value else "function"


_METHODS: Final = {
    "literal": "fixed values",
    "variable": "values of the event",
    "function": "functions",
    "freeform": "values that are not among its choices",
}


# Batches


def check_batching(filled: EffectiveMapping, effort: WorkBudget) -> Iterator[Issue]:
    """Find keys that are no fields, that part every event from the others, or that are missing."""
    action = filled.action
    given = filled.mapping.get("batch_keys")
    named = given if isinstance(given, list) else []
    for index, key in enumerate(named):
        if "batch_keys" in filled.own and key not in action.fields:
            message = f"Batch key `{key}` is no field of action `{action.slug}`."
            effort.compare(str(key), action.fields)
            hint = suggestion(str(key), action.fields, "fields")
            yield filled.fault("AD531", "error", ("batch_keys", str(index)), message, hint)
    if action.batching is None or filled.mapping.get("enable_batching") is False:
        return
    keys = [*action.batching.keys, *(key for key in named if key in action.fields)]
    for key in dict.fromkeys(keys):
        part = _parting(filled.mapping.get(key))
        if part is not None:
            message = (
                f"Field `{key}` is a batch key, and `{part}` is different for nearly every event."
            )
            hint = "Each event would be sent in a call of its own."
            yield filled.fault("AD532", "warning", (key,), message, hint)
    for key, field in action.fields.items():
        varies = is_computed(filled.mapping.get(key)) and key in filled.own
        if field.category in {"config", "sync"} and varies and key not in keys:
            message = f"Field `{key}` is read from the event, but is no batch key."
            hint = "A call holds many events: the value of one of them would count for all."
            yield filled.fault("AD533", "warning", (key,), message, hint)


def _parting(value: JSON) -> str | None:
    """Give a path in a value that is different for nearly every event."""
    return next((text for text in _paths(value) if Path.parse(text).parts[-1:] and
                 Path.parse(text).parts[-1] in _HIGH), None)  # fmt: skip


def _paths(value: JSON) -> Iterator[str]:
    """Yield the paths that a value is made of, where it is made of nothing else."""
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        if key == "@path" and isinstance(inner, str):
            yield inner
        elif key == "@template" and isinstance(inner, str):
            yield from re.findall(r"\{\{\s*([^{}]+?)\s*\}\}", inner)
        elif key == "@if" and isinstance(inner, dict):
            yield from _paths(inner.get("then"))
        elif isinstance(inner, dict):
            yield from _paths(inner.get("value", inner))


# Hashes


def check_hashes(filled: EffectiveMapping) -> Iterator[Issue]:
    """Find values that are hashed already where the action is told to hash them."""
    switches = [
        key
        for key, field in filled.action.fields.items()
        if field.type == "boolean" and "hash" in key.lower() and filled.mapping.get(key) is True
    ]
    for key, field in filled.action.fields.items() if switches else ():
        source = _hashed_source(filled.mapping.get(key))
        if field.category == "hashedPII" and source is not None:
            message = f"Field `{key}` gets {source}, and `{switches[0]}` hashes it again."
            hint = f"Map `{switches[0]}` to false, or map a plain value."
            yield filled.fault("AD507", "warning", (key,), message, hint)


def _hashed_source(value: JSON) -> str | None:
    if isinstance(value, str):
        return "a hash" if _HASH_VALUE.fullmatch(value) else None
    for text in _paths(value):
        last = Path.parse(text).parts[-1:]
        if last and _HASH_WORD.search(last[0]):
            return f"`{text}`, which is hashed by its name"
    return None


def effective(action: Action, own: Mapping[str, JSON]) -> EffectiveMapping:
    """Give the mapping that is in force: a subscription's own, over the action's default."""
    mapping = {**action.default_mapping, **own}
    return EffectiveMapping(action, mapping, frozenset(own))
