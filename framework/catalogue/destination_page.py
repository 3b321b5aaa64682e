"""A destination's page: settings, actions, fields and limits as Markdown, from its definition."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from framework.catalogue.markdown import code, heading, items, joined, json_code, table, text
from framework.definition import (
    MAX_SUBSCRIPTIONS,
    SECRET,
    Action,
    Batching,
    Choice,
    Coalesce,
    Condition,
    Conditions,
    Destination,
    Field,
    FieldRule,
    FieldTable,
    MappingHook,
    Preset,
    Rate,
    fields_of,
)
from framework.paths import MISSING

MAX_CHOICES: Final = 50
"""Maximum number of choices listed for a field."""

_SCHEMES: Final = {
    "custom": "custom",
    "basic": "user name and password",
    "oauth2": "OAuth 2.0",
    "oauth-managed": "OAuth 2.0, managed by the host",
    "none": "none",
}
_RULES: Final = {
    "oneOf": "At least one of {} needs a value.",
    "allOrNone": "All of {} need a value, or none.",
    "atMostOne": "At most one of {} may have a value.",
}
_COALESCING: Final[Mapping[Coalesce, str]] = {
    "none": "All payloads are sent, in order, an identifier once per batch.",
    "last": "Of several payloads about one identifier that wait, only the newest is sent.",
    "membership": (
        "Of several payloads about one identifier that wait, only the newest that adds or removes "
        "is sent."
    ),
    "merge": "Consecutive payloads about one identifier that wait are merged into one.",
}


def markdown_page(destination: Destination, hooks: Collection[str] | None = None) -> str:
    """Return a page in Markdown; what the definition holds is shown as plain text.

    *hooks* are the names of the hooks that the destination implements; without them, as for one
    read from a manifest, the page does not say what it can do besides its actions.
    """
    parts = [heading(1, text(destination.name or destination.slug)), text(destination.description)]
    parts += [_overview(destination), *_abilities(hooks)]
    settings = _fields("Setting", destination.settings_fields)
    parts += [heading(2, "Settings"), settings or "This destination has no settings."]
    parts.append(_rules(destination.settings_rules))
    parts += [heading(2, "Actions"), _action_list(destination.actions)]
    for action in destination.actions:
        parts += _action(action, destination)
    if destination.presets:
        parts += [heading(2, "Presets"), _presets(destination)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _overview(destination: Destination) -> str:
    rows = [
        ("Slug", code(destination.slug)),
        ("Mode", text(destination.mode)),
        ("Authentication", text(_SCHEMES.get(destination.scheme, destination.scheme))),
        *_rates(destination),
        ("Subscriptions", f"at most {MAX_SUBSCRIPTIONS} per connection"),
    ]
    if destination.transport == "other":
        rows.append(("Transport", "not only HTTP; not called in dry runs"))
    if destination.adjustable:
        shown = joined([code(key) for key in destination.adjustable])
        rows.append(("Settings that may change during a run", shown))
    return table(("Property", "Value"), rows)


def _rates(destination: Destination) -> Iterator[tuple[str, str]]:
    rates = [] if callable(destination.rates) else [*destination.rates]
    rates = [destination.rate, *rates] if destination.rate else rates
    if rates or not callable(destination.rates):
        name = "Rate limits" if len(rates) > 1 else "Rate limit"
        yield name, "; ".join(map(_rate, rates)) or "none"
    if callable(destination.rates):
        yield "Further rate limits" if rates else "Rate limits", "depend on the settings"


def _rate(rate: Rate) -> str:
    limit = f"{rate.calls:,} request{'s' * (rate.calls != 1)} in {_seconds(rate.seconds)}"
    if rate.endpoint:
        limit += f" to {code(rate.endpoint)}"
    if rate.concurrency:
        limit += f", {rate.concurrency:,} at one time in each process"
    keys = joined([code(key) for key in rate.scope])
    return f"{limit}, shared by connections with equal {keys}" if rate.scope else limit


def _abilities(hooks: Collection[str] | None) -> Iterator[str]:
    if hooks is None:
        return
    yield items([
        "Credentials can be checked without an event: `actions check-auth`."
        if "check_authentication" in hooks
        else "Credentials cannot be checked without an event.",
        "Events of type `delete` delete the user at the partner."
        if "delete_users" in hooks
        else "Users cannot be deleted: events of type `delete` fail.",
        f"It {'has a' if 'sandbox' in hooks else 'has no'} sandbox.",
    ])  # fmt: skip


def _action_list(actions: Sequence[Action]) -> str:
    if not actions:
        return "This destination has no actions."
    return table(
        ("Action", "Key", "Default trigger", "Description"),
        [(text(action.title), code(action.slug), _trigger(action.trigger), text(action.description))
         for action in actions],
    )  # fmt: skip


def _trigger(trigger: str | None) -> str:
    return code(trigger) if trigger else "none"


def _action(action: Action, destination: Destination) -> Iterator[str]:
    yield heading(3, text(action.title))
    yield text(action.description)
    facts = [
        f"Key: {code(action.slug)}",
        f"Type: {text(action.platform)} action",
        f"Default trigger: {_trigger(action.trigger)}",
    ]
    if action.hidden:
        facts.append("Hidden in lists of actions.")
    if action.membership is not None:
        facts.append(
            f"Each payload {'adds to' if action.membership else 'removes from'} an audience."
        )
    facts.append(f"Time limit of a call: {_seconds(action.time_limit)}")
    if action.idempotent:
        facts.append("Requests may be sent twice: a POST is repeated after an answer of 5xx.")
    yield items(facts)
    if action.sync_mode is not None:
        mode = action.sync_mode
        choices = joined([code(choice) for choice in mode.choices])
        title = text(mode.label) or "Sync mode"
        about = f" {text(mode.description)}" if mode.description else ""
        yield f"**{title}**: {choices}; by default {code(mode.default)}.{about}"
    if action.matching_keys:
        shown = joined([code(key) for key in action.matching_keys], "or")
        yield f"Records of a warehouse are identified by {shown}."
    yield _fields("Field", action.fields) or "This action has no fields."
    yield _rules(action.rules)
    if action.mapping_version is not None:
        yield (
            f"Mappings have version {action.mapping_version} (`mappingVersion`); older ones "
            "are migrated."
        )
    for hook in action.hooks:
        yield from _hook(hook)
    yield "**Batches**"
    yield _batches(action, destination)


def _rules(rules: Sequence[FieldRule]) -> str:
    return items(
        _RULES[kind].format(joined([code(key) for key in keys]))
        for rule in rules
        for kind, keys in rule.to_json().items()
    )


def _hook(hook: MappingHook) -> Iterator[str]:
    yield f"**{text(hook.label)}** ({code(hook.kind)}{', required' if hook.required else ''})"
    yield text(hook.description)
    yield _fields("Input", fields_of(hook.inputs))
    yield _fields("Output", fields_of(hook.outputs))


def _batches(action: Action, destination: Destination) -> str:
    rules = action.batching
    if rules is None:
        return "Each event is sent by itself."
    alone = rules.max_size == 1
    size = f"{rules.max_size:,} payloads and about {rules.max_bytes:,} bytes"
    lines = ["Each event is sent by itself." if alone else f"A batch holds at most {size}."]
    if rules.keys:
        shown = joined([code(key) for key in rules.keys])
        whose = "Order is kept between payloads with" if alone else "Payloads of a batch have"
        lines.append(f"{whose} equal {shown}.")
    if rules.order_keys and not alone:
        shown = joined([code(key) for key in rules.order_keys])
        lines.append(f"Without batches, order is kept between payloads with equal {shown}.")
    if not alone:
        lines.append(f"In a slow stream, a payload waits at most {_seconds(rules.max_age)}.")
    lines.append(_COALESCING[rules.coalesce])
    others = _lane_mates(action, rules, destination)
    if others:
        lines.append(f"Order is kept together with {joined([code(slug) for slug in others])}.")
    return items(lines)


def _lane_mates(action: Action, rules: Batching, destination: Destination) -> list[str]:
    if not rules.lane:
        return []
    return [
        other.slug
        for other in destination.actions
        if other.slug != action.slug and other.batching and other.batching.lane == rules.lane
    ]


def _presets(destination: Destination) -> str:
    return table(
        ("Preset", "Action", "Trigger", "Mapping"),
        [_preset(preset) for preset in destination.presets],
    )


def _preset(preset: Preset) -> tuple[str, ...]:
    trigger = _trigger(preset.trigger)
    if preset.kind == "specificEvent":
        trigger = f"the event {code(preset.event_slug or '')} of the host"
    pairs = (f"{code(key)} = {json_code(value)}" for key, value in preset.mapping.items())
    mapping = "; ".join(pairs) or "the action's defaults"
    return text(preset.name), code(preset.action), trigger, mapping


def _fields(title: str, fields: FieldTable) -> str:
    rows = list(_rows(fields, ""))
    return table((title, "Key", "Type", "Required", "Default", "Description"), rows) if rows else ""


def _rows(fields: FieldTable, prefix: str) -> Iterator[tuple[str, ...]]:
    for key, field in fields.items():
        place = f"{prefix}{key}"
        yield (
            text(field.label or key),
            code(place),
            _type(field),
            _required(field.required),
            _default(field),
            " ".join(part for part in (text(field.description), *_notes(field)) if part),
        )
        if field.properties:
            yield from _rows(field.properties, f"{place}[]." if field.multiple else f"{place}.")


def _type(field: Field) -> str:
    kind = f"{field.type} ({field.format})" if field.format else field.type
    return f"list of {kind}" if field.multiple else kind


def _required(required: bool | Conditions) -> str:  # noqa: FBT001 - the field's option
    if isinstance(required, Conditions):
        return f"if {_conditions(required)}"
    return "yes" if required else ""


def _default(field: Field) -> str:
    if field.mapping is not None:
        simple = isinstance(field.mapping, dict) and set(field.mapping) == {"@path"}
        return code(str(field.mapping["@path"])) if simple else json_code(field.mapping)
    if field.default is None:
        return ""
    return SECRET if field.secret else json_code(field.default)


def _notes(field: Field) -> Iterator[str]:
    yield from _bounds(field)
    if field.pattern is not None:
        yield f"Matches {code(field.pattern)}."
    if field.choices:
        yield f"Choices: {_choices(field.choices)}."
    if field.dynamic:
        yield "Choices are requested from the partner."
    yield from _what_is_sent(field)
    if field.secret:
        yield "Never shown."
    if field.depends_on is not None:
        yield f"Shown if {_conditions(field.depends_on)}."
    if field.hidden:
        yield "Not shown in forms."
    if field.read_only:
        yield "Read-only in forms."


def _what_is_sent(field: Field) -> Iterator[str]:
    if field.hashed is not None:
        yield f"Sent as its {field.hashed} hash; a hash is sent as it is."
    if field.nullable:
        yield "May be null."
    if field.properties and field.additional_properties:
        yield "Other keys are kept."


def _bounds(field: Field) -> Iterator[str]:
    unit = "" if field.type in {"number", "integer"} else " characters"
    low, high = field.minimum, field.maximum
    if low is not None and high is not None:
        yield f"From {_number(low)} to {_number(high)}{unit}."
    elif low is not None:
        yield f"At least {_number(low)}{unit}."
    elif high is not None:
        yield f"At most {_number(high)}{unit}."


def _number(value: float) -> str:
    return f"{int(value) if value == int(value) else value:,}"


def _choices(choices: Sequence[Choice]) -> str:
    shown = [_choice(choice) for choice in choices[:MAX_CHOICES]]
    if len(choices) > MAX_CHOICES:
        shown.append(f"{len(choices) - MAX_CHOICES:,} others")
    return ", ".join(shown)


def _choice(choice: Choice) -> str:
    value = choice.value
    shown = code(value) if isinstance(value, str) and value else json_code(value)
    about = ": ".join(part for part in (text(choice.label), text(choice.description)) if part)
    return f"{shown} ({about})" if about and choice.label != value else shown


def _conditions(conditions: Conditions) -> str:
    joint = " and " if conditions.match == "all" else " or "
    return joint.join(map(_condition, conditions.conditions))


def _condition(condition: Condition) -> str:
    subject = "the sync mode" if condition.field is None else code(condition.field)
    verb = "is" if condition.operator == "is" else "is not"
    if condition.value is MISSING:
        empty = (condition.operator == "is") != ("." in (condition.field or ""))
        return f"{subject} has {'no' if empty else 'a'} value"
    value: Any = condition.value
    values = value if isinstance(value, list) else [value]
    return f"{subject} {verb} {joined([json_code(one) for one in values], 'or')}"


def _seconds(seconds: float) -> str:
    return f"{seconds:g} s"
