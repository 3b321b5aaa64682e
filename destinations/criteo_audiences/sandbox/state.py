"""State of the simulated Criteo: apps, tokens, segments with their members, and rate windows."""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Final

from destinations.criteo_audiences.sandbox.options import CriteoOptions
from framework.sandbox import SandboxClock

READ: Final = "MarketingSolutions_Audience_Read"
MANAGE: Final = "MarketingSolutions_Audience_Manage"
CONTACT_LIST: Final = "ContactList"
KINDS: Final = {
    "contactList": CONTACT_LIST,
    "inMarket": "InMarket",
    "location": "Location",
    "lookalike": "Lookalike",
    "prospecting": "Prospecting",
    "retargeting": "Retargeting",
}
"""Kinds of segments: the attribute that creates one, and its type name."""

_FIRST_SEGMENT = 70001


@dataclass(frozen=True, slots=True)
class App:
    """A registered app: its credentials, its permissions, and the advertisers that gave consent."""

    client_id: str
    client_secret: str = field(repr=False)
    advertisers: frozenset[str]
    rights: frozenset[str] = frozenset({READ, MANAGE})


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """An access token of an app, valid until the Unix time *expires*."""

    client_id: str
    expires: float


class MemberSet:
    """The members of a contact list of one identifier type.

    Like Criteo, they are known by the hash that is made on receipt: SHA-256 of everything that is
    no SHA-256 hash yet. So an address and its SHA-256 hash are one member, and so are an MD5 hash
    and the SHA-256 hash of that; nothing says that all four are one user. Each member is shown in
    the form in which it was added first.
    """

    def __init__(self) -> None:
        self._form = ""
        self._shown: set[str] = set()
        self._by_hash: dict[str, str] | None = None

    def __len__(self) -> int:
        return len(self._shown if self._by_hash is None else self._by_hash)

    def __iter__(self) -> Iterator[str]:
        return iter(self._shown if self._by_hash is None else self._by_hash.values())

    def amend(self, operation: str, identifiers: list[str]) -> None:
        """Add or remove *identifiers*."""
        held = self._hashed(identifiers)
        if held is None:
            change = self._shown.update if operation == "add" else self._shown.difference_update
            change(identifiers)
            return
        for one in identifiers:
            if operation == "add":
                held.setdefault(_received(one), one)
            else:
                held.pop(_received(one), None)

    def _hashed(self, identifiers: list[str]) -> dict[str, str] | None:
        """Return the members by hash; None as long as all are addresses or all are hashes.

        Equal members are equal texts then, and hashing millions of them is not needed.
        """
        if self._by_hash is None and identifiers:
            form = _form(identifiers)
            if form and self._form in {"", form}:
                self._form = form
            else:
                self._by_hash = {_received(one): one for one in self._shown}
        return self._by_hash


def _form(identifiers: list[str]) -> str:
    if "".join(identifiers).count("@") == len(identifiers):
        return "plain" if all(one.islower() for one in identifiers) else ""
    return "sha256" if set(map(len, identifiers)) == {64} and _are_hashes(identifiers) else ""


def _are_hashes(identifiers: list[str]) -> bool:
    return not "".join(identifiers).encode().translate(None, b"0123456789abcdef")


def _received(identifier: str) -> str:
    """Return what a member is known by, from an identifier in any form."""
    text = identifier.strip().lower()
    if len(text) == 64 and _are_hashes([text]):
        return text
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(slots=True)
class Segment:
    """An audience segment; a contact list has members for each identifier type.

    *created* and *updated* are Unix times; *sizes* is the history of sizes with their times.
    """

    id: str
    advertiser: str
    name: str
    description: str | None
    kind: str
    created: float
    updated: float
    read_only: bool = False
    members: dict[str, MemberSet] = field(default_factory=dict)
    sizes: list[tuple[float, int]] = field(default_factory=list)

    def amend(self, operation: str, kind: str, identifiers: list[str], now: float) -> None:
        """Add or remove *identifiers* of one type."""
        self.members.setdefault(kind, MemberSet()).amend(operation, identifiers)
        self._resize(now)

    def clear(self, now: float) -> None:
        """Remove every member."""
        self.members.clear()
        self._resize(now)

    def size(self) -> int:
        """Return the number of members of all types."""
        return sum(map(len, self.members.values()))

    def size_at(self, time: float) -> int:
        """Return the number of members at the Unix time *time*."""
        at = bisect_right(self.sizes, (time, math.inf))
        return self.sizes[at - 1][1] if at else 0

    def _resize(self, now: float) -> None:
        self.updated = now
        self.sizes.append((now, self.size()))


