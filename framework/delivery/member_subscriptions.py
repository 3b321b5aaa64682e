"""Adding and removing people without an event: what knows an audience and an identifier."""

from __future__ import annotations

import itertools
import json
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from framework.definition import Action, Subscription
from framework.delivery.compiled import CompiledSubscription, compile_subscriptions
from framework.delivery.ledger import Audience
from framework.delivery.pipeline import Connection
from framework.delivery.prepare import Intake
from framework.errors import ConfigurationError, DefinitionError, PayloadValidationError
from framework.paths import Event
from framework.results import Failed

MEMBER_PAYLOAD: Final = "member_payload"
"""The hook that makes payloads for members."""

_MAX_VARIANTS: Final = 64
"""Combinations of choices that are tried where a mapping leaves them to events."""

_PROBE: Final = "a@example.com"
_NO_IDENTIFIER: Final = Failed(400, "NO_IDENTIFIER", "The identifier is missing.")


class _Route(NamedTuple):
    """An action, and values that its payloads keep.

    It is *certain* if all of these are constants of a subscription, none a choice.
    """

    action: Action
    fixed: Mapping[str, Any]
    certain: bool


class MemberEvents:
    """Adds single people to the audiences of a connection, and removes them.

    `connection` has a subscription for each action of the destination that adds or removes, whose
    events hold a payload; it shares everything else with the connection that it is made from.
    Payloads keep the constants in the mappings of that one.
    Raises ConfigurationError for a destination that cannot add or remove people without an event.
    """

    def __init__(self, connection: Connection) -> None:
        plugin = connection.plugin
        self._plugin = plugin
        self._settings = connection.settings
        actions = [one for one in plugin.definition.actions if _changes_members(one)]
        if not actions or not plugin.implements(MEMBER_PAYLOAD):
            raise ConfigurationError(
                f"{plugin.definition.name} cannot add or remove people without an event: it has no "
                f"hook `{MEMBER_PAYLOAD}`, or no action that declares a membership and a target."
            )
        self._routes = list(_routes(actions, connection.subscriptions))
        self._chosen: dict[tuple[Audience, bool], _Route] = {}
        compiled = compile_subscriptions(plugin.definition, [*map(_subscription, actions)])
        self._compiled = {one.action.slug: one for one in compiled}
        self.connection = Connection(plugin, connection.settings, compiled, connection.hook_runner)
        self._intake = self.connection.intake(named=False)

    def event(self, audience: Audience, identifier: str, *, wanted: bool) -> Event:
        """Return the event by which `connection` adds somebody to an audience, or removes.

        Raises ConfigurationError if no subscription of the original connection does.
        """
        return self._event(self._route_to(audience, wanted=wanted), audience, identifier)

    def reading(self, audience: Audience) -> Hashable:
        """Return what audiences agree in to which the same text is the same identifier."""
        route = self._route_to(audience, wanted=True)
        return route.action.slug, json.dumps(route.fixed, sort_keys=True, default=str)

    def audiences(self, name: str, naming: str = "") -> list[Audience]:
        """Return the audiences called *name* to which the connection adds people."""
        found = (
            self._audience(one, name, naming)
            for one in self._routes
            if one.certain and one.action.membership
        )
        return list(dict.fromkeys(one for one in found if one))

    def read(self, audience: Audience, texts: Sequence[str]) -> list[str | Failed]:
        """Return the canonical identity of each text, or why it is not an identifier; aligned.

        Texts are read as the identifiers that are sent to *audience*.
        """
        return self._read([self.event(audience, text, wanted=True) for text in texts])

    def identities(self, audiences: Iterable[Audience], text: str) -> list[str]:
        """Return every identity that a text may stand for in some audiences.

        There are several if the connection sends different types or forms of identifiers.
        """
        events = [
            self._event(route, audience, text)
            for audience in audiences
            for route in self._routes_to(audience)
        ]
        distinct = {json.dumps(one, sort_keys=True, default=str): one for one in events}
        found = self._read([*distinct.values()])
        return list(dict.fromkeys(one for one in found if isinstance(one, str)))

    def _read(self, events: Sequence[Event]) -> list[str | Failed]:
        """Return the canonical identity of the person in each event of `connection`."""
        intake = self._intake
        found: list[str | Failed] = [_NO_IDENTIFIER] * len(events)
        completions = intake.add(events, range(len(events)))
        for row_id, _, identity in identified(intake, completions):
            found[row_id // intake.row_ids.subscriptions] = identity
        intake.objects.clear()
        intake.events.clear()
        for one in completions:
            if isinstance(one.result, Failed):
                for position in one.positions:
                    found[position] = one.result
        return found

    def _route_to(self, audience: Audience, *, wanted: bool) -> _Route:
        key = audience, wanted
        if found := self._chosen.get(key):
            return found
        for route in self._routes_to(audience):
            if route.action.membership is wanted:
                self._chosen[key] = route
                return route
        act = "adds people to" if wanted else "removes people from"
        raise ConfigurationError(
            f"No subscription of the connection {act} the audience `{audience.name}` by "
            f"identifiers of its kind, {audience.scope}."
        )

    def _routes_to(self, audience: Audience) -> list[_Route]:
        """Return the ways to change an audience, the certain ones first."""
        return [
            route
            for route in self._routes
            if self._audience(route, audience.name, audience.naming) == audience
        ]

    def _audience(self, route: _Route, name: str, naming: str) -> Audience | None:
        """Return what the payloads of a route change that are made for an audience, if any."""
        payload = self._payload(route, name, naming, _PROBE)
        if payload is None:
            return None
        compiled = self._compiled[route.action.slug]
        try:
            shaped = compiled.shape.apply(dict(payload))
        except PayloadValidationError:  # of the identifier, mostly
            shaped = {**route.action.defaults, **payload}
        rules = compiled.batching
        assert rules.target
        target = rules.target({key: shaped.get(key) for key in rules.keys})
        return Audience(rules.lane, _text(target.scope), target.naming, _text(target.name))

    def _event(self, route: _Route, audience: Audience, identifier: str) -> Event:
        payload = self._payload(route, audience.name, audience.naming, identifier)
        return {"type": "track", "event": route.action.slug, "properties": payload}

    def _payload(
        self, route: _Route, name: str, naming: str, identifier: str
    ) -> Mapping[str, Any] | None:
        payload = self._plugin.call(
            MEMBER_PAYLOAD,
            action=route.action,
            settings=self._settings,
            audience_name=name,
            naming=naming,
            identifier=identifier,
            fixed=route.fixed,
        )
        if payload is None or isinstance(payload, Mapping):
            return payload
        raise DefinitionError(
            f"Hook `{MEMBER_PAYLOAD}` of destination `{self._plugin.definition.slug}` must return "
            f"the fields of a payload, or None, got {type(payload).__name__}."
        )


def identified(intake: Intake, completions: list[Any]) -> Iterator[tuple[int, str, str]]:
    """Take the rows out of an intake; yield row id, identifier and canonical identity of each.

    Add those that cannot be identified to *completions*. Rows of destinations that identify none
    are left out.
    """
    for group in intake.drain(completions):
        identifiers, aliases = group.identifiers, group.batching.aliases
        if identifiers is None:
            continue
        known = aliases.canonical(identifiers) if aliases else identifiers
        yield from zip(group.row_ids, identifiers, known, strict=True)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=repr)


