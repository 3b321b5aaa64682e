"""Running the hook of a mapping."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from framework.definition import Action, HookCall, MappingHook, Payload, Saved, outputs_to_json
from framework.delivery.performing import HookRunner
from framework.delivery.result_checks import clean_json
from framework.errors import ConfigurationError, IntegrationError, UnknownNameError
from framework.paths import JSON
from framework.results import Failed


class SavedMapping(Struct, frozen=True):
    """What a mapping keeps of a hook: *inputs* and *outputs* by key; and the hook's *message*."""

    inputs: dict[str, Any]
    outputs: dict[str, Any]
    message: str

    def to_json(self) -> dict[str, Any]:
        """Return what a mapping holds under the kind of the hook: `inputs` and `outputs`."""
        return {"inputs": self.inputs, "outputs": self.outputs}


def hook_of(action: Action, kind: str) -> MappingHook:
    """Return the hook of an action; raises UnknownNameError."""
    hooks = {one.kind: one for one in action.hooks}
    for known, hook in hooks.items():
        if known == kind:
            return hook
    raise UnknownNameError.of(f"hook of action `{action.slug}`", kind, hooks, "hooks")


def run_mapping_hook(  # noqa: PLR0913 - what the hook is called with
    hook_runner: HookRunner,
    action: Action,
    hook: MappingHook,
    *,
    inputs: JSON,
    payload: Mapping[str, Any],
    audience_settings: Mapping[str, Any],
) -> SavedMapping:
    """Run a hook and return what its mapping keeps.

    Raises ConfigurationError with every problem of the inputs; and IntegrationError with what the
    hook raises, or with the code `HOOK_OUTPUT` for outputs that do not fit.
    """
    call = HookCall(
        client=hook_runner.client,
        settings=hook_runner.settings,
        inputs=hook.read_inputs(inputs),
        payload=payload,
        audience_settings=audience_settings,
    )
    saved = hook_runner.call_renewing(f"{hook.kind}", hook.run, call, action=action)
    if isinstance(saved, Failed):
        raise IntegrationError(saved.message, saved.code, saved.status)
    if not isinstance(saved, Saved):
        text = f"Hook `{hook.kind}` must return Saved, got {type(saved).__name__}."
        raise IntegrationError(text, "HOOK_OUTPUT", 500)
    if not isinstance(saved.outputs, Payload | Mapping):
        kind = type(saved.outputs).__name__
        text = f"Hook `{hook.kind}` must return outputs of its class or by key, got {kind}."
        raise IntegrationError(text, "HOOK_OUTPUT", 500)
    hide = hook_runner.redactor.hide
    try:
        outputs = clean_json(outputs_to_json(saved.outputs), hide)
        hook.read_outputs(outputs)
    except ConfigurationError as error:
        raise IntegrationError(str(error), "HOOK_OUTPUT", 500) from None
    given = dict(inputs) if isinstance(inputs, Mapping) else {}
    return SavedMapping(given, outputs, hook_runner.redactor.text(str(saved.message)))
