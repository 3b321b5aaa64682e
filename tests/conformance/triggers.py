"""Recorded triggers: reading, matching and writing them, compared by what they match.

Segment's tree and ours have different shapes, so a case passes where both give the same
answer on events made from its constants. A text that Segment reads as a condition with an
operator that does not exist matches nothing there; here it is refused, which comes to the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from framework.errors import TriggerError
from framework.linting.segment_differences import answer, probes
from framework.linting.segment_reader import Ast, field_of
from framework.mapping import javascript
from framework.paths import Event
from framework.triggers import Trigger, parse
from framework.triggers.tree import (
    And,
    BooleanNode,
    Comparison,
    ConstantNode,
    FunctionCall,
    Not,
    Or,
    write,
)
from framework.triggers.values import number_of, plain_number, text_of


def fql_match(case: dict[str, Any]) -> str | None:
    """Compare whether an event matches; a trigger that cannot be read matches nothing."""
    expected = case["expected"]["match"]
    trigger = _read(case["fql"])
    matches = isinstance(trigger, Trigger) and trigger.matches(case["event"])
    return None if matches is expected else f"match should be {expected}, is {trigger}"


def fql_parse(case: dict[str, Any]) -> str | None:
    """Compare the parsed trees by the events they match."""
    theirs: Ast = case["expected"].get("ast")
    trigger = _read(case["fql"])
    if theirs is None:
        return f"should be refused, is `{trigger}`" if isinstance(trigger, Trigger) else None
    tree = trigger.tree if isinstance(trigger, Trigger) else None
    return _differing(
        ((event, answer(theirs, event) is True) for event in probes(tree, theirs)),
        trigger.matches if isinstance(trigger, Trigger) else lambda _: False,
    )


def fql_generate(case: dict[str, Any]) -> str | None:
    """Write Segment's tree as our text, and compare the meaning of both texts."""
    try:
        tree = {**case["ast"], "type": "group"}  # which the writer does not ask of the root
        trigger: Trigger | str = parse(str(Trigger(tree_of(tree))))
    except (AttributeError, KeyError, TypeError, TriggerError) as error:
        trigger = str(error)
    expected = _read(_without_exponents(_escaped(case)))
    if isinstance(expected, str) or isinstance(trigger, str):
        agreed = isinstance(expected, str) and isinstance(trigger, str)
        return None if agreed else f"should be `{expected}`, is `{trigger}`"
    events = list(probes(expected.tree, tree))
    return _differing(((event, expected.matches(event)) for event in events), trigger.matches)


def _escaped(case: dict[str, Any]) -> str:
    """Add the escapes that Segment's writer omits, so that its text has the meaning of its tree.

    It leaves keys that begin with a digit or a sign, or have empty parts, as they are, and quotes
    in a value; neither text nor value comes back when that is read.
    """
    text: str = case["expected"].get("fql", "")
    for leaf in _leaves(case["ast"]) if text else ():
        root, name, value = field_of(leaf).path.parts[0], leaf.get("name"), leaf.get("value")
        if leaf["type"] in _KEYED and isinstance(name, str) and name:
            spelled = f"{root}." + re.sub(r"[^a-zA-Z0-9._-]", r"\\\g<0>", name)
            text = re.sub(rf"{re.escape(spelled)}(?=[ ,])", lambda _: write(field_of(leaf)), text)  # noqa: B023 - called at once
        if isinstance(value, str) and '"' in value:
            quoted = rf'"(\*?{re.escape(value)}\*?)"'
            text = re.sub(quoted, lambda found: write(ConstantNode(found[1])), text)
    return text


_KEYED = {"event-property", "event-trait", "event-context"}


def _leaves(tree: Any) -> Iterator[dict[str, Any]]:
    for part in tree["children"]:
        yield from _leaves(part) if part["type"] == "group" else (part,)


def tree_of(ast: Any) -> BooleanNode:  # noqa: PLR0911 - one for each kind of condition
    """Convert Segment's tree to ours, as Segment's writer spells it.

    TriggerError, or the error of an absent or wrong part, where it has no meaning.
    """
    if ast.get("type") == "group":
        parts = tuple(map(tree_of, ast["children"]))
        join = And if ast.get("operator") == "and" else Or
        return parts[0] if len(parts) == 1 else join(parts)
    if ast.get("name") == "":
        raise TriggerError("A field has a name.")
    field = field_of({**ast, "name": ast.get("name", "undefined")})
    operator, value = ast["operator"], ast.get("value", "undefined")
    value = javascript.text(value) if isinstance(value, (list, dict)) else value
    text = "null" if value is None else str(text_of(value))
    if operator.startswith("not_") and operator != "not_exists":
        return Not(tree_of({**ast, "operator": operator.removeprefix("not_")}))
    if operator in {"exists", "not_exists"}:
        return Comparison(field, "!=" if operator == "exists" else "=", ConstantNode(None))
    if operator in {"is_true", "is_false"}:
        return Comparison(field, "=", ConstantNode(operator == "is_true"))
    if operator in {"contains", "starts_with", "ends_with"}:
        pattern = {"starts_with": f"{text}*", "ends_with": f"*{text}"}
        function = "contains" if operator == "contains" else "match"
        return FunctionCall(function, (field, ConstantNode(pattern.get(operator, text))))
    numeric = {"number_equals": "=", "number_not_equals": "!=", "<": "<", "<=": "<="}
    if operator in {*numeric, ">", ">="}:
        number = 0 if value is None else number_of(value)
        spelled = ConstantNode("NaN" if number is None else number)
        return Comparison(field, numeric.get(operator, operator), spelled)
    return Comparison(field, operator, ConstantNode("null" if value is None else value))


def _read(text: str) -> Trigger | str:
    """Parse a trigger; return the text of the error if it is invalid."""
    try:
        return parse(text)
    except TriggerError as error:
        return str(error)


def _without_exponents(text: str) -> str:
    """Write JavaScript's `1e+21` as digits: triggers have no exponents, Segment's neither."""
    return re.sub(r"\b\d+(?:\.\d+)?e[-+]\d+(?=[ )]|$)", lambda found: _digits(found[0]), text)


def _digits(text: str) -> str:
    return plain_number(number_of(text) or 0)


def _differing(
    expected: Iterable[tuple[Event, bool]], matches: Callable[[Event], bool]
) -> str | None:
    """Return the first event with different results."""
    for event, answered in expected:
        if matches(event) is not answered:
            return f"match should be {answered} on {event}"
    return None


ADAPTERS: dict[str, Callable[[dict[str, Any]], str | None]] = {
    "fql_generate": fql_generate,
    "fql_match": fql_match,
    "fql_parse": fql_parse,
}
