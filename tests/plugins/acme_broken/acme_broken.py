"""A destination that misspells a hook."""

from framework import Action, Destination, Payload, field, hookimpl


class Nothing(Payload):
    """Nothing at all."""

    text: str | None = field("Text", "What to say.")


@hookimpl
def destination() -> Destination:
    return Destination(slug="broken", name="Broken", description="Never loads.")


@hookimpl
def actions() -> list[Action]:
    return [Action(slug="doNothing", title="Do nothing", payload=Nothing)]


@hookimpl
def preform(payload: Nothing) -> None:
    """Not a hook."""
