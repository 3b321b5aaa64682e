"""Typed classes that declare a field table: Settings and Payload.

A class is compiled when it is defined: its fields become slots, and a generated function builds
instances from shaped values.
"""

from __future__ import annotations

import copy
import keyword
import sys
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import (
    TYPE_CHECKING,
    Any,
    Literal,
    NamedTuple,
    TypeAlias,
    TypedDict,
    TypeVar,
    Unpack,
    dataclass_transform,
    overload,
)

from framework.codegen import SourceCode
from framework.definition.annotations import annotations_of
from framework.definition.defaults import default_problems
from framework.definition.fields import (
    SECRET,
    STRING_TYPES,
    Category,
    Condition,
    Conditions,
    DisplayMode,
    Field,
    FieldTable,
    FieldType,
    Format,
    InputMethod,
    ObjectUI,
    check_options,
    refuse,
)
from framework.errors import DefinitionError
from framework.normalize import DigestMethod
from framework.paths import JSON

T = TypeVar("T")
V = TypeVar("V", bound="_Value | Sequence[_Value] | None")
"""The values of a field, so that type checkers find a default that contradicts the annotation."""

_SCALARS: dict[Any, FieldType] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    datetime: "datetime",
    dict: "object",
}
_WRITTEN_AS: dict[str, frozenset[str]] = {
    "string": STRING_TYPES | {"datetime"},
    "number": frozenset({"number"}),
    "integer": frozenset({"integer"}),
    "boolean": frozenset({"boolean"}),
    "datetime": frozenset({"datetime"}),
    "object": frozenset({"object"}),
}


class FieldOptions(TypedDict, total=False):
    """The options of `field()` besides label, description and default; see `Field`."""

    type: FieldType | None
    required: bool | Condition | Conditions | None
    multiple: bool | None
    nullable: bool | None
    mapping: JSON
    choices: Iterable[Any]
    format: Format | None
    pattern: str | None
    minimum: float | None
    maximum: float | None
    placeholder: str
    category: Category | None
    depends_on: Condition | Conditions | None
    dynamic: bool
    properties: FieldTable | None
    additional_properties: bool | None
    object_ui: ObjectUI | None
    disabled_input_methods: Iterable[InputMethod]
    display_mode: DisplayMode | None
    read_only: bool
    hidden: bool
    secret: bool
    hashed: DigestMethod | None


@overload
def field(
    label: str | None = None,
    description: str = "",
    *,
    default: None = None,
    **options: Unpack[FieldOptions],
) -> V: ...  # type: ignore[type-var]  # the annotation decides
@overload
def field(
    label: str | None = None,
    description: str = "",
    *,
    default: V,
    **options: Unpack[FieldOptions],
) -> V: ...
def field(  # noqa: PLR0913 - the options are those of a Field
    label: str | None = None,
    description: str = "",
    *,
    type: FieldType | None = None,  # noqa: A002 - the field's word
    required: bool | Condition | Conditions | None = None,
    multiple: bool | None = None,
    nullable: bool | None = None,
    default: JSON = None,
    mapping: JSON = None,
    choices: Iterable[Any] = (),
    format: Format | None = None,  # noqa: A002 - the field's word
    pattern: str | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    placeholder: str = "",
    category: Category | None = None,
    depends_on: Condition | Conditions | None = None,
    dynamic: bool = False,
    properties: FieldTable | None = None,
    additional_properties: bool | None = None,
    object_ui: ObjectUI | None = None,
    disabled_input_methods: Iterable[InputMethod] = (),
    display_mode: DisplayMode | None = None,
    read_only: bool = False,
    hidden: bool = False,
    secret: bool = False,
    hashed: DigestMethod | None = None,
) -> Any:
    """Declare one field of a Settings or Payload class; see `Field` for the options.

    The annotation determines the other options. `str`, `int` (an integer), `float`, `bool`,
    `datetime`, `Literal["a", "b"]` (choices), `dict[str, Any]` and nested Payload classes (objects)
    determine the type; `list[...]` makes it multiple; `| None` makes it optional and nullable. A
    field without `| None` and without *default* is required. The default label is the name.
    *default* is a value of the annotated type, also a `datetime` or a Payload instance, which the
    field table holds as a string and an object.
    """
    return _Declared(locals())


class _Declared(NamedTuple):
    """The arguments of `field()`, until the annotation completes them."""

    options: dict[str, Any]


