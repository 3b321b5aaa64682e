"""The trigger: a parsed text, compiled when it is first used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from framework.codegen import EventReader, SourceCode
from framework.errors import TriggerError
from framework.paths import Event, Path
from framework.triggers.semantics import compile_tree, emit, paths_of
from framework.triggers.syntax import MAX_DEPTH, read
from framework.triggers.tree import BooleanNode, check_condition, depth, write

if TYPE_CHECKING:
    from framework.triggers.explanation import Explanation


@dataclass(frozen=True)
class Trigger:
    """When an action runs: the *tree* of conditions, and *remarks* on text that was ignored.

    Two triggers are equal where their trees are. `str` gives the canonical text, which parses to
    the same tree. TriggerError where the tree is no condition or deeper than MAX_DEPTH groups.
    """

    tree: BooleanNode
    remarks: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        check_condition(self.tree)
        if depth(self.tree) > MAX_DEPTH + 1:
            raise TriggerError(f"Nested deeper than {MAX_DEPTH} levels.")

    @cached_property
    def matches(self) -> Callable[[Event], bool]:
        """Tell whether an event matches: `trigger.matches(event)`; compiled at first use.

        Never raises on decoded JSON, whatever the event is.
        """
        return compile_tree(self.tree)

    @cached_property
    def paths(self) -> frozenset[Path]:
        """The paths of the fields that are read."""
        return paths_of(self.tree)

    def emit(self, code: SourceCode, reader: EventReader) -> str:
        """Give an expression, for generated code, that is true on a match and false elsewhere.

        `paths` must have been loaded by the reader.
        """
        return emit(self.tree, code, reader)

    def explain(self, event: Event) -> Explanation:
        """Say what each condition saw in an event, and what stood in the way of a match."""
        from framework.triggers.explanation import explain  # noqa: PLC0415 - seldom needed in a run

        return explain(self.tree, event)

    def __str__(self) -> str:
        return write(self.tree)

    def __reduce__(self) -> tuple[object, ...]:
        return Trigger, (self.tree, self.remarks)


@lru_cache(maxsize=1024)
def parse(text: str) -> Trigger:
    """Read a trigger.

    Raises TriggerError with what was expected, the text and a caret under the place. The language
    is Segment's Filter Query Language; the grammar stands in the module `syntax`.
    """
    return Trigger(*read(text))
