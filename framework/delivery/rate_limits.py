"""The limits of a partner that apply together, and whose budget they are."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias
from weakref import finalize

import httpx
from msgspec import Struct

from framework.clock import Clock, SystemClock
from framework.definition import Destination, Rate
from framework.delivery.recognition import digest_of
from framework.delivery.throttle import SOON, LocalRateStore, RateStore, Throttle, throttled

PATIENCE: Final = 90.0
"""Seconds that a request waits at most for its rates."""

_HEED: Final = 0.05  # seconds after which a wait for others looks at the clock again

RateStores: TypeAlias = Callable[[str], RateStore]
"""Returns the state of a budget, by the name of its account."""


class KeptRate(Struct, frozen=True):
    """One rate: its *throttle*, and the *slots* of requests at one time, if they are limited.

    With a *target*, it counts requests whose method and path match.
    """

    throttle: Throttle
    target: re.Pattern[str] | None = None
    slots: threading.Semaphore | None = None

    def counts(self, request: httpx.Request) -> bool:
        """Return whether *request* counts."""
        target = self.target
        return target is None or bool(target.fullmatch(f"{request.method} {request.url.path}"))


class RateLimits:
    """The limits of one connection; *base* keeps the pauses that the partner requests.

    A request goes out when all limits that count it allow it. What the partner says about its
    limits in a response applies to those of the endpoint, if it has some, otherwise to the others.
    """

    def __init__(
        self, base: Throttle, limits: Sequence[KeptRate] = (), clock: Clock | None = None
    ) -> None:
        self._base = base
        self._limits = limits
        self._whole = [base, *(one.throttle for one in limits if one.target is None)]
        self._clock = clock or SystemClock()
        self._booking = threading.Lock()

    @property
    def is_paced(self) -> bool:
        """Whether there is a rate for all requests, so that a call makes the next ones wait."""
        return any(one.is_paced for one in self._whole)

    def wait(self) -> float:
        """Return the seconds until a call may go out, as far as all calls are limited."""
        return max(one.wait() for one in self._whole)

    def pause(self, status: int, headers: Mapping[str, str]) -> float | None:
        """Return the seconds to wait after a response with *status*, or None."""
        return self._base.pause(status, headers)

    def take(
        self,
        request: httpx.Request,
        guard: Callable[[], object],
        held: list[threading.Semaphore],
    ) -> None:
        """Wait until *request* is allowed, then call *guard*, which may refuse it by raising.

        The slots that it takes are added to *held*; release them. Raises RetryableError (429,
        `THROTTLED`) if the wait is longer than 90 seconds.
        """
        limits = [one for one in self._limits if one.counts(request)] if self._limits else ()
        for one in limits:
            if one.slots:
                while not one.slots.acquire(timeout=_HEED):
                    self._clock.sleep(0.0)  # raises if a stop was requested
                held.append(one.slots)
        if limits:
            self._wait_for([self._base, *(one.throttle for one in limits)])
            guard()
        else:
            self._base.take(guard)

    def tell(self, request: httpx.Request, status: int, headers: Mapping[str, str]) -> None:
        """Apply the rate limit in the headers of a response to the next calls."""
        own = [one.throttle for one in self._limits if one.target and one.counts(request)]
        for throttle in own or self._whole:
            throttle.tell(status, headers)

    def _wait_for(self, throttles: Sequence[Throttle]) -> None:
        """Wait until all of *throttles* allow a call, and book it in all of them at one time.

        A call that was booked ahead in one would keep others from going out meanwhile.
        """
        waited = 0.0
        while True:
            with self._booking:
                ahead = max(one.wait() for one in throttles)
                if ahead <= SOON and all(one.book() for one in throttles):
                    return
            if waited + ahead > PATIENCE:
                raise throttled(ahead)
            self._clock.sleep(max(ahead, SOON))
            waited += ahead


class _Shared(Struct):
    """What connections of one process share, by account."""

    stores: dict[str, RateStore] = {}
    slots: dict[str, threading.Semaphore] = {}
    kept: list[Any] = []


class _Network:
    """Stands in the place of a transport."""


_NETWORK: Final = _Network()
_SYSTEM: Final = SystemClock()
_shared: dict[tuple[int, int], _Shared] = {}
"""What connections share, by the identities of transport and clock while both exist."""
_sharing: Final = threading.Lock()


def limits_of(  # noqa: PLR0913 - what a limit depends on
    definition: Destination,
    rates: Sequence[Rate],
    settings: Mapping[str, Any],
    *,
    name: str,
    share: float,
    clock: Clock,
    base: Clock | None,
    transport: httpx.BaseTransport | None,
    stores: RateStores | None,
) -> RateLimits:
    """Return the limits of a connection called *name*, of which it uses a *share*.

    Budgets with a scope are shared by connections of this process over the same *transport* (None:
    the network) and clock *base*, or by *stores*.
    """
    shared = _shared_by(None, None) if stores else _shared_by(transport, base)

    def limit_of(rate: Rate) -> KeptRate:
        account = rate_account(definition, rate, settings, name)
        store: RateStore | None
        if stores:
            store = stores(account)
        else:
            store = shared.stores.setdefault(account, LocalRateStore()) if rate.scope else None
        slots = None
        if rate.concurrency:
            slots = threading.Semaphore(rate.concurrency)
            slots = shared.slots.setdefault(account, slots) if rate.scope else slots
        throttle = Throttle(rate, share=share, clock=clock, store=store)
        return KeptRate(throttle, target_of(rate.endpoint), slots)

    with _sharing:
        limits = [limit_of(rate) for rate in rates]
    whole = definition.rate
    if limits and whole and not (whole.endpoint or whole.concurrency):
        return RateLimits(limits[0].throttle, limits[1:], clock)
    account = rate_account(definition, None, settings, name)
    pauses = Throttle(share=share, clock=clock, store=stores(account) if stores else None)
    return RateLimits(pauses, limits, clock)


def rate_account(
    definition: Destination, rate: Rate | None, settings: Mapping[str, Any], name: str
) -> str:
    """Return the account whose budget a connection called *name* with *settings* uses.

    Connections of one destination that agree in the scope of a rate have one. Without a rate, it
    is the connection's own.
    """
    scope = rate.scope if rate else ()
    whose: Any = {key: settings.get(key) for key in scope} if scope else name
    account = f"{definition.slug} {digest_of(json.dumps(whose, sort_keys=True, default=str))}"
    if rate is None or rate == definition.rate:
        return account
    return f"{account} {rate.endpoint or '*'} {rate.calls}/{rate.seconds:g}"


def target_of(endpoint: str) -> re.Pattern[str] | None:
    """Return what the requests of an endpoint match, None if it is empty: all do."""
    if not endpoint:
        return None
    parts = re.split(r"(\{[^/}]*\})", endpoint)
    return re.compile("".join("[^/]+" if one[:1] == "{" else re.escape(one) for one in parts))


def _shared_by(transport: httpx.BaseTransport | None, base: Clock | None) -> _Shared:
    clock = _SYSTEM if base is None or type(base) is SystemClock else base
    over = _NETWORK if transport is None else transport
    key = (id(over), id(clock))
    with _sharing:
        if (found := _shared.get(key)) is None:
            found = _shared[key] = _Shared()
            for one in (over, clock):
                try:
                    finalize(one, _shared.pop, key, None).atexit = False
                except (
                    TypeError
                ):  # it has slots only; it is kept, so that no other gets its identity
                    found.kept.append(one)
        return found
