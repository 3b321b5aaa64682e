"""Exports become connections: documents of connection files, and notes about what is different.

Nothing is lost in silence: what has no counterpart, is switched off or must be looked at is a note.
What could send something else than before is switched off: a subscription that does not validate,
and a connection without one of its filters.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from framework.config import Diagnostic, Reading, parse_connection
from framework.definition import (
    ALL_EVENTS,
    MAX_FILTERS,
    MAX_SUBSCRIPTIONS,
    Action,
    Destination,
    Subscription,
    migrate,
    read_filter,
)
from framework.errors import ConfigurationError, TriggerError
from framework.importing.connection_text import connection_text
from framework.importing.exported import (
    Export,
    ExportedDestination,
    ExportedFilter,
    ExportedSubscription,
    HostExpression,
    Note,
    NoteKind,
)
from framework.importing.imported_settings import ImportedSettings, import_settings
from framework.importing.known_destinations import KnownDestination, KnownDestinations
from framework.importing.secret_parts import without_secrets
from framework.importing.whole_export import join_files
from framework.linting import check_mapping, choose, difference, model_from_spec, validate
from framework.mapping import ROOT_DIRECTIVE
from framework.paths import JSON
from framework.triggers import parse

_NOT_ALPHANUMERIC: Final = re.compile(r"[^a-z0-9]+")
_LONGEST_NAME: Final = 60
_MAX_VALUES: Final = 8_000
"""Values in one file; a connection file may hold 10,000."""
_ROUNDS: Final = 4
_DOUBLE: Final = re.compile(r"""("[^"]*"|'[^']*')|==""")
_SETTINGS: Final = "AD31"
_NOTHING: Final = {"@excludeWhenNull": None}
"""A value that a field never has, even if it may be null."""


@dataclass(frozen=True, slots=True)
class ImportedConnection:
    """A connection file to write: its *stem* and its *text*, with *notes* about it.

    *variables* are those of the environment that it needs. *manifest* describes the destination if
    that is not installed; None if it is, or if nothing is known. *subscriptions* and *filters* are
    their numbers, *active* that of the enabled subscriptions.
    """

    stem: str
    slug: str
    text: str
    notes: tuple[Note, ...]
    variables: tuple[str, ...]
    manifest: JSON
    subscriptions: int
    active: int
    filters: int


def import_connections(
    export: Export, installed: Mapping[str, Destination], destination: str = ""
) -> list[ImportedConnection]:
    """Return a connection for each destination of an export, in its order.

    *destination* names the kind of destinations for which the export does not. A destination with
    more subscriptions than a file may hold becomes several.
    """
    join_files(export)
    known = KnownDestinations(installed, export)
    found: list[ImportedConnection] = []
    stems: set[str] = set()
    for one in _destinations(export):
        made = _Conversion(one, export, known, destination)
        for stem, part in _stems(one, made.parts(), stems):
            found.append(made.connection(stem, part))
    return found


def _stems(
    destination: ExportedDestination, parts: Sequence[Any], taken: set[str]
) -> Iterator[tuple[str, Any]]:
    """Yield each part with a name for its file that is used once."""
    plain = _NOT_ALPHANUMERIC.sub("-", (destination.name or destination.id).lower()).strip("-")
    base = plain[:_LONGEST_NAME].strip("-") or "connection"
    for part in parts:
        stem, number = base, 1
        while stem in taken:
            number += 1
            stem = f"{base}-{number}"
        taken.add(stem)
        yield stem, part


def _destinations(export: Export) -> list[ExportedDestination]:
    """Return the destinations, with one for subscriptions of a destination that is missing."""
    found = {one.id: one for one in export.destinations}
    only = next(iter(found)) if len(found) == 1 else ""
    for one in export.subscriptions:
        if one.destination_id not in found and not (only and not one.destination_id):
            found[one.destination_id] = ExportedDestination(
                one.destination_id, one.destination_id, enabled=True, settings={}, source=""
            )
    for each in export.filters:
        if each.destination_id not in found and not (only and not each.destination_id):
            text = "The filter belongs to a destination that is not in the export."
            export.note("left out", each.source, text)
    return list(found.values())


