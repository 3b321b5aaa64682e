"""Audiences and people of a ledger as JSON objects, for commands and the tester's page."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from framework.delivery import Audience, Member
from framework.relay import AudienceStatus


def audience_to_json(status: AudienceStatus) -> dict[str, Any]:
    """Return an audience with the numbers of people in it."""
    return {
        **audience_place(status),
        "members": status.members,
        "pending": status.pending,
        "shared": status.shared,
        "ambiguous": status.ambiguous,
        "unchangedEventsSent": why_sent(status) or None,
    }


def audience_place(status: AudienceStatus) -> dict[str, Any]:
    """Return which audience of which connection it is."""
    return {
        "audience": status.audience.name,
        "naming": status.audience.naming,
        "kind": kind_of(status.audience),
        "connection": status.connection,
    }


def kind_of(audience: Audience) -> str:
    """Return the kind of identifiers in an audience, as text."""
    try:
        scope = json.loads(audience.scope)
    except ValueError:
        return audience.scope
    parts = scope if isinstance(scope, list) else [scope]
    return " ".join(str(one) for one in parts if one is not None)


def why_sent(status: AudienceStatus) -> str:
    """Return why events that change nothing are sent for an audience; empty if they are not."""
    if status.shared:
        return (
            "Another connection changes it, too, so that nothing counts as confirmed. Once only "
            "one does, `actions audience clear` lets it count again."
        )
    if status.ambiguous:
        return (
            "The connection names audiences in several ways, such as by name and by ID, so that "
            "two of them may be one at the partner; nothing counts as confirmed."
        )
    return ""


def member_to_json(member: Member) -> dict[str, Any]:
    """Return the state of a person in an audience."""
    return {
        "member": member.wanted,
        "confirmed": member.confirmed,
        "since": moment_text(member.since),
    }


def state_counts(members: Iterable[Member]) -> dict[str, Any]:
    """Return how many people have each state, and the first and last time at which one changed."""
    names = ("pendingOut", "confirmedOut", "pendingIn", "confirmedIn")
    counts, first, last = [0] * 4, None, None
    for one in members:
        counts[2 * one.wanted + one.confirmed] += 1
        first = one.since if first is None else min(first, one.since)
        last = one.since if last is None else max(last, one.since)
    times = {"firstChange": moment_text(first), "lastChange": moment_text(last)}
    return {**dict(zip(names, counts, strict=True)), **times}


def moment_text(seconds: int | None) -> str | None:
    """Return a time, in seconds since 1970, as text."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
