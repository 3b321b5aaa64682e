"""Contact lists by name: looked up, cached, and created on demand."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from destinations.criteo_audiences.api import Criteo
from destinations.criteo_audiences.refusals import NameTakenError
from framework import APIError, Cache, RetryableError

_TTL = 3_600.0
"""Seconds for which an ID is cached; the time in which a renamed list may go unnoticed."""

_LISTED_TTL = 60.0
"""Seconds after a complete listing in which an unlisted name is created without a new search."""


class ContactLists(NamedTuple):
    """The IDs of an advertiser's contact lists by name; names are compared exactly.

    Every list found by a search is stored in *cache*, not only the requested one. *forget_members*
    is called when a list turns out not to exist.
    """

    criteo: Criteo
    advertiser_id: str
    cache: Cache
    forget_members: Callable[[], None] = lambda: None

    def find(self, name: str) -> str | None:
        """Return the ID of the list called *name*, or None where it does not exist.

        Raises APIError when the list is read-only, or when the app has no access to lists of this
        advertiser, which concerns the connection.
        """
        known: str | None = self.cache.get(self._key(name))
        if known:
            return known
        found = self._search(name)
        if found is None:
            self.forget_members()
        return found

    def find_or_create(self, name: str) -> str:
        """Return the ID of the list called *name*; create the list where it does not exist.

        Raises the same errors as `find`, and NameTakenError when another segment has the name.
        """
        known: str | None = self.cache.get(self._key(name))
        if known:
            return known
        found = None if self.cache.get(self._listed) else self._search(name)
        if found:
            return found
        self.forget_members()
        return self._create(name)

    def check(self) -> None:
        """Search once; raises the error of the connection if Criteo refuses that, too."""
        next(self.criteo.contact_lists(self.advertiser_id), None)

    def forget(self, name: str) -> None:
        """Remove *name* from the cache, so that the next lookup searches again."""
        self.cache.delete(self._key(name))
        self.cache.delete(self._listed)

    def _search(self, name: str) -> str | None:
        locked = False
        for page in self.criteo.contact_lists(self.advertiser_id):
            ids = {one.name: one.id for one in page if not one.read_only}
            for other, list_id in ids.items():
                self._remember(other, list_id)
            if name in ids:
                return ids[name]
            locked = locked or any(one.name == name for one in page)
        if locked:
            raise APIError(
                f'The audience "{name}" is read-only at Criteo. '
                "Use another `audience_key`, or name a list in `contact_list_id`.",
                "READ_ONLY_AUDIENCE",
                403,
            )
        self.cache.set(self._listed, True, _LISTED_TTL)
        return None

    def _create(self, name: str) -> str:
        """Create the list; return the existing one if another process created it meanwhile.

        A creation of unknown outcome (no response, server error) is retried once, after a search.
        """
        try:
            return self._created(name)
        except RetryableError as error:
            if error.status == 429:
                raise
        return self._search(name) or self._created(name)

    def _created(self, name: str) -> str:
        try:
            return self._remember(name, self.criteo.create(self.advertiser_id, name))
        except NameTakenError as taken:
            found = self._search(name)
            if found is None:
                raise NameTakenError(
                    f"{taken} No contact list has exactly this name, so another kind of segment "
                    "has it, or a segment whose name differs only in case. "
                    "Use another `audience_key`, or name a list in `contact_list_id`.",
                    taken.code,
                    taken.status,
                ) from taken
            return found

    def _remember(self, name: str, list_id: str) -> str:
        self.cache.set(self._key(name), list_id, _TTL)
        return list_id

    @property
    def _listed(self) -> str:
        return f"contact lists/{self.advertiser_id}"

    def _key(self, name: str) -> str:
        return f"contact list/{self.advertiser_id}/{name}"
