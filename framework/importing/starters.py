"""Starter connection files of destinations; what only a person knows is marked with TODO."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from framework.importing.connection_text import in_yaml, quoted
from framework.importing.secret_parts import variable

if TYPE_CHECKING:
    from framework.definition import Action, Destination, Field, Subscription
    from framework.paths import JSON

_MOST_CHOICES: Final = 6
_TODO: Final = "  # TODO: "
_TRIGGER: Final = 'for which events, such as type = "track" and event = "Order Completed"'


class OpenLine(NamedTuple):
    """A *line* of a starter connection file that is to be completed, and with what.

    *variable* is whether that is done by setting an environment variable.
    """

    line: int
    text: str
    variable: bool


def starter(destination: Destination) -> str:
    """Return a connection file as YAML, with the destination's preset subscriptions.

    Each line with a required value that is not known ends with a comment, `TODO` and what it takes.
    """
    from framework.definition import MAX_SUBSCRIPTIONS  # noqa: PLC0415 - heavy, at first use

    lines = [f"destination: {quoted(destination.slug)}", *_settings(destination)]
    lines.append("subscriptions:")
    for subscription in _starting(destination)[:MAX_SUBSCRIPTIONS]:
        lines += _subscription(destination.action(subscription.action), subscription)
    return "\n".join(lines) + "\n"


def open_lines(text: str) -> list[OpenLine]:
    """Return the marked lines of a starter connection file."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        value, mark, wanted = line.partition(_TODO)
        if mark:
            name, _, given = value.strip().partition(": ")
            variable_ = given.startswith("${env:")
            about = given.removeprefix("${env:").rstrip("}") if variable_ else name.strip('"')
            found.append(OpenLine(number, f"`{about}`: {wanted}.", variable_))
    return found


def _starting(destination: Destination) -> list[Subscription]:
    from framework.definition import (  # noqa: PLC0415 - heavy, imported at first use
        Subscription,
        starting_subscriptions,
    )

    named = {preset.name: preset for preset in starting_subscriptions(destination)}
    if named:
        return list(named.values())
    return [
        Subscription(
            action=action.slug,
            trigger=action.trigger,
            name=action.title,
            mapping_version=action.mapping_version,
        )
        for action in {action.title: action for action in destination.actions}.values()
        if not action.hidden
    ]


def _settings(destination: Destination) -> Iterator[str]:
    yield "settings:"
    for key, field in destination.settings_fields.items():
        value = in_yaml(field.default).replace("${", "$${")
        note = _comment(_line(field.label))
        if field.secret:
            name = variable(destination.name or destination.slug, key)
            value = f"${{env:{name}}}"
            note = f"{_TODO}set this environment variable: {_line(field.label) or key}"
        elif field.default is None:
            value, note = '""', f"{_TODO}{_wanted(key, field)}"
        if field.required is True:
            yield f"  {quoted(key)}: {value}{note}"
        else:
            yield f"  # {quoted(key)}: {value}{_comment(_line(field.label))}"


def _subscription(action: Action, subscription: Subscription) -> Iterator[str]:
    mapping = {**action.default_mapping, **subscription.mapping}
    trigger = subscription.trigger or action.trigger
    yield f"  - name: {quoted(subscription.name)}"
    yield f"    partnerAction: {quoted(action.slug)}"
    yield f"    subscribe: {in_yaml(trigger)}" if trigger else f'    subscribe: ""{_TODO}{_TRIGGER}'
    if action.mapping_version is not None:
        yield f"    mappingVersion: {action.mapping_version}"
    yield "    mapping:"
    yield from _fields(action.fields, mapping, "      ")


def _fields(fields: Mapping[str, Field], given: Mapping[str, JSON], indent: str) -> Iterator[str]:
    """Yield a line for each field; those that are neither given nor required as comments."""
    for key, field in fields.items():
        name = f"{indent}{quoted(key)}:"
        if key in given:
            yield f"{name} {in_yaml(given[key])}"
        elif field.required is not True:
            yield f'{indent}# {quoted(key)}: ""{_comment(_line(field.label))}'
        elif _has_parts(field):
            yield name
            yield from _fields(field.properties or {}, {}, f"{indent}  ")
        else:
            yield f'{name} ""{_TODO}{_wanted(key, field)}'


def _has_parts(field: Field) -> bool:
    """Return whether a field is an object with parts that are required."""
    parts = (field.properties or {}).values() if field.type == "object" else ()
    return not field.multiple and any(part.required is True for part in parts)


def _wanted(key: str, field: Field) -> str:
    """Return what a field takes, on one line: its label, and its choices or its type."""
    if field.choices:
        choices = [in_yaml(choice.value) for choice in field.choices]
        more = ", ..." if len(choices) > _MOST_CHOICES else ""
        takes = f"one of {', '.join(choices[:_MOST_CHOICES])}{more}"
    else:
        takes = field.format or field.type
    several = ", several" if field.multiple else ""
    return f"{_line(field.label) or key} ({takes}{several})"


def _comment(text: str) -> str:
    return f"  # {text}" if text else ""


def _line(text: str) -> str:
    """Return a text on one line, without what YAML does not allow in comments."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())
