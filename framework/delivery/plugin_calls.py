"""The parts of a plugin that a delivery calls, and the rows that it passes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

from framework.definition import Destination


class Implementation(Protocol):
    """The parts of a plugin that a delivery uses: its definition, and its hooks by name."""

    @property
    def definition(self) -> Destination:
        """The destination's definition."""

    def implements(self, hook: str) -> bool:
        """Return whether anything implements *hook*."""

    def wants(self, hook: str) -> frozenset[str]:
        """Return the names of the arguments that implementations of *hook* ask for."""

    def call(self, hook: str, **arguments: Any) -> Any:
        """Call *hook*."""


class PluginView:
    """A plugin as it is; subclasses change how its hooks are called."""

    def __init__(self, plugin: Implementation) -> None:
        self._plugin = plugin

    @property
    def definition(self) -> Destination:
        """The destination's definition."""
        return self._plugin.definition

    def implements(self, hook: str) -> bool:
        """Return whether anything implements *hook*."""
        return self._plugin.implements(hook)

    def wants(self, hook: str) -> frozenset[str]:
        """Return the names of the arguments that implementations of *hook* ask for."""
        return self._plugin.wants(hook)


class BatchInput(Struct, frozen=True):
    """The rows of a batch, aligned; *key* has the values of the batch keys by name.

    Payloads and events are present only if a hook asks for them. *forget_members* clears the ledger
    of the audience that the rows are about. *keys* returns the idempotency key of the row at a
    place, None for the batch. *audience* is the one that all rows are about, if a hook asks for it.
    *further* are the other identifiers of rows that concern several.
    """

    size: int
    key: Mapping[str, Any]
    identifiers: Sequence[str | None]
    payloads: Sequence[Any] = ()
    events: Sequence[Any] = ()
    forget_members: Callable[[], None] = lambda: None
    keys: Callable[[int | None], str] = lambda _: ""
    audience: Any = None
    further: Sequence[str] = ()

    @property
    def idempotency_key(self) -> str:
        """The idempotency key of the batch."""
        return self.keys(None)


class Preview(Struct, frozen=True):
    """What a batch of *size* rows would send, as the hook `preview` shows it: JSON."""

    action: str
    size: int
    shown: Any
