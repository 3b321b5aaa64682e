"""A model of Segment's implementation of triggers (its library's release 3.37.0).

It reproduces the observed behavior in three steps: a lexer that requires whitespace in unusual
places, a parser that skips unknown input and joins each level by its last `and` or `or`, and an
evaluator for conditions on seven fields. Recorded cases verify the model against the library.
"""

from __future__ import annotations

import itertools
import operator
import re
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

from framework.numbers import number_text
from framework.paths import JSON, MISSING
from framework.triggers.language import (
    FieldNode,
    escape,
    field_path,
    is_null,
    is_number,
    number_of,
    write,
)

SegmentToken: TypeAlias = tuple[str, str]
Ast: TypeAlias = dict[str, Any] | None
"""A condition as the library represents it; None for an empty group."""

_KINDS: Final = {
    "type": "event-type",
    "event": "event",
    "name": "name",
    "userId": "userId",
    "properties": "event-property",
    "traits": "event-trait",
    "context": "event-context",
}
_ROOTS: Final = {kind: root for root, kind in _KINDS.items()}
_MARKS: Final = {
    ".": "dot",
    "[": "brackleft",
    "]": "brackright",
    ",": "comma",
    "(": "parenleft",
    ")": "parenright",
}
_KEYWORDS: Final = {"a": ("nd", "conditional"), "o": ("r", "conditional"), "n": ("ull", "null")}
_END: Final[SegmentToken] = ("eos", "eos")


class UnreadableError(Exception):
    """Segment's library cannot parse the text, or fails to evaluate it."""


# Lexer


