"""Identified rows of one subscription, in groups that agree in everything that a call fixes."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, TypeVar

import orjson
from msgspec import Struct
from msgspec.structs import replace

from framework.definition import Batching, Target, membership
from framework.delivery.columns import Columns
from framework.delivery.compiled import CompiledSubscription
from framework.delivery.row_groups import RowGroup
from framework.paths import Event, Path

T = TypeVar("T")

_PERSONAS = Path(("context", "personas"))
_OF_AUDIENCE = ("computation_key", "external_audience_id", "audience_settings")


class Rows(Struct, frozen=True):
    """Rows of one subscription with what is known of each, aligned; None where nothing is.

    *objects* are the payloads whose JSON is to be measured; see `RowGroup`, also about *further*.
    *audiences* are values that rows of one call agree in, in addition to the batch keys.
    """

    row_ids: Sequence[int]
    columns: Columns
    identifiers: Sequence[str] | None = None
    objects: Sequence[Any] | None = None
    weights: Sequence[int] | None = None
    memberships: Sequence[bool | None] | None = None
    audiences: Sequence[Hashable] | None = None
    further: Sequence[Sequence[str]] | None = None

    def at(self, places: Sequence[int]) -> Rows:
        """Return the rows at *places*."""
        return Rows(
            [self.row_ids[place] for place in places],
            self.columns.at(places),
            _take(self.identifiers, places),
            _take(self.objects, places),
            _take(self.weights, places),
            _take(self.memberships, places),
            _take(self.audiences, places),
            _take(self.further, places),
        )

    def with_further(self) -> Rows:
        """Return the rows with one identifier each, and with the further ones of its tuple."""
        found: Sequence[Any] = self.identifiers or ()
        if {str}.issuperset(map(type, found)):
            return self
        tuples = [(one,) if isinstance(one, str) else one for one in found]
        return replace(
            self, identifiers=[one[0] for one in tuples], further=[one[1:] for one in tuples]
        )


def _take(values: Sequence[T] | None, places: Sequence[int]) -> Sequence[T] | None:
    return values and [values[place] for place in places]


def group_rows(compiled: CompiledSubscription, rows: Rows) -> list[RowGroup]:
    """Return rows in groups that agree in the batch keys and in the audience."""
    if not rows.row_ids:
        return []
    by_key = rows.columns.groups(compiled.batching.keys)
    if len(by_key) == 1:
        (key,) = by_key
        return _by_audience(compiled, key, rows)
    groups: list[RowGroup] = []
    for key, places in by_key.items():
        groups += _by_audience(compiled, key, rows.at(places or ()))
    return groups


def audience_of(event: Event) -> str:
    """Return what identifies the audience of an event: its key, external ID and settings."""
    personas = _PERSONAS.get(event)
    if not isinstance(personas, dict):
        return ""
    found = {key: personas[key] for key in _OF_AUDIENCE if personas.get(key) is not None}
    try:
        return orjson.dumps(found, option=orjson.OPT_SORT_KEYS).decode() if found else ""
    except TypeError:  # large integers, broken surrogates
        return repr(found)


def _by_audience(
    compiled: CompiledSubscription, key: tuple[Hashable, ...], rows: Rows
) -> list[RowGroup]:
    target = _target(compiled.batching, key)
    if rows.audiences is None:
        return [_group(compiled, key, target, rows)]
    by_audience: dict[Hashable, list[int]] = {}
    for place, audience in enumerate(rows.audiences):
        by_audience.setdefault(audience, []).append(place)
    return [
        _group(compiled, (*key, audience), target, rows.at(places))
        for audience, places in by_audience.items()
    ]


def _group(
    compiled: CompiledSubscription,
    key: tuple[Hashable, ...],
    target: Target | None,
    rows: Rows,
) -> RowGroup:
    return RowGroup(
        compiled.action.slug,
        compiled.batching,
        compiled.lane,
        key,
        rows.row_ids,
        rows.identifiers,
        rows.objects or (),
        target,
        compiled.agreement,
        weights=rows.weights,
        memberships=rows.memberships,
        further=rows.further,
    )


def _target(batching: Batching, key: tuple[Hashable, ...]) -> Target | None:
    """Return what rows with that key change, if the destination says so."""
    if batching.target is None:
        return None
    return batching.target(dict(zip(batching.keys, key, strict=True)))


def memberships_of(
    compiled: CompiledSubscription, events: Sequence[Event], size: int = 0
) -> list[bool | None]:
    """Return whether each row adds or removes: by the action, else by the event."""
    declared = compiled.action.membership
    if declared is not None:
        return [declared] * (size or len(events))
    return [membership(event, compiled.sync_mode) for event in events]


def audience_settings_of(event: Any, given: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the settings of the audience that an event is about, else those *given* for its key.

    Where an event brings no settings, or empty ones, those of the connection apply.
    """
    personas = _PERSONAS.get(event)
    personas = personas if isinstance(personas, dict) else {}
    brought, key = personas.get("audience_settings"), personas.get("computation_key")
    if isinstance(brought, dict) and (brought or not given):
        return brought
    return given.get(str(key), {})
