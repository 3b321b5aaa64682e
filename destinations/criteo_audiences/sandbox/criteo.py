"""CriteoSandbox: the pretend Criteo as a WSGI app that can be looked into and made to fail."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any, ClassVar, Final

from destinations.criteo_audiences.sandbox import router
from destinations.criteo_audiences.sandbox.options import Knobs
from destinations.criteo_audiences.sandbox.responses import seven_digits
from destinations.criteo_audiences.sandbox.state import CONTACT_LIST, App, CriteoState, Segment
from framework.sandbox import (
    Fault,
    Panel,
    Sandbox,
    SandboxClock,
    SandboxRequest,
    SandboxResponse,
    SandboxRoute,
)

DEMO_APP: Final = App("sandbox-client", "sandbox-secret", frozenset({"12345"}))
"""The app that a sandbox knows unless it is told others."""


class CriteoSandbox(Sandbox):
    """A pretend Criteo Marketing Solutions API with the audience endpoints.

    *apps* are let in (by default `DEMO_APP`), *knobs* settle what is not known of the real one.
    The names in `calls` are token, search, create, update, delete, amend, clear, statistics,
    compute-sizes, estimate-size, me, advertisers and unknown.
    """

    name: ClassVar[str] = "Criteo Audiences"
    origins: ClassVar[tuple[str, ...]] = ("https://api.criteo.com",)
    own_faults: ClassVar[Mapping[str, str]] = router.FAULTS

    def __init__(
        self,
        apps: Iterable[App] = (DEMO_APP,),
        *,
        knobs: Knobs | None = None,
        clock: SandboxClock | None = None,
    ) -> None:
        super().__init__(clock)
        self._apps = {app.client_id: app for app in apps}
        self._knobs = knobs or Knobs()
        self.clear()

    @property
    def knobs(self) -> Knobs:
        """How the sandbox behaves; setting it gives every app a full budget."""
        return self._knobs

    @knobs.setter
    def knobs(self, knobs: Knobs) -> None:
        with self.lock:
            self._knobs = self._world.knobs = knobs
            self._world.budgets.clear()

    @property
    def body_limit(self) -> int | None:
        """The most bytes of a body that are read."""
        return self.knobs.body_limit

    def clear(self) -> None:
        """Forget tokens, segments and calls; apps and knobs stay."""
        self._world = CriteoState(self._apps, self.knobs, self.clock)

    def settings(self) -> dict[str, Any]:
        """Give the settings of the first app with its first advertiser."""
        app = next(iter(self._apps.values()))
        return {
            "client_id": app.client_id,
            "client_secret": app.client_secret,
            "advertiser_id": min(app.advertisers, default=""),
        }

    def admit(self, settings: Mapping[str, Any]) -> None:
        """Know an app with the credentials and the advertiser of *settings* from now on."""
        client, secret, advertiser = (
            str(settings[name]) for name in ("client_id", "client_secret", "advertiser_id")
        )
        with self.lock:
            app = self._apps.get(client) or App(client, secret, frozenset())
            advertisers = app.advertisers | {advertiser}
            self._apps[client] = replace(app, client_secret=secret, advertisers=advertisers)

    def add_segment(  # noqa: PLR0913 - the parts of a segment
        self,
        name: str,
        *,
        advertiser: str = "12345",
        description: str | None = None,
        kind: str = CONTACT_LIST,
        read_only: bool = False,
        members: Iterable[str] = (),
    ) -> str:
        """Put a segment there, as if it had been made in Criteo's interface, and give its id.

        *members* are addresses or their hashes.
        """
        with self.lock:
            segment = self._world.add_segment(advertiser, name, description, kind)
            segment.read_only = read_only
            segment.amend("add", "email", list(members), segment.created)
            return segment.id

    def members(
        self, name: str, *, identifier_type: str = "email", advertiser: str | None = None
    ) -> frozenset[str]:
        """Give the members of the audience called *name*; raises KeyError where there is none."""
        with self.lock:
            for segment in self._world.segments.values():
                if segment.name == name and advertiser in {None, segment.advertiser}:
                    return frozenset(segment.members.get(identifier_type, ()))
        raise KeyError(name)

    def route(self, request: SandboxRequest) -> SandboxRoute:
        """Find the endpoint that *request* is for."""
        return router.find(self._world, request)

    def fail(self, fault: Fault, route: SandboxRoute, request: SandboxRequest) -> SandboxResponse:
        """Answer with one of Criteo's own faults."""
        return router.fail(self._world, fault, route, request)

    def describe(self, detail: str) -> dict[str, Any]:
        """Give apps, knobs and segments; members are counted, digested or listed."""
        return {
            "knobs": _plain(asdict(self.knobs)),
            "apps": [
                {
                    "client_id": app.client_id,
                    "advertisers": sorted(app.advertisers),
                    "rights": sorted(app.rights),
                    "calls_left": self._world.budget(app).remaining(self.clock.time()),
                }
                for app in self._apps.values()
            ],
            "segments": [_describe(one, detail) for one in self._world.segments.values()],
        }

    def panels(self) -> tuple[Panel, ...]:
        """Give the audiences with their sizes, and what is left of the call budgets."""
        audiences = tuple(
            (one.name, one.id, one.advertiser, one.kind, one.size(), seven_digits(one.updated)[:19])
            for one in self._world.segments.values()
        )
        columns = ("Audience", "Id", "Advertiser", "Kind", "Members", "Changed (UTC)")
        now = self.clock.time()
        budgets = tuple(
            (client, self.knobs.rate_limit, budget.remaining(now), int(budget.reset(now) - now))
            for client, budget in self._world.budgets.items()
        )
        return (
            Panel("Audiences", columns, audiences, "No audience has been created yet."),
            Panel("Calls left", ("App", "Limit", "Left", "Seconds to reset"), budgets),
        )


def _describe(segment: Segment, detail: str) -> dict[str, Any]:
    members: dict[str, Any]
    if detail == "members":
        members = {kind: sorted(held) for kind, held in segment.members.items()}
    elif detail == "digests":
        members = {kind: _digest(held) for kind, held in segment.members.items()}
    else:
        members = {kind: len(held) for kind, held in segment.members.items()}
    return {
        "id": segment.id,
        "advertiser": segment.advertiser,
        "name": segment.name,
        "kind": segment.kind,
        "read_only": segment.read_only,
        "members": members,
    }


def _digest(members: set[str]) -> dict[str, Any]:
    """Count members and hash their sorted lines: the same set has the same digest anywhere."""
    text = "\n".join(sorted(members))
    return {"count": len(members), "sha256": hashlib.sha256(text.encode()).hexdigest()}


def _plain(knobs: dict[str, Any]) -> dict[str, Any]:
    return {k: sorted(v) if isinstance(v, frozenset) else v for k, v in knobs.items()}
