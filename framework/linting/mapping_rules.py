"""Rules of mappings: field options that editors enforce, batch keys and hashed values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from framework.config import Severity
from framework.definition import (
    SYNC_MODE_KEY,
    Action,
    Conditions,
    Field,
    condition_text,
    equal_json,
    tests_of,
    top_pruner_of,
)
from framework.linting.issues import DocumentPath, Issue, suggestion
from framework.linting.work_budget import WorkBudget
from framework.paths import JSON, MISSING, Path

_UNIQUE: Final = frozenset(
    {"anonymousId", "email", "ip", "messageId", "originalTimestamp", "phone", "receivedAt",
     "sentAt", "timestamp", "userId"}
)  # fmt: skip
_HASH_WORD: Final = re.compile(r"(?i)sha_?-?256|md5|hashed|(?<![a-z])hash(?![a-z])")
_HASH_VALUE: Final = re.compile(r"[0-9a-f]{64}|[0-9a-f]{32}", re.IGNORECASE)


@dataclass(frozen=True)
class EffectiveMapping:
    """An action with its effective *mapping*; *own* are the keys that the subscription sets."""

    action: Action
    mapping: Mapping[str, JSON]
    own: frozenset[str]

    def issue(
        self, code: str, severity: Severity, place: DocumentPath, message: str, hint: str = ""
    ) -> Issue:
        """Return an issue at a place of the mapping, or about the action for its default."""
        if place and place[0] in self.own:
            return Issue(code, severity, "mapping", message, hint, place)
        return Issue(code, severity, "action", message, hint)

    def verdict(self, conditions: Conditions) -> bool | None:
        """Return whether conditions are true for every event; None if that depends on the event."""
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
    """Return whether a part of a mapping contains a directive."""
    if isinstance(value, dict):
        return any(key[:1] == "@" for key in value) or any(map(is_computed, value.values()))
    return isinstance(value, list) and any(map(is_computed, value))


def check_rules(effective: EffectiveMapping) -> Iterator[Issue]:
    """Yield violations of field options that editors enforce."""
    for key, field in effective.action.fields.items():
        if key in effective.own:
            yield from _check_field(effective, key, field)


def _check_field(effective: EffectiveMapping, key: str, field: Field) -> Iterator[Issue]:
    value = effective.mapping[key]
    start = field.mapping if field.mapping is not None else field.default
    if field.read_only and not equal_json(value, start):
        hint = "Remove it: the default applies." if start is not None else "Remove it."
        message = f"Field `{key}` is read-only: its value cannot be set."
        yield effective.issue("AD521", "warning", (key,), message, hint)
    elif field.hidden and not equal_json(value, start):
        message = f"Field `{key}` is hidden: it is not intended to be mapped."
        yield effective.issue("AD522", "hint", (key,), message)
    if field.depends_on and effective.verdict(field.depends_on) is False:
        joint = " and " if field.depends_on.match == "all" else " or "
        when = joint.join(map(condition_text, field.depends_on.conditions))
        message = f"Field `{key}` applies only when {when}."
        yield effective.issue("AD523", "hint", (key,), message)
    method = _method(value, field)
    if method in field.disabled_input_methods:
        message = f"Field `{key}` does not accept {_METHODS[method]}."
        yield effective.issue("AD524", "warning", (key,), message)


def _method(value: JSON, field: Field) -> str:
    """Return the input method of a value, as named by `disabled_input_methods`."""
    if not isinstance(value, dict) or not is_computed(value):
        choices = [choice.value for choice in field.choices]
        return "freeform" if choices and value not in choices else "literal"
    return "variable" if "@path" in value or "@template" in value else "function"


_METHODS: Final = {
    "literal": "fixed values",
    "variable": "values of the event",
    "function": "functions",
    "freeform": "values other than its choices",
}


# Batches


def check_batching(effective: EffectiveMapping, budget: WorkBudget) -> Iterator[Issue]:
    """Yield batch keys that are not fields or that are unique per event, and missing batch keys."""
    action = effective.action
    given = effective.mapping.get("batch_keys")
    named = given if isinstance(given, list) else []
    for index, key in enumerate(named):
        if "batch_keys" in effective.own and key not in action.fields:
            message = f"Batch key `{key}` is not a field of action `{action.slug}`."
            budget.compare(str(key), action.fields)
            hint = suggestion(str(key), action.fields, "fields")
            yield effective.issue("AD531", "error", ("batch_keys", str(index)), message, hint)
    rules = action.batching
    if not rules or rules.max_size == 1 or effective.mapping.get("enable_batching") is False:
        return
    keys = [*rules.keys, *(key for key in named if key in action.fields)]
    for key in dict.fromkeys(keys):
        part = _unique_path(effective.mapping.get(key))
        if part is not None and (key in effective.own or key in named):
            message = f"Field `{key}` is a batch key, but `{part}` differs for nearly every event."
            hint = "Each event would be sent in its own request."
            yield effective.issue("AD532", "warning", (key,), message, hint)
    for key, field in action.fields.items():
        varies = is_computed(effective.mapping.get(key)) and key in effective.own
        if field.category in {"config", "sync"} and varies and key not in keys:
            message = f"Field `{key}` is read from the event but is not a batch key."
            hint = "A request contains many events: the value of one of them would apply to all."
            yield effective.issue("AD533", "warning", (key,), message, hint)


def _unique_path(value: JSON) -> str | None:
    """Return a path in a value that differs for nearly every event."""
    return next((text for text in _paths(value) if Path.parse(text).parts[-1:] and
                 Path.parse(text).parts[-1] in _UNIQUE), None)  # fmt: skip


def _paths(value: JSON) -> Iterator[str]:
    """Yield the paths that a value consists of."""
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


def check_hashes(effective: EffectiveMapping) -> Iterator[Issue]:
    """Yield fields with hashed values that the action would hash again."""
    switches = [
        key
        for key, field in effective.action.fields.items()
        if field.type == "boolean" and "hash" in key.lower() and effective.mapping.get(key) is True
    ]
    for key, field in effective.action.fields.items() if switches else ():
        source = _hashed_source(effective.mapping.get(key))
        told = key in effective.own or switches[0] in effective.own
        if field.category == "hashedPII" and source is not None and told:
            message = f"Field `{key}` receives {source}; `{switches[0]}` would hash it again."
            hint = f"Map `{switches[0]}` to false, or map an unhashed value."
            yield effective.issue("AD507", "warning", (key,), message, hint)


def _hashed_source(value: JSON) -> str | None:
    if isinstance(value, str):
        return "a hashed value" if _HASH_VALUE.fullmatch(value) else None
    for text in _paths(value):
        last = Path.parse(text).parts[-1:]
        if last and _HASH_WORD.search(last[0]):
            return f"`{text}`, which is hashed already according to its name"
    return None


def effective_mapping(action: Action, own: Mapping[str, JSON]) -> EffectiveMapping:
    """Return the effective mapping: a subscription's own over the action's default."""
    mapping = {**action.default_mapping, **own}
    return EffectiveMapping(action, mapping, frozenset(own))
