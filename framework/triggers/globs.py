r"""Glob patterns of `match`: compiled once, matched in time linear in the text.

::

    *        any text, also empty            [abc]    one of these characters
    ?        any one character               [a-z]    one character of the range
    \x       the character x itself          [!a-z]   one character outside the range

A pattern matches the whole text and is case-sensitive. An unclosed `[` and a final `\` are literal.
Patterns with stars only at their ends become plain text searches. All others become a regular
expression that matches each segment between two stars at its first position, without
backtracking: matching time stays linear for every text.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, Literal, NamedTuple, TypeAlias

from framework.errors import TriggerError

MAX_GLOB: Final = 500
"""Characters of the longest pattern."""

Search: TypeAlias = Literal["exact", "prefix", "suffix", "inside"]

_ITEM: Final = re.compile(
    r"\\(?P<escaped>.)|(?P<star>\*)|(?P<any>\?)|\[(?P<set>[!^]?(?:\\.|[^\]\\])+)\]|(?P<plain>.)",
    re.DOTALL,
)
_MEMBER: Final = re.compile(r"\\?(.)(?:-\\?(.))?", re.DOTALL)


class Glob(NamedTuple):
    """A compiled pattern: a plain *search* for *text* if that is sufficient, else the *regex*.

    The regex is compiled at first use: checking a trigger does not need it.
    """

    search: Search | None
    text: str
    expression: str

    @property
    def regex(self) -> re.Pattern[str]:
        """The regular expression that matches the same texts."""
        return _compiled(self.expression)

    def matches(self, subject: str) -> bool:
        """Return whether the pattern matches the whole *subject*."""
        return self.regex.fullmatch(subject) is not None


@lru_cache(maxsize=1024)
def glob(pattern: str) -> Glob:
    """Compile a pattern; raises TriggerError if it is too long or contains a reversed range."""
    if len(pattern) > MAX_GLOB:
        raise TriggerError(f"A pattern can have at most {MAX_GLOB} characters, got {len(pattern)}.")
    segments: list[list[re.Match[str]]] = [[]]
    for item in _ITEM.finditer(pattern):
        if item["star"]:
            segments.append([])
        else:
            segments[-1].append(item)
    return Glob(*_search(segments), _expression(segments))


@lru_cache(maxsize=1024)
def _compiled(expression: str) -> re.Pattern[str]:
    return re.compile(expression, re.DOTALL)


def escape(text: str) -> str:
    """Return the pattern that matches *text* only."""
    return re.sub(r"([\\*?\[])", r"\\\1", text)


def sample(pattern: str) -> str:
    """Return a short text that matches a pattern, composed of common characters where possible."""
    return "".join(map(_sample, _ITEM.finditer(pattern)))


def _sample(item: re.Match[str]) -> str:
    if item["star"]:
        return ""
    if not item["set"]:
        return "x" if item["any"] else item["escaped"] or item["plain"]
    one_of = re.compile(_set(item["set"]))
    low = _MEMBER.findall(item["set"])[-1][0]
    return next((char for char in f"{low}xyz0 _-" if one_of.fullmatch(char)), low)


def _expression(segments: list[list[re.Match[str]]]) -> str:
    first, *others = segments
    middle = "".join(map(_next, others[:-1]))
    return _all(first) + middle + (f".*{_all(others[-1])}" if others else "")


def _next(segment: list[re.Match[str]]) -> str:
    """Return the expression for the next occurrence of a segment, and the text before it."""
    if len(segment) == 1 and (segment[0]["escaped"] or segment[0]["plain"]):
        return f"[^{_one(segment[0])}]*+{_one(segment[0])}"
    return f"(?>.*?{_all(segment)})" if segment else ""


def _all(segment: list[re.Match[str]]) -> str:
    return "".join(map(_one, segment))


def _one(item: re.Match[str]) -> str:
    """Return the expression for one character."""
    if item["any"]:
        return "."
    if item["set"]:
        return _set(item["set"])
    return re.escape(item["escaped"] or item["plain"])


def _set(text: str) -> str:
    inverted = text[0] in "!^" and len(text) > 1
    ranges = [(low, high or low) for low, high in _MEMBER.findall(text[inverted:])]
    for low, high in ranges:
        if low > high:
            raise TriggerError(f"The range `{low}-{high}` is reversed; write `{high}-{low}`.")
    return f"[{'^' * inverted}{''.join(f'{_code(low)}-{_code(high)}' for low, high in ranges)}]"


def _code(character: str) -> str:
    return f"\\U{ord(character):08x}"


def _search(segments: list[list[re.Match[str]]]) -> tuple[Search | None, str]:
    """Return the plain search that is equivalent to the pattern, if there is one."""
    filled = [place for place, segment in enumerate(segments) if segment] or [0]
    items = segments[filled[0]]
    if len(filled) > 1 or any(item["any"] or item["set"] for item in items):
        return None, ""
    text = "".join(item["escaped"] or item["plain"] for item in items)
    if len(segments) == 1:
        return "exact", text
    if filled[0] == 0:
        return "prefix", text
    return ("suffix" if filled[0] == len(segments) - 1 else "inside"), text
