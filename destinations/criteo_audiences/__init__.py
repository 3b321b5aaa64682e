"""Criteo Audiences: keep contact lists at Criteo in step with audiences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from destinations.criteo_audiences.actions import (
    ADD,
    REMOVE,
    CriteoSettings,
    auth,
    check_authentication,
    describe_error,
    identify,
    perform_batch,
)
from framework import Action, Destination, Preset, Rate, hookimpl

if TYPE_CHECKING:
    from destinations.criteo_audiences.sandbox import CriteoSandbox

__all__ = [
    "actions",
    "auth",
    "check_authentication",
    "describe_error",
    "destination",
    "identify",
    "perform_batch",
    "pretend_partner",
    "settings",
]


@hookimpl
def destination() -> Destination:
    """Give the destination's identity; Criteo allows an app 250 calls a minute."""
    return Destination(
        slug="actions-criteo-audiences",
        name="Criteo Audiences",
        description="Add users to Criteo audiences and remove them, as they enter and leave yours.",
        scheme="custom",
        presets=tuple(
            Preset(name=action.title, action=action.slug, trigger=action.trigger)
            for action in (ADD, REMOVE)
        ),
        rate=Rate(calls=250, seconds=60.0),
    )


@hookimpl
def settings() -> type[CriteoSettings]:
    """Give the class of the settings."""
    return CriteoSettings


@hookimpl
def actions() -> list[Action]:
    """Give the two actions: adding users to an audience and removing them."""
    return [ADD, REMOVE]


@hookimpl(specname="sandbox")
def pretend_partner() -> CriteoSandbox:
    """Give a pretend Criteo in memory; its name leaves `sandbox` to the package that holds it."""
    from destinations.criteo_audiences.sandbox import (  # noqa: PLC0415 - needed by benches only
        CriteoSandbox,
    )

    return CriteoSandbox()
