"""CriteoSandbox: a simulated Criteo API as a WSGI app, with inspectable state and faults."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any, ClassVar, Final

from destinations.criteo_audiences.sandbox import router
from destinations.criteo_audiences.sandbox.options import CriteoOptions
from destinations.criteo_audiences.sandbox.responses import seven_digits
from destinations.criteo_audiences.sandbox.state import (
    CONTACT_LIST,
    App,
    CriteoState,
    MemberSet,
    Segment,
)
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
"""The app that a sandbox knows by default."""


class CriteoSandbox(Sandbox):
    """A simulated Criteo Marketing Solutions API with the audience endpoints.

    *apps* are known (by default `DEMO_APP`); *options* select among undocumented behaviors.
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
        options: CriteoOptions | None = None,
        clock: SandboxClock | None = None,
    ) -> None:
        super().__init__(clock)
        self._apps = {app.client_id: app for app in apps}
        self._options = options or CriteoOptions()
        self.clear()

    @property
    def options(self) -> CriteoOptions:
        """How the sandbox behaves; setting it resets every app's rate window."""
        return self._options

    @options.setter
    def options(self, options: CriteoOptions) -> None:
        with self.lock:
            self._options = self._state.options = options
            self._state.rate_windows.clear()

    @property
    def body_limit(self) -> int | None:
        """Maximum size in bytes of a request body that is read, or None."""
        return self.options.body_limit

    def clear(self) -> None:
        """Remove tokens, segments and rate windows; keep apps and options."""
        self._state = CriteoState(self._apps, self.options, self.clock)

    def settings(self) -> dict[str, Any]:
        """Return connection settings of the first app with its first advertiser."""
        app = next(iter(self._apps.values()))
        return {
            "client_id": app.client_id,
            "client_secret": app.client_secret,
            "advertiser_id": min(app.advertisers, default=""),
        }

    def admit(self, settings: Mapping[str, Any]) -> None:
        """Register an app with the credentials and the advertiser in *settings*.

        An app with the same client ID gets the new secret and the advertiser in addition.
        """
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
        """Create a segment, as if in Criteo's own interface, and return its ID.

        *members* are addresses or their hashes.
        """
        with self.lock:
            segment = self._state.add_segment(advertiser, name, description, kind)
            segment.read_only = read_only
            segment.amend("add", "email", list(members), segment.created)
            return segment.id

    def members(
        self, name: str, *, identifier_type: str = "email", advertiser: str | None = None
    ) -> frozenset[str]:
        """Return the members of the audience *name*; raises KeyError if it does not exist."""
        with self.lock:
            for segment in self._state.segments.values():
                if segment.name == name and advertiser in {None, segment.advertiser}:
                    return frozenset(segment.members.get(identifier_type, ()))
        raise KeyError(name)

    def route(self, request: SandboxRequest) -> SandboxRoute:
        """Return the route of the endpoint that *request* addresses."""
        return router.find(self._state, request)

    def fail(self, fault: Fault, route: SandboxRoute, request: SandboxRequest) -> SandboxResponse:
        """Return the response for one of Criteo's own faults."""
        return router.fail(self._state, fault, route, request)

    def describe(self, detail: str) -> dict[str, Any]:
        """Return apps, options and segments as JSON; members as counts, digests or lists."""
        return {
            "knobs": {
                key: sorted(value) if isinstance(value, frozenset) else value
                for key, value in asdict(self.options).items()
            },
            "apps": [
                {
                    "client_id": app.client_id,
                    "advertisers": sorted(app.advertisers),
                    "rights": sorted(app.rights),
                    "calls_left": self._state.rate_window(app).remaining(self.clock.time()),
                }
                for app in self._apps.values()
            ],
            "segments": [_describe(one, detail) for one in self._state.segments.values()],
        }

    def panels(self) -> tuple[Panel, ...]:
        """Return tables of the audiences with their sizes, and of the requests left."""
        audiences = tuple(
            (one.name, one.id, one.advertiser, one.kind, one.size(), seven_digits(one.updated)[:19])
            for one in self._state.segments.values()
        )
        columns = ("Audience", "Id", "Advertiser", "Kind", "Members", "Changed (UTC)")
        now = self.clock.time()
        limits = tuple(
            (client, self.options.rate_limit, window.remaining(now), int(window.reset(now) - now))
            for client, window in self._state.rate_windows.items()
        )
        return (
            Panel("Audiences", columns, audiences, "No audiences yet."),
            Panel("Rate limits", ("App", "Limit", "Remaining", "Seconds to reset"), limits),
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


def _digest(members: MemberSet) -> dict[str, Any]:
    """Return the number of members and the SHA-256 of their sorted lines."""
    text = "\n".join(sorted(members))
    return {"count": len(members), "sha256": hashlib.sha256(text.encode()).hexdigest()}
