"""Compiled subscriptions: trigger, mapping, shape and batching rules, ready for events."""

from __future__ import annotations

import json
import logging
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, TypeGuard

from framework.definition import (
    MAPPING_HOOKS,
    MATCHING_KEY,
    MAX_SUBSCRIPTIONS,
    SYNC_MODE_KEY,
    SYNC_MODES,
    Action,
    Batching,
    Destination,
    Shape,
    Subscription,
    compile_shape,
    unknown_fields,
)
from framework.delivery.permission import Permission, read_categories
from framework.errors import ConfigurationError, FrameworkError, UnknownNameError
from framework.mapping import Mapping as CompiledMapping
from framework.mapping import compile_mapping
from framework.results import Skipped
from framework.triggers import Trigger, parse

_logger = logging.getLogger("action_destinations")


@dataclass(frozen=True, eq=False)
class CompiledSubscription:
    """An enabled subscription, compiled; *index* is its place among those of the connection.

    *unmatched* is the result of an event that the trigger does not match. Rows of one that is kept
    *apart* are not sent together with those of others.
    """

    index: int
    subscription: Subscription
    action: Action
    trigger: Trigger
    mapping: CompiledMapping
    shape: Shape
    batching: Batching
    sync_mode: str | None
    matching_key: str | None
    hook_outputs: Mapping[str, Any]
    unmatched: Skipped
    permission: Permission
    apart: bool = False

    @cached_property
    def name(self) -> str:
        """The name of the subscription, else the title of its action."""
        return self.subscription.name or self.action.title

    @cached_property
    def lane(self) -> Hashable:
        """The scope within which identifiers of several subscriptions are compared.

        Subscriptions that send differently share none, unless the destination says what is changed.
        """
        own = self.batching.lane or self.index
        if self.batching.target is not None:
            return own
        return own, self.sync_mode, self.matching_key, repr(self.hook_outputs), self._own_index

    @cached_property
    def agreement(self) -> Hashable:
        """What rows of several subscriptions have to agree in to be sent together."""
        rules = self.batching
        limits = rules.max_size, rules.max_bytes, rules.max_age
        outputs = repr(self.hook_outputs)
        return self.sync_mode, self.matching_key, outputs, limits, self._own_index

    @property
    def _own_index(self) -> int | None:
        return self.index if self.apart else None

    @cached_property
    def read_only(self) -> Subscription:
        """The subscription for hooks, which cannot change it."""
        return replace(self.subscription, mapping=_frozen(self.subscription.mapping))


def _frozen(value: Any) -> Any:
    """Return a view of JSON that cannot be changed: objects are read-only, lists are tuples."""
    if isinstance(value, Mapping):
        return MappingProxyType({key: _frozen(inner) for key, inner in value.items()})
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value


def compile_subscriptions(
    destination: Destination,
    subscriptions: Sequence[Subscription],
    consent: Sequence[str] = (),
    max_age: float | None = None,
) -> tuple[CompiledSubscription, ...]:
    """Compile every enabled subscription; *consent* names the categories that events need.

    *max_age* replaces the age of batches that the actions declare, in seconds.

    Raises ConfigurationError with the problems of all of them.
    """
    permission = permission_for(destination, consent)
    if len(subscriptions) > MAX_SUBSCRIPTIONS:
        raise ConfigurationError(
            f"A connection has at most {MAX_SUBSCRIPTIONS} subscriptions, got {len(subscriptions)}."
        )
    compiled: list[CompiledSubscription] = []
    problems: list[str] = []
    for number, subscription in enumerate(subscriptions, 1):
        if subscription.enabled:
            try:
                current = current_subscription(destination, subscription)
                index = len(compiled)
                compiled.append(_compile(index, destination, current, permission))
            except FrameworkError as error:
                problems += _named(number, subscription, error)
    if not problems and destination.conflicts:
        for one in destination.conflicts(subscriptions):
            conflict = ConfigurationError(f"{one.message} {one.hint}".rstrip())
            problems += _named(one.index + 1, subscriptions[one.index], conflict)
    if problems:
        raise ConfigurationError("\n".join(problems), problems)
    if max_age is None:
        return tuple(compiled)
    return tuple(replace(one, batching=replace(one.batching, max_age=max_age)) for one in compiled)


def current_subscription(destination: Destination, subscription: Subscription) -> Subscription:
    """Return a subscription with its action's migrations applied, and log what they changed.

    Raises ConfigurationError if the mapping is newer than the destination.
    """
    if subscription.mapping_version is None and not any(
        action.migrations for action in destination.actions
    ):
        return subscription
    from framework.definition import migrate  # noqa: PLC0415 - for few destinations

    migrated = migrate(destination, subscription)
    if migrated.notes:
        name = subscription.name or subscription.action
        _logger.warning("Subscription `%s` is migrated: %s", name, " ".join(migrated.notes))
    return migrated.subscription


def permission_for(destination: Destination, consent: Sequence[str] = ()) -> Permission:
    """Return the rules by which events may be sent; raises ConfigurationError."""
    names = dict.fromkeys((destination.name, destination.slug))
    return Permission(tuple(names), read_categories(consent))


