"""One function for all subscriptions of a connection: trigger, mapping and shape of many events.

The function is generated for a set of subscriptions. It takes events as structs or as plain JSON
and adds rows to each subscription. Events that a subscription refuses are left to `prepare_event`,
which gives the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeAlias

from msgspec import Struct

from framework.codegen import VARIABLE, JSONReader, SourceCode
from framework.delivery.columns import OBJECTS, Layout, Lists
from framework.delivery.compiled import CompiledSubscription
from framework.delivery.permission import TYPE
from framework.delivery.projection import Projection
from framework.errors import PayloadValidationError
from framework.paths import Path, PathSteps
from framework.triggers import Trigger
from framework.triggers.language import And, Comparison, ConstantNode, FieldNode

Slow: TypeAlias = list[tuple[int, Any, int]]
"""Row id, event and subscription of the events that are left to `prepare_event`.

Requests to delete a user have the subscription DELETION, and the row id of the first subscription.
"""

Fused: TypeAlias = Callable[[Iterable[int], Iterable[Any], Sequence[Lists], Slow], None]
"""Takes row ids and events, aligned; adds to the lists of each subscription, and to the slow ones.

The row id of an event in a subscription is that of the event plus the index of the subscription.
"""

DELETION: Final = -1
"""Stands for the subscription of events that ask to delete a user, which no subscription sees."""

_FEW: Final = 4
"""Up to this number, triggers are tested one by one; more are looked up if they allow it."""


class _Refused(Exception):  # noqa: N818 - no error: a jump out of generated code
    """A value is invalid."""


class Fusion(Struct, frozen=True):
    """The function for the subscriptions of a connection, its source, and the layout of each."""

    prepare: Fused
    source: str
    layouts: tuple[Layout, ...]


def fuse(
    subscriptions: Sequence[CompiledSubscription], projection: Projection | None, *, whole: bool
) -> Fusion:
    """Generate and compile the function for *subscriptions*.

    Events are structs of the *projection*, or plain JSON objects if it is None. *whole* asks for
    shaped objects instead of lists by field.
    """
    writer = _Writer(subscriptions, projection, whole=whole)
    prepare = writer.write()
    return Fusion(prepare, writer.code.source, tuple(writer.layouts))


def places_of(subscriptions: Iterable[CompiledSubscription]) -> frozenset[PathSteps]:
    """Return every place that the triggers and mappings of *subscriptions* read."""
    read = (
        place
        for compiled in subscriptions
        for place in (
            *(path.parts for path in compiled.trigger.paths),
            *(path.parts for path in compiled.permission.paths),
            *compiled.mapping.places,
        )
    )
    return frozenset(read) | {TYPE.parts}


class _Writer:
    """Generates the function for one set of subscriptions."""

    def __init__(
        self,
        subscriptions: Sequence[CompiledSubscription],
        projection: Projection | None,
        *,
        whole: bool,
    ) -> None:
        self.code = SourceCode()
        self.layouts = [_layout(compiled, whole=whole) for compiled in subscriptions]
        self._subscriptions = subscriptions
        self._projection = projection
        self._lists = [[self.code.fresh("to") for _ in one.lists()] for one in self.layouts]
        self._last = {
            name: self.code.fresh("last")
            for compiled, names in zip(subscriptions, self._lists, strict=True)
            for key, name in zip(compiled.action.fields, names[1:], strict=False)
            if _repeats(compiled, key)
        }

    def write(self) -> Fused:
        """Return the function, compiled."""
        code = self.code
        with code.block("def prepare(row_ids, events, rows, slow):"):
            for index, names in enumerate(self._lists):
                code.line(f"{', '.join(names)} = rows[{index}]")
            if self._last:
                code.line(f"{' = '.join(self._last.values())} = None")
            with code.block("for row_id, event in zip(row_ids, events):"):
                reader = (
                    self._projection.reader(code, "event")
                    if self._projection
                    else JSONReader(code, "event")
                )
                triggers = [one.trigger for one in self._subscriptions]
                paths = (path for one in triggers for path in one.paths)
                reader.load(_in_order((TYPE, *paths)))
                self._write_by_type(reader)
                if not self._subscriptions:
                    code.line("pass")
        built: Fused = code.build("prepare")
        return built

    def _write_by_type(self, reader: JSONReader) -> None:
        """Write the subscriptions, and apart from them the requests to delete a user."""
        code, kind = self.code, reader.read(TYPE)
        types = {_texts(one.trigger).get(TYPE) for one in self._subscriptions}
        delete = f"slow.append((row_id, event, {DELETION}))"
        if len(types) == 1 and (common := types.pop()) not in {None, "delete"}:
            with code.block(f"if {kind} == {code.literal(common)}:"):
                reader.assume(TYPE, common)
                self._write_subscriptions(reader)
            with code.block(f"elif {kind} == 'delete':"):
                code.line(delete)
            return
        with code.block(f"if {kind} == 'delete':"):
            code.line(delete)
            code.line("continue")
        self._write_subscriptions(reader)

    def _write_subscriptions(self, reader: JSONReader) -> None:
        """Write the subscriptions; look up those whose triggers compare one path with a text."""
        path, groups = _dispatch(self._subscriptions)
        found = {compiled.index for group in groups for compiled in group}
        if path is not None:
            value, place = reader.read(path), self.code.fresh("place")
            places = {_texts(group[0].trigger)[path]: n for n, group in enumerate(groups, 1)}
            table = self.code.literal(places, "PLACES")
            self.code.line(f"{place} = {table}.get({value}, 0) if type({value}) is str else 0")
            with self.code.block(f"if {place}:"):
                self._halve(place, 1, groups, reader)
        for compiled in self._subscriptions:
            if compiled.index not in found:
                self._write_one(compiled, reader)

    def _halve(
        self,
        place: str,
        first: int,
        groups: Sequence[Sequence[CompiledSubscription]],
        reader: JSONReader,
    ) -> None:
        """Write the search for one of *groups*, which are numbered from *first*."""
        if len(groups) == 1:
            for compiled in groups[0]:
                self._write_one(compiled, reader)
            return
        middle = len(groups) // 2
        with self.code.block(f"if {place} < {first + middle}:"):
            self._halve(place, first, groups[:middle], reader)
        with self.code.block("else:"):
            self._halve(place, first + middle, groups[middle:], reader)

    def _write_one(self, compiled: CompiledSubscription, reader: JSONReader) -> None:
        code = self.code
        row_id = f"row_id + {compiled.index}" if compiled.index else "row_id"
        leave = f"slow.append(({row_id}, event, {compiled.index}))"
        with code.block(f"if {compiled.trigger.emit(code, reader)}:"):
            if compiled.mapping.fields is None:
                code.line(leave)
                return
            matched = reader.branch()
            for path, text in _texts(compiled.trigger).items():
                matched.assume(path, text)
            with code.block("try:"):
                refusal = f"raise {code.literal(_Refused, 'Refused')}"
                compiled.permission.emit(code, matched, refusal)
                self._payload(compiled, matched, row_id)
            refused = code.literal((PayloadValidationError, _Refused), "Refusals")
            with code.block(f"except {refused}:"):
                code.line(leave)

    def _payload(self, compiled: CompiledSubscription, reader: JSONReader, row_id: str) -> None:
        code, index = self.code, compiled.index
        reader.load(_in_order(compiled.mapping.paths))
        mapped = compiled.mapping.emit(code, reader)
        refusal = f"raise {code.literal(_Refused, 'Refused')}"
        given = code, mapped, code.literal(compiled.sync_mode), refusal
        row_ids, *lists = self._lists[index]
        fields = self.layouts[index].fields
        if fields is None:
            code.line(f"{lists[0]}.append({compiled.shape.emit_object(*given)})")
        else:
            shaped = compiled.shape.emit(*given)
            values = {key: shaped.get(key, "MISSING") for key in fields}
            constants = {key: code.constant(value) for key, value in values.items()}
            constants = {key: one for key, one in constants.items() if one is not VARIABLE}
            certain = frozenset(key for key, value in values.items() if code.always(value))
            self.layouts[index] = Layout(fields, constants, certain)
            for key, name in zip(fields, lists, strict=True):
                if key not in constants:
                    self._keep(values[key], name)
        code.line(f"{row_ids}.append({row_id})")

    def _keep(self, value: str, name: str) -> None:
        """Append a value to its list; of consecutive equal values, keep the first object."""
        last = self._last.get(name)
        if last:
            self.code.line(f"if {value} != {last}: {last} = {value}")
        self.code.line(f"{name}.append({last or value})")


def _repeats(compiled: CompiledSubscription, key: str) -> bool:
    """Return whether a field holds text that rows are grouped by, which mostly repeats."""
    kind = compiled.action.fields[key]
    return key in compiled.batching.keys and kind.type == "string" and not kind.multiple


def _layout(compiled: CompiledSubscription, *, whole: bool) -> Layout:
    if whole or compiled.mapping.fields is None or not compiled.shape.fields:
        return OBJECTS
    return Layout(compiled.shape.keys(compiled.mapping.fields))


def _in_order(paths: Iterable[Path]) -> list[Path]:
    return sorted(set(paths), key=lambda path: path.parts)


def _dispatch(
    subscriptions: Sequence[CompiledSubscription],
) -> tuple[Path | None, list[list[CompiledSubscription]]]:
    """Return the path whose text separates most subscriptions, and those by that text."""
    best: tuple[Path | None, list[list[CompiledSubscription]]] = None, []
    for path in _in_order(path for compiled in subscriptions for path in _texts(compiled.trigger)):
        groups: dict[str, list[CompiledSubscription]] = {}
        for compiled in subscriptions:
            text = _texts(compiled.trigger).get(path)
            if text is not None:
                groups.setdefault(text, []).append(compiled)
        if len(groups) > max(_FEW, len(best[1])):
            best = path, list(groups.values())
    return best


def _texts(trigger: Trigger) -> dict[Path, str]:
    """Return by path the texts that an event must have there for the trigger to match."""
    tree = trigger.tree
    texts: dict[Path, str] = {}
    for part in tree.parts if isinstance(tree, And) else (tree,):
        match part:
            case Comparison(FieldNode(path), "=", ConstantNode(str(text))):
                texts.setdefault(path, text)
    return texts