class _Conversion:
    """Converts one destination of an export."""

    def __init__(
        self, one: ExportedDestination, export: Export, known: KnownDestinations, given: str
    ) -> None:
        self._one = one
        self._known = known
        only = len({each.id for each in export.destinations}) == 1
        ids = {one.id, ""} if only and one.source else {one.id}
        self._subscriptions = [each for each in export.subscriptions if each.destination_id in ids]
        self._filters = [each for each in export.filters if each.destination_id in ids]
        self._incomplete = export.unread or bool(export.incomplete & ids)
        self._slug = known.slug_of(one, given)
        self._found: KnownDestination | None = known.find(self._slug, exact=not given)
        self._notes: list[Note] = []

    @property
    def _definition(self) -> Destination | None:
        return self._found.definition if self._found else None

    def parts(self) -> list[list[ExportedSubscription]]:
        """Return the subscriptions in groups that fit into one file each."""
        groups: list[list[ExportedSubscription]] = [[]]
        size = 0
        for one in self._subscriptions:
            values = _size(one.mapping)
            if len(groups[-1]) == MAX_SUBSCRIPTIONS or (groups[-1] and size + values > _MAX_VALUES):
                groups.append([])
                size = 0
            groups[-1].append(one)
            size += values
        return groups

    def connection(self, stem: str, part: Sequence[ExportedSubscription]) -> ImportedConnection:
        """Return the connection with a group of the subscriptions."""
        self._notes = []
        settings = self._settings(stem)
        filters, complete = self._converted_filters()
        slug = self._definition.slug if self._definition else self._name()
        certain = self._definition is not None or self._is_no_short_name(slug)
        enabled = self._one.enabled and complete and certain
        document: dict[str, JSON] = {
            "destination": slug,
            "name": self._one.name or stem,
            **({} if enabled else {"enabled": False}),
            "settings": dict(settings.values),
            **({"filters": filters} if filters else {}),
            "subscriptions": [*self._converted_subscriptions(part)],
        }
        if len(part) < len(self._subscriptions):
            text = (
                f"The destination has {len(self._subscriptions)} subscriptions, which are in "
                "several files: a file has limits."
            )
            self._note("changed", "subscriptions", text)
        if not self._subscriptions:
            text = (
                "The export has none of this destination, so nothing will be delivered. Export "
                "them, too; a classic destination, which has no actions, cannot be taken over."
            )
            self._note("to check", "subscriptions", text)
        if not self._one.enabled:
            self._note("disabled", "connection", "The destination is disabled in the export.")
        text = self._checked(document, f"{stem}.connection.yaml", settings.variables)
        subscriptions: Any = document["subscriptions"]
        return ImportedConnection(
            stem=stem,
            slug=str(document["destination"]),
            text=text,
            notes=tuple(self._notes),
            variables=settings.variables,
            manifest=self._found.manifest if self._found else None,
            subscriptions=len(subscriptions),
            active=sum(one.get("enabled") is not False for one in subscriptions),
            filters=len(filters),
        )

    def _note(self, kind: NoteKind, where: str, text: str) -> None:
        self._notes.append(Note(kind, where, text))

    def _name(self) -> str:
        """Return the slug of a destination of which nothing is known."""
        slug = self._slug or _NOT_ALPHANUMERIC.sub("-", self._one.name.lower()).strip("-")
        text = (
            f"Nothing is known of the destination `{slug or 'unknown'}`, so nothing is checked. "
            "Install it, or import again together with its `metadata.json` or its entry in the "
            "catalogue (GET /catalog/destinations); --destination names it."
        )
        self._note("to check", "destination", text)
        return slug or "unknown"

    def _is_no_short_name(self, slug: str) -> bool:
        """Return whether commands do not take an unknown slug for an installed destination."""
        taken_for = self._known.taken_for(slug)
        if taken_for:
            text = (
                f"Segment's `{slug}` is another destination than `{taken_for}`, of which it is a "
                "short name here. Enable the connection if you mean that one."
            )
            self._note("disabled", "connection", text)
        return not taken_for

    def _settings(self, stem: str) -> ImportedSettings:
        if not self._one.source:
            text = "The destination itself is not in the export, only subscriptions of it."
            self._note("to check", "settings", text)
        fields = self._definition.settings_fields if self._definition else None
        found = import_settings(self._one.settings, fields, stem)
        self._notes += found.notes
        return found

    # Filters

    def _converted_filters(self) -> tuple[list[JSON], bool]:
        """Return the filters, and whether none that is enabled is missing."""
        taken: list[JSON] = []
        complete = not self._incomplete
        if not complete:
            text = (
                "Something of the export could not be read or is missing (see Files), which may "
                "have been a filter, without which more would be sent than before."
            )
            self._note("disabled", "connection", text)
        for number, one in enumerate(self._filters, 1):
            name = str(one.document.get("title") or number)
            problem = _filter_problem(one)
            if problem is None and len(taken) < MAX_FILTERS:
                found, _ = read_filter(dict(one.document))
                assert found is not None
                taken.append(found.to_json())
                continue
            problem = problem or f"A connection has at most {MAX_FILTERS} filters."
            self._note("left out", f"filter `{name}`", problem)
            if one.document.get("enabled") is not False and complete:
                complete = False
                text = "A filter is missing, without which more would be sent than before."
                self._note("disabled", "connection", text)
        return taken, complete

    # Subscriptions

    def _converted_subscriptions(self, part: Sequence[ExportedSubscription]) -> Iterator[JSON]:
        names: set[str] = set()
        for number, one in enumerate(part, 1):
            action, guess = self._known.action_of(one, self._definition)
            name = self._unique(one.name or action or f"subscription {number}", names)
            where = f"subscription `{name}`"
            if guess:
                text = f"The action `{action}` was found by {guess}."
                self._note("to check", where, text)
            if not action:
                text = (
                    "Its action is not known: the export has only an ID. Import again together "
                    "with the destination's entry in the catalogue (GET /catalog/destinations)."
                )
                self._note("left out", where, text)
                continue
            yield self._subscription(one, action, name, where)

    def _unique(self, name: str, names: set[str]) -> str:
        unique, number = name, 1
        while unique in names:
            number += 1
            unique = f"{name} ({number})"
        if unique != name:
            text = f"Another subscription has the name `{name}`; names are unique here."
            self._note("changed", f"subscription `{unique}`", text)
        names.add(unique)
        return unique

    def _subscription(
        self, one: ExportedSubscription, action: str, name: str, where: str
    ) -> dict[str, JSON]:
        enabled = one.enabled
        if not enabled:
            self._note("disabled", where, "It is disabled in the export.")
        trigger, certain = self._trigger(one.trigger, where)
        mapping, gone = without_secrets(dict(one.mapping))
        for path in gone:
            text = (
                f"The value of `{path}` looks like a secret, or is known to Terraform only, and "
                "references are not replaced in mappings. Complete the mapping and enable it."
            )
            self._note("left out", f"value `{path}` of {where}", text)
        if (gone or not certain) and enabled:
            enabled = False
            self._note("disabled", where, "It was changed; look at it and enable it.")
        if one.rows:
            text = (
                "It is for rows of a model in a warehouse. The model and its queries are not "
                "taken over; give its rows as events `new`, `updated` and `deleted`."
            )
            self._note("to check", where, text)
        if one.schedule:
            text = "Schedules are not taken over; start the runs by a scheduler."
            self._note("left out", f"schedule of {where}", text)
        given = Subscription(
            action=action,
            trigger=trigger or None,
            mapping=mapping if isinstance(mapping, dict) else {},
        )
        current = self._current(given, where)
        version = current.mapping_version
        return {
            "name": name,
            "partnerAction": current.action,
            **({"subscribe": current.trigger} if current.trigger else {}),
            **({} if enabled else {"enabled": False}),
            **({} if version is None else {"mappingVersion": version}),
            "mapping": self._fitting(current, action, where),
        }

    def _current(self, given: Subscription, where: str) -> Subscription:
        """Return a subscription with the migrations of the destination applied."""
        if self._definition is None:
            return given
        try:
            made = migrate(self._definition, given)
        except ConfigurationError as error:
            self._note("to check", where, str(error))
            return given
        for text in made.notes:
            self._note("changed", where, text)
        return made.subscription

    def _fitting(self, current: Subscription, theirs: str, where: str) -> dict[str, JSON]:
        """Return a mapping without the keys that the action does not have.

        *theirs* is the slug of the action at the host.
        """
        given, action = dict(current.mapping), current.action
        actions = {one.slug: one for one in self._definition.actions} if self._definition else {}
        if action not in actions:
            return given
        issues = check_mapping(actions[action], given, model_from_spec()).issues
        unknown = [one.place[0] for one in issues if one.code == "AD503" and len(one.place) == 1]
        for key in dict.fromkeys(unknown):
            text = f"Action `{action}` has no field `{key}`."
            self._note("left out", f"field `{key}` of {where}", text)
        kept = {key: value for key, value in given.items() if key not in unknown}
        known = self._known.fields_of(self._slug, theirs)
        return kept | self._absent(actions[action], known, kept, where)

    def _absent(
        self, action: Action, theirs: Collection[str], mapping: Mapping[str, JSON], where: str
    ) -> dict[str, JSON]:
        """Return what keeps fields empty that a mapping leaves out.

        Segment's engine gives them no value; here, they would take the action's default. Fields
        that the action does not have at Segment keep their default.
        """
        if ROOT_DIRECTIVE in mapping:
            return {}
        left_out = [key for key in action.default_mapping if key not in mapping]
        own = [key for key in left_out if key not in theirs]
        if own:
            named = ", ".join(f"`{key}`" for key in own)
            self._note("to check", where, f"Not in the export, so the default applies: {named}.")
        return {
            key: dict(_NOTHING) if action.fields[key].nullable else None
            for key in left_out
            if key in theirs
        }

    def _trigger(self, text: str, where: str) -> tuple[str, bool]:
        """Return a trigger for a text, and whether it certainly means the same."""
        if not text.strip():
            return "", True
        if isinstance(text, HostExpression):
            told = f"The trigger `{text}` is an expression that only Terraform can compute."
            self._note("to check", where, told)
            return text, False
        try:
            parse(text)
        except TriggerError:
            return self._respelled(text, where)
        found = difference(text)
        if found:
            self._note("to check", where, f"The trigger `{text}`: {found.message}")
        return text, True

    def _respelled(self, text: str, where: str) -> tuple[str, bool]:
        """Return a trigger with `=` for `==`, if that is what is wrong."""
        single = _DOUBLE.sub(lambda match: match[1] or "=", text)
        try:
            parse(single)
        except TriggerError as error:
            problem = str(error).partition("\n")[0]
            self._note("to check", where, f"The trigger `{text}` is invalid: {problem}")
            return text, False
        told = (
            f"The trigger `{text}` is written `{single}`: `==` is not an operator, and Segment's "
            "implementation compares with the text `=`."
        )
        self._note("changed", where, told)
        return single, False

    # The whole

    def _checked(self, document: dict[str, Any], file: str, variables: Sequence[str]) -> str:
        """Return the text; subscriptions with errors are switched off, other errors are notes."""
        environment = dict.fromkeys(variables, "x")
        for _ in range(_ROUNDS):
            text = connection_text(document)
            reading = parse_connection(text, file, Path(), environment)
            if self._definition and choose(reading, {self._definition.slug: self._definition}):
                validate(reading, self._definition, model_from_spec())
            errors = [one for one in reading.diagnostics if _counts(one)]
            placed = _by_subscription(reading, errors)
            for index, several in placed.items():
                self._switch_off(document["subscriptions"][index], several)
            if not placed:
                for one in errors:
                    self._note("to check", "connection", f"[{one.code}] {one.message} {one.hint}")
                break
        return text

    def _switch_off(self, subscription: dict[str, Any], errors: Sequence[Diagnostic]) -> None:
        where = f"subscription `{subscription['name']}`"
        for one in errors:
            told = f"[{one.code}] {one.message} {one.hint}".rstrip()
            self._note("disabled", where, f"It does not validate: {told}")
        subscription["enabled"] = False


