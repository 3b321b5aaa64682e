"""Destinations: actions, settings, batching rules and presets, validated on construction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import inf
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from framework.definition.audience_rules import Audiences, audience_problems
from framework.definition.batch_rules import Batching
from framework.definition.choices import ChoicesFunction, dynamic_problems
from framework.definition.field_rules import FieldRule, rule_problems
from framework.definition.fields import Field, check_fields
from framework.definition.job_rules import Job, Poll, job_problems
from framework.definition.mapping_hooks import MappingHook, hook_problems
from framework.definition.presets import Preset
from framework.definition.rates import Rate, RatesOfSettings, check_rates, rate_problems
from framework.definition.slugs import is_slug
from framework.definition.sync_modes import MATCHING_KEY, SYNC_MODE_KEY, SyncMode
from framework.definition.typed_classes import Payload, Settings, TypedClass, fields_of
from framework.errors import (
    ConfigurationError,
    DefinitionError,
    FrameworkError,
    UnknownNameError,
)
from framework.mapping import check_mapping_shape
from framework.triggers import parse

if TYPE_CHECKING:
    from framework.definition.migrations import Migration

MAX_SUBSCRIPTIONS = 50
"""Maximum number of subscriptions of a connection, as documented by Segment."""

AuthScheme: TypeAlias = Literal["custom", "basic", "oauth2", "oauth-managed", "none"]
Transport: TypeAlias = Literal["http", "other"]
"""How a destination sends: by its `client` alone, or by other means too."""


@dataclass(frozen=True, kw_only=True)
class Action:
    """One operation of a destination.

    *trigger* is the default trigger of a subscription; *payload* is a Payload class, or a table
    of fields for actions without Python code. *membership* is True if every payload adds to an
    audience, and False if every payload removes; with None, each event decides. *dynamic* holds the
    functions that return choices of dynamic fields, by place, such as `list_id` or `items[].sku`.
    A record of a warehouse is identified by one of the fields in *matching_keys*; if that is empty,
    by any field.
    *hooks* are run when a mapping is saved. *rules* say which fields need a value together.
    A call of `perform` or `perform_batch` is stopped after *time_limit* seconds; waits for the rate
    limit do not count.
    The requests of an *idempotent* action may be sent twice: after a 5xx response or a lost
    connection, a POST is repeated as other methods are.
    If these hooks return `Accepted`, *poll* asks for the job with a `PollCall`, as *job* says.
    *migrations* say how mappings of older versions of the action become current ones.
    Raises DefinitionError with every problem of the definition.
    """

    slug: str
    title: str
    description: str = ""
    trigger: str | None = None
    payload: type[Payload] | Mapping[str, Field]
    batching: Batching | None = None
    sync_mode: SyncMode | None = None
    matching_keys: Sequence[str] = ()
    membership: bool | None = None
    time_limit: float = 300.0
    idempotent: bool = False
    dynamic: Mapping[str, ChoicesFunction] = field(default_factory=dict, repr=False)
    hooks: Sequence[MappingHook] = ()
    rules: Sequence[FieldRule] = ()
    poll: Poll | None = field(default=None, repr=False)
    job: Job | None = None
    migrations: Sequence[Migration] = ()
    hidden: bool = False
    platform: str = "cloud"
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise DefinitionError(
                f"Action `{self.slug}` is invalid: {' '.join(problems)}", problems
            )

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        """The action's fields by key."""
        if isinstance(self.payload, type):
            return fields_of(self.payload)
        return self.payload

    @cached_property
    def defaults(self) -> Mapping[str, Any]:
        """The replacements of absent values, by field: the default of a typed payload or None."""
        typed = isinstance(self.payload, type)
        return {key: one.default if typed else None for key, one in self.fields.items()}

    @property
    def default_mapping(self) -> dict[str, Any]:
        """The default mapping of a subscription: each field's mapping or default value."""
        chosen = {key: f.mapping if f.mapping is not None else f.default
                  for key, f in self.fields.items()}  # fmt: skip
        return {key: value for key, value in chosen.items() if value is not None}

    @property
    def mapping_version(self) -> int | None:
        """The version of current mappings; None if the action has no migrations."""
        return self.migrations[-1].version if self.migrations else None

    def _problems(self) -> Any:
        yield from _slug_problems(self.slug)
        limit = self.time_limit
        if isinstance(limit, bool) or not isinstance(limit, int | float) or not 0 < limit < inf:
            yield f"`time_limit` must be a positive number of seconds, got {limit!r}."
        if self.trigger is not None:
            try:
                parse(self.trigger)
            except FrameworkError as error:
                yield f"Its trigger does not parse: {error}"
        if not isinstance(self.payload, TypedClass | Mapping):
            yield f"`payload` must be a Payload class or a field table, got {_kind(self.payload)}."
            return
        if not isinstance(self.membership, bool | None):
            yield f"`membership` must be True, False or None, got {self.membership!r}."
        if isinstance(self.payload, type):
            yield from check_fields(self.fields)
        yield from dynamic_problems(self.fields, self.dynamic, "dynamic")
        yield from hook_problems(self.hooks)
        yield from rule_problems(self.rules, self.fields, "rules")
        yield from job_problems(self.poll, self.job)
        unknown = [key for key in self.matching_keys if key not in self.fields]
        yield from (f"`matching_keys` names the unknown field `{key}`." for key in unknown)
        if self.sync_mode and self.sync_mode.default not in self.sync_mode.choices:
            yield (
                f"The default `{self.sync_mode.default}` of its sync mode is not among the "
                f"choices: {', '.join(self.sync_mode.choices)}."
            )
        yield from check_mapping_shape(self.default_mapping)
        rules = self.batching
        keys = (*rules.keys, *rules.order_keys) if rules else ()
        unknown = [key for key in keys if key not in self.fields]
        if unknown:
            yield (
                f"Batch key `{unknown[0]}` is not a field of the action. "
                f"Known fields: {', '.join(self.fields)}."
            )
        if self.migrations:
            from framework.definition.migration_rules import (  # noqa: PLC0415 - for few actions
                migration_problems,
            )

            yield from migration_problems(self.migrations, self.slug, self.fields, self.sync_mode)


