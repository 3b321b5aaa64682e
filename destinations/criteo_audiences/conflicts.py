"""Subscriptions that cannot work together: users who would be added and never removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from framework import Conflict, Subscription

_FAMILIES = {
    "plain": "as addresses or their SHA-256 hashes",
    "sha256": "as addresses or their SHA-256 hashes",
    "md5": "as MD5 hashes or their SHA-256 hashes",
    "sha256_of_md5": "as MD5 hashes or their SHA-256 hashes",
}
"""Forms by what Criteo knows them as: it hashes addresses with SHA-256 on receipt."""


class _Sending(NamedTuple):
    """What a subscription sends, as far as its mapping says: None for what depends on the event.

    *list_id* and *audience_key* are "" if they are not mapped.
    """

    family: str | None
    list_id: str | None
    audience_key: str | None

    def may_meet(self, other: _Sending) -> bool:
        """Return whether both may amend the same list."""
        if self.list_id == other.list_id == "":
            return None in {self.audience_key, other.audience_key} or (
                self.audience_key == other.audience_key
            )
        return "" in {self.list_id, other.list_id} or (
            None in {self.list_id, other.list_id} or self.list_id == other.list_id
        )


def find_conflicts(
    subscriptions: Sequence[Subscription], *, adding: str, removing: str
) -> list[Conflict]:
    """Find subscriptions that add addresses in a form that no other one removes.

    *adding* and *removing* are the slugs of the actions. Where forms depend on the event, nothing
    is found.
    """
    known = {
        index: (one.action, _sending(one.mapping))
        for index, one in enumerate(subscriptions)
        if one.enabled and _sends_emails(one.mapping)
    }
    removals = [sending for action, sending in known.values() if action == removing]
    conflicts = []
    for index, (action, sending) in known.items():
        others = [one.family for one in removals if one.may_meet(sending)]
        if action == adding and sending.family and others:
            if not {None, sending.family}.isdisjoint(others):
                continue
            conflicts.append(
                Conflict(
                    index,
                    f"Users are added {sending.family} and removed {others[0]}. Criteo cannot "
                    "know that both are the same user, so nobody would be removed.",
                    "Choose forms of one kind in both subscriptions: `plain` and `sha256`, or "
                    "`md5` and `sha256_of_md5`.",
                    "email_form",
                )
            )
    return conflicts


def _sends_emails(mapping: Mapping[str, Any]) -> bool:
    return mapping.get("identifier_type", "email") in (None, "", "email")


def _sending(mapping: Mapping[str, Any]) -> _Sending:
    form, hashed = mapping.get("email_form"), mapping.get("hash_emails", False)
    if any(key.startswith("@") for key in mapping):
        return _Sending(None, None, None)
    if form in (None, "") and isinstance(hashed, bool):
        form = "sha256" if hashed else "plain"
    family = _FAMILIES.get(form) if isinstance(form, str) else None
    return _Sending(
        family, _constant(mapping.get("contact_list_id")), _constant(mapping.get("audience_key", 0))
    )


def _constant(value: Any) -> str | None:
    """Return a constant as text, "" for no value; None for a directive."""
    if value is None:
        return ""
    return value if isinstance(value, str) else None
