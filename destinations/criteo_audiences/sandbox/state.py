"""What the pretend Criteo knows: apps, tokens, segments with their members, and call budgets."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Final

from destinations.criteo_audiences.sandbox.options import Knobs
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
"""The attribute that makes a segment of a kind, and the kind's name."""

_FIRST_SEGMENT = 70001


@dataclass(frozen=True, slots=True)
class App:
    """A registered app: its credentials, its rights, and the advertisers that gave consent."""

    client_id: str
    client_secret: str = field(repr=False)
    advertisers: frozenset[str]
    rights: frozenset[str] = frozenset({READ, MANAGE})


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """An access token of an app, good until *expires*."""

    client_id: str
    expires: float


@dataclass(slots=True)
class Segment:
    """An audience segment; a contact list has a set of members for each identifier type."""

    id: str
    advertiser: str
    name: str
    description: str | None
    kind: str
    created: float
    updated: float
    read_only: bool = False
    members: dict[str, set[str]] = field(default_factory=dict)
    sizes: list[tuple[float, int]] = field(default_factory=list)

    def amend(self, operation: str, kind: str, identifiers: list[str], now: float) -> None:
        """Add or remove *identifiers* of one type."""
        held = self.members.setdefault(kind, set())
        if operation == "add":
            held.update(identifiers)
        else:
            held.difference_update(identifiers)
        self._resize(now)

    def clear(self, now: float) -> None:
        """Remove every member."""
        self.members.clear()
        self._resize(now)

    def size(self) -> int:
        """Count the members of all types."""
        return sum(map(len, self.members.values()))

    def size_at(self, time: float) -> int:
        """Count the members that there were at *time*."""
        at = bisect_right(self.sizes, (time, math.inf))
        return self.sizes[at - 1][1] if at else 0

    def _resize(self, now: float) -> None:
        self.updated = now
        self.sizes.append((now, self.size()))


class RateWindow:
    """How many calls an app has left in the window that *knobs* describe."""

    def __init__(self, knobs: Knobs) -> None:
        self._knobs = knobs
        self._times: deque[float] = deque()

    def take(self, now: float) -> bool:
        """Take one call, or say that there is none left."""
        if not self.remaining(now):
            return False
        self._times.append(now)
        return True

    def remaining(self, now: float) -> int:
        """Count the calls that are left at *now*."""
        start = self._start(now)
        while self._times and self._times[0] < start:
            self._times.popleft()
        return max(0, self._knobs.rate_limit - len(self._times))

    def reset(self, now: float) -> int:
        """Give the Unix time in whole seconds at which a call will be free again."""
        seconds = self._knobs.rate_seconds
        if self._knobs.rate_window == "fixed":
            return int(self._start(now)) + seconds
        return math.ceil((self._times[0] if self._times else now) + seconds)

    def headers(self, now: float) -> tuple[tuple[str, str], ...]:
        """Give the three headers that tell the budget."""
        return (
            ("x-ratelimit-limit", str(self._knobs.rate_limit)),
            ("x-ratelimit-remaining", str(self.remaining(now))),
            ("x-ratelimit-reset", str(self.reset(now))),
        )

    def _start(self, now: float) -> float:
        seconds = self._knobs.rate_seconds
        if self._knobs.rate_window == "fixed":
            return now // seconds * seconds
        # A call that is exactly one window old no longer counts.
        return math.nextafter(now - seconds, math.inf)


class CriteoState:
    """Everything that calls read and change; guarded by the sandbox's lock."""

    def __init__(self, apps: dict[str, App], knobs: Knobs, clock: SandboxClock) -> None:
        self.apps = apps
        self.knobs = knobs
        self.clock = clock
        self.tokens: dict[str, IssuedToken] = {}
        self.segments: dict[str, Segment] = {}
        self.budgets: dict[str, RateWindow] = {}
        self.searches = 0
        self._numbers = count(_FIRST_SEGMENT)
        self._traces = count(1)
        self._issued = count(1)

    def trace(self) -> str:
        """Give the next trace id."""
        return f"{next(self._traces):08x}"

    def issue(self, app: App) -> str:
        """Give a new token of *app*; earlier ones stay good."""
        token = f"sandbox.token.{next(self._issued)}"
        self.tokens[token] = IssuedToken(
            app.client_id, self.clock.time() + self.knobs.token_lifetime
        )
        return token

    def expire(self, token: str) -> None:
        """End the life of *token* now, if there is one."""
        if token in self.tokens:
            self.tokens[token] = replace(self.tokens[token], expires=self.clock.time())

    def budget(self, app: App) -> RateWindow:
        """Give the budget of *app*, all its tokens together."""
        if app.client_id not in self.budgets:
            self.budgets[app.client_id] = RateWindow(self.knobs)
        return self.budgets[app.client_id]

    def add_segment(
        self, advertiser: str, name: str, description: str | None, kind: str
    ) -> Segment:
        """Create a segment under the next id."""
        now = self.clock.time()
        number = str(next(self._numbers))
        segment = Segment(number, advertiser, name, description, kind, now, now)
        self.segments[number] = segment
        return segment

    def comparable(self, name: str) -> str:
        """Give *name* in the form in which names are compared."""
        return name.casefold() if self.knobs.name_comparison == "ignore-case" else name

    def processed_size(self, segment: Segment) -> int:
        """Count the members that statistics know of, which may be late."""
        if not self.knobs.statistics_delay:
            return segment.size()
        return segment.size_at(self.clock.time() - self.knobs.statistics_delay)

    def matches(self, segment: Segment) -> int:
        """Count those of them that the pretend identity graph knows."""
        return int(self.processed_size(segment) * self.knobs.match_rate)