def _compile(
    index: int, destination: Destination, subscription: Subscription, permission: Permission
) -> CompiledSubscription:
    action = destination.action(subscription.action)
    raw = {**action.default_mapping, **subscription.mapping}
    _check_fields(action, subscription.mapping)
    trigger = subscription.trigger if subscription.trigger is not None else action.trigger
    if trigger is None:
        raise ConfigurationError(
            f"A trigger is needed: action `{action.slug}` has no default trigger."
        )
    return CompiledSubscription(
        index=index,
        subscription=subscription,
        action=action,
        trigger=parse(trigger),
        mapping=compile_mapping(raw),
        shape=compile_shape(
            action.fields,
            name=f"action `{action.slug}`",
            sources=_sources(raw),
            rules=action.rules,
        ),
        batching=_batching(action, raw),
        sync_mode=_sync_mode(action, raw),
        matching_key=_matching_key(action, raw),
        hook_outputs=_hook_outputs(action, raw),
        unmatched=Skipped("NOT_MATCHED", f"The trigger `{trigger}` does not match."),
        permission=permission,
    )


def _check_fields(action: Action, mapping: Mapping[str, Any]) -> None:
    """Raise ConfigurationError if a mapping has keys that are not fields of the action."""
    problems = [
        str(UnknownNameError.of(f"field of action `{action.slug}`", key, action.fields, "fields"))
        for key in unknown_fields(action, mapping)
    ]
    if problems:
        raise ConfigurationError("\n".join(problems), problems)


def _hook_outputs(action: Action, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return by kind the outputs that a mapping keeps of its hooks, None where there are none.

    They are instances of the class that the hook declares. Raises ConfigurationError for outputs
    that do not fit, and for a required hook without any.
    """
    kept = {kind: raw[kind] for kind in MAPPING_HOOKS if isinstance(raw.get(kind), Mapping)}
    found: dict[str, Any] = {kind: one.get("outputs") for kind, one in kept.items()}
    again = f"Run `actions save-mapping` for a subscription of `{action.slug}`."
    for hook in action.hooks:
        outputs = found.get(hook.kind)
        if outputs is None and hook.required:
            raise ConfigurationError(f"The hook `{hook.kind}` has not been run. {again}")
        try:
            found[hook.kind] = None if outputs is None else hook.read_outputs(outputs)
        except ConfigurationError as error:
            raise ConfigurationError(f"{error} {again}") from None
    return found


def _matching_key(action: Action, raw: Mapping[str, Any]) -> str | None:
    """Return the mapping's key as text, like Segment's implementation; None if it is empty.

    Raises ConfigurationError for a key that is not among those of the action, if it has such.
    """
    key = raw.get(MATCHING_KEY)
    if not key:
        return None
    text = key if isinstance(key, str) else json.dumps(key)
    if action.matching_keys and text not in action.matching_keys:
        known = ", ".join(action.matching_keys)
        raise ConfigurationError(f'The matching key must be one of {known}, got "{text}".')
    return text


def _sync_mode(action: Action, raw: Mapping[str, Any]) -> str | None:
    """Return the mode of warehouse rows; None if the action has none.

    A value that is no mode at all is None, as in Segment's implementation; `actions validate`
    reports it (AD508). Raises ConfigurationError for a mode outside the action's choices.
    """
    if action.sync_mode is None:
        return None
    mode = raw.get(SYNC_MODE_KEY, action.sync_mode.default)
    if not isinstance(mode, str) or mode not in SYNC_MODES:
        return None
    if mode not in action.sync_mode.choices and SYNC_MODE_KEY in raw:
        choices = ", ".join(action.sync_mode.choices)
        raise ConfigurationError(f'The sync mode must be one of {choices}, got "{mode}".')
    return mode


def _sources(raw: Mapping[str, Any]) -> dict[str, str]:
    """Return for each field its mapping as messages show it: a path as such, else its JSON."""
    return {
        key: str(value["@path"]) if isinstance(value, dict) and len(value) == 1 and "@path" in value
        else json.dumps(value, separators=(",", ":"), default=str, ensure_ascii=False)[:80]
        for key, value in raw.items()
    }  # fmt: skip


def _batching(action: Action, raw: Mapping[str, Any]) -> Batching:
    """Return the action's rules, narrowed by the mapping: `enable_batching`, `batch_size`, ...

    The control fields are those of Segment's implementation; a mapping cannot widen a batch.
    """
    rules = _narrowed(action.batching or Batching(max_size=1), action, raw)
    if rules.max_size == 1 and rules.order_keys:
        return replace(rules, keys=tuple(dict.fromkeys((*rules.keys, *rules.order_keys))))
    return rules


def _narrowed(rules: Batching, action: Action, raw: Mapping[str, Any]) -> Batching:
    if raw.get("enable_batching") is False:
        return replace(rules, max_size=1)
    size, weight = raw.get("batch_size"), raw.get("batch_bytes")
    if _counts(size):
        rules = replace(rules, max_size=min(size, rules.max_size))
    if _counts(weight):
        rules = replace(rules, max_bytes=min(weight, rules.max_bytes))
    keys = raw.get("batch_keys")
    if isinstance(keys, list):
        wanted = [key for key in keys if key in action.fields and key not in rules.keys]
        rules = replace(rules, keys=(*rules.keys, *wanted))
    return rules


def _counts(value: Any) -> TypeGuard[int]:
    return type(value) is int and value > 0


def _named(number: int, subscription: Subscription, error: FrameworkError) -> Iterable[str]:
    name = f" `{subscription.name}`" if subscription.name else ""
    problems = getattr(error, "problems", None) or (str(error),)
    return [f"Subscription {number}{name}: {problem}" for problem in problems]
