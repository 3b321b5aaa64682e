"""Asking a destination for the choices of a dynamic field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from framework.definition import Action, Choice, Choices, ChoicesCall, ChoicesError, ChoicesFunction
from framework.delivery.performing import HookRunner
from framework.errors import UnknownNameError
from framework.results import Failed


class ChoicesQuery(Struct, frozen=True, kw_only=True):
    """What a user has filled in and asks for; see `ChoicesCall`."""

    payload: Mapping[str, Any] = {}
    page: str | None = None
    search: str | None = None
    selected_key: str | None = None
    selected_index: int | None = None
    audience_settings: Mapping[str, Any] = {}
    hook_inputs: Mapping[str, Any] = {}


def find_choices(
    hook_runner: HookRunner,
    functions: Mapping[str, ChoicesFunction],
    place: str,
    query: ChoicesQuery,
    action: Action | None,
) -> Choices:
    """Return the choices of the dynamic field at *place*, or the error of the function as such.

    *action* is the one that has the field, None for settings. If the partner refuses the token, it
    is renewed and the function is called once more.
    Raises UnknownNameError if there is no function for the place.
    """
    function = functions.get(place)
    if function is None:
        raise UnknownNameError.of("dynamic field", place, functions, "dynamic fields")
    call = ChoicesCall(
        place=place,
        client=hook_runner.client,
        settings=hook_runner.settings,
        payload=query.payload,
        page=query.page or None,
        search=query.search or None,
        selected_key=query.selected_key,
        selected_index=query.selected_index,
        audience_settings=query.audience_settings,
        hook_inputs=query.hook_inputs,
    )
    found = hook_runner.call_renewing(f"dynamic[{place}]", function, call, action=action)
    if isinstance(found, Failed):
        return Choices(error=ChoicesError(found.code, found.message, found.status))
    problem = _problem(found)
    if problem:
        text = f"The function for `{place}` must return Choices of Choice, got {problem}."
        return Choices(error=ChoicesError("CHOICES_TYPE", text))
    choices: Choices = found
    return choices


def _problem(found: Any) -> str:
    """Return what is wrong with the result of a function; empty if nothing is."""
    if not isinstance(found, Choices):
        return type(found).__name__
    if not isinstance(found.choices, list | tuple):
        return f"`choices` of type {type(found.choices).__name__}"
    wrong = next((one for one in found.choices if not isinstance(one, Choice)), None)
    if wrong is not None:
        return f"a {type(wrong).__name__} among them"
    for name in ("label", "description"):
        for one in found.choices:
            if not isinstance(getattr(one, name), str):
                return f"a Choice whose `{name}` is of type {type(getattr(one, name)).__name__}"
    if found.next_page is not None and not isinstance(found.next_page, str):
        return f"`next_page` of type {type(found.next_page).__name__}"
    return ""