class _Slot(NamedTuple):
    """One field of a typed class: its key in payloads, its table entry and its value type."""

    key: str
    field: Field
    optional: bool
    build: Callable[[Any], Any] | None


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(field,))
class TypedClass(type):
    """The type of Settings and Payload classes: turns annotations into a field table and slots."""

    __slots_of__: dict[str, _Slot]

    def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> TypedClass:
        """Define a class; raises DefinitionError with every problem of its fields."""
        declared = {key: v for key, v in namespace.items() if isinstance(v, _Declared)}
        for key in declared:
            del namespace[key]
        names = sys._getframe(1).f_locals  # noqa: SLF001 - classes may be written in functions
        notes = annotations_of(name, namespace, names)
        for key in notes:
            if key not in declared:
                declared[key] = _Declared({"default": namespace.pop(key, None)})
        namespace["__slots__"] = tuple(notes)
        made = super().__new__(cls, name, bases, namespace)
        if bases:
            _compile(made, notes, declared)
        return made

    @property
    def build(cls: type[T]) -> Callable[[Mapping[str, Any]], T]:
        """Return the function that fills an instance from shaped values by key.

        Absent optional fields become their default or None; undeclared keys are ignored, so
        annotate a field that needs them `dict[str, Any]`; `datetime` fields are read from strings
        or numbers. Raises KeyError if a required value is absent: values must be shaped first.
        """
        made: Callable[[Mapping[str, Any]], T] = cls.__build__  # type: ignore[attr-defined]
        return made


def fields_of(cls: TypedClass) -> dict[str, Field]:
    """Return the field table of a typed class, by key, in the order of declaration."""
    return {slot.key: slot.field for slot in _slots(cls).values()}


def values_of(instance: object) -> dict[str, Any]:
    """Return an instance's values by key, with nested instances as dicts and without None."""
    found = {}
    for name, slot in _slots(type(instance)).items():
        value = getattr(instance, name)
        if value is not None or not slot.optional:
            found[slot.key] = _plain(value)
    return found


def _plain(value: Any) -> Any:
    if isinstance(type(value), TypedClass):
        return values_of(value)
    return [_plain(item) for item in value] if isinstance(value, list) else value


def plain_json(value: Any) -> Any:
    """Return *value* as JSON is made of it: typed instances as objects by key, times as ISO texts.

    Absent optional fields are left out; values of other types are returned as they are.
    """
    if isinstance(type(value), TypedClass):
        value = values_of(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: plain_json(one) for key, one in value.items()}
    return [plain_json(one) for one in value] if isinstance(value, list | tuple) else value


def _show(instance: object) -> str:
    shown = (
        f"{name}={SECRET if slot.field.secret else repr(getattr(instance, name))}"
        for name, slot in _slots(type(instance)).items()
    )
    return f"{type(instance).__name__}({', '.join(shown)})"


def _slots(cls: Any) -> dict[str, _Slot]:
    slots: dict[str, _Slot] = cls.__slots_of__
    return slots


def _revive(cls: Any, values: dict[str, Any]) -> Any:
    return cls(**values)


def _compile(made: Any, notes: Mapping[str, Any], declared: Mapping[str, _Declared]) -> None:
    slots: dict[str, _Slot] = {}
    for base in reversed(made.__mro__[1:]):
        slots |= base.__dict__.get("__slots_of__", {})
    problems = [
        f"`{name}` has no annotation. Write its type: `{name}: str = field(...)`."
        for name in declared
        if name not in notes
    ]
    for name, note in notes.items():
        try:
            slots[name] = _slot(name, note, declared[name])
        except DefinitionError as error:
            problems += [f"`{name}`: {problem}" for problem in error.problems]
    if not problems:
        problems = check_options({slot.key: slot.field for slot in slots.values()})
    refuse(f"{made.__name__} is invalid.", problems)
    made.__slots_of__ = slots
    made.__init__ = _write_init(made, slots)
    made.__build__ = _write_build(made, slots)


def _slot(name: str, annotation: Any, declared: _Declared) -> _Slot:
    options = {key: value for key, value in declared.options.items() if value is not None}
    if "default" in options:
        options["default"] = plain_json(options["default"])
    note = _read(annotation)
    optional = note.optional or "default" in options
    key = name[:-1] if name.endswith("_") and keyword.iskeyword(name[:-1]) else name
    inferred = {
        "label": key.replace("_", " ").capitalize(),
        "type": note.type,
        "required": not optional,
        "multiple": note.multiple,
        "nullable": note.optional,
        "choices": note.choices,
        "properties": note.properties,
    }
    entry = Field(**{**inferred, **{k: v for k, v in options.items() if v != ()}})
    if entry.secret and entry.type == "string":
        entry = replace(entry, type="password")
    _agree(annotation, note, entry)
    if problems := default_problems(entry):
        raise DefinitionError("\n".join(problems), problems)
    return _Slot(key, entry, entry.required is not True, note.build)


def _agree(annotation: Any, note: _Note, entry: Field) -> None:
    if entry.type not in _WRITTEN_AS[note.type]:
        shown = getattr(annotation, "__name__", annotation)
        raise DefinitionError(f"a field of type {entry.type} cannot be annotated `{shown}`.")
    if entry.multiple != note.multiple:
        raise DefinitionError("a field is annotated `list[...]` exactly when it is multiple.")
    if entry.required is not True and not note.optional and entry.default is None:
        raise DefinitionError("a field that may be absent needs `| None` or a default.")
    if entry.nullable and not note.optional:
        raise DefinitionError("a field that may be null needs `| None`.")