@dataclass(frozen=True, kw_only=True)
class Destination:
    """The definition of a partner's system: identity, settings, actions and presets.

    *transport* says how it sends: `http` promises that everything goes through the `client` of its
    hooks; destinations with `other` means are not called in dry runs.
    A destination module gives *settings* and *actions* here, or returns them from the hooks of
    these names if it computes them.
    *rate* limits all requests; *rates* are further limits that apply with it, such as those of an
    endpoint, or a function that returns them for the settings.
    *conflicts* is a function that finds subscriptions that do not fit together; a connection
    with a conflict is refused. *adjustable* names settings that do not say where events go, such as
    an API version: when they change, a run still resumes from its checkpoint. *credentials* names
    settings that are not secret and identify the sending application, such as its ID: connections
    that differ only in them change the same audiences.
    *dynamic_settings* holds the functions that return the choices of dynamic settings, as
    `Action.dynamic` does, and *settings_rules* the rules across settings. *audience* says how
    audiences of the host become audiences of the partner.
    Raises DefinitionError with every problem of the definition.
    """

    slug: str
    name: str
    description: str = ""
    mode: str = "cloud"
    scheme: AuthScheme = "custom"
    settings: type[Settings] | Mapping[str, Field] = field(default_factory=dict)
    actions: Sequence[Action] = ()
    presets: Sequence[Preset] = ()
    rate: Rate | None = None
    rates: Sequence[Rate] | RatesOfSettings = ()
    conflicts: Callable[[Sequence[Subscription]], Sequence[Conflict]] | None = None
    transport: Transport = "http"
    adjustable: tuple[str, ...] = ()
    credentials: tuple[str, ...] = ()
    dynamic_settings: Mapping[str, ChoicesFunction] = field(default_factory=dict, repr=False)
    settings_rules: Sequence[FieldRule] = ()
    audience: Audiences | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for name, kind in (("actions", Action), ("presets", Preset)):
            found = getattr(self, name)
            if not isinstance(found, list | tuple) or not all(isinstance(x, kind) for x in found):
                text = f"`{name}` must be a list of {kind.__name__} objects."
                raise DefinitionError(f"Destination `{self.slug}` is invalid: {text}", [text])
            object.__setattr__(self, name, tuple(found))
        if not isinstance(self.settings, TypedClass | Mapping):
            found = _kind(self.settings)
            text = f"`settings` must be a Settings class or a field table, got {found}."
            raise DefinitionError(f"Destination `{self.slug}` is invalid: {text}", [text])
        problems = [*_slug_problems(self.slug), *self._transport_problems(), *self._twice()]
        problems += self._scheme_problems()
        problems += [*self._lane_problems(), *audience_problems(self.audience)]
        problems += [*self._preset_problems(), *self._setting_problems(), *self._claims()]
        if self.settings_fields:  # otherwise those of the hook are not known yet
            problems += dynamic_problems(
                self.settings_fields, self.dynamic_settings, "dynamic_settings"
            )
            problems += rule_problems(self.settings_rules, self.settings_fields, "settings_rules")
        if problems:
            raise DefinitionError(
                f"Destination `{self.slug}` is invalid: {' '.join(problems)}", problems
            )

    @property
    def settings_fields(self) -> Mapping[str, Field]:
        """The settings' fields by key."""
        if isinstance(self.settings, type):
            return fields_of(self.settings)
        return self.settings

    def action(self, slug: str) -> Action:
        """Return the action called *slug*; raises UnknownNameError."""
        for action in self.actions:
            if action.slug == slug:
                return action
        known = [action.slug for action in self.actions]
        raise UnknownNameError.of(f"action of {self.slug}", slug, known, "actions")

    def limits(self, settings: Any) -> tuple[Rate, ...]:
        """Return all rates that apply to a settings object.

        Raises DefinitionError if the function of `rates` returns something else.
        """
        found = self.rates
        if callable(found):
            found = check_rates(found(settings), self.slug, self.settings_fields)
        return (*([self.rate] if self.rate else []), *found)

    def renamed(self, slug: str) -> Action | None:
        """Return the action that was called *slug* before, by its migrations; None without one."""
        return next((one for one in self.actions if slug in _earlier_slugs(one)), None)

    def complete(self, settings: type[Settings] | None, actions: Sequence[Action]) -> Destination:
        """Return the same destination with what its hooks returned, if anything."""
        return replace(self, settings=settings or self.settings, actions=actions or self.actions)

    def _transport_problems(self) -> list[str]:
        if self.transport in get_args(Transport):
            return []
        return [f"`transport` must be `http` or `other`, got {self.transport!r}."]

    def _scheme_problems(self) -> list[str]:
        known, kind = get_args(AuthScheme), "auth scheme"
        return [] if self.scheme in known else [str(UnknownNameError.of(kind, self.scheme, known))]

    def _twice(self) -> list[str]:
        slugs = [action.slug for action in self.actions]
        doubled = sorted({slug for slug in slugs if slugs.count(slug) > 1})
        return [f"Two actions have the slug `{slug}`." for slug in doubled]

    def _claims(self) -> Iterator[str]:
        claimed: dict[str, str] = {action.slug: action.slug for action in self.actions}
        for action in self.actions:
            for slug in dict.fromkeys(_earlier_slugs(action)):
                other = claimed.setdefault(slug, action.slug)
                if other == slug:
                    yield f"Action `{action.slug}` renames the action `{slug}`, which still exists."
                elif other != action.slug:
                    yield f"Actions `{other}` and `{action.slug}` rename the action `{slug}`."

    def _lane_problems(self) -> Iterator[str]:
        lanes: dict[str, Action] = {}
        for action in self.actions:
            if action.batching is None or not action.batching.lane:
                continue
            rules = action.batching
            first = lanes.setdefault(rules.lane, action)
            if first.batching and first.batching.coalesce != rules.coalesce:
                yield (
                    f"Actions `{first.slug}` and `{action.slug}` share the lane `{rules.lane}`, "
                    f'but declare `coalesce="{first.batching.coalesce}"` and '
                    f'`coalesce="{rules.coalesce}"`. Declare the same for both.'
                )

    def _setting_problems(self) -> list[str]:
        known = self.settings_fields
        named = {
            "adjustable": self.adjustable,
            "credentials": self.credentials,
        }
        rate = [self.rate] if self.rate else []
        problems = [*rate_problems(rate, "rate", known), *rate_problems(self.rates, "rates", known)]
        return problems + [
            f"`{name}` names the unknown setting `{key}`."
            for name, keys in named.items()
            for key in keys
            if known and key not in known
        ]

    def _preset_problems(self) -> list[str]:
        if not self.actions:
            return []
        known = {action.slug: action for action in self.actions}
        found = []
        for preset in self.presets:
            if preset.action not in known:
                found.append(
                    f"Preset `{preset.name}` names the unknown action `{preset.action}`. "
                    f"Known actions: {', '.join(known)}."
                )
                continue
            if preset.trigger is not None:
                try:
                    parse(preset.trigger)
                except FrameworkError as error:
                    found.append(f"The trigger of preset `{preset.name}` does not parse: {error}")
            fields = known[preset.action].fields
            found += [
                f"Preset `{preset.name}` maps `{key}`, which is not a field of `{preset.action}`."
                for key in preset.mapping
                if key not in fields and not key.startswith("__segment_internal_")
            ]
        return found


