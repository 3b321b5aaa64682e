"""A client for Criteo's Audience API: advertisers, contact lists and their amendments.

It follows the public documentation, the official SDK and the OpenAPI document; where they are
ambiguous, every known form of a response is accepted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from destinations.criteo_audiences.refusals import (
    ListGoneError,
    TooLargeError,
    api_error,
    objects,
    problems_of,
    read_json,
    specific_error,
)
from destinations.criteo_audiences.verdicts import Verdict, read_verdict
from framework import IntegrationError, RetryableError

if TYPE_CHECKING:
    import httpx

HOST = "https://api.criteo.com"
MAX_IDENTIFIERS = 50_000
"""Maximum number of identifiers in one amendment."""

MAX_BYTES = 9_500_000
"""Maximum size of an amendment's body in bytes: 10 MB, less a margin."""

SIZE_DELAY = "12 to 24 hours"
"""How old the sizes of lists are: Criteo counts what it was sent about twice a day."""

_SEGMENTS = "/marketing-solutions/audience-segments"
_PAGE = 100
_PASSES = 4


class ContactList(NamedTuple):
    """A segment whose members are listed one by one."""

    id: str
    name: str
    read_only: bool


class Amendment(NamedTuple):
    """Identifiers to add to a contact list or remove from it; *operation* is `add` or `remove`."""

    operation: str
    identifier_type: str
    identifiers: Sequence[str]
    gum_caller_id: int | None = None

    def of(self, identifiers: Sequence[str]) -> Amendment:
        """Return the same amendment for some of its identifiers, in their order."""
        every = len(identifiers) == len(self.identifiers)
        return self if every else self._replace(identifiers=identifiers)

    def body(self) -> bytes:
        """Return the request body as JSON."""
        caller = {} if self.gum_caller_id is None else {"gumCallerId": self.gum_caller_id}
        attributes = {
            "operation": self.operation,
            "identifierType": self.identifier_type,
            "identifiers": self.identifiers,
            **caller,
        }
        return orjson.dumps({"data": {"type": "ContactlistAmendment", "attributes": attributes}})


