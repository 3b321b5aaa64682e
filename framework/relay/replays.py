"""Delivering dead letters again: only the failed pair of event and subscription."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from framework.delivery import DELETIONS, Completion, Connection, Ledger
from framework.events import START, Chunk, Position, decode
from framework.relay.event_store import DeadLetter
from framework.results import Failed, Result

MAX_LINE: Final = 32 * 1024 * 1024
"""Bytes of a line; an intake bounds events before they are stored."""

UNKNOWN_SUBSCRIPTION: Final = "UNKNOWN_SUBSCRIPTION"
"""The code of letters for a subscription that the connection no longer has."""


class Replayed(Struct, frozen=True):
    """The results of a replay: IDs of *settled* letters, and letters that *failed* again.

    All others stay requested; *halted* is the failure that ended the replay, if any.
    """

    completions: Sequence[Completion]
    settled: Sequence[int]
    failed: Sequence[DeadLetter]
    halted: Failed | None


class _Message(Struct):
    messageId: Any = None  # noqa: N815 - the key of the event


def message_id_of(event: bytes) -> str:
    """Return the message ID of an event's text, or an empty string."""
    try:
        found = msgspec.json.decode(event, type=_Message).messageId
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return found if isinstance(found, str) else ""


def names_of(connection: Connection) -> list[str]:
    """Return different names for the subscriptions of a connection, by index, and DELETIONS.

    Where subscriptions have equal names, the later ones get a number.
    """
    names: list[str] = []
    for one in connection.subscriptions:
        name, number = one.name, 1
        while name in names or name == DELETIONS:
            number += 1
            name = f"{one.name} ({number})"
        names.append(name)
    return [*names, DELETIONS]


def replay(
    connection: Connection,
    letters: Sequence[DeadLetter],
    stopping: Callable[[], bool],
    ledger: Ledger | None = None,
) -> Replayed:
    """Deliver *letters* once; the order among them and with other events is not kept.

    The *ledger* learns from it what the partner confirms. A failure is final for its letter,
    unless it concerns the whole connection.
    """
    names = names_of(connection)
    unknown = [one for one in letters if one.subscription not in names]
    known = [one for one in letters if one.subscription in names]
    wanted = {
        (number, _index(one.subscription, names)) for number, one in enumerate(known, start=1)
    }
    lines = [one.event + b"\n" for one in known]
    decoded = decode(Chunk(lines, START, Position(0, len(lines))), MAX_LINE)
    sender = connection.stream(concerns_connection, stopping=stopping, named=False, ledger=ledger)
    events = zip(decoded.lines, decoded.events, strict=True)
    completions: list[Completion] = []
    for found in sender.add(events, lambda number, index: (number, index) in wanted):
        completions += found
    for found in sender.flush():
        completions += found
    failed = [_again(one, _UNKNOWN) for one in unknown]
    settled: list[int] = []
    for one in completions:
        for number in one.positions:
            letter = known[number - 1]
            if isinstance(one.result, Failed):
                failed.append(_again(letter, one.result))
            else:
                settled.append(letter.id)
    return Replayed(completions, settled, failed, sender.halted)


_UNKNOWN: Final = Failed(
    400, UNKNOWN_SUBSCRIPTION, "The connection has no subscription of this name any more."
)


def _index(name: str, names: Sequence[str]) -> int:
    """Return the index by which a sender asks whether a pair is wanted."""
    return 0 if name == DELETIONS else names.index(name)


def concerns_connection(result: Result) -> bool:
    """Return whether a result is a failure of the whole connection."""
    return isinstance(result, Failed) and result.concerns_connection


def _again(letter: DeadLetter, failed: Failed) -> DeadLetter:
    return replace(
        letter, code=failed.code, outcome=failed.to_json(), tries=letter.tries + 1, at=0.0
    )