class _Note(NamedTuple):
    """The meaning of an annotation: the field's type, and the conversion of shaped values."""

    type: FieldType
    optional: bool = False
    multiple: bool = False
    choices: tuple[Any, ...] = ()
    properties: FieldTable | None = None
    build: Callable[[Any], Any] | None = None


def _read(note: Any) -> _Note:
    origin, arguments = typing.get_origin(note), typing.get_args(note)
    if origin in {typing.Union, types.UnionType}:
        inner = [argument for argument in arguments if argument is not type(None)]
        if len(inner) == 1 and len(arguments) == 2:
            return _read(inner[0])._replace(optional=True)
    if origin is list:
        item = _read(arguments[0])
        if not item.multiple and not item.optional:
            build = item.build
            return item._replace(multiple=True, build=build and _each(build))
    if origin is Literal and all(type(argument) is type(arguments[0]) for argument in arguments):
        return _read(type(arguments[0]))._replace(choices=arguments)
    if isinstance(note, TypedClass):
        return _Note("object", properties=fields_of(note), build=note.build)
    kind = _SCALARS.get(origin or note)
    if kind is None:
        raise DefinitionError(
            f"the annotation `{getattr(note, '__name__', note)}` is not a field type. Use str, "
            "int, float, bool, datetime, Literal, dict, a Payload class, `list[...]` of one of "
            "them, or any of these `| None`."
        )
    if kind == "datetime":
        from framework.definition.field_dates import read_datetime  # noqa: PLC0415 - many patterns

        return _Note(kind, build=read_datetime)
    return _Note(kind)


def _each(build: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda items: [build(item) for item in items]


def _write_init(made: Any, slots: Mapping[str, _Slot]) -> Callable[..., None]:
    """Generate `__init__` with one keyword argument for each field."""
    code = SourceCode()
    default = {name: _default(slot, code) for name, slot in slots.items()}
    names = [f"{name}={default[name]}" if s.optional else name for name, s in slots.items()]
    with code.block(f"def __init__({', '.join(['self', *(['*', *names] if names else [])])}):"):
        code.line("pass")
        for name in slots:
            code.line(f"{code.literal(_setter(made, name))}(self, {name})")
    return code.build("__init__")


def _write_build(made: Any, slots: Mapping[str, _Slot]) -> staticmethod[..., Any]:
    """Generate the function that fills an instance from shaped values by key."""
    code = SourceCode()
    new, cls = code.literal(object.__new__), code.literal(made)
    with code.block("def build(values):"):
        code.line(f"self = {new}({cls})")
        for name, slot in slots.items():
            value = _taken(slot, code)
            code.line(f"{code.literal(_setter(made, name))}(self, {value})")
        code.line("return self")
    return staticmethod(code.build("build"))


def _taken(slot: _Slot, code: SourceCode) -> str:
    key = code.literal(slot.key)
    if not slot.optional and slot.build is None:
        return f"values[{key}]"
    absent = _default(slot, code) if slot.optional else None
    value = f"values.get({key})" if slot.optional else f"values[{key}]"
    if slot.build is None:
        if absent == "None":
            return value
        return f"value if (value := {value}) is not None else {absent}"
    built = f"{code.literal(slot.build)}(value)"
    return f"{built} if (value := {value}) is not None else {absent}"


def _default(slot: _Slot, code: SourceCode) -> str:
    default = slot.field.default
    if slot.build is not None and default is not None:
        default = slot.build(default)
    if isinstance(default, list | dict):
        return f"{code.literal(copy.deepcopy)}({code.literal(default)})"
    return code.literal(default)


def _setter(made: Any, name: str) -> Callable[[Any, Any], None]:
    descriptor = next(vars(base)[name] for base in made.__mro__ if name in vars(base))
    setter: Callable[[Any, Any], None] = descriptor.__set__
    return setter


class TypedInstance(metaclass=TypedClass):
    """The base of Settings and Payload: immutable, compared by value, hides secrets in `repr`."""

    def __repr__(self) -> str:
        return _show(self)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and values_of(other) == values_of(self)

    def __hash__(self) -> int:
        return hash((type(self), repr(values_of(self))))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"`{name}` of {type(self).__name__} cannot be changed.")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"`{name}` of {type(self).__name__} cannot be deleted.")

    def __reduce__(self) -> tuple[Any, ...]:
        return _revive, (type(self), {name: getattr(self, name) for name in _slots(type(self))})


if TYPE_CHECKING:
    _Value: TypeAlias = str | float | datetime | Mapping[str, Any] | TypedInstance


class Settings(TypedInstance):
    """The settings of a destination; subclasses declare fields with `field()`.

    Instances are immutable, compare by value and do not show secret fields.
    """


class Payload(TypedInstance):
    """The input of an action for one event; subclasses declare fields with `field()`.

    A Payload class may also be the annotation of a field: an object with its fields as properties.

    Instances are immutable, compare by value and do not show secret fields.
    """
