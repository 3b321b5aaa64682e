"""The expressions of a compiled mapping, each interpreted or emitted as source."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, NamedTuple, NoReturn

from framework.codegen import CodeValue, EventReader, JSONReader, Parts, SourceCode
from framework.errors import PayloadValidationError
from framework.mapping.javascript import TooMuch, kind_of
from framework.paths import JSON, MISSING, Path, PathSteps

WHOLE = Path(())


class EvaluationScope(NamedTuple):
    """The code being generated and the reader of the input that paths start from.

    *entered* means that the input is known to be an object.
    """

    code: SourceCode
    reader: EventReader
    entered: bool

    def call(self, function: Callable[..., JSON], *arguments: str) -> str:
        """Write a call of a bound function; return the variable of its result."""
        name = self.code.fresh()
        self.code.line(f"{name} = {self.code.literal(function, 'call')}({', '.join(arguments)})")
        return name

    def held(self, text: str) -> str:
        """Return a variable with the value of a variable or literal."""
        if text.isidentifier():
            return text
        name = self.code.fresh()
        self.code.line(f"{name} = {text}")
        return name

    def enter(self, variable: str, paths: Iterable[Path], *, entered: bool) -> EvaluationScope:
        """Load *paths* of another variable; return the scope that reads them."""
        return self.into(JSONReader(self.code, variable), paths, entered=entered)

    def into(self, reader: EventReader, paths: Iterable[Path], *, entered: bool) -> EvaluationScope:
        """Load *paths* with another reader; return the scope that reads them."""
        reader.load(in_order(paths))
        return EvaluationScope(self.code, reader, entered)


def in_order(paths: Iterable[Path]) -> list[Path]:
    """Sort paths, so that generated source is the same every time."""
    return sorted(paths, key=lambda path: path.parts)


class Expression(ABC):
    """One part of a mapping; its value is JSON, or MISSING for no value.

    Values never contain MISSING. Parts of the input are shared, not copied.
    """

    folds: ClassVar[bool] = True
    """Whether the value depends on the input alone."""

    @property
    def children(self) -> tuple[Expression, ...]:
        """The expressions that read the same input."""
        return ()

    @property
    def always(self) -> bool:
        """Whether there is a value for every input."""
        return False

    @property
    def patches(self) -> bool:
        """Whether `patch` may differ from `evaluate`."""
        return False

    @cached_property
    def paths(self) -> frozenset[Path]:
        """The paths read from the input."""
        return frozenset(path for child in self.children for path in child.paths)

    @cached_property
    def places(self) -> frozenset[PathSteps]:
        """Like `paths`, but for lists that are iterated, the paths read from each item."""
        inside = frozenset[Path]().union(*(child.paths for child in self.children))
        own = frozenset(path.parts for path in self.paths - inside)
        return own.union(*(child.places for child in self.children))

    @cached_property
    def height(self) -> int:
        """The number of levels of expressions."""
        return 1 + max((child.height for child in self.children), default=0)

    @cached_property
    def transforms(self) -> int:
        """The number of nested `@transform` directives."""
        return max((child.transforms for child in self.children), default=0)

    @abstractmethod
    def evaluate(self, value: JSON) -> JSON:
        """Interpret the expression on an input."""

    @abstractmethod
    def emit(self, scope: EvaluationScope) -> str:
        """Write the lines that compute the value; return its variable or literal."""

    def emit_value(self, scope: EvaluationScope) -> CodeValue:
        """Do what `emit` does, but leave building objects and lists to the caller."""
        text = self.emit(scope)
        return scope.code.note(text) if self.always else text

    def patch(self, value: JSON) -> JSON:
        """Return the input of a merge: like `evaluate`, but with MISSING for keys without value.

        Such keys erase those of earlier objects, and such items of lists are not null.
        """
        return self.evaluate(value)

    def emit_patch(self, scope: EvaluationScope) -> str:
        """Write the lines that compute the patch."""
        return self.emit(scope)


def refuse(where: str, what: str) -> NoReturn:
    """Reject an event: *where* is a position in the mapping, *what* the rest of the sentence."""
    raise PayloadValidationError(f"`{where}` {what}.")


def located(where: str, function: Callable[..., JSON]) -> Callable[..., JSON]:
    """Return the function with its TooMuch errors turned into rejections at *where*."""

    def call(*arguments: JSON) -> JSON:
        try:
            return function(*arguments)
        except TooMuch as refusal:
            refuse(where, str(refusal))

    return call


def found(value: JSON) -> str:
    """Return the name of a value's type, as messages say what was found."""
    return "nothing" if value is MISSING else kind_of(value)


