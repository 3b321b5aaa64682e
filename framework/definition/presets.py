"""Presets: the subscriptions that a destination proposes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

from framework.errors import DefinitionError, UnknownNameError

PresetKind: TypeAlias = Literal["automatic", "specificEvent"]


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A subscription of a new connection, or one that an event of the host creates.

    Here, in Action and in Destination, *extra* holds the keys of a manifest that no attribute
    represents, so that it can be written again.
    Raises DefinitionError for an unknown *kind*, or an event preset without *event_slug*.
    """

    name: str
    action: str
    trigger: str | None = None
    mapping: Mapping[str, Any] = field(default_factory=dict)
    kind: PresetKind = "automatic"
    event_slug: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        problems, known = list[str](), get_args(PresetKind)
        if self.kind not in known:
            problems.append(str(UnknownNameError.of("kind of preset", self.kind, known, "kinds")))
        if self.kind == "specificEvent" and not self.event_slug:
            problems.append("`event_slug` must name the event of the host that creates it.")
        if problems:
            raise DefinitionError(
                f"Preset `{self.name}` is invalid: {' '.join(problems)}", problems
            )
