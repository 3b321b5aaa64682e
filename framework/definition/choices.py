"""Choices of dynamic fields: values that the partner knows, such as the lists of an account."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeAlias, TypeVar

from framework.definition.fields import Choice, Field, FieldTable

if TYPE_CHECKING:
    import httpx

SettingsT = TypeVar("SettingsT")

KEYS: Final = "__keys__"
VALUES: Final = "__values__"
_ITEMS: Final = "[]"


class ChoicesError(NamedTuple):
    """Why there are no choices: code, message without secrets, and the status of HTTP."""

    code: str
    message: str
    status: int = 500


@dataclass(frozen=True)
class Choices:
    """One page of the choices of a dynamic field.

    *next_page* is what to give as `page` for those that follow, None after the last ones. The
    engine sets *error*; a function of a destination raises an IntegrationError in place of it.
    """

    choices: Sequence[Choice] = ()
    next_page: str | None = None
    error: ChoicesError | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the choices as Segment's implementation does: `choices`, `nextPage`, `error`."""
        found = [
            {
                "label": one.label or str(one.value),
                "value": one.value,
                **({"description": one.description} if one.description else {}),
            }
            for one in self.choices
        ]
        failed = self.error
        error = {"error": {"code": failed.code, "message": failed.message}} if failed else {}
        return {"choices": found, "nextPage": self.next_page or "", **error}


@dataclass(frozen=True, kw_only=True)
class ChoicesCall(Generic[SettingsT]):
    """What is asked for: the choices of the dynamic field at *place*.

    *payload* holds the values that are filled in so far, *page* is None for the first page, and
    *search* is what the user has typed. For `__values__` of an object *selected_key* is the key
    whose values are asked for; for a field in a list *selected_index* is the place of its item.
    Requests over *client* have the destination's credentials.
    """

    place: str
    client: httpx.Client
    settings: SettingsT
    payload: Mapping[str, Any] = field(default_factory=dict)
    page: str | None = None
    search: str | None = None
    selected_key: str | None = None
    selected_index: int | None = None
    audience_settings: Mapping[str, Any] = field(default_factory=dict)
    hook_inputs: Mapping[str, Any] = field(default_factory=dict)


ChoicesFunction: TypeAlias = Callable[[ChoicesCall[Any]], Choices]
"""Returns the choices of a dynamic field, and raises IntegrationError if it cannot."""


def dynamic_places(fields: FieldTable, prefix: str = "") -> Iterator[tuple[str, Field]]:
    """Yield place and field of every field, at any depth; see `dynamic_problems` about places."""
    for key, one in fields.items():
        place = f"{prefix}{key}"
        yield place, one
        if one.properties:
            yield from dynamic_places(one.properties, f"{place}{_ITEMS if one.multiple else ''}.")


def dynamic_problems(
    fields: FieldTable, functions: Mapping[str, ChoicesFunction], name: str
) -> Iterator[str]:
    """Yield a problem for each function of *name* that is for no dynamic field.

    Places are keys of fields, joined by dots for fields of objects (`address.country`), with `[]`
    behind a list (`items[].sku`); `properties.__keys__` and `properties.__values__` are the keys
    and the values of an object that takes any.
    """
    known = dict(dynamic_places(fields))
    for place, function in functions.items():
        key, _, last = place.rpartition(".")
        base = key if last in {KEYS, VALUES} else place
        entry = known.get(base)
        if entry is None:
            yield (
                f"`{name}` names the unknown field `{place}`. "
                f"Known fields: {', '.join(known) or 'none'}."
            )
        elif not entry.dynamic:
            yield f"`{name}` has a function for `{place}`, but `{base}` is not `dynamic=True`."
        elif base != place and entry.type != "object":
            yield f"`{name}` names `{place}`, but `{base}` is not an object."
        if not callable(function):
            yield f"`{name}` must hold functions, got {type(function).__name__} for `{place}`."


def without_choices(fields: FieldTable, functions: Mapping[str, ChoicesFunction]) -> list[str]:
    """Return the places of dynamic fields for which there is no function."""
    return [
        place
        for place, one in dynamic_places(fields)
        if one.dynamic and not functions.keys() & {place, f"{place}.{KEYS}", f"{place}.{VALUES}"}
    ]
