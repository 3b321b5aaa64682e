"""How Criteo's Audience API speaks: advertisers, contact lists, amendments and problem objects.

Facts about the API are those of its public documentation, its official SDK and its OpenAPI
document; where they leave room, every form that is known to occur is accepted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import httpx
import orjson

from destinations.criteo_audiences.refusals import (
    TooLargeError,
    objects,
    problems_of,
    read_json,
    refusal,
    sharper,
)
from framework import IntegrationError, RetryableError

HOST = "https://api.criteo.com"
MOST_IDENTIFIERS = 50_000
"""How many identifiers one amendment may hold."""

MOST_BYTES = 9_500_000
"""How large the body of an amendment may be: 10 MB, less a margin."""

_SEGMENTS = "/marketing-solutions/audience-segments"
_PAGE = 100
_PASSES = 4


@dataclass(frozen=True, slots=True)
class ContactList:
    """A segment whose members are listed one by one."""

    id: str
    name: str
    read_only: bool


@dataclass(frozen=True, slots=True)
class Amendment:
    """Whom to add to a contact list, or remove from it; *operation* is `add` or `remove`."""

    operation: str
    identifier_type: str
    identifiers: Sequence[str]
    gum_caller_id: int | None = None

    def of(self, identifiers: Sequence[str]) -> Amendment:
        """Give the same for some of the identifiers, in their order."""
        every = len(identifiers) == len(self.identifiers)
        return self if every else replace(self, identifiers=identifiers)

    def body(self) -> bytes:
        """Give the request's body."""
        caller = {} if self.gum_caller_id is None else {"gumCallerId": self.gum_caller_id}
        attributes = {
            "operation": self.operation,
            "identifierType": self.identifier_type,
            "identifiers": self.identifiers,
            **caller,
        }
        return orjson.dumps({"data": {"type": "ContactlistAmendment", "attributes": attributes}})


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many identifiers of an amendment are malformed in Criteo's eyes, and some of them."""

    invalid: int
    sample: frozenset[str]


@dataclass(frozen=True, slots=True)
class Criteo:
    """Criteo's API in one *version* (`YYYY-MM`), through a *client* that raises for refusals."""

    client: httpx.Client
    version: str

    def advertisers(self) -> dict[str, str]:
        """Give the names, by id, of the advertisers that have given consent to the app."""
        answer = self._ask("GET", "/advertisers/me")
        return {
            str(found.get("id")): str(_attributes(found).get("advertiserName") or "")
            for found in objects(answer.get("data"))
        }

    def contact_lists(self, advertiser_id: str) -> Iterator[list[ContactList]]:
        """Yield pages on which every contact list of the advertiser stands at least once.

        The order of pages is not promised: when lists were added, removed or moved meanwhile, the
        pages are read again. Raises RetryableError when they never settle.
        """
        seen: set[str] = set()
        before: int | None = None
        for _ in range(_PASSES):
            offset, total, settled = 0, None, True
            while total is None or offset < total:
                page, total = self._page(advertiser_id, offset)
                if total != before and before is not None:
                    settled = offset == 0
                    seen.clear()
                known, before = len(seen), total
                seen.update(str(raw.get("id")) for raw in page)
                yield [one for raw in page if (one := _contact_list(raw, advertiser_id))]
                offset += len(page)
                if not page or (total is None and len(seen) == known):
                    break
            if settled and (total is None or len(seen) >= total):
                return
        raise RetryableError(
            "Criteo's contact lists changed while they were listed, several times in a row.",
            "LISTING_UNSETTLED",
        )

    def create(self, advertiser_id: str, name: str) -> str:
        """Create a contact list and give its id.

        Raises NameTakenError, or APIError with Criteo's reason. After a RetryableError nobody
        knows whether the list exists: search before creating again.
        """
        attributes = {
            "advertiserId": advertiser_id,
            "name": name,
            "description": f"Audience {name}, kept up to date by Action Destinations",
            "contactList": {},
        }
        body = {"data": [{"type": "AudienceSegment", "attributes": attributes}]}
        try:
            answer = self._ask("POST", f"{_SEGMENTS}/create", json=body)
        except IntegrationError as error:
            raise sharper(error) from error
        for created in objects(answer.get("data")):
            if created.get("id"):
                return str(created["id"])
        raise refusal(problems_of(answer), f'Criteo did not create the audience "{name}"')

    def amend(self, list_id: str, amendment: Amendment) -> Verdict:
        """Add or remove identifiers; doing it twice does no harm.

        Raises ListGoneError, TooLargeError, or IntegrationError with Criteo's reason.
        """
        body = amendment.body()
        if len(body) > MOST_BYTES:
            message = f"A call of {len(body)} bytes is more than the {MOST_BYTES} Criteo may take."
            raise TooLargeError(message, "CALL_TOO_LARGE", 413)
        try:
            answer = self._ask(
                "PATCH",
                f"{_SEGMENTS}/{list_id}/contact-list",
                content=body,
                headers={"Content-Type": "application/json"},
            )
        except IntegrationError as error:
            raise sharper(error) from error
        if refused := problems_of(answer, "errors"):
            raise refusal(refused, f"Criteo did not amend contact list {list_id}")
        return _verdict(answer)

    def _page(self, advertiser_id: str, offset: int) -> tuple[list[dict[str, Any]], int | None]:
        answer = self._ask(
            "POST",
            f"{_SEGMENTS}/search",
            params={"limit": _PAGE, "offset": offset},
            json=_search_for(advertiser_id),
            extensions={"idempotent": True},
        )
        page = objects(answer.get("data"))
        if not page and (refused := problems_of(answer, "errors")):
            raise refusal(refused, "Criteo did not list the advertiser's audiences")
        meta = answer.get("meta")
        total = meta.get("totalItems") if isinstance(meta, dict) else None
        return page, total if isinstance(total, int) else None

    def _ask(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        response = self.client.request(method, f"{HOST}/{self.version}{path}", **options)
        answer = read_json(response)
        if not isinstance(answer, dict):
            raise RetryableError(
                f"Criteo answered `{method} {path}` with something that is not a JSON object.",
                "UNREADABLE_ANSWER",
                502,
            )
        return answer


def _attributes(resource: Mapping[str, Any]) -> Mapping[str, Any]:
    found = resource.get("attributes")
    return found if isinstance(found, dict) else {}


def _search_for(advertiser_id: str) -> dict[str, Any]:
    wanted = {"advertiserIds": [advertiser_id], "audienceSegmentTypes": ["ContactList"]}
    return {"data": {"type": "AudienceSegment", "attributes": wanted}}


def _contact_list(raw: Mapping[str, Any], advertiser_id: str) -> ContactList | None:
    """Read a segment; None for other kinds and other advertisers, should they be answered too."""
    attributes = _attributes(raw)
    if attributes.get("type", "ContactList") != "ContactList":
        return None
    if str(attributes.get("advertiserId", advertiser_id)) != advertiser_id:
        return None
    details = attributes.get("contactList")
    read_only = isinstance(details, dict) and details.get("isReadOnly") is True
    return ContactList(str(raw.get("id")), str(attributes.get("name")), read_only)


def _verdict(answer: Mapping[str, Any]) -> Verdict:
    data = answer.get("data")
    attributes = _attributes(data) if isinstance(data, dict) else {}
    sample = frozenset(map(str, attributes.get("sampleInvalidIdentifiers") or ()))
    return Verdict(max(attributes.get("nbInvalidIdentifiers") or 0, len(sample)), sample)