def listed(value: JSON) -> JSON:
    """Return a value as an item of a list, where no value becomes null."""
    return None if value is MISSING else value


@dataclass(frozen=True)
class ConstantExpression(Expression):
    """A constant; each result gets its own copy of lists and objects."""

    value: JSON

    @property
    def always(self) -> bool:
        return self.value is not MISSING

    def evaluate(self, value: JSON) -> JSON:  # noqa: ARG002 - the same for every input
        return copy.deepcopy(self.value) if isinstance(self.value, (dict, list)) else self.value

    def emit(self, scope: EvaluationScope) -> str:
        if not isinstance(self.value, (dict, list)):
            return "MISSING" if self.value is MISSING else scope.code.literal(self.value)
        name = scope.code.fresh()
        scope.code.line(f"{name} = {display(scope.code, self.value)}")
        return name


def display(code: SourceCode, value: JSON) -> str:
    """Return a source expression that makes a new copy of a constant."""
    if isinstance(value, list):
        return f"[{', '.join(display(code, item) for item in value)}]"
    if isinstance(value, dict):
        items = (f"{key!a}: {display(code, item)}" for key, item in value.items())
        return f"{{{', '.join(items)}}}"
    return code.literal(value)


@dataclass(frozen=True)
class Object(Expression):
    """An object with a value for each key; keys without one are left out."""

    items: tuple[tuple[str, Expression], ...]

    @property
    def children(self) -> tuple[Expression, ...]:
        return tuple(child for _, child in self.items)

    @property
    def always(self) -> bool:
        return True

    @property
    def patches(self) -> bool:
        return not all(child.always for child in self.children)

    def evaluate(self, value: JSON) -> JSON:
        values = self.patch(value)
        return {key: item for key, item in values.items() if item is not MISSING}

    def patch(self, value: JSON) -> JSON:
        return {key: child.evaluate(value) for key, child in self.items}

    def emit(self, scope: EvaluationScope) -> str:
        return scope.code.made(self.emit_value(scope))

    def emit_value(self, scope: EvaluationScope) -> Parts:
        return Parts({key: child.emit_value(scope) for key, child in self.items})

    def emit_patch(self, scope: EvaluationScope) -> str:
        return _emit_display(scope, [(key, child.emit(scope)) for key, child in self.items])


def _emit_display(scope: EvaluationScope, items: list[tuple[str, str]]) -> str:
    name = scope.code.fresh()
    inside = ", ".join(f"{key!a}: {text}" for key, text in items)
    scope.code.line(f"{name} = {{{inside}}}")
    return name


@dataclass(frozen=True)
class Items(Expression):
    """A list with a value for each position; no value becomes null."""

    items: tuple[Expression, ...]

    @property
    def children(self) -> tuple[Expression, ...]:
        return self.items

    @property
    def always(self) -> bool:
        return True

    @property
    def patches(self) -> bool:
        return not all(item.always for item in self.items)

    def evaluate(self, value: JSON) -> JSON:
        return [listed(item.evaluate(value)) for item in self.items]

    def patch(self, value: JSON) -> JSON:
        return [item.evaluate(value) for item in self.items]

    def emit(self, scope: EvaluationScope) -> str:
        return self._emit(scope, [emit_listed(item, scope) for item in self.items])

    def emit_patch(self, scope: EvaluationScope) -> str:
        return self._emit(scope, [item.emit(scope) for item in self.items])

    def _emit(self, scope: EvaluationScope, texts: list[str]) -> str:
        name = scope.code.fresh()
        scope.code.line(f"{name} = [{', '.join(texts)}]")
        return name


def emit_listed(item: Expression, scope: EvaluationScope) -> str:
    """Write an item of a list; return its source expression."""
    text = item.emit(scope)
    return text if item.always else f"None if {text} is MISSING else {text}"


