"""Criteo Audiences: keep contact lists at Criteo in sync with audiences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from destinations.criteo_audiences.actions import (
    ADD,
    REMOVE,
    CriteoSettings,
    audience_size,
    auth,
    check_authentication,
    check_connection,
    describe_error,
    find_conflicts,
    identify,
    member_payload,
    perform_batch,
)
from framework import Action, Destination, Preset, Rate, hookimpl

if TYPE_CHECKING:
    from destinations.criteo_audiences.sandbox import CriteoSandbox

__all__ = [
    "actions",
    "audience_size",
    "auth",
    "check_authentication",
    "check_connection",
    "describe_error",
    "destination",
    "identify",
    "make_sandbox",
    "member_payload",
    "perform_batch",
    "settings",
]


@hookimpl
def destination() -> Destination:
    """Return the destination's definition; Criteo allows an app 250 requests a minute."""
    return Destination(
        slug="actions-criteo-audiences",
        name="Criteo Audiences",
        description="Add users to Criteo audiences and remove them, as they enter and leave yours.",
        scheme="custom",
        presets=tuple(
            Preset(name=action.title, action=action.slug, trigger=action.trigger)
            for action in (ADD, REMOVE)
        ),
        rate=Rate(calls=250, seconds=60.0, scope=("client_id",)),
        conflicts=find_conflicts,
        adjustable=("api_version", "enable_batching"),
        credentials=("client_id",),
    )


@hookimpl
def settings() -> type[CriteoSettings]:
    """Return the settings class."""
    return CriteoSettings


@hookimpl
def actions() -> list[Action]:
    """Return the two actions: add users to an audience, and remove them."""
    return [ADD, REMOVE]


@hookimpl(specname="sandbox")
def make_sandbox() -> CriteoSandbox:
    """Return a simulated Criteo in memory; not named `sandbox`, which is a package here."""
    from destinations.criteo_audiences.sandbox import (  # noqa: PLC0415 - needed by tests and tools only
        CriteoSandbox,
    )

    return CriteoSandbox()
