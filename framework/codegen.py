"""Generating Python source, to which triggers, mappings and shapes are compiled.

Generated source holds text from a configuration only as literals. It is registered with
`linecache`, so that tracebacks and debuggers show it.
"""

from __future__ import annotations

import copy
import itertools
import linecache
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from types import CodeType
from typing import Any, Final, Protocol, Self, TypeAlias

from framework.paths import MISSING, Path, step

_DEEP: Final = 100
"""Maximum number of keys in a path that is written as source."""

_PLACE: Final = re.compile("0|[1-9][0-9]{0,8}")
"""Keys that are list indexes."""

VARIABLE: Final = object()
"""Returned by `SourceCode.constant` for an expression that is not a constant."""


@dataclass(frozen=True, slots=True)
class Parts:
    """An object to be built: the expression for the value of each key (which may be MISSING)."""

    values: Mapping[str, CodeValue]


@dataclass(frozen=True, slots=True)
class Each:
    """A list to be built: an object for each item of the list in the variable *root*.

    An object in *root* counts as a list of one; any other value is used unchanged. *part* writes
    the lines for the item in a variable.
    """

    root: str
    part: Callable[[str], Parts]


CodeValue: TypeAlias = str | Parts | Each
"""A value in generated code: a variable or literal, or what `SourceCode.made` builds on demand."""