@dataclass(frozen=True)
class PathOf(Expression):
    """The value at a path of the input."""

    path: Path

    @cached_property
    def paths(self) -> frozenset[Path]:
        return frozenset({self.path})

    def evaluate(self, value: JSON) -> JSON:
        return self.path.get(value)

    def emit(self, scope: EvaluationScope) -> str:
        return scope.reader.read(self.path)


@dataclass(frozen=True)
class Applied(Expression):
    """A function of the values of other expressions.

    *patcher* is the same function for merges and returns a patch. A function of patches gets
    PatchOf arguments.
    """

    function: Callable[..., JSON]
    arguments: tuple[Expression, ...]
    certain: bool = False
    patcher: Callable[..., JSON] | None = None

    @property
    def children(self) -> tuple[Expression, ...]:
        return self.arguments

    @property
    def always(self) -> bool:
        return self.certain

    @property
    def patches(self) -> bool:
        return self.patcher is not None

    def evaluate(self, value: JSON) -> JSON:
        return self.function(*(argument.evaluate(value) for argument in self.arguments))

    def emit(self, scope: EvaluationScope) -> str:
        return scope.call(self.function, *(argument.emit(scope) for argument in self.arguments))

    def patch(self, value: JSON) -> JSON:
        if self.patcher is None:
            return self.evaluate(value)
        return self.patcher(*(argument.evaluate(value) for argument in self.arguments))

    def emit_patch(self, scope: EvaluationScope) -> str:
        if self.patcher is None:
            return self.emit(scope)
        return scope.call(self.patcher, *(argument.emit(scope) for argument in self.arguments))


@dataclass(frozen=True)
class PatchOf(Expression):
    """The patch of another expression, as the argument of a function that merges."""

    inner: Expression

    @property
    def children(self) -> tuple[Expression, ...]:
        return (self.inner,)

    def evaluate(self, value: JSON) -> JSON:
        return self.inner.patch(value)

    def emit(self, scope: EvaluationScope) -> str:
        return self.inner.emit_patch(scope)


@dataclass(frozen=True)
class Dynamic(Expression):
    """A function of a string that is only known per event, and of the whole input."""

    where: str
    argument: Expression
    function: Callable[[str, JSON], JSON]

    @property
    def children(self) -> tuple[Expression, ...]:
        return (self.argument,)

    @cached_property
    def paths(self) -> frozenset[Path]:
        return self.argument.paths | {WHOLE}

    @cached_property
    def places(self) -> frozenset[PathSteps]:
        return frozenset({WHOLE.parts})

    def evaluate(self, value: JSON) -> JSON:
        return self.apply(self.argument.evaluate(value), value)

    def emit(self, scope: EvaluationScope) -> str:
        return scope.call(self.apply, self.argument.emit(scope), scope.reader.read(WHOLE))

    def apply(self, text: JSON, value: JSON) -> JSON:
        """Apply the function; reject anything but a string."""
        if not isinstance(text, str):
            refuse(self.where, f"must give a string, got {found(text)}")
        return self.function(text, value)


@dataclass(frozen=True)
class Interpreted(Expression):
    """A deeply nested expression that generated code calls instead of containing it."""

    inner: Expression

    @property
    def always(self) -> bool:
        return self.inner.always

    @property
    def patches(self) -> bool:
        return self.inner.patches

    @cached_property
    def paths(self) -> frozenset[Path]:
        return frozenset({WHOLE})

    @cached_property
    def transforms(self) -> int:
        return self.inner.transforms

    def evaluate(self, value: JSON) -> JSON:
        return self.inner.evaluate(value)

    def emit(self, scope: EvaluationScope) -> str:
        return scope.call(self.inner.evaluate, scope.reader.read(WHOLE))

    def patch(self, value: JSON) -> JSON:
        return self.inner.patch(value)

    def emit_patch(self, scope: EvaluationScope) -> str:
        return scope.call(self.inner.patch, scope.reader.read(WHOLE))


@dataclass(frozen=True)
class DirectiveError(Expression):
    """A part that fails whenever it is evaluated."""

    folds: ClassVar[bool] = False

    where: str
    what: str

    @property
    def always(self) -> bool:
        return True

    def evaluate(self, value: JSON) -> JSON:  # noqa: ARG002 - the same for every input
        refuse(self.where, self.what)

    def emit(self, scope: EvaluationScope) -> str:
        literal = scope.code.literal
        return scope.call(refuse, literal(self.where), literal(self.what))
