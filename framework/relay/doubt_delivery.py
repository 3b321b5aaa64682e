"""Sending once more what a late call of a former owner may have undone at the partner."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from itertools import chain, groupby
from typing import Final

from framework.delivery import Audience, Connection, Ledger, MemberEvents, Memberships
from framework.errors import ConfigurationError
from framework.paths import Event
from framework.relay.ledger_store import Doubt
from framework.relay.replays import concerns_connection
from framework.results import Failed, Skipped

MOST: Final = 10_000
"""Doubts that are resolved at a time."""

_NOT_MATCHED: Final = "NOT_MATCHED"

_logger = logging.getLogger("action_destinations")


def resolve_doubts(  # noqa: PLR0913, PLR0917 - what one attempt needs
    doubts: Sequence[Doubt],
    account: str,
    connection: Connection,
    memberships: Memberships,
    ledger: Ledger,
    stopping: Callable[[], bool],
) -> list[int]:
    """Send the state of people in the ledger once more; return the IDs of resolved doubts.

    No other call about them may be under way. Those whose call failed for now stay. Where nothing
    can be sent, the next event about a person is, since nobody in doubt counts as confirmed: also
    not by a call whose results the owner saved after the doubt.
    """
    mine = [one for one in doubts if one.account == account]
    resolved = [one.id for one in doubts if one.account != account]
    for audience, some in _by_audience(mine):
        memberships.unconfirm(audience, [one.person for one in some])
    try:
        members = MemberEvents(connection)
    except ConfigurationError:
        _logger.warning(
            "%d people may be in another state at the partner than they should be, until the next "
            "event about them: the destination cannot send them without one.",
            len(mine),
        )
        return [one.id for one in doubts]
    sent, events = _events(mine, members, memberships)
    resolved += {one.id for one in mine} - {one.id for one in sent}
    sender = members.connection.stream(
        concerns_connection, stopping=stopping, named=False, ledger=ledger.sending_all()
    )
    added = sender.intake.add(events, range(len(events)))
    steps = chain(sender.add_from_intake(added), sender.flush())
    for one in chain.from_iterable(steps):
        result = one.result
        if isinstance(result, Skipped) and result.code == _NOT_MATCHED:
            continue  # by the subscription of the other action
        if not (isinstance(result, Failed) and (result.retryable or result.concerns_connection)):
            resolved += [sent[place].id for place in one.positions]
    return resolved


def _events(
    doubts: Sequence[Doubt], members: MemberEvents, memberships: Memberships
) -> tuple[list[Doubt], list[Event]]:
    """Return the doubts of which the ledger knows the person's state, and their events."""
    sent: list[Doubt] = []
    events: list[Event] = []
    for audience, some in _by_audience(doubts):
        known = memberships.look_up(audience, [one.person for one in some]).members
        for one in some:
            if (member := known.get(one.person)) is None:
                continue
            try:
                event = members.event(audience, one.identifier, wanted=member.wanted)
            except ConfigurationError:  # no subscription changes the audience any more
                continue
            sent.append(one)
            events.append(event)
    return sent, events


def _by_audience(doubts: Sequence[Doubt]) -> list[tuple[Audience, list[Doubt]]]:
    found = groupby(sorted(doubts, key=lambda one: one.audience), lambda one: one.audience)
    return [(audience, [*some]) for audience, some in found]
