"""The limits of a partner on the rate of requests."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from math import inf
from typing import Any, Final, TypeAlias

from framework.errors import DefinitionError

_ENDPOINT: Final = re.compile(r"[A-Z]+ /[^\s?#]*")


@dataclass(frozen=True)
class Rate:
    """A rate limit: at most *calls* requests in any period of *seconds*.

    With an *endpoint*, such as `POST /lists/{id}/people`, it counts the requests with this method
    and path, as they are sent; a part in braces matches any one part of a path. At most
    *concurrency* of them are under way at one time in a process; each process counts its own.
    *scope* names the settings that say whose budget it is, such as an application of the partner's:
    connections that agree in them share it, in one process and in a relay. Without any, each
    connection has a budget of its own.
    """

    calls: int
    seconds: float = 60.0
    _: KW_ONLY
    endpoint: str = ""
    concurrency: int | None = None
    scope: Sequence[str] = ()


RATES_BY_SETTINGS: Final = "by-settings"
"""The `rates` of a manifest whose destination has a function of the settings for them."""

RatesOfSettings: TypeAlias = Callable[[Any], Sequence[Rate]]
"""Returns the rates for a settings object, such as those of a plan."""


def unknown_rates(settings: Any) -> Sequence[Rate]:
    """Return no rates: those of a manifest whose rates depend on the settings."""
    del settings
    return ()


def rate_problems(rates: Any, name: str, settings: Collection[str]) -> Iterator[str]:
    """Yield the problems of the value of `rate` or `rates`, called *name*.

    *settings* are the names of the settings, empty if they are not known yet.
    """
    if callable(rates) and name == "rates":
        return
    if not isinstance(rates, list | tuple) or not all(isinstance(one, Rate) for one in rates):
        yield f"`{name}` must hold Rate objects, or be a function of settings that returns them."
        return
    for rate in rates:
        yield from (f"A Rate in `{name}`: {text}" for text in _problems(rate))
        named = () if isinstance(rate.scope, str) else rate.scope
        unknown = [key for key in named if key not in settings] if settings else []
        for key in unknown:
            yield f"`scope` of a Rate in `{name}` names the unknown setting `{key}`."


def check_rates(rates: Any, slug: str, settings: Collection[str]) -> tuple[Rate, ...]:
    """Return what a function of *settings* has returned; raises DefinitionError if it is wrong."""
    problems = [*rate_problems(rates, "rates of the settings", settings)]
    if problems:
        raise DefinitionError(f"Destination `{slug}` is invalid: {' '.join(problems)}", problems)
    return tuple(rates)


def _problems(rate: Rate) -> Iterator[str]:
    if type(rate.calls) is not int or rate.calls < 1:
        yield f"`calls` must be a positive whole number, got {rate.calls!r}."
    if type(rate.seconds) not in {int, float} or not 0 < rate.seconds < inf:
        yield f"`seconds` must be a positive number, got {rate.seconds!r}."
    if rate.concurrency is not None and (type(rate.concurrency) is not int or rate.concurrency < 1):
        yield f"`concurrency` must be a positive whole number, got {rate.concurrency!r}."
    if rate.endpoint and not _ENDPOINT.fullmatch(rate.endpoint):
        got = f"got `{rate.endpoint}`"
        yield f"`endpoint` must be a method and a path, such as `POST /batch`, {got}."
    if isinstance(rate.scope, str):
        yield f"`scope` must be a list of settings, got the text `{rate.scope}`."