class RateWindow:
    """The requests of an app in the current rate limit window, as *options* configure it."""

    def __init__(self, options: CriteoOptions) -> None:
        self._options = options
        self._times: deque[float] = deque()

    def count(self, now: float) -> bool:
        """Count one request; return whether it is within the limit."""
        if not self.remaining(now):
            return False
        self._times.append(now)
        return True

    def remaining(self, now: float) -> int:
        """Return how many requests are left at *now*."""
        start = self._start(now)
        while self._times and self._times[0] < start:
            self._times.popleft()
        return max(0, self._options.rate_limit - len(self._times))

    def reset(self, now: float) -> int:
        """Return the Unix time in whole seconds from which a request is allowed again."""
        seconds = self._options.rate_seconds
        if self._options.rate_window == "fixed":
            return int(self._start(now)) + seconds
        return math.ceil((self._times[0] if self._times else now) + seconds)

    def headers(self, now: float) -> tuple[tuple[str, str], ...]:
        """Return the three rate limit headers."""
        return (
            ("x-ratelimit-limit", str(self._options.rate_limit)),
            ("x-ratelimit-remaining", str(self.remaining(now))),
            ("x-ratelimit-reset", str(self.reset(now))),
        )

    def _start(self, now: float) -> float:
        seconds = self._options.rate_seconds
        if self._options.rate_window == "fixed":
            return now // seconds * seconds
        # A request that is exactly one window old no longer counts.
        return math.nextafter(now - seconds, math.inf)


class CriteoState:
    """Everything that requests read and change; guarded by the sandbox's lock."""

    def __init__(self, apps: dict[str, App], options: CriteoOptions, clock: SandboxClock) -> None:
        self.apps = apps
        self.options = options
        self.clock = clock
        self.tokens: dict[str, IssuedToken] = {}
        self.segments: dict[str, Segment] = {}
        self.rate_windows: dict[str, RateWindow] = {}
        self.searches = 0
        self._numbers = count(_FIRST_SEGMENT)
        self._traces = count(1)
        self._issued = count(1)

    def trace(self) -> str:
        """Return the next trace ID."""
        return f"{next(self._traces):08x}"

    def issue(self, app: App) -> str:
        """Return a new token of *app*; earlier ones stay valid."""
        token = f"sandbox.token.{next(self._issued)}"
        self.tokens[token] = IssuedToken(
            app.client_id, self.clock.time() + self.options.token_lifetime
        )
        return token

    def expire(self, token: str) -> None:
        """Let *token* expire now, if it exists."""
        if token in self.tokens:
            self.tokens[token] = replace(self.tokens[token], expires=self.clock.time())

    def rate_window(self, app: App) -> RateWindow:
        """Return the rate window of *app*, shared by all its tokens."""
        if app.client_id not in self.rate_windows:
            self.rate_windows[app.client_id] = RateWindow(self.options)
        return self.rate_windows[app.client_id]

    def add_segment(
        self, advertiser: str, name: str, description: str | None, kind: str
    ) -> Segment:
        """Create a segment with the next ID and return it."""
        now = self.clock.time()
        number = str(next(self._numbers))
        segment = Segment(number, advertiser, name, description, kind, now, now)
        self.segments[number] = segment
        return segment

    def comparable(self, name: str) -> str:
        """Return *name* in the form used to compare names."""
        return name.casefold() if self.options.name_comparison == "ignore-case" else name

    def processed_size(self, segment: Segment) -> int:
        """Return the number of members in statistics, which may lag behind."""
        if not self.options.statistics_delay:
            return segment.size()
        return segment.size_at(self.clock.time() - self.options.statistics_delay)

    def matches(self, segment: Segment) -> int:
        """Return how many of them the simulated identity graph matches."""
        return int(self.processed_size(segment) * self.options.match_rate)