def _changes_members(action: Action) -> bool:
    rules = action.batching
    counts = rules and rules.target and rules.coalesce == "membership"
    return bool(counts) and action.membership is not None


def _subscription(action: Action) -> Subscription:
    """Return the subscription whose events hold the payload of an action."""
    return Subscription(
        action=action.slug,
        trigger=f'type = "track" and event = {json.dumps(action.slug)}',
        mapping={key: {"@path": f"$.properties.{key}"} for key in action.fields},
        mapping_version=action.mapping_version,
    )


def _routes(
    actions: Sequence[Action], subscriptions: Sequence[CompiledSubscription]
) -> Iterator[_Route]:
    """Yield the certain routes of all actions, then those with choices that events make."""
    own = [(one.action.slug, constants_of(one)) for one in subscriptions]
    certain = [
        _Route(action, fixed, certain=True) for action in actions for fixed in _fixed(action, own)
    ]
    yield from certain
    for route in certain:
        yield from itertools.islice(_variants(route), _MAX_VARIANTS)


def _fixed(
    action: Action, own: Sequence[tuple[str, Mapping[str, Any]]]
) -> Iterator[Mapping[str, Any]]:
    """Yield the constants of an action's own subscriptions, else those of others, each once."""
    mine = [fixed for slug, fixed in own if slug == action.slug]
    others = [{key: one[key] for key in one if key in action.fields} for _, one in own]
    seen: list[Mapping[str, Any]] = []
    for fixed in mine or others:
        if fixed not in seen:
            seen.append(fixed)
            yield fixed


def _variants(route: _Route) -> Iterator[_Route]:
    """Yield a route with every combination of the choices that events make."""
    open_choices = {
        key: [choice.value for choice in field.choices]
        for key, field in route.action.fields.items()
        if field.choices and key not in route.fixed
    }
    for values in itertools.product(*open_choices.values()):
        if values:
            chosen = dict(zip(open_choices, values, strict=True))
            yield _Route(route.action, {**route.fixed, **chosen}, certain=False)


def constants_of(compiled: CompiledSubscription) -> dict[str, Any]:
    """Return the values in a mapping that do not depend on the event, by field."""
    raw = {**compiled.action.default_mapping, **compiled.subscription.mapping}
    return {
        key: value
        for key, value in raw.items()
        if key in compiled.action.fields and isinstance(value, str | int | float)
    }