class _Lexer:
    """Splits the text into tokens; `accept` causes most of the unusual behavior."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0

    def tokens(self) -> Iterator[SegmentToken]:
        while self.place < len(self.text):
            character = self.take()
            if character in " \t\n":
                continue
            if character in _MARKS:
                yield _MARKS[character], character
            elif character in "\"'":
                yield "string", self.string(character)
            elif character in "-+0123456789":
                yield "number", self.number(character)
            else:
                yield self.word_or_operator(character)
        yield _END

    def take(self) -> str:
        self.place += 1
        return self.text[self.place - 1 : self.place]

    def next(self) -> str:
        return self.text[self.place : self.place + 1]

    def terminated(self) -> bool:
        return self.next() in {"", " ", "\t", "\n", ",", "]", ")"}

    def accept(self, wanted: str) -> bool:
        """Consume the text if a terminator follows; near the end of the input, consume the rest."""
        start = self.place
        rest = self.text[start : start + len(wanted)]
        ends = re.search(r"[ \t\n,\])]", rest)
        if len(rest) < len(wanted) and not ends:
            self.place = len(self.text)
            return False
        self.place += len(wanted)
        if rest == wanted and self.terminated():
            return True
        self.place = start
        return False

    def string(self, quote: str) -> str:
        """Read to the closing quote, which is not consumed unless a terminator follows."""
        end = self.text.find(quote, self.place)
        if end < 0:
            raise UnreadableError
        found, self.place = self.text[self.place : end], end
        self.accept(quote)
        return f"{quote}{found}{quote}"

    def number(self, first: str) -> str:
        digits = re.match(r"[0-9.]*", self.text[self.place :])
        found = first + (digits[0] if digits else "")
        self.place += len(found) - 1
        if found.count(".") > 1 or (found.endswith(".") and self.terminated()):
            raise UnreadableError
        return found

    def word_or_operator(self, first: str) -> SegmentToken:
        if first == "!" and re.match(r"[A-Za-z(]", self.next()):
            return "operator", "!"
        if first == "!" and not self.accept("="):
            raise UnreadableError
        if first in "!=":
            return "operator", "=" if first == "=" else "!="
        if first in "<>":
            return "operator", first + "=" * self.accept("=")
        if first in _KEYWORDS and self.accept(_KEYWORDS[first][0]):
            return _KEYWORDS[first][1], first + _KEYWORDS[first][0]
        return "ident", self.word(first)

    def word(self, first: str) -> str:
        if not re.match(r"[A-Za-z_\\]", first):
            raise UnreadableError
        if first == "\\":
            first = self.take()
        rest = re.match(r"(?:[A-Za-z0-9_-]|\\.|\\\Z)*", self.text[self.place :], re.DOTALL)
        found = rest[0] if rest else ""
        self.place += len(found)
        if not self.terminated() and self.next() not in ".(=!":
            raise UnreadableError
        return first + re.sub(r"\\(.|\Z)", r"\1", found, flags=re.DOTALL)


def _lex(text: str) -> Iterator[SegmentToken]:
    """Return the tokens, with dotted words merged."""
    joined: list[SegmentToken] = []
    tokens = list(_Lexer(text).tokens())
    while tokens:
        dotted = tokens[0][0] == "dot" and tokens[1:] and tokens[1][0] == "ident"
        if dotted and joined and joined[-1][0] == "ident":
            joined[-1] = ("ident", f"{joined[-1][1]}.{tokens[1][1]}")
            del tokens[:2]
        else:
            joined.append(tokens.pop(0))
    return iter(joined)


# Parser


def segment_tree(text: str) -> dict[str, Any]:
    """Return the tree that Segment parses, in its own format; or raises UnreadableError."""
    tree = _level(_lex(text))
    if tree is None:
        raise UnreadableError
    return tree if tree["type"] == "group" else _group("and", [tree])


def _group(connective: str, children: list[Ast]) -> dict[str, Any]:
    return {"type": "group", "operator": connective, "children": children}


def _take(tokens: Iterator[SegmentToken]) -> SegmentToken:
    """Consume a required token; raises UnreadableError after the end."""
    token = next(tokens, None)
    if token is None:
        raise UnreadableError
    return token


def _level(tokens: Iterator[SegmentToken]) -> Ast:
    """Parse one level: its conditions and the last connective; skip everything else."""
    nodes: list[Ast] = []
    connective, negated = "and", False
    for kind, text in tokens:
        if kind == "eos":
            break
        if kind == "conditional":
            connective = text
        elif kind == "parenleft":
            group = list(itertools.takewhile(lambda token: token[0] != "parenright", _rest(tokens)))
            nodes.append(_level(iter([*group, _END])))
        elif kind == "ident" and text in {"contains", "match"}:
            nodes += _function(text, tokens, negated=negated)
        elif kind == "ident" and text.partition(".")[0] in _KINDS:
            nodes.append(_comparison(text, _take(tokens)[1], _take(tokens)))
        negated = (kind, text) == ("operator", "!")
    return nodes[0] if len(nodes) == 1 else _group(connective, nodes) if nodes else None


def _rest(tokens: Iterator[SegmentToken]) -> Iterator[SegmentToken]:
    """Yield tokens; raise UnreadableError at the end, because a parenthesis is open."""
    yield from tokens
    raise UnreadableError


def _comparison(name: str, test: str, token: SegmentToken) -> dict[str, Any]:
    root = name.partition(".")[0]
    node: dict[str, Any] = {"type": _KINDS[root]}
    value = _value(token)
    if root in {"properties", "traits", "context"}:
        node["name"] = name.removeprefix(f"{root}.")
    null = token[1] == "null" and root not in {"type", "event"}
    if null and test in {"=", "!="}:
        return {**node, "operator": "exists" if test == "!=" else "not_exists"}
    if isinstance(value, bool) and test == "=" and root not in {"type", "event", "name"}:
        return {**node, "operator": f"is_{token[1]}"}
    if "name" not in node:
        return {**node, "operator": test, "value": _text(value)}
    if token[0] == "number" and test in {"=", "!="}:
        test = "number_equals" if test == "=" else "number_not_equals"
    return {**node, "operator": test, "value": value}


def _function(function: str, tokens: Iterator[SegmentToken], *, negated: bool) -> list[Ast]:
    """Parse `contains` or `match` by position, regardless of the punctuation."""
    _, (_, field), _, token = next(tokens, None), _take(tokens), next(tokens, None), _take(tokens)
    next(tokens, None)
    value, test = _text(_value(token)), function
    if function == "match" and token[1].endswith('*"'):
        value, test = value[:-1], "starts_with"
    elif function == "match":
        value, test = value[1:], "ends_with"
    rest = {"operator": f"not_{test}" if negated else test, "value": value}
    if field in {"event", "name", "userId"}:
        return [{"type": field, **rest}]
    roots = [root for root in ("properties", "traits", "context") if field.startswith(root)]
    return [
        {"type": _KINDS[root], "name": field.removeprefix(f"{root}."), **rest} for root in roots
    ]


def _value(token: SegmentToken) -> Any:
    kind, text = token
    if kind == "string":
        return text.removeprefix('"').removesuffix('"')
    if kind == "number":
        return number_of(text)
    return text == "true" if kind == "ident" and text in {"true", "false"} else text


def _text(value: Any) -> str:
    """Convert a value to text as JavaScript's `String` does."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return number_text(value) if is_number(value) else "undefined" if value is None else str(value)


