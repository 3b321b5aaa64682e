"""Contact lists brought up to date: in few calls, and what that came to for whom."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Literal, TypeAlias

from destinations.criteo_audiences.api import MOST_IDENTIFIERS, Amendment, Criteo, Verdict
from destinations.criteo_audiences.identifiers import by_form
from destinations.criteo_audiences.lists import ContactLists
from destinations.criteo_audiences.refusals import ListGoneError, TooLargeError
from framework import DELIVERED, Delivered, Failed, IntegrationError, Result, Skipped

AmendmentResult: TypeAlias = tuple[Sequence[str], Result]
Answers: TypeAlias = list[AmendmentResult]
"""What became of identifiers: in groups that share a result, none of them in two."""

Reporter: TypeAlias = Literal["framework", "partner"]

_logger = logging.getLogger("action_destinations.criteo_audiences")


def amend_by_name(lists: ContactLists, name: str, amendment: Amendment) -> Answers:
    """Amend the list called *name*; an id that turns out to be gone is looked up once more."""
    try:
        return _amend_found(lists, name, amendment)
    except ListGoneError as error:
        _logger.info("Looking for the contact list once more: %s", error)
        lists.forget(name)
        return _amend_found(lists, name, amendment)


def _amend_found(lists: ContactLists, name: str, amendment: Amendment) -> Answers:
    if amendment.operation == "add":
        return amend(lists.criteo, lists.find_or_create(name), amendment)
    list_id = lists.find(name)
    if list_id is None:
        return [(amendment.identifiers, _no_audience(name))]
    return amend(lists.criteo, list_id, amendment)


def amend(criteo: Criteo, list_id: str, amendment: Amendment) -> Answers:
    """Amend a list in calls of one form and of at most 50,000 identifiers.

    A call that fails fails its own identifiers only. Raises ListGoneError.
    """
    answers: Answers = []
    for group in by_form(amendment.identifier_type, amendment.identifiers):
        for start in range(0, len(group), MOST_IDENTIFIERS):
            part = amendment.of(group[start : start + MOST_IDENTIFIERS])
            answers += _amend_part(criteo, list_id, part)
    return answers


def each(answers: Answers, identifiers: Sequence[str]) -> Result | list[Result]:
    """Give the result of each of *identifiers* in turn, or the one that all of them have."""
    first = answers[0][1]
    if all(result == first for _, result in answers):
        return first
    results = {identifier: result for part, result in answers for identifier in part}
    return [results[identifier] for identifier in identifiers]


def _amend_part(criteo: Criteo, list_id: str, part: Amendment) -> Answers:
    try:
        return _judged(part, criteo.amend(list_id, part))
    except ListGoneError:
        raise
    except TooLargeError as error:
        if len(part.identifiers) == 1:
            return [_failed(part, list_id, error)]
    except IntegrationError as error:
        return [_failed(part, list_id, error)]
    middle = len(part.identifiers) // 2
    first, second = part.of(part.identifiers[:middle]), part.of(part.identifiers[middle:])
    return _amend_part(criteo, list_id, first) + _amend_part(criteo, list_id, second)


def _failed(part: Amendment, list_id: str, error: IntegrationError) -> AmendmentResult:
    _logger.warning("Contact list %s, %d identifiers: %s", list_id, len(part.identifiers), error)
    reporter: Reporter = "framework" if error.response is None else "partner"
    return part.identifiers, Failed.from_error(error, reporter)


def _judged(part: Amendment, verdict: Verdict) -> Answers:
    """Tell apart whom Criteo took, whom it refused by name, and of whom it does not say."""
    identifiers = part.identifiers
    if not verdict.invalid:
        return [(identifiers, DELIVERED)]
    refused = Failed(
        400,
        "INVALID_IDENTIFIER",
        f"Criteo refuses the identifier: it is malformed for type `{part.identifier_type}`.",
        "partner",
    )
    _logger.warning("Criteo refuses %d of %d identifiers.", verdict.invalid, len(identifiers))
    if verdict.invalid >= len(identifiers):
        return [(identifiers, refused)]
    named = verdict.sample.intersection(identifiers)
    unnamed = verdict.invalid - len(named)
    others = [one for one in identifiers if one not in named]
    rest: Result = DELIVERED if unnamed <= 0 else _doubtful(unnamed, len(others))
    return [(list(named), refused), (others, rest)]


def _doubtful(unnamed: int, among: int) -> Delivered:
    return Delivered(
        body={
            "unnamedInvalidIdentifiers": unnamed,
            "message": f"Criteo refuses {unnamed} of {among} identifiers without naming them; "
            "this may be one.",
        }
    )


def _no_audience(name: str) -> Skipped:
    return Skipped(
        "NO_AUDIENCE", f'There is no audience "{name}" at Criteo to remove the user from.'
    )
