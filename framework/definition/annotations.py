"""Read the annotations of a class body while the class is defined."""

from __future__ import annotations

import functools
import operator
import sys
import types
import typing
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, ForwardRef

from framework.errors import DefinitionError


def annotations_of(
    owner: str, namespace: Mapping[str, Any], names: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the annotation of each field of a class body, without class variables."""
    written = _source_of(namespace)
    inner = {name: value for name, value in namespace.items() if name not in written}
    spaces = {**vars(sys.modules.get(namespace.get("__module__", ""), types)), **names, **inner}
    notes = {}
    for name, note in written.items():
        try:
            notes[name] = _evaluated(note, spaces)
        except (NameError, AttributeError, SyntaxError) as error:
            raise DefinitionError(
                f"{owner} is invalid. `{name}`: its annotation is unknown: {error}."
            ) from error
    return {name: note for name, note in notes.items() if not _is_class_variable(note)}


def _source_of(namespace: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the annotations of a class body in source form.

    From Python 3.14 on, a class body holds a function that returns them, unless its module
    postpones annotations; names that are not defined yet become forward references.
    """
    annotate = namespace.get("__annotate_func__") or namespace.get("__annotate__")
    if annotate is None:
        found: Mapping[str, Any] = namespace.get("__annotations__", {})
        return found
    try:
        found = annotate(1)  # the format VALUE
    except NameError:
        if sys.version_info >= (3, 14):
            from annotationlib import Format, call_annotate_function  # noqa: PLC0415 - seldom

            return call_annotate_function(annotate, Format.FORWARDREF)
        raise
    return found


def _evaluated(note: Any, spaces: dict[str, Any]) -> Any:
    """Return an annotation with its strings and forward references evaluated, also inner ones."""
    if isinstance(note, ForwardRef):
        note = note.__forward_arg__
    if isinstance(note, str):
        return _evaluated(eval(note, spaces), spaces)  # noqa: S307 - the class's own annotation
    origin, arguments = typing.get_origin(note), typing.get_args(note)
    if origin is Annotated:
        return _evaluated(arguments[0], spaces)
    if origin is list:
        return list[_evaluated(arguments[0], spaces)]  # type: ignore[misc]
    if origin in {typing.Union, types.UnionType}:
        return functools.reduce(operator.or_, (_evaluated(one, spaces) for one in arguments))
    return note


def _is_class_variable(note: Any) -> bool:
    return note is ClassVar or typing.get_origin(note) is ClassVar
