"""One route of the tester's own API, and the requests that its function gets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from msgspec import UNSET, UnsetType, defstruct

from framework.paths import JSON
from framework.tester.workspace import Workspace


@dataclass(frozen=True)
class Operation:
    """One route of the API: *body* is the type of the request body, *answer* of the response.

    *place* is its method and its path, separated by a space.
    *stream* marks routes that return server-sent events; *parameters* are query parameters.
    *refusals* are the error statuses in addition to those of every route.
    """

    id: str
    place: str
    refusals: tuple[int, ...]
    summary: str
    answer: Any
    body: Any = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    stream: bool = False

    @property
    def method(self) -> str:
        """The method of its requests."""
        return self.place.partition(" ")[0]

    @property
    def path(self) -> str:
        """The path of its requests, with the names of variable parts in braces."""
        return self.place.partition(" ")[2]


@dataclass(frozen=True)
class ApiRequest:
    """One request to the API: the names in its path, and its validated body."""

    workspace: Workspace
    names: Mapping[str, str]
    body: Mapping[str, Any]


View: TypeAlias = Callable[[ApiRequest], JSON]
"""Returns the response of an operation that is not a stream."""


def record(name: str, /, *omissible: str, **fields: Any) -> Any:
    """Return the type of an object that only one operation uses."""
    rows: list[Any] = [
        (key, kind | UnsetType, UNSET) if key in omissible else (key, kind)
        for key, kind in fields.items()
    ]
    return defstruct(name, rows, kw_only=True)
