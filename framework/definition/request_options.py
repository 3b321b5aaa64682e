"""What all requests of one call of a destination have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import httpx

_Param: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True, kw_only=True)
class RequestOptions:
    """Defaults for the requests of one call, which a request replaces by its own.

    Relative addresses begin with *base_url*; *headers* and *params* (of the query) are added to
    those of the request; *timeout* is a number of seconds for a request, or an httpx.Timeout;
    *auth* replaces the flow of the hook `auth`.
    """

    base_url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, _Param] = field(default_factory=dict)
    timeout: float | httpx.Timeout | None = None
    auth: httpx.Auth | None = None
