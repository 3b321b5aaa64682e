"""One function for all subscriptions of a connection: trigger, mapping and shape of many events.

The function is written for a set of routes. It takes events as structs or as plain JSON, and adds
what each route makes of them to the route's rows. Events that a route refuses are left to
`Route.prepare`, which says why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from msgspec import Struct, field

from framework.codegen import VARIABLE, JSONReader, SourceCode
from framework.delivery.compiled import CompiledSubscription
from framework.delivery.projection import Projection
from framework.errors import PayloadValidationError
from framework.paths import Path, PathSteps
from framework.triggers import Trigger
from framework.triggers.language import And, Comparison, ConstantNode, FieldNode

Lists: TypeAlias = tuple[list[Any], ...]
"""What is kept of the rows of a route: their marks, then what its layout says."""

Slow: TypeAlias = list[tuple[int, Any, int]]
"""Mark, event and route of what `Route.prepare` has to look at."""

Fused: TypeAlias = Callable[[Iterable[int], Iterable[Any], Sequence[Lists], Slow], None]
"""Takes marks and events, aligned; adds to the lists of each route, and to the slow ones.

The mark of an event in a route is the mark of the event plus the index of the route.
"""

_FEW: Final = 4
"""So many routes are asked one after the other; more are looked up where their triggers allow."""


class _Refused(Exception):  # noqa: N818 - no error: a jump out of generated code
    """Something is wrong with a value."""


class Layout(Struct, frozen=True):
    """What is kept of the payloads of one route: whole shaped objects, or a list for each field.

    *constants* are the fields that have the same value in every row, or MISSING where there never
    is one; their lists stay empty. The *certain* fields always have a value.
    """

    fields: tuple[str, ...] | None = None
    constants: Mapping[str, Any] = field(default_factory=dict)
    certain: frozenset[str] = frozenset()

    def lists(self) -> Lists:
        """Give new lists to add rows to."""
        return tuple([] for _ in range(2 if self.fields is None else 1 + len(self.fields)))


class Fusion(Struct, frozen=True):
    """The function for the routes of a connection, its source, and the layout of each route."""

    prepare: Fused
    source: str
    layouts: tuple[Layout, ...]


def fuse(
    routes: Sequence[CompiledSubscription], projection: Projection | None, *, whole: bool
) -> Fusion:
    """Write and compile the function for *routes*.

    Events are structs of the *projection*, or plain JSON objects where it is None. *whole* asks
    for shaped objects instead of lists by field.
    """
    writer = _Writer(routes, projection, whole=whole)
    prepare = writer.write()
    return Fusion(prepare, writer.code.source, tuple(writer.layouts))


def places_of(routes: Iterable[CompiledSubscription]) -> frozenset[PathSteps]:
    """Give every place that the triggers and mappings of *routes* read."""
    read = (
        place
        for route in routes
        for place in (*(path.parts for path in route.trigger.paths), *route.mapping.places)
    )
    return frozenset(read)


class _Writer:
    """Writes the function for one set of routes."""

    def __init__(
        self, routes: Sequence[CompiledSubscription], projection: Projection | None, *, whole: bool
    ) -> None:
        self.code = SourceCode()
        self.layouts = [_layout(route, whole=whole) for route in routes]
        self._routes = routes
        self._projection = projection
        self._lists = [[self.code.fresh("to") for _ in one.lists()] for one in self.layouts]
        self._last = {
            name: self.code.fresh("last")
            for route, names in zip(routes, self._lists, strict=True)
            for key, name in zip(route.action.fields, names[1:], strict=False)
            if _repeats(route, key)
        }

    def write(self) -> Fused:
        """Write the whole function and compile it."""
        code = self.code
        with code.block("def prepare(marks, events, rows, slow):"):
            for index, names in enumerate(self._lists):
                code.line(f"{', '.join(names)} = rows[{index}]")
            if self._last:
                code.line(f"{' = '.join(self._last.values())} = None")
            with code.block("for mark, event in zip(marks, events):"):
                reader = self._reader()
                reader.load(_in_order(path for one in self._routes for path in one.trigger.paths))
                self._routes_after(reader)
        built: Fused = code.build("prepare")
        return built

    def _reader(self) -> JSONReader:
        if self._projection is None:
            return JSONReader(self.code, "event")
        return self._projection.reader(self.code, "event")

    def _routes_after(self, reader: JSONReader) -> None:
        """Write the routes: those that ask for equality with a text where that decides."""
        path, groups = _dispatch(self._routes)
        found = {route.index for group in groups for route in group}
        if path is not None:
            value, place = reader.read(path), self.code.fresh("place")
            places = {_texts(group[0].trigger)[path]: n for n, group in enumerate(groups, 1)}
            table = self.code.literal(places, "PLACES")
            self.code.line(f"{place} = {table}.get({value}, 0) if type({value}) is str else 0")
            with self.code.block(f"if {place}:"):
                self._halve(place, 1, groups, reader)
        for route in self._routes:
            if route.index not in found:
                self._route(route, reader)

    def _halve(
        self,
        place: str,
        first: int,
        groups: Sequence[Sequence[CompiledSubscription]],
        reader: JSONReader,
    ) -> None:
        """Write the search for one of *groups*, which are numbered from *first*."""
        if len(groups) == 1:
            for route in groups[0]:
                self._route(route, reader)
            return
        middle = len(groups) // 2
        with self.code.block(f"if {place} < {first + middle}:"):
            self._halve(place, first, groups[:middle], reader)
        with self.code.block("else:"):
            self._halve(place, first + middle, groups[middle:], reader)

    def _route(self, route: CompiledSubscription, reader: JSONReader) -> None:
        code = self.code
        mark = f"mark + {route.index}" if route.index else "mark"
        leave = f"slow.append(({mark}, event, {route.index}))"
        with code.block(f"if {route.trigger.emit(code, reader)}:"):
            if route.mapping.fields is None:
                code.line(leave)
                return
            matched = reader.branch()
            for path, text in _texts(route.trigger).items():
                matched.assume(path, text)
            with code.block("try:"):
                self._payload(route, matched, mark)
            refused = code.literal((PayloadValidationError, _Refused), "Refusals")
            with code.block(f"except {refused}:"):
                code.line(leave)

    def _payload(self, route: CompiledSubscription, reader: JSONReader, mark: str) -> None:
        code, index = self.code, route.index
        reader.load(_in_order(route.mapping.paths))
        mapped = route.mapping.emit(code, reader)
        refusal = f"raise {code.literal(_Refused, 'Refused')}"
        given = code, mapped, code.literal(route.sync_mode), refusal
        marks, *lists = self._lists[index]
        fields = self.layouts[index].fields
        if fields is None:
            code.line(f"{lists[0]}.append({route.shape.emit_object(*given)})")
        else:
            shaped = route.shape.emit(*given)
            values = {key: shaped.get(key, "MISSING") for key in fields}
            constants = {key: code.constant(value) for key, value in values.items()}
            constants = {key: one for key, one in constants.items() if one is not VARIABLE}
            certain = frozenset(key for key, value in values.items() if code.always(value))
            self.layouts[index] = Layout(fields, constants, certain)
            for key, name in zip(fields, lists, strict=True):
                if key not in constants:
                    self._keep(values[key], name)
        code.line(f"{marks}.append({mark})")

    def _keep(self, value: str, name: str) -> None:
        """Write what adds a value to its list; of equal ones that follow each other, the first."""
        last = self._last.get(name)
        if last:
            self.code.line(f"if {value} != {last}: {last} = {value}")
        self.code.line(f"{name}.append({last or value})")


def _repeats(route: CompiledSubscription, key: str) -> bool:
    """Tell whether a field holds texts that rows are grouped by, which are mostly the same."""
    kind = route.action.fields[key]
    return key in route.batching.keys and kind.type == "string" and not kind.multiple


def _layout(route: CompiledSubscription, *, whole: bool) -> Layout:
    if whole or route.mapping.fields is None or not route.shape.fields:
        return Layout()
    return Layout(route.shape.keys(route.mapping.fields))


def _in_order(paths: Iterable[Path]) -> list[Path]:
    return sorted(set(paths), key=lambda path: path.parts)


def _dispatch(
    routes: Sequence[CompiledSubscription],
) -> tuple[Path | None, list[list[CompiledSubscription]]]:
    """Give the path whose text tells most routes apart, and the routes by that text."""
    best: tuple[Path | None, list[list[CompiledSubscription]]] = None, []
    for path in _in_order(path for route in routes for path in _texts(route.trigger)):
        groups: dict[str, list[CompiledSubscription]] = {}
        for route in routes:
            text = _texts(route.trigger).get(path)
            if text is not None:
                groups.setdefault(text, []).append(route)
        if len(groups) > max(_FEW, len(best[1])):
            best = path, list(groups.values())
    return best


def _texts(trigger: Trigger) -> dict[Path, str]:
    """Give by path the texts that an event must have there for the trigger to match."""
    tree = trigger.tree
    texts: dict[Path, str] = {}
    for part in tree.parts if isinstance(tree, And) else (tree,):
        match part:
            case Comparison(FieldNode(path), "=", ConstantNode(str(text))):
                texts.setdefault(path, text)
    return texts
