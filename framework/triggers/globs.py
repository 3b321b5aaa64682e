r"""Glob patterns of `match`: compiled once, matched in time linear in the text.

::

    *        any text, also none             [abc]    one of these characters
    ?        any one character               [a-z]    one character of the range
    \x       the character x itself          [!a-z]   one character that is none of these

A pattern matches the whole text and minds the case. A `[` that nothing closes and a `\` at the end
stand for themselves. Patterns that only begin or end with stars become plain text searches. The
others become a regular expression in which each stretch between two stars is taken at its first
place for good: there is nothing to go back to, so no text can make it explode.
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
    """A compiled pattern: a plain *search* for *text* where that is enough, else the *regex*."""

    search: Search | None
    text: str
    regex: re.Pattern[str]

    def matches(self, subject: str) -> bool:
        """Tell whether the whole *subject* fits the pattern."""
        return self.regex.fullmatch(subject) is not None


@lru_cache(maxsize=1024)
def glob(pattern: str) -> Glob:
    """Compile a pattern; TriggerError where it is too long or a range in it runs backwards."""
    if len(pattern) > MAX_GLOB:
        raise TriggerError(f"A pattern has at most {MAX_GLOB} characters, not {len(pattern)}.")
    stretches: list[list[re.Match[str]]] = [[]]
    for item in _ITEM.finditer(pattern):
        if item["star"]:
            stretches.append([])
        else:
            stretches[-1].append(item)
    return Glob(*_search(stretches), re.compile(_expression(stretches), re.DOTALL))


def escape(text: str) -> str:
    """Give the pattern that matches *text* only."""
    return re.sub(r"([\\*?\[])", r"\\\1", text)


def sample(pattern: str) -> str:
    """Give a short text that fits a pattern, as far as one is found among common characters."""
    return "".join(map(_sample, _ITEM.finditer(pattern)))


def _sample(item: re.Match[str]) -> str:
    if item["star"]:
        return ""
    if not item["set"]:
        return "x" if item["any"] else item["escaped"] or item["plain"]
    fits = re.compile(_set(item["set"]))
    low = _MEMBER.findall(item["set"])[-1][0]
    return next((char for char in f"{low}xyz0 _-" if fits.fullmatch(char)), low)


def _expression(stretches: list[list[re.Match[str]]]) -> str:
    first, *others = stretches
    middle = "".join(map(_next, others[:-1]))
    return _all(first) + middle + (f".*{_all(others[-1])}" if others else "")


def _next(stretch: list[re.Match[str]]) -> str:
    """Give the expression for the next place where a stretch stands, and what is before it."""
    if len(stretch) == 1 and (stretch[0]["escaped"] or stretch[0]["plain"]):
        return f"[^{_one(stretch[0])}]*+{_one(stretch[0])}"
    return f"(?>.*?{_all(stretch)})" if stretch else ""


def _all(stretch: list[re.Match[str]]) -> str:
    return "".join(map(_one, stretch))


def _one(item: re.Match[str]) -> str:
    """Give the expression for one character."""
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
            raise TriggerError(f"The range `{low}-{high}` runs backwards.")
    return f"[{'^' * inverted}{''.join(f'{_code(low)}-{_code(high)}' for low, high in ranges)}]"


def _code(character: str) -> str:
    return f"\\U{ord(character):08x}"


def _search(stretches: list[list[re.Match[str]]]) -> tuple[Search | None, str]:
    """Find the plain search that does the same as the pattern, if there is one."""
    filled = [place for place, stretch in enumerate(stretches) if stretch] or [0]
    items = stretches[filled[0]]
    if len(filled) > 1 or any(item["any"] or item["set"] for item in items):
        return None, ""
    text = "".join(item["escaped"] or item["plain"] for item in items)
    if len(stretches) == 1:
        return "exact", text
    if filled[0] == 0:
        return "prefix", text
    return ("suffix" if filled[0] == len(stretches) - 1 else "inside"), text
