"""Hooks of mappings: what an action does at the partner when a mapping is saved."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeAlias, TypeVar, get_args

from framework.definition.choices import ChoicesFunction, dynamic_problems
from framework.definition.problems import payload_text
from framework.definition.shape import compile_shape
from framework.definition.typed_classes import Payload, TypedClass, fields_of, plain_json
from framework.errors import ConfigurationError, UnknownNameError
from framework.paths import JSON

if TYPE_CHECKING:
    import httpx

SettingsT = TypeVar("SettingsT")
InputsT = TypeVar("InputsT")

MappingHookKind: TypeAlias = Literal["onMappingSave", "retlOnMappingSave"]
"""When a hook runs: a mapping is saved, or one of a warehouse's rows is."""

MAPPING_HOOKS: Final[tuple[MappingHookKind, ...]] = get_args(MappingHookKind)


class Nothing(Payload):
    """Inputs or outputs without fields."""


@dataclass(frozen=True)
class Saved:
    """What a hook has done: its *outputs*, and a *message* for the user.

    The outputs are an instance of the hook's class of outputs, or its values by key.
    """

    outputs: Payload | Mapping[str, Any] = field(default_factory=dict)
    message: str = "The mapping was saved."


@dataclass(frozen=True, kw_only=True)
class HookCall(Generic[SettingsT, InputsT]):
    """What a hook gets: the user's *inputs*, and the values of the *payload* that are known.

    Requests over *client* have the destination's credentials.
    """

    client: httpx.Client
    settings: SettingsT
    inputs: InputsT
    payload: Mapping[str, Any] = field(default_factory=dict)
    audience_settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class MappingHook:
    """A hook of an action: *run* is called with a `HookCall` when a mapping is saved.

    Its outputs are kept with the mapping, and `perform` gets them as `hook_outputs[kind]`. If it is
    *required*, no connection opens before it was run. *dynamic* holds the functions that return
    the choices of dynamic inputs, as `Action.dynamic` does.
    """

    kind: MappingHookKind
    label: str
    run: Callable[[HookCall[Any, Any]], Saved]
    description: str = ""
    inputs: type[Payload] = Nothing
    outputs: type[Payload] = Nothing
    dynamic: Mapping[str, ChoicesFunction] = field(default_factory=dict, repr=False)
    required: bool = False

    def read_inputs(self, given: JSON) -> Any:
        """Return an instance of *inputs*; raises ConfigurationError with every problem."""
        return _read(self.inputs, given, f"hook `{self.kind}`", "input")

    def read_outputs(self, given: JSON) -> Any:
        """Return an instance of *outputs*; raises ConfigurationError with every problem."""
        return _read(self.outputs, given, f"hook `{self.kind}`", "output")


def _read(kind: type[Payload], given: JSON, owner: str, what: str) -> Any:
    if not isinstance(given, Mapping):
        text = f"The {what}s of {owner} must be an object."
        raise ConfigurationError(text, [text])
    shape = compile_shape(kind, name=owner)
    known = shape.fields
    found = [
        str(UnknownNameError.of(f"{what} of {owner}", str(key), known, f"{what}s"))
        for key in given
        if key not in known
    ]
    shaped, problems = shape.interpret(given)
    found += [payload_text(one, owner) for one in problems]
    if found:
        raise ConfigurationError(" ".join(found), found)
    return kind.build(shaped)


def outputs_to_json(outputs: Payload | Mapping[str, Any]) -> dict[str, Any]:
    """Return outputs as a JSON object; dates are texts in ISO form."""
    plain: dict[str, Any] = plain_json(dict(outputs) if isinstance(outputs, Mapping) else outputs)
    return plain


def constant_fields(mapping: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return the values that a mapping gives without an event, which its hooks are told."""
    return {
        key: value
        for key, value in mapping.items()
        if not isinstance(value, dict | list) and not key.startswith("__")
    }


def hook_problems(hooks: Sequence[MappingHook]) -> Iterator[str]:
    """Yield the problems of the hooks of an action."""
    kinds = [one.kind for one in hooks]
    twice = dict.fromkeys(kind for kind in kinds if kinds.count(kind) > 1)
    yield from (f"Two hooks have the kind `{kind}`." for kind in twice)
    for one in hooks:
        if one.kind not in MAPPING_HOOKS:
            known = MAPPING_HOOKS
            yield str(UnknownNameError.of("kind of hook", str(one.kind), known, "kinds of hooks"))
        for name in ("inputs", "outputs"):
            value = getattr(one, name)
            if not (isinstance(value, TypedClass) and issubclass(value, Payload)):
                yield f"`{name}` of hook `{one.kind}` must be a Payload class, got {value!r}."
        if not callable(one.run):
            yield f"`run` of hook `{one.kind}` must be a function, got {type(one.run).__name__}."
        if isinstance(one.inputs, TypedClass):
            name = f"dynamic` of hook `{one.kind}"
            yield from dynamic_problems(fields_of(one.inputs), one.dynamic, name)