# Evaluation


def evaluate_segment_tree(tree: Ast, event: JSON) -> bool:
    """Evaluate Segment's tree as Segment does; raises UnreadableError if that fails."""
    if tree is None or event is None:
        raise UnreadableError
    if tree["type"] == "group":
        join = all if tree["operator"] == "and" else any
        return join(evaluate_segment_tree(child, event) for child in tree["children"])
    seen = _member(event, _ROOTS[tree["type"]])
    for key in re.findall(r"[^\[.\]]+", tree.get("name", "")):
        seen = _member(seen, key) if _truthy(seen) else seen
    return _TESTS.get(tree["operator"], _never)(seen, tree.get("value"))


def _truthy(value: Any) -> bool:
    return isinstance(value, (dict, list)) or bool(value)


def _member(value: Any, key: str) -> Any:
    """Return a property as JavaScript does, including `length` and items of strings and lists."""
    if isinstance(value, dict):
        return value.get(key, MISSING)
    if not isinstance(value, (str, list)):
        return MISSING
    if key == "length":
        return len(value) if isinstance(value, list) else len(value.encode("utf-16-le")) // 2
    place = int(key) if re.fullmatch(r"0|[1-9][0-9]{0,8}", key) else len(value)
    return value[place] if place < len(value) else MISSING


def _numbers(test: Callable[[float, float], bool]) -> Callable[[Any, Any], bool]:
    def apply(seen: Any, value: Any) -> bool:
        number = number_of(value)
        return is_number(seen) and number is not None and test(seen, number)

    return apply


def _texts(test: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    return lambda seen, value: isinstance(seen, str) and test(seen, _text(value))


def _never(_seen: Any, _value: Any) -> bool:
    return False


_TESTS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": _texts(operator.eq),
    "!=": lambda seen, value: not _texts(operator.eq)(seen, value),
    "<": _numbers(operator.lt),
    "<=": _numbers(operator.le),
    ">": _numbers(operator.gt),
    ">=": _numbers(operator.ge),
    "number_equals": _numbers(operator.eq),
    "number_not_equals": _numbers(operator.ne),
    "contains": _texts(lambda seen, value: value in seen),
    "not_contains": _texts(lambda seen, value: value not in seen),
    "starts_with": _texts(str.startswith),
    "not_starts_with": _texts(lambda seen, value: not seen.startswith(value)),
    "ends_with": _texts(str.endswith),
    "not_ends_with": _texts(lambda seen, value: not seen.endswith(value)),
    "exists": lambda seen, _: not is_null(seen),
    "not_exists": lambda seen, _: is_null(seen),
    "is_true": lambda seen, _: seen is True,
    "is_false": lambda seen, _: seen is False,
}


def field_of(tree: dict[str, Any]) -> FieldNode:
    """Return the field that a condition of Segment's tree reads."""
    return FieldNode(field_path(f"{_ROOTS[tree['type']]}.{tree.get('name', '')}"))


def spell(tree: Ast) -> str:
    """Return Segment's tree, written as a trigger."""
    if tree is None:
        return "()"
    if tree["type"] == "group":
        return f" {tree['operator']} ".join(map(_spelled_part, tree["children"]))
    name, test, value = write(field_of(tree)), tree["operator"], _text(tree.get("value"))
    if test in _SPELLINGS:
        return _SPELLINGS[test].format(name, text=value, pattern=escape(value))
    return f'{name} {test} "{value}"'


def _spelled_part(tree: Ast) -> str:
    return f"({spell(tree)})" if tree and tree["type"] == "group" else spell(tree)


_SPELLINGS: Final = {
    "number_equals": "{} = {text}",
    "number_not_equals": "{} != {text}",
    "contains": 'contains({}, "{text}")',
    "not_contains": '!contains({}, "{text}")',
    "starts_with": 'match({}, "{pattern}*")',
    "not_starts_with": '!match({}, "{pattern}*")',
    "ends_with": 'match({}, "*{pattern}")',
    "not_ends_with": '!match({}, "*{pattern}")',
    "exists": "{} != null",
    "not_exists": "{} = null",
    "is_true": "{} = true",
    "is_false": "{} = false",
}
