"""Differences from Segment's implementation of triggers, each demonstrated by an event.

Both implementations evaluate events composed of the constants of the trigger; the first event with
different results is the evidence.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from framework.linting.partial_evaluation import Spend, event_of, nested
from framework.linting.segment_reader import (
    Ast,
    UnreadableError,
    evaluate_segment_tree,
    field_of,
    segment_tree,
    spell,
)
from framework.numbers import number_text
from framework.paths import JSON, MISSING, Event, Path
from framework.triggers import evaluate
from framework.triggers.language import (
    PREDICATES,
    And,
    BooleanNode,
    Comparison,
    ConstantNode,
    FieldNode,
    FunctionCall,
    Not,
    Or,
    SyntaxNode,
    is_number,
    number_of,
    parts_of,
    paths_of,
    read,
    walk,
    whole,
)

MAX_PROBES: Final = 2_000
"""Maximum number of events to try."""

_COMMON: Final = (MISSING, "zz", 7, ["zz"])
_KNOWN: Final = frozenset({"type", "event", "name", "userId", "properties", "traits", "context"})


@dataclass(frozen=True, slots=True)
class Difference:
    """A trigger that Segment's implementation reads differently, and an *event* that shows it.

    *reading* is Segment's interpretation, written as a trigger; None if Segment cannot parse the
    text and so matches nothing. *ours* and *theirs* are the results on the event; *theirs* is None
    if Segment's evaluation fails. *reasons* are the known causes in the text.
    """

    text: str
    reading: str | None
    event: Event
    ours: bool
    theirs: bool | None
    reasons: tuple[str, ...]

    @property
    def message(self) -> str:
        """The difference in sentences."""
        reading = "cannot read it" if self.reading is None else f"reads it as `{self.reading}`"
        because = f": it {'; it '.join(self.reasons)}" if self.reasons else ""
        results = {True: "matches", False: "does not match", None: "fails on"}
        event = json.dumps(self.event, ensure_ascii=False)
        return (
            f"Segment's implementation {reading}{because}. "
            f"It {results[self.theirs]} {event}; this framework {results[self.ours]} it."
        )


def difference(text: str, spend: Spend = lambda _: None) -> Difference | None:
    """Return a difference from Segment's implementation; None if no event shows one.

    *spend* is called before each part of the work; an exception from it ends the search.
    Raises TriggerError if the text is not a trigger.
    """
    tree, _ = read(text)
    try:
        theirs: Ast = segment_tree(text)
    except UnreadableError:
        theirs = None
    reading = None if theirs is None else spell(theirs)
    values = _values(tree, theirs)
    steps = 3 + len(text) // 4
    tries = min(MAX_PROBES, math.prod(map(len, values.values())))
    if _is_read_alike(tree, theirs, values, steps * tries, spend):
        return None
    for event in _probes(values):
        spend(steps)
        ours, other = evaluate(tree, event), answer(theirs, event)
        if ours is not other:
            return Difference(text, reading, event, ours, other, tuple(_reasons(text, tree)))
    return None


def segment_matches(text: str, event: Event) -> bool | None:
    """Predict whether Segment's implementation matches an event; None if it raises an error.

    A text that Segment cannot parse matches nothing.
    """
    try:
        return answer(segment_tree(text), event)
    except UnreadableError:
        return False


def answer(theirs: Ast, event: JSON) -> bool | None:
    """Return the result of Segment's tree on an event; None as tree matches nothing."""
    try:
        return theirs is not None and evaluate_segment_tree(theirs, event)
    except UnreadableError:
        return None


# Events to try


def probes(tree: BooleanNode | None, theirs: Ast) -> Iterator[Event]:
    """Yield events whose fields hold the constants of both trees, values near them, or nothing.

    Yields all combinations, or a deterministic selection of MAX_PROBES of them.
    """
    return _probes(_values(tree, theirs))


def _probes(values: Mapping[Path, tuple[JSON, ...]]) -> Iterator[Event]:
    for combination in _combinations(list(values.values())):
        yield event_of(zip(values, combination, strict=True))


def _values(tree: BooleanNode | None, theirs: Ast) -> Mapping[Path, tuple[JSON, ...]]:
    """Return the candidate values of each field."""
    found: dict[Path, dict[str, JSON]] = {}
    for path, constant in itertools.chain(_ours(tree), _theirs(theirs)):
        values = found.setdefault(path, {})
        for value in (*_near(constant), *_COMMON):
            values.setdefault(repr(value), value)
    return {path: tuple(values.values()) for path, values in found.items()}


