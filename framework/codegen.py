"""Python source under construction: triggers, mappings and shapes are compiled through it.

Generated source never holds text of a configuration except as a literal, and can be read in
tracebacks and debuggers, because it is registered with `linecache`.
"""

from __future__ import annotations

import itertools
import linecache
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from framework.paths import MISSING, Path, step

_serial = itertools.count(1)


class Code:
    """Lines of a module being written, the constants they name, and fresh names."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._depth = 0
        self._names: dict[str, Any] = {"MISSING": MISSING}
        self._pool: dict[int, str] = {}
        self._counter = itertools.count(1)

    def line(self, text: str) -> None:
        """Write one line at the current depth."""
        self._lines.append("    " * self._depth + text)

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """Write *head* (`if x:`) and what is written inside the `with` one level deeper."""
        self.line(head)
        self._depth += 1
        yield
        self._depth -= 1

    def fresh(self, hint: str = "v") -> str:
        """Give a variable name that nobody else uses; *hint* must be an identifier."""
        return f"{hint}{next(self._counter)}"

    def literal(self, value: Any, hint: str = "c") -> str:
        """Give an expression for a constant: a literal where that is exact, else a bound name."""
        if value is None or value is True or value is False or type(value) in {int, str}:
            return ascii(value)
        known = self._pool.get(id(value))
        if known is None:
            known = self._pool[id(value)] = self.fresh(hint)
            self._names[known] = value
        return known

    @property
    def source(self) -> str:
        """The text written so far."""
        return "\n".join(self._lines) + "\n"

    def build(self, function: str) -> Callable[..., Any]:
        """Compile what was written and give its *function*, with `__source__` set to the text."""
        name = f"<{function} {next(_serial)}>"
        source = self.source
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        namespace = dict(self._names)
        exec(compile(source, name, "exec"), namespace)  # noqa: S102 - literals only, see the module
        built: Callable[..., Any] = namespace[function]
        built.__source__ = source  # type: ignore[attr-defined]
        return built


class Reader(Protocol):
    """How generated code reads paths: first `load`, at a place that runs before all uses."""

    def load(self, paths: Iterable[Path]) -> None:
        """Write the lines that put the value (or MISSING) of each path into a variable."""

    def read(self, path: Path) -> str:
        """Give the variable that holds the value of a loaded path."""


class JSONReader:
    """Reads paths from decoded JSON held by the variable *root*."""

    def __init__(self, code: Code, root: str) -> None:
        self._code = code
        self._known: dict[tuple[str, ...], str] = {(): root}

    def load(self, paths: Iterable[Path]) -> None:
        """Write the loads; common beginnings of paths are entered once."""
        for path in paths:
            for size in range(1, len(path.parts) + 1):
                self._enter(path.parts[:size])

    def read(self, path: Path) -> str:
        """Give the variable of a loaded path."""
        return self._known[path.parts]

    def _enter(self, parts: tuple[str, ...]) -> None:
        if parts in self._known:
            return
        outer, key = self._known[parts[:-1]], parts[-1]
        name = self._known[parts] = self._code.fresh("p")
        enter = f"{self._code.literal(step, 'step')}({outer}, {key!a})"
        if len(parts) > 1:
            enter = f"MISSING if {outer} is MISSING else {enter}"
        self._code.line(
            f"{name} = {outer}.get({key!a}, MISSING) if type({outer}) is dict else {enter}"
        )