def _kind(value: Any) -> str:
    return value.__name__ if isinstance(value, type) else f"an object of {type(value).__name__}"


def _earlier_slugs(action: Action) -> list[str]:
    if not action.migrations:
        return []
    from framework.definition.migrations import RenameAction, steps_of  # noqa: PLC0415 - as above

    steps = steps_of(action.migrations)
    return [one.old for one in steps if isinstance(one, RenameAction)]


def _slug_problems(slug: Any) -> list[str]:
    if is_slug(slug):
        return []
    return [f"`slug` must be a text without spaces that is not empty, got {slug!r}."]


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """A user's configuration: *trigger* selects events for *action* (a slug), *mapping* its values.

    Fields that a mapping leaves out use the action's default. *sync_mode* and *matching_key* are
    those of warehouse rows; in the wire form the mapping holds them, so the two are always equal.
    *mapping_version* is the version of the action's migrations that the mapping has passed; without
    it, all of them are applied. *id* is that of the host which saved it, empty without one.
    Raises ConfigurationError if the mapping holds another one than is given.
    """

    action: str
    trigger: str | None = None
    mapping: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    enabled: bool = True
    sync_mode: str | None = None
    matching_key: str | None = None
    mapping_version: int | None = None
    id: str = ""

    def __post_init__(self) -> None:
        for name, key in (("sync_mode", SYNC_MODE_KEY), ("matching_key", MATCHING_KEY)):
            given, mapped = getattr(self, name), self.mapping.get(key)
            if given is None:
                object.__setattr__(self, name, mapped if isinstance(mapped, str) else None)
            elif mapped is None:
                object.__setattr__(self, "mapping", {**self.mapping, key: given})
            elif mapped != given:
                raise ConfigurationError(
                    f"The mapping of a subscription to `{self.action}` holds the {_SPOKEN[name]} "
                    f"{mapped!r}, but `{name}` is {given!r}. Give one of them."
                )


_SPOKEN = {"sync_mode": "sync mode", "matching_key": "matching key"}


@dataclass(frozen=True)
class Conflict:
    """A problem of subscriptions together; *index* is the place of the one to change.

    *field* is the field of its mapping that the problem is about, if it is one.
    """

    index: int
    message: str
    hint: str = ""
    field: str = ""