def _combinations(choices: list[tuple[JSON, ...]]) -> Iterator[tuple[JSON, ...]]:
    """Yield combinations of the choices, in strides that visit each combination once."""
    total = math.prod(map(len, choices))
    stride = 1 if total <= MAX_PROBES else total * 618_033_989 // 10**9
    while math.gcd(stride, total) > 1:
        stride += 1
    for step in range(min(total, MAX_PROBES)):
        place, values = step * stride % total, list[JSON]()
        for choice in choices:
            place, index = divmod(place, len(choice))
            values.append(choice[index])
        yield tuple(values)


def _ours(tree: BooleanNode | None) -> Iterator[tuple[Path, Any]]:
    """Yield each field with the constants of its conditions."""
    for node in walk(tree) if tree else ():
        if isinstance(node, (Comparison, FunctionCall)):
            inside = list(walk(node))
            constants = [each.value for each in inside if isinstance(each, ConstantNode)]
            for path in (each.path for each in inside if isinstance(each, FieldNode)):
                for constant in constants or [None]:
                    many = constant if isinstance(constant, tuple) else (constant,)
                    yield from ((path, each) for each in many)


def _theirs(tree: Ast) -> Iterator[tuple[Path, Any]]:
    if tree and tree["type"] == "group":
        for child in tree["children"]:
            yield from _theirs(child)
    elif tree:
        yield field_of(tree).path, tree.get("value")


def _near(constant: Any) -> Iterator[JSON]:
    """Yield a constant and values close to it."""
    yield constant
    if isinstance(constant, bool):
        yield from (not constant, "true", "false")
    elif is_number(constant):
        yield from (constant + 1, constant - 1, number_text(constant))
        yield "z" * (1 + int(min(max(constant, 0), 99)))
    elif isinstance(constant, str):
        yield from (constant.replace("*", ""), constant.replace("*", "z"), f"{constant}z")
        yield from (f"z{constant}", constant.swapcase(), constant.replace("_", " "), [constant])
        number = number_of(constant)
        yield from () if number is None or math.isinf(number) else (whole(number), number + 1)


# Trees with the same structure


def _is_read_alike(
    tree: BooleanNode,
    theirs: Ast,
    values: Mapping[Path, tuple[JSON, ...]],
    most: int,
    spend: Spend,
) -> bool:
    """Return whether both trees have the same structure and agree on every value.

    Then they agree on all events with these values. False if it would take more than *most* steps.
    """
    pairs = _pairs(tree, theirs)
    if pairs is None or nested(values):
        return False
    asked = [(ours, other, field_of(other).path) for ours, other in pairs]
    if any(paths_of(ours) != {path} for ours, _, path in asked):
        return False
    steps = _STEPS * sum(len(values[path]) for _, _, path in asked)
    if steps > most:
        return False
    spend(steps)
    return all(
        evaluate(ours, event) is answer(other, event)
        for ours, other, path in asked
        for event in (event_of([(path, value)]) for value in values[path])
    )


def _pairs(tree: BooleanNode, theirs: Ast) -> list[tuple[BooleanNode, dict[str, Any]]] | None:
    """Return pairs of corresponding conditions; None if the trees differ in structure."""
    if theirs is None:
        return None
    if theirs["type"] != "group":
        single = tree.part if isinstance(tree, Not) else tree
        return None if parts_of(single) else [(tree, theirs)]
    children = theirs["children"]
    if len(children) == 1:
        return _pairs(tree, children[0])
    parts = parts_of(tree) if isinstance(tree, _CONNECTIVES[theirs["operator"]]) else ()
    if len(parts) != len(children):
        return None
    found = [_pairs(part, child) for part, child in zip(parts, children, strict=True)]
    return None if None in found else [pair for pairs in found for pair in pairs or ()]


_CONNECTIVES: Final = {"and": And, "or": Or}
_STEPS: Final = 6


# Known causes of differences


