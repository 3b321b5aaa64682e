"""Amending contact lists in as few requests as possible, with a result for each identifier."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Literal, TypeAlias

from destinations.criteo_audiences.api import MAX_IDENTIFIERS, Amendment, Criteo
from destinations.criteo_audiences.identifiers import by_form
from destinations.criteo_audiences.lists import ContactLists
from destinations.criteo_audiences.refusals import LIST_CODES, ListGoneError, TooLargeError
from destinations.criteo_audiences.verdicts import Verdict
from framework import DELIVERED, Delivered, Failed, IntegrationError, Result, Skipped, Unconfirmed

AmendmentResult: TypeAlias = tuple[Sequence[str], Result]
"""Identifiers that share a result, and that result."""

AmendmentResults: TypeAlias = list[AmendmentResult]
"""Results of an amendment: identifiers grouped by result, each in exactly one group."""

_Reporter: TypeAlias = Literal["framework", "partner"]

ACCEPTED_WITHOUT_COUNTS = Delivered(
    body={"message": "Criteo accepted the request without counts of accepted identifiers."}
)

_logger = logging.getLogger("action_destinations.criteo_audiences")


def amend_by_name(lists: ContactLists, name: str, amendment: Amendment) -> AmendmentResults:
    """Amend the list called *name*; if its cached ID is gone, look it up again and retry once.

    Removing from a list that does not exist is skipped. Raises IntegrationError where the list
    cannot be found or created, ListGoneError where it is gone again.
    """
    try:
        return _amend_found(lists, name, amendment)
    except ListGoneError as error:
        _logger.info("Looking up the contact list again: %s", error)
        lists.forget(name)
        lists.forget_members()
        return _amend_found(lists, name, amendment)


def amend_by_id(lists: ContactLists, list_id: str, amendment: Amendment) -> AmendmentResults:
    """Amend the list with *list_id*.

    Raises ListGoneError where Criteo does not know it. Where Criteo does not say that it means the
    list, a search shows whether the whole API is gone: its error is raised then.
    """
    try:
        return amend(lists.criteo, list_id, amendment)
    except ListGoneError as error:
        if error.code not in LIST_CODES:
            lists.check()
        lists.forget_members()
        raise


def _amend_found(lists: ContactLists, name: str, amendment: Amendment) -> AmendmentResults:
    if amendment.operation == "add":
        return amend(lists.criteo, lists.find_or_create(name), amendment)
    list_id = lists.find(name)
    if list_id is None:
        reason = f'The audience "{name}" does not exist at Criteo, so the user is not removed.'
        return [(amendment.identifiers, Skipped("NO_AUDIENCE", reason))]
    return amend(lists.criteo, list_id, amendment)


def amend(criteo: Criteo, list_id: str, amendment: Amendment) -> AmendmentResults:
    """Amend a list in requests of one identifier form and at most 50,000 identifiers each.

    A failing request fails only its own identifiers. Raises ListGoneError.
    """
    results: AmendmentResults = []
    for group in by_form(amendment.identifier_type, amendment.identifiers):
        for start in range(0, len(group), MAX_IDENTIFIERS):
            part = amendment.of(group[start : start + MAX_IDENTIFIERS])
            results += _amend_part(criteo, list_id, part)
    return results


def each(results: AmendmentResults, identifiers: Sequence[str]) -> Result | list[Result]:
    """Return one result if all are equal, else the results aligned with *identifiers*."""
    first = results[0][1]
    if len(results) == 1 or all(result == first for _, result in results):
        return first
    by_identifier = {identifier: result for part, result in results for identifier in part}
    return [by_identifier[identifier] for identifier in identifiers]


def _amend_part(criteo: Criteo, list_id: str, part: Amendment) -> AmendmentResults:
    try:
        return _results(part, criteo.amend(list_id, part))
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
    reporter: _Reporter = "framework" if error.response is None else "partner"
    return part.identifiers, Failed.from_error(error, reporter)


def _results(part: Amendment, verdict: Verdict) -> AmendmentResults:
    """Return the results of a successful request: accepted, rejected by name, or not known."""
    identifiers = part.identifiers
    if not verdict.counted:
        return [(identifiers, ACCEPTED_WITHOUT_COUNTS)]
    if not verdict.rejected and verdict.unnamed == 0:
        return [(identifiers, DELIVERED)]
    rejected = Failed(
        400,
        "INVALID_IDENTIFIER",
        f"Criteo rejected the identifier as malformed for type `{part.identifier_type}`.",
        "partner",
    )
    named, unnamed = len(verdict.rejected), verdict.unnamed
    number = "some" if unnamed is None else named + unnamed
    _logger.warning("Criteo rejected %s of %d identifiers.", number, len(identifiers))
    if verdict.rejects_all:
        return [(identifiers, rejected)]
    others = [one for one in identifiers if one not in verdict.rejected]
    rest: Result = DELIVERED if unnamed == 0 else _possibly_rejected(unnamed, len(others))
    return [(list(verdict.rejected), rejected), (others, rest)]


def _possibly_rejected(unnamed: int | None, among: int) -> Unconfirmed:
    number = "some" if unnamed is None else unnamed
    return Unconfirmed(
        "UNNAMED_REJECTION",
        f"Criteo rejected {number} of {among} identifiers without naming them; "
        "this may be one of them.",
    )