class Criteo(NamedTuple):
    """Criteo's API in one *version* (`YYYY-MM`).

    *client* raises IntegrationError for error responses; so does every method. A response that is
    not a JSON object raises RetryableError.
    """

    client: httpx.Client
    version: str

    def advertisers(self) -> dict[str, str]:
        """Return the names of the advertisers that have given consent to the app, by ID."""
        response = self._request("GET", "/advertisers/me")
        return {
            str(found.get("id")): str(_attributes(found).get("advertiserName") or "")
            for found in objects(response.get("data"))
        }

    def contact_lists(self, advertiser_id: str) -> Iterator[list[ContactList]]:
        """Yield pages that together hold every contact list of the advertiser at least once.

        Criteo guarantees no order of pages: when lists are added, removed or moved meanwhile, the
        pages are read again. Raises RetryableError when they keep changing.
        """
        seen: set[str] = set()
        before: int | None = None
        for _ in range(_PASSES):
            offset, total, consistent = 0, None, True
            while total is None or offset < total:
                page, total = self._page(advertiser_id, offset)
                if total != before and before is not None:
                    consistent = offset == 0
                    seen.clear()
                known, before = len(seen), total
                seen.update(str(raw.get("id")) for raw in page)
                yield [one for raw in page if (one := _contact_list(raw, advertiser_id))]
                offset += len(page)
                if not page or (total is None and len(seen) == known):
                    break
            if consistent and (total is None or len(seen) >= total):
                return
        raise RetryableError(
            "Criteo's contact lists kept changing while they were listed.",
            "LISTING_UNSETTLED",
        )

    def create(self, advertiser_id: str, name: str) -> str:
        """Create a contact list and return its ID.

        Raises NameTakenError, or APIError with Criteo's reason. After a RetryableError it is
        unknown whether the list exists: search before creating again.
        """
        attributes = {
            "advertiserId": advertiser_id,
            "name": name,
            "description": f"Audience {name}, kept up to date by Action Destinations",
            "contactList": {},
        }
        body = {"data": [{"type": "AudienceSegment", "attributes": attributes}]}
        try:
            response = self._request("POST", f"{_SEGMENTS}/create", json=body)
        except IntegrationError as error:
            raise specific_error(error) from error
        for created in objects(response.get("data")):
            if created.get("id"):
                return str(created["id"])
        raise api_error(problems_of(response), f'Criteo did not create the audience "{name}"')

    def amend(self, list_id: str, amendment: Amendment) -> Verdict:
        """Add or remove identifiers and return which of them Criteo rejected; idempotent.

        A success with an empty body is an acceptance without counts. Raises ListGoneError,
        TooLargeError, or IntegrationError with Criteo's reason.
        """
        body = amendment.body()
        if len(body) > MAX_BYTES:
            message = f"A request of {len(body)} bytes exceeds the limit of {MAX_BYTES} bytes."
            raise TooLargeError(message, "CALL_TOO_LARGE", 413)
        try:
            response = self._request(
                "PATCH",
                f"{_SEGMENTS}/{list_id}/contact-list",
                may_be_empty=True,
                content=body,
                headers={"Content-Type": "application/json"},
            )
        except IntegrationError as error:
            raise specific_error(error) from error
        verdict = read_verdict(response, amendment.identifiers)
        refused = problems_of(response, "errors") if response.get("errors") else []
        if refused and not verdict.accepted:
            raise api_error(refused, f"Criteo did not amend contact list {list_id}")
        return verdict

    def size(self, list_id: str) -> int | None:
        """Return the number of identifiers in a list as Criteo last counted them.

        None if Criteo does not know the list, or has not counted it yet.
        """
        path = f"{_SEGMENTS}/{list_id}/contact-list/statistics"
        try:
            response = self._request("GET", path)
        except IntegrationError as error:
            if isinstance(specific_error(error), ListGoneError):
                return None
            raise
        data = response.get("data")
        number = _attributes(data).get("numberOfIdentifiers") if isinstance(data, dict) else None
        return number if isinstance(number, int) else None

    def _page(self, advertiser_id: str, offset: int) -> tuple[list[dict[str, Any]], int | None]:
        attributes = {"advertiserIds": [advertiser_id], "audienceSegmentTypes": ["ContactList"]}
        response = self._request(
            "POST",
            f"{_SEGMENTS}/search",
            params={"limit": _PAGE, "offset": offset},
            json={"data": {"type": "AudienceSegment", "attributes": attributes}},
            extensions={"idempotent": True},
        )
        page = objects(response.get("data"))
        if not page and (refused := problems_of(response, "errors")):
            error = api_error(refused, "Criteo did not list the advertiser's audiences")
            error.scope = "connection"  # the request contains nothing of an event
            raise error
        meta = response.get("meta")
        total = meta.get("totalItems") if isinstance(meta, dict) else None
        return page, total if isinstance(total, int) else None

    def _request(
        self, method: str, path: str, *, may_be_empty: bool = False, **options: Any
    ) -> dict[str, Any]:
        """Return the JSON object of a response.

        With *may_be_empty*, an empty body and `null` are read as `{}`.
        """
        response = self.client.request(method, f"{HOST}/{self.version}{path}", **options)
        body = read_json(response)
        if not isinstance(body, dict):
            if may_be_empty and response.content.strip() in {b"", b"null"}:
                return {}
            raise RetryableError(
                f"Criteo's response to `{method} {path}` is not a JSON object.",
                "UNREADABLE_ANSWER",
                502,
            )
        return body


def _attributes(resource: Mapping[str, Any]) -> Mapping[str, Any]:
    found = resource.get("attributes")
    return found if isinstance(found, dict) else {}


def _contact_list(raw: Mapping[str, Any], advertiser_id: str) -> ContactList | None:
    """Read a segment; None for other kinds of segments and other advertisers."""
    attributes = _attributes(raw)
    if attributes.get("type", "ContactList") != "ContactList":
        return None
    if str(attributes.get("advertiserId", advertiser_id)) != advertiser_id:
        return None
    details = attributes.get("contactList")
    read_only = isinstance(details, dict) and details.get("isReadOnly") is True
    return ContactList(str(raw.get("id")), str(attributes.get("name")), read_only)
