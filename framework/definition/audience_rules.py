"""Audiences that a partner knows by an ID of its own: how they are created and found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeAlias, TypeVar, get_args

from framework.definition.typed_classes import Settings

if TYPE_CHECKING:
    import httpx

SettingsT = TypeVar("SettingsT")
ChosenT = TypeVar("ChosenT")

AudienceMode: TypeAlias = Literal["synced", "realtime"]

_MODES: Final = get_args(AudienceMode)


class NoAudienceSettings(Settings):
    """Settings of audiences without any."""


@dataclass(frozen=True, kw_only=True)
class AudienceCall(Generic[SettingsT, ChosenT]):
    """An audience of the host, as `create` and `get` see it, and hooks as their `audience`.

    *key* and *computation_id* identify it at the host, in the *space* of that ID. *external_id* is
    its ID at the partner; None while it is created. Requests over *client* have the destination's
    credentials.
    """

    client: httpx.Client
    settings: SettingsT
    name: str
    key: str = ""
    computation_id: str | None = None
    space: str | None = None
    audience_settings: ChosenT
    external_id: str | None = None

    def known_as(self, external_id: str) -> AudienceCall[SettingsT, ChosenT]:
        """Return the same audience with its ID at the partner."""
        return replace(self, external_id=external_id)


@dataclass(frozen=True, kw_only=True)
class Audiences:
    """How audiences of the host become audiences of the partner.

    *create* returns the ID of a new audience. *get* returns the ID of the audience `external_id`,
    or None if it does not exist any more; it checks a kept ID before its first use in a process.
    *settings* is the class of the settings that a user chooses for each audience. *mode* is told in
    the manifest. With *full_sync* the partner replaces the members of an audience by a list:
    `actions audience mirror` sends all of it, and `perform_batch` gets `full_list` with the last
    call. The hook `member_payload` makes the payloads.
    """

    create: Callable[[AudienceCall[Any, Any]], str]
    get: Callable[[AudienceCall[Any, Any]], str | None] | None = None
    settings: type[Settings] = NoAudienceSettings
    mode: AudienceMode = "synced"
    full_sync: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the configuration as in a manifest."""
        return {"mode": {"type": self.mode, "full_audience_sync": self.full_sync}}


def audience_problems(rules: Any) -> Iterator[str]:
    """Yield the problems of the rules for audiences."""
    if rules is None:
        return
    if not isinstance(rules, Audiences):
        yield f"`audience` must be Audiences, got {type(rules).__name__}."
        return
    for name in ("create", "get"):
        function = getattr(rules, name)
        if not (callable(function) or (name == "get" and function is None)):
            yield f"`{name}` of Audiences must be a function, got {type(function).__name__}."
    if not (isinstance(rules.settings, type) and issubclass(rules.settings, Settings)):
        yield f"`settings` of Audiences must be a Settings class, got {rules.settings!r}."
    if rules.mode not in _MODES:
        yield f"`mode` of Audiences must be `synced` or `realtime`, got {rules.mode!r}."
