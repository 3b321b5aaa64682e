"""The tokens of triggers, and errors that point at a place in the text."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Final, NamedTuple

from framework.errors import TriggerError
from framework.triggers.tree import short

MAX_DIGITS: Final = 400
"""Maximum number of characters of a number."""

_TOKEN: Final = re.compile(
    r"""(?P<space>[ \t\r\n]+)
      | (?P<word>(?:[A-Za-z_]|\\.)(?:[A-Za-z0-9_-]|\\.)*)
      | (?P<number>[-+]?[0-9]+(?:\.[0-9]+)?|[-+]\.[0-9]+)
      | (?P<text>"[^"]*"|'[^']*')
      | (?P<foreign>==+|!==+|=>|=<|<>|&&?|\|\|?|~=?)
      | (?P<mark>!=|>=|<=|[=<>!(),.\[\]])""",
    re.VERBOSE | re.DOTALL,
)
_TEXT: Final = re.compile(r"""(["']).*?\1""", re.DOTALL)
_AFTER_WORD: Final = re.compile(r"[ \t\r\n,)\].(=!<>&|~]|\Z")
_REPLACEMENTS: Final = {
    "=>": ">=",
    "=<": "<=",
    "<>": "!=",
    "&": "and",
    "&&": "and",
    "|": "or",
    "||": "or",
    "~": "match(field, pattern)",
    "~=": "match(field, pattern)",
}
_HINTS: Final = {
    "[": "Unexpected `[`; write a position in a list as `.\\0`.",
    '"': "The string that starts here has no closing quote.",
    "'": "The string that starts here has no closing quote.",
    "\\": "Expected a character after `\\`.",
    "\N{LEFT DOUBLE QUOTATION MARK}": "Use straight quotes around a string.",
    "\N{LEFT SINGLE QUOTATION MARK}": "Use straight quotes around a string.",
}
_WIDTH: Final = 70


class Token(NamedTuple):
    """A piece of a trigger's text: `word`, `number`, `text`, `mark` or `end`."""

    kind: str
    text: str
    start: int
    end: int

    def is_word(self, word: str) -> bool:
        """Return whether this is the given word operator, in any letter case."""
        return self.kind == "word" and self.text.lower() == word

    @property
    def shown(self) -> str:
        """The token as messages show it."""
        return "the end" if self.kind == "end" else f"`{short(self.text)}`"


def tokenize(text: str) -> Iterator[Token]:
    """Split a trigger into tokens; the last one is the end.

    If no token follows a string directly, its closing quote opens another string.
    """
    place, closing = 0, -1
    while place < len(text):
        try:
            token = _token(text, place)
        except TriggerError:
            reopened = _TEXT.match(text, closing) if closing >= 0 else None
            if reopened is None:
                raise
            token = Token("text", reopened[0], closing, reopened.end())
        place = token.end
        closing = place - 1 if token.kind == "text" else -1
        if token.kind != "space":
            yield token
    yield Token("end", "", place, place)


def _token(text: str, place: int) -> Token:
    found = _TOKEN.match(text, place)
    if found is None:
        raise error_at(text, place, _HINTS.get(text[place], f"Unexpected `{text[place]}`."))
    kind, end = str(found.lastgroup), found.end()
    if kind == "foreign":
        ours = _REPLACEMENTS.get(found[0], "!=" if found[0][0] == "!" else "=")
        raise error_at(text, place, f"`{found[0]}` is not an operator; write `{ours}`.")
    if kind == "word" and not _AFTER_WORD.match(text, end):
        raise error_at(text, end, _HINTS.get(text[end], f"Unexpected `{text[end]}`."))
    if kind == "number":
        _check_number(text, place, end)
    return Token(kind, found[0], place, end)


def _check_number(text: str, start: int, end: int) -> None:
    if end - start > MAX_DIGITS:
        raise error_at(
            text, start, f"A number can have at most {MAX_DIGITS} characters, got {end - start}."
        )
    if text[end : end + 1] == ".":
        raise error_at(text, end, "Unexpected `.` after a number.")


def error_at(text: str, place: int, message: str) -> TriggerError:
    """Return an error that shows the line and a caret at the position."""
    lines = re.split(r"(?<=\n)", text)
    starts = [0]
    for line in lines[:-1]:
        starts.append(starts[-1] + len(line))
    row = bisect_right(starts, place) - 1
    column = place - starts[row]
    first = max(0, column - _WIDTH // 2)
    shown = re.sub(r"[\t\r\n\v\f]", " ", lines[row])[first : first + _WIDTH].rstrip()
    error = TriggerError(f"{message}\n  {shown}\n  {' ' * (column - first)}^")
    error.offset = place
    return error