class SourceCode:
    """The lines of a generated module, the constants they use, and unique names."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._depth = 0
        self._names: dict[str, Any] = {"MISSING": MISSING}
        self._pool: dict[int, str] = {}
        self._constants: dict[str, Any] = {"MISSING": MISSING}
        self._kinds: dict[str, type | None] = {}
        self._counter = itertools.count(1)

    def line(self, text: str) -> None:
        """Write one line at the current indentation."""
        self._lines.append("    " * self._depth + text)

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """Write *head* (`if x:`), and indent the lines written inside the `with` block."""
        self.line(head)
        self._depth += 1
        yield
        self._depth -= 1

    def fresh(self, hint: str = "v") -> str:
        """Return a unique variable name; *hint* must be an identifier."""
        return f"{hint}{next(self._counter)}"

    def literal(self, value: Any, hint: str = "c") -> str:
        """Return an expression for a constant: a literal where that is exact, or a bound name."""
        if value is MISSING:
            return "MISSING"
        if value is None or value is True or value is False or type(value) in {int, str}:
            text = ascii(value)
        else:
            text = self._pool.get(id(value)) or self.fresh(hint)
            self._pool[id(value)], self._names[text] = text, value
        self._constants[text] = value
        return text

    def bound(self, value: Any, hint: str = "c") -> str:
        """Return a name that is bound to *value*."""
        name = self.fresh(hint)
        self._names[name] = self._constants[name] = value
        return name

    def constant(self, text: str) -> Any:
        """Return the value of an expression that `literal` returned, or VARIABLE for any other."""
        return self._constants.get(text, VARIABLE)

    def note(self, text: str, kind: type | None = None) -> str:
        """Record that a variable is never MISSING and the type of its values; return it."""
        self._kinds[text] = kind or self._kinds.get(text)
        return text

    def always(self, text: str) -> bool:
        """Return whether an expression is known never to be MISSING."""
        return text in self._kinds or self._constants.get(text, MISSING) is not MISSING

    def kind(self, text: str) -> type | None:
        """Return the type of all values of an expression, or None if it is unknown."""
        return self._kinds.get(text)

    def made(self, value: CodeValue) -> str:
        """Write the lines that build a value, if it needs any; return its expression."""
        if isinstance(value, str):
            return value
        if isinstance(value, Parts):
            return self.object({key: self.made(one) for key, one in value.values.items()})
        result = self.fresh()
        with self.each(value.root, result) as item:
            self.line(f"{result}.append({self.made(value.part(item))})")
        with self.block("else:"):
            self.line(f"{result} = {value.root}")
        return result

    def object(self, values: Mapping[str, str]) -> str:
        """Write the lines that build an object without MISSING values; return its variable."""
        name, rest = self.fresh("made"), dict(values)
        first = list(itertools.takewhile(lambda key: self.always(values[key]), values))
        self.line(
            f"{name} = {{{', '.join(f'{self.literal(key)}: {rest.pop(key)}' for key in first)}}}"
        )
        for key, text in rest.items():
            self.put(name, key, text)
        return self.note(name, dict)

    def empty_object(self) -> str:
        """Write the line that creates an empty object; return its variable."""
        name = self.fresh("made")
        self.line(f"{name} = {{}}")
        return self.note(name, dict)

    def put(self, name: str, key: str, text: str) -> None:
        """Write the line that sets *key* of the object *name*, unless the value is MISSING."""
        if text != "MISSING":
            when = "" if self.always(text) else f"if {text} is not MISSING: "
            self.line(f"{when}{name}[{self.literal(key)}] = {text}")

    @contextmanager
    def each(self, root: str, result: str) -> Iterator[str]:
        """Write the loop of an `Each` over *root*, and yield the variable of the item.

        The loop is in an `if`, which also sets the variable *result* to a new list; an `else` may
        follow.
        """
        item = self.fresh("item")
        with self.block(f"if {root} is not MISSING and isinstance({root}, (list, dict)):"):
            self.line(f"{result} = []")
            with self.block(f"for {item} in ({root},) if isinstance({root}, dict) else {root}:"):
                yield item

    @property
    def source(self) -> str:
        """The text written so far."""
        return "\n".join(self._lines) + "\n"

    def build(self, function: str) -> Callable[..., Any]:
        """Compile the source and return its *function*, whose `__source__` is the text."""
        source = self.source
        namespace = dict(self._names)
        exec(_compiled(source, function), namespace)  # noqa: S102 - literals only, see the module
        built: Callable[..., Any] = namespace[function]
        built.__source__ = source  # type: ignore[attr-defined]
        return built


@lru_cache(maxsize=1024)
def _compiled(source: str, function: str) -> CodeType:
    """Return the compiled source; the same source is compiled once."""
    name = f"<{function} {sha256(source.encode()).hexdigest()[:12]}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    return compile(source, name, "exec")


class EventReader(Protocol):
    """How generated code reads paths; `load` must come before all uses of a path."""

    def load(self, paths: Iterable[Path]) -> None:
        """Write the lines that load the value (or MISSING) of each path into a variable."""

    def read(self, path: Path) -> str:
        """Return the variable of a loaded path."""

    def branch(self) -> Self:
        """Return a reader for a conditional block; it knows the paths loaded so far."""

    def item(self, path: Path, variable: str) -> EventReader:
        """Return the reader for the item in *variable* of the list at a loaded path."""


class JSONReader:
    """Reads paths from decoded JSON in the variable *root*."""

    def __init__(self, code: SourceCode, root: str) -> None:
        self._code = code
        self._known: dict[tuple[str, ...], str] = {(): root}

    def load(self, paths: Iterable[Path]) -> None:
        """Write the lines that load *paths*; common prefixes are read once."""
        for path in paths:
            if len(path.parts) > _DEEP:
                self._find(path)
                continue
            for size in range(1, len(path.parts) + 1):
                self._enter(path.parts[:size])

    def read(self, path: Path) -> str:
        """Return the variable of a loaded path."""
        return self._known[path.parts]

    def branch(self) -> Self:
        """Return a reader that knows the loaded paths; its own loads do not affect this one."""
        branch = copy.copy(self)
        branch._known = dict(self._known)  # noqa: SLF001 - a copy of this reader
        return branch

    def item(self, path: Path, variable: str) -> JSONReader:  # noqa: ARG002 - for other readers
        """Return the reader for the item in *variable*, which is JSON like its list."""
        return JSONReader(self._code, variable)

    def assume(self, path: Path, value: str) -> None:
        """Read *path* as the string *value* from here on, as an enclosing condition guarantees."""
        self._known[path.parts] = self._code.bound(value, "text")

    def _find(self, path: Path) -> None:
        if path.parts not in self._known:
            name = self._known[path.parts] = self._code.fresh("p")
            self._code.line(f"{name} = {self._code.literal(path.get, 'find')}({self._known[()]})")

    def _enter(self, parts: tuple[str, ...]) -> None:
        if parts in self._known:
            return
        outer, key = self._known[parts[:-1]], parts[-1]
        name = self._known[parts] = self._code.fresh("p")
        enter = self._stepped(outer, key)
        if _PLACE.fullmatch(key):
            enter = f"{outer}[{key}] if type({outer}) is list and len({outer}) > {key} else {enter}"
        elif "." not in key:
            enter = f"{outer}.get({key!a}, MISSING) if type({outer}) is dict else {enter}"
        if len(parts) > 1:
            enter = f"MISSING if {outer} is MISSING else {enter}"
        self._code.line(f"{name} = {enter}")

    def _stepped(self, outer: str, key: str) -> str:
        return f"{self._code.literal(step, 'step')}({outer}, {key!a})"
