"""Why an event has no valid payload, field by field, and where else its value may be."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from framework.definition import Problem
from framework.delivery import CompiledSubscription
from framework.errors import FrameworkError
from framework.explain.elsewhere import NOTHING, value_elsewhere
from framework.mapping import Mapping as CompiledMapping
from framework.mapping import compile_mapping
from framework.paths import JSON, Event, Path


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """A reason why the payload is invalid: the path of the *field*, a code and a sentence.

    *elsewhere* is where the event has a value that the mapping of a required field did not find.
    """

    field: str
    code: str
    message: str
    elsewhere: Path | None = None

    def to_json(self) -> dict[str, JSON]:
        """Return the problem as a JSON object."""
        shown: dict[str, JSON] = {"field": self.field, "code": self.code, "message": self.message}
        if self.elsewhere is not None:
            shown["message"] = f"{self.message} The event has a value at `{self.elsewhere}`."
            shown["elsewhere"] = str(self.elsewhere)
        return shown


def raw_mapping(compiled: CompiledSubscription) -> dict[str, JSON]:
    """Return the effective mapping of a subscription: its own over the action's default."""
    return {**compiled.action.default_mapping, **compiled.subscription.mapping}


def mapping_problems(raw: Mapping[str, JSON], event: Event) -> Iterator[FieldProblem]:
    """Yield the problems of resolving the mapping *raw* for an event, field by field."""
    for key, expression in raw.items():
        try:
            compile_text(json.dumps({key: expression}, default=str)).resolve(event)
        except FrameworkError as error:
            yield FieldProblem(key, "mapping", str(error))


def payload_problems(
    compiled: CompiledSubscription, mapped: JSON, event: Event
) -> Iterator[FieldProblem]:
    """Yield the problems of the shape with the result of a mapping, in the order of the shape.

    Required fields without a value name the path at which the *event* has one, if there is any.
    """
    if not isinstance(mapped, dict):
        return
    _, problems = compiled.shape.interpret(mapped, sync_mode=compiled.sync_mode)
    texts = (
        compiled.shape.refusal(mapped, sync_mode=compiled.sync_mode).problems if problems else ()
    )
    for problem, text in zip(problems, texts, strict=True):
        elsewhere = _elsewhere(compiled, problem, mapped, event)
        yield FieldProblem(problem.place, problem.code, text, elsewhere)


def _elsewhere(
    compiled: CompiledSubscription, problem: Problem, mapped: Mapping[str, JSON], event: Event
) -> Path | None:
    """Return where the event has a value for a required field: at the default's path, or another.

    With that value, the field has no problem.
    """
    if problem.code != "required" or len(problem.path) != 1:
        return None
    key = str(problem.path[0])

    def accepted(value: JSON) -> bool:
        filled = {**mapped, key: value}
        _, left = compiled.shape.interpret(filled, sync_mode=compiled.sync_mode)
        return all(one.path[:1] != problem.path for one in left)

    default = paths_of({key: compiled.action.default_mapping.get(key)})
    for path in default:
        if path.parts and path.get(event) not in NOTHING and accepted(path.get(event)):
            return path
    sought = paths_of({key: raw_mapping(compiled).get(key)})
    return value_elsewhere([*sought, *default, Path((key,))], event, accepted)


def paths_of(raw: Mapping[str, JSON]) -> tuple[Path, ...]:
    """Return the paths that a part of a mapping reads, sorted; none if it is invalid."""
    try:
        paths = compile_text(json.dumps(dict(raw), default=str)).paths
    except FrameworkError:
        return ()
    return tuple(sorted(paths, key=lambda path: path.parts))


@lru_cache(maxsize=2048)
def compile_text(text: str) -> CompiledMapping:
    """Compile a mapping, given as JSON so that the cache can hash it."""
    return compile_mapping(json.loads(text))
