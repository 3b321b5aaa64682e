"""Sending whole lists: everybody is read before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from framework.audiences.identifier_lists import IdentifierList
from framework.audiences.member_delivery import MAX_LINES, ChangeKind, SentChanges
from framework.audiences.sources import UNREADABLE, ListedPeople, MalformedLines
from framework.delivery import Completion, FullList, Patience
from framework.errors import StorageError

_FAILURES: Final = {"failed", "unconfirmed"}


def check_list(whole: FullList, people: IdentifierList) -> tuple[int, MalformedLines]:
    """Return the number of people in a list, and its malformed lines; nothing is sent."""
    number, malformed = 0, MalformedLines()
    for block in ListedPeople(people).texts():
        known = [(line, text) for line, text in block if text is not None]
        number += len(known)
        for line, text in block:
            if text is None:
                malformed.add(people.name, line, UNREADABLE)
        reasons = whole.read([text for _, text in known])
        for (line, _), reason in zip(known, reasons, strict=True):
            if reason:
                malformed.add(people.name, line, reason.message)
    return number, malformed


def send_list(
    whole: FullList,
    people: IdentifierList,
    size: int,
    *,
    patience: Patience,
    stopping: Callable[[], bool] = lambda: False,
) -> SentChanges:
    """Send a list of *size* people until all have a result, or the partner or a signal ends it.

    Raises StorageError if the list has changed since it was checked.
    """
    sent, lines = SentChanges(), list[int]()
    texts = _texts(people, size, lines)
    for completions in whole.send(texts, size, patience=patience, stopping=stopping):
        for one in completions:
            _record(sent, one, lines)
    sent.halted, sent.left = whole.halted, whole.left
    if len(lines) < size:  # the rest was not read, as something ended it
        sent.left += size - len(lines)
    return sent


def _texts(people: IdentifierList, size: int, lines: list[int]) -> Iterator[list[str]]:
    """Yield the identifiers of a list, many at a time; add their lines to *lines*."""
    for block in ListedPeople(people).texts():
        known = [(line, text) for line, text in block if text is not None]
        lines += [line for line, _ in known]
        if len(lines) > size:
            raise StorageError(f"The list `{people.name}` changed while it was read.")
        yield [text for _, text in known]
    if len(lines) < size:
        raise StorageError(f"The list `{people.name}` changed while it was read.")


def _record(sent: SentChanges, one: Completion, lines: list[int]) -> None:
    shown = one.result.to_json()
    told = shown["outcome"], shown.get("code", ""), shown.get("message", "")
    sent.counts[ChangeKind(True, *told)] += len(one.positions)
    if shown["outcome"] in _FAILURES:
        failed = sorted(lines[place] for place in one.positions)
        sent.failed_lines += failed[: MAX_LINES - len(sent.failed_lines)]
