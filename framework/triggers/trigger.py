"""The trigger: a parsed text, compiled on first use."""

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
    """When an action runs: the *tree* of conditions, and *remarks* on ignored text.

    Triggers are equal if their trees are. `str` returns the canonical text, which parses to the
    same tree. Raises TriggerError if the tree is not a condition or exceeds MAX_DEPTH levels.
    """

    tree: BooleanNode
    remarks: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        check_condition(self.tree)
        if depth(self.tree) > MAX_DEPTH + 1:
            raise TriggerError(f"The trigger is nested more than {MAX_DEPTH} levels deep.")

    @cached_property
    def matches(self) -> Callable[[Event], bool]:
        """Return whether an event matches: `trigger.matches(event)`; compiled on first use.

        Never raises on decoded JSON.
        """
        return compile_tree(self.tree)

    @cached_property
    def paths(self) -> frozenset[Path]:
        """The paths of the fields that the trigger reads."""
        return paths_of(self.tree)

    def emit(self, code: SourceCode, reader: EventReader) -> str:
        """Return an expression for generated code that is true on a match and false otherwise.

        The reader must have loaded `paths` before.
        """
        return emit(self.tree, code, reader)

    def explain(self, event: Event) -> Explanation:
        """Explain the result on an event: what each condition read, and what prevents a match."""
        from framework.triggers.explanation import explain  # noqa: PLC0415 - rarely needed in a run

        return explain(self.tree, event)

    def __str__(self) -> str:
        return write(self.tree)

    def __reduce__(self) -> tuple[object, ...]:
        return Trigger, (self.tree, self.remarks)


@lru_cache(maxsize=1024)
def parse(text: str) -> Trigger:
    """Parse a trigger, written in Segment's Filter Query Language.

    Raises TriggerError with the expected input, the text and a caret at the position. The module
    `syntax` defines the grammar.
    """
    return Trigger(*read(text))