def _counts(one: Diagnostic) -> bool:
    """Return whether an error matters here: values of variables are not known."""
    return one.severity == "error" and not one.code.startswith(_SETTINGS)


def _by_subscription(reading: Reading, errors: Sequence[Diagnostic]) -> dict[int, list[Diagnostic]]:
    """Return the errors by the index of the enabled subscription that they are in."""
    found: dict[int, list[Diagnostic]] = {}
    items = reading.draft.items if reading.draft else ()
    for error in errors:
        before = [n for n, one in enumerate(items) if one.node.spot.line <= error.line]
        if before and items[before[-1]].subscription.enabled:
            found.setdefault(before[-1], []).append(error)
    return found


def _filter_problem(one: ExportedFilter) -> str | None:
    """Return why a filter cannot be taken, if it cannot."""
    if _has_expression(one.document.get("if")) or _has_expression(one.document.get("actions")):
        return "Only Terraform can compute it. Give the state file."
    found, problems = read_filter(dict(one.document))
    if found is None:
        return " ".join(map(str, problems))
    if found.condition.strip() == ALL_EVENTS:
        return None
    try:
        parse(found.condition)
    except TriggerError as error:
        problem = str(error).partition("\n")[0]
        return f"The condition `{found.condition}` is invalid: {problem}"
    return None


def _has_expression(value: JSON) -> bool:
    """Return whether something in a value is known to the host's tool only."""
    if isinstance(value, dict):
        return any(map(_has_expression, (*value, *value.values())))
    if isinstance(value, list):
        return any(map(_has_expression, value))
    return isinstance(value, HostExpression)


def _size(value: JSON) -> int:
    """Return the number of values in a value, itself included."""
    if isinstance(value, dict):
        return 1 + sum(map(_size, value.values())) + len(value)
    return 1 + sum(map(_size, value)) if isinstance(value, list) else 1