def _reasons(text: str, tree: BooleanNode) -> Iterator[str]:
    """Yield the parts of a trigger that Segment is known to read differently."""
    shape = re.sub(r'"[^"]*"', '""', text)
    yield from (reason for reason, pattern in _SHAPES if re.search(pattern, shape))
    levels = list(_levels(re.sub(r"'[^']*'", '""', shape)))
    yield from (reason for reason, found in _LEVELS if any(map(found, levels)))
    nodes = list(walk(tree))
    yield from (reason for reason, found in _NODES if any(map(found, nodes)))


def _levels(shape: str) -> Iterator[tuple[str, str]]:
    """Yield the kind and text of each level of parentheses, innermost first.

    In the enclosing level, `{}` replaces a group and `{f}` a function.
    """
    while found := re.search(r"(\b(?!(?:and|or|not|in)\b)\w+\s*)?\(([^()]*)\)", shape):
        yield ("function" if found[1] else "group"), found[2]
        shape = shape[: found.start()] + ("{f}" if found[1] else "{}") + shape[found.end() :]
    yield "trigger", shape


def _is_mixed(level: tuple[str, str]) -> bool:
    return {"and", "or"} <= set(re.findall(r"\w+", level[1]))


def _is_negation(node: SyntaxNode) -> bool:
    return isinstance(node, Not) and not isinstance(node.part, FunctionCall)


def _is_unknown_field(node: SyntaxNode) -> bool:
    return isinstance(node, FieldNode) and node.path.parts[0] not in _KNOWN


def _is_unknown_to_functions(node: SyntaxNode) -> bool:
    if not isinstance(node, FunctionCall) or node.function not in PREDICATES:
        return False
    return isinstance(node.arguments[0], FieldNode) and node.arguments[0].path.parts == ("type",)


def _is_null_test(node: SyntaxNode) -> bool:
    match node:
        case Comparison(FieldNode(Path(("type" | "event",))), "=" | "!=", ConstantNode(None)):
            return True
    return False


def _is_difference_from_boolean(node: SyntaxNode) -> bool:
    match node:
        case Comparison(_, "!=", ConstantNode(bool())):
            return True
    return False


def _is_pattern(node: SyntaxNode) -> bool:
    match node:
        case FunctionCall("match", (_, ConstantNode(str(pattern)))):
            return not re.fullmatch(r"\*[^*?\[\\]*|[^*?\[\\]*\*", pattern)
    return False


def _is_beyond(node: SyntaxNode) -> bool:
    match node:
        case Comparison(_, "in", _) | ConstantNode(tuple()):
            return True
        case FunctionCall(function, _):
            return function not in PREDICATES
    return False


_SHAPES: Final = (
    ("keeps single quotes as part of the value", "'"),
    ("requires whitespace around `!=`, `>=`, `<=`, `<` and `>`", r"[!<>]=\S|[<>][^\s=]|\w[<>]"),
    ("does not recognize `and(` and `or(` as operators", r"\b(?:and|or)\("),
    ("recognizes `and` and `or` in lower case only", r"\b(?:A[Nn][Dd]|aN[Dd]|anD|O[Rr]|oR)\b"),
    ("reads the keys `and`, `or` and `null` as separate words", r"\.(?:and|or|null)\b"),
    ("does not treat a carriage return as whitespace", "\r"),
    ("drops letters of a short unquoted word at the end", r"(?<![\w\\-])(?:a\w|n\w{1,2})$"),
    ("ignores the word `not`", r"\b[Nn][Oo][Tt]\b"),
)
_LEVELS: Final = (
    ("joins all conditions at one level by the last `and` or `or` there", _is_mixed),
    (
        "cannot read a group inside a group",
        lambda level: level[0] == "group" and "{}" in level[1],
    ),
    (
        "ends a group at the closing parenthesis of a function in it",
        lambda level: level[0] == "group" and "{f}" in level[1],
    ),
)
_NODES: Final = (
    ("ignores `!` before anything but `contains` and `match`", _is_negation),
    (f"ignores conditions on fields other than {', '.join(sorted(_KNOWN))}", _is_unknown_field),
    ("ignores a function of the field `type`", _is_unknown_to_functions),
    ("compares `type` and `event` with the text `null`", _is_null_test),
    ("treats every boolean as different with `!=`", _is_difference_from_boolean),
    ("supports one star only, at the start or end of a pattern", _is_pattern),
    ("supports no `in`, no lists and no functions except `contains` and `match`", _is_beyond),
)
